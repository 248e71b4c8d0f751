//===- JsonAccess.cpp - typed access to JSON members ----------------------===//
//
// One template does the lookup, the default and the error; the readers below
// only say what they accept.
//
//===----------------------------------------------------------------------===//

#include "linnet/Support/Json.h"

#include <cmath>

namespace linnet {
namespace {

std::optional<int64_t> asInt(const Json &value) {
  if (value.is_number_unsigned()) {
    uint64_t number = value.get<uint64_t>();
    if (number > static_cast<uint64_t>(INT64_MAX))
      return std::nullopt;
    return static_cast<int64_t>(number);
  }
  if (value.is_number_integer())
    return value.get<int64_t>();
  if (value.is_number_float()) {
    double number = value.get<double>();
    // 2^63 is the first double that does not fit.
    if (std::trunc(number) == number && number >= -0x1p63 && number < 0x1p63)
      return static_cast<int64_t>(number);
  }
  return std::nullopt;
}

std::optional<double> asDouble(const Json &value) {
  if (!value.is_number())
    return std::nullopt;
  return value.get<double>();
}

std::optional<bool> asBool(const Json &value) {
  if (!value.is_boolean())
    return std::nullopt;
  return value.get<bool>();
}

std::optional<std::string> asString(const Json &value) {
  if (!value.is_string())
    return std::nullopt;
  return value.get_ref<const std::string &>();
}

template <typename T>
std::optional<std::vector<T>>
asList(const Json &value, std::optional<T> (*element)(const Json &)) {
  if (!value.is_array())
    return std::nullopt;
  std::vector<T> list;
  list.reserve(value.size());
  for (const Json &item : value) {
    std::optional<T> converted = element(item);
    if (!converted)
      return std::nullopt;
    list.push_back(std::move(*converted));
  }
  return list;
}

Error typeError(std::string_view what, std::string_view key,
                std::string_view expected, const Json &value) {
  return makeError(what, ": key '", key, "': expected ", expected, ", but got ",
                   describeJson(value));
}

Error missingError(const Json &object, std::string_view what,
                   std::string_view key) {
  if (!object.is_object())
    return makeError(what, ": expected an object with key '", key,
                     "', but got ", describeJson(object));
  return makeError(what, ": missing key '", key, "'");
}

template <typename T, typename Reader>
Result<T> read(const Json &object, std::string_view key, std::string_view what,
               std::optional<T> dflt, std::string_view expected,
               Reader reader) {
  const Json *value = findJson(object, key);
  if (!value) {
    if (dflt && (object.is_object() || object.is_null()))
      return std::move(*dflt);
    return missingError(object, what, key);
  }
  std::optional<T> converted = reader(*value);
  if (!converted)
    return typeError(what, key, expected, *value);
  return std::move(*converted);
}

} // namespace

const Json *findJson(const Json &object, std::string_view key) {
  if (!object.is_object())
    return nullptr;
  auto it = object.find(key);
  if (it == object.end() || it->is_null())
    return nullptr;
  return &*it;
}

Result<int64_t> getInt(const Json &object, std::string_view key,
                       std::string_view what, std::optional<int64_t> dflt) {
  return read(object, key, what, dflt, "an integer", asInt);
}

Result<double> getDouble(const Json &object, std::string_view key,
                         std::string_view what, std::optional<double> dflt) {
  return read(object, key, what, dflt, "a number", asDouble);
}

Result<bool> getBool(const Json &object, std::string_view key,
                     std::string_view what, std::optional<bool> dflt) {
  return read(object, key, what, dflt, "true or false", asBool);
}

Result<std::string> getString(const Json &object, std::string_view key,
                              std::string_view what,
                              std::optional<std::string> dflt) {
  return read(object, key, what, std::move(dflt), "a string", asString);
}

Result<std::vector<int64_t>> getInts(const Json &object, std::string_view key,
                                     std::string_view what,
                                     std::optional<std::vector<int64_t>> dflt) {
  return read(object, key, what, std::move(dflt), "a list of integers",
              [](const Json &value) { return asList(value, asInt); });
}

Result<std::vector<double>>
getDoubles(const Json &object, std::string_view key, std::string_view what,
           std::optional<std::vector<double>> dflt) {
  return read(object, key, what, std::move(dflt), "a list of numbers",
              [](const Json &value) { return asList(value, asDouble); });
}

Result<std::vector<std::string>>
getStrings(const Json &object, std::string_view key, std::string_view what,
           std::optional<std::vector<std::string>> dflt) {
  return read(object, key, what, std::move(dflt), "a list of strings",
              [](const Json &value) { return asList(value, asString); });
}

Result<const Json *> getObject(const Json &object, std::string_view key,
                               std::string_view what) {
  const Json *value = findJson(object, key);
  if (!value)
    return missingError(object, what, key);
  if (!value->is_object())
    return typeError(what, key, "an object", *value);
  return value;
}

} // namespace linnet
