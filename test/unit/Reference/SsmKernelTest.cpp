//===- SsmKernelTest.cpp - filters of recorded state space models ---------===//
//
// The recorded models compute their filters by other routes: a Vandermonde
// product (S4D), a Krylov space (LSSL), the Cauchy product of the generating
// function of a diagonal plus low-rank matrix (S4), or the recurrence (S5,
// LRU), whose answer to its initial state is taken off here.
//
//===----------------------------------------------------------------------===//

#include "FlaOracle.h"

#include <cmath>
#include <complex>
#include <gtest/gtest.h>

using namespace linnet;
using namespace linnet::test;

namespace {

using Complex = std::complex<double>;

TEST(SsmKernelTest, S4d) {
  const std::string op = "s4d";
  HostTensor logReal = load(op, "log_A_real"), angles = load(op, "A_imag");
  HostTensor step = load(op, "log_dt"), re = load(op, "C_re"),
             im = load(op, "C_im");
  int64_t H = re.shape[0], N = re.shape[1];
  HostTensor g = HostTensor::filled({H, N}), phase = g, keyRe = g, keyIm = g,
             queryRe = g, queryIm = g;
  for (int64_t i = 0; i < H * N; ++i) {
    double dt = std::exp(step.values[i / N]);
    Complex a(-std::exp(logReal.values[i]), angles.values[i]);
    Complex b = (std::exp(dt * a) - 1.0) / a;
    g.values[i] = dt * a.real();
    phase.values[i] = dt * a.imag();
    keyRe.values[i] = b.real();
    keyIm.values[i] = b.imag();
    queryRe.values[i] = re.values[i];
    queryIm.values[i] = -im.values[i];
  }
  HostTensor expected = load(op, "kernel");
  auto got = runOp("linnet.ssm_kernel #linnet.complex(%2, %3) %0, %1 {scale = "
                   "2.0}",
                   {join(queryRe, queryIm, 1), join(keyRe, keyIm, 1), g, phase},
                   {expected.shape});
  EXPECT_LE(difference(got[0], expected), kTolerance);
}

/// Solves A X = B by elimination with pivots; B of `columns` columns becomes X.
void solve(std::vector<double> a, std::vector<double> &b, int64_t n,
           int64_t columns) {
  for (int64_t c = 0; c < n; ++c) {
    int64_t pivot = c;
    for (int64_t r = c + 1; r < n; ++r)
      if (std::abs(a[r * n + c]) > std::abs(a[pivot * n + c]))
        pivot = r;
    std::swap_ranges(&a[c * n], &a[c * n] + n, &a[pivot * n]);
    std::swap_ranges(&b[c * columns], &b[c * columns] + columns,
                     &b[pivot * columns]);
    for (int64_t r = 0; r < n; ++r) {
      double factor = r == c ? 0 : a[r * n + c] / a[c * n + c];
      for (int64_t j = 0; j < n; ++j)
        a[r * n + j] -= factor * a[c * n + j];
      for (int64_t j = 0; j < columns; ++j)
        b[r * columns + j] -= factor * b[c * columns + j];
    }
  }
  for (int64_t r = 0; r < n; ++r)
    for (int64_t j = 0; j < columns; ++j)
      b[r * columns + j] /= a[r * n + r];
}

/// A dense matrix, discretised by the bilinear transform, per feature.
HostTensor denseFilter(const std::string &op) {
  HostTensor A = load(op, "A"), B = load(op, "Bvec"), C = load(op, "C"),
             step = load(op, "log_dt");
  int64_t H = C.shape[0], N = C.shape[1];
  HostTensor matrices = HostTensor::filled({H, N, N}),
             keys = HostTensor::filled({H, N});
  for (int64_t h = 0; h < H; ++h) {
    double half = std::exp(step.values[h]) / 2;
    std::vector<double> left(N * N), right(N * (N + 1));
    for (int64_t r = 0; r < N; ++r) {
      for (int64_t c = 0; c < N; ++c) {
        double entry = half * A.values[r * N + c];
        left[r * N + c] = (r == c) - entry;
        right[r * (N + 1) + c] = (r == c) + entry;
      }
      right[r * (N + 1) + N] = 2 * half * B.values[r];
    }
    solve(left, right, N, N + 1);
    for (int64_t r = 0; r < N; ++r) {
      for (int64_t c = 0; c < N; ++c)
        matrices.values[(h * N + r) * N + c] = right[r * (N + 1) + c];
      keys.values[h * N + r] = right[r * (N + 1) + N];
    }
  }
  return runOp("linnet.ssm_kernel #linnet.block(%2) %0, %1",
               {C, keys, matrices}, {load(op, "kernel").shape})[0];
}

TEST(SsmKernelTest, Lssl) {
  EXPECT_LE(difference(denseFilter("lssl"), load("lssl", "kernel")),
            kTolerance);
}
/// The two routes differ by the rounding of A to f32, see meta.json.
TEST(SsmKernelTest, S4) {
  EXPECT_LE(difference(denseFilter("s4"), load("s4", "kernel")), kTolerance);
}

/// The real or the imaginary parts of the powers of `poles`.
HostTensor powers(const std::vector<Complex> &poles, int64_t length,
                  bool imaginary) {
  int64_t P = poles.size();
  HostTensor g = HostTensor::filled({1, P}), phase = g;
  for (int64_t p = 0; p < P; ++p) {
    g.values[p] = std::log(std::abs(poles[p]));
    phase.values[p] = std::arg(poles[p]);
  }
  HostTensor q({1, 2}, {imaginary ? 0.0 : 1.0, imaginary ? 1.0 : 0.0}),
      k({1, 2}, {1, 0});
  return runOp("linnet.ssm_kernel #linnet.complex_value(%2, %3) %0, %1",
               {q, k, g, phase}, {{P, length}})[0];
}

/// A state of complex channels whose inputs and outputs are mixed: y = factor
/// Re C x + D u for x = poles x + B u.
void expectMixed(const std::string &op, const std::vector<Complex> &poles,
                 const std::vector<Complex> &inputScale, double factor) {
  HostTensor u = load(op, "u"), D = load(op, "D"), expected = load(op, "o");
  HostTensor bRe = load(op, "B_re"), bIm = load(op, "B_im"),
             cRe = load(op, "C_re"), cIm = load(op, "C_im");
  HostTensor startRe = load(op, "initial_state_re"),
             startIm = load(op, "initial_state_im");
  int64_t B = u.shape[0], T = u.shape[1], H = u.shape[2], P = poles.size();
  HostTensor re = HostTensor::filled({B, T, P}), im = re;
  for (int64_t i = 0; i < B * T; ++i)
    for (int64_t p = 0; p < P; ++p) {
      Complex sum;
      for (int64_t h = 0; h < H; ++h)
        sum += Complex(bRe.values[p * H + h], bIm.values[p * H + h]) *
               u.values[i * H + h];
      sum *= inputScale[p];
      re.values[i * P + p] = sum.real();
      im.values[i * P + p] = sum.imag();
    }
  auto convolve = [&](const HostTensor &x, bool imaginary) {
    return runOp("linnet.long_conv %0, %1", {x, powers(poles, T, imaginary)},
                 {x.shape, {B, T - 1, P}})[0];
  };
  HostTensor rr = convolve(re, false), ii = convolve(im, true),
             ri = convolve(re, true), ir = convolve(im, false);
  HostTensor got = u;
  for (int64_t b = 0; b < B; ++b)
    for (int64_t t = 0; t < T; ++t)
      for (int64_t h = 0; h < H; ++h) {
        Complex sum;
        for (int64_t p = 0; p < P; ++p) {
          int64_t at = (b * T + t) * P + p;
          Complex start(startRe.values[b * P + p], startIm.values[b * P + p]);
          sum += Complex(cRe.values[h * P + p], cIm.values[h * P + p]) *
                 (Complex(rr.values[at] - ii.values[at],
                          ri.values[at] + ir.values[at]) +
                  std::pow(poles[p], t + 1) * start);
        }
        double &y = got.values[(b * T + t) * H + h];
        y = factor * sum.real() + D.values[h] * y;
      }
  EXPECT_LE(difference(got, expected), kTolerance);
}

TEST(SsmKernelTest, S5) {
  HostTensor re = load("s5", "Lambda_re"), im = load("s5", "Lambda_im"),
             step = load("s5", "log_step");
  std::vector<Complex> poles, scale;
  for (int64_t p = 0; p < re.size(); ++p) {
    Complex lambda(re.values[p], im.values[p]);
    poles.push_back(std::exp(lambda * std::exp(step.values[p])));
    scale.push_back((poles.back() - 1.0) / lambda);
  }
  expectMixed("s5", poles, scale, 2);
}

TEST(SsmKernelTest, Lru) {
  HostTensor nu = load("lru", "nu_log"), theta = load("lru", "theta_log"),
             gamma = load("lru", "gamma_log");
  std::vector<Complex> poles, scale;
  for (int64_t p = 0; p < nu.size(); ++p) {
    poles.push_back(
        std::exp(Complex(-std::exp(nu.values[p]), std::exp(theta.values[p]))));
    scale.push_back(std::exp(gamma.values[p]));
  }
  expectMixed("lru", poles, scale, 1);
}

/// The filter is what the scan answers to an impulse, for every kind of
/// transition; a convolution with it is the scan.
TEST(SsmKernelTest, ConvolvingIsScanning) {
  Random random(11);
  const int64_t B = 2, T = 21, H = 2, K = 4, V = 3;
  struct Case {
    const char *transition;
    std::vector<Shape> shapes;
  };
  for (const Case &c :
       std::vector<Case>{{"none", {}},
                         {"scalar", {{H}}},
                         {"diagonal", {{H, K}}},
                         {"value_diagonal", {{H, V}}},
                         {"complex", {{H, K / 2}, {H, K / 2}}},
                         {"complex_value", {{1, V}, {1, V}}},
                         {"block", {{H, K, 2}}},
                         {"delta<scalar>", {{H}, {H}}},
                         {"rank_one<diagonal>", {{H, K}, {H, K}, {H, K}}}}) {
    HostTensor x = random.tensor({B, T, H, V});
    std::vector<HostTensor> operands{random.tensor({H, K}),
                                     random.tensor({H, K})};
    bool perColumn = false;
    for (const Shape &shape : c.shapes) {
      operands.push_back(random.tensor(shape, -0.4, -0.1));
      perColumn |= shape.back() == V;
    }
    std::string list;
    std::vector<HostTensor> scanned{operands[0], operands[1]};
    for (size_t i = 2; i < operands.size(); ++i) {
      list += (list.empty() ? "%" : ", %") + std::to_string(i);
      scanned.push_back(operands[i]);
    }
    for (HostTensor &operand : scanned)
      operand.shape.insert(operand.shape.begin(), 2, 1);
    std::string transition = std::string("#linnet.") + c.transition;
    if (!list.empty())
      transition += "(" + list + ")";
    int64_t channels = H * V;
    HostTensor filter =
        runOp("linnet.ssm_kernel " + transition + " %0, %1 {scale = 0.5}",
              std::vector<Operand>(operands.begin(), operands.end()),
              {{perColumn ? channels : H, T}})[0];
    HostTensor convolved =
        runOp("linnet.long_conv %0, %1", {reshape(x, {B, T, channels}), filter},
              {{B, T, channels}, {B, T - 1, channels}})[0];
    std::vector<HostTensor> parameters(scanned.begin() + 2, scanned.end());
    std::string scanList;
    for (size_t i = 0; i < parameters.size(); ++i)
      scanList += (i ? ", %" : "%") + std::to_string(3 + i);
    std::vector<Operand> all{scanned[0], scanned[1], x};
    all.insert(all.end(), parameters.begin(), parameters.end());
    auto expected = runOp("linnet.scan #linnet." + std::string(c.transition) +
                              (scanList.empty() ? "" : "(" + scanList + ")") +
                              " %0, %1, %2 {scale = 0.5}",
                          all, {x.shape, {B, H, K, V}});
    EXPECT_LE(difference(reshape(convolved, x.shape), expected[0]), kTolerance)
        << c.transition;
  }
}

} // namespace
