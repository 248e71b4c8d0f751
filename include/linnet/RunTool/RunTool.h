//===- RunTool.h - the subcommands of linnet-run --------------*- C++ -*-===//
//
// Everything linnet-run does, as a function, so that its main stays a line.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_RUNTOOL_RUNTOOL_H
#define LINNET_RUNTOOL_RUNTOOL_H

namespace linnet {

/// Runs the subcommand that the arguments name. Returns the exit code: 0, 1
/// for an error of the user's (one line on stderr), 2 for a bug of Linnet.
/// Ends the process itself on malformed options and after --help.
int runTool(int argc, char **argv);

} // namespace linnet

#endif // LINNET_RUNTOOL_RUNTOOL_H
