//===- SentenceVectors.cpp - what encoders make of sentences --------------===//

#include "SentenceVectors.h"

#include "CalibratedModel.h"

#include "TapRunner.h"

#include "linnet/Support/Json.h"

#include <cmath>
#include <filesystem>

namespace linnet::compress {
namespace {

/// Scales rows to length 1; rows of zeros stay.
void normalise(Matrix &vectors) {
  for (int64_t r = 0; r < vectors.rows(); ++r) {
    double squares = 0;
    for (int64_t c = 0; c < vectors.columns(); ++c)
      squares += vectors.at(r, c) * vectors.at(r, c);
    for (int64_t c = 0; squares > 0 && c < vectors.columns(); ++c)
      vectors.at(r, c) /= std::sqrt(squares);
  }
}

/// Whether a sentence is the output of its first token, as the file of
/// sentence-transformers says. Errors: a file that cannot be read.
Result<bool> takesFirstToken(const std::string &input) {
  std::string file = input + "/1_Pooling/config.json";
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored))
    return false;
  Result<Json> config = readJsonFile(file);
  if (!config)
    return config.error();
  return getBool(*config, "pooling_mode_cls_token", file, false);
}

/// Adds the windows of `part` in step `number`.
void append(std::vector<double> &vectors, const Windows &windows, Part part,
            int64_t number, llvm::ArrayRef<float> outputs, bool isFirst) {
  auto [first, last] = windows.rangeOf(part, number);
  auto width = outputs.size() / size_t(windows.batch * windows.length);
  for (int64_t w = first; w < last; ++w) {
    int64_t length = isFirst ? 1 : windows.lengthOf(number * windows.batch + w);
    std::vector<double> mean(width);
    for (int64_t t = 0; t < length; ++t) {
      auto row = outputs.slice(size_t(w * windows.length + t) * width, width);
      for (size_t c = 0; c < width; ++c)
        mean[c] += double(row[c]) / double(length);
    }
    vectors.insert(vectors.end(), mean.begin(), mean.end());
  }
}

Result<Windows> readSentences(const CompressOptions &options,
                              mlir::ModuleOp module) {
  Result<Windows> windows = readWindowsFor(module, options);
  if (windows && windows->counts[size_t(Part::HeldOut)] < 2)
    return makeError("--calibration: expected at least 16 sentences, but got ",
                     windows->counts[0] + windows->counts[1]);
  return windows;
}

} // namespace

Result<SentenceVectors> readSentenceVectors(const CompressOptions &options,
                                            mlir::ModuleOp module,
                                            const Archive &archive,
                                            CompressReport &report) {
  Result<bool> isFirst = takesFirstToken(options.input);
  Result<Windows> windows = readSentences(options, module);
  if (!isFirst || !windows)
    return isFirst ? windows.error() : isFirst.error();
  LinearMaps maps = findLinearMaps(module, archive);
  Result<TapRunner> runner =
      TapRunner::create(module, archive, maps, windows->batch, windows->length);
  if (!runner)
    return runner.error();
  Result<HiddenStates> states = runner->begin(*windows);
  Result<std::optional<OpenTap>> end = runner->openEnd();
  if (!states || !end)
    return states ? end.error() : states.error();
  for (size_t number = 0; number < runner->layers(); ++number) {
    if (report.progress)
      report.progress("running", "layer " + std::to_string(number));
    Result<OpenTap> layer = runner->openWhole(number, {});
    if (!layer)
      return layer.error();
    if (Status status = runner->advance(number, *layer, *states); !status)
      return status.error();
  }
  std::array<std::vector<double>, 3> parts;
  int64_t width = 1;
  for (int64_t step = 0; step < windows->batches(); ++step) {
    std::vector<Activations> buffer;
    Result<llvm::ArrayRef<float>> outputs =
        runner->outputOf(*end, *states, step, buffer);
    if (!outputs)
      return outputs.error();
    width = int64_t(outputs->size()) / runner->stepTokens();
    for (size_t part = 0; part < parts.size(); ++part)
      append(parts[part], *windows, Part(part), step, *outputs, *isFirst);
  }
  SentenceVectors result;
  result.pooling = *isFirst ? "outputs of first tokens" : "means of outputs";
  Matrix *targets[] = {&result.fitted, &result.heldOut, &result.evaluated};
  for (size_t part = 0; part < parts.size(); ++part) {
    auto rows = int64_t(parts[part].size()) / width;
    *targets[part] = Matrix(rows, width, std::move(parts[part]));
    if (!isFinite(*targets[part]))
      return makeError("expected outputs that are finite, but got others");
    normalise(*targets[part]);
  }
  return result;
}

Matrix firstEntries(int64_t kept, int64_t width) {
  Matrix projection(kept, width);
  for (int64_t k = 0; k < kept; ++k)
    projection.at(k, k) = 1;
  return projection;
}

Result<PrincipalDirections> findPrincipalDirections(const Matrix &vectors,
                                                    int64_t kept) {
  Result<SymmetricEigen> eigen =
      symmetricEigen(multiply(vectors.transposed(), vectors));
  if (!eigen)
    return eigen.error();
  int64_t width = vectors.columns();
  PrincipalDirections result{Matrix(kept, width), 0};
  double all = 0;
  for (double value : eigen->values)
    all += value;
  for (int64_t k = 0; k < kept; ++k) {
    result.share += eigen->values[size_t(k)] / all;
    // Signs are arbitrary; the largest entry is positive.
    int64_t largest = 0;
    for (int64_t c = 0; c < width; ++c)
      if (std::abs(eigen->vectors.at(c, k)) >
          std::abs(eigen->vectors.at(largest, k)))
        largest = c;
    double sign = eigen->vectors.at(largest, k) < 0 ? -1 : 1;
    for (int64_t c = 0; c < width; ++c)
      result.directions.at(k, c) = sign * eigen->vectors.at(c, k);
  }
  return result;
}

CosineChange compareCosines(const Matrix &vectors, const Matrix &projection) {
  Matrix projected = multiply(vectors, projection.transposed());
  normalise(projected);
  Matrix before = multiply(vectors, vectors.transposed()),
         after = multiply(projected, projected.transposed());
  double differences = 0, x = 0, y = 0, xx = 0, yy = 0, xy = 0, pairs = 0;
  for (int64_t i = 0; i < vectors.rows(); ++i)
    for (int64_t j = 0; j < i; ++j) {
      double a = before.at(i, j), b = after.at(i, j);
      differences += std::abs(b - a);
      x += a, y += b, xx += a * a, yy += b * b, xy += a * b;
      ++pairs;
    }
  if (pairs == 0)
    return {};
  double variances = (xx - x * x / pairs) * (yy - y * y / pairs);
  return {differences / pairs,
          variances > 0 ? (xy - x * y / pairs) / std::sqrt(variances) : 0};
}

} // namespace linnet::compress
