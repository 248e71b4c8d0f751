//===- KernelTimes.cpp - how long kernels take here -----------------------===//

#include "KernelTimes.h"

#include "Scratch.h"
#include "TapRunner.h"

#include "linnet/Driver/Compile.h"
#include "linnet/Driver/Input.h"

#include "mlir/Parser/Parser.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <random>

namespace linnet::compress {
namespace {

/// Most bytes of weights that one measurement reads, and copies of a matrix.
constexpr double kMostBytes = 64e6;
constexpr int64_t kMostCopies = 64;
constexpr int kWarmUps = 3, kRuns = 15;

Matrix randomMatrix(int64_t rows, int64_t columns) {
  std::mt19937 random(1);
  std::normal_distribution<double> normal(0, 0.02);
  std::vector<double> values(size_t(rows * columns));
  for (double &value : values)
    value = normal(random);
  return Matrix(rows, columns, std::move(values));
}

/// The part of a map that is measured.
LinearMap sampleOf(LinearMap map) {
  map.rows = std::min(map.rows, KernelTimes::kMeasuredSide);
  map.columns = std::min(map.columns, KernelTimes::kMeasuredSide);
  return map;
}

std::string typeText(llvm::ArrayRef<int64_t> shape, DataType dtype) {
  std::string text = "tensor<";
  for (int64_t size : shape)
    text += std::to_string(size) + "x";
  std::string name(dataTypeName(dtype));
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return char(std::tolower(c)); });
  return text + name + ">";
}

std::string factorName(int64_t copy, size_t factor) {
  return "w" + std::to_string(copy) + "." + std::to_string(factor);
}

/// The sum of what `copies` different matrices make of one vector.
std::string writeFunction(const LinearMap &map, const std::string &attribute,
                          llvm::ArrayRef<TensorSpec> factors, int64_t copies) {
  std::string in = typeText({1, 1, map.columns}, DataType::F32),
              out = typeText({1, 1, map.rows}, DataType::F32);
  std::string text = "func.func @f(%x: " + in + ") -> " + out + " {\n";
  for (int64_t copy = 0; copy < copies; ++copy) {
    std::string own = std::to_string(copy), operands = "%x", types = in;
    for (size_t i = 0; i < factors.size(); ++i) {
      std::string value = "%w" + own + "_" + std::to_string(i),
                  type = typeText(factors[i].shape, factors[i].dtype);
      text += value + " = linnet.weight \"" + factorName(copy, i) +
              "\" : " + type + "\n";
      operands += ", " + value;
      types += ", " + type;
    }
    text += "%y" + own + " = linnet.linear #linnet." + attribute + " " +
            operands + " : (" + types + ") -> " + out + "\n";
    std::string before = copy == 1 ? "%y0" : "%s" + std::to_string(copy - 1);
    if (copy > 0)
      text += "%s" + own + " = arith.addf " + before + ", %y" + own + " : " +
              out + "\n";
  }
  std::string last = (copies > 1 ? "%s" : "%y") + std::to_string(copies - 1);
  return text + "return " + last + " : " + out + "\n}\n";
}

Status writeWeights(const std::string &file,
                    const std::vector<TensorSpec> &factors,
                    const std::vector<std::vector<std::byte>> &stored,
                    int64_t copies) {
  std::vector<TensorSpec> specs;
  for (int64_t copy = 0; copy < copies; ++copy)
    for (size_t i = 0; i < factors.size(); ++i)
      specs.push_back(
          {factorName(copy, i), factors[i].dtype, factors[i].shape});
  Result<SafetensorsWriter> writer = SafetensorsWriter::create(file, specs);
  if (!writer)
    return writer.error();
  for (int64_t copy = 0; copy < copies; ++copy)
    for (size_t i = 0; i < factors.size(); ++i)
      if (Status status = writer->append(factorName(copy, i), stored[i].data(),
                                         stored[i].size());
          !status)
        return status;
  return writer->commit();
}

/// The least of some runs: what else the machine does only adds to it.
Result<double> timeRuns(const OpenTap &tap, int64_t columns) {
  std::vector<float> x(size_t(columns), 0.5f);
  std::vector<Activations> results;
  double least = std::numeric_limits<double>::infinity();
  for (int run = 0; run < kWarmUps + kRuns; ++run) {
    auto start = std::chrono::steady_clock::now();
    if (Status status = tap.run({x.data()}, results); !status)
      return status.error();
    std::chrono::duration<double> spent =
        std::chrono::steady_clock::now() - start;
    if (run >= kWarmUps)
      least = std::min(least, spent.count());
  }
  return least;
}

/// Seconds that one token takes through `map` with this structure.
Result<double> timeKernel(const LinearMap &map, const MapStructure &structure,
                          const PlanNumbers &numbers, double modelBytes) {
  FitResult fitted = structure.tryFit(randomMatrix(map.rows, map.columns),
                                      FitInputs(), numbers);
  if (!fitted)
    return fitted.error();
  auto stored = (*fitted)->store(map);
  if (!stored)
    return stored.error();
  double bytes = double(structure.bytes(map, numbers));
  int64_t copies = std::clamp<int64_t>(
      int64_t(std::min(modelBytes, kMostBytes) / bytes), 1, kMostCopies);
  std::string attribute = structure.attribute(map, numbers);
  if (attribute.empty())
    attribute =
        map.storage == mlir::linnet::Storage::OutIn ? "dense" : "dense<in_out>";
  std::vector<TensorSpec> factors = structure.factors(map, numbers);
  Result<AtomicDirectory> scratch = createScratch("times");
  if (!scratch)
    return scratch.error();
  std::string file = scratch->file("model.safetensors");
  if (Status status = writeWeights(file, factors, *stored, copies); !status)
    return status.error();
  std::unique_ptr<mlir::MLIRContext> context = makeContext();
  auto module = mlir::parseSourceString<mlir::ModuleOp>(
      writeFunction(map, attribute, factors, copies), context.get());
  (*module)->setAttr(mlir::linnet::kArchiveAttr,
                     mlir::StringAttr::get(context.get(), file));
  CompileReport report;
  Result<CompiledFunction> compiled =
      compileFunction(*module, "f", {{{1, 1, map.columns}, std::nullopt}}, file,
                      CompileOptions(), report);
  if (!compiled)
    return compiled.error();
  Result<OpenTap> tap = OpenTap::open(compiled->directory());
  if (!tap)
    return tap.error();
  Result<double> seconds = timeRuns(*tap, map.columns);
  if (!seconds)
    return seconds.error();
  return *seconds / double(copies);
}

} // namespace

KernelTimes::Kind KernelTimes::kindOf(const LinearMap &map,
                                      const MapStructure &structure) {
  return {map.rows, map.columns, map.dtype, map.storage, &structure};
}

Result<KernelTimes>
KernelTimes::measure(const std::vector<LinearMap> &maps,
                     llvm::ArrayRef<const MapStructure *> structures,
                     const CompressOptions &options,
                     const CompressReport &report) {
  KernelTimes times;
  double modelBytes = 0;
  for (const LinearMap &map : maps)
    modelBytes += double(denseStructure().bytes(map, {}));
  llvm::SmallVector<const MapStructure *> all = {&denseStructure()};
  all.append(structures.begin(), structures.end());
  for (const LinearMap &map : maps)
    for (const MapStructure *structure : all) {
      auto candidatesOf = [&](const LinearMap &of) {
        return structure == &denseStructure()
                   ? std::vector<PlanNumbers>(1)
                   : structure->candidates(of, options);
      };
      LinearMap sample = sampleOf(map);
      std::vector<PlanNumbers> candidates = candidatesOf(sample);
      // A part need not divide as the whole does.
      if (candidates.empty()) {
        sample = map;
        candidates = candidatesOf(map);
      }
      Kind kind = kindOf(sample, *structure);
      if (candidates.empty() || times.points.count(kind) ||
          (structure != &denseStructure() &&
           structure->attribute(sample, candidates.front()).empty()))
        continue;
      if (report.progress)
        report.progress("timing", structure->name());
      std::vector<Point> &points = times.points[kind];
      for (size_t at :
           {size_t(0), candidates.size() / 2, candidates.size() - 1}) {
        double bytes = double(structure->bytes(sample, candidates[at]));
        if (llvm::any_of(points, [&](const Point &other) {
              return other.bytes == bytes;
            }))
          continue;
        Result<double> seconds =
            timeKernel(sample, *structure, candidates[at], modelBytes);
        if (!seconds)
          return nameMap(map, seconds.error());
        points.push_back({bytes, *seconds});
      }
      llvm::sort(points, [](const Point &a, const Point &b) {
        return a.bytes < b.bytes;
      });
    }
  return times;
}

double KernelTimes::secondsOf(const LinearMap &map,
                              const MapStructure &structure,
                              const PlanNumbers &numbers) const {
  // What is stored as a plain matrix runs as one.
  if (&structure != &denseStructure() &&
      structure.attribute(map, numbers).empty())
    return secondsOf(map, denseStructure(), {});
  LinearMap sample = sampleOf(map);
  auto place = points.find(kindOf(sample, structure));
  if (place == points.end())
    place = points.find(kindOf(sample = map, structure));
  const std::vector<Point> &known = place->second;
  double scale = double(denseStructure().bytes(map, {})) /
                 double(denseStructure().bytes(sample, {}));
  double bytes = double(structure.bytes(map, numbers)) / scale;
  if (known.size() == 1)
    return scale * known[0].seconds * bytes / known[0].bytes;
  // The last two go on beyond them.
  size_t next = 1;
  while (next + 1 < known.size() && known[next].bytes < bytes)
    ++next;
  const Point &a = known[next - 1], &b = known[next];
  double seconds = a.seconds + (b.seconds - a.seconds) * (bytes - a.bytes) /
                                   (b.bytes - a.bytes);
  return scale * std::max(seconds, 0.0);
}

Json KernelTimes::describe() const {
  Json list = Json::array();
  for (const auto &[kind, known] : points)
    for (const Point &point : known)
      list.push_back({{"structure", kind.structure->name()},
                      {"shape", {kind.rows, kind.columns}},
                      {"bytes", int64_t(point.bytes)},
                      {"seconds", point.seconds}});
  return list;
}

} // namespace linnet::compress
