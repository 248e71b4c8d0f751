//===- HtmlReport.cpp - a compression on one page -------------------------===//

#include "linnet/Compress/HtmlReport.h"

#include "linnet/Support/File.h"
#include "linnet/Support/Json.h"
#include "linnet/Support/Quote.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <sstream>
#include <vector>

namespace linnet {
namespace {

constexpr const char *kStyle =
    "body{font:14px/1.4 sans-serif;margin:2em auto;max-width:70em;color:#222}"
    "table{border-collapse:collapse}td,th{padding:2px 10px;text-align:right}"
    "td:first-child,th:first-child{text-align:left}"
    "tr:nth-child(even){background:#f4f4f4}"
    "figure{display:inline-block;margin:4px}"
    "figcaption{font-size:10px;width:180px;overflow-wrap:anywhere}"
    "svg{background:#fafafa}.bar{fill:#48a}.line{fill:none;stroke:#48a}"
    ".mark{stroke:#c33}.dot{fill:#48a;fill-opacity:.6}";

std::string escape(std::string_view text) {
  std::string result;
  for (char c : text)
    switch (c) {
    case '<':
      result += "&lt;";
      break;
    case '>':
      result += "&gt;";
      break;
    case '&':
      result += "&amp;";
      break;
    case '"':
      result += "&quot;";
      break;
    default:
      result += c;
    }
  return result;
}

std::string format(const char *pattern, double value) {
  char text[64];
  snprintf(text, sizeof text, pattern, value);
  return text;
}

/// One matrix of plan.json.
struct PlannedMap {
  std::string name, structure, numbers;
  double parameters = 0, of = 0, error = 0;
  bool isRefit = false;
  int64_t rank = 0;
  /// Of analysis.json: squared singular values and the ranks they tell, and
  /// what cutting it alone costs (negative: not measured), by which measure.
  std::vector<double> spectrum;
  double effectiveRank = 0;
  int64_t utilisedRank = 0;
  double damage = -1;
  std::string measure;
};

/// The numbers of a structure: what a plan says beside what every map has.
std::string numbersOf(const Json &entry) {
  std::string text;
  for (const auto &[key, value] : entry.items())
    if (value.is_number_integer() && key != "parameters" && key != "of")
      text += (text.empty() ? "" : ", ") + key + " " + value.dump();
  return text;
}

Status readAnalysis(PlannedMap &map, const Json &entry,
                    const std::string &what) {
  Result<std::vector<double>> spectrum =
      getDoubles(entry, "spectrum", what, std::vector<double>());
  if (!spectrum)
    return spectrum.error();
  map.spectrum = spectrum.take();
  Result<double> effective = getDouble(entry, "effective_rank", what, 0.0);
  Result<int64_t> utilised = getInt(entry, "utilised_rank", what, 0);
  if (!effective || !utilised)
    return effective ? utilised.error() : effective.error();
  map.effectiveRank = *effective;
  map.utilisedRank = *utilised;
  if (const Json *sensitivity = findJson(entry, "sensitivity")) {
    map.measure =
        findJson(*sensitivity, "cosine_loss") ? "cosine_loss" : "nats";
    Result<double> damage = getDouble(*sensitivity, map.measure, what);
    if (!damage)
      return damage.error();
    map.damage = *damage;
  }
  return {};
}

Result<std::vector<PlannedMap>> readMaps(const std::string &directory,
                                         const Json &analysis) {
  std::string file = directory + "/plan.json";
  Result<Json> plan = readJsonFile(file);
  if (!plan)
    return plan.error();
  Result<const Json *> entries = getObject(*plan, "maps", file);
  if (!entries)
    return entries.error();
  std::vector<PlannedMap> maps;
  for (const auto &[name, entry] : (*entries)->items()) {
    std::string what = file + ": key 'maps', entry " + quoteName(name);
    PlannedMap map;
    map.name = name;
    Result<std::string> structure = getString(entry, "structure", what);
    Result<double> parameters = getDouble(entry, "parameters", what),
                   of = getDouble(entry, "of", what),
                   error = getDouble(entry, "error", what);
    Result<bool> refit = getBool(entry, "refit", what, false);
    Result<int64_t> rank = getInt(entry, "rank", what, 0);
    if (!structure)
      return structure.error();
    for (const Result<double> *number : {&parameters, &of, &error})
      if (!*number)
        return number->error();
    if (!refit || !rank)
      return refit ? rank.error() : refit.error();
    map.structure = *structure;
    map.numbers = numbersOf(entry);
    map.parameters = *parameters;
    map.of = *of;
    map.error = *error;
    map.isRefit = *refit;
    map.rank = *rank;
    if (const Json *all = findJson(analysis, "maps"))
      if (const Json *own = findJson(*all, name))
        if (Status status =
                readAnalysis(map, *own, directory + "/analysis.json");
            !status)
          return status.error();
    maps.push_back(std::move(map));
  }
  return maps;
}

/// A bar of this share of `width`; none for shares below 0.
std::string bar(int width, double share) {
  return "<svg width=\"" + std::to_string(width) +
         "\" height=\"10\"><rect class=\"bar\" height=\"10\" width=\"" +
         format("%.1f", width * std::max(share, 0.0)) + "\"/></svg>";
}

/// A page in parts.
class Page {
public:
  explicit Page(const std::string &title) {
    out << "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
        << "<title>" << escape(title) << "</title><style>" << kStyle
        << "</style></head><body>\n<h1>" << escape(title) << "</h1>\n";
  }

  void addSizes(const Json &report);
  void addComparisons(const Json &report);
  void addSpeed(const Json &report);
  void addMaps(const std::vector<PlannedMap> &maps);
  void addErrors(const std::vector<PlannedMap> &maps);
  void addSensitivities(const std::vector<PlannedMap> &maps);
  void addLayers(const Json *entries, const char *key,
                 const std::string &title);
  void addSpectra(const std::vector<PlannedMap> &maps);
  void addDeclined(const Json &report);

  std::string finish() {
    out << "</body></html>\n";
    return out.str();
  }

private:
  void row(std::initializer_list<std::string> cells, const char *tag = "td") {
    out << "<tr>";
    for (const std::string &cell : cells)
      out << '<' << tag << '>' << cell << "</" << tag << '>';
    out << "</tr>\n";
  }

  std::ostringstream out;
};

double numberAt(const Json &object, const char *key) {
  const Json *found = findJson(object, key);
  return found && found->is_number() ? found->get<double>() : 0;
}

void Page::addSizes(const Json &report) {
  out << "<h2>Size of the layers' matrices (exact)</h2><table>\n";
  row({"", "before", "after", "share"}, "th");
  for (auto [name, before, after] :
       {std::tuple("parameters", numberAt(report, "of"),
                   numberAt(report, "parameters")),
        {"bytes", numberAt(report, "bytes_before"), numberAt(report, "bytes")}})
    if (before > 0)
      row({name, format("%.0f", before), format("%.0f", after),
           format("%.1f %%", 100 * after / before)});
  out << "</table>\n";
}

void Page::addComparisons(const Json &report) {
  bool isFirst = true, isEncoder = false;
  for (auto [key, name] : {std::pair("held_out", "held-out windows of the "
                                                 "calibration"),
                           {"evaluated", "evaluation text"}}) {
    const Json *found = findJson(report, key);
    if (!found)
      continue;
    if (isFirst) {
      isEncoder = findJson(*found, "sequences");
      out << "<h2>What it costs (measured)</h2><table>\n";
      isEncoder ? row({"on", "sequences", "tokens", "mean cosine",
                       "least cosine", "relative error of outputs"},
                      "th")
                : row({"on", "tokens", "nats/token before", "after",
                       "divergence", "same first choice", "worst token"},
                      "th");
    }
    isFirst = false;
    if (isEncoder) {
      row({name, format("%.0f", numberAt(*found, "sequences")),
           format("%.0f", numberAt(*found, "tokens")),
           format("%.4f", numberAt(*found, "cosine")),
           format("%.4f", numberAt(*found, "worst_cosine")),
           format("%.4f", numberAt(*found, "output_error"))});
      continue;
    }
    row({name, format("%.0f", numberAt(*found, "tokens")),
         format("%.4f", numberAt(*found, "nats_before")),
         format("%.4f", numberAt(*found, "nats_after")),
         format("%.4f", numberAt(*found, "divergence")),
         format("%.1f %%", 100 * numberAt(*found, "agreement")),
         format("%.1f", numberAt(*found, "worst_token"))});
  }
  if (!isFirst)
    out << "</table>\n";
}

void Page::addSpeed(const Json &report) {
  const Json *speed = findJson(report, "speed");
  if (!speed)
    return;
  out << "<h2>Tokens per second (measured, "
      << format("%.0f", numberAt(*speed, "threads"))
      << " threads)</h2><table>\n";
  row({"", "tokens", "before", "after", "ratio"}, "th");
  for (auto [name, tokens, before, after] :
       {std::tuple("at once", "prefill_tokens", "prefill_before",
                   "prefill_after"),
        {"one by one", "decoded_tokens", "decode_before", "decode_after"}})
    if (double base = numberAt(*speed, before); base > 0)
      row({name, format("%.0f", numberAt(*speed, tokens)), format("%.0f", base),
           format("%.0f", numberAt(*speed, after)),
           format("%.2f", numberAt(*speed, after) / base)});
  out << "</table>\n";
}

void Page::addMaps(const std::vector<PlannedMap> &maps) {
  out << "<h2>What became of each matrix</h2><table>\n";
  row({"matrix", "structure", "numbers", "parameters", "of", "share",
       "relative error", "refit"},
      "th");
  for (const PlannedMap &map : maps) {
    double share = map.of > 0 ? map.parameters / map.of : 0;
    row({escape(map.name), escape(map.structure), escape(map.numbers),
         format("%.0f", map.parameters), format("%.0f", map.of),
         bar(60, std::min(share, 1.0)), format("%.4f", map.error),
         map.isRefit ? "yes" : "no"});
  }
  out << "</table>\n";
}

void Page::addErrors(const std::vector<PlannedMap> &maps) {
  double most = 1e-9;
  for (const PlannedMap &map : maps)
    most = std::max(most, map.error);
  out << "<h2>Relative error against share of parameters</h2>\n"
      << "<svg width=\"640\" height=\"240\" viewBox=\"0 0 640 240\">"
      << "<text x=\"4\" y=\"12\" font-size=\"10\">" << format("%.3f", most)
      << "</text><text x=\"600\" y=\"236\" font-size=\"10\">1</text>";
  for (const PlannedMap &map : maps)
    out << "<circle class=\"dot\" r=\"4\" cx=\""
        << format("%.1f", 20 + 600 * (map.of > 0 ? map.parameters / map.of : 0))
        << "\" cy=\"" << format("%.1f", 220 - 200 * map.error / most)
        << "\"><title>" << escape(map.name) << "</title></circle>";
  out << "</svg>\n";
}

void Page::addSensitivities(const std::vector<PlannedMap> &maps) {
  double most = 0;
  for (const PlannedMap &map : maps)
    most = std::max(most, map.damage);
  if (most <= 0)
    return;
  out << (maps.front().measure == "nats" ? "<h2>Nats per token"
                                         : "<h2>Cosine of sequences")
      << " lost when one matrix alone is cut (measured)</h2><table>\n";
  for (const PlannedMap &map : maps)
    row({escape(map.name), bar(400, map.damage / most),
         format("%.4f", map.damage)});
  out << "</table>\n";
}

/// A bar for each layer, of what `entries` say of it.
void Page::addLayers(const Json *entries, const char *key,
                     const std::string &title) {
  if (!entries || !entries->is_array() || entries->empty())
    return;
  double most = 1e-9;
  for (const Json &layer : *entries)
    most = std::max(most, numberAt(layer, key));
  out << "<h2>" << title << "</h2><table>\n";
  for (size_t i = 0; i < entries->size(); ++i) {
    double value = numberAt((*entries)[i], key);
    row({"layer " + std::to_string(i), bar(400, value / most),
         format("%.4f", value)});
  }
  out << "</table>\n";
}

void Page::addSpectra(const std::vector<PlannedMap> &maps) {
  bool isFirst = true;
  for (const PlannedMap &map : maps) {
    if (map.spectrum.size() < 2 || !(map.spectrum.front() > 0))
      continue;
    if (isFirst)
      out << "<h2>Spectra</h2><p>Squared singular values of outputs, of the "
             "largest: powers of ten from 1 down to 1e-8. The line is the rank "
             "that is kept; below, the effective rank and the one that holds "
             "all but 1 %.</p>\n";
    isFirst = false;
    out << "<figure><svg width=\"180\" height=\"90\"><polyline class=\"line\" "
           "points=\"";
    double step = 180 / double(map.spectrum.size() - 1);
    for (size_t i = 0; i < map.spectrum.size(); ++i) {
      double share = std::max(map.spectrum[i] / map.spectrum.front(), 1e-8);
      out << format("%.1f,", step * double(i))
          << format("%.1f ", 2 - std::log10(share) * 86 / 8);
    }
    out << "\"/>";
    if (map.rank > 0) {
      std::string x = format("%.1f", step * double(map.rank));
      out << "<line class=\"mark\" y1=\"0\" y2=\"90\" x1=\"" << x << "\" x2=\""
          << x << "\"/>";
    }
    out << "</svg><figcaption>" << escape(map.name);
    if (map.utilisedRank > 0)
      out << ": " << format("%.1f", map.effectiveRank) << ", "
          << map.utilisedRank << " of " << map.spectrum.size();
    out << "</figcaption></figure>\n";
  }
}

void Page::addDeclined(const Json &report) {
  const Json *declined = findJson(report, "declined");
  if (!declined || !declined->is_array() || declined->empty())
    return;
  out << "<h2>Left alone</h2><ul>\n";
  for (const Json &line : *declined)
    if (line.is_string())
      out << "<li>" << escape(line.get<std::string>()) << "</li>\n";
  out << "</ul>\n";
}

} // namespace

Status writeHtmlReport(const std::string &directory,
                       const std::string &output) {
  Result<Json> report = readJsonFile(directory + "/report.json");
  if (!report)
    return report.error();
  Json analysis = Json::object();
  std::error_code ignored;
  std::string analysisFile = directory + "/analysis.json";
  if (std::filesystem::exists(analysisFile, ignored)) {
    Result<Json> read = readJsonFile(analysisFile);
    if (!read)
      return read.error();
    analysis = read.take();
  }
  Result<std::vector<PlannedMap>> maps = readMaps(directory, analysis);
  if (!maps)
    return maps.error();
  std::filesystem::path path(directory);
  Page page("Compression of " + (path.has_filename()
                                     ? path.filename()
                                     : path.parent_path().filename())
                                    .string());
  page.addSizes(*report);
  page.addComparisons(*report);
  page.addSpeed(*report);
  page.addMaps(*maps);
  page.addErrors(*maps);
  page.addSensitivities(*maps);
  page.addLayers(findJson(*report, "layers"), "error",
                 "Relative error of the hidden state behind each layer "
                 "(measured)");
  page.addLayers(findJson(analysis, "layers"), "influence",
                 "How far each layer turns the original's hidden state: 1 - "
                 "cosine (measured)");
  page.addLayers(findJson(analysis, "layers"), "linearity",
                 "Share of what each layer adds that is linear in its input "
                 "(measured)");
  page.addSpectra(*maps);
  page.addDeclined(*report);
  return writeFileAtomically(output, page.finish());
}

} // namespace linnet
