//===- Outcome.h - a status of the C interface and its message -*- C++ -*-===//
//
// What the runtime's internals return: linnet::Error knows no error codes, and
// callers of the C interface act on codes.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_LIB_RUNTIME_OUTCOME_H
#define LINNET_LIB_RUNTIME_OUTCOME_H

#include "linnet/Runtime/linnet.h"
#include "linnet/Support/Result.h"

#include <string>

namespace linnet {

/// Success, or a code and one line for the user.
struct [[nodiscard]] Outcome {
  linnet_status code = LINNET_OK;
  std::string message;

  explicit operator bool() const { return code == LINNET_OK; }
};

/// An Outcome whose message is the streamed arguments.
template <typename... Args>
Outcome fail(linnet_status code, const Args &...args) {
  return {code, makeError(args...).str()};
}

} // namespace linnet

#endif // LINNET_LIB_RUNTIME_OUTCOME_H
