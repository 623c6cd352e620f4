#include <algorithm>
#include <nlohmann/json.hpp>

#include "tasks/evaluation/html_report.h"
#include "tasks/evaluation/svg_chart.h"
#include "tasks/evaluation/svg_rows.h"
#include "tasks/processing/channels.h"
#include "tasks/processing/column_profile.h"
#include "tasks/processing/profile.h"
#include "tasks/processing/stream_channel.h"

namespace millrace::tasks {
namespace {

constexpr std::size_t kChartBins = 30, kChartTop = 12, kChartColumnsMax = 200, kDayLength = 10;

// {"name", "type", "required", …}: what a program may rely on.
Json schema_entry(const ColumnProfile& column) {
  Json out = {{"name", column.name()}, {"type", column.kind()}, {"required", column.missing() == 0}};
  if (column.numeric() && column.kind() != "boolean") {
    out["minimum"] = column.min();
    out["maximum"] = column.max();
  } else if (column.kind() == "category" || column.kind() == "boolean") {
    std::vector<std::string> values;
    for (const auto& [value, count] : column.frequent().top(FrequentValues::kKept)) values.push_back(value);
    std::sort(values.begin(), values.end());
    out["values"] = values;
  }
  return out;
}

std::string chart_of(const ColumnProfile& column) {
  if (column.numeric() && column.distinct().estimate() > kChartTop) {
    const auto bins = column.histogram(kChartBins);
    Series bars{"", {}, Series::Style::Bars, false};
    for (std::size_t b = 0; b < bins.counts.size(); ++b)
      bars.points.emplace_back((bins.edges[b] + bins.edges[b + 1]) / 2, bins.counts[b]);
    return draw_chart({column.name(), "value", "rows", {std::move(bars)}});
  }
  if (column.kind() == "date") return draw_bars(column.name(), "rows", column.by_time(kChartBins));
  return draw_bars(column.name(), "rows", column.frequent().top(kChartTop));
}

std::string profile_page(const std::vector<ColumnProfile>& columns, double rows) {
  HtmlReport page("Profile");
  double missing = 0;
  for (const ColumnProfile& column : columns) missing += column.missing();
  const double cells = rows * static_cast<double>(columns.size());
  page.figures({{"rows", format_number(rows)},
                {"columns", std::to_string(columns.size())},
                {"missing cells", percent(cells > 0 ? missing / cells : 0)}});
  page.heading("Columns");
  std::vector<HtmlReport::Row> table;
  for (const ColumnProfile& column : columns) {
    const bool numbers = column.numeric(), dates = column.kind() == "date";
    const auto number = [&](double value) { return numbers ? short_number(value) : std::string(); };
    std::string remarks;
    for (const std::string& remark : column.remarks()) remarks += (remarks.empty() ? "" : "; ") + remark;
    const std::string distinct =
        (column.distinct().exact() ? "" : "~") + format_number(column.distinct().estimate());
    const WeightedValues values = column.quantiles().values();
    table.push_back({{column.name(), std::string(column.kind()), percent(1 - column.completeness()), distinct,
                      number(column.mean()), number(column.std_dev()),
                      dates ? column.earliest().substr(0, kDayLength) : number(column.min()),
                      numbers && !values.empty() ? short_number(weighted_quantile(values, 0.5)) : "",
                      dates ? column.latest().substr(0, kDayLength) : number(column.max()), remarks},
                     !remarks.empty()});
  }
  page.table({"column", "kind", "missing", "distinct", "mean", "std", "min", "median", "max", "remarks"},
             table);
  page.heading("Distributions");
  if (columns.size() > kChartColumnsMax)
    page.paragraph("The first " + std::to_string(kChartColumnsMax) + " of " + std::to_string(columns.size()) +
                   " columns.");
  for (std::size_t c = 0; c < std::min(columns.size(), kChartColumnsMax); ++c) {
    if (columns[c].present() > 0) page.chart(chart_of(columns[c]));
  }
  return page.finish();
}

}  // namespace

Status check_profile(const ProcessingInputs& inputs) {
  MR_DO(check_setting_names(inputs.settings, {"headers", "dataset_type"}, "profile"));
  MR_DO(dataset_options(inputs.settings));
  MR_DO(dataset_input(inputs, "profile"));
  if (inputs.outputs.size() != 1) return invalid("ProcessingOutputConfig.Outputs: profile needs one output");
  return {};
}

Result<Json> run_profile(const ProcessingInputs& inputs, TaskContext& context) {
  MR_DO(check_profile(inputs));
  MR_TRY(options, dataset_options(inputs.settings));
  MR_TRY(dataset, dataset_input(inputs, "profile"));
  std::vector<ColumnProfile> columns;
  double rows = 0;
  MR_DO(stream_channel(*dataset, context, 0.95, options, [&](const Table& piece) -> Status {
    if (columns.empty()) {
      for (const Column& column : piece.columns) columns.emplace_back(column.name);
    }
    for (std::size_t c = 0; c < columns.size(); ++c) columns[c].add(piece.columns[c]);
    rows += static_cast<double>(piece.rows);
    return {};
  }));
  const auto count = static_cast<std::int64_t>(rows);
  Json profile = {{"rows", count}, {"columns", Json::array()}}, schema = {{"columns", Json::array()}};
  Json summary = {{"rows", count}, {"columns", columns.size()}, {"remarks", Json::object()}};
  for (const ColumnProfile& column : columns) {
    profile["columns"].push_back(column.to_json());
    schema["columns"].push_back(schema_entry(column));
    if (const auto remarks = column.remarks(); !remarks.empty()) summary["remarks"][column.name()] = remarks;
  }
  const std::string& uri = inputs.outputs[0].uri;
  MR_DO(context.objects().write(join_uri(uri, "report.html"), profile_page(columns, rows)));
  MR_DO(context.objects().write(join_uri(uri, "schema.json"), schema.dump(2) + "\n"));
  MR_DO(context.objects().write(join_uri(uri, "profile.json"), profile.dump(2) + "\n"));
  return bounded_summary(std::move(summary), join_uri(uri, "profile.json"), {"rows", "columns"});
}

}  // namespace millrace::tasks
