//===- CutEmbeddings.cpp - narrower outputs of encoders -------------------===//

#include "linnet/Compress/Compress.h"

#include "SentenceVectors.h"
#include "WriteCheckpoint.h"

#include "linnet/Driver/Input.h"
#include "linnet/Support/Quote.h"

#include <cstdio>

namespace linnet {

using namespace compress;
namespace ir = mlir::linnet;

namespace {

constexpr const char *kProjection = "linnet.output_projection.weight";

std::string formatNumber(double number) {
  char text[32];
  snprintf(text, sizeof text, "%.4f", number);
  return text;
}

std::string describe(const CosineChange &change) {
  return "cosines of pairs differ by " + formatNumber(change.error) +
         " on average, correlation " + formatNumber(change.correlation);
}

/// One run with --embedding-width.
class EmbeddingCut {
public:
  EmbeddingCut(const CompressOptions &options, CompressReport &report,
               AtomicDirectory &directory, const Archive &archive)
      : options(options), report(report), directory(directory),
        archive(archive), kept(options.embeddingWidth) {}

  Status run() {
    if (Status status = open(); !status)
      return status;
    projection = firstEntries(kept, width);
    if (options.calibration.empty())
      report.notes.push_back(
          "outputs: the first " + std::to_string(kept) + " of " +
          std::to_string(width) +
          " entries (for models trained so; not measured without "
          "--calibration)");
    else if (Status status = fit(); !status)
      return status;
    return write();
  }

private:
  Status open() {
    context = makeContext();
    std::string detected;
    auto loaded = loadModel(*context, options.input, std::nullopt, detected);
    if (!loaded)
      return loaded.error();
    module = loaded.take();
    Result<Json> read = readJsonFile(options.input + "/config.json");
    if (!read)
      return read.error();
    config = read.take();
    auto facts = (*module)->getAttrOfType<mlir::DictionaryAttr>(ir::kModelAttr);
    auto kind = facts.getAs<mlir::StringAttr>("kind").getValue().str();
    if (kind != "encoder")
      return makeError("--embedding-width: expected an encoder, but got a ",
                       kind);
    if (config.contains("linnet") &&
        config["linnet"].contains("output_projection"))
      return makeError(options.input, "/config.json: key "
                                      "'linnet.output_projection': expected "
                                      "outputs that are not cut yet");
    width = facts.getAs<mlir::IntegerAttr>("hidden_size").getInt();
    if (kept < 1 || kept >= width)
      return makeError("--embedding-width: expected 1 to ", width - 1,
                       ", less than the outputs have, but got ", kept);
    return {};
  }

  /// Chooses between the first entries and the principal directions.
  Status fit() {
    Result<SentenceVectors> read =
        readSentenceVectors(options, *module, archive, report);
    if (!read)
      return read.error();
    Result<PrincipalDirections> principal =
        findPrincipalDirections(read->fitted, kept);
    if (!principal)
      return principal.error();
    CosineChange ofFirst = compareCosines(read->heldOut, projection),
                 ofPrincipal =
                     compareCosines(read->heldOut, principal->directions);
    bool isPrincipal = ofPrincipal.correlation > ofFirst.correlation;
    report.notes.push_back(
        "outputs: " + std::to_string(kept) + " of " + std::to_string(width) +
        (isPrincipal ? " directions, which hold " +
                           formatNumber(100 * principal->share) +
                           " % of sentence vectors"
                     : " entries, the first") +
        "; sentences are " + read->pooling);
    std::string sentences = std::to_string(read->heldOut.rows());
    report.notes.push_back("held-out sentences (" + sentences +
                           "), first entries: " + describe(ofFirst));
    report.notes.push_back("held-out sentences (" + sentences +
                           "), directions: " + describe(ofPrincipal));
    if (isPrincipal)
      projection = std::move(principal->directions);
    if (read->evaluated.rows() > 1)
      report.notes.push_back(
          "evaluation (" + std::to_string(read->evaluated.rows()) +
          "): " + describe(compareCosines(read->evaluated, projection)));
    return {};
  }

  Status write() {
    Result<std::vector<std::byte>> bytes =
        roundMatrix(projection, DataType::F32);
    if (!bytes)
      return bytes.error();
    if (Status status = writeTensorsBeside(
            archive,
            {{{kProjection, DataType::F32, {kept, width}}, bytes.take()}},
            directory.file("model.safetensors"));
        !status)
      return status;
    config["linnet"]["output_projection"] = kProjection;
    return finishRewrite(options.input, formatJson(config) + "\n", directory);
  }

  const CompressOptions &options;
  CompressReport &report;
  AtomicDirectory &directory;
  const Archive &archive;
  int64_t kept, width = 0;
  std::unique_ptr<mlir::MLIRContext> context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  Json config;
  Matrix projection;
};

} // namespace

Status cutEmbeddings(const CompressOptions &options, CompressReport &report) {
  return rewriteCheckpoint(
      options.input, options.output, "",
      [&](const Archive &archive, AtomicDirectory &directory) {
        Status status = EmbeddingCut(options, report, directory, archive).run();
        return status ? readAgain(directory.path()) : status;
      });
}

} // namespace linnet
