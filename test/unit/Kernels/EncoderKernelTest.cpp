//===- EncoderKernelTest.cpp - compiled encoders against the evaluator ----===//

#include "CompiledCheckpoint.h"

#include "linnet/Driver/Input.h"
#include "linnet/Reference/Evaluator.h"

#include "mlir/IR/MLIRContext.h"

#include <algorithm>
#include <cmath>

namespace linnet::test {
namespace {

/// Whole sequences of all lengths, with padding anywhere.
TEST(EncoderKernel, RandomLengthsAndMasks) {
  auto context = makeContext();
  std::string detected;
  auto module = loadModel(*context, checkpoint("bert"), std::nullopt, detected);
  auto archive = Archive::open(checkpoint("bert"));
  ASSERT_TRUE(module && archive);
  auto evaluator = Evaluator::create(**module, &*archive);
  ASSERT_TRUE(bool(evaluator));
  Program random(3);
  for (int64_t batch : {1, 3}) {
    Model model = open(compile("bert", 256, batch), 2);
    ASSERT_TRUE(model);
    int64_t width = linnet_model_output_width(model.get());
    int64_t most = linnet_model_max_context(model.get());
    std::vector<int64_t> lengths = {1, 2, 17, 33, most};
    for (int64_t length : lengths) {
      HostTensor tokens = HostTensor::filled({batch, length}), types = tokens,
                 mask = tokens;
      std::vector<int32_t> ids, kinds, seen;
      for (size_t i = 0; i < tokens.values.size(); ++i) {
        ids.push_back(int32_t(random.integer(0, 95)));
        kinds.push_back(int32_t(random.integer(0, 1)));
        seen.push_back(int32_t(random.chance(0.8)));
        tokens.values[i] = ids.back();
        types.values[i] = kinds.back();
        mask.values[i] = seen.back();
      }
      auto expected = evaluator->run(
          "forward", {tokens, HostTensor::scalar(0), types, mask});
      ASSERT_TRUE(bool(expected)) << expected.error().str();
      std::vector<float> out(size_t(batch * length * width), NAN);
      ASSERT_EQ(linnet_encode(model.get(), ids.data(), kinds.data(),
                              seen.data(), length, out.data()),
                LINNET_OK)
          << linnet_last_error();
      HostTensor actual = HostTensor::filled({batch, length, width});
      std::copy(out.begin(), out.end(), actual.values.begin());
      EXPECT_EQ(difference(actual, (*expected)[0], 1e-5, false), "")
          << "batch " << batch << ", length " << length;
    }
  }
}

} // namespace
} // namespace linnet::test
