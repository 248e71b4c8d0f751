//===- WeightsTest.cpp - weights as compiled code sees them ---------------===//

#include "FakeModel.h"

#include "linnet/Checkpoint/SafetensorsWriter.h"
#include "linnet/Runtime/Usage.h"
#include "linnet/Support/SeededBasis.h"

#include <cstring>
#include <random>

using namespace linnet;
using namespace linnet::test;

namespace {

struct StoredTensor {
  std::string name;
  DataType dtype;
  std::vector<int64_t> shape;
  std::vector<std::byte> bytes;

  double at(int64_t index) const {
    return loadAsDouble(bytes.data(), dtype, index);
  }
};

StoredTensor randomTensor(const std::string &name, DataType dtype,
                          std::vector<int64_t> shape) {
  std::mt19937 random(unsigned(name.size()) + 3);
  std::vector<float> values(*elementCount(shape));
  for (float &value : values)
    value = float(int(random() % 255) - 127);
  StoredTensor tensor{name, dtype, std::move(shape), {}};
  tensor.bytes.resize(values.size() * dataTypeSize(dtype));
  convertFromF32(values.data(), dtype, tensor.bytes.data(), values.size());
  return tensor;
}

void writeTensors(const std::string &path,
                  const std::vector<StoredTensor> &tensors) {
  std::vector<TensorSpec> specs;
  for (const StoredTensor &tensor : tensors)
    specs.push_back({tensor.name, tensor.dtype, tensor.shape});
  auto writer = SafetensorsWriter::create(path, specs);
  ASSERT_TRUE(succeeds(writer));
  for (const StoredTensor &tensor : tensors)
    ASSERT_TRUE(succeeds(
        writer->append(tensor.name, tensor.bytes.data(), tensor.bytes.size())));
  ASSERT_TRUE(succeeds(writer->commit()));
}

/// A function without arguments to speak of that holds `slots`, whose file 0 is
/// `path`.
Manifest withWeights(const std::string &path, std::vector<WeightSlot> slots,
                     const std::string &symbol = "fake_dump") {
  Manifest manifest = fakeFunction(
      symbol, {{"counts", DataType::I64, {int64_t(slots.size()) + 1}}}, {});
  for (const WeightSlot &slot : slots)
    manifest.outputs.push_back(
        {"w", DataType::U8, {std::max<int64_t>(1, slot.memoryBytes())}});
  manifest.slots = std::move(slots);
  auto file = describeWeightFile(path);
  EXPECT_TRUE(succeeds(file));
  if (file)
    manifest.weightFiles = {file.take()};
  return manifest;
}

WeightSlot slotOf(const StoredTensor &tensor, WeightLayout layout,
                  std::optional<DataType> packed = {}) {
  return {tensor.name,  0,      tensor.dtype,
          tensor.shape, packed, std::move(layout)};
}

/// Loads the manifest's weights with `threads` and returns each slot's memory.
std::vector<std::vector<std::byte>> dump(const Manifest &manifest,
                                         int32_t threads) {
  CompiledDirectory directory(manifest);
  ModelHandle model = openModel(directory, threads);
  if (!model)
    return {};
  std::vector<int64_t> counts;
  std::vector<std::vector<std::byte>> memory;
  std::vector<void *> outputs;
  for (const WeightSlot &slot : manifest.slots) {
    counts.push_back(slot.memoryBytes());
    memory.emplace_back(std::max<int64_t>(1, slot.memoryBytes()));
    outputs.push_back(memory.back().data());
  }
  counts.push_back(-1);
  const void *inputs[] = {counts.data()};
  EXPECT_EQ(linnet_run_function(model.get(), inputs, 1, outputs.data(),
                                int64_t(outputs.size())),
            LINNET_OK)
      << linnet_last_error();
  return memory;
}

TEST(WeightsTest, EveryLayout) {
  TemporaryDirectory files;
  std::string path = files.file("w.safetensors");
  StoredTensor matrix = randomTensor("matrix", DataType::BF16, {301, 517});
  StoredTensor bytes = randomTensor("bytes", DataType::I8, {70, 33});
  StoredTensor experts = randomTensor("experts", DataType::F32, {3, 20, 9});
  StoredTensor half = randomTensor("half", DataType::F16, {129});
  StoredTensor empty = randomTensor("empty", DataType::F32, {0, 4});
  writeTensors(path, {matrix, bytes, experts, half, empty});
  std::vector<WeightSlot> slots = {
      slotOf(matrix, WeightLayout::raw()),
      slotOf(matrix, WeightLayout::panel(16)),
      slotOf(matrix, WeightLayout::panel(24, true), DataType::F32),
      slotOf(bytes, WeightLayout::panel(8)),
      slotOf(experts, WeightLayout::panel(16)),
      slotOf(experts, WeightLayout::panel(4, true)),
      slotOf(half, WeightLayout::f32()),
      slotOf(empty, WeightLayout::panel(16)),
      {"",
       -1,
       DataType::F32,
       {5, 2, 2},
       {},
       WeightLayout::rotary({1.0f, 0.5f}, 5)},
  };
  for (int32_t threads : {1, 3}) {
    auto memory = dump(withWeights(path, slots), threads);
    ASSERT_EQ(memory.size(), slots.size());
    EXPECT_EQ(memory[0], matrix.bytes);
    auto check = [&](size_t slot, const StoredTensor &tensor, int64_t count,
                     int64_t n, int64_t k) {
      const WeightLayout &layout = slots[slot].layout;
      DataType type = slots[slot].memoryType();
      int64_t panels = (n + layout.width - 1) / layout.width, wrong = 0;
      for (int64_t m = 0; m < count; ++m)
        for (int64_t p = 0; p < panels; ++p)
          for (int64_t i = 0; i < k; ++i)
            for (int64_t j = 0; j < layout.width; ++j) {
              int64_t row = p * layout.width + j;
              int64_t source = layout.transposed ? i * n + row : row * k + i;
              double want = row < n ? tensor.at(m * n * k + source) : 0;
              int64_t place = ((m * panels + p) * k + i) * layout.width + j;
              wrong += loadAsDouble(memory[slot].data(), type, place) != want;
            }
      EXPECT_EQ(wrong, 0) << "slot " << slot;
    };
    check(1, matrix, 1, 301, 517);
    check(2, matrix, 1, 517, 301);
    check(3, bytes, 1, 70, 33);
    check(4, experts, 3, 20, 9);
    check(5, experts, 3, 9, 20);
    for (int64_t i = 0; i < 129; ++i)
      ASSERT_EQ(loadAsDouble(memory[6].data(), DataType::F32, i), half.at(i));
    EXPECT_EQ(loadAsDouble(memory[8].data(), DataType::F32, 4 * 4 + 3),
              std::sin(2.0f));
  }
}

/// Bases are computed, once for all slots that ask for the same.
TEST(WeightsTest, SeededBases) {
  TemporaryDirectory files;
  std::string path = files.file("w.safetensors");
  writeTensors(path, {randomTensor("w", DataType::F32, {2, 2})});
  std::vector<WeightSlot> slots;
  auto add = [&](int64_t seed, std::vector<int64_t> shape,
                 WeightLayout layout) {
    slots.push_back(
        {"", -1, DataType::F32, std::move(shape), {}, layout, seed});
  };
  add(3, {700, 517}, WeightLayout::panel(16));
  add(3, {700, 517}, WeightLayout::panel(16));
  // Neighbours differ in one number each, and must not be taken for one.
  add(4, {700, 517}, WeightLayout::panel(16));
  add(3, {517, 700}, WeightLayout::panel(16));
  add(3, {700, 517}, WeightLayout::panel(8));
  add(3, {700, 517}, WeightLayout::f32());
  for (int32_t threads : {1, 3}) {
    auto memory = dump(withWeights(path, slots), threads);
    ASSERT_EQ(memory.size(), slots.size());
    EXPECT_EQ(memory[0], memory[1]);
    for (size_t s = 0; s < slots.size(); ++s) {
      int64_t rows = slots[s].shape[0], columns = slots[s].shape[1],
              width = std::max<int64_t>(1, slots[s].layout.width), wrong = 0;
      std::vector<double> row(static_cast<size_t>(columns));
      for (int64_t r = 0; r < (rows + width - 1) / width * width; ++r) {
        fillBasisRow(*slots[s].seed, r, columns, row.data());
        for (int64_t i = 0; i < columns; ++i)
          wrong +=
              loadAsDouble(memory[s].data(), DataType::F32,
                           (r / width * columns + i) * width + r % width) !=
              (r < rows ? double(float(row[size_t(i)])) : 0);
      }
      EXPECT_EQ(wrong, 0) << "slot " << s;
    }
  }
}

/// The same rows of each head, as one matrix per head.
TEST(WeightsTest, RowBlocks) {
  TemporaryDirectory files;
  std::string path = files.file("w.safetensors");
  constexpr int64_t kHeads = 5, kRows = 12, kColumns = 19;
  for (DataType type : {DataType::F32, DataType::BF16}) {
    StoredTensor tensor = randomTensor("w", type, {kHeads * kRows, kColumns});
    StoredTensor stack = randomTensor("s", type, {2, 2 * kRows, kColumns});
    writeTensors(path, {tensor, stack});
    std::vector<WeightSlot> slots;
    auto add = [&](const StoredTensor &of, bool transposed,
                   WeightLayout::RowBlocks blocks) {
      slots.push_back(slotOf(of, WeightLayout::panel(8, transposed)));
      slots.back().layout.rowBlocks = blocks;
    };
    // Neighbours differ in one number each, and must not be taken for one.
    add(tensor, true, {kHeads, 0, 7});
    add(tensor, false, {kHeads, 7, 5});
    add(tensor, false, {kHeads, 6, 5});
    add(tensor, false, {kHeads, 6, 6});
    add(tensor, false, {1, 6, 6});
    add(stack, false, {2, 3, 9});
    auto memory = dump(withWeights(path, slots), 2);
    ASSERT_EQ(memory.size(), slots.size());
    for (size_t s = 0; s < slots.size(); ++s) {
      const WeightLayout &layout = slots[s].layout;
      auto [count, rows, columns] = slots[s].matrices();
      EXPECT_EQ(rows, layout.rowBlocks->rows);
      EXPECT_EQ(count, s == 5 ? 4 : layout.rowBlocks->count);
      const StoredTensor &of = s == 5 ? stack : tensor;
      int64_t distance = of.shape.size() == 3
                             ? of.shape[1] / layout.rowBlocks->count
                             : of.shape[0] / layout.rowBlocks->count;
      int64_t n = layout.transposed ? columns : rows,
              k = layout.transposed ? rows : columns;
      int64_t panels = (n + layout.width - 1) / layout.width, wrong = 0;
      ASSERT_EQ(slots[s].memoryBytes(), count * panels * layout.width * k *
                                            int64_t(dataTypeSize(type)));
      for (int64_t place = 0; place < count * panels * k * layout.width;
           ++place) {
        int64_t lane = place % layout.width, i = place / layout.width % k;
        int64_t panel = place / layout.width / k;
        int64_t column = panel % panels * layout.width + lane;
        int64_t row = panel / panels * distance + layout.rowBlocks->begin +
                      (layout.transposed ? i : column);
        double want =
            column < n ? of.at(row * columns + (layout.transposed ? column : i))
                       : 0;
        wrong += loadAsDouble(memory[s].data(), type, place) != want;
      }
      EXPECT_EQ(wrong, 0) << "slot " << s;
    }
  }
}

TEST(WeightsTest, BuffersAreSharedAndAligned) {
  TemporaryDirectory files;
  std::string path = files.file("w.safetensors");
  StoredTensor odd = randomTensor("odd", DataType::BF16, {3, 5});
  StoredTensor other = randomTensor("other", DataType::BF16, {3, 5});
  writeTensors(path, {odd, other});
  Manifest manifest = withWeights(
      path,
      {slotOf(odd, WeightLayout::panel(4)), slotOf(odd, WeightLayout::panel(4)),
       slotOf(odd, WeightLayout::panel(8)),
       slotOf(other, WeightLayout::panel(4)), slotOf(odd, WeightLayout::f32()),
       slotOf(odd, WeightLayout::raw()), slotOf(odd, WeightLayout::raw())},
      "fake_addresses");
  manifest.outputs = {{"addresses", DataType::I64, {7}}};
  CompiledDirectory directory(manifest);
  ModelHandle model = openModel(directory);
  std::vector<int64_t> counts(8, 7), addresses(7);
  const void *inputs[] = {counts.data()};
  void *outputs[] = {addresses.data()};
  ASSERT_EQ(linnet_run_function(model.get(), inputs, 1, outputs, 1), LINNET_OK)
      << linnet_last_error();
  EXPECT_EQ(addresses[0], addresses[1]);
  EXPECT_EQ(addresses[5], addresses[6]);
  EXPECT_EQ(std::set(addresses.begin(), addresses.end()).size(), 5u);
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(addresses[i] % 64, 0);
  int64_t packed = 4 * 5 * 2 + 8 * 5 * 2 + 4 * 5 * 2 + 15 * 4;
  EXPECT_EQ(linnet_model_step_bytes(model.get()), packed);
  EXPECT_EQ(linnet_model_weight_bytes(model.get()), packed + 30);
}

/// Orders of inputs are read whole, rows that are looked up are not.
TEST(WeightsTest, StepBytesCountOrders) {
  TemporaryDirectory files;
  std::string path = files.file("w.safetensors");
  StoredTensor table = randomTensor("table", DataType::BF16, {3, 5});
  StoredTensor order = randomTensor("order", DataType::I32, {2, 7});
  writeTensors(path, {table, order});
  Manifest manifest = withWeights(path,
                                  {slotOf(table, WeightLayout::raw()),
                                   slotOf(order, WeightLayout::raw()),
                                   slotOf(order, WeightLayout::raw())},
                                  "fake_addresses");
  CompiledDirectory directory(manifest);
  ModelHandle model = openModel(directory);
  EXPECT_EQ(linnet_model_step_bytes(model.get()), 2 * 7 * 4);
  EXPECT_EQ(linnet_model_weight_bytes(model.get()), 2 * 7 * 4 + 3 * 5 * 2);
}

TEST(WeightsTest, RelativePathsStartAtTheDirectory) {
  StoredTensor tensor = randomTensor("x", DataType::F32, {7});
  TemporaryDirectory files;
  writeTensors(files.file("w.safetensors"), {tensor});
  Manifest manifest = withWeights(files.file("w.safetensors"),
                                  {slotOf(tensor, WeightLayout::raw())});
  manifest.weightFiles[0].path = "inside.safetensors";
  CompiledDirectory directory(manifest);
  EXPECT_TRUE(
      refusesToOpen(directory, LINNET_ERROR_WEIGHTS, "inside.safetensors"));
  std::filesystem::copy_file(files.file("w.safetensors"),
                             directory.files().file("inside.safetensors"));
  EXPECT_TRUE(openModel(directory));
}

TEST(WeightsTest, ChangedFilesAreRefused) {
  TemporaryDirectory files;
  std::string path = files.file("w.safetensors");
  StoredTensor a = randomTensor("a", DataType::F32, {6});
  StoredTensor b = randomTensor("b", DataType::F32, {3, 2});
  writeTensors(path, {a, b});
  CompiledDirectory directory(
      withWeights(path, {slotOf(a, WeightLayout::raw())}));
  EXPECT_TRUE(openModel(directory));

  writeTensors(path, {a});
  EXPECT_TRUE(refusesToOpen(directory, LINNET_ERROR_WEIGHTS,
                            "the file has changed, compile the model again"));
  // The same size, other names.
  StoredTensor c = b;
  c.name = "c";
  writeTensors(path, {a, c});
  EXPECT_TRUE(
      refusesToOpen(directory, LINNET_ERROR_WEIGHTS, "expected header hash"));
  files.put("w.safetensors", "short");
  EXPECT_TRUE(refusesToOpen(directory, LINNET_ERROR_WEIGHTS, path));
  std::filesystem::remove(path);
  EXPECT_TRUE(refusesToOpen(directory, LINNET_ERROR_WEIGHTS, path));
}

TEST(WeightsTest, WrongSlotsAreRefused) {
  TemporaryDirectory files;
  std::string path = files.file("w.safetensors");
  StoredTensor a = randomTensor("a", DataType::F32, {6});
  writeTensors(path, {a});
  WeightSlot slot = slotOf(a, WeightLayout::raw());
  slot.key = "absent";
  EXPECT_TRUE(refusesToOpen(CompiledDirectory(withWeights(path, {slot})),
                            LINNET_ERROR_WEIGHTS,
                            "expected a tensor 'absent'"));
  slot = slotOf(a, WeightLayout::raw());
  slot.dtype = DataType::I32;
  EXPECT_TRUE(refusesToOpen(CompiledDirectory(withWeights(path, {slot})),
                            LINNET_ERROR_WEIGHTS,
                            "tensor 'a': expected type I32, but got F32"));
  slot.dtype = DataType::F32;
  slot.shape = {2, 3};
  EXPECT_TRUE(refusesToOpen(CompiledDirectory(withWeights(path, {slot})),
                            LINNET_ERROR_WEIGHTS,
                            "tensor 'a': expected shape [2, 3], but got [6]"));
}

// 256 MB of weights packed must not be in memory twice.
TEST(WeightsTest, SourcesAreReleasedOncePacked) {
  TemporaryDirectory files;
  std::string path = files.file("w.safetensors");
  constexpr int64_t kRows = 8192, kColumns = 4096;
  {
    std::vector<TensorSpec> specs;
    for (const char *name : {"a", "b", "c", "d"})
      specs.push_back({name, DataType::BF16, {kRows, kColumns}});
    auto writer = SafetensorsWriter::create(path, specs);
    ASSERT_TRUE(succeeds(writer));
    std::vector<std::byte> row(kRows * kColumns * 2, std::byte(1));
    for (const TensorSpec &spec : specs)
      ASSERT_TRUE(succeeds(writer->append(spec.name, row.data(), row.size())));
    ASSERT_TRUE(succeeds(writer->commit()));
  }
  std::vector<WeightSlot> slots;
  for (const char *name : {"a", "b", "c", "d"})
    slots.push_back({name,
                     0,
                     DataType::BF16,
                     {kRows, kColumns},
                     {},
                     WeightLayout::panel(16)});
  CompiledDirectory directory(withWeights(path, slots));
  int64_t before = peakResidentBytes();
  ModelHandle model = openModel(directory);
  ASSERT_TRUE(model);
  int64_t grown = peakResidentBytes() - before;
  EXPECT_EQ(linnet_model_weight_bytes(model.get()), int64_t(256) << 20);
  EXPECT_LT(grown, int64_t(256 + 64) << 20);
}

} // namespace
