//===- ReferenceEngine.cpp - token models through the evaluator -----------===//

#include "Engine.h"

#include "dialects/Linnet/Linnet.h"
#include "linnet/Driver/Input.h"
#include "linnet/Reference/Session.h"
#include "linnet/Support/Quote.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <algorithm>
#include <thread>

namespace linnet::runtool {
namespace {

/// What a model is made of, in an order in which it can be taken apart.
struct LoadedModel {
  std::unique_ptr<mlir::MLIRContext> context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::unique_ptr<Archive> archive;
};

HostTensor toTensor(const Tokens &tokens) {
  return {{tokens.rows, tokens.length},
          std::vector<double>(tokens.ids.begin(), tokens.ids.end())};
}

/// The evaluator widens its operands: rows enough to occupy the threads, few
/// enough for their scores to stay small.
constexpr int64_t kRowsPerCall = 4;

class ReferenceEngine : public Engine {
public:
  explicit ReferenceEngine(LoadedModel given, unsigned threads)
      : model(std::move(given)), threads(threads) {}

  /// Reads the module's facts.
  Status prepare(const std::string &source) {
    auto facts = model.module.get()->getAttrOfType<mlir::DictionaryAttr>(
        mlir::linnet::kModelAttr);
    forward =
        model.module->lookupSymbol<mlir::func::FuncOp>(mlir::linnet::kForward);
    if (!facts || !forward)
      return makeError(quoteName(source), ": expected a model (@",
                       mlir::linnet::kForward.str(), " and ",
                       mlir::linnet::kModelAttr.str(),
                       "), but got other functions: use --function=NAME");
    auto integer = [&](llvm::StringRef key) -> int64_t {
      auto value = facts.getAs<mlir::IntegerAttr>(key);
      return value ? value.getInt() : 0;
    };
    auto kind = facts.getAs<mlir::StringAttr>("kind");
    description.encoder = kind && kind.getValue() == "encoder";
    description.vocabSize = integer("vocab_size");
    description.maxContext = integer("max_context");
    description.tokenizerPlaces = tokenizerPlacesOf(source);
    return {};
  }

  int64_t preferredRows() const override { return kRowsPerCall; }

protected:
  Result<HostTensor> runCausal(const Tokens &tokens,
                               std::optional<int64_t> prefill) override {
    if (!prefill)
      return runForward(tokens, {});
    Result<ReferenceSession> session = ReferenceSession::create(
        *model.module, model.archive.get(), tokens.length);
    if (!session)
      return session.error();
    session->setThreads(threads);
    HostTensor result;
    for (int64_t begin = 0; begin < tokens.length;) {
      int64_t count = begin == 0 && *prefill > 0 ? *prefill : 1;
      Result<HostTensor> rows = session->feed(columns(tokens, begin, count));
      if (!rows)
        return rows.error();
      int64_t width = rows->shape.back();
      if (begin == 0)
        result = HostTensor::filled({tokens.rows, tokens.length, width});
      for (int64_t b = 0; b < tokens.rows; ++b)
        std::copy_n(rows->values.begin() + b * count * width, count * width,
                    result.values.begin() +
                        (b * tokens.length + begin) * width);
      begin += count;
    }
    return result;
  }

  Result<HostTensor> runEncoder(const Tokens &tokens,
                                const EncoderInputs &more) override {
    return runForward(tokens, more);
  }

private:
  static HostTensor columns(const Tokens &tokens, int64_t begin,
                            int64_t count) {
    HostTensor part;
    part.shape = {tokens.rows, count};
    for (int64_t b = 0; b < tokens.rows; ++b)
      for (int64_t t = begin; t < begin + count; ++t)
        part.values.push_back(double(tokens.at(b, t)));
    return part;
  }

  Result<HostTensor> runForward(const Tokens &tokens,
                                const EncoderInputs &more) {
    // Weights are widened once and kept.
    if (!kept) {
      Result<Evaluator> evaluator =
          Evaluator::create(*model.module, model.archive.get());
      if (!evaluator)
        return evaluator.error();
      kept = evaluator.take();
      kept->setThreads(threads);
    }
    std::vector<HostTensor> inputs;
    for (unsigned i = 0; i < forward.getNumArguments(); ++i) {
      auto attr = forward.getArgAttrOfType<mlir::StringAttr>(
          i, mlir::linnet::kNameAttr);
      llvm::StringRef name = attr ? attr.getValue() : "";
      if (forward.getArgument(i).getType().isIndex())
        inputs.push_back(HostTensor::scalar(0));
      else if (name == "token_types")
        inputs.push_back(
            more.tokenTypes ? toTensor(*more.tokenTypes)
                            : HostTensor::filled({tokens.rows, tokens.length}));
      else if (name == "key_mask")
        inputs.push_back(
            more.attentionMask
                ? toTensor(*more.attentionMask)
                : HostTensor::filled({tokens.rows, tokens.length}, 1));
      else
        inputs.push_back(toTensor(tokens));
    }
    Result<std::vector<HostTensor>> results =
        kept->run(mlir::linnet::kForward, std::move(inputs));
    if (!results)
      return results.error();
    return std::move(results->front());
  }

  LoadedModel model;
  unsigned threads;
  mlir::func::FuncOp forward;
  std::optional<Evaluator> kept;
};

} // namespace

Result<std::unique_ptr<Engine>> openReferenceEngine(const std::string &path,
                                                    int threads) {
  std::string source = path;
  if (isCompiled(path)) {
    Result<Manifest> manifest = readManifest(path);
    if (!manifest)
      return manifest.error();
    source = manifest->source;
  }
  LoadedModel model;
  model.context = makeContext();
  std::string detected;
  auto module = loadModel(*model.context, source, std::nullopt, detected);
  if (!module)
    return module.error();
  model.module = module.take();
  Result<std::string> weights = archivePath(*model.module, source);
  if (!weights)
    return weights.error();
  if (!weights->empty()) {
    Result<Archive> archive = Archive::open(*weights);
    if (!archive)
      return archive.error();
    model.archive = std::make_unique<Archive>(archive.take());
  }
  auto engine = std::make_unique<ReferenceEngine>(
      std::move(model),
      threads > 0 ? unsigned(threads)
                  : std::max(1u, std::thread::hardware_concurrency()));
  if (Status status = engine->prepare(source); !status)
    return status.error();
  return std::unique_ptr<Engine>(std::move(engine));
}

} // namespace linnet::runtool
