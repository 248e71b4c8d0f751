//===- Engine.h - compiled and reference alike ----------------*- C++ -*-===//
//
// `run` and `perplexity` ask the same of a compiled model and of the f64
// evaluator; this is what they ask.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_LIB_RUNTOOL_ENGINE_H
#define LINNET_LIB_RUNTOOL_ENGINE_H

#include "CompiledModel.h"
#include "linnet/RunTool/Tokens.h"

#include "linnet/Reference/HostTensor.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace linnet::runtool {

struct ModelFacts {
  bool encoder = false;
  int64_t vocabSize = 0;
  /// 0: not limited.
  int64_t maxContext = 0;
  /// Where the tokenizer may be.
  std::vector<std::string> tokenizerPlaces;
};

/// The inputs an encoder takes besides tokens; of the tokens' shape.
struct EncoderInputs {
  std::optional<Tokens> tokenTypes;
  std::optional<Tokens> attentionMask;
};

class Engine {
public:
  virtual ~Engine() = default;

  const ModelFacts &facts() const { return description; }

  /// Logits [B, T, V] of whole texts, each from its first token on. With
  /// `prefill`, that many tokens go in at once and the others one by one.
  /// Errors: tokens outside the vocabulary, too many of them, an encoder.
  Result<HostTensor> causal(const Tokens &tokens,
                            std::optional<int64_t> prefill = std::nullopt);
  /// Hidden states [B, T, D]. Errors as above, inputs of another shape.
  Result<HostTensor> encode(const Tokens &tokens, const EncoderInputs &more);

  /// Texts worth giving to one call of causal().
  virtual int64_t preferredRows() const = 0;

protected:
  virtual Result<HostTensor> runCausal(const Tokens &tokens,
                                       std::optional<int64_t> prefill) = 0;
  virtual Result<HostTensor> runEncoder(const Tokens &tokens,
                                        const EncoderInputs &more) = 0;

  ModelFacts description;

private:
  Status check(const Tokens &tokens) const;
};

/// See openModel().
Result<std::unique_ptr<Engine>>
openCompiledEngine(const std::string &path, int threads, Verdict &verdict);

/// The evaluator on the model `path`: a checkpoint, an MLIR file, or a compiled
/// directory, which stands for what it was compiled from.
Result<std::unique_ptr<Engine>> openReferenceEngine(const std::string &path,
                                                    int threads);

} // namespace linnet::runtool

#endif // LINNET_LIB_RUNTOOL_ENGINE_H
