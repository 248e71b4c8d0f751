//===- ModelReader.h - reads tokenizer.json ---------------------*- C++ -*-===//

#ifndef LINNET_LIB_TOKENIZER_MODELREADER_H
#define LINNET_LIB_TOKENIZER_MODELREADER_H

#include "BytePairMerger.h"
#include "Model.h"

namespace linnet::tokenizer {

/// The two tokens of an entry of `merges`, ["a", "b"] or "a b"; empty ones if
/// it is neither.
std::pair<std::string, std::string> readMerge(const Json &merge);

/// Reads one file, a function per section. Whatever it does not know is
/// refused by name: a tokenizer that is nearly right gives a model nonsense to
/// read.
class ModelReader {
public:
  ModelReader(const Json &root, const std::string &what)
      : root(root), what(what) {}
  Result<Model> run();

private:
  /// `section` names an unsupported part: "model 'Unigram'".
  Error unsupported(const std::string &section, const std::string &kind,
                    const std::string &supported) const;
  /// The section's "type".
  Result<std::string> kindOf(const Json &object,
                             const std::string &section) const;
  /// Refuses a string option that would change the result.
  Status refuseText(const Json &object, std::string_view key) const;
  /// A token id: a 32-bit integer that is not negative.
  Result<int32_t> readId(const Json &value, std::string_view token) const;
  /// Remembers what an id stands for.
  void note(int32_t id, std::string_view token, bool special);
  /// Reads each element of the array `key`.
  Status forEach(const Json &object, const char *key,
                 Status (ModelReader::*read)(const Json &));

  // What the tokens are (ModelReader.cpp).
  Status readWordModel();
  Status readBytePairs(const Json &section);
  Status readMerges(const Json &section, BytePairMerger &merger);
  Status readWordPieces(const Json &section);
  Status readVocabulary(const Json &section, WordModel &words);
  Status readAddedTokens();
  Status readAddedToken(const Json &entry);

  // The steps between text and tokens (StepReader.cpp).
  Status readNormalizers();
  Status readNormalizer(const Json &normalizer);
  Status readBertNormalizer(const Json &section);
  Status readPreTokenizers();
  Status readPreTokenizer(const Json &section);
  Status addPattern(const std::string &text, bool literal, SplitStep step);
  Status readByteLevel(const Json &section);
  Status readSplit(const Json &section);
  Status readPostProcessors();
  Status readPostProcessor(const Json &section);
  Status readTemplate(const Json &section);
  Status readBertProcessing(const Json &section);
  Result<std::vector<int32_t>> readSpecialToken(const Json &section,
                                                const Json &part);
  void wrap(const std::vector<int32_t> &prefix,
            const std::vector<int32_t> &suffix);
  Status readDecoder();

  const Json &root;
  const std::string &what;
  Model model;
  /// The model is of word pieces, whose tokens are text; else tokens spell
  /// bytes.
  bool wordPieces = false;
  /// The pre-tokenizer's ByteLevel step, which must be the last, was seen.
  bool byteLevel = false;
};

} // namespace linnet::tokenizer

#endif // LINNET_LIB_TOKENIZER_MODELREADER_H
