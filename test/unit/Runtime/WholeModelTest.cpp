//===- WholeModelTest.cpp - encoders and functions ------------------------===//

#include "FakeModel.h"

#include <cfloat>
#include <cmath>

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

using namespace linnet;
using namespace linnet::test;

namespace {

Manifest fakeEncoder(int64_t batch) {
  Manifest manifest = fakeLanguageModel(batch);
  manifest.kind = Manifest::ModelKind::Encoder;
  manifest.maxContext = 10;
  manifest.states.clear();
  manifest.phases = {{"encode", "fake_encode", 32, 0, 0}};
  manifest.inputs = {{"tokens", DataType::I32, {batch, -1}},
                     {"attention_mask", DataType::I32, {batch, -1}},
                     {"token_types", DataType::I32, {batch, -1}}};
  return manifest;
}

TEST(WholeModelTest, EncodersTakeWholeSequences) {
  CompiledDirectory directory(fakeEncoder(3), "FakeBatch");
  ModelHandle model = openModel(directory);
  EXPECT_EQ(linnet_model_kind(model.get()), LINNET_KIND_ENCODER);
  EXPECT_EQ(linnet_model_block_size(model.get()), 32);
  std::vector<int32_t> tokens = {1, 2, 3, 4, 5, 6}, types = {0, 1, 2, 3, 4, 5},
                       mask = {1, 0, 1, 1, 0, 0};
  std::vector<float> out(6 * kFakeWidth);
  ASSERT_EQ(linnet_encode(model.get(), tokens.data(), types.data(), mask.data(),
                          2, out.data()),
            LINNET_OK)
      << linnet_last_error();
  for (int i = 0; i < 6; ++i)
    EXPECT_EQ(out[i * kFakeWidth + 7],
              float(tokens[i] * 100 + types[i] * 10 + mask[i]));
  // Left out, the types are 0 and the mask is 1.
  ASSERT_EQ(linnet_encode(model.get(), tokens.data(), nullptr, nullptr, 2,
                          out.data()),
            LINNET_OK);
  for (int i = 0; i < 6; ++i)
    EXPECT_EQ(out[i * kFakeWidth], float(tokens[i] * 100 + 1));
}

TEST(WholeModelTest, EncodersCheckTheirInputs) {
  Manifest manifest = fakeEncoder(1);
  CompiledDirectory directory(manifest);
  ModelHandle model = openModel(directory);
  std::vector<int32_t> tokens(40, 1);
  std::vector<float> out(40 * kFakeWidth);
  auto encode = [&](const int32_t *from, int64_t n, float *to) {
    return linnet_encode(model.get(), from, nullptr, nullptr, n, to);
  };
  EXPECT_TRUE(refuses(encode(nullptr, 2, out.data()), LINNET_ERROR_ARGUMENT,
                      "expected tokens"));
  EXPECT_TRUE(refuses(encode(tokens.data(), 2, nullptr), LINNET_ERROR_ARGUMENT,
                      "expected room for outputs"));
  EXPECT_TRUE(refuses(encode(tokens.data(), 0, out.data()),
                      LINNET_ERROR_ARGUMENT, "expected at least 1 token"));
  EXPECT_TRUE(refuses(encode(tokens.data(), 11, out.data()),
                      LINNET_ERROR_CONTEXT, "expected at most 10 tokens"));
  tokens[1] = 99;
  EXPECT_TRUE(refuses(encode(tokens.data(), 2, out.data()), LINNET_ERROR_TOKEN,
                      "token 1 of sequence 0"));
  EXPECT_TRUE(refuses(
      linnet_encode(nullptr, tokens.data(), nullptr, nullptr, 1, out.data()),
      LINNET_ERROR_ARGUMENT, "expected a model"));

  CompiledDirectory language(fakeLanguageModel());
  ModelHandle other = openModel(language);
  EXPECT_TRUE(refuses(linnet_encode(other.get(), tokens.data(), nullptr,
                                    nullptr, 1, out.data()),
                      LINNET_ERROR_UNSUPPORTED,
                      "expected a model of kind encoder, but got causal-lm"));

  manifest.inputs.pop_back();
  CompiledDirectory plain(manifest);
  ModelHandle without = openModel(plain);
  EXPECT_TRUE(refuses(linnet_encode(without.get(), tokens.data(), tokens.data(),
                                    nullptr, 1, out.data()),
                      LINNET_ERROR_ARGUMENT, "expected no token types"));
}

TEST(WholeModelTest, FunctionsCheckTheirArguments) {
  CompiledDirectory directory(fakeFunction("fake_denormal",
                                           {{"x", DataType::F32, {1}}},
                                           {{"y", DataType::F32, {2}}}));
  ModelHandle model = openModel(directory);
  EXPECT_EQ(linnet_model_kind(model.get()), LINNET_KIND_FUNCTION);
  EXPECT_EQ(linnet_model_output_width(model.get()), 0);
  float x = 0, y[2] = {1, 1};
  const void *inputs[] = {&x}, *noInputs[] = {nullptr};
  void *outputs[] = {y}, *noOutputs[] = {nullptr};
  EXPECT_TRUE(refuses(linnet_run_function(model.get(), inputs, 2, outputs, 1),
                      LINNET_ERROR_ARGUMENT,
                      "expected 1 inputs and 1 outputs, but got 2 and 1"));
  EXPECT_TRUE(refuses(linnet_run_function(model.get(), nullptr, 1, outputs, 1),
                      LINNET_ERROR_ARGUMENT, "expected lists of tensors"));
  EXPECT_TRUE(refuses(linnet_run_function(model.get(), noInputs, 1, outputs, 1),
                      LINNET_ERROR_ARGUMENT, "input 0: expected a tensor"));
  EXPECT_TRUE(refuses(linnet_run_function(model.get(), inputs, 1, noOutputs, 1),
                      LINNET_ERROR_ARGUMENT, "output 0: expected a tensor"));
  EXPECT_TRUE(refuses(linnet_run_function(nullptr, inputs, 1, outputs, 1),
                      LINNET_ERROR_ARGUMENT, "expected a model"));
  EXPECT_EQ(y[0], 1);
}

#if defined(__SSE2__)
// All threads flush denormals while a step runs; the host's setting returns.
TEST(WholeModelTest, DenormalsAreFlushedInsideOnly) {
  CompiledDirectory directory(
      fakeFunction("fake_denormal", {}, {{"y", DataType::F32, {2}}}));
  ModelHandle model = openModel(directory, 2);
  unsigned before = _mm_getcsr();
  float y[2] = {1, 1};
  void *outputs[] = {y};
  ASSERT_EQ(linnet_run_function(model.get(), nullptr, 0, outputs, 1),
            LINNET_OK);
  EXPECT_EQ(y[0], 0.0f);
  EXPECT_EQ(y[1], 0.0f);
  EXPECT_EQ(_mm_getcsr(), before);
  volatile float smallest = FLT_MIN;
  EXPECT_GT(smallest * 0.5f, 0.0f);
}
#endif

} // namespace
