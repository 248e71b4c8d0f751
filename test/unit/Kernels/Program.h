//===- Program.h - operations compiled and evaluated ----------*- C++ -*-===//
//
// A program is one function of many independent operations on random tensors.
// It is compiled for several processors, run with several numbers of threads,
// and every result is held against the f64 evaluator. Many operations share a
// function because a compilation costs far more than a run.
//
//===----------------------------------------------------------------------===//

#ifndef TEST_UNIT_KERNELS_PROGRAM_H
#define TEST_UNIT_KERNELS_PROGRAM_H

#include "linnet/Checkpoint/Archive.h"
#include "linnet/Driver/Compile.h"
#include "linnet/Reference/HostTensor.h"

#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <vector>

namespace linnet::test {

using Shape = std::vector<int64_t>;

/// A value of the function: `name` is "%x3", `type` "tensor<2x3xf32>".
struct Value {
  std::string name;
  std::string type;
  Shape shape;
};

/// "tensor<2x3xf32>".
std::string typeOf(const Shape &shape, const std::string &element = "f32");

/// Runs per family: 1, or several where LINNET_LONG is set.
int rounds();

class Program {
public:
  explicit Program(uint32_t seed);

  // Random numbers. Distributions of the standard library differ between its
  // implementations; these do not.

  /// In [low, high].
  int64_t integer(int64_t low, int64_t high);
  /// In [low, high).
  double real(double low, double high);
  bool chance(double probability) { return real(0, 1) < probability; }
  template <typename T>
  const T &pick(const std::vector<T> &choices) {
    return choices[size_t(integer(0, int64_t(choices.size()) - 1))];
  }
  std::vector<double> values(const Shape &shape, double low, double high);

  /// An argument of the function: uniform in [low, high), or `values`, rounded
  /// to the element type (f32, bf16, f16, i32, ...).
  Value input(const Shape &shape, double low = -1, double high = 1,
              const std::string &element = "f32");
  Value input(const Shape &shape, std::vector<double> values,
              const std::string &element = "f32");
  /// An argument whose values `draw` gives, anew for every draw of check().
  Value drawn(const Shape &shape, std::function<std::vector<double>()> draw,
              const std::string &element = "f32");
  /// A tensor of the archive. With `wide` it is widened to f32 by arith.extf,
  /// as importers do for glue.
  Value weight(const Shape &shape, double low = -1, double high = 1,
               const std::string &element = "f32", bool wide = false);
  /// The same with these values, rounded to the element type.
  Value weight(const Shape &shape, const std::vector<double> &content,
               const std::string &element);
  /// The key of the last weight().
  const std::string &lastKey() const { return key; }
  /// A constant of type index.
  Value index(int64_t value);

  /// Appends `text`, in which $0, $1, ... stand for operands, with its
  /// functional type behind it. Returns its results of shapes `shapes`.
  std::vector<Value> apply(const std::string &text,
                           const std::vector<Value> &operands,
                           const std::vector<Shape> &shapes,
                           const std::string &element = "f32");
  /// The same with one result and everything spelled out in `text`.
  Value raw(const std::string &text, const std::vector<Value> &operands,
            const Shape &shape, const std::string &element = "f32");
  /// Text in front of the module: aliases.
  void alias(const std::string &text) { before += text; }
  /// Another function of the module.
  void function(const std::string &text) { functions += text; }
  /// A tensor of the archive that functions name.
  void stored(const std::string &name, const Shape &shape, double low = -1,
              double high = 1, const std::string &element = "f32");
  void stored(const std::string &name, const Shape &shape,
              const std::vector<double> &content, const std::string &element);

  /// Makes `value` a result of the function that is compared; `label` names it
  /// in failures. With `special` NaN and infinities have to stand where the
  /// evaluator puts them; without, they fail.
  void expect(const Value &value, const std::string &label,
              double tolerance = 1e-5, bool special = false);
  void expectAll(const std::vector<Value> &values, const std::string &label,
                 double tolerance = 1e-5) {
    for (size_t i = 0; i < values.size(); ++i)
      expect(values[i], label + "#" + std::to_string(i), tolerance);
  }

  /// Errors are relative to at least this root mean square: what is left of
  /// larger numbers that cancel has their error.
  void measureAgainst(double least) { floor = least; }
  /// Processors other than processors().
  void compileFor(std::vector<std::string> names) { cpus = std::move(names); }
  /// Random programs: in short runs program `number` is for one processor, the
  /// next one for the next.
  void takeProcessorsInTurn(int number);

  /// Compiles once, runs with `draws` draws of the drawn arguments and
  /// compares. Results of different numbers of threads have to be equal bit by
  /// bit.
  void check(int draws = 1);
  /// The same for the function with its recurrences and convolutions split
  /// behind `tokens` tokens; the evaluator runs the function as it is.
  void checkSplit(int64_t tokens) {
    splitAt = tokens;
    check();
  }

  /// The same with every recurrence of form `auto` in this form, where it is
  /// legal; the evaluator runs the function as it is.
  void checkForm(const std::string &name) {
    form = name;
    check();
  }

  /// The number of results so far.
  size_t size() const { return results.size(); }

private:
  struct Expectation {
    Value value;
    std::string label;
    double tolerance;
    bool special;
  };
  void redraw();
  void run(const CompiledFunction &compiled, const std::string &cpu,
           const std::vector<HostTensor> &expected);
  Value fresh(const Shape &shape, const std::string &element);
  std::string moduleText(const std::string &archive) const;

  std::mt19937 engine;
  int64_t count = 0;
  int64_t splitAt = 0;
  double floor = 0;
  std::vector<std::string> cpus;
  std::string before, functions, body, key, form;
  Archive archive;
  std::vector<Value> arguments;
  std::vector<std::string> elements;
  std::vector<HostTensor> tensors;
  /// By argument; empty for those that stay.
  std::vector<std::function<std::vector<double>()>> sources;
  std::vector<Expectation> results;
};

/// Whether `actual` is close enough to `expected` by relative RMS; NaN never
/// passes, or with `special` has to be matched by NaN (and an infinity by the
/// same). The message says where the two differ most.
/// The error is relative to at least a root mean square of `floor`.
std::string difference(const HostTensor &actual, const HostTensor &expected,
                       double tolerance, bool special, double floor = 0);

/// Processors to compile for: the machine's own, AVX2 where it has it, and in
/// long runs one with neither.
std::vector<std::string> processors();

} // namespace linnet::test

#endif // TEST_UNIT_KERNELS_PROGRAM_H
