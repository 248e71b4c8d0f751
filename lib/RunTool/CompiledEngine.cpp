//===- CompiledEngine.cpp - token models through the C interface ----------===//

#include "Engine.h"

#include "linnet/Support/Quote.h"

#include <algorithm>

namespace linnet::runtool {

Status Engine::check(const Tokens &tokens) const {
  if (Status status = checkTokens(tokens, description.vocabSize, "a token");
      !status)
    return status;
  if (description.maxContext > 0 && tokens.length > description.maxContext)
    return makeError(tokens.name, ": expected at most ", description.maxContext,
                     " tokens, the model's context, but got ", tokens.length);
  return {};
}

Result<HostTensor> Engine::causal(const Tokens &tokens,
                                  std::optional<int64_t> prefill) {
  if (description.encoder)
    return makeError("expected a causal-lm, but got an encoder");
  if (Status status = check(tokens); !status)
    return status.error();
  if (prefill && (*prefill < 0 || *prefill > tokens.length))
    return makeError("--prefill: expected 0 to ", tokens.length,
                     ", the number of tokens, but got ", *prefill);
  return runCausal(tokens, prefill);
}

Result<HostTensor> Engine::encode(const Tokens &tokens,
                                  const EncoderInputs &more) {
  if (!description.encoder)
    return makeError("expected an encoder, but got a causal-lm");
  if (Status status = check(tokens); !status)
    return status.error();
  for (const std::optional<Tokens> *extra :
       {&more.tokenTypes, &more.attentionMask})
    if (*extra &&
        ((*extra)->rows != tokens.rows || (*extra)->length != tokens.length))
      return makeError((*extra)->name, ": expected shape [", tokens.rows, ", ",
                       tokens.length, "], as the tokens have, but got [",
                       (*extra)->rows, ", ", (*extra)->length, "]");
  return runEncoder(tokens, more);
}

namespace {

/// The code is compiled for a fixed number of rows. A text is a row; where
/// they do not come out even, the last text is computed again to fill up.
class CompiledEngine : public Engine {
public:
  CompiledEngine(CompiledModel opened, Verdict &verdict)
      : model(std::move(opened)), verdict(verdict) {
    description.encoder = model.isEncoder();
    description.vocabSize = model.manifest.vocabSize;
    description.maxContext = model.manifest.maxContext;
    description.tokenizerPlaces = model.tokenizerPlaces();
    batch = linnet_model_batch(model.handle.get());
    width = linnet_model_output_width(model.handle.get());
  }

  int64_t preferredRows() const override { return batch; }

protected:
  Result<HostTensor> runCausal(const Tokens &tokens,
                               std::optional<int64_t> prefill) override {
    Result<SessionHandle> session = model.createSession(verdict);
    if (!session)
      return session.error();
    return inGroups(tokens, [&](int64_t first, float *out) {
      if (Status status =
              toStatus(linnet_session_reset(session->get()), verdict);
          !status)
        return status;
      return feed(session->get(), tokens, first,
                  prefill.value_or(tokens.length), out);
    });
  }

  Result<HostTensor> runEncoder(const Tokens &tokens,
                                const EncoderInputs &more) override {
    return inGroups(tokens, [&](int64_t first, float *out) {
      std::vector<int32_t> ids = slice(tokens, first, 0, tokens.length);
      std::vector<int32_t> types, mask;
      if (more.tokenTypes)
        types = slice(*more.tokenTypes, first, 0, tokens.length);
      if (more.attentionMask)
        mask = slice(*more.attentionMask, first, 0, tokens.length);
      return toStatus(linnet_encode(model.handle.get(), ids.data(),
                                    types.empty() ? nullptr : types.data(),
                                    mask.empty() ? nullptr : mask.data(),
                                    tokens.length, out),
                      verdict);
    });
  }

private:
  /// Columns [begin, end) of the `batch` rows from `first` on.
  std::vector<int32_t> slice(const Tokens &tokens, int64_t first, int64_t begin,
                             int64_t end) const {
    std::vector<int32_t> ids;
    for (int64_t b = 0; b < batch; ++b) {
      int64_t row = std::min(first + b, tokens.rows - 1);
      auto start = tokens.ids.begin() + row * tokens.length;
      ids.insert(ids.end(), start + begin, start + end);
    }
    return ids;
  }

  Status feed(linnet_session *session, const Tokens &tokens, int64_t first,
              int64_t prefill, float *out) {
    if (prefill == tokens.length) {
      std::vector<int32_t> ids = slice(tokens, first, 0, prefill);
      return toStatus(
          linnet_prefill(session, ids.data(), prefill, out, LINNET_ROWS_ALL),
          verdict);
    }
    // Steps give [batch][tokens of the step][width]: put each where it goes.
    auto place = [&](const std::vector<float> &rows, int64_t begin,
                     int64_t count) {
      for (int64_t b = 0; b < batch; ++b)
        std::copy_n(rows.begin() + b * count * width, count * width,
                    out + (b * tokens.length + begin) * width);
    };
    if (prefill > 0) {
      std::vector<int32_t> ids = slice(tokens, first, 0, prefill);
      std::vector<float> rows(batch * prefill * width);
      if (Status status = toStatus(linnet_prefill(session, ids.data(), prefill,
                                                  rows.data(), LINNET_ROWS_ALL),
                                   verdict);
          !status)
        return status;
      place(rows, 0, prefill);
    }
    std::vector<float> row(batch * width);
    for (int64_t t = prefill; t < tokens.length; ++t) {
      std::vector<int32_t> ids = slice(tokens, first, t, t + 1);
      if (Status status =
              toStatus(linnet_decode(session, ids.data(), row.data()), verdict);
          !status)
        return status;
      place(row, t, 1);
    }
    return {};
  }

  /// Calls `run(first row, [batch][T][width])` for each `batch` rows.
  template <typename Run>
  Result<HostTensor> inGroups(const Tokens &tokens, Run run) {
    HostTensor result;
    result.shape = {tokens.rows, tokens.length, width};
    result.values.reserve(tokens.rows * tokens.length * width);
    std::vector<float> out(batch * tokens.length * width);
    for (int64_t first = 0; first < tokens.rows; first += batch) {
      if (Status status = run(first, out.data()); !status)
        return status.error();
      int64_t rows = std::min(batch, tokens.rows - first);
      result.values.insert(result.values.end(), out.begin(),
                           out.begin() + rows * tokens.length * width);
    }
    return result;
  }

  CompiledModel model;
  Verdict &verdict;
  int64_t batch = 1;
  int64_t width = 0;
};

} // namespace

Result<std::unique_ptr<Engine>>
openCompiledEngine(const std::string &path, int threads, Verdict &verdict) {
  Result<CompiledModel> model = openModel(path, threads, verdict);
  if (!model)
    return model.error();
  if (model->manifest.kind == Manifest::ModelKind::Function)
    return makeError(quoteName(path),
                     ": expected a model of tokens, but got a function");
  return std::unique_ptr<Engine>(new CompiledEngine(model.take(), verdict));
}

} // namespace linnet::runtool
