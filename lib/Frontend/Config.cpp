//===- Config.cpp - a model's configuration -------------------------------===//

#include "Config.h"

#include <algorithm>
#include <cmath>

using namespace linnet;

Config::Config(Json json, std::string what)
    : json(std::move(json)), what(std::move(what)),
      first(std::make_shared<std::optional<Error>>()) {
  if (!this->json.is_object()) {
    fail(makeError(this->what, ": expected an object, but got ",
                   describeJson(this->json)));
    this->json = Json::object();
  }
}

void Config::fail(Error error) {
  if (!*first)
    *first = std::move(error);
}

template <typename T>
T Config::take(Result<T> result, T harmless) {
  if (result)
    return result.take();
  fail(result.error());
  return harmless;
}

const Json *Config::find(std::string_view key) const {
  return findJson(json, key);
}

bool Config::isNull(std::string_view key) const {
  return has(key) && !find(key);
}

void Config::reject(std::string_view key, std::string_view expected) {
  const Json *value = find(key);
  fail(makeError(what, ": key '", key, "': expected ", expected, ", but got ",
                 value ? describeJson(*value) : "none"));
}

int64_t Config::size(std::string_view key, std::optional<int64_t> dflt,
                     int64_t max) {
  int64_t value = take(getInt(json, key, what, dflt), int64_t(1));
  if (value >= 1 && value <= max)
    return value;
  reject(key, "an integer from 1 to " + std::to_string(max));
  return 1;
}

double Config::positive(std::string_view key, std::optional<double> dflt) {
  double value = take(getDouble(json, key, what, dflt), 1.0);
  if (std::isfinite(value) && value > 0)
    return value;
  reject(key, "a positive number");
  return 1.0;
}

double Config::number(std::string_view key, std::optional<double> dflt) {
  double value = take(getDouble(json, key, what, dflt), 1.0);
  if (!std::isnan(value))
    return value;
  reject(key, "a number");
  return 1.0;
}

bool Config::flag(std::string_view key, bool dflt) {
  return take(getBool(json, key, what, dflt), dflt);
}

std::string Config::text(std::string_view key,
                         std::optional<std::string> dflt) {
  return take(getString(json, key, what, std::move(dflt)), std::string());
}

std::vector<double> Config::numbers(std::string_view key,
                                    std::vector<double> dflt) {
  return take(getDoubles(json, key, what, dflt), dflt);
}

std::vector<int64_t> Config::ids(std::string_view key) {
  const Json *value = find(key);
  if (!value)
    return {};
  if (value->is_array())
    return take(getInts(json, key, what), std::vector<int64_t>());
  return {take(getInt(json, key, what), int64_t(0))};
}

std::vector<std::string> Config::kinds(std::string_view key, int64_t count,
                                       const std::vector<std::string> &known) {
  if (!find(key))
    return {};
  std::vector<std::string> list =
      take(getStrings(json, key, what), std::vector<std::string>());
  std::string choices;
  for (const std::string &kind : known)
    choices += (choices.empty() ? "" : ", ") + kind;
  if (static_cast<int64_t>(list.size()) != count)
    fail(makeError(what, ": key '", key, "': expected one entry for each of ",
                   count, " layers, but got ", list.size()));
  for (const std::string &kind : list)
    if (std::find(known.begin(), known.end(), kind) == known.end())
      fail(makeError(what, ": key '", key, "': expected entries out of ",
                     choices, ", but got ", describeJson(Json(kind))));
  list.resize(count, known.front());
  return list;
}

Config Config::object(std::string_view key) {
  Config child(Json::object(), what);
  if (const Json *value = find(key)) {
    if (value->is_object())
      child.json = *value;
    else
      reject(key, "an object");
  }
  child.what = what + ": " + std::string(key);
  child.first = first;
  return child;
}

Config Config::overlaid(std::string_view key) {
  Config merged = *this;
  Config inner = object(key);
  for (auto &[name, value] : inner.json.items())
    merged.json[name] = value;
  return merged;
}

void Config::divides(std::string_view key, int64_t value,
                     std::string_view divisorKey, int64_t divisor) {
  if (value % divisor)
    fail(makeError(what, ": key '", key, "': expected a multiple of '",
                   divisorKey, "' (", divisor, "), but got ", value));
}

void Config::unsupported(std::string_view key) {
  const Json *value = find(key);
  if (!value || (value->is_boolean() && !value->get<bool>()) ||
      (value->is_array() && value->empty()))
    return;
  reject(key, "none (not supported)");
}
