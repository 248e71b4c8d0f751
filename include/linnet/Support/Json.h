//===- Json.h - JSON as Hugging Face files hold it ------------*- C++ -*-===//
//
// A strict reader with two tolerances that real configurations need: the bare
// tokens Infinity, -Infinity and NaN, and the object {"__float__": "Infinity"}
// that newer exporters write instead. Unlike nlohmann's own parser it bounds
// the nesting depth, refuses duplicate keys and reports line and column.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_SUPPORT_JSON_H
#define LINNET_SUPPORT_JSON_H

#include "linnet/Support/Result.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace linnet {

using Json = nlohmann::json;

/// Arrays and objects nested deeper than this are refused, so that no input
/// can exhaust the stack.
inline constexpr int kMaxJsonDepth = 256;

/// Parses `text`. `what` (usually the file name) prefixes the error, which has
/// the form "WHAT:LINE:COLUMN: problem". Refused besides plain syntax errors:
/// duplicate keys, invalid UTF-8, unpaired surrogates, excessive nesting.
/// Integers that fit neither int64 nor uint64 become doubles.
Result<Json> parseJson(std::string_view text, std::string_view what);

/// Reads and parses a file.
Result<Json> readJsonFile(const std::string &path);

/// Formats `value` so that parseJson reads the same value back: non-finite
/// numbers, which JSON lacks, become {"__float__": "Infinity"} objects. Never
/// throws; invalid UTF-8 is replaced. `indent` < 0 gives a single line.
std::string formatJson(const Json &value, int indent = 2);

/// The member `key` of `object`, or null when `object` is not an object, has
/// no such key or holds JSON null there. Borrowed from `object`.
const Json *findJson(const Json &object, std::string_view key);

/// Typed access to the members of a configuration. A member that is absent or
/// null yields the default; without a default that is an error. `what` names
/// the file or object and prefixes errors: "WHAT: key 'k': expected an
/// integer, but got \"x\"".
///
/// getInt takes any number with an integral value in the int64 range,
/// getDouble any number, including infinities.
Result<int64_t> getInt(const Json &object, std::string_view key,
                       std::string_view what,
                       std::optional<int64_t> dflt = std::nullopt);
Result<double> getDouble(const Json &object, std::string_view key,
                         std::string_view what,
                         std::optional<double> dflt = std::nullopt);
Result<bool> getBool(const Json &object, std::string_view key,
                     std::string_view what,
                     std::optional<bool> dflt = std::nullopt);
Result<std::string> getString(const Json &object, std::string_view key,
                              std::string_view what,
                              std::optional<std::string> dflt = std::nullopt);
Result<std::vector<int64_t>>
getInts(const Json &object, std::string_view key, std::string_view what,
        std::optional<std::vector<int64_t>> dflt = std::nullopt);
Result<std::vector<double>>
getDoubles(const Json &object, std::string_view key, std::string_view what,
           std::optional<std::vector<double>> dflt = std::nullopt);
Result<std::vector<std::string>>
getStrings(const Json &object, std::string_view key, std::string_view what,
           std::optional<std::vector<std::string>> dflt = std::nullopt);

/// The member `key`, which must be an object. Borrowed from `object`.
Result<const Json *> getObject(const Json &object, std::string_view key,
                               std::string_view what);

/// A short one-line rendering of `value` for error messages.
std::string describeJson(const Json &value);

} // namespace linnet

#endif // LINNET_SUPPORT_JSON_H
