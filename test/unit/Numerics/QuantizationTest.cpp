//===- QuantizationTest.cpp - weights as small integers -------------------===//

#include "linnet/Numerics/Quantization.h"

#include "SparseCases.h"

#include <algorithm>

using namespace linnet;
using namespace linnet::test;

namespace {

using Range = QuantizationFormat::Range;

struct Case {
  std::string name;
  QuantizationFormat format;
};

/// Whether the published code fits the group around a weight: its symmetric
/// range is too short by half where no weight is negative.
bool isFitted(const Matrix &w, int64_t r, int64_t j, const Case &c) {
  if (c.format.range != Range::Centered)
    return true;
  int64_t width = c.format.group ? c.format.group : w.columns();
  const double *group = w.row(r) + j / width * width;
  return *std::min_element(group, group + width) < 0 ||
         *std::max_element(group, group + width) == 0;
}

/// The share of codes that are the oracle's.
double shareOfCodes(const QuantizedMatrix &matrix,
                    const CompressionOracle &oracle, const std::string &name) {
  std::vector<int64_t> codes = oracle.integers(name + "_q");
  EXPECT_EQ(codes.size(), matrix.codes.size());
  int64_t same = 0;
  for (size_t i = 0; i < codes.size(); ++i)
    same += codes[i] == matrix.codes[i];
  return double(same) / double(codes.size());
}

const Range kRanges[] = {Range::Signed, Range::Centered, Range::Offset};

TEST(QuantizationTest, RoundsAsPublished) {
  CompressionOracle oracle("rtn");
  Matrix w = oracle.matrix("W");
  for (auto &[name, format] :
       std::vector<Case>{{"int4_g64_sym", {4, 64, Range::Centered}},
                         {"int4_g64_sym_absmax", {4, 64, Range::Signed}},
                         {"int4_g64_asym", {4, 64, Range::Offset}},
                         {"int4_g32_sym", {4, 32, Range::Centered}},
                         {"int4_g32_sym_absmax", {4, 32, Range::Signed}},
                         {"int8_row_sym", {8, 0, Range::Centered}},
                         {"int8_row_sym_absmax", {8, 0, Range::Signed}},
                         {"int8_row_asym", {8, 0, Range::Offset}}}) {
    QuantizedMatrix matrix = taken(roundToNearest(w, format));
    Matrix dense = matrix.toDense(), published = oracle.matrix(name + "_W"),
           scales = oracle.matrix(name + "_scale");
    std::vector<int64_t> codes = oracle.integers(name + "_q");
    int64_t width = format.group ? format.group : w.columns(), unfitted = 0;
    for (int64_t r = 0; r < w.rows(); ++r)
      for (int64_t j = 0; j < w.columns(); ++j) {
        if (!isFitted(w, r, j, {name, format})) {
          ++unfitted;
          EXPECT_LE(std::abs(dense.at(r, j) - w.at(r, j)),
                    std::abs(published.at(r, j) - w.at(r, j)) +
                        matrix.scales.at(r, j / width));
          continue;
        }
        EXPECT_EQ(matrix.codes[r * w.columns() + j], codes[r * w.columns() + j])
            << name;
        EXPECT_NEAR(dense.at(r, j), published.at(r, j), 1e-12) << name;
        EXPECT_NEAR(matrix.scales.at(r, j / width), scales.at(r, j / width),
                    1e-15);
      }
    EXPECT_LE(unfitted, w.columns()) << name;
    if (format.range == Range::Offset)
      EXPECT_EQ(largestDifference(matrix.zeros, oracle.matrix(name + "_zero")),
                0)
          << name;
  }
}

TEST(QuantizationTest, FeedsErrorsBackAsPublished) {
  CompressionOracle oracle("gptq");
  Matrix w = oracle.matrix("W"), x = oracle.matrix("X"), g = momentOf(x);
  for (auto &[name, format] :
       std::vector<Case>{{"int4_g64_sym", {4, 64, Range::Centered}},
                         {"int4_g64_asym", {4, 64, Range::Offset}},
                         {"int8_row_sym", {8, 0, Range::Centered}}}) {
    QuantizedMatrix matrix = taken(quantizeWithFeedback(w, g, format));
    EXPECT_GE(shareOfCodes(matrix, oracle, name), 0.99) << name;
    auto lossIn = [&](const Matrix &other) {
      return std::sqrt(double(x.columns()) * lossOf(other, w, g));
    };
    const auto &known = oracle.meta["cases"][name];
    EXPECT_NEAR(lossIn(matrix.toDense()) / double(known["loss"]), 1, 1e-3);
    EXPECT_NEAR(lossIn(taken(roundToNearest(w, format)).toDense()) /
                    double(known["loss_rtn"]),
                1, 1e-9);
  }
}

TEST(QuantizationTest, RoundsToHalfAStep) {
  Matrix w = randomMatrix(5, 37, 1);
  for (int64_t bits = 2; bits <= 8; ++bits)
    for (int64_t group : {0, 1, 7, 37, 100})
      for (Range range : kRanges) {
        QuantizedMatrix matrix = taken(roundToNearest(w, {bits, group, range}));
        Matrix dense = matrix.toDense();
        int64_t width = group ? group : 37;
        EXPECT_EQ(matrix.scales.columns(), (37 + width - 1) / width);
        double share = range == Range::Offset ? 1 : 0.5;
        for (int64_t r = 0; r < 5; ++r)
          for (int64_t j = 0; j < 37; ++j)
            EXPECT_LE(std::abs(dense.at(r, j) - w.at(r, j)),
                      matrix.scales.at(r, j / width) * (share + 1e-12));
      }
}

TEST(QuantizationTest, CodesStayInTheirRange) {
  Matrix w = randomMatrix(4, 40, 2);
  for (int64_t bits = 2; bits <= 8; ++bits)
    for (Range range : kRanges) {
      int64_t levels = 1 << bits;
      int64_t most = range == Range::Signed ? levels / 2 - 1 : levels - 1;
      int64_t least = range == Range::Signed ? -most : 0;
      QuantizedMatrix matrix = taken(roundToNearest(w, {bits, 8, range}));
      for (int16_t code : matrix.codes) {
        EXPECT_GE(code, least);
        EXPECT_LE(code, most);
      }
    }
}

TEST(QuantizationTest, IsExactOnItsGrid) {
  Matrix w(1, 5, {-7, 3, 0, 7, 1});
  EXPECT_EQ(largestDifference(
                taken(roundToNearest(w, {4, 0, Range::Signed})).toDense(), w),
            0);
  // Ties go to the even code.
  Matrix ties(1, 4, {0.5, 1.5, 2.5, 7});
  EXPECT_EQ(taken(roundToNearest(ties, {4, 0, Range::Signed})).codes,
            (std::vector<int16_t>{0, 2, 2, 7}));
}

TEST(QuantizationTest, ZerosStayZero) {
  for (Range range : kRanges) {
    EXPECT_EQ(
        norm(taken(roundToNearest(Matrix(2, 6), {4, 3, range})).toDense()), 0);
    Matrix w = randomMatrix(3, 9, 1);
    w.at(1, 4) = 0;
    EXPECT_EQ(taken(roundToNearest(w, {4, 0, range})).toDense().at(1, 4), 0);
  }
}

TEST(QuantizationTest, FeedbackLosesLessThanRounding) {
  for (unsigned seed = 0; seed < 5; ++seed)
    for (Range range : kRanges) {
      Matrix w = randomMatrix(11, 29, seed),
             g = correlatedMoment(29, 40 + seed);
      QuantizationFormat format{3, 10, range};
      EXPECT_LT(
          lossOf(taken(quantizeWithFeedback(w, g, format)).toDense(), w, g),
          lossOf(taken(roundToNearest(w, format)).toDense(), w, g));
    }
}

/// Searched scales lose no more than the widest ones, and are as short as said.
TEST(QuantizationTest, SearchesScales) {
  for (Range range : kRanges) {
    Matrix w = randomMatrix(11, 29, 7);
    // A weight far from the others, which it would coarsen.
    w.at(3, 4) = 1.7 * w.at(3, 4) + 1;
    QuantizationFormat format{4, 10, range}, searched = format;
    searched.scaleSteps = 16;
    searched.scaleDigits = 8;
    QuantizedMatrix found = taken(roundToNearest(w, searched));
    double least = norm(found.toDense() - w);
    EXPECT_LT(least, norm(taken(roundToNearest(w, format)).toDense() - w));
    for (int64_t r = 0; r < found.scales.rows(); ++r)
      for (int64_t c = 0; c < found.scales.columns(); ++c) {
        int exponent = 0;
        double digits =
            std::ldexp(std::frexp(found.scales.at(r, c), &exponent), 8);
        EXPECT_EQ(digits, std::nearbyint(digits));
        EXPECT_NE(digits, 0);
      }
    // On its own grid nothing is lost by the search.
    QuantizedMatrix again = taken(roundToNearest(found.toDense(), searched));
    EXPECT_LT(norm(again.toDense() - found.toDense()), 0.5 * least);
  }
}

/// Zeros are searched as well: weights around a number that is not 0, of which
/// one lies far off, lose less than with the zero of the widest grid, and than
/// with a grid around 0. All zeros stay codes.
TEST(QuantizationTest, SearchesZeros) {
  Matrix w = randomMatrix(11, 30, 12);
  for (int64_t i = 0; i < w.size(); ++i)
    w.data()[i] = std::abs(w.data()[i]) + 0.1;
  for (int64_t r = 0; r < 11; ++r)
    w.at(r, 3 * r % 30) = r % 2 ? 6 : -3;
  QuantizationFormat format{4, 10, Range::Offset, 16, 8},
      around = {4, 10, Range::Centered, 16, 8};
  QuantizedMatrix found = taken(roundToNearest(w, format));
  for (int64_t i = 0; i < found.zeros.size(); ++i) {
    double zero = found.zeros.data()[i];
    EXPECT_EQ(zero, std::nearbyint(zero));
    EXPECT_GE(zero, 0);
    EXPECT_LE(zero, 15);
  }
  double loss = norm(found.toDense() - w);
  EXPECT_LT(loss, 0.9 * norm(taken(roundToNearest(w, around)).toDense() - w));
  // The best of all scales that are tried and all zeros, written out.
  double best = 0;
  for (int64_t r = 0; r < 11; ++r)
    for (int64_t first = 0; first < 30; first += 10) {
      double low = 0, high = 0, least = 1e9;
      for (int64_t j = first; j < first + 10; ++j) {
        low = std::min(low, w.at(r, j));
        high = std::max(high, w.at(r, j));
      }
      for (int64_t step = 0; step <= 16; ++step)
        for (double zero = 0; zero <= 15; ++zero) {
          int exponent = 0;
          double scale = std::frexp((high - low) / 15 *
                                        (1 - 0.4 * double(step) / 16),
                                    &exponent),
                 error = 0;
          scale = std::ldexp(std::nearbyint(scale * 256), exponent - 8);
          for (int64_t j = first; j < first + 10; ++j) {
            double code =
                std::clamp(std::nearbyint(w.at(r, j) / scale) + zero, 0., 15.);
            error += std::pow(scale * (code - zero) - w.at(r, j), 2);
          }
          least = std::min(least, error);
        }
      best += least;
    }
  EXPECT_GE(loss * loss, best * (1 - 1e-12));
  EXPECT_LE(loss * loss, best * 1.01);
}

/// Every sweep lowers the damped loss until none does, in all ranges; rows of
/// few inputs end at a code from which no single step helps.
TEST(QuantizationTest, SweepsLowerTheLoss) {
  for (Range range : kRanges)
    for (int64_t steps : {0, 8}) {
      Matrix w = randomMatrix(11, 29, 8), g = correlatedMoment(29, 9);
      Matrix damped = g;
      for (int64_t j = 0; j < 29; ++j)
        damped.at(j, j) += 0.01 * trace(g) / 29;
      QuantizationFormat format{3, 10, range, steps, 11};
      double last = lossOf(taken(quantizeWithFeedback(w, g, format)).toDense(),
                           w, damped),
             first = last;
      for (int64_t sweeps : {1, 2, 50}) {
        QuantizedMatrix swept =
            taken(quantizeWithFeedback(w, g, format, {.sweeps = sweeps}));
        double loss = lossOf(swept.toDense(), w, damped);
        EXPECT_LE(loss, last * (1 + 1e-12));
        last = loss;
        if (sweeps < 50)
          continue;
        for (int64_t j = 0; j < 29; ++j)
          for (int step : {-1, 1}) {
            QuantizedMatrix other = swept;
            other.codes[5 * 29 + j] += int16_t(step);
            int64_t code = other.codes[5 * 29 + j];
            int64_t low = range == Range::Signed ? -3 : 0,
                    high = range == Range::Signed ? 3 : 7;
            if (code >= low && code <= high)
              EXPECT_GE(lossOf(other.toDense(), w, damped), loss * (1 - 1e-12));
          }
      }
      EXPECT_LT(last, 0.99 * first);
    }
}

/// Inputs of large moments first: of groups that do and do not divide them,
/// each input keeps its own code and group. With moments that descend by
/// themselves nothing changes; otherwise less is lost.
TEST(QuantizationTest, SortsInputs) {
  Matrix w = randomMatrix(40, 50, 3), g = correlatedMoment(50, 4);
  double plain = 0, sorted = 0;
  for (Range range : kRanges)
    for (int64_t group : {0, 7, 10}) {
      QuantizationFormat format{3, group, range, 8, 8};
      QuantizedMatrix codes =
          taken(quantizeWithFeedback(w, g, format, {.sorts = true}));
      sorted += lossOf(codes.toDense(), w, g);
      plain +=
          lossOf(taken(quantizeWithFeedback(w, g, format)).toDense(), w, g);
      // Each weight is near to its own, if not the nearest.
      Matrix off = codes.toDense() - w;
      EXPECT_LT(norm(off), 0.5 * norm(w));
      EXPECT_EQ(codes.scales.columns(), group ? (50 + group - 1) / group : 1);
    }
  EXPECT_LT(sorted, 0.97 * plain);
  // Inputs that have nothing to do with each other within groups.
  Matrix falling(50, 50);
  for (int64_t j = 0; j < 50; ++j)
    falling.at(j, j) = double(100 - j);
  for (int64_t j = 7; j < 50; j += 7)
    falling.at(j, j - 1) = falling.at(j - 1, j) = 20;
  QuantizationFormat format{4, 7, Range::Offset};
  QuantizedMatrix one = taken(quantizeWithFeedback(w, falling, format)),
                  two = taken(quantizeWithFeedback(w, falling, format,
                                                   {.sorts = true}));
  EXPECT_EQ(one.codes, two.codes);
  EXPECT_EQ(largestDifference(one.scales, two.scales), 0);
  EXPECT_EQ(largestDifference(one.zeros, two.zeros), 0);
}

/// Errors of outputs that count together: sweeps lower the loss in the metric,
/// all of them, and end at codes from which no single step helps. A metric of
/// equal outputs is none.
TEST(QuantizationTest, SweepsHeedAMetric) {
  Matrix w = randomMatrix(11, 29, 8), g = correlatedMoment(29, 9),
         metric = correlatedMoment(11, 10);
  Matrix damped = g;
  for (int64_t j = 0; j < 29; ++j)
    damped.at(j, j) += 0.01 * trace(g) / 29;
  auto lossIn = [&](const QuantizedMatrix &codes) {
    Matrix off = codes.toDense() - w;
    return dot(multiply(metric, multiply(off, damped)), off);
  };
  for (Range range : kRanges)
    for (int64_t steps : {0, 8}) {
      QuantizationFormat format{3, 10, range, steps, 11};
      double first = lossIn(taken(quantizeWithFeedback(w, g, format))),
             last = first,
             alone = lossIn(
                 taken(quantizeWithFeedback(w, g, format, {.sweeps = 50})));
      for (int64_t sweeps : {1, 2, 50}) {
        QuantizedMatrix swept = taken(quantizeWithFeedback(
            w, g, format, {.sweeps = sweeps, .metric = metric}));
        double loss = lossIn(swept);
        EXPECT_LE(loss, last * (1 + 1e-12));
        last = loss;
        if (sweeps < 50)
          continue;
        for (int64_t r = 0; r < 11; ++r)
          for (int step : {-1, 1}) {
            QuantizedMatrix other = swept;
            int16_t &code = other.codes[r * 29 + 3 * r % 29];
            code = int16_t(code + step);
            int64_t low = range == Range::Signed ? -3 : 0,
                    high = range == Range::Signed ? 3 : 7;
            if (code >= low && code <= high)
              EXPECT_GE(lossIn(other), loss * (1 - 1e-12));
          }
      }
      EXPECT_LT(last, 0.9 * alone);
      Matrix equal = taken(quantizeWithFeedback(
                               w, g, format,
                               {.sweeps = 9, .metric = Matrix::identity(11)}))
                         .toDense();
      EXPECT_LE(largestDifference(equal, taken(quantizeWithFeedback(
                                                   w, g, format, {.sweeps = 9}))
                                             .toDense()),
                1e-9);
    }
}

/// Inputs that have nothing to do with each other cannot help each other.
TEST(QuantizationTest, FeedbackOfIndependentInputsIsRounding) {
  Matrix w = randomMatrix(4, 23, 1);
  for (Range range : kRanges) {
    QuantizationFormat format{4, 5, range};
    EXPECT_EQ(
        taken(quantizeWithFeedback(w, Matrix::identity(23), format)).codes,
        taken(roundToNearest(w, format)).codes);
  }
}

TEST(QuantizationTest, BlocksChangeNothing) {
  Matrix w = randomMatrix(6, 48, 1), g = correlatedMoment(48, 2);
  for (int64_t group : {0, 8, 10, 32}) {
    QuantizationFormat format{4, group, Range::Signed};
    QuantizedMatrix whole =
        taken(quantizeWithFeedback(w, g, format, {.block = 48}));
    for (int64_t block : {1, 5, 8, 16, 20, 128}) {
      QuantizedMatrix matrix =
          taken(quantizeWithFeedback(w, g, format, {.block = block}));
      EXPECT_LE(largestDifference(matrix.scales, whole.scales), 1e-10)
          << group << " " << block;
      EXPECT_EQ(matrix.codes, whole.codes) << group << " " << block;
    }
  }
}

TEST(QuantizationTest, DeadInputsBecomeZero) {
  Matrix w = randomMatrix(3, 6, 1), x = randomMatrix(6, 30, 2);
  std::fill_n(x.row(4), 30, 0.0);
  Matrix dense = taken(quantizeWithFeedback(w, momentOf(x), {})).toDense();
  for (int64_t r = 0; r < 3; ++r)
    EXPECT_EQ(dense.at(r, 4), 0);
}

TEST(QuantizationTest, CountsItsBits) {
  Matrix w = randomMatrix(3, 10, 1);
  // 30 codes; 3 groups in each of 3 rows.
  EXPECT_EQ(taken(roundToNearest(w, {4, 4, Range::Signed})).bits(), 264);
  EXPECT_EQ(taken(roundToNearest(w, {4, 4, Range::Offset})).bits(), 300);
  EXPECT_EQ(taken(roundToNearest(w, {8, 0, Range::Centered})).bits(32), 336);
}

TEST(QuantizationTest, SizesOfNothing) {
  EXPECT_EQ(taken(roundToNearest(Matrix(0, 4), {})).toDense().columns(), 4);
  EXPECT_EQ(taken(roundToNearest(Matrix(3, 0), {})).toDense().rows(), 3);
  EXPECT_EQ(taken(quantizeWithFeedback(Matrix(3, 0), Matrix(0, 0), {})).rows,
            3);
}

TEST(QuantizationTest, Refuses) {
  expectRefusesOperands([](const Matrix &w, const Matrix &g) {
    return quantizeWithFeedback(w, g, {});
  });
  Matrix w = randomMatrix(3, 4, 1), g = Matrix::identity(4);
  for (int64_t bits : {1, 9})
    EXPECT_EQ(roundToNearest(w, {.bits = bits}).error().str(),
              "expected 2 to 8 bits, but got " + std::to_string(bits));
  EXPECT_EQ(quantizeWithFeedback(w, g, {.group = -1}).error().str(),
            "expected groups of at least 1 input, or 0 for rows, but got -1");
  EXPECT_EQ(quantizeWithFeedback(w, g, {}, {.damping = -1}).error().str(),
            "expected a damping of at least 0, but got -1");
  EXPECT_EQ(quantizeWithFeedback(w, g, {}, {.block = 0}).error().str(),
            "expected a block of at least 1 column, but got 0");
  EXPECT_EQ(quantizeWithFeedback(w, g, {}, {.sweeps = -1}).error().str(),
            "expected sweeps of at least 0, but got -1");
  EXPECT_EQ(quantizeWithFeedback(w, g, {}, {.metric = g}).error().str(),
            "expected a metric of 3 x 3, but got 4 x 4");
  EXPECT_EQ(
      quantizeWithFeedback(w, g, {}, {.metric = kNaN * Matrix::identity(3)})
          .error()
          .str(),
      "expected a finite metric, but got NaN or infinity");
  EXPECT_EQ(roundToNearest(w, {.scaleSteps = -1}).error().str(),
            "expected scale steps and digits of at least 0, but got -1 and 0");
  EXPECT_EQ(roundToNearest(w, {.scaleDigits = -2}).error().str(),
            "expected scale steps and digits of at least 0, but got 0 and -2");
  Matrix bad = w;
  bad.at(2, 3) = kNaN;
  EXPECT_EQ(roundToNearest(bad, {}).error().str(),
            "expected finite weights, but got NaN or infinity");
}

} // namespace
