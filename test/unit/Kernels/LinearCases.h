//===- LinearCases.h - random linear maps for tests -----------*- C++ -*-===//

#ifndef TEST_UNIT_KERNELS_LINEARCASES_H
#define TEST_UNIT_KERNELS_LINEARCASES_H

#include "Program.h"

namespace linnet::test {

inline const std::vector<int64_t> kWidths = {1, 3, 16, 17, 63, 64, 65, 130};
inline const std::vector<std::string> kTypes = {"f32", "bf16", "f16"};

inline std::string describe(const std::string &what, const Shape &shape,
                            int64_t in, int64_t out, const std::string &type) {
  return what + " " + typeOf(shape) + " " + std::to_string(in) + "->" +
         std::to_string(out) + " " + type;
}

/// "[2, 3]".
inline std::string listOf(const Shape &shape) {
  std::string text;
  for (int64_t size : shape)
    text += (text.empty() ? "[" : ", ") + std::to_string(size);
  return text + "]";
}

/// A dense map of random storage, rank, type and bias.
inline void addDense(Program &program, Shape lead, int64_t in, int64_t out) {
  const std::string &type = program.pick(kTypes);
  bool inOut = program.chance(0.4), bias = program.chance(0.5);
  Shape shape = lead;
  shape.push_back(in);
  Value x = program.input(shape);
  std::vector<Value> operands = {
      x, program.weight(inOut ? Shape{in, out} : Shape{out, in}, -1, 1, type)};
  std::string text = std::string("linnet.linear #linnet.dense") +
                     (inOut ? "<in_out>" : "") + " $0, $1";
  if (bias) {
    operands.push_back(program.weight({out}, -1, 1, program.pick(kTypes)));
    text += " bias($2)";
  }
  Shape result = lead;
  result.push_back(out);
  program.expectAll(program.apply(text, operands, {result}),
                    describe(text, shape, in, out, type));
}

inline Shape leadOf(Program &program) {
  switch (program.integer(0, 4)) {
  case 0:
    return {};
  case 1:
    return {program.integer(1, 9)};
  case 2:
    return {1, program.pick<int64_t>({1, 2, 3, 4, 5, 7, 8, 13, 33})};
  case 3:
    return {program.integer(1, 2), program.integer(1, 5),
            program.integer(1, 5)};
  default:
    return {program.integer(1, 3), program.integer(1, 9)};
  }
}

/// A map of `text` to `out` features, with a bias or without.
inline void expectMap(Program &program, std::string text,
                      std::vector<Value> operands, const Shape &shape,
                      int64_t in, int64_t out, const std::string &type) {
  if (program.chance(0.5)) {
    text += " bias($" + std::to_string(operands.size()) + ")";
    operands.push_back(program.weight({out}, -1, 1, type));
  }
  Shape result = shape;
  result.back() = out;
  program.expectAll(program.apply(text, operands, {result}),
                    describe(text, shape, in, out, type));
}

/// The numbers below `size` in a random order.
inline std::vector<double> orderOf(Program &program, int64_t size) {
  std::vector<double> order(size);
  for (int64_t i = 0; i < size; ++i) {
    int64_t other = program.integer(0, i);
    order[i] = order[other];
    order[other] = double(i);
  }
  return order;
}

/// Factors of `quantized<bits, group>` with zeros or without, and its name.
inline std::string addCodes(Program &program, std::vector<Value> &operands,
                            int64_t out, int64_t in, int64_t bits,
                            int64_t group, bool hasZeros,
                            const std::string &type) {
  int64_t groups = (in + group - 1) / group;
  operands.push_back(program.weight({out, in * bits / 8}, -128, 128, "i8"));
  operands.push_back(program.weight({out, groups}, 0.01, 1, type));
  if (hasZeros)
    operands.push_back(program.weight({out, groups}, -128, 128, "i8"));
  return "quantized<" + std::to_string(bits) + ", " + std::to_string(group) +
         (hasZeros ? ", zeros>" : ">");
}

} // namespace linnet::test

#endif // TEST_UNIT_KERNELS_LINEARCASES_H
