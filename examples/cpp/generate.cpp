//===- generate.cpp - continue a prompt of token ids ----------------------===//
//
// Usage: generate COMPILED_DIRECTORY COUNT TOKEN...
//
// The same as the C example, with handles that release themselves, the sampler
// and two continuations of one prompt: the state after the prompt is cloned,
// so that the prompt is read once.
//
//===----------------------------------------------------------------------===//

#include "linnet/Runtime/Sampler.h"
#include "linnet/Runtime/linnet.h"

#include <charconv>
#include <cstdint>
#include <iostream>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

struct Release {
  void operator()(linnet_model *model) const { linnet_model_close(model); }
  void operator()(linnet_session *session) const {
    linnet_session_destroy(session);
  }
};
using Model = std::unique_ptr<linnet_model, Release>;
using Session = std::unique_ptr<linnet_session, Release>;

void check(linnet_status status) {
  if (status != LINNET_OK)
    throw std::runtime_error(linnet_last_error());
}

Model openModel(const char *directory) {
  linnet_model *model = nullptr;
  check(linnet_model_open(directory, nullptr, &model));
  return Model(model);
}

Session createSession(const Model &model) {
  linnet_session *session = nullptr;
  check(linnet_session_create(model.get(), &session));
  return Session(session);
}

Session clone(const Session &session) {
  linnet_session *copy = nullptr;
  check(linnet_session_clone(session.get(), &copy));
  return Session(copy);
}

int32_t parse(std::string_view text, int32_t least) {
  int32_t value = 0;
  auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < least)
    throw std::runtime_error("expected an integer of at least " +
                             std::to_string(least) + ", but got '" +
                             std::string(text) + "'");
  return value;
}

/// Prints `count` tokens chosen by `sampler` on one line, the first of them
/// from `logits`.
void generate(const Session &session, linnet::Sampler sampler,
              std::vector<float> logits, int32_t count) {
  for (int32_t i = 0; i < count; ++i) {
    int32_t token = sampler.sample(logits.data(), int64_t(logits.size()));
    if (token < 0)
      throw std::runtime_error(
          "expected logits, but got none that is a number");
    std::cout << (i ? " " : "") << token << std::flush;
    if (i + 1 < count)
      check(linnet_decode(session.get(), &token, logits.data()));
  }
  std::cout << '\n';
}

void run(const char *directory, int32_t count, std::span<char *> tokens) {
  std::vector<int32_t> prompt;
  for (const char *token : tokens)
    prompt.push_back(parse(token, 0));
  Model model = openModel(directory);
  if (linnet_model_batch(model.get()) != 1)
    throw std::runtime_error("expected a model compiled for one sequence");

  Session session = createSession(model);
  std::vector<float> logits(size_t(linnet_model_output_width(model.get())));
  check(linnet_prefill(session.get(), prompt.data(), int64_t(prompt.size()),
                       logits.data(), LINNET_ROWS_LAST));
  Session second = clone(session);
  generate(session, linnet::Sampler(), logits, count);
  generate(second,
           linnet::Sampler({.temperature = 0.8, .topP = 0.9, .seed = 1}),
           logits, count);
}

} // namespace

int main(int argc, char **argv) {
  if (argc < 4) {
    std::cerr << "usage: " << argv[0] << " COMPILED_DIRECTORY COUNT TOKEN...\n";
    return 1;
  }
  try {
    run(argv[1], parse(argv[2], 1), std::span(argv + 3, argv + argc));
    return 0;
  } catch (const std::exception &error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
