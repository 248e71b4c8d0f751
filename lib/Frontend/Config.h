//===- Config.h - a model's configuration ---------------------*- C++ -*-===//
//
// Typed, range-checked access to config.json. The first error is kept and the
// accessors go on with harmless values (sizes are always >= 1), so that an
// importer reads its fields one under the other and asks once, in
// ModelBuilder::begin, whether all went well.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_FRONTEND_CONFIG_H
#define LIB_FRONTEND_CONFIG_H

#include "linnet/Support/Json.h"
#include "linnet/Support/Result.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace linnet {

class Config {
public:
  /// Widths and counts above this are refused: no model comes near, and below
  /// it no product of three of them overflows.
  static constexpr int64_t kMaxSize = int64_t(1) << 20;
  static constexpr int64_t kMaxVocabulary = int64_t(1) << 24;
  static constexpr int64_t kMaxLayers = 100000;
  static constexpr int64_t kMaxContext = (int64_t(1) << 31) - 1;

  /// `what` names the file in errors.
  Config(Json json, std::string what);

  /// Whether `key` stands there, be it null.
  bool has(std::string_view key) const { return json.contains(key); }
  /// Whether `key` stands there and is null.
  bool isNull(std::string_view key) const;

  /// An integer in [1, max]. Without a default the key is required.
  int64_t size(std::string_view key, std::optional<int64_t> dflt = std::nullopt,
               int64_t max = kMaxSize);
  /// The required `vocab_size`.
  int64_t vocabulary() {
    return size("vocab_size", std::nullopt, kMaxVocabulary);
  }
  /// The required number of layers at `key`.
  int64_t layerCount(std::string_view key) {
    return size(key, std::nullopt, kMaxLayers);
  }
  /// A finite number above zero.
  double positive(std::string_view key,
                  std::optional<double> dflt = std::nullopt);
  /// Any number but NaN, infinities included.
  double number(std::string_view key,
                std::optional<double> dflt = std::nullopt);
  bool flag(std::string_view key, bool dflt);
  std::string text(std::string_view key,
                   std::optional<std::string> dflt = std::nullopt);
  std::vector<double> numbers(std::string_view key, std::vector<double> dflt);
  /// One token id or a list of them; absent or null gives an empty list.
  std::vector<int64_t> ids(std::string_view key);
  /// The kind of each of `count` layers: the list at `key`, whose entries must
  /// be among `known`; empty if the key is absent.
  std::vector<std::string> kinds(std::string_view key, int64_t count,
                                 const std::vector<std::string> &known);

  /// The object at `key`, empty when absent; its errors are this object's.
  Config object(std::string_view key);
  /// The object at `key` laid over this one, or this one when absent.
  Config overlaid(std::string_view key);
  /// The value at `key` as found, or null.
  const Json *find(std::string_view key) const;

  /// "FILE: key 'K': expected EXPECTED, but got <the value at K>".
  void reject(std::string_view key, std::string_view expected);
  /// Rejects `key` with a divisor message unless `divisor` divides `value`.
  void divides(std::string_view key, int64_t value, std::string_view divisorKey,
               int64_t divisor);
  /// A feature that importers do not implement: `key` must be absent, null,
  /// false, or an empty list.
  void unsupported(std::string_view key);

  /// Keeps `error` unless there is one already.
  void fail(Error error);
  Status status() const { return *first ? Status(**first) : Status(); }
  const std::string &file() const { return what; }

private:
  template <typename T>
  T take(Result<T> result, T harmless);

  Json json;
  std::string what;
  std::shared_ptr<std::optional<Error>> first;
};

} // namespace linnet

#endif // LIB_FRONTEND_CONFIG_H
