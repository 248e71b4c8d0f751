//===- Result.h - a value or an error message -----------------*- C++ -*-===//
//
// The error type of the MLIR-free libraries. Messages are lower case, have no
// full stop, and name what was expected and what was found.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_SUPPORT_RESULT_H
#define LINNET_SUPPORT_RESULT_H

#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <variant>

namespace linnet {

/// What went wrong, as one line for the user.
class Error {
public:
  explicit Error(std::string message) : message(std::move(message)) {}
  const std::string &str() const { return message; }

private:
  std::string message;
};

/// Builds an Error by streaming its arguments.
template <typename... Args>
Error makeError(const Args &...args) {
  std::ostringstream stream;
  (stream << ... << args);
  return Error(stream.str());
}

/// Either a value or an Error. Test it before use.
template <typename T>
class [[nodiscard]] Result {
public:
  Result(T value) : storage(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : storage(std::in_place_index<1>, std::move(error)) {}

  explicit operator bool() const { return storage.index() == 0; }
  T &operator*() { return std::get<0>(storage); }
  const T &operator*() const { return std::get<0>(storage); }
  T *operator->() { return &std::get<0>(storage); }
  const T *operator->() const { return &std::get<0>(storage); }
  T take() { return std::move(std::get<0>(storage)); }
  const Error &error() const { return std::get<1>(storage); }

private:
  std::variant<T, Error> storage;
};

/// The outcome of an operation without a value.
class [[nodiscard]] Status {
public:
  Status() = default;
  Status(Error error) : problem(std::move(error)) {}
  explicit operator bool() const { return !problem.has_value(); }
  const Error &error() const { return *problem; }

private:
  std::optional<Error> problem;
};

} // namespace linnet

#endif // LINNET_SUPPORT_RESULT_H
