//===- ChannelRefit.cpp - maps around an elementwise function -------------===//

#include "linnet/Numerics/ChannelRefit.h"

#include "linnet/Numerics/LowRank.h"
#include "linnet/Numerics/Moments.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

namespace linnet {
namespace {

using Floats = std::vector<float>;
using Matrices = std::vector<Matrix>;

/// Half of the difference of arguments that slopes are taken of: small beside
/// the curvature of activations, which is about 1, and large beside rounding.
constexpr float kShift = 1.0f / 64;
/// Tokens that are worked on at a time.
constexpr int64_t kBlockTokens = 1024;
/// How often a step that makes nothing better is halved.
constexpr int kHalvings = 4;

Floats toFloats(const Matrix &a) {
  return Floats(a.data(), a.data() + a.size());
}

double dot(const Matrices &a, const Matrices &b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i)
    sum += linnet::dot(a[i], b[i]);
  return sum;
}

/// a += factor b.
void add(Matrices &a, double factor, const Matrices &b) {
  for (size_t i = 0; i < a.size(); ++i)
    for (int64_t e = 0; e < a[i].size(); ++e)
      a[i].data()[e] += factor * b[i].data()[e];
}

Status checkSizes(const ChannelMaps &maps, const ChannelTokens &tokens) {
  int64_t m = maps.consumer.rows(), c = maps.consumer.columns();
  if (maps.producers.empty() || maps.biases.size() != maps.producers.size())
    return makeError("expected producers and as many biases, but got ",
                     maps.producers.size(), " and ", maps.biases.size());
  int64_t n = maps.producers.front().columns();
  for (size_t i = 0; i < maps.producers.size(); ++i) {
    const Matrix &a = maps.producers[i];
    size_t bias = maps.biases[i].size();
    if (a.rows() != c || a.columns() != n || (bias && int64_t(bias) != c))
      return makeError("expected producers of ", c, " x ", n, ", but got ",
                       a.rows(), " x ", a.columns(), " with ", bias, " biases");
  }
  if (int64_t(tokens.inputs.size()) != tokens.count * n ||
      int64_t(tokens.targets.size()) != tokens.count * m)
    return makeError("expected ", tokens.count, " rows of ", n, " inputs and ",
                     m, " targets, but got ", tokens.inputs.size(), " and ",
                     tokens.targets.size(), " numbers");
  return {};
}

/// Maps in f32, as they run on tokens.
class ForwardPass {
public:
  ForwardPass(const ChannelMaps &maps, const ChannelFunction &function)
      : biases(maps.biases), function(function),
        consumer(toFloats(maps.consumer)), m(maps.consumer.rows()),
        c(maps.consumer.columns()), n(maps.producers.front().columns()),
        z(size_t(function.size())) {
    for (const Matrix &a : maps.producers) {
      producers.push_back(toFloats(a));
      y.emplace_back(size_t(function.size()));
    }
  }

  /// Hands on as many tokens at a time as f takes, with their channels z.
  using Visit = std::function<Status(int64_t first, int64_t count)>;
  Status run(const ChannelTokens &tokens, const Visit &visit) {
    int64_t most = function.size() / c;
    if (most < 1)
      return makeError("expected a function of ", c,
                       " entries or more, but got one of ", function.size());
    for (int64_t first = 0; first < tokens.count; first += most) {
      int64_t count = std::min(most, tokens.count - first);
      for (size_t i = 0; i < producers.size(); ++i) {
        mapTokens(producers[i].data(), c, n, tokens.inputs.data() + first * n,
                  count, y[i].data());
        for (int64_t e = 0; e < count * c && !biases[i].empty(); ++e)
          y[i][size_t(e)] += biases[i][size_t(e % c)];
      }
      if (Status status = function.run(y, z); !status)
        return status;
      if (Status status = visit(first, count); !status)
        return status;
    }
    return {};
  }

  const Floats &channels() const { return z; }

  /// t - D z of the tokens at hand.
  const Floats &residuals(const ChannelTokens &tokens, int64_t first,
                          int64_t count) {
    difference.resize(size_t(count * m));
    mapTokens(consumer.data(), m, c, z.data(), count, difference.data());
    const float *t = tokens.targets.data() + first * m;
    for (float &value : difference)
      value = *t++ - value;
    return difference;
  }

  /// Adds the slopes of the tokens at hand.
  Status appendSlopes(int64_t count, std::vector<Floats> &slopes) {
    Floats before(z.size()), after(z.size());
    for (size_t i = 0; i < y.size(); ++i) {
      const Floats kept = y[i];
      for (auto [shift, result] :
           {std::pair(-kShift, &before), std::pair(kShift, &after)}) {
        std::transform(kept.begin(), kept.end(), y[i].begin(),
                       [shift = shift](float value) { return value + shift; });
        if (Status status = function.run(y, *result); !status)
          return status;
      }
      y[i] = kept;
      for (int64_t e = 0; e < count * c; ++e)
        slopes[i].push_back((after[size_t(e)] - before[size_t(e)]) /
                            (2 * kShift));
    }
    return {};
  }

private:
  const std::vector<Floats> &biases;
  const ChannelFunction &function;
  std::vector<Floats> producers;
  Floats consumer;
  int64_t m, c, n;
  std::vector<Floats> y;
  Floats z, difference;
};

/// The least squares problem of a step.
class ProducerSystem {
public:
  ProducerSystem(const Matrix &consumer, const ChannelTokens &tokens,
                 const ChannelSlopes &given, double damping)
      : tokens(tokens), given(given), damping(damping), m(consumer.rows()),
        c(consumer.columns()), n(int64_t(tokens.inputs.size()) / tokens.count),
        transposed(toFloats(consumer.transposed())),
        curvature(toFloats(gram(consumer.transposed()))) {
    MomentSum inputs(n, n);
    inputs.add(tokens.inputs.data(), tokens.inputs.data(), tokens.count);
    moment = inputs.takeMean();
    for (const Floats &slopes : given.slopes) {
      std::vector<double> sums(static_cast<size_t>(c));
      for (size_t e = 0; e < slopes.size(); ++e)
        sums[e % size_t(c)] += double(slopes[e]) * double(slopes[e]);
      for (int64_t j = 0; j < c; ++j)
        sums[size_t(j)] *=
            double(curvature[size_t(j * c + j)]) / double(tokens.count);
      weights.push_back(std::move(sums));
    }
  }

  /// What keeps directions that inputs hardly have from being of any length.
  Status prepare() {
    Matrix ridged =
        moment + damping * trace(moment) / double(n) * Matrix::identity(n);
    Result<Matrix> inverted = invertPositive(std::move(ridged));
    if (!inverted)
      return inverted.error();
    inverse = inverted.take();
    return {};
  }

  /// -1/2 of the slope of the loss at V = 0.
  Matrices rightSide() const {
    return sumProducts([&](int64_t first, int64_t count, Floats &e) {
      mapTokens(transposed.data(), c, m, given.residuals.data() + first * m,
                count, e.data());
    });
  }

  /// Half of the second derivative of the loss, applied to V.
  Matrices apply(const Matrices &v) const {
    std::vector<Floats> maps;
    for (const Matrix &one : v)
      maps.push_back(toFloats(one));
    Floats y(size_t(kBlockTokens * c)), sum;
    Matrices result = sumProducts([&](int64_t first, int64_t count, Floats &e) {
      sum.assign(size_t(count * c), 0);
      for (size_t i = 0; i < maps.size(); ++i) {
        mapTokens(maps[i].data(), c, n, tokens.inputs.data() + first * n, count,
                  y.data());
        const float *s = given.slopes[i].data() + first * c;
        for (int64_t at = 0; at < count * c; ++at)
          sum[size_t(at)] += s[at] * y[size_t(at)];
      }
      mapTokens(curvature.data(), c, c, sum.data(), count, e.data());
    });
    for (size_t i = 0; i < v.size(); ++i)
      result[i] = std::move(result[i]) +
                  scaleRows(damping * multiply(v[i], moment), weights[i]);
    return result;
  }

  /// The inverse of what apply() were if channels had nothing to do with each
  /// other and slopes nothing with inputs.
  Matrices precondition(const Matrices &r) const {
    Matrices result;
    for (size_t i = 0; i < r.size(); ++i) {
      double mean = std::accumulate(weights[i].begin(), weights[i].end(), 0.0) /
                    double(c);
      std::vector<double> factors;
      for (double weight : weights[i])
        factors.push_back(mean > 0 ? 1 / (weight + damping * mean) : 0);
      result.push_back(scaleRows(multiply(r[i], inverse), factors));
    }
    return result;
  }

private:
  /// E[(s_i o e) x^T], where `fill` finds e of some tokens.
  Matrices sumProducts(
      const std::function<void(int64_t, int64_t, Floats &)> &fill) const {
    std::vector<MomentSum> sums(given.slopes.size(), MomentSum(c, n));
    Floats e(size_t(kBlockTokens * c)), product(e.size());
    for (int64_t first = 0; first < tokens.count; first += kBlockTokens) {
      int64_t count = std::min(kBlockTokens, tokens.count - first);
      fill(first, count, e);
      for (size_t i = 0; i < sums.size(); ++i) {
        const float *s = given.slopes[i].data() + first * c;
        for (int64_t at = 0; at < count * c; ++at)
          product[size_t(at)] = s[at] * e[size_t(at)];
        sums[i].add(product.data(), tokens.inputs.data() + first * n, count);
      }
    }
    Matrices means;
    for (MomentSum &sum : sums)
      means.push_back(sum.takeMean());
    return means;
  }

  const ChannelTokens &tokens;
  const ChannelSlopes &given;
  double damping;
  int64_t m, c, n;
  /// D^T and D^T D.
  Floats transposed, curvature;
  /// E[x x^T], and its inverse with a ridge.
  Matrix moment, inverse;
  /// |D_:j|^2 E[s_ij^2].
  std::vector<std::vector<double>> weights;
};

/// Every `parts`th token from `first` on.
ChannelTokens takePart(const ChannelTokens &tokens, int64_t first,
                       int64_t parts) {
  auto n = tokens.inputs.size() / size_t(tokens.count),
       m = tokens.targets.size() / size_t(tokens.count);
  ChannelTokens part;
  for (int64_t t = first; t < tokens.count; t += parts) {
    auto x = tokens.inputs.begin() + std::ptrdiff_t(size_t(t) * n),
         y = tokens.targets.begin() + std::ptrdiff_t(size_t(t) * m);
    part.inputs.insert(part.inputs.end(), x, x + std::ptrdiff_t(n));
    part.targets.insert(part.targets.end(), y, y + std::ptrdiff_t(m));
    ++part.count;
  }
  return part;
}

/// Fits D.
Status refitConsumer(ChannelMaps &maps, const ChannelTokens &tokens,
                     const ChannelFunction &function, double ridge) {
  int64_t m = maps.consumer.rows(), c = maps.consumer.columns();
  MomentSum own(c, c), cross(m, c);
  ForwardPass pass(maps, function);
  if (Status status = pass.run(tokens,
                               [&](int64_t first, int64_t count) -> Status {
                                 const float *z = pass.channels().data();
                                 own.add(z, z, count);
                                 cross.add(tokens.targets.data() + first * m, z,
                                           count);
                                 return {};
                               });
      !status)
    return status;
  Matrix moment = own.takeMean();
  if (!(trace(moment) > 0))
    return {};
  Result<Matrix> fitted = refitTargetInPlace(maps.consumer, cross.takeMean(),
                                             moment, /*trust=*/1, ridge);
  if (!fitted)
    return fitted.error();
  maps.consumer = fitted.take();
  return {};
}

/// Fits the A_i.
Status refitProducers(ChannelMaps &maps, const ChannelTokens &tokens,
                      const ChannelFunction &function,
                      const ChannelRefitOptions &options) {
  ChannelSlopes slopes;
  slopes.slopes.resize(maps.producers.size());
  ForwardPass pass(maps, function);
  if (Status status = pass.run(tokens,
                               [&](int64_t first, int64_t count) -> Status {
                                 const Floats &r =
                                     pass.residuals(tokens, first, count);
                                 slopes.residuals.insert(slopes.residuals.end(),
                                                         r.begin(), r.end());
                                 return pass.appendSlopes(count, slopes.slopes);
                               });
      !status)
    return status;
  Result<Matrices> step = solveProducers(maps.consumer, tokens, slopes,
                                         options.iterations, options.damping);
  if (!step)
    return step.error();
  Result<double> before = channelLoss(maps, tokens, function);
  if (!before)
    return before.error();
  double length = 1;
  for (int i = 0; i < kHalvings; ++i, length /= 2) {
    ChannelMaps next = maps;
    add(next.producers, length, *step);
    Result<double> loss = channelLoss(next, tokens, function);
    if (!loss)
      return loss.error();
    if (*loss < *before) {
      maps = std::move(next);
      return {};
    }
  }
  return {};
}

} // namespace

Result<double> channelLoss(const ChannelMaps &maps, const ChannelTokens &tokens,
                           const ChannelFunction &function) {
  if (Status status = checkSizes(maps, tokens); !status)
    return status.error();
  double sum = 0;
  ForwardPass pass(maps, function);
  Status status = pass.run(tokens, [&](int64_t first, int64_t count) -> Status {
    for (float r : pass.residuals(tokens, first, count))
      sum += double(r) * double(r);
    return {};
  });
  if (!status)
    return status.error();
  return tokens.count ? sum / double(tokens.count) : 0.0;
}

Result<Matrices> solveProducers(const Matrix &consumer,
                                const ChannelTokens &tokens,
                                const ChannelSlopes &slopes, int64_t iterations,
                                double damping) {
  ProducerSystem system(consumer, tokens, slopes, damping);
  if (Status status = system.prepare(); !status)
    return status.error();
  Matrices r = system.rightSide(), z = system.precondition(r), p = z;
  Matrices v;
  for (const Matrix &one : r)
    v.emplace_back(one.rows(), one.columns());
  double size = dot(r, z);
  for (int64_t i = 0; i < iterations && size > 0; ++i) {
    Matrices applied = system.apply(p);
    double along = dot(p, applied);
    // Rounding leaves nothing to gain.
    if (!(along > 0))
      break;
    add(v, size / along, p);
    add(r, -size / along, applied);
    z = system.precondition(r);
    double next = dot(r, z);
    for (Matrix &one : p)
      one = next / size * std::move(one);
    add(p, 1, z);
    size = next;
  }
  return v;
}

Result<ChannelMaps> refitChannels(ChannelMaps maps, const ChannelTokens &tokens,
                                  const ChannelFunction &function,
                                  const ChannelRefitOptions &options) {
  if (Status status = checkSizes(maps, tokens); !status)
    return status.error();
  if (tokens.count == 0 || maps.consumer.size() == 0 ||
      maps.producers.front().size() == 0)
    return maps;
  int64_t parts = (tokens.count + options.stepTokens - 1) / options.stepTokens;
  for (int64_t step = 0; step < options.steps; ++step) {
    if (Status status = refitProducers(
            maps, takePart(tokens, step % parts, parts), function, options);
        !status)
      return status.error();
    if (Status status = refitConsumer(maps, tokens, function, options.damping);
        !status)
      return status.error();
  }
  return maps;
}

} // namespace linnet
