//===- JsonFormat.cpp - JSON as text --------------------------------------===//
//
// nlohmann writes non-finite numbers as null, which would lose them silently.
//
//===----------------------------------------------------------------------===//

#include "linnet/Support/Json.h"

#include <cmath>

namespace linnet {
namespace {

/// Replaces non-finite numbers in `value` by {"__float__": NAME}.
void spellNonFinite(Json &value) {
  if (value.is_structured()) {
    for (Json &child : value)
      spellNonFinite(child);
    return;
  }
  if (!value.is_number_float())
    return;
  double number = value.get<double>();
  if (std::isnan(number))
    value = Json{{"__float__", "NaN"}};
  else if (std::isinf(number))
    value = Json{{"__float__", number > 0 ? "Infinity" : "-Infinity"}};
}

} // namespace

std::string formatJson(const Json &value, int indent) {
  Json copy = value;
  spellNonFinite(copy);
  return copy.dump(indent, ' ', /*ensure_ascii=*/false,
                   Json::error_handler_t::replace);
}

std::string describeJson(const Json &value) {
  constexpr size_t kMaxLength = 80;
  // A large subtree is not rendered only to be cut.
  if (value.is_structured() && value.size() > 16)
    return (value.is_array() ? "a list of " : "an object of ") +
           std::to_string(value.size()) + " entries";
  std::string text = formatJson(value, /*indent=*/-1);
  if (text.size() > kMaxLength) {
    // Do not cut inside a UTF-8 sequence.
    size_t end = kMaxLength;
    while (end > 0 && (text[end] & 0xC0) == 0x80)
      --end;
    text = text.substr(0, end) + "...";
  }
  return text;
}

} // namespace linnet
