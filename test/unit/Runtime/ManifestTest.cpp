//===- ManifestTest.cpp ---------------------------------------------------===//

#include "FakeModel.h"

#include "linnet/Checkpoint/SafetensorsWriter.h"

#include <cmath>
#include <limits>

using namespace linnet;
using namespace linnet::test;

namespace {

/// A manifest that uses everything there is.
Manifest fullManifest() {
  Manifest manifest = fakeLanguageModel(2);
  manifest.bos = 1;
  manifest.eos = {2, 3};
  manifest.changes = {"layer 3: attention to gated delta, error 0.1%"};
  manifest.weightFiles = {{"weights.safetensors", 1000, "0123456789abcdef"},
                          {"/data/model.safetensors", 5, "ff"}};
  WeightSlot raw{"embed", 0, DataType::BF16, {16, 4}, {}, WeightLayout::raw()};
  WeightSlot f32{"norm", 1, DataType::F16, {4}, {}, WeightLayout::f32()};
  WeightSlot panel{"q",           0,
                   DataType::F64, {3, 7, 4},
                   DataType::F32, WeightLayout::panel(16, true)};
  WeightSlot rotary{
      "",         -1, DataType::F32,
      {64, 2, 3}, {}, WeightLayout::rotary({1.0f, 0.1f, 0.01f}, 64, 1.1f)};
  WeightSlot heads{"kv",    0,  DataType::BF16,
                   {12, 4}, {}, WeightLayout::panel(16)};
  heads.layout.rowBlocks = {3, 1, 2};
  WeightSlot words{"codes", 0,  DataType::I8,
                   {33, 8}, {}, WeightLayout::panel(16)};
  words.layout.together = 4;
  WeightSlot basis{"",   -1, DataType::F32, {5, 9}, {}, WeightLayout::panel(16),
                   12345};
  manifest.slots = {raw, f32, panel, rotary, heads, basis, words};
  return manifest;
}

TEST(ManifestTest, RoundTrip) {
  TemporaryDirectory directory;
  Manifest manifest = fullManifest();
  ASSERT_TRUE(succeeds(writeManifest(directory.str(), manifest)));
  auto read = readManifest(directory.str());
  ASSERT_TRUE(succeeds(read));
  // Everything the struct holds is in its JSON form.
  EXPECT_EQ(formatJson(read->toJson()), formatJson(manifest.toJson()));
  EXPECT_EQ(read->slots[3].layout, manifest.slots[3].layout);
  EXPECT_EQ(read->slots[4].layout, manifest.slots[4].layout);
  EXPECT_EQ(read->slots[6].layout, manifest.slots[6].layout);
  EXPECT_EQ(read->slots[5].seed, 12345);
  EXPECT_EQ(read->slots[4].seed, std::nullopt);
  EXPECT_EQ(read->slots[2].packedType, DataType::F32);
  EXPECT_EQ(read->slots[1].packedType, std::nullopt);
  EXPECT_EQ(read->bos, 1);
  EXPECT_EQ(read->stateBytes(), 2 * 8 + 2 * 64 * 4);
  EXPECT_EQ(read->findPhase("decode")->symbol, "fake_decode");
  EXPECT_EQ(read->findPhase("encode"), nullptr);

  manifest.bos.reset();
  ASSERT_TRUE(succeeds(writeManifest(directory.str(), manifest)));
  EXPECT_EQ(readManifest(directory.str())->bos, std::nullopt);
}

TEST(ManifestTest, FrequenciesAreExact) {
  Manifest manifest = fullManifest();
  std::vector<float> frequencies;
  for (int i = 0; i < 64; ++i)
    frequencies.push_back(std::pow(500000.0f, -float(i) / 64.0f));
  manifest.slots[3].layout.inverseFrequencies = frequencies;
  manifest.slots[3].shape = {64, 2, 64};
  auto json = parseJson(formatJson(manifest.toJson()), "text");
  auto read = Manifest::fromJson(*json, "text");
  ASSERT_TRUE(succeeds(read));
  EXPECT_EQ(read->slots[3].layout.inverseFrequencies, frequencies);
}

TEST(ManifestTest, MemoryOfSlots) {
  Manifest manifest = fullManifest();
  EXPECT_EQ(manifest.slots[0].memoryBytes(), 16 * 4 * 2);
  EXPECT_EQ(manifest.slots[1].memoryBytes(), 4 * 4);
  // Three matrices [7][4] stored transposed: N = 4 padded to a panel of 16.
  EXPECT_EQ(manifest.slots[2].memoryBytes(), 3 * 7 * 16 * 4);
  EXPECT_EQ(manifest.slots[3].memoryBytes(), 64 * 6 * 4);
  // Two of each three rows of four: N = 2.
  EXPECT_EQ(manifest.slots[4].memoryBytes(), 3 * 4 * 16 * 2);
  EXPECT_EQ(manifest.slots[6].memoryBytes(), 48 * 8);
  WeightSlot slot{"w",      0,  DataType::BF16,
                  {33, 10}, {}, WeightLayout::panel(16)};
  EXPECT_EQ(slot.memoryType(), DataType::BF16);
  EXPECT_EQ(slot.memoryBytes(), 48 * 10 * 2);
  slot.dtype = DataType::I8;
  EXPECT_EQ(slot.memoryType(), DataType::I8);
  EXPECT_EQ(slot.memoryBytes(), 48 * 10);
  slot.dtype = DataType::I16;
  EXPECT_EQ(slot.memoryType(), DataType::F32);
  slot.shape = {0, 10};
  EXPECT_EQ(slot.memoryBytes(), 0);
}

TEST(ManifestTest, WeightFilesAreDescribed) {
  TemporaryDirectory directory;
  std::string path = directory.file("w.safetensors");
  auto writer = SafetensorsWriter::create(path, {{"x", DataType::F32, {2}}});
  ASSERT_TRUE(succeeds(writer));
  float values[2] = {1, 2};
  ASSERT_TRUE(succeeds(writer->append("x", values, 8)));
  ASSERT_TRUE(succeeds(writer->commit()));
  auto described = describeWeightFile(path);
  ASSERT_TRUE(succeeds(described));
  EXPECT_EQ(described->path, path);
  EXPECT_EQ(size_t(described->bytes), slurp(path).size());
  EXPECT_EQ(described->hash.size(), 16u);
  EXPECT_TRUE(failsWith(describeWeightFile(path + "x"), path + "x"));
}

struct Mutation {
  const char *pointer;
  /// JSON text; null removes the member.
  const char *value;
  const char *message;
};

TEST(ManifestTest, EveryMemberIsChecked) {
  const Mutation mutations[] = {
      {"/linnet", nullptr, "m: linnet: expected a string, but got nothing"},
      {"/abi", "2", "abi: expected 1 (compile the model with this release)"},
      {"/abi", "\"1\"", "abi: expected an integer, but got \"1\""},
      {"/id", "\"\"", "id: expected 1 to 128 characters, but got ''"},
      {"/library", "\"../x.so\"", "expected a file name, but got '../x.so'"},
      {"/library", "7", "library: expected a string, but got 7"},
      {"/surprise", "1", "m: surprise: expected no such key, but got 1"},
      {"/target", "[]", "m: target: expected an object, but got"},
      {"/target/triple", "\"\"", "target.triple: expected a target triple"},
      {"/target/cpu", nullptr, "target.cpu: expected a string"},
      {"/target/features", "\"avx\"", "target.features: expected a list"},
      {"/target/features/0", "1", "target.features[0]: expected a string"},
      {"/target/tune", "\"x\"", "target.tune: expected no such key"},
      {"/model/kind", "\"gan\"",
       "model.kind: expected one of causal-lm, encoder, function, but got "
       "\"gan\""},
      {"/model/vocab_size", "0", "model.vocab_size: expected 1 to 2147483647"},
      {"/model/vocab_size", "1.5", "model.vocab_size: expected an integer"},
      {"/model/vocab_size", "18446744073709551615", "expected an integer"},
      {"/model/hidden_size", "-1", "model.hidden_size: expected 1 to"},
      {"/model/max_context", "-1", "model.max_context: expected 0 to"},
      {"/model/batch", "0", "model.batch: expected 1 to 1048576, but got 0"},
      {"/model/batch", "3", "inputs[0].shape: expected [3, -1], but got"},
      {"/model/eos", "2", "model.eos: expected a list, but got 2"},
      {"/model/bos", "\"a\"", "model.bos: expected an integer"},
      {"/weights/files", nullptr, "weights.files: expected a list"},
      {"/weights/files/0/path", "\"\"", "weights.files[0].path: expected"},
      {"/weights/files/0/bytes", "\"9\"", "weights.files[0].bytes: expected"},
      {"/weights/slots/0/dtype", "\"F31\"",
       "weights.slots[0].dtype: expected one of F64"},
      {"/weights/slots/0/shape", "[-1, 4]", "weights.slots[0].shape: expected"},
      {"/weights/slots/0/shape", "[4611686018427387904, 4]",
       "expected a shape that fits into memory"},
      {"/weights/slots/0/file", "2",
       "weights.slots[0].file: expected an index below 2, but got 2"},
      {"/weights/slots/0/file", "-1", "expected an index below 2, but got -1"},
      {"/weights/slots/0/key", "\"\"", "weights.slots[0].key: expected"},
      {"/weights/slots/0/packed_dtype", "\"BF16\"",
       "expected none but for panels"},
      {"/weights/slots/1/layout/kind", "\"tiled\"",
       "weights.slots[1].layout.kind: expected one of raw, f32, panel, rotary"},
      {"/weights/slots/1/layout/width", "4",
       "weights.slots[1].layout.width: expected no such key"},
      {"/weights/slots/2/layout/width", "0",
       "weights.slots[2].layout.width: expected 1 to 4096, but got 0"},
      {"/weights/slots/2/layout/transposed", "1", "expected true or false"},
      {"/weights/slots/2/shape", "[4]", "expected at least 2 dimensions"},
      {"/weights/slots/4/shape", "[4]", "expected at least 2 dimensions"},
      {"/weights/slots/4/layout/row_blocks", "7",
       "layout.row_blocks: expected an object, but got 7"},
      {"/weights/slots/4/layout/row_blocks/count", "5",
       "layout.row_blocks.count: expected a divisor of 12, but got 5"},
      {"/weights/slots/4/layout/row_blocks/count", "0",
       "layout.row_blocks.count: expected a divisor of 12, but got 0"},
      {"/weights/slots/4/layout/row_blocks/begin", "-1",
       "layout.row_blocks.begin: expected 0 to 4, but got -1"},
      {"/weights/slots/4/layout/row_blocks/begin", "9223372036854775807",
       "layout.row_blocks.begin: expected 0 to 4"},
      {"/weights/slots/4/layout/row_blocks/rows", "4",
       "layout.row_blocks.rows: expected 1 to 3, but got 4"},
      {"/weights/slots/4/layout/row_blocks/rows", "0",
       "layout.row_blocks.rows: expected 1 to 3, but got 0"},
      {"/weights/slots/4/layout/row_blocks/step", "1",
       "layout.row_blocks.step: expected no such key"},
      {"/weights/slots/6/layout/together", "3",
       "layout.together: expected 1, or elements of 2 or 4 bytes in all, but "
       "got 3"},
      {"/weights/slots/6/layout/together", "0", "expected 1, or elements of"},
      {"/weights/slots/6/layout/together", "8", "expected 1, or elements of"},
      {"/weights/slots/6/layout/together", "4611686018427387904",
       "expected 1, or elements of"},
      {"/weights/slots/6/layout/transposed", "true",
       "layout.together: expected 1 for a matrix that is transposed or "
       "converted, but got 4"},
      {"/weights/slots/6/packed_dtype", "\"F32\"",
       "expected 1 for a matrix that is transposed or converted, but got 4"},
      {"/weights/slots/6/shape", "[33, 6]",
       "layout.together: expected a divisor of the columns of [33, 6], but "
       "got 4"},
      {"/weights/slots/2/packed_dtype", "\"BF16\"",
       "packed_dtype: expected F32, or the stored type"},
      {"/weights/slots/3/layout/inverse_frequencies", "[]",
       "expected at least one number, but got none"},
      {"/weights/slots/3/layout/inverse_frequencies/1", "\"x\"",
       "inverse_frequencies[1]: expected a finite number, but got \"x\""},
      {"/weights/slots/3/layout/scaling", "1e300", "expected a finite number"},
      {"/weights/slots/3/layout/rows", "63",
       "weights.slots[3].shape: expected [63, 2, 3], but got [64, 2, 3]"},
      {"/weights/slots/3/key", "\"x\"", "weights.slots[3].key: expected no"},
      {"/weights/slots/5/seed", "-1",
       "weights.slots[5].seed: expected 0 to 9223372036854775807, but got -1"},
      {"/weights/slots/5/seed", "\"x\"", "seed: expected an integer"},
      {"/weights/slots/5/file", "0", "weights.slots[5].file: expected no"},
      {"/weights/slots/5/shape", "[5, 9, 1]",
       "weights.slots[5].shape: expected a matrix for a slot with a seed"},
      {"/weights/slots/5/dtype", "\"BF16\"",
       "weights.slots[5].dtype: expected F32, but got BF16"},
      {"/weights/slots/5/layout/transposed", "true",
       "weights.slots[5].layout: expected f32 or a panel of rows for a slot "
       "with a seed"},
      {"/weights/slots/3/seed", "1",
       "weights.slots[3].layout: expected f32 or a panel of rows"},
      {"/states/0/bytes", "0", "states[0].bytes: expected 1 to"},
      {"/states/0/kind", "\"ring\"", "states[0].kind: expected one of fixed"},
      {"/states/0/shape", "[-1]", "states[0].shape: expected a static shape"},
      {"/phases", "{}", "phases: expected a phase 'prefill', but got none"},
      {"/phases/run",
       "{\"symbol\":\"s\",\"max_tokens\":1,\"workspace_bytes\":0,"
       "\"scratch_bytes\":0}",
       "phases.run: expected no such phase of a causal-lm"},
      {"/phases/prefill/symbol", "\"\"", "phases.prefill.symbol: expected"},
      {"/phases/prefill/max_tokens", "0",
       "phases.prefill.max_tokens: expected"},
      {"/phases/decode/max_tokens", "2",
       "phases.decode.max_tokens: expected 1"},
      {"/phases/prefill/workspace_bytes", "-8", "workspace_bytes: expected 0"},
      {"/phases/prefill/scratch_bytes", "9000000000000000000",
       "phases.prefill.scratch_bytes: expected 0 to"},
      {"/inputs", "[]", "inputs: expected an input 'tokens'"},
      {"/inputs/0/name", "\"ids\"", "inputs[0].name: expected tokens, once"},
      {"/inputs/0/dtype", "\"I64\"", "inputs[0].dtype: expected I32"},
      {"/outputs", "[]", "outputs: expected 1 output, but got 0"},
      {"/outputs/0/dtype", "\"BF16\"", "outputs[0].dtype: expected F32"},
      {"/outputs/0/shape", "[2, -1, 0]",
       "outputs[0].shape: expected [2, -1, w"},
      {"/outputs/0/shape", "[2, 5, 16]",
       "outputs[0].shape: expected [2, -1, w"},
  };
  for (const Mutation &mutation : mutations) {
    SCOPED_TRACE(mutation.pointer);
    Json json = fullManifest().toJson();
    Json::json_pointer pointer(mutation.pointer);
    if (mutation.value)
      json[pointer] = Json::parse(mutation.value);
    else
      json[pointer.parent_pointer()].erase(pointer.back());
    EXPECT_TRUE(failsWith(Manifest::fromJson(json, "m"), mutation.message));
  }
  EXPECT_TRUE(failsWith(Manifest::fromJson(Json::array(), "m"),
                        "m: expected an object, but got"));
}

// Whatever single value is replaced by whatever other, reading returns.
TEST(ManifestTest, NoReplacementCrashes) {
  Json flat = fullManifest().toJson().flatten();
  const Json replacements[] = {nullptr,
                               true,
                               -1,
                               0,
                               INT64_MAX,
                               INT64_MIN,
                               UINT64_MAX,
                               1e308,
                               std::numeric_limits<double>::quiet_NaN(),
                               "",
                               Json::array(),
                               Json::object(),
                               Json::array({1, 2}),
                               Json{{"kind", "panel"}}};
  int64_t accepted = 0;
  for (const auto &[pointer, value] : flat.items())
    for (const Json &replacement : replacements) {
      Json json = fullManifest().toJson();
      json[Json::json_pointer(pointer)] = replacement;
      accepted += bool(Manifest::fromJson(json, "m"));
    }
  EXPECT_GT(accepted, 0);
}

TEST(ManifestTest, NothingUnreadableIsWritten) {
  TemporaryDirectory directory;
  Manifest manifest = fullManifest();
  manifest.slots[0].file = 7;
  EXPECT_TRUE(failsWith(writeManifest(directory.str(), manifest),
                        "weights.slots[0].file: expected an index below 2"));
  EXPECT_TRUE(directory.list().empty());
}

TEST(ManifestTest, EncodersAndFunctionsHaveTheirOwnRules) {
  Manifest encoder = fakeLanguageModel();
  encoder.kind = Manifest::ModelKind::Encoder;
  EXPECT_TRUE(failsWith(encoder.check("m"), "expected a phase 'encode'"));
  encoder.phases = {{"encode", "s", 64, 0, 0}};
  EXPECT_TRUE(failsWith(encoder.check("m"), "states: expected none"));
  encoder.states.clear();
  EXPECT_TRUE(succeeds(encoder.check("m")));
  encoder.inputs.push_back(encoder.inputs[0]);
  EXPECT_TRUE(failsWith(encoder.check("m"), "each once, but got 'tokens'"));

  Manifest function = fakeFunction("f", {{"x", DataType::F64, {2, 3}}}, {});
  EXPECT_TRUE(succeeds(function.check("m")));
  function.inputs[0].shape = {2, -1};
  EXPECT_TRUE(
      failsWith(function.check("m"), "inputs[0].shape: expected a stat"));
}

} // namespace
