//===- Interrupt.h - remove temporary paths on Ctrl-C ---------*- C++ -*-===//
//
// AtomicFile and AtomicDirectory register their temporary paths here; a tool
// that called installInterruptCleanup() leaves none of them behind when it is
// interrupted.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_SUPPORT_INTERRUPT_H
#define LINNET_SUPPORT_INTERRUPT_H

#include <string>

namespace linnet {

/// Makes SIGINT, SIGTERM and SIGHUP remove all registered paths and then end
/// the process with the signal's default action. Signals that were ignored
/// (nohup) stay ignored. SIGXFSZ is ignored, so that a file size limit is a
/// write error rather than a death. Call it once at the start of main.
void installInterruptCleanup();

/// Keeps one path (a file, or a directory with all it contains) registered for
/// removal during the object's lifetime. When all slots are taken or the path
/// is longer than PATH_MAX, the path is simply not registered.
class InterruptCleanup {
public:
  InterruptCleanup() = default;
  explicit InterruptCleanup(const std::string &path);
  InterruptCleanup(InterruptCleanup &&other) noexcept;
  InterruptCleanup &operator=(InterruptCleanup &&other) noexcept;
  ~InterruptCleanup() { release(); }

  /// Forgets the path, which stays where it is.
  void release();
  bool registered() const { return slot >= 0; }

private:
  int slot = -1;
};

} // namespace linnet

#endif // LINNET_SUPPORT_INTERRUPT_H
