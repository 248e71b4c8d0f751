//===- TimedModel.h - a model against the clock ---------------*- C++ -*-===//
//
// What linnet-run bench and linnet-compress --measure-speed time: prefill and
// decode of one session, or the passes of an encoder.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_RUNTOOL_TIMEDMODEL_H
#define LINNET_RUNTOOL_TIMEDMODEL_H

#include "linnet/RunTool/ModelHandle.h"

#include <cstdint>
#include <functional>
#include <vector>

namespace linnet::runtool {

class TimedModel {
public:
  /// Of an open model, which outlives this object. The session, if it is no
  /// encoder, comes with the first call.
  explicit TimedModel(linnet_model *model);

  bool isEncoder() const {
    return linnet_model_kind(model) == LINNET_KIND_ENCODER;
  }

  /// Token ids for `count` tokens of every sequence, spread over the
  /// vocabulary and the same each time.
  std::vector<int32_t> someTokens(int64_t count) const;

  /// Seconds for the tokens [batch, count] at once, from an empty state; logits
  /// of the last token only. All outputs of an encoder.
  linnet_status prefill(const std::vector<int32_t> &tokens, double &seconds);

  /// Seconds for `count` tokens of every sequence one by one behind the tokens
  /// of `prompt`, each the likeliest, which it takes time to find. Not for
  /// encoders.
  linnet_status decode(const std::vector<int32_t> &prompt, int64_t count,
                       double &seconds);

private:
  linnet_status timed(double &seconds,
                      const std::function<linnet_status()> &work);

  linnet_model *model;
  int64_t batch, width;
  SessionHandle session;
  std::vector<float> outputs;
};

/// The middle of at least one value, or the mean of the two in the middle.
double medianOf(std::vector<double> values);

} // namespace linnet::runtool

#endif // LINNET_RUNTOOL_TIMEDMODEL_H
