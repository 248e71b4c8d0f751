//===- Compare.cpp - a result beside what it should be --------------------===//

#include "Compare.h"

#include "Command.h"

#include <algorithm>
#include <cmath>

namespace linnet::runtool {

/// The index of the first value that is not finite, or -1.
static int64_t firstNonFinite(const HostTensor &tensor) {
  for (int64_t i = 0; i < tensor.size(); ++i)
    if (!std::isfinite(tensor.values[i]))
      return i;
  return -1;
}

/// "[0, 3, 17]": where the flat index `at` stands.
static std::string place(const HostTensor &tensor, int64_t at) {
  std::vector<int64_t> index(tensor.shape.size());
  for (size_t d = index.size(); d-- > 0; at /= tensor.shape[d])
    index[d] = at % tensor.shape[d];
  return formatShape(index);
}

static std::string format(double value) {
  char text[32];
  snprintf(text, sizeof text, "%.3g", value);
  return text;
}

Status compare(const std::string &name, const HostTensor &actual,
               const HostTensor &expected, double tolerance) {
  if (actual.shape != expected.shape)
    return makeError(name, ": expected shape ", formatShape(expected.shape),
                     ", but got ", formatShape(actual.shape));
  for (const HostTensor *side : {&actual, &expected})
    if (int64_t at = firstNonFinite(*side); at >= 0)
      return makeError(name, ": expected finite numbers, but got ",
                       side->values[at], " at ", place(*side, at),
                       side == &expected ? " of what was expected" : "");
  double difference = 0, norm = 0, largest = 0;
  for (int64_t i = 0; i < actual.size(); ++i) {
    double error = actual.values[i] - expected.values[i];
    difference += error * error;
    norm += expected.values[i] * expected.values[i];
    largest = std::max(largest, std::fabs(error));
  }
  // Where all is zero, only zero is right.
  double relative = difference == 0 ? 0 : std::sqrt(difference / norm);
  if (Status status = print(name + ": relative RMS error " + format(relative) +
                            ", max abs " + format(largest) + "\n");
      !status)
    return status;
  if (!(relative <= tolerance))
    return makeError(name, ": expected a relative RMS error of at most ",
                     format(tolerance), ", but got ", format(relative));
  return {};
}

HostTensor lastRows(const HostTensor &tensor, int64_t rows) {
  HostTensor last;
  last.shape = tensor.shape;
  last.shape[1] = rows;
  int64_t width = 1;
  for (size_t d = 2; d < tensor.shape.size(); ++d)
    width *= tensor.shape[d];
  for (int64_t b = 0; b < tensor.shape[0]; ++b) {
    auto end = tensor.values.begin() + (b + 1) * tensor.shape[1] * width;
    last.values.insert(last.values.end(), end - rows * width, end);
  }
  return last;
}

std::string summarize(const HostTensor &tensor) {
  std::string text = formatShape(tensor.shape);
  if (tensor.values.empty())
    return text;
  if (tensor.size() <= 64) {
    text += ":";
    for (double value : tensor.values)
      text += " " + format(value);
    return text;
  }
  auto [least, most] =
      std::minmax_element(tensor.values.begin(), tensor.values.end());
  double sum = 0;
  for (double value : tensor.values)
    sum += value;
  text += ": min " + format(*least) + ", max " + format(*most) + ", mean " +
          format(sum / double(tensor.size()));
  if (int64_t at = firstNonFinite(tensor); at >= 0)
    text += ", not finite at " + place(tensor, at);
  return text;
}

} // namespace linnet::runtool
