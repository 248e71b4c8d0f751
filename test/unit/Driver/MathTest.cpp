//===- MathTest.cpp - accuracy of expanded functions ----------------------===//
//
// Every function is compiled for vectors and for scalars, run over a sweep of
// its domain, and compared with f64.
//
//===----------------------------------------------------------------------===//

#include "CompileText.h"

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>

namespace linnet {
namespace {

using Kernel = void(const float *, float *, int64_t);

constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// The library of one function: `apply` works on vectors of eight, `one` on a
/// scalar; both over n values.
std::string moduleFor(const std::string &body) {
  auto instance = [&](const std::string &name, const std::string &type,
                      const std::string &load, const std::string &store,
                      const std::string &step) {
    std::string text = "func.func @" + name +
                       "(%in: memref<1048576xf32>, %out: "
                       "memref<1048576xf32>, %n: index) attributes "
                       "{linnet.phase = \"run\"} {\n"
                       "  %zero = arith.constant 0 : index\n"
                       "  %step = arith.constant " +
                       step +
                       " : index\n"
                       "  scf.for %i = %zero to %n step %step {\n" +
                       load + body + store + "  }\n  return\n}\n";
    for (size_t at; (at = text.find("TYPE")) != std::string::npos;)
      text.replace(at, 4, type);
    return text;
  };
  std::string wide = "memref<1048576xf32>, vector<8xf32>\n";
  return instance("apply", "vector<8xf32>",
                  "  %x = vector.load %in[%i] : " + wide,
                  "  vector.store %y, %out[%i] : " + wide, "8") +
         instance("one", "f32",
                  "  %x = memref.load %in[%i] : memref<1048576xf32>\n",
                  "  memref.store %y, %out[%i] : memref<1048576xf32>\n", "1");
}

struct Sweep {
  std::string body;
  std::function<double(double)> exact;
  float low, high;
  /// Relative, or absolute if `absolute`.
  double tolerance = 2e-7;
  bool absolute = false;
};

void check(const Sweep &sweep, const std::string &mcpu) {
  LoadedText library(moduleFor(sweep.body), mcpu);
  if (testing::Test::HasFailure())
    return;
  constexpr int64_t n = 1 << 20;
  std::vector<float> in(n), out(n), scalar(n);
  for (int64_t i = 0; i < n; ++i)
    in[i] = sweep.low + (double(sweep.high) - sweep.low) * i / (n - 1);
  // A logarithmic part, so that small arguments are met too.
  for (int64_t i = 0; i < n / 4; ++i) {
    float x = std::exp2(-20.0 + 18.0 * i / (n / 4));
    if (x < sweep.high)
      in[4 * i] = (i & 1) && -x > sweep.low ? -x : x;
  }
  library.find<Kernel>("apply")(in.data(), out.data(), n);
  library.find<Kernel>("one")(in.data(), scalar.data(), n);
  double worst = 0;
  float at = 0;
  for (int64_t i = 0; i < n; ++i) {
    double exact = sweep.exact(in[i]);
    double scale = sweep.absolute ? 1.0 : std::abs(exact);
    if (scale < std::numeric_limits<float>::min())
      scale = std::numeric_limits<float>::min();
    double error =
        std::max(std::abs(out[i] - exact), std::abs(scalar[i] - exact)) / scale;
    if (!(error <= worst)) {
      worst = error;
      at = in[i];
    }
  }
  EXPECT_LE(worst, sweep.tolerance)
      << sweep.body << " at " << at << " on " << mcpu;
}

void checkEverywhere(const Sweep &sweep) {
  check(sweep, "native");
  // Without fused operations and with two-operand instructions.
  check(sweep, "generic");
}

std::string unary(const std::string &name) {
  return "  %y = math." + name + " %x : TYPE\n";
}

TEST(Math, Exp) {
  checkEverywhere(
      {unary("exp"), [](double x) { return std::exp(x); }, -87.3f, 88.7f});
}
TEST(Math, Exp2) {
  checkEverywhere(
      {unary("exp2"), [](double x) { return std::exp2(x); }, -125.9f, 127.9f});
}
TEST(Math, ExpM1) {
  checkEverywhere(
      {unary("expm1"), [](double x) { return std::expm1(x); }, -30.0f, 88.0f});
}
TEST(Math, Log) {
  checkEverywhere(
      {unary("log"), [](double x) { return std::log(x); }, 1e-30f, 1e30f});
  checkEverywhere(
      {unary("log"), [](double x) { return std::log(x); }, 0.01f, 3.0f});
}
TEST(Math, Log1p) {
  checkEverywhere(
      {unary("log1p"), [](double x) { return std::log1p(x); }, -0.999f, 20.0f});
}
TEST(Math, Tanh) {
  checkEverywhere(
      {unary("tanh"), [](double x) { return std::tanh(x); }, -12.0f, 12.0f});
}
TEST(Math, Erf) {
  checkEverywhere(
      {unary("erf"), [](double x) { return std::erf(x); }, -5.0f, 5.0f});
}
TEST(Math, Sine) {
  checkEverywhere({unary("sin"), [](double x) { return std::sin(x); }, -1e6f,
                   1e6f, 2e-7, true});
  checkEverywhere({unary("cos"), [](double x) { return std::cos(x); }, -1e6f,
                   1e6f, 2e-7, true});
}
TEST(Math, Rsqrt) {
  checkEverywhere(
      {unary("rsqrt"), [](double x) { return 1 / std::sqrt(x); }, 1e-6f, 1e6f});
}
TEST(Math, Softplus) {
  Sweep sweep;
  sweep.body = "  %e = math.exp %x : TYPE\n  %y = math.log1p %e : TYPE\n";
  sweep.exact = [](double x) { return std::log1p(std::exp(x)); };
  sweep.low = -60.0f;
  sweep.high = 60.0f;
  sweep.tolerance = 3e-7; // of two functions
  checkEverywhere(sweep);
}
TEST(Math, Rounding) {
  checkEverywhere({unary("floor"), [](double x) { return std::floor(x); },
                   -1e4f, 1e4f, 0, true});
  checkEverywhere({unary("ceil"), [](double x) { return std::ceil(x); }, -1e4f,
                   1e4f, 0, true});
  checkEverywhere({unary("trunc"), [](double x) { return std::trunc(x); },
                   -1e9f, 1e9f, 0, true});
  checkEverywhere({unary("round"), [](double x) { return std::round(x); },
                   -3e3f, 3e3f, 0, true});
  checkEverywhere({unary("roundeven"),
                   [](double x) { return std::nearbyint(x); }, -3e3f, 3e3f, 0,
                   true});
}

/// What `apply` makes of one value.
float applyTo(LoadedText &library, float x) {
  float in[8], out[8];
  std::fill(in, in + 8, x);
  library.find<Kernel>("apply")(in, out, 8);
  float scalar;
  library.find<Kernel>("one")(in, &scalar, 1);
  EXPECT_EQ(std::memcmp(&scalar, out, sizeof(float)), 0) << x;
  return out[0];
}

TEST(Math, ExpSpecialValues) {
  for (const char *mcpu : {"native", "generic"}) {
    LoadedText exp(moduleFor(unary("exp")), mcpu);
    EXPECT_EQ(applyTo(exp, 0.0f), 1.0f);
    EXPECT_EQ(applyTo(exp, -kInfinity), 0.0f);
    EXPECT_EQ(applyTo(exp, -1e30f), 0.0f);
    EXPECT_EQ(applyTo(exp, -200.0f), 0.0f);
    EXPECT_NEAR(applyTo(exp, -95.0f), std::exp(-95.0), 1.5e-45);
    EXPECT_EQ(applyTo(exp, kInfinity), kInfinity);
    EXPECT_EQ(applyTo(exp, 89.0f), kInfinity);
    EXPECT_TRUE(std::isnan(applyTo(exp, NAN)));
    EXPECT_TRUE(std::isnan(applyTo(exp, -NAN)));
  }
}

TEST(Math, OtherSpecialValues) {
  LoadedText log(moduleFor(unary("log")));
  EXPECT_EQ(applyTo(log, 0.0f), -kInfinity);
  EXPECT_EQ(applyTo(log, kInfinity), kInfinity);
  EXPECT_EQ(applyTo(log, 1.0f), 0.0f);
  EXPECT_TRUE(std::isnan(applyTo(log, -1.0f)));
  EXPECT_TRUE(std::isnan(applyTo(log, NAN)));
  EXPECT_NEAR(applyTo(log, 1e-42f), std::log(double(1e-42f)), 1e-5);
  LoadedText log1p(moduleFor(unary("log1p")));
  EXPECT_EQ(applyTo(log1p, -1.0f), -kInfinity);
  EXPECT_EQ(applyTo(log1p, kInfinity), kInfinity);
  EXPECT_EQ(applyTo(log1p, 1e-38f), 1e-38f);
  EXPECT_TRUE(std::signbit(applyTo(log1p, -0.0f)));
  EXPECT_TRUE(std::isnan(applyTo(log1p, -2.0f)));
  EXPECT_TRUE(std::isnan(applyTo(log1p, NAN)));
  LoadedText tanh(moduleFor(unary("tanh")));
  EXPECT_EQ(applyTo(tanh, kInfinity), 1.0f);
  EXPECT_EQ(applyTo(tanh, -kInfinity), -1.0f);
  EXPECT_TRUE(std::isnan(applyTo(tanh, NAN)));
  LoadedText erf(moduleFor(unary("erf")));
  EXPECT_EQ(applyTo(erf, kInfinity), 1.0f);
  EXPECT_EQ(applyTo(erf, -kInfinity), -1.0f);
  EXPECT_TRUE(std::isnan(applyTo(erf, NAN)));
  LoadedText expm1(moduleFor(unary("expm1")));
  EXPECT_EQ(applyTo(expm1, -kInfinity), -1.0f);
  EXPECT_EQ(applyTo(expm1, kInfinity), kInfinity);
  EXPECT_TRUE(std::isnan(applyTo(expm1, NAN)));
  LoadedText floor(moduleFor(unary("floor")));
  EXPECT_EQ(applyTo(floor, kInfinity), kInfinity);
  EXPECT_EQ(applyTo(floor, -8388609.0f), -8388609.0f);
  EXPECT_TRUE(std::isnan(applyTo(floor, NAN)));
}

/// All 65536 halves there and back, with and without the instruction.
TEST(Math, HalfConversions) {
  std::string text = R"(
    func.func @widen(%in: memref<65536xf16>, %out: memref<65536xf32>)
        attributes {linnet.phase = "run"} {
      %zero = arith.constant 0 : index
      %step = arith.constant 8 : index
      %n = arith.constant 65536 : index
      scf.for %i = %zero to %n step %step {
        %x = vector.load %in[%i] : memref<65536xf16>, vector<8xf16>
        %y = arith.extf %x : vector<8xf16> to vector<8xf32>
        vector.store %y, %out[%i] : memref<65536xf32>, vector<8xf32>
      }
      return
    }
    func.func @narrow(%in: memref<65536xf32>, %out: memref<65536xf16>)
        attributes {linnet.phase = "run"} {
      %zero = arith.constant 0 : index
      %step = arith.constant 8 : index
      %n = arith.constant 65536 : index
      scf.for %i = %zero to %n step %step {
        %x = vector.load %in[%i] : memref<65536xf32>, vector<8xf32>
        %y = arith.truncf %x : vector<8xf32> to vector<8xf16>
        vector.store %y, %out[%i] : memref<65536xf16>, vector<8xf16>
      }
      return
    })";
  LoadedText software(text, "generic");
  std::vector<uint16_t> halves(65536), back(65536);
  for (int i = 0; i < 65536; ++i)
    halves[i] = i;
  std::vector<float> floats(65536);
  software.find<void(const uint16_t *, float *)>("widen")(halves.data(),
                                                          floats.data());
  for (int i = 0; i < 65536; ++i) {
    _Float16 half;
    std::memcpy(&half, &halves[i], 2);
    if (std::isnan(float(half)))
      EXPECT_TRUE(std::isnan(floats[i]));
    else
      EXPECT_EQ(floats[i], float(half)) << i;
  }
  // Between neighbours, so that rounding matters; overflow included.
  for (int i = 0; i < 65536; ++i) {
    float x = floats[i];
    if (std::isfinite(x))
      floats[i] = x * (1.0f + (i % 7 - 3) * 0.00025f);
  }
  software.find<void(const float *, uint16_t *)>("narrow")(floats.data(),
                                                           back.data());
  for (int i = 0; i < 65536; ++i) {
    _Float16 expected = static_cast<_Float16>(floats[i]);
    uint16_t bits;
    std::memcpy(&bits, &expected, 2);
    if (std::isnan(floats[i]))
      EXPECT_EQ(back[i] & 0x7fff, 0x7e00);
    else
      EXPECT_EQ(back[i], bits) << floats[i];
  }
}

} // namespace
} // namespace linnet
