//===- Quote.h - names from files in error messages -----------*- C++ -*-===//
//
// Tensor names and keys come from untrusted files; an error stays one line
// whatever they contain.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_SUPPORT_QUOTE_H
#define LINNET_SUPPORT_QUOTE_H

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace linnet {

/// `name` in single quotes, control characters as \xNN, cut after 200 bytes.
std::string quoteName(std::string_view name);

/// True if `text` is well-formed UTF-8 (no overlong forms, no surrogates).
bool isUtf8(std::string_view text);

/// The length of the well-formed UTF-8 sequence at `at`, or 0 if there is none.
size_t utf8Length(std::string_view text, size_t at);

/// Appends the UTF-8 form of a code point, which must not be a surrogate.
void appendUtf8(std::string &out, uint32_t code);

} // namespace linnet

#endif // LINNET_SUPPORT_QUOTE_H
