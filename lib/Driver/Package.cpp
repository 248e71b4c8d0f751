//===- Package.cpp - the files of a compiled directory --------------------===//

#include "linnet/Driver/Package.h"

#include "linnet/Support/Quote.h"

#include <filesystem>
#include <set>
#include <sstream>

namespace linnet {
namespace {

namespace fs = std::filesystem;

constexpr const char *kOverlayFile = "weights.safetensors";

/// Copies in pieces, so that the size of a file does not matter.
Status copyFile(const std::string &from, const std::string &to) {
  Result<MappedFile> source = MappedFile::open(from);
  if (!source)
    return source.error();
  Result<AtomicFile> target = AtomicFile::create(to);
  if (!target)
    return target.error();
  if (Status status = target->write(source->data(), source->size()); !status)
    return status;
  return target->commit();
}

/// A C identifier's worth of upper-case letters and digits.
std::string macroName(const std::string &text) {
  std::string name;
  for (char c : text)
    name += std::isalnum(static_cast<unsigned char>(c))
                ? char(std::toupper(static_cast<unsigned char>(c)))
                : '_';
  return name;
}

/// `text` as the inside of a C comment or string literal.
std::string harmless(const std::string &text) {
  std::string safe;
  for (unsigned char c : text)
    safe += (c < 0x20 || c == '"' || c == '\\' || c == '*') ? '?' : char(c);
  return safe;
}

void writeTensor(std::ostringstream &out, const ArgumentSpec &argument) {
  out << " *   " << harmless(argument.name) << ": "
      << dataTypeName(argument.dtype) << " " << formatShape(argument.shape)
      << "\n";
}

} // namespace

std::string headerText(const Manifest &manifest) {
  std::ostringstream out;
  out << "/* model.h - written by linnet-compile " << manifest.version
      << "\n *\n"
      << " * " << harmless(manifest.modelType) << " ("
      << modelKindName(manifest.kind) << "), compiled for "
      << harmless(manifest.cpu) << ".\n *\n"
      << " * Open the directory of this file with liblinnet_runtime:\n *\n"
      << " *   #include <linnet/Runtime/linnet.h>\n"
      << " *   linnet_model *model;\n"
      << " *   if (linnet_model_open(DIRECTORY, NULL, &model) != LINNET_OK)\n"
      << " *     puts(linnet_last_error());\n *\n"
      << " * Inputs (-1: any number of tokens):\n";
  for (const ArgumentSpec &input : manifest.inputs)
    writeTensor(out, input);
  out << " * Outputs:\n";
  for (const ArgumentSpec &output : manifest.outputs)
    writeTensor(out, output);
  if (!manifest.states.empty())
    out << " * State of a session, in this order (append: indexed by "
           "position;\n"
        << " * fixed: rewritten by every step):\n";
  for (const StateSpec &state : manifest.states)
    out << " *   " << harmless(state.name) << ": " << formatShape(state.shape)
        << ", " << state.bytes << " bytes, "
        << (state.kind == StateSpec::Kind::Append ? "append" : "fixed") << "\n";
  out << " */\n#ifndef LINNET_MODEL_H\n#define LINNET_MODEL_H\n\n";

  auto text = [&](const char *name, const std::string &value) {
    out << "#define LINNET_MODEL_" << name << " \"" << harmless(value)
        << "\"\n";
  };
  auto number = [&](const std::string &name, int64_t value) {
    out << "#define LINNET_MODEL_" << name << " " << value << "LL\n";
  };
  text("ID", manifest.id);
  text("TYPE", manifest.modelType);
  text("KIND", std::string(modelKindName(manifest.kind)));
  if (manifest.kind != Manifest::ModelKind::Function) {
    number("VOCAB_SIZE", manifest.vocabSize);
    number("HIDDEN_SIZE", manifest.hiddenSize);
    number("MAX_CONTEXT", manifest.maxContext);
    number("BATCH", manifest.batch);
  }
  for (const PhaseSpec &phase : manifest.phases)
    number(macroName(phase.name) + "_TOKENS", phase.maxTokens);
  number("STATES", int64_t(manifest.states.size()));
  number("STATE_BYTES", manifest.stateBytes());
  int64_t offset = 0;
  for (size_t i = 0; i < manifest.states.size(); ++i) {
    std::string prefix = "STATE_" + std::to_string(i);
    number(prefix + "_OFFSET", offset);
    number(prefix + "_BYTES", manifest.states[i].bytes);
    offset += manifest.states[i].bytes;
  }
  out << "\n#endif /* LINNET_MODEL_H */\n";
  return out.str();
}

Status packageWeights(const AtomicDirectory &directory, Archive *archive,
                      bool bundle, Manifest &manifest) {
  std::set<std::string> names;
  for (WeightFile &file : manifest.weightFiles) {
    if (!file.path.empty())
      continue;
    // Changed weights.
    std::string path = directory.file(kOverlayFile);
    if (Status status = archive->saveOverlay(path); !status)
      return status;
    Result<WeightFile> written = describeWeightFile(path);
    if (!written)
      return written.error();
    file = *written;
    file.path = kOverlayFile;
    names.insert(kOverlayFile);
  }
  // A changed weight that no code reads would be lost without a word.
  if (archive && archive->hasUnsavedOverlay())
    if (Status status = archive->saveOverlay(directory.file(kOverlayFile));
        !status)
      return status;
  if (!bundle)
    return {};
  for (WeightFile &file : manifest.weightFiles) {
    if (fs::path(file.path).is_relative())
      continue;
    std::string name = fs::path(file.path).filename().string();
    while (!names.insert(name).second)
      name = "checkpoint-" + name;
    if (Status status = copyFile(file.path, directory.file(name)); !status)
      return status;
    file.path = name;
  }
  return {};
}

Status packageTokenizer(const AtomicDirectory &directory,
                        const std::string &archivePath) {
  if (archivePath.empty())
    return {};
  std::error_code ignored;
  fs::path from = archivePath;
  if (!fs::is_directory(from, ignored))
    from = from.parent_path();
  for (const char *name : {"config.json", "generation_config.json",
                           "tokenizer.json", "tokenizer_config.json"}) {
    fs::path file = from / name;
    if (!fs::is_regular_file(file, ignored))
      continue;
    if (Status status = copyFile(file.string(), directory.file(name)); !status)
      return status;
  }
  return {};
}

} // namespace linnet
