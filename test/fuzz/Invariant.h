//===- Invariant.h - what must hold for every input -----------*- C++ -*-===//
//
// A broken invariant traps, which libFuzzer reports with the input.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_TEST_FUZZ_INVARIANT_H
#define LINNET_TEST_FUZZ_INVARIANT_H

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace linnet {

inline void check(bool holds) {
  if (!holds)
    __builtin_trap();
}

/// An error is one line of bounded length that does not end in a full stop.
inline void checkMessage(std::string_view message) {
  check(!message.empty() && message.size() < 2000);
  check(message.find('\n') == message.npos);
  check(message.back() != '.' || message.ends_with("..."));
}

} // namespace linnet

#endif // LINNET_TEST_FUZZ_INVARIANT_H
