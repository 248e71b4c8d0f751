//===- RotaryKernelTest.cpp - rotations against the evaluator -------------===//

#include "Program.h"

#include <cmath>
#include <gtest/gtest.h>

namespace linnet::test {
namespace {

TEST(RotaryKernel, Random) {
  for (int round = 0; round < rounds(); ++round) {
    Program program(4000 + round);
    for (int i = 0; i < 24; ++i) {
      int64_t pairs = program.pick<int64_t>({0, 1, 2, 5, 8, 16, 17, 32, 40});
      int64_t width = 2 * pairs + program.pick<int64_t>({0, 0, 1, 3, 16, 33}) +
                      (pairs == 0);
      Shape shape = {program.integer(1, 2),
                     program.pick<int64_t>({1, 2, 7, 33}),
                     program.integer(1, 5), width};
      int64_t position = program.pick<int64_t>({0, 1, 77, 4096, 131071});
      std::string text =
          "linnet.rotary $0, $1 {inverse_frequencies = array<f32";
      for (int64_t p = 0; p < pairs; ++p) {
        char number[40];
        snprintf(number, sizeof number, "%s %.9e", p ? "," : ":",
                 double(float(std::pow(10000.0, -double(p) / double(pairs)))));
        text += number;
      }
      text += ">";
      bool interleaved = program.chance(0.5);
      if (interleaved)
        text += ", interleaved";
      if (program.chance(0.4))
        text += ", scaling = 1.25 : f32";
      Value x = program.input(shape);
      program.expectAll(
          program.apply(text + "}", {x, program.index(position)}, {shape}),
          (interleaved ? "interleaved " : "half ") + typeOf(shape) + " of " +
              std::to_string(pairs) + " pairs at " + std::to_string(position));
    }
    program.check();
  }
}

} // namespace
} // namespace linnet::test
