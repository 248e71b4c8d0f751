//===- Link.h - objects to a shared library -------------------*- C++ -*-===//

#ifndef LINNET_DRIVER_LINK_H
#define LINNET_DRIVER_LINK_H

#include "linnet/Driver/Codegen.h"
#include "linnet/Support/Result.h"

#include <string>
#include <string_view>
#include <vector>

namespace linnet {

/// Links `objects` into the shared library `path` with lld, in this process.
/// Calls from several threads run one after the other. Equal objects give
/// equal bytes.
Status linkSharedLibrary(const std::vector<ObjectCode> &objects,
                         const std::string &path);

/// The dynamic symbols `library` (the bytes of a shared library) leaves
/// undefined.
Result<std::vector<std::string>> undefinedSymbols(std::string_view library);

/// An error if the library at `path` needs anything but memcpy, memset and
/// memmove, or does not define all of `exported`: a bug of the compiler.
Status checkLibrary(const std::string &path,
                    const std::vector<std::string> &exported);

} // namespace linnet

#endif // LINNET_DRIVER_LINK_H
