#include "tasks/evaluation/html_report.h"

#include <charconv>
#include <cmath>

#include "base/encoding.h"
#include "base/utf8.h"
#include "tasks/table/table.h"

namespace millrace::tasks {
namespace {

constexpr std::size_t kReportCellCharacters = 300;  // longer cells are cut

constexpr std::string_view kReportHead = R"(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="color-scheme" content="light dark">
<style>
:root{--bg:#fff;--text:#24292f;--soft:#57606a;--line:#d0d7de;--mark:#fff1e5;--head:#f6f8fa}
@media (prefers-color-scheme:dark){:root{--bg:#0d1117;--text:#e6edf3;--soft:#9da7b3;--line:#30363d;--mark:#3d2a17;--head:#161b22}}
body{background:var(--bg);color:var(--text);font:15px/1.5 system-ui,sans-serif;max-width:1320px;margin:2em auto;padding:0 1.2em}
h1{font-size:1.6em}h2{font-size:1.2em;margin-top:2em;border-bottom:1px solid var(--line);padding-bottom:.2em}
table{border-collapse:collapse;margin:1em 0;font-variant-numeric:tabular-nums;font-size:14px}
th,td{padding:.3em .8em;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
th{background:var(--head)}td.n{text-align:right;white-space:nowrap}td:first-child{white-space:nowrap}tr.m td{background:var(--mark)}
.wide{overflow-x:auto}.charts{display:flex;flex-wrap:wrap;align-items:flex-start;gap:1em;margin:1em 0}.charts img{max-width:100%;height:auto}
.figures{display:flex;flex-wrap:wrap;gap:2.2em;margin:1.2em 0}.figures b{display:block;font-size:1.5em}.figures span{color:var(--soft)}
</style>
)";

std::string escaped_cell(std::string_view text) {
  if (valid_utf8(text) && count_code_points(text) > kReportCellCharacters)
    return escape_xml(std::string(first_code_points(text, kReportCellCharacters - 1)) + "…");
  return escape_xml(text);
}

bool reads_as_number(std::string_view cell) {
  if (cell.ends_with(" %")) cell.remove_suffix(2);
  double ignored = 0;
  return cell == "-" || parse_number(cell, ignored);
}

}  // namespace

HtmlReport::HtmlReport(std::string_view title) {
  html_ = std::string(kReportHead) + "<title>" + escape_xml(title) + "</title></head><body>\n<h1>" +
          escape_xml(title) + "</h1>\n";
}

void HtmlReport::heading(std::string_view text) {
  close_charts();
  html_ += "<h2>" + escape_xml(text) + "</h2>\n";
}

void HtmlReport::paragraph(std::string_view text) {
  close_charts();
  html_ += "<p>" + escape_xml(text) + "</p>\n";
}

void HtmlReport::figures(const std::vector<std::pair<std::string, std::string>>& figures) {
  close_charts();
  html_ += "<div class=\"figures\">";
  for (const auto& [name, value] : figures)
    html_ += "<div><b>" + escape_xml(value) + "</b><span>" + escape_xml(name) + "</span></div>";
  html_ += "</div>\n";
}

void HtmlReport::table(const std::vector<std::string>& head, const std::vector<Row>& rows) {
  close_charts();
  html_ += "<div class=\"wide\"><table><tr>";
  for (const std::string& name : head) html_ += "<th>" + escape_xml(name) + "</th>";
  html_ += "</tr>\n";
  for (const Row& row : rows) {
    html_ += row.marked ? "<tr class=\"m\">" : "<tr>";
    for (const std::string& cell : row.cells)
      html_ += (reads_as_number(cell) ? "<td class=\"n\">" : "<td>") + escaped_cell(cell) + "</td>";
    html_ += "</tr>\n";
  }
  html_ += "</table></div>\n";
}

// As an image of its own: names and styles of one chart can't meet those of another.
void HtmlReport::chart(std::string_view svg) {
  if (!in_charts_) html_ += "<div class=\"charts\">\n";
  in_charts_ = true;
  html_ += "<img alt=\"\" src=\"data:image/svg+xml;base64," + base64_encode(svg) + "\">\n";
}

void HtmlReport::close_charts() {
  if (in_charts_) html_ += "</div>\n";
  in_charts_ = false;
}

std::string HtmlReport::finish() {
  close_charts();
  return std::move(html_) + "</body></html>\n";
}

std::string short_number(double value) {
  if (!std::isfinite(value)) return "-";
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::general, 6).ptr;
  return std::string(buffer, end);
}

std::string percent(double share) {
  return short_number(std::round(share * 1000) / 10) + " %";
}

}  // namespace millrace::tasks
