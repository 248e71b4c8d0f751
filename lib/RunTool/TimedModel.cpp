//===- TimedModel.cpp - a model against the clock -------------------------===//

#include "linnet/RunTool/TimedModel.h"

#include "linnet/Runtime/Sampler.h"

#include <algorithm>
#include <chrono>

namespace linnet::runtool {

TimedModel::TimedModel(linnet_model *model)
    : model(model), batch(linnet_model_batch(model)),
      width(linnet_model_output_width(model)) {}

std::vector<int32_t> TimedModel::someTokens(int64_t count) const {
  auto vocabularySize = uint32_t(linnet_model_vocab_size(model));
  std::vector<int32_t> tokens;
  uint32_t state = 1;
  for (int64_t i = 0; i < batch * count; ++i) {
    state = state * 1664525u + 1013904223u;
    tokens.push_back(int32_t((state >> 8) % vocabularySize));
  }
  return tokens;
}

linnet_status TimedModel::timed(double &seconds,
                                const std::function<linnet_status()> &work) {
  auto start = std::chrono::steady_clock::now();
  linnet_status status = work();
  std::chrono::duration<double> spent =
      std::chrono::steady_clock::now() - start;
  seconds = spent.count();
  return status;
}

linnet_status TimedModel::prefill(const std::vector<int32_t> &tokens,
                                  double &seconds) {
  int64_t count = int64_t(tokens.size()) / batch;
  outputs.resize(size_t(batch * (isEncoder() ? count : 1) * width));
  if (isEncoder())
    return timed(seconds, [&] {
      return linnet_encode(model, tokens.data(), nullptr, nullptr, count,
                           outputs.data());
    });
  linnet_status status = LINNET_OK;
  if (session) {
    status = linnet_session_reset(session.get());
  } else {
    linnet_session *created = nullptr;
    status = linnet_session_create(model, &created);
    session.reset(created);
  }
  if (status != LINNET_OK)
    return status;
  return timed(seconds, [&] {
    return linnet_prefill(session.get(), tokens.data(), count, outputs.data(),
                          LINNET_ROWS_LAST);
  });
}

linnet_status TimedModel::decode(const std::vector<int32_t> &prompt,
                                 int64_t count, double &seconds) {
  double ignored = 0;
  if (linnet_status status = prefill(prompt, ignored); status != LINNET_OK)
    return status;
  std::vector<int32_t> next(static_cast<size_t>(batch));
  return timed(seconds, [&] {
    linnet_status status = LINNET_OK;
    for (int64_t i = 0; i < count && status == LINNET_OK; ++i) {
      for (int64_t b = 0; b < batch; ++b)
        next[b] = std::max(0, argmax(outputs.data() + b * width, width));
      status = linnet_decode(session.get(), next.data(), outputs.data());
    }
    return status;
  });
}

double medianOf(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  size_t half = values.size() / 2;
  return values.size() % 2 ? values[half]
                           : (values[half - 1] + values[half]) / 2;
}

} // namespace linnet::runtool
