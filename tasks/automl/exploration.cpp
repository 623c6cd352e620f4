// The data exploration report.

#include <nlohmann/json.hpp>

#include "tasks/automl/analysis.h"
#include "tasks/evaluation/html_report.h"
#include "tasks/evaluation/svg_chart.h"
#include "tasks/evaluation/svg_rows.h"

namespace millrace::tasks {

namespace {

std::string_view role_words(ColumnRole role) {
  switch (role) {
    case ColumnRole::Number:
      return "number";
    case ColumnRole::MixedNumber:
      return "number, text is missing";
    case ColumnRole::Category:
      return "category, as codes";
    case ColumnRole::Hash:
      return "category, hashed";
    case ColumnRole::Text:
      return "text, TF-IDF";
    case ColumnRole::Date:
      return "date, in parts";
    case ColumnRole::LeftOut:
      return "left out";
  }
  return "";
}

std::string profile_number(const Json& profile, const char* name) {
  return profile.contains(name) && profile[name].is_number() ? short_number(profile[name].get<double>()) : "";
}

std::string frequent_words(const Json& profile) {
  std::string out;
  for (const Json& entry : profile.value("top", Json::array())) {
    if (out.size() > 60) break;
    out += (out.empty() ? "" : ", ") + entry["value"].get<std::string>();
  }
  return out;
}

std::string target_chart(const DataAnalysis& analysis) {
  if (analysis.problem != Problem::Regression) {
    std::vector<std::pair<std::string, double>> bars;
    for (std::size_t c = 0; c < analysis.classes.size(); ++c)
      bars.emplace_back(analysis.classes[c], analysis.class_rows[c]);
    return draw_bars("Rows by " + analysis.target, "rows", bars);
  }
  Chart chart;
  chart.title = "Rows by " + analysis.target, chart.x_label = analysis.target, chart.y_label = "rows";
  const Json histogram = analysis.target_profile.value("histogram", Json::object());
  Series bars;
  bars.style = Series::Style::Bars;
  for (std::size_t b = 0; histogram.contains("counts") && b < histogram["counts"].size(); ++b) {
    const double middle = (histogram["edges"][b].get<double>() + histogram["edges"][b + 1].get<double>()) / 2;
    bars.points.emplace_back(middle, histogram["counts"][b].get<double>());
  }
  chart.series = {std::move(bars)};
  return draw_chart(chart);
}

}  // namespace

std::string exploration_page(const DataAnalysis& analysis, std::string_view title) {
  HtmlReport page("Data of " + std::string(title));
  page.figures({{"rows", std::to_string(analysis.rows)},
                {"columns", std::to_string(analysis.columns.size() + 1)},
                {"features", std::to_string(analysis.features())},
                {"target", analysis.target},
                {"problem", std::string(problem_name(analysis.problem))}});
  page.heading("Worth knowing");
  if (analysis.remarks.empty()) page.paragraph("Nothing stands out.");
  std::vector<HtmlReport::Row> remarks;
  for (const char* severity : {"warning", "note"})
    for (const DataRemark& remark : analysis.remarks)
      if (remark.severity == severity)
        remarks.push_back({{remark.severity, remark.column, remark.text}, remark.severity == "warning"});
  if (!remarks.empty()) page.table({"", "column", ""}, remarks);
  page.heading("Target");
  page.chart(target_chart(analysis));
  page.heading("Columns");
  std::vector<HtmlReport::Row> rows;
  for (const AnalysedColumn& column : analysis.columns) {
    const Json& profile = column.profile;
    rows.push_back(
        {{column.name, std::string(role_words(column.role)), percent(1 - profile.value("completeness", 1.0)),
          profile_number(profile, "distinct"), profile_number(profile, "min"),
          profile_number(profile, "mean"), profile_number(profile, "max"), frequent_words(profile)},
         column.role == ColumnRole::LeftOut});
  }
  page.table({"column", "used as", "missing", "distinct", "least", "mean", "most", "frequent"}, rows);
  return page.finish();
}

}  // namespace millrace::tasks
