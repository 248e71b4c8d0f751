//===- Program.cpp - operations compiled and evaluated --------------------===//

#include "Program.h"

#include "linnet/Driver/Compile.h"
#include "linnet/Driver/Input.h"
#include "linnet/Reference/Evaluator.h"
#include "linnet/Runtime/linnet.h"

#include "passes/Form/Passes.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <gtest/gtest.h>
#include <memory>
#include <sys/mman.h>
#include <unistd.h>

namespace linnet::test {

std::string typeOf(const Shape &shape, const std::string &element) {
  std::string type = "tensor<";
  for (int64_t size : shape)
    type += std::to_string(size) + "x";
  return type + element + ">";
}

int rounds() {
  static const int count = std::getenv("LINNET_LONG") ? 5 : 1;
  return count;
}

std::vector<std::string> processors() {
  std::vector<std::string> all = {"native"};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    all.push_back("x86-64-v3");
  // Without masks, fused operations and most registers.
  if (rounds() > 1)
    all.push_back("x86-64");
  return all;
}

void Program::takeProcessorsInTurn(int number) {
  std::vector<std::string> all = processors();
  if (rounds() == 1)
    compileFor({all[size_t(number) % all.size()]});
}

static DataType dataTypeOf(const std::string &element) {
  if (element == "bf16")
    return DataType::BF16;
  if (element == "f16")
    return DataType::F16;
  if (element == "i16")
    return DataType::I16;
  if (element == "i32")
    return DataType::I32;
  if (element == "i64")
    return DataType::I64;
  if (element == "i8")
    return DataType::I8;
  return DataType::F32;
}

static void roundTo(std::vector<double> &values, DataType type) {
  std::vector<std::byte> bytes(values.size() * dataTypeSize(type));
  convertFromF64(values.data(), type, bytes.data(), values.size());
  convertToF64(bytes.data(), type, values.data(), values.size());
}

Program::Program(uint32_t seed) : engine(seed) {}

int64_t Program::integer(int64_t low, int64_t high) {
  return low + int64_t(engine() % uint64_t(high - low + 1));
}

double Program::real(double low, double high) {
  return low + (high - low) * double(engine()) * 0x1p-32;
}

std::vector<double> Program::values(const Shape &shape, double low,
                                    double high) {
  std::vector<double> all(size_t(elementCount(shape).value_or(0)));
  for (double &value : all)
    value = real(low, high);
  return all;
}

Value Program::fresh(const Shape &shape, const std::string &element) {
  return {"%x" + std::to_string(count++), typeOf(shape, element), shape};
}

Value Program::input(const Shape &shape, double low, double high,
                     const std::string &element) {
  return input(shape, values(shape, low, high), element);
}

Value Program::input(const Shape &shape, std::vector<double> given,
                     const std::string &element) {
  Value value = fresh(shape, element);
  roundTo(given, dataTypeOf(element));
  arguments.push_back(value);
  elements.push_back(element);
  tensors.push_back({shape, std::move(given)});
  sources.emplace_back();
  return value;
}

Value Program::drawn(const Shape &shape,
                     std::function<std::vector<double>()> draw,
                     const std::string &element) {
  Value value = input(shape, draw(), element);
  sources.back() = std::move(draw);
  return value;
}

void Program::redraw() {
  for (size_t i = 0; i < tensors.size(); ++i)
    if (sources[i]) {
      tensors[i].values = sources[i]();
      roundTo(tensors[i].values, dataTypeOf(elements[i]));
    }
}

Value Program::weight(const Shape &shape, double low, double high,
                      const std::string &element, bool wide) {
  Value value = weight(shape, values(shape, low, high), element);
  if (!wide || element == "f32")
    return value;
  return raw("arith.extf $0 : " + value.type + " to " + typeOf(shape), {value},
             shape);
}

Value Program::weight(const Shape &shape, const std::vector<double> &content,
                      const std::string &element) {
  Value value = fresh(shape, element);
  key = "w" + std::to_string(archive.size());
  stored(key, shape, content, element);
  body += "  " + value.name + " = linnet.weight \"" + key +
          "\" : " + value.type + "\n";
  return value;
}

Value Program::index(int64_t number) {
  Value value = fresh({}, "index");
  value.type = "index";
  body += "  " + value.name + " = arith.constant " + std::to_string(number) +
          " : index\n";
  return value;
}

void Program::stored(const std::string &name, const Shape &shape, double low,
                     double high, const std::string &element) {
  stored(name, shape, values(shape, low, high), element);
}

void Program::stored(const std::string &name, const Shape &shape,
                     const std::vector<double> &content,
                     const std::string &element) {
  DataType type = dataTypeOf(element);
  std::vector<std::byte> bytes(content.size() * dataTypeSize(type));
  convertFromF64(content.data(), type, bytes.data(), content.size());
  Status status = archive.overlay(name, type, shape, std::move(bytes));
  EXPECT_TRUE(bool(status));
}

static std::string substitute(const std::string &text,
                              const std::vector<Value> &operands) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '$') {
      out += text[i];
      continue;
    }
    size_t number = 0;
    while (i + 1 < text.size() && std::isdigit(text[i + 1]))
      number = number * 10 + size_t(text[++i] - '0');
    out += operands.at(number).name;
  }
  return out;
}

std::vector<Value> Program::apply(const std::string &text,
                                  const std::vector<Value> &operands,
                                  const std::vector<Shape> &shapes,
                                  const std::string &element) {
  std::vector<Value> values;
  std::string inputs, outputs;
  for (const Value &operand : operands)
    inputs += (inputs.empty() ? "" : ", ") + operand.type;
  std::string name = "%x" + std::to_string(count++);
  for (const Shape &shape : shapes) {
    outputs += (outputs.empty() ? "" : ", ") + typeOf(shape, element);
    values.push_back(
        {name + (shapes.size() > 1 ? "#" + std::to_string(values.size()) : ""),
         typeOf(shape, element), shape});
  }
  if (shapes.size() > 1)
    name += ":" + std::to_string(shapes.size());
  body += "  " + name + " = " + substitute(text, operands) + " : (" + inputs +
          ") -> " + (shapes.size() > 1 ? "(" + outputs + ")" : outputs) + "\n";
  return values;
}

Value Program::raw(const std::string &text, const std::vector<Value> &operands,
                   const Shape &shape, const std::string &element) {
  Value value = fresh(shape, element);
  body += "  " + value.name + " = " + substitute(text, operands) + "\n";
  return value;
}

void Program::expect(const Value &value, const std::string &label,
                     double tolerance, bool special) {
  results.push_back({value, label, tolerance, special});
}

std::string Program::moduleText(const std::string &path) const {
  std::string types, values, signature;
  for (const Expectation &result : results) {
    std::string comma = types.empty() ? "" : ", ";
    types += comma + result.value.type;
    values += comma + result.value.name;
  }
  for (const Value &argument : arguments)
    signature +=
        (signature.empty() ? "" : ", ") + argument.name + ": " + argument.type;
  // Aliases stand in front of the module.
  return before + "module attributes {linnet.archive = \"" + path + "\"} {\n" +
         functions + "func.func @f(" + signature + ") -> (" + types + ") {\n" +
         body + "  return " + values + " : " + types + "\n}\n}\n";
}

std::string difference(const HostTensor &actual, const HostTensor &expected,
                       double tolerance, bool special, double floor) {
  double sum = 0, norm = 0, worst = -1;
  int64_t at = 0, wrong = 0;
  for (int64_t i = 0; i < expected.size(); ++i) {
    double a = actual.values[i], e = expected.values[i];
    if (special && ((std::isnan(a) && std::isnan(e)) || a == e))
      continue;
    double error = std::fabs(a - e);
    if (!std::isfinite(error)) {
      if (wrong++ == 0)
        at = i;
      continue;
    }
    sum += error * error;
    norm += e * e;
    if (error > worst && wrong == 0) {
      worst = error;
      at = i;
    }
  }
  norm = std::max(norm, floor * floor * double(expected.size()));
  if (wrong == 0 && (sum == 0 || std::sqrt(sum / norm) <= tolerance))
    return "";
  std::string text = "relative RMS error " +
                     std::to_string(std::sqrt(sum / norm) * 1e6) + "e-6";
  if (wrong)
    text += ", " + std::to_string(wrong) + " not finite";
  text += "; at " + std::to_string(at) + " of " + formatShape(actual.shape) +
          ": " + std::to_string(actual.values[at]) + " instead of " +
          std::to_string(expected.values[at]);
  return text;
}

namespace {

/// Memory that ends at a page nobody may touch: an access behind the tensor is
/// a fault instead of luck.
class GuardedBuffer {
public:
  explicit GuardedBuffer(size_t bytes) : bytes(bytes) {
    size_t page = size_t(sysconf(_SC_PAGESIZE));
    size_t body = (bytes + page - 1) / page * page;
    length = body + page;
    base = static_cast<char *>(mmap(nullptr, length, PROT_READ | PROT_WRITE,
                                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (base == MAP_FAILED)
      abort();
    if (mprotect(base + body, page, PROT_NONE) != 0)
      abort();
    start = base + body - bytes;
  }
  GuardedBuffer(const GuardedBuffer &) = delete;
  GuardedBuffer &operator=(const GuardedBuffer &) = delete;
  ~GuardedBuffer() { munmap(base, length); }

  /// Whatever lies in front of the tensor is still what was put there.
  void fill(int byte) { std::memset(base, byte, size_t(start - base) + bytes); }
  bool frontIs(int byte) const {
    for (const char *at = base; at != start; ++at)
      if (*at != char(byte))
        return false;
    return true;
  }
  void *data() const { return start; }

private:
  size_t bytes, length;
  char *base, *start;
};

struct Buffers {
  std::vector<std::unique_ptr<GuardedBuffer>> all;
  std::vector<void *> pointers;
  void add(size_t bytes) {
    all.push_back(std::make_unique<GuardedBuffer>(bytes));
    pointers.push_back(all.back()->data());
  }
};

struct ScratchDirectory {
  ScratchDirectory() {
    std::string name = testing::TempDir() + "/linnet-kernels-XXXXXX";
    path = mkdtemp(name.data());
  }
  ~ScratchDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  std::string path;
};

} // namespace

void Program::run(const CompiledFunction &compiled, const std::string &cpu,
                  const std::vector<HostTensor> &expected) {
  Buffers inputs, outputs;
  for (size_t i = 0; i < tensors.size(); ++i) {
    DataType type = dataTypeOf(elements[i]);
    inputs.add(tensors[i].values.size() * dataTypeSize(type));
    convertFromF64(tensors[i].values.data(), type, inputs.pointers.back(),
                   tensors[i].values.size());
  }
  std::vector<DataType> types;
  std::vector<size_t> sizes;
  for (const Expectation &result : results) {
    const std::string &type = result.value.type;
    types.push_back(type.ends_with("xi32>") ? DataType::I32 : DataType::F32);
    sizes.push_back(size_t(elementCount(result.value.shape).value_or(0)) * 4);
    outputs.add(sizes.back());
  }
  std::vector<std::vector<char>> first;
  for (int threads = 1; threads <= 3; ++threads) {
    std::string where = cpu + ", " + std::to_string(threads) + " threads";
    linnet_options run = {threads};
    linnet_model *model = nullptr;
    ASSERT_EQ(linnet_model_open(compiled.directory().c_str(), &run, &model),
              LINNET_OK)
        << linnet_last_error();
    // NaN as bytes, so that an entry nobody wrote is not luck either.
    for (auto &buffer : outputs.all)
      buffer->fill(0xff);
    linnet_status status = linnet_run_function(
        model, inputs.pointers.data(), int64_t(inputs.pointers.size()),
        outputs.pointers.data(), int64_t(outputs.pointers.size()));
    std::string error = linnet_last_error();
    linnet_model_close(model);
    ASSERT_EQ(status, LINNET_OK) << error;
    for (size_t i = 0; i < results.size(); ++i) {
      const Expectation &result = results[i];
      EXPECT_TRUE(outputs.all[i]->frontIs(0xff))
          << result.label << " (" << where << ") wrote before its result";
      if (threads == 1) {
        const char *bytes = static_cast<char *>(outputs.pointers[i]);
        first.emplace_back(bytes, bytes + sizes[i]);
        HostTensor actual = HostTensor::filled(result.value.shape);
        convertToF64(outputs.pointers[i], types[i], actual.values.data(),
                     actual.values.size());
        std::string wrong = difference(actual, expected[i], result.tolerance,
                                       result.special, floor);
        EXPECT_EQ(wrong, "") << result.label << " (" << where << ")";
      } else {
        EXPECT_EQ(std::memcmp(first[i].data(), outputs.pointers[i], sizes[i]),
                  0)
            << result.label << " (" << where
            << ") differs from one thread's result";
      }
    }
  }
}

void Program::check(int draws) {
  ScratchDirectory scratch;
  std::string path = scratch.path + "/model.safetensors";
  std::optional<Archive> opened;
  if (archive.size()) {
    Status saved = archive.saveAll(path);
    ASSERT_TRUE(bool(saved)) << saved.error().str();
    archive.discardOverlay();
    Result<Archive> file = Archive::open(path);
    ASSERT_TRUE(bool(file)) << file.error().str();
    opened = file.take();
  }
  std::string text = moduleText(archive.size() ? path : "");
  if (!archive.size())
    text.erase(text.find(" attributes {linnet.archive = \"\"}"),
               std::strlen(" attributes {linnet.archive = \"\"}"));
  std::unique_ptr<mlir::MLIRContext> context = makeContext();
  auto module = mlir::parseSourceString<mlir::ModuleOp>(text, context.get());
  ASSERT_TRUE(bool(module)) << text;
  if (std::getenv("LINNET_SHOW"))
    fprintf(stderr, "%s\n", text.c_str());

  // The evaluator takes a module of its own: this one may be split.
  mlir::OwningOpRef<mlir::ModuleOp> whole(module->clone());
  Result<Evaluator> evaluator =
      Evaluator::create(*whole, opened ? &*opened : nullptr);
  ASSERT_TRUE(bool(evaluator)) << evaluator.error().str();

  if (splitAt || !form.empty()) {
    mlir::PassManager passes(context.get());
    mlir::linnet::SplitAlongTimeOptions split;
    split.at = splitAt;
    if (splitAt)
      passes.addPass(mlir::linnet::createSplitAlongTime(split));
    mlir::linnet::SelectFormOptions select;
    select.form = form;
    if (!form.empty())
      passes.addPass(mlir::linnet::createSelectForm(select));
    // What cannot be split or has not the form is remarked upon.
    mlir::ScopedDiagnosticHandler quiet(context.get(),
                                        [](mlir::Diagnostic &) {});
    ASSERT_TRUE(mlir::succeeded(passes.run(*module)));
  }

  std::vector<FunctionInput> shapes;
  for (const HostTensor &tensor : tensors)
    shapes.push_back({tensor.shape, std::nullopt});
  std::vector<std::pair<std::string, CompiledFunction>> compiled;
  for (const std::string &cpu : cpus.empty() ? processors() : cpus) {
    CompileOptions options;
    options.optLevel = rounds() > 1 ? 3 : 1;
    options.mcpu = cpu;
    CompileReport report;
    Result<CompiledFunction> function =
        compileFunction(*module, "f", shapes, "test.mlir", options, report);
    ASSERT_TRUE(bool(function)) << function.error().str() << "\n" << text;
    compiled.emplace_back(cpu, function.take());
  }
  for (int draw = 0; draw < draws; ++draw) {
    if (draw)
      redraw();
    Result<std::vector<HostTensor>> expected = evaluator->run("f", tensors);
    ASSERT_TRUE(bool(expected)) << expected.error().str() << "\n" << text;
    for (const auto &[cpu, function] : compiled)
      run(function, cpu + ", draw " + std::to_string(draw), *expected);
  }
}

} // namespace linnet::test
