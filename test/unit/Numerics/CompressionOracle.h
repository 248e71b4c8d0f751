//===- CompressionOracle.h - outside results of compression ---*- C++ -*-===//
//
// test/oracle/compression/NAME: operands and results of the published
// algorithms' own code or of exact computations, and what they were found to
// agree with (meta.json).
//
//===----------------------------------------------------------------------===//

#ifndef TEST_UNIT_NUMERICS_COMPRESSIONORACLE_H
#define TEST_UNIT_NUMERICS_COMPRESSIONORACLE_H

#include "linnet/Checkpoint/Npy.h"
#include "linnet/Numerics/Matrix.h"

#include <cmath>
#include <fstream>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <random>

namespace linnet::test {

class CompressionOracle {
public:
  explicit CompressionOracle(const std::string &name)
      : folder(std::string(LINNET_ORACLE_DIR) + "/compression/" + name + "/") {
    std::ifstream file(folder + "meta.json");
    EXPECT_TRUE(file.good()) << folder;
    meta = nlohmann::json::parse(file);
  }

  NpyArray array(const std::string &name) const {
    auto array = readNpy(folder + name + ".npy");
    EXPECT_TRUE(bool(array)) << array.error().str();
    return array ? array.take() : NpyArray();
  }

  /// An array of up to two dimensions; one is a row.
  Matrix matrix(const std::string &name) const {
    NpyArray entries = array(name);
    EXPECT_LE(entries.shape.size(), 2u);
    int64_t columns = entries.shape.empty() ? 1 : entries.shape.back();
    return Matrix(columns ? int64_t(entries.size()) / columns : 0, columns,
                  entries.toF64());
  }

  std::vector<double> numbers(const std::string &name) const {
    return array(name).toF64();
  }

  std::vector<int64_t> integers(const std::string &name) const {
    auto integers = array(name).toI64();
    EXPECT_TRUE(bool(integers)) << integers.error().str();
    return integers ? integers.take() : std::vector<int64_t>();
  }

  nlohmann::json meta;

private:
  std::string folder;
};

/// What a function returned, which must be no error.
template <typename T>
T taken(Result<T> result) {
  EXPECT_TRUE(bool(result)) << (result ? "" : result.error().str());
  return result ? result.take() : T();
}

inline Matrix randomMatrix(int64_t rows, int64_t columns, unsigned seed) {
  std::mt19937 engine(seed);
  std::normal_distribution<double> normal;
  Matrix result(rows, columns);
  for (int64_t e = 0; e < result.size(); ++e)
    result.data()[e] = normal(engine);
  return result;
}

/// The largest |a_ij - b_ij|; NaN if one is NaN.
inline double largestDifference(const Matrix &a, const Matrix &b) {
  EXPECT_EQ(a.rows(), b.rows());
  EXPECT_EQ(a.columns(), b.columns());
  double most = 0;
  for (int64_t e = 0; e < std::min(a.size(), b.size()); ++e) {
    double difference = std::abs(a.data()[e] - b.data()[e]);
    if (std::isnan(difference))
      return difference;
    most = std::max(most, difference);
  }
  return most;
}

} // namespace linnet::test

#endif // TEST_UNIT_NUMERICS_COMPRESSIONORACLE_H
