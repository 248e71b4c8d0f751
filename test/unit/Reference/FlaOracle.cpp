//===- FlaOracle.cpp - recorded recurrences as operands -------------------===//

#include "FlaOracle.h"

#include "linnet/Checkpoint/Npy.h"
#include "linnet/Support/Json.h"

#include <gtest/gtest.h>

using namespace linnet;
using namespace linnet::test;

static std::string pathOf(const std::string &op, const std::string &file) {
  return std::string(LINNET_ORACLE_DIR) + "/fla/ops/" + op + "/" + file;
}

HostTensor linnet::test::load(const std::string &op, const std::string &name) {
  auto array = readNpy(pathOf(op, name + ".npy"));
  if (array)
    return HostTensor::fromNpy(*array);
  ADD_FAILURE() << array.error().str();
  return {};
}

/// The scale of meta.json; 1 where it says none.
double linnet::test::loadScale(const std::string &op) {
  auto meta = readJsonFile(pathOf(op, "meta.json"));
  if (!meta) {
    ADD_FAILURE() << meta.error().str();
    return 1;
  }
  const Json *scale = findJson(*meta, "scale");
  return scale && scale->is_number() ? scale->get<double>() : 1;
}

HostTensor linnet::test::reshape(HostTensor tensor, Shape shape) {
  tensor.shape = std::move(shape);
  return tensor;
}

static std::string formatScale(double scale) {
  char text[40];
  snprintf(text, sizeof(text), "%.17e", scale);
  return text;
}

std::vector<HostTensor> linnet::test::runScaled(
    double scale, const std::string &transition, const HostTensor &q,
    const HostTensor &k, const HostTensor &v,
    const std::vector<HostTensor> &parameters, const HostTensor &initial,
    std::string attributes, std::string bonus) {
  std::vector<Operand> operands{q, k, v};
  operands.insert(operands.end(), parameters.begin(), parameters.end());
  operands.push_back(initial);
  std::string text = "linnet.scan " + transition + " %0, %1, %2 " + bonus +
                     " initial(%" + std::to_string(operands.size() - 1) +
                     ") {scale = " + formatScale(scale) + " : f64" +
                     attributes + "}";
  Shape out = v.shape;
  out[2] = initial.shape[1]; // v has a group of heads per micro-step
  return runOp(text, operands, {out, initial.shape});
}

std::vector<HostTensor> linnet::test::runScan(
    const std::string &op, const std::string &transition, const HostTensor &q,
    const HostTensor &k, const HostTensor &v,
    const std::vector<HostTensor> &parameters, const HostTensor &initial,
    std::string attributes, std::string bonus) {
  return runScaled(loadScale(op), transition, q, k, v, parameters, initial,
                   attributes, bonus);
}

void linnet::test::expectResults(const std::string &op,
                                 const std::vector<HostTensor> &got) {
  EXPECT_LE(difference(got[0], load(op, "o")), kTolerance) << op;
  EXPECT_LE(difference(got[1], load(op, "final_state")), kTolerance) << op;
}
