//===- HtmlReport.h - a compression on one page ---------------*- C++ -*-===//

#ifndef LINNET_COMPRESS_HTMLREPORT_H
#define LINNET_COMPRESS_HTMLREPORT_H

#include "linnet/Support/Result.h"

#include <string>

namespace linnet {

/// Writes what plan.json, report.json and, if it is there, analysis.json of the
/// checkpoint in `directory` say as one HTML page that needs no other file:
/// sizes and nats before and after (measured, as report.json says), what became
/// of each matrix with its share of numbers and its relative error, the
/// spectrum of each matrix with the rank it kept, and the nats that cutting it
/// alone costs. The page appears whole or not at all. Errors: a directory that
/// linnet-compress did not write; files that are malformed.
Status writeHtmlReport(const std::string &directory, const std::string &output);

} // namespace linnet

#endif // LINNET_COMPRESS_HTMLREPORT_H
