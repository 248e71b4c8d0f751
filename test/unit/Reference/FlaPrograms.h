//===- FlaPrograms.h - published mixers as functions ----------*- C++ -*-===//
//
// Programs/NAME.mlir composes what test/oracle/fla/ops/NAME records of several
// operations; the evaluator runs it in f64 and the CPU kernels in f32.
//
//===----------------------------------------------------------------------===//

#ifndef TEST_UNIT_REFERENCE_FLAPROGRAMS_H
#define TEST_UNIT_REFERENCE_FLAPROGRAMS_H

#include "linnet/Checkpoint/Npy.h"
#include "linnet/Reference/HostTensor.h"
#include "linnet/Support/File.h"

#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace linnet::test {

struct FlaProgram {
  std::string op, function;
  std::vector<std::string> inputs;
  std::vector<std::string> outputs = {"o"};
  /// Of the evaluator against the record.
  double tolerance = 1e-12;
  /// Of f32 against the evaluator; 0: not within f32's reach.
  double compiled = 1e-5;

  friend void PrintTo(const FlaProgram &program, std::ostream *out) {
    *out << program.function;
  }

  HostTensor load(const std::string &name) const {
    auto array = readNpy(std::string(LINNET_ORACLE_DIR) + "/fla/ops/" + op +
                         "/" + name + ".npy");
    if (array)
      return HostTensor::fromNpy(*array);
    ADD_FAILURE() << array.error().str();
    return {};
  }
  std::vector<HostTensor> load(const std::vector<std::string> &names) const {
    std::vector<HostTensor> tensors;
    for (const std::string &name : names)
      tensors.push_back(load(name));
    return tensors;
  }

  /// The file up to its first function: aliases, which stand in front of a
  /// module.
  std::string aliases() const { return text().substr(0, begin()); }
  std::string functions() const { return text().substr(begin()); }

private:
  std::string text() const {
    auto content = readFile(std::string(LINNET_SOURCE_DIR) +
                            "/test/unit/Reference/Programs/" + op + ".mlir");
    if (content)
      return content.take();
    ADD_FAILURE() << content.error().str();
    return "func.func";
  }
  size_t begin() const {
    std::string all = text();
    size_t at = all.find("\nfunc.func");
    return at == std::string::npos ? 0 : at + 1;
  }
};

inline std::vector<FlaProgram> flaPrograms() {
  std::vector<std::string> path = {"q", "k", "v", "w", "beta", "g"};
  return {
      {"forgetting_attn", "forgetting_attn", {"q", "k", "v", "g"}},
      {"forgetting_attn", "forgetting_attn_bias", {"q", "k", "v", "g"}},
      {"wall_attn", "wall_attn", {"q", "k", "v", "g"}},
      {"wall_attn", "wall_attn_scores", {"q", "k", "v", "g"}},
      // The product of 67 factors has a condition number of 2e7, which its
      // inverse takes from the digits: 1.4e-9 in f64, 4e-2 in f32.
      {"path_attn", "path_attn", path, {"o"}, 3e-9, 0},
      {"path_attn", "path_attn_scores", path},
      {"deltaformer", "deltaformer", {"q", "k", "v", "beta"}},
      {"log_linear_attn",
       "log_linear_attn",
       {"q", "k", "v", "g", "level_scales"}},
      {"mesa_net",
       "mesa_net",
       {"q", "k", "v", "g", "beta", "lamb", "initial_kk", "initial_kv"},
       {"o", "final_kk", "final_kv"}},
  };
}

} // namespace linnet::test

#endif // TEST_UNIT_REFERENCE_FLAPROGRAMS_H
