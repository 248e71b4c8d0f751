//===- ScanPrograms.cpp - random recurrences ------------------------------===//

#include "ScanPrograms.h"

#include "passes/CPU/ScanKernel.h"

#include <cmath>
#include <limits>

namespace ir = mlir::linnet;

namespace linnet::test {
namespace {

using Draw = std::function<std::vector<double>()>;

/// How much of a state stays.
enum class Regime { Everything, Most, Some, Little, Mixed };

class RandomScan {
public:
  RandomScan(Program &program, ir::TransitionAttrInterface transition)
      : program(program), transition(transition),
        form(transition.getNormalForm()) {
    chooseShape();
  }

  void append() {
    Shape queries = rowShape(), keys = rowShape(steps);
    operands.push_back(program.drawn(queries, uniform(queries)));
    operands.push_back(program.drawn(keys, unitRows(keys, 1)));
    Shape values{batch, tokens, steps * heads, columns};
    operands.push_back(program.drawn(values, uniform(values)));
    std::string parameters;
    for (auto [number, dims] : llvm::enumerate(transition.getOperandDims())) {
      parameters += (number ? ", $" : "$") + std::to_string(operands.size());
      Shape shape = parameterShape(dims);
      operands.push_back(
          program.drawn(shape, drawOf(int(number), dims.str(), shape)));
    }
    text = "linnet.scan " + print(transition) +
           (parameters.empty() ? "" : "(" + parameters + ")") + " $0, $1, $2";
    appendOptions();
    std::vector<Value> results = program.apply(
        text, operands,
        {{batch, tokens, heads, columns}, {batch, heads, rows, columns}});
    program.expectAll(results, describe(results));
  }

private:
  static std::string print(mlir::Attribute attribute) {
    std::string text;
    llvm::raw_string_ostream(text) << attribute;
    return text;
  }

  void chooseShape() {
    constexpr int64_t kChunk = ir::ScanKernel::kChunkTokens;
    batch = program.integer(1, 3);
    tokens = program.pick<int64_t>(
        {1, 2, 3, kChunk - 1, kChunk, kChunk + 1, 2 * kChunk - 1, 2 * kChunk,
         2 * kChunk + 1, 3 * kChunk - 1, 3 * kChunk, 3 * kChunk + 1,
         program.integer(1, 50), program.integer(127, 130)});
    heads = program.pick<int64_t>({1, 2, 3, 4, 6});
    steps = program.pick<int64_t>({1, 1, 1, 1, 2, 3});
    rows = program.pick<int64_t>({1, 2, 5, 15, 16, 17, 24, 33});
    columns = program.pick<int64_t>({1, 3, 8, 15, 16, 17, 24, 33, 70});
    if (form.hasPhase())
      rows += rows % 2;
    mixed = program.pick<int64_t>({1, rows});
    if (rows % 3 == 0)
      mixed = program.pick<int64_t>({1, 3, rows});
  }

  int64_t divisorOfHeads() {
    int64_t count = program.integer(1, heads);
    while (heads % count)
      --count;
    return program.chance(0.6) ? heads : count;
  }
  int64_t maybeOne(int64_t size) { return program.chance(0.15) ? 1 : size; }

  /// Heads of an operand with a group of them per micro-step.
  int64_t groupedHeads() {
    return program.chance(0.1) ? 1 : steps * divisorOfHeads();
  }

  Shape rowShape(int64_t groups = 1) {
    return {maybeOne(batch), maybeOne(tokens),
            groups == 1 ? divisorOfHeads() : groupedHeads(), rows};
  }
  Shape parameterShape(llvm::StringRef dims) {
    Shape shape{maybeOne(batch)};
    for (char letter : dims)
      switch (letter) {
      case 't':
        shape.push_back(maybeOne(tokens));
        break;
      case 'h':
        shape.push_back(groupedHeads());
        break;
      case 'k':
        // Blocks have all of their rows.
        shape.push_back(dims.contains('m') ? rows : maybeOne(rows));
        break;
      case 'p':
        shape.push_back(maybeOne(rows / 2));
        break;
      case 'm':
        shape.push_back(mixed);
        break;
      default:
        shape.push_back(maybeOne(columns));
      }
    return shape;
  }

  Draw uniform(Shape shape, double low = -1, double high = 1) {
    return
        [&p = program, shape, low, high] { return p.values(shape, low, high); };
  }

  /// Rows of this length, which keep delta rules stable.
  Draw unitRows(Shape shape, double length) {
    // One entry may stand for all rows of the state.
    length /= std::sqrt(double(rows) / double(shape.back()));
    return [&p = program, shape, length] {
      std::vector<double> values = p.values(shape, -1, 1);
      size_t width = size_t(shape.back());
      for (size_t row = 0; row < values.size(); row += width) {
        double sum = 1e-6;
        for (size_t i = row; i < row + width; ++i)
          sum += values[i] * values[i];
        for (size_t i = row; i < row + width; ++i)
          values[i] *= length / std::sqrt(sum);
      }
      return values;
    };
  }

  Draw logDecays(Shape shape, bool canErase) {
    return [&p = program, shape, canErase] {
      auto regime = Regime(p.integer(0, int64_t(Regime::Mixed)));
      std::vector<double> values = p.values(shape, -1, 0);
      for (double &value : values) {
        Regime own = regime == Regime::Mixed
                         ? Regime(p.integer(0, int64_t(Regime::Little)))
                         : regime;
        if (own == Regime::Everything)
          value = 0;
        else if (own == Regime::Most)
          value *= 0.01;
        else if (own == Regime::Little)
          value = canErase && p.chance(0.3)
                      ? -std::numeric_limits<double>::infinity()
                      : 30 * value;
      }
      return values;
    };
  }

  /// What operand `number` may be, from its place in the normal form.
  Draw drawOf(int number, const std::string &dims, const Shape &shape) {
    if (number == form.beta)
      return uniform(shape, 0, 2);
    if (number == form.reader)
      return unitRows(shape, 1);
    if (number == form.writer)
      return unitRows(shape, 0.5);
    if (number == form.phase)
      return uniform(shape, -7, 7);
    // Rows of a sum below one keep the state bounded.
    if (number == form.mixing)
      return uniform(shape, -0.95 / double(mixed), 0.95 / double(mixed));
    for (llvm::ArrayRef<int> term : form.logDecay)
      if (llvm::is_contained(term, number)) {
        // One factor of a product is a rate below zero, the others are steps;
        // zero times infinity would be no number.
        if (term.size() > 1 && number != term[0])
          return uniform(shape, 0, 1);
        return logDecays(shape, /*canErase=*/term.size() == 1);
      }
    return uniform(shape);
  }

  void operand(const std::string &keyword, Value value) {
    text += " " + keyword + "($" + std::to_string(operands.size()) + ")";
    operands.push_back(value);
  }

  void appendOptions() {
    std::string attributes;
    if (steps > 1)
      attributes += "micro_steps = " + std::to_string(steps) + ", ";
    if (steps == 1 && program.chance(0.3)) {
      attributes += "readout = #linnet.readout<pre>, ";
      Shape shape = rowShape();
      if (program.chance(0.7))
        operand("bonus", program.drawn(shape, uniform(shape)));
    }
    Shape state{batch, heads, rows, columns}, ends{batch, tokens};
    if (program.chance(0.6))
      operand("initial", program.drawn(state, uniform(state)));
    if (program.chance(0.3))
      operand("resets", program.drawn(
                            ends,
                            [&p = program, ends] {
                              std::vector<double> values = p.values(ends, 0, 1);
                              for (double &value : values)
                                value = value < 0.05;
                              return values;
                            },
                            "i32"));
    if (program.chance(0.5))
      attributes += "scale = 0.3 : f64, ";
    if (program.chance(0.2))
      attributes += "reverse, ";
    auto legal = transition.getLegalForms();
    for (ir::ScanForm forced :
         {ir::ScanForm::Sequential, ir::ScanForm::Chunkwise,
          ir::ScanForm::Quadratic})
      if (llvm::is_contained(legal, forced) && program.chance(0.35)) {
        attributes += "form = #linnet.form<" +
                      ir::stringifyScanForm(forced).str() + ">, ";
        break;
      }
    if (!attributes.empty())
      text += " {" + attributes.substr(0, attributes.size() - 2) + "}";
  }

  /// The scan alone, as a function to paste.
  std::string describe(const std::vector<Value> &results) const {
    std::string arguments, inputs, call;
    for (size_t i = 0; i < operands.size(); ++i) {
      std::string comma = i ? ", " : "";
      arguments += comma + "%" + std::to_string(i) + ": " + operands[i].type;
      inputs += comma + operands[i].type;
    }
    for (char c : text)
      call += c == '$' ? '%' : c;
    std::string types = results[0].type + ", " + results[1].type;
    return "\nfunc.func @f(" + arguments + ") -> (" + types +
           ") {\n  %r:2 = " + call + " : (" + inputs + ") -> (" + types +
           ")\n  return %r#0, %r#1 : " + types + "\n}\n";
  }

  Program &program;
  ir::TransitionAttrInterface transition;
  ir::NormalForm form;
  int64_t batch, tokens, heads, steps, rows, columns, mixed;
  std::vector<Value> operands;
  std::string text;
};

} // namespace

void addRandomScan(Program &program, ir::TransitionAttrInterface transition) {
  RandomScan(program, transition).append();
}

} // namespace linnet::test
