#include "tasks/evaluation/evaluation_page.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tasks/evaluation/html_report.h"

namespace millrace::tasks {
namespace {

std::string json_number(const Json& value) {
  return value.is_number() ? short_number(value.get<double>()) : value.is_null() ? "-" : value.dump();
}

void metric_table(HtmlReport& page, const Json& group) {
  std::vector<HtmlReport::Row> rows;
  for (const auto& [name, entry] : group.items()) {
    if (!entry.is_object() || !entry.contains("value")) continue;
    rows.push_back(
        {{name, json_number(entry["value"]), json_number(entry.value("standard_deviation", Json())),
          entry.contains("threshold") ? "at the threshold " + json_number(entry["threshold"]) : ""},
         false});
  }
  page.table({"metric", "value", "standard deviation", ""}, rows);
}

void slice_table(HtmlReport& page, const std::string& column, const Json& slices) {
  std::vector<std::string> head = {column};
  std::vector<HtmlReport::Row> rows;
  for (const auto& [name, entry] : slices.items()) {
    HtmlReport::Row row{{name}, false};
    for (const auto& [metric, value] : entry.items()) {
      if (rows.empty()) head.push_back(metric);
      row.cells.push_back(json_number(value));
    }
    rows.push_back(std::move(row));
  }
  page.table(head, rows);
}

void comparison_table(HtmlReport& page, const Json& comparison) {
  std::vector<HtmlReport::Row> rows;
  for (const auto& [name, entry] : comparison.items()) {
    const Json interval = entry.value("interval_95", Json::array());
    const bool clear = interval.size() == 2 && interval[0].get<double>() * interval[1].get<double>() > 0;
    rows.push_back({{name, json_number(entry["champion"]), json_number(entry["challenger"]),
                     json_number(entry["difference"]),
                     interval.size() == 2 ? json_number(interval[0]) + " … " + json_number(interval[1]) : ""},
                    clear});
  }
  page.table({"metric", "champion", "model", "difference", "95 % interval"}, rows);
}

}  // namespace

std::string evaluation_page(const Json& report, const std::map<std::string, std::string>& plots) {
  HtmlReport page("Evaluation");
  page.figures({{"rows", json_number(report["rows"])}});
  for (const auto& [name, group] : report.items()) {
    if (!name.ends_with("_metrics")) continue;
    std::string title = name;
    std::replace(title.begin(), title.end(), '_', ' ');
    page.heading(title);
    metric_table(page, group);
  }
  if (report.contains("comparison")) {
    page.heading("Against the champion");
    page.paragraph("Marked: the difference is clear of 0.");
    comparison_table(page, report["comparison"]);
  }
  if (report.contains("slices")) {
    page.heading("By groups of rows");
    for (const auto& [column, slices] : report["slices"].items()) slice_table(page, column, slices);
  }
  if (!plots.empty()) page.heading("Plots");
  for (const auto& [name, svg] : plots) page.chart(svg);
  return page.finish();
}

}  // namespace millrace::tasks
