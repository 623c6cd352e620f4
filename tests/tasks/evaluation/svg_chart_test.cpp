#include "tasks/evaluation/svg_chart.h"

#include <doctest/doctest.h>

#include <cmath>

using namespace millrace::tasks;

namespace {
std::size_t count(std::string_view text, std::string_view part) {
  std::size_t n = 0;
  for (std::size_t at = text.find(part); at != text.npos; at = text.find(part, at + part.size())) ++n;
  return n;
}
// Every element that opens closes, every quote is in a tag: enough to catch text that broke out.
bool balanced(std::string_view svg) {
  std::vector<std::string> open;
  for (std::size_t at = svg.find('<'); at != svg.npos; at = svg.find('<', at + 1)) {
    const std::size_t end = svg.find('>', at);
    if (end == svg.npos) return false;
    const std::string_view tag = svg.substr(at + 1, end - at - 1);
    if (tag.find('<') != tag.npos || count(tag, "\"") % 2 != 0) return false;
    if (tag.starts_with('/')) {
      if (open.empty() || open.back() != tag.substr(1)) return false;
      open.pop_back();
    } else if (!tag.ends_with('/')) {
      open.emplace_back(tag.substr(0, tag.find(' ')));
    }
  }
  return open.empty();
}
}  // namespace

TEST_CASE("charts: axes have round ticks, series have their marks and names") {
  Chart chart{"Loss", "round", "logloss", {}, {}, {}, false, false};
  chart.series.push_back({"train", {{0, 0.6}, {50, 0.3}, {100, 0.2}}, Series::Style::Line, false});
  chart.series.push_back({"trials", {{10, 0.5}, {20, NAN}, {30, 0.4}}, Series::Style::Points, false});
  const std::string svg = draw_chart(chart);
  CHECK(balanced(svg));
  CHECK(count(svg, "<circle") == 2);
  CHECK(count(svg, "<path") == 1);
  for (const char* label : {">train<", ">trials<", ">round<", ">logloss<", ">0.3<", ">40<", ">100<"}) {
    CAPTURE(label);
    CHECK(svg.find(label) != svg.npos);
  }
  CHECK(draw_chart(chart) == svg);
}

TEST_CASE("charts: text can't become markup") {
  Chart chart;
  chart.title = "<script>alert(\"1\")</script> & 'x' \xff\x01";
  chart.x_label = "</text><g onload=\"x\">";
  chart.series.push_back({"<&>", {{1, 1}}, Series::Style::Bars, false});
  const std::string svg = draw_chart(chart);
  CHECK(balanced(svg));
  CHECK(svg.find("<script") == svg.npos);
  CHECK(svg.find("onload=\"") == svg.npos);
}

TEST_CASE("charts: no points, one point, equal points and logarithms stay finite") {
  for (const bool log : {false, true}) {
    for (const auto& points : std::vector<std::vector<std::pair<double, double>>>{{},
                                                                                  {{0, 0}},
                                                                                  {{5, 5}},
                                                                                  {{1e-8, 1e8}, {1, -1}},
                                                                                  {{2, 3}, {2, 3}},
                                                                                  {{INFINITY, NAN}},
                                                                                  {{-1e300, 1e-300}}}) {
      Chart chart;
      chart.x_log = chart.y_log = log;
      chart.series.push_back({"s", points, Series::Style::Steps, false});
      chart.series.push_back({"p", points, Series::Style::Points, false});
      const std::string svg = draw_chart(chart);
      CHECK(svg.find("nan") == svg.npos);
      CHECK(svg.find("\"inf") == svg.npos);
      CHECK(svg.size() < 20'000);
    }
  }
  Chart decades;
  decades.x_log = true;
  decades.series.push_back({"", {{0.001, 1}, {1000, 2}}, Series::Style::Line, false});
  const std::string svg = draw_chart(decades);
  for (const char* label : {">0.001<", ">1<", ">1000<"}) CHECK(svg.find(label) != svg.npos);
  decades.series[0].points = {{0.012, 1}, {0.45, 2}};  // one decade and a half has more than one tick
  const std::string fewer = draw_chart(decades);
  for (const char* label : {">0.02<", ">0.05<", ">0.1<", ">0.2<"}) CHECK(fewer.find(label) != fewer.npos);
}

TEST_CASE("charts: a million points stay a small document") {
  Chart chart;
  Series line{"line", {}, Series::Style::Line, false}, points{"points", {}, Series::Style::Points, false};
  for (int i = 0; i < 1'000'000; ++i) {
    line.points.emplace_back(i, std::sin(i / 1e5));
    if (i % 4 == 0) points.points.emplace_back(i, i % 1000);
  }
  chart.series = {line, points};
  CHECK(draw_chart(chart).size() < 600'000);
}

TEST_CASE("matrix of counts: every cell with its count while there is room") {
  const std::vector<std::string> labels = {"no", "yes & more than fits"};
  const std::vector<double> counts = {90, 10, 5, 45};
  const std::string svg = draw_matrix("Confusion", "truth", "prediction", labels, counts);
  CHECK(balanced(svg));
  for (const char* label : {">90<", ">10<", ">5<", ">45<", ">90 %<", ">10 %<"})
    CHECK(svg.find(label) != svg.npos);
  std::vector<std::string> many(60, "class");
  CHECK(balanced(draw_matrix("Confusion", "truth", "prediction", many, std::vector<double>(3600, 1.0))));
  CHECK(balanced(draw_matrix("Confusion", "truth", "prediction", {}, {})));
}
