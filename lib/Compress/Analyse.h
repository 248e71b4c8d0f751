//===- Analyse.h - what each matrix can do without ------------*- C++ -*-===//

#ifndef LIB_COMPRESS_ANALYSE_H
#define LIB_COMPRESS_ANALYSE_H

#include "LayerStatistics.h"
#include "MapStructure.h"
#include "TapRunner.h"
#include "WorkDirectory.h"

#include "linnet/Compress/Compress.h"
#include "linnet/Support/Json.h"

#include <optional>

namespace linnet::compress {

/// What a matrix may become and what outputs lose by it.
struct MapChoice {
  MapPlan plan;
  double loss = 0;
};

/// What is known of one matrix before it is cut.
struct MapAnalysis {
  /// Its loss at rank r is the sum of all but the first r. Data-free, of the
  /// matrix; calibrated, of its outputs.
  std::vector<double> spectrum;
  /// The damage per unit of loss, comparable between matrices.
  double weight = 0;
  /// What the model loses when only this matrix is cut (a difference of
  /// Judge::score(), and what that measures), to which rank, and the share of
  /// the spectrum that is gone then.
  struct Sensitivity {
    const char *measure = "";
    double damage = 0;
    int64_t rank = 0;
    double loss = 0;
  };
  std::optional<Sensitivity> sensitivity;
  /// By the structures of the options.
  std::vector<MapChoice> choices;
};

/// By maps and by layers.
struct ModelAnalysis {
  std::vector<MapAnalysis> maps;
  /// Empty without data.
  std::vector<LayerAnalysis> layers;
};

/// Without data: squared singular values, and all matrices count the same.
Result<ModelAnalysis> analyseMatrices(const std::vector<LinearMap> &maps,
                                      const Archive &archive,
                                      const CompressOptions &options,
                                      const CompressReport &report);

/// With data: what outputs lose on some of the fitted windows, and by cutting
/// one matrix at a time what the model loses. Layers are kept in `work`, and
/// taken from there if they are.
Result<ModelAnalysis>
analyseModel(TapRunner &runner, const std::vector<LinearMap> &maps,
             const Archive &archive, const Windows &windows,
             const CompressOptions &options, const WorkDirectory &work,
             const CompressReport &report);

/// One map's part of analysis.json.
Json writeMapAnalysis(const LinearMap &map, const MapAnalysis &analysis);
/// The same again, but for the weight; sensitivities are by `measure`. `what`
/// names the entry in errors.
Result<MapAnalysis> readMapAnalysis(const Json &entry, const char *measure,
                                    const std::string &what);

/// With the options that say what matrices may become.
Json writeAnalysis(const std::vector<LinearMap> &maps,
                   const ModelAnalysis &analysis,
                   const std::string &fingerprint,
                   const CompressOptions &options);
/// What `file`, the analysis at `path`, says of `maps` and what it was made
/// with, which `options` then say too. Errors: what writeAnalysis() did not
/// write of these maps, or was edited to what cannot be.
Result<ModelAnalysis> readAnalysis(const Json &file, const std::string &path,
                                   const std::vector<LinearMap> &maps,
                                   const std::string &fingerprint,
                                   CompressOptions &options);

} // namespace linnet::compress

#endif // LIB_COMPRESS_ANALYSE_H
