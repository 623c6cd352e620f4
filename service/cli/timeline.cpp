#include "service/cli/timeline.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>

#include "base/encoding.h"
#include "base/utf8.h"

namespace millrace::cli {
namespace {

using simulation::Trace;
using simulation::Visit;

constexpr std::size_t kNameMax = 36;

// A row: what it is called, and its part of the whole, from 0 to 1.
struct Row {
  std::string name;
  double from = 0, to = 0;
  const Visit* visit = nullptr;
};

std::size_t depth_of(const std::string& line) {
  return static_cast<std::size_t>(std::count(line.begin(), line.end(), '/')) + (line.empty() ? 0 : 1);
}

std::string cut(const std::string& text, std::size_t most) {
  return count_code_points(text) <= most ? text : std::string(first_code_points(text, most - 1)) + "…";
}

// The visits of one line between two of the visits of the line above it, each followed by those below it.
class Tree {
 public:
  explicit Tree(const Trace& trace) : trace_(trace), begin_(trace.events().front().time) {
    end_ = trace.events().back().time;
    for (std::size_t i = 0; i < trace.visits().size(); ++i) lines_[trace.visits()[i].line].push_back(i);
    add("", 0, trace.visits().size());
  }
  std::vector<Row> rows;

 private:
  void add(const std::string& line, std::size_t first, std::size_t last) {
    const auto found = lines_.find(line);
    if (found == lines_.end()) return;
    const std::vector<std::size_t>& visits = found->second;
    for (auto at = std::lower_bound(visits.begin(), visits.end(), first); at != visits.end() && *at < last;
         ++at) {
      add_row(*at);
      const std::size_t next = std::next(at) == visits.end() ? last : std::min(*std::next(at), last);
      const std::string below = (line.empty() ? "" : line + "/") + trace_.visits()[*at].state + "[";
      // Branches and iterations are numbered from 0; those of a distributed Map are executions of their own.
      for (std::size_t i = 0; lines_.contains(below + std::to_string(i) + "]"); ++i)
        add(below + std::to_string(i) + "]", *at, next);
    }
  }
  void add_row(std::size_t index) {
    const Visit& visit = trace_.visits()[index];
    const double whole = std::max<double>(static_cast<double>((end_ - begin_).count()), 1);
    const Instant left = visit.left.value_or(end_);
    const std::size_t depth = depth_of(visit.line);
    std::string name(depth * 2, ' ');
    name += visit.state;
    if (depth > 0) name += " " + visit.line.substr(visit.line.rfind('['));
    rows.push_back({std::move(name), static_cast<double>((visit.entered - begin_).count()) / whole,
                    static_cast<double>((left - begin_).count()) / whole, &visit});
  }

  const Trace& trace_;
  Instant begin_, end_;
  std::map<std::string, std::vector<std::size_t>> lines_;
};

std::vector<Row> rows_of(const Trace& trace) {
  return trace.events().empty() ? std::vector<Row>() : std::move(Tree(trace).rows);
}

std::string pad(const std::string& text, std::size_t width) {
  const std::size_t length = count_code_points(text);
  return text + std::string(width > length ? width - length : 0, ' ');
}

std::string notes_of(const Visit& visit, Instant end) {
  std::string text = format_duration(visit.left.value_or(end) - visit.entered);
  if (visit.retries > 0)
    text += ", " + std::to_string(visit.retries) + (visit.retries == 1 ? " retry" : " retries");
  if (!visit.left) text += ", still there";
  if (visit.failed) text += ", failed";
  return text;
}

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", value);
  return text;
}

}  // namespace

std::string timeline_text(const Trace& trace, std::size_t width, std::size_t rows_max) {
  const std::vector<Row> rows = rows_of(trace);
  std::size_t names = 0;
  for (const Row& row : rows) names = std::max(names, count_code_points(cut(row.name, kNameMax)));
  std::string text;
  for (std::size_t i = 0; i < rows.size() && i < rows_max; ++i) {
    const Row& row = rows[i];
    const double cells = static_cast<double>(width);
    const auto from = std::min(static_cast<std::size_t>(row.from * cells), width - 1);
    const auto to = std::clamp(static_cast<std::size_t>(std::ceil(row.to * cells)), from + 1, width);
    std::string bar(from, ' ');
    for (std::size_t c = from; c < to; ++c) bar += row.from == row.to ? "▏" : row.visit->failed ? "▒" : "█";
    text += "  " + pad(cut(row.name, kNameMax), names) + "  │" + pad(bar, width) + "│ " +
            notes_of(*row.visit, trace.events().back().time) + "\n";
  }
  if (rows.size() > rows_max) text += "  … and " + std::to_string(rows.size() - rows_max) + " more\n";
  return text;
}

std::string timeline_svg(const Trace& trace, const std::string& title) {
  constexpr double kLeft = 280, kWidth = 720, kRow = 22, kTop = 56;
  const std::vector<Row> rows = rows_of(trace);
  const double height = kTop + kRow * static_cast<double>(rows.size()) + 24;
  std::string out = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"1240\" height=\"" + number(height) +
                    "\" viewBox=\"0 0 1240 " + number(height) +
                    "\" font-family=\"system-ui, sans-serif\" font-size=\"13\">\n<title>" +
                    escape_xml(title) + "</title>\n<rect width=\"1240\" height=\"" + number(height) +
                    "\" fill=\"#ffffff\"/>\n" +
                    "<text x=\"16\" y=\"24\" font-size=\"15\" font-weight=\"600\" fill=\"#1f2937\">" +
                    escape_xml(title) + "</text>\n";
  for (int tick = 0; tick <= 4; ++tick) {
    const double x = kLeft + kWidth * tick / 4;
    const Millis at(trace.duration().count() * tick / 4);
    out += "<line x1=\"" + number(x) + "\" x2=\"" + number(x) + "\" y1=\"" + number(kTop - 6) + "\" y2=\"" +
           number(height - 18) + "\" stroke=\"#e5e7eb\"/>\n<text x=\"" + number(x) +
           "\" y=\"46\" text-anchor=\"middle\" font-size=\"11\" fill=\"#6b7280\">" + format_duration(at) +
           "</text>\n";
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Row& row = rows[i];
    const double y = kTop + kRow * static_cast<double>(i);
    const std::size_t depth = depth_of(row.visit->line);
    const double x = kLeft + kWidth * row.from, width = std::max(kWidth * (row.to - row.from), 2.0);
    const std::string notes = notes_of(*row.visit, trace.events().back().time);
    const std::string name = row.name.substr(depth * 2);
    out += "<g><title>" + escape_xml(name + ": " + notes) + "</title><text x=\"" +
           number(16 + 14 * static_cast<double>(depth)) + "\" y=\"" + number(y + 15) +
           "\" fill=\"#1f2937\">" + escape_xml(cut(name, kNameMax)) + "</text><rect x=\"" + number(x) +
           "\" y=\"" + number(y + 4) + "\" width=\"" + number(width) + "\" height=\"14\" rx=\"2\" fill=\"" +
           (row.visit->failed ? "#dc2626" : "#2563eb") + "\" fill-opacity=\"" + (depth == 0 ? "0.9" : "0.6") +
           "\"/><text x=\"" + number(kLeft + kWidth + 12) + "\" y=\"" + number(y + 15) +
           "\" font-size=\"11\" fill=\"#6b7280\">" + escape_xml(notes) + "</text></g>\n";
  }
  return out + "</svg>\n";
}

}  // namespace millrace::cli
