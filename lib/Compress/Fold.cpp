//===- Fold.cpp - the same with less --------------------------------------===//

#include "linnet/Compress/Compress.h"

#include "DeadChannels.h"
#include "FoldNorms.h"
#include "WriteCheckpoint.h"

#include "linnet/Driver/Input.h"
#include "linnet/Support/Quote.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

#include <sstream>

namespace linnet {

using namespace compress;
namespace ir = mlir::linnet;

namespace {

/// Maps one behind the other with nothing between, and whether one map would
/// hold less. No configuration says that two maps are one, so they stay.
void noteChains(const std::vector<LayerFunction> &functions,
                std::set<std::string> &declined) {
  for (const LayerFunction &function : functions)
    mlir::func::FuncOp(function.function).walk([&](ir::LinearOp outer) {
      auto inner = outer.getInput().getDefiningOp<ir::LinearOp>();
      auto name = [](ir::LinearOp linear) {
        auto location = mlir::dyn_cast<mlir::NameLoc>(linear.getLoc());
        return location ? location.getName().str() : std::string("a map");
      };
      if (!inner || !inner->hasOneUse())
        return;
      auto width = [](mlir::Value value) {
        return mlir::cast<mlir::ShapedType>(value.getType()).getShape().back();
      };
      int64_t in = width(inner.getInput()), middle = width(inner.getResult()),
              out = width(outer.getResult());
      declined.insert(name(outer) + " after " + name(inner) + ": " +
                      std::to_string(middle * (in + out)) +
                      " numbers, their product " + std::to_string(in * out) +
                      (in * out < middle * (in + out)
                           ? ", but a configuration has two maps"
                           : ""));
    });
}

/// One run with --fold.
class Folding {
public:
  Folding(const CompressOptions &options, CompressReport &report,
          AtomicDirectory &directory, const Archive &archive)
      : options(options), report(report), directory(directory),
        archive(archive) {}

  Status run() {
    context = makeContext();
    std::string detected;
    auto loaded = loadModel(*context, options.input, std::nullopt, detected);
    if (!loaded)
      return loaded.error();
    module = loaded.take();
    functions = functionsOf(*module);
    Result<Json> read = readJsonFile(configFile());
    if (!read)
      return read.error();
    config = read.take();
    if (Status status = fold(); !status)
      return status;
    report.declined.assign(declined.begin(), declined.end());
    if (edits.isEmpty())
      return makeError("--fold: expected something to fold, but there is "
                       "nothing",
                       declined.empty() ? "" : ": ",
                       llvm::join(declined, "; "));
    if (Status status = writeTensors(); !status)
      return status;
    return finishRewrite(options.input, formatJson(config) + "\n", directory);
  }

private:
  std::string configFile() const { return options.input + "/config.json"; }

  bool isAsked(const char *name) const {
    return llvm::is_contained(options.folds, name);
  }

  Status fold() {
    if (isAsked("norms")) {
      Result<int64_t> folded = foldNorms(functions, archive, edits, declined);
      if (!folded)
        return folded.error();
      report.notes.push_back("norms folded into the next maps: " +
                             std::to_string(*folded));
    }
    if (isAsked("dead"))
      if (Status status = foldDead(); !status)
        return status;
    noteChains(functions, declined);
    return {};
  }

  Status foldDead() {
    if (config.contains("linnet")) {
      declined.insert("dead channels: the checkpoint has structures (key "
                      "'linnet' in config.json)");
      return {};
    }
    LinearMaps found = findLinearMaps(*module, archive);
    std::map<int64_t, std::vector<ChannelGroup>> widths;
    for (ChannelGroup &group : findChannelGroups(*module, found).groups)
      if (group.kind == &mlpChannels())
        widths[group.width].push_back(std::move(group));
    if (widths.empty())
      declined.insert("dead channels: no layer has channels between two maps");
    for (const auto &[width, groups] : widths) {
      // Fewer must be something that a configuration can say.
      Json trial = config;
      if (Status status = configure(trial, groups.front(), width - 1);
          !status) {
        declined.insert("channels before " +
                        found.maps[groups.front().consumer].name + ": " +
                        status.error().str());
        continue;
      }
      Result<int64_t> dropped =
          dropDeadChannels(groups, functions, found, archive, edits, declined);
      if (!dropped)
        return dropped.error();
      if (*dropped == 0)
        continue;
      report.notes.push_back(
          "dead channels left out: " + std::to_string(*dropped) + " of " +
          std::to_string(width) + " in each layer");
      return configure(config, groups.front(), width - *dropped);
    }
    return {};
  }

  Status configure(Json &changed, const ChannelGroup &group,
                   int64_t kept) const {
    return group.kind->configure(group, {kept, 1}, changed, configFile());
  }

  Status writeTensors() {
    std::vector<TensorSpec> specs;
    int64_t before = 0, after = 0;
    size_t bytesBefore = 0, bytesAfter = 0;
    bool isWidened = false;
    for (const std::string &name : archive.names()) {
      const Archive::Tensor &tensor = *archive.find(name);
      specs.push_back({name, edits.typeOf(tensor), edits.shapeOf(tensor)});
      isWidened |= edits.isWidened(tensor);
      int64_t count = *elementCount(specs.back().shape);
      before += *elementCount(tensor.shape);
      bytesBefore += tensor.bytes;
      after += count;
      bytesAfter += size_t(count) * dataTypeSize(specs.back().dtype);
    }
    Result<SafetensorsWriter> writer =
        SafetensorsWriter::create(directory.file("model.safetensors"),
                                  std::move(specs), {{"format", "pt"}});
    if (!writer)
      return writer.error();
    double rounding = 0;
    for (const std::string &name : archive.names()) {
      const Archive::Tensor &tensor = *archive.find(name);
      if (report.progress)
        report.progress("writing", name);
      if (!edits.isEdited(name)) {
        if (Status status = writer->append(name, tensor.data, tensor.bytes);
            !status)
          return status;
        continue;
      }
      auto bytes = edits.apply(archive, tensor, rounding);
      if (!bytes)
        return bytes.error();
      if (Status status = writer->append(name, bytes->data(), bytes->size());
          !status)
        return status;
    }
    // Loaded in the narrower type, products would be rounded.
    if (isWidened)
      for (const char *key : {"torch_dtype", "dtype"})
        if (config.contains(key))
          config[key] = "float32";
    std::ostringstream text;
    text << "numbers: " << after << ", originally " << before
         << "; bytes: " << bytesAfter << ", originally " << bytesBefore
         << (isWidened ? " (products of narrower numbers are f32)" : "")
         << "; storage rounds a tensor by at most " << rounding;
    report.notes.push_back(text.str());
    return writer->commit();
  }

  const CompressOptions &options;
  CompressReport &report;
  AtomicDirectory &directory;
  const Archive &archive;
  std::unique_ptr<mlir::MLIRContext> context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::vector<LayerFunction> functions;
  Json config;
  TensorEdits edits;
  std::set<std::string> declined;
};

} // namespace

Status foldCheckpoint(const CompressOptions &options, CompressReport &report) {
  return rewriteCheckpoint(
      options.input, options.output, "",
      [&](const Archive &archive, AtomicDirectory &directory) {
        Status status = Folding(options, report, directory, archive).run();
        return status ? readAgain(directory.path()) : status;
      });
}

} // namespace linnet
