//===- ReduceVocabulary.cpp - a model of the tokens that a text needs -----===//

#include "linnet/Compress/Compress.h"

#include "TokenIds.h"
#include "VocabularyTensors.h"
#include "WriteCheckpoint.h"

#include "linnet/Checkpoint/Npy.h"
#include "linnet/Driver/Input.h"
#include "linnet/RunTool/Tokens.h"
#include "linnet/Support/Quote.h"
#include "linnet/Tokenizer/Vocabulary.h"

#include <filesystem>
#include <set>

namespace linnet {

using namespace compress;

namespace {

constexpr const char *kTokenizerFile = "tokenizer.json",
                     *kTokenizerConfigFile = "tokenizer_config.json",
                     *kGenerationFile = "generation_config.json",
                     *kConfigFile = "config.json",
                     *kKeptFile = "kept_tokens.npy";

/// Files with ids of tokens in other forms than tokenizer.json, and those that
/// say how to read them.
constexpr const char *kOtherTokenizerFiles[] = {
    "added_tokens.json", "merges.txt", "sentencepiece.bpe.model",
    "spiece.model",      "spm.model",  "tokenizer.model",
    "vocab.json",        "vocab.txt"};

bool isFile(const std::string &path) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(path, ignored);
}

/// Whether `file` holds ids rather than text.
bool isArray(const std::string &file) {
  return file.starts_with("@") || file.ends_with(".npy");
}

std::string count(int64_t number, const char *what) {
  return std::to_string(number) + " " + what;
}

/// One run with --keep-vocabulary.
class VocabularyReduction {
public:
  VocabularyReduction(const CompressOptions &options, CompressReport &report,
                      AtomicDirectory &directory, const Archive &archive)
      : options(options), report(report), directory(directory),
        archive(archive) {}

  Status run() {
    using Step = Status (VocabularyReduction::*)();
    for (Step step :
         {&VocabularyReduction::findTensors, &VocabularyReduction::readText,
          &VocabularyReduction::readConfigurations,
          &VocabularyReduction::choose, &VocabularyReduction::writeTokenizer,
          &VocabularyReduction::writeConfigurations,
          &VocabularyReduction::writeTensors,
          &VocabularyReduction::writeOthers})
      if (Status status = (this->*step)(); !status)
        return status;
    return {};
  }

private:
  std::string inputFile(const char *name) const {
    return options.input + "/" + name;
  }

  Status findTensors() {
    std::unique_ptr<mlir::MLIRContext> context = makeContext();
    std::string detected;
    auto module = loadModel(*context, options.input, std::nullopt, detected);
    if (!module)
      return module.error();
    Result<VocabularyTensors> found = findVocabularyTensors(**module, archive);
    if (!found)
      return makeError(quoteName(options.input), ": ", found.error().str());
    tensors = found.take();
    return {};
  }

  /// The ids of `file`, a text or an array.
  Result<runtool::Tokens> readIds(const std::string &file) const {
    if (Result<Tokenizer> found = runtool::findTokenizer({options.input});
        !isArray(file) && !found)
      return makeError(found.error().str(), " (here as @FILE.npy)");
    Result<runtool::Tokens> tokens =
        isArray(file) ? runtool::readTokens(file)
                      : runtool::encodeFile(file, {options.input});
    if (!tokens)
      return tokens.error();
    if (tokens->ids.empty())
      return makeError(quoteName(file),
                       ": expected a text with tokens to keep, but got none");
    if (Status status = runtool::checkTokens(*tokens, tensors.size, "a token");
        !status)
      return status.error();
    return tokens;
  }

  Status readText() {
    Result<runtool::Tokens> tokens = readIds(options.keepVocabulary);
    if (!tokens)
      return tokens.error();
    text = tokens.take();
    if (!isFile(inputFile(kTokenizerFile)))
      return {};
    Result<Json> read = readJsonFile(inputFile(kTokenizerFile));
    if (!read)
      return read.error();
    tokenizer = read.take();
    return {};
  }

  Status readConfigurations() {
    Result<Json> read = readJsonFile(inputFile(kConfigFile));
    if (!read)
      return read.error();
    config = read.take();
    if (!isFile(inputFile(kGenerationFile)))
      return {};
    Result<Json> generation = readJsonFile(inputFile(kGenerationFile));
    if (!generation)
      return generation.error();
    generationConfig = generation.take();
    return {};
  }

  Status choose() {
    std::set<int32_t> used(text.ids.begin(), text.ids.end());
    auto inText = int64_t(used.size());
    std::vector<int32_t> ids;
    collectTokenIds(config, tensors.size, ids);
    collectTokenIds(generationConfig, tensors.size, ids);
    used.insert(ids.begin(), ids.end());
    ids.assign(used.begin(), used.end());
    kept.ids = ids;
    if (!tokenizer.is_null()) {
      Result<KeptTokens> closed =
          closeVocabulary(tokenizer, inputFile(kTokenizerFile), ids);
      if (closed)
        kept = closed.take();
      else // Only ids can be given then.
        leaveOutTokenizer(closed.error());
    }
    if (kept.ids.back() >= tensors.size)
      return makeError(inputFile(kTokenizerFile), ": expected ids of 0 to ",
                       tensors.size - 1,
                       ", the rows of the model's tables, "
                       "but got ",
                       kept.ids.back());
    auto left = int64_t(kept.ids.size());
    std::string reasons =
        count(inText, "of them in the text, ") +
        count(int64_t(used.size()) - inText + kept.named, "named, ") +
        count(kept.alphabet, "bytes or characters, ") +
        count(kept.passed, "on the way to others");
    if (left == tensors.size)
      return makeError("--keep-vocabulary: expected tokens that can go, but "
                       "all ",
                       left, " stay: ", reasons);
    report.notes.push_back("vocabulary: " + std::to_string(left) + " of " +
                           count(tensors.size, "tokens kept, ") + reasons);
    numbers.emplace(kept.ids, tensors.size);
    return {};
  }

  void leaveOutTokenizer(const Error &reason) {
    tokenizer = nullptr;
    for (const char *name :
         {kTokenizerFile, kTokenizerConfigFile, "special_tokens_map.json"})
      leftOut.insert(name);
    report.notes.push_back("tokenizer left out: " + reason.str());
  }

  Status write(const char *name, const Json &content, int indent = 2) {
    return writeFileAtomically(directory.file(name),
                               formatJson(content, indent) + "\n");
  }

  Status writeTokenizer() {
    if (!options.evaluation.empty() &&
        (tokenizer.is_null() || isArray(options.evaluation)))
      return makeError(
          "--evaluation: expected a text and a tokenizer, but got ",
          tokenizer.is_null() ? "no tokenizer that stays" : "ids");
    if (tokenizer.is_null())
      return {};
    Json renumbered = renumberTokenizer(std::move(tokenizer), kept.ids);
    if (Status status = write(kTokenizerFile, renumbered); !status)
      return status;
    if (Status status = compareTokens(); !status)
      return status;
    if (!isFile(inputFile(kTokenizerConfigFile)))
      return {};
    Result<Json> settings = readJsonFile(inputFile(kTokenizerConfigFile));
    if (!settings)
      return settings.error();
    if (auto added = settings->find("added_tokens_decoder");
        added != settings->end() && added->is_object()) {
      Json renamed = Json::object();
      for (const auto &[id, token] : added->items())
        if (auto number = numbers->find(std::atoll(id.c_str())))
          renamed[std::to_string(*number)] = token;
      *added = renamed;
    }
    return write(kTokenizerConfigFile, *settings);
  }

  /// The text must become the same tokens. Errors: it does not.
  Status compareTokens() {
    if (!isArray(options.keepVocabulary)) {
      Result<runtool::Tokens> again =
          runtool::encodeFile(options.keepVocabulary, {directory.path()});
      if (!again)
        return again.error();
      for (size_t i = 0; i < text.ids.size(); ++i)
        if (again->ids.size() != text.ids.size() ||
            kept.ids[size_t(again->ids[i])] != text.ids[i])
          return makeError(inputFile(kTokenizerFile),
                           ": expected the text to become the same tokens "
                           "without those that go, but it does not");
    }
    if (options.evaluation.empty())
      return {};
    Result<runtool::Tokens> before = readIds(options.evaluation);
    if (!before)
      return before.error();
    Result<runtool::Tokens> after =
        runtool::encodeFile(options.evaluation, {directory.path()});
    if (!after)
      return after.error();
    report.notes.push_back(
        "evaluation: " + count(int64_t(after->ids.size()), "tokens, ") +
        "originally " + std::to_string(before->ids.size()));
    return {};
  }

  Status writeConfigurations() {
    if (!renumberTokenIds(config, *numbers, kConfigFile, report.notes))
      return makeError(inputFile(kConfigFile), ": key 'vocab_size': expected ",
                       tensors.size, ", but it is not there");
    if (Status status = write(kConfigFile, config); !status)
      return status;
    if (generationConfig.is_null())
      return {};
    renumberTokenIds(generationConfig, *numbers, kGenerationFile, report.notes);
    return write(kGenerationFile, generationConfig);
  }

  Status writeTensors() {
    std::vector<TensorSpec> specs;
    for (const std::string &name : archive.names()) {
      const Archive::Tensor &tensor = *archive.find(name);
      specs.push_back({name, tensor.dtype, tensor.shape});
      auto place = tensors.dimensions.find(name);
      if (place == tensors.dimensions.end())
        continue;
      specs.back().shape[place->second] = numbers->after();
      bool isUnread = std::find(tensors.unread.begin(), tensors.unread.end(),
                                name) != tensors.unread.end();
      report.notes.push_back(
          "tensor " + quoteName(name) + ": " + formatShape(tensor.shape) +
          " -> " + formatShape(specs.back().shape) +
          (isUnread ? ", which the model does not read" : ""));
    }
    Result<SafetensorsWriter> writer = SafetensorsWriter::create(
        directory.file("model.safetensors"), specs, {{"format", "pt"}});
    if (!writer)
      return writer.error();
    for (const std::string &name : archive.names())
      if (Status status = append(*writer, *archive.find(name)); !status)
        return status;
    return writer->commit();
  }

  /// The entries of the kept tokens, or all of another tensor.
  Status append(SafetensorsWriter &writer, const Archive::Tensor &tensor) {
    auto place = tensors.dimensions.find(tensor.name);
    if (place == tensors.dimensions.end())
      return writer.append(tensor.name, tensor.data, tensor.bytes);
    size_t entry = dataTypeSize(tensor.dtype), outer = 1;
    for (size_t d = place->second + 1; d < tensor.shape.size(); ++d)
      entry *= size_t(tensor.shape[d]);
    for (size_t d = 0; d < place->second; ++d)
      outer *= size_t(tensor.shape[d]);
    std::vector<std::byte> slice;
    for (size_t o = 0; o < outer; ++o) {
      const std::byte *entries = tensor.data + o * size_t(tensors.size) * entry;
      slice.clear();
      for (int32_t id : kept.ids) {
        const std::byte *at = entries + size_t(id) * entry;
        slice.insert(slice.end(), at, at + entry);
      }
      if (Status status =
              writer.append(tensor.name, slice.data(), slice.size());
          !status)
        return status;
    }
    return {};
  }

  Status writeOthers() {
    if (Status status =
            writeNpy(directory.file(kKeptFile),
                     NpyArray::fromI32({int64_t(kept.ids.size())}, kept.ids));
        !status)
      return status;
    for (const char *name : kOtherTokenizerFiles)
      if (isFile(inputFile(name))) {
        leftOut.insert(name);
        report.notes.push_back(std::string(name) +
                               " left out: its ids are no longer the model's");
      }
    return copyOtherFiles(options.input, directory, leftOut);
  }

  const CompressOptions &options;
  CompressReport &report;
  AtomicDirectory &directory;
  const Archive &archive;
  VocabularyTensors tensors;
  runtool::Tokens text;
  /// Null if there is none, or none that can be reduced.
  Json tokenizer;
  Json config, generationConfig;
  KeptTokens kept;
  std::optional<TokenNumbers> numbers;
  std::set<std::string> leftOut;
};

} // namespace

Status reduceVocabulary(const CompressOptions &options,
                        CompressReport &report) {
  return rewriteCheckpoint(
      options.input, options.output, options.force ? kKeptFile : "",
      [&](const Archive &archive, AtomicDirectory &directory) {
        Status status =
            VocabularyReduction(options, report, directory, archive).run();
        return status ? readAgain(directory.path()) : status;
      });
}

} // namespace linnet
