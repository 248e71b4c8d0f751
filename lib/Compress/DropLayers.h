//===- DropLayers.h - which layers a model can do without -----*- C++ -*-===//

#ifndef LIB_COMPRESS_DROPLAYERS_H
#define LIB_COMPRESS_DROPLAYERS_H

#include "TapRunner.h"

namespace linnet::compress {

/// A layer, and the model's score (Judge.h) without it and those dropped
/// before.
struct DroppedLayer {
  int64_t layer = 0;
  const char *measure = "";
  double score = 0;
};

/// `count` layers, one after the other the one whose absence costs least on
/// about `tokens` tokens of the fitted windows. Errors: as many layers as there
/// are.
Result<std::vector<DroppedLayer>> chooseLayers(TapRunner &runner,
                                               const Windows &windows,
                                               int64_t tokens, int64_t count);

} // namespace linnet::compress

#endif // LIB_COMPRESS_DROPLAYERS_H
