//===- ScanCornerKernelTest.cpp - recurrences at the edge of their domain -===//
//
// Operands that a model should not have but may: rates that grow, NaN,
// infinities, dimensions of zero. What each gives is in the op's corner cases;
// here the kernels have to agree with the evaluator, in every form that they
// know, NaN for NaN.
//
//===----------------------------------------------------------------------===//

#include "Program.h"

#include "dialects/Linnet/Linnet.h"
#include "linnet/Driver/Input.h"

#include "mlir/IR/MLIRContext.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>

namespace ir = mlir::linnet;

namespace linnet::test {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int64_t kHeads = 2;
/// Two whole chunks, and tokens behind them.
constexpr int64_t kTokens = 19;

/// A scan with operands per token whose values a test changes.
class CornerScan {
public:
  CornerScan(Program &program, ir::TransitionAttrInterface transition,
             int64_t keys, int64_t columns, int64_t tokens, int64_t batch)
      : program(program), transition(transition),
        form(transition.getNormalForm()), keys(keys), columns(columns),
        batch(batch) {
    add({batch, tokens, kHeads, keys}, -1, 1);
    add({batch, tokens, kHeads, keys}, -0.4, 0.4);
    add({batch, tokens, kHeads, columns}, -1, 1);
    for (auto [number, dims] : llvm::enumerate(transition.getOperandDims())) {
      Shape shape{batch};
      for (char letter : dims)
        shape.push_back(letter == 't'   ? tokens
                        : letter == 'h' ? kHeads
                        : letter == 'p' ? keys / 2
                        : letter == 'v' ? columns
                        : letter == 'm' ? std::max<int64_t>(keys, 1)
                                        : keys);
      // As in a trained model: rates below two, and what keeps a state bounded.
      if (int(number) == form.beta)
        add(shape, 0, 2);
      else if (int(number) == form.phase)
        add(shape, -4, 4);
      else if (isRate(int(number)))
        add(shape, -1, 0);
      else if (isDecay(int(number)))
        add(shape, 0, 1);
      else
        add(shape, -0.9 / double(keys), 0.9 / double(keys));
    }
    initial = program.values({batch, kHeads, keys, columns}, -1, 1);
  }

  bool isDecay(int number) const {
    return llvm::any_of(form.logDecay, [&](llvm::ArrayRef<int> term) {
      return llvm::is_contained(term, number);
    });
  }
  /// The first factor of a product, whose sign is the logarithm's.
  bool isRate(int number) const {
    return llvm::any_of(form.logDecay, [&](llvm::ArrayRef<int> term) {
      return term[0] == number;
    });
  }
  bool hasBeta() const { return form.tied; }
  size_t beta() const { return size_t(3 + form.beta); }
  bool hasDecay() const { return !form.logDecay.empty(); }
  size_t size() const { return values.size(); }

  /// Sets all entries of operand `number` for one token of one head.
  void set(size_t number, int64_t b, int64_t t, int64_t h, double value) {
    int64_t row = rowSize(number);
    int64_t first = ((b * shapes[number][1] + t) * kHeads + h) * row;
    std::fill_n(values[number].begin() + first, row, value);
  }
  /// Sets one of them.
  void setEntry(size_t number, int64_t b, int64_t t, int64_t h, double value) {
    int64_t row = rowSize(number);
    values[number]
          [size_t(((b * shapes[number][1] + t) * kHeads + h) * row + row / 2)] =
              value;
  }
  void setState(int64_t b, int64_t h, double value) {
    std::fill_n(initial.begin() + (b * kHeads + h) * keys * columns,
                keys * columns, value);
  }
  void resetAt(int64_t t) { resets.push_back(t); }

  /// Appends the scan in those of these forms that are legal.
  void expectAll(const std::string &what,
                 llvm::ArrayRef<ir::ScanForm> forms = {
                     ir::ScanForm::Sequential, ir::ScanForm::Chunkwise,
                     ir::ScanForm::Quadratic}) {
    std::vector<Value> operands;
    for (size_t i = 0; i < values.size(); ++i)
      operands.push_back(operand(shapes[i], values[i]));
    std::string text = "linnet.scan " + print(transition), list;
    for (size_t i = 3; i < values.size(); ++i)
      list += (i > 3 ? ", $" : "$") + std::to_string(i);
    text += (list.empty() ? "" : "(" + list + ")") + " $0, $1, $2 initial($" +
            std::to_string(operands.size()) + ")";
    Shape state{batch, kHeads, keys, columns};
    operands.push_back(operand(state, initial));
    if (!resets.empty()) {
      text += " resets($" + std::to_string(operands.size()) + ")";
      Shape shape{batch, shapes[2][1]};
      std::vector<double> ends(size_t(shape[0] * shape[1]));
      for (int64_t t : resets)
        for (int64_t b = 0; b < batch; ++b)
          ends[size_t(b * shape[1] + t)] = 1;
      operands.push_back(program.input(shape, ends, "i32"));
    }
    // What is left without a form becomes associative.
    for (ir::ScanForm chosen : forms)
      if (llvm::is_contained(transition.getLegalForms(), chosen)) {
        std::string name = ir::stringifyScanForm(chosen).str(),
                    attribute = " {form = #linnet.form<" + name + ">}";
        if (chosen == ir::ScanForm::Associative)
          attribute.clear();
        for (const Value &result :
             program.apply(text + attribute, operands, {shapes[2], state}))
          program.expect(result, what + ", " + print(transition) + " " + name,
                         1e-5, /*special=*/true);
      }
  }

private:
  static std::string print(mlir::Attribute attribute) {
    std::string text;
    llvm::raw_string_ostream(text) << attribute;
    return text;
  }
  /// Arguments have no dimensions of zero: cut from one that has none.
  Value operand(const Shape &shape, const std::vector<double> &entries) {
    if (!llvm::is_contained(shape, 0))
      return program.input(shape, entries);
    Shape whole = shape;
    std::string offsets, sizes, strides;
    for (int64_t &size : whole) {
      std::string comma = offsets.empty() ? "" : ", ";
      offsets += comma + "0";
      sizes += comma + std::to_string(size);
      strides += comma + "1";
      size = std::max<int64_t>(size, 1);
    }
    Value from = program.input(whole);
    return program.raw("tensor.extract_slice $0[" + offsets + "] [" + sizes +
                           "] [" + strides + "] : " + from.type + " to " +
                           typeOf(shape),
                       {from}, shape);
  }
  void add(const Shape &shape, double low, double high) {
    shapes.push_back(shape);
    values.push_back(program.values(shape, low, high));
  }
  int64_t rowSize(size_t number) const {
    int64_t row = 1;
    for (size_t d = 3; d < shapes[number].size(); ++d)
      row *= shapes[number][d];
    return row;
  }

  Program &program;
  ir::TransitionAttrInterface transition;
  ir::NormalForm form;
  int64_t keys, columns, batch;
  std::vector<Shape> shapes;
  std::vector<std::vector<double>> values;
  std::vector<double> initial;
  std::vector<int64_t> resets;
};

/// All cases of one shape are one function: equal scans share their kernels,
/// and compiling those is what takes time. Labels say which case failed.
class ScanCorner : public testing::Test {
protected:
  using Case = llvm::function_ref<void(CornerScan &)>;
  using Widths = std::vector<std::pair<int64_t, int64_t>>;

  /// Appends `body(scan)` for every transition. Of the usual widths the larger
  /// ones have a chunk form on every processor.
  void add(Case body, const Widths &widths = {{4, 5}, {18, 20}},
           int64_t tokens = kTokens, int64_t batch = 2) {
    auto transitions =
        context->getOrLoadDialect<ir::LinnetDialect>()->getTransitions();
    ASSERT_GE(transitions.size(), 15u);
    for (ir::TransitionAttrInterface transition : transitions)
      for (auto [keys, columns] : widths) {
        CornerScan scan(program, transition, keys, columns, tokens, batch);
        body(scan);
      }
  }
  void check() { program.checkForm("associative"); }

  std::unique_ptr<mlir::MLIRContext> context = makeContext();
  Program program{8100};
};

/// exp of a positive log decay exceeds one: the state grows.
void growByPositiveLogDecays(CornerScan &scan) {
  for (size_t i = 3; i < scan.size(); ++i)
    if (scan.isRate(int(i) - 3))
      for (int64_t t = 0; t < kTokens; ++t)
        scan.set(i, 1, t, 1, 0.3);
  scan.expectAll("growing");
}

/// In each operand in turn, in a chunk and behind the last one: stays in its
/// head.
void putNaN(CornerScan &scan) {
  for (size_t i = 0; i < scan.size(); ++i)
    for (int64_t t : {int64_t(3), kTokens - 2}) {
      CornerScan changed = scan;
      changed.setEntry(i, 1, t, 0, NAN);
      changed.expectAll("NaN in operand " + std::to_string(i) + " at " +
                        std::to_string(t));
    }
}

void resetBehindNaN(CornerScan &scan) {
  for (size_t i = 0; i < scan.size(); ++i) {
    CornerScan changed = scan;
    changed.setState(1, 1, NAN);
    changed.setEntry(i, 0, 2, 0, NAN);
    changed.resetAt(5);
    changed.expectAll("reset behind NaN in operand " + std::to_string(i));
  }
}

/// What a log decay of -inf drops does not matter.
void eraseNaNAndInfinity(CornerScan &scan) {
  if (!scan.hasDecay())
    return;
  for (double special : {double(NAN), kInfinity}) {
    CornerScan changed = scan;
    changed.setState(1, 0, special);
    changed.setEntry(2, 0, 2, 1, special);
    changed.setEntry(1, 1, 9, 1, special);
    for (size_t i = 3; i < scan.size(); ++i)
      if (scan.isRate(int(i) - 3))
        for (int64_t t : {5, 11})
          for (int64_t b : {0, 1})
            for (int64_t h = 0; h < kHeads; ++h)
              changed.set(i, b, t, h, -kInfinity);
    changed.expectAll("erased");
  }
}

/// A rate outside [0, 2] is unstable but defined.
void leaveRangeOfRates(CornerScan &scan) {
  if (!scan.hasBeta())
    return;
  for (int64_t t = 0; t < kTokens; ++t)
    scan.set(scan.beta(), 0, t, 0, t % 2 ? -1.5 : 3.5);
  scan.expectAll("unstable");
}

TEST_F(ScanCorner, SpecialValues) {
  add(growByPositiveLogDecays);
  add(putNaN, {{18, 20}});
  add(resetBehindNaN, {{18, 20}});
  add(eraseNaNAndInfinity);
  add(leaveRangeOfRates);
  check();
}

/// The kernel of a step, which has the state in its place.
TEST_F(ScanCorner, OneTokenErases) {
  add(
      [](CornerScan &scan) {
        for (double special : {double(NAN), kInfinity}) {
          CornerScan changed = scan;
          changed.setState(0, 0, special);
          changed.setState(1, 1, special);
          CornerScan reset = changed;
          reset.resetAt(0);
          reset.expectAll("reset");
          if (!scan.hasDecay())
            continue;
          for (size_t i = 3; i < scan.size(); ++i)
            if (scan.isRate(int(i) - 3))
              changed.set(i, 0, 0, 0, -kInfinity);
          changed.expectAll("erased");
        }
      },
      {{4, 5}, {18, 20}}, /*tokens=*/1);
  check();
}

/// Segments of two tokens: what a segment drops of the state before it does
/// not matter either.
TEST_F(ScanCorner, SegmentsDropNaNAndInfinity) {
  add(
      [](CornerScan &scan) {
        for (size_t i = 0; i < scan.size(); ++i) {
          CornerScan changed = scan;
          changed.setEntry(i, 1, 1, 0, NAN);
          changed.expectAll("NaN in operand " + std::to_string(i),
                            ir::ScanForm::Associative);
        }
        for (double special : {double(NAN), kInfinity}) {
          CornerScan reset = scan;
          reset.setState(1, 1, special);
          reset.setEntry(2, 0, 1, 0, special);
          CornerScan erased = reset;
          reset.resetAt(3);
          reset.expectAll("reset", ir::ScanForm::Associative);
          if (!scan.hasDecay())
            continue;
          for (size_t i = 3; i < scan.size(); ++i)
            if (scan.isRate(int(i) - 3))
              for (int64_t b : {0, 1})
                for (int64_t h = 0; h < kHeads; ++h)
                  erased.set(i, b, 3, h, -kInfinity);
          erased.expectAll("erased", ir::ScanForm::Associative);
        }
      },
      {{4, 5}}, /*tokens=*/4);
  check();
}

/// Sums of nothing are zero, and states of nothing are empty.
TEST_F(ScanCorner, SizesOfZero) {
  auto any = [](const char *what) {
    return [what](CornerScan &scan) { scan.expectAll(what); };
  };
  add(any("no width"), {{0, 20}, {18, 0}, {0, 0}});
  add(any("no tokens"), {{4, 5}, {18, 20}}, /*tokens=*/0);
  add(any("no rows of the batch"), {{18, 20}}, kTokens, /*batch=*/0);
  check();
}

} // namespace
} // namespace linnet::test
