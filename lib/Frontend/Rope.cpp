//===- Rope.cpp - rotary frequencies from a configuration -----------------===//
//
// Frequencies are computed in f64 and rounded once.
//
//===----------------------------------------------------------------------===//

#include "Rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

using namespace linnet;

namespace {

constexpr double kTwoPi = 2 * std::numbers::pi;

/// Wavelengths beyond the original context are stretched by `factor`, short
/// ones kept, those between interpolated.
void scaleLlama3(std::vector<double> &frequencies, Config &rope) {
  double factor = rope.positive("factor");
  double low = rope.positive("low_freq_factor");
  double high = rope.positive("high_freq_factor");
  double original = rope.positive("original_max_position_embeddings");
  if (high <= low)
    rope.reject("high_freq_factor", "a number above low_freq_factor");
  for (double &f : frequencies) {
    double wavelength = kTwoPi / f;
    double t = (original / wavelength - low) / (high - low);
    if (wavelength > original / low)
      f /= factor;
    else if (wavelength >= original / high)
      f = (1 - t) * f / factor + t * f;
  }
}

/// The growth of attention temperature with the context factor.
double yarnMagnitude(double factor, double scale) {
  return factor <= 1 ? 1.0 : 0.1 * scale * std::log(factor) + 1.0;
}

/// Like llama3, but the ramp runs over the pair's number. Returns the factor
/// on cos and sin.
double scaleYarn(std::vector<double> &frequencies, Config &rope, double theta,
                 double maxPositions) {
  double factor = rope.positive("factor");
  double original =
      rope.positive("original_max_position_embeddings", maxPositions);
  double pairs = static_cast<double>(frequencies.size());
  double rotated = 2 * pairs;
  auto pairTurning = [&](double turns) {
    return rotated * std::log(original / (kTwoPi * turns)) /
           (2 * std::log(theta));
  };
  double low = pairTurning(rope.positive("beta_fast", 32.0));
  double high = pairTurning(rope.positive("beta_slow", 1.0));
  if (rope.flag("truncate", true)) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, rotated - 1);
  if (low == high)
    high += 0.001;
  for (size_t m = 0; m < frequencies.size(); ++m) {
    double ramp =
        std::clamp((static_cast<double>(m) - low) / (high - low), 0.0, 1.0);
    frequencies[m] =
        frequencies[m] / factor * ramp + frequencies[m] * (1 - ramp);
  }
  if (rope.find("attention_factor"))
    return rope.positive("attention_factor");
  double scale = rope.number("mscale", 0.0);
  double scaleAll = rope.number("mscale_all_dim", 0.0);
  if (scale != 0 && scaleAll != 0)
    return yarnMagnitude(factor, scale) / yarnMagnitude(factor, scaleAll);
  return yarnMagnitude(factor, 1.0);
}

} // namespace

Rope linnet::readRope(Config &config, int64_t headDim, int64_t maxPositions,
                      RopeDefaults defaults) {
  // Newer files put everything into one object, whose values win.
  bool newer = config.find("rope_parameters");
  Config rope = config.object(newer ? "rope_parameters" : "rope_scaling");
  // Families with one set of frequencies per kind of layer.
  rope.unsupported("full_attention");
  rope.unsupported("sliding_attention");
  double theta = rope.positive("rope_theta",
                               config.positive("rope_theta", defaults.theta));
  double partial =
      rope.positive("partial_rotary_factor",
                    config.positive("partial_rotary_factor", defaults.partial));
  if (theta <= 1)
    (rope.find("rope_theta") ? rope : config)
        .reject("rope_theta", "a number above 1");

  // int(headDim * partial): truncation, as published models were trained.
  double rotated = std::trunc(static_cast<double>(headDim) * partial);
  double odd = std::fmod(rotated, 2);
  bool fits = odd == 0 || (defaults.takesOdd && rotated < double(headDim));
  if (partial > 1 || rotated < 2 || !fits) {
    config.fail(makeError(config.file(),
                          ": expected to rotate an even number "
                          "of the ",
                          headDim, " entries of a head, but got ", rotated,
                          " (partial_rotary_factor ", partial, ")"));
    return {};
  }
  std::vector<double> frequencies(static_cast<size_t>(rotated + odd) / 2);
  for (size_t m = 0; m < frequencies.size(); ++m)
    frequencies[m] = std::pow(theta, -2.0 * static_cast<double>(m) / rotated);

  Rope result;
  std::string type = rope.text("rope_type", rope.text("type", "default"));
  if (type == "linear") {
    double factor = rope.positive("factor");
    for (double &f : frequencies)
      f /= factor;
  } else if (type == "llama3") {
    scaleLlama3(frequencies, rope);
  } else if (type == "yarn") {
    result.scaling = static_cast<float>(
        scaleYarn(frequencies, rope, theta, static_cast<double>(maxPositions)));
  } else if (type != "default") {
    rope.reject(rope.find("rope_type") ? "rope_type" : "type",
                "default, linear, llama3 or yarn");
  }
  result.inverseFrequencies.assign(frequencies.begin(), frequencies.end());
  return result;
}
