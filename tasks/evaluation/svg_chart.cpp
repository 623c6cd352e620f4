#include "tasks/evaluation/svg_chart.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "tasks/evaluation/svg_parts.h"

namespace millrace::tasks {
namespace {

using svg::Axis;
using svg::line;
using svg::number_label;
using svg::page;
using svg::px;
using svg::rectangle;
using svg::shortened;
using svg::text;
using svg::upright_text;

constexpr double kWidth = 640, kHeight = 420;
constexpr double kLeft = 72, kRight = 20, kTop = 48, kBottom = 56;
constexpr double kLegendLine = 18;
constexpr std::size_t kColours = 6;
constexpr std::size_t kPointsDrawnMax = 5000;  // of one scatter; more are thinned evenly
constexpr std::size_t kLabelCharacters = 14;

Axis axis_for(const Chart& chart, bool x, bool from_zero) {
  Axis axis;
  axis.log = x ? chart.x_log : chart.y_log;
  const auto& range = x ? chart.x_range : chart.y_range;
  bool any = false;
  const auto widen = [&](double value) {
    if (!axis.holds(value)) return;
    const double v = axis.scaled(value);
    axis.low = any ? std::min(axis.low, v) : v;
    axis.high = any ? std::max(axis.high, v) : v;
    any = true;
  };
  if (range) {
    widen(range->first);
    widen(range->second);
  } else {
    for (const Series& series : chart.series) {
      for (const auto& [vx, vy] : series.points) widen(x ? vx : vy);
    }
    if (from_zero && any) widen(0);
  }
  if (!any) return axis;
  const double span = axis.high - axis.low, size = std::max(std::abs(axis.low), std::abs(axis.high));
  if (span <= size * 1e-9 || span < 1e-100) {  // one value: room on both sides of it
    const double room = axis.log ? 0.5 : size < 1e-90 ? 1 : size * 0.1;
    axis.low -= room;
    axis.high += room;
  } else if (!range) {
    if (!(from_zero && axis.low == 0)) axis.low -= span * 0.04;
    axis.high += span * 0.04;
  }
  return axis;
}

std::string draw_line(const Series& series, const Axis& x, const Axis& y, const std::string& classes) {
  std::string path;
  bool pen_down = false;
  double last_x = 0, last_y = 0;
  for (std::size_t i = 0; i < series.points.size(); ++i) {
    const auto& [vx, vy] = series.points[i];
    if (!x.holds(vx) || !y.holds(vy)) {
      pen_down = false;
      continue;
    }
    const double to_x = x.at(vx), to_y = y.at(vy);
    const bool last = i + 1 == series.points.size();
    if (pen_down && !last && std::hypot(to_x - last_x, to_y - last_y) < 0.4) continue;  // nobody would see it
    if (pen_down && series.style == Series::Style::Steps) {
      path += "H" + px(to_x) + "V" + px(to_y);
    } else {
      path += (pen_down ? "L" : "M") + px(to_x) + " " + px(to_y);
    }
    pen_down = true;
    last_x = to_x;
    last_y = to_y;
  }
  return path.empty() ? "" : "<path d=\"" + path + "\" class=\"" + classes + "\"/>\n";
}

std::string draw_points(const Series& series, const Axis& x, const Axis& y, const std::string& classes) {
  std::string out;
  const std::size_t stride = series.points.size() / kPointsDrawnMax + 1;
  const char* radius = series.points.size() > 500 ? "2" : "3.5";
  for (std::size_t i = 0; i < series.points.size(); i += stride) {
    const auto& [vx, vy] = series.points[i];
    if (!x.holds(vx) || !y.holds(vy)) continue;
    out += "<circle cx=\"" + px(x.at(vx)) + "\" cy=\"" + px(y.at(vy)) + "\" r=\"" + radius + "\" class=\"" +
           classes + "\"/>\n";
  }
  return out;
}

std::string draw_bars(const Series& series, const Axis& x, const Axis& y, const std::string& classes) {
  std::string out;
  const double room = (x.to - x.from) / std::max<double>(1, static_cast<double>(series.points.size()));
  const double width = std::clamp(room * 0.8, 1.0, 60.0);
  for (const auto& [vx, vy] : series.points) {
    if (!x.holds(vx) || !y.holds(vy)) continue;
    const double zero = y.log ? y.from : y.at(std::clamp(0.0, y.low, y.high)), top = y.at(vy);
    out += rectangle(x.at(vx) - width / 2, std::min(top, zero), width, std::abs(zero - top), classes);
  }
  return out;
}

std::string draw_axes(const Chart& chart, const Axis& x, const Axis& y) {
  std::string out;
  for (const double tick : y.ticks()) {
    out += line(x.from, y.at(tick), x.to, y.at(tick), "mr-grid");
    out += text(x.from - 8, y.at(tick) + 4, number_label(tick), "mr-tick", "end");
  }
  for (const double tick : x.ticks()) {
    out += line(x.at(tick), y.from, x.at(tick), y.from + 5, "mr-axis");
    out += text(x.at(tick), y.from + 20, number_label(tick), "mr-tick");
  }
  out += line(x.from, y.from, x.to, y.from, "mr-axis");
  out += text((x.from + x.to) / 2, y.from + 42, chart.x_label, "");
  return out + upright_text(18, (y.from + y.to) / 2, chart.y_label);
}

bool is_stroke(const Series& series) {
  return series.style == Series::Style::Line || series.style == Series::Style::Steps;
}

std::string classes_of(const Series& series, std::size_t colour) {
  const std::string number = std::to_string(colour % kColours);
  if (is_stroke(series)) return "mr-line " + (series.faint ? std::string("mr-faint") : "mr-s" + number);
  return (series.style == Series::Style::Bars ? "mr-bar mr-f" : "mr-point mr-f") + number;
}

std::string draw_series(const Series& series, const Axis& x, const Axis& y, const std::string& classes) {
  switch (series.style) {
    case Series::Style::Line:
    case Series::Style::Steps:
      return draw_line(series, x, y, classes);
    case Series::Style::Points:
      return draw_points(series, x, y, classes);
    case Series::Style::Bars:
      return draw_bars(series, x, y, classes);
  }
  return "";
}

std::string draw_legend(const Series& series, double y, const std::string& classes) {
  const std::string mark = is_stroke(series) ? line(kLeft, y - 4, kLeft + 24, y - 4, classes)
                                             : rectangle(kLeft + 7, y - 9, 10, 10, classes);
  return mark + text(kLeft + 32, y, series.name, "", "start");
}

}  // namespace

std::string draw_chart(const Chart& chart) {
  bool bars = false;
  std::size_t named = 0;
  for (const Series& series : chart.series) {
    bars |= series.style == Series::Style::Bars;
    named += !series.name.empty();
  }
  const double legend = static_cast<double>(named) * kLegendLine;  // above the plot, which keeps its size
  Axis x = axis_for(chart, true, false), y = axis_for(chart, false, bars);
  x.from = kLeft, x.to = kWidth - kRight;
  y.from = kHeight - kBottom + legend, y.to = kTop + legend;

  std::string head = page(kWidth, kHeight + legend, chart.title), drawn;
  double legend_y = kTop + 6;
  std::size_t colour = 0;
  for (const Series& series : chart.series) {
    const std::string classes = classes_of(series, colour);
    if (!series.faint) ++colour;
    drawn += draw_series(series, x, y, classes);
    if (series.name.empty()) continue;
    head += draw_legend(series, legend_y, classes);
    legend_y += kLegendLine;
  }
  const std::string clip = "<clipPath id=\"mr-plot\">" +
                           rectangle(x.from, y.to - 4, x.to - x.from, y.from - y.to + 8, "") +
                           "</clipPath>\n";
  return head + clip + draw_axes(chart, x, y) + "<g clip-path=\"url(#mr-plot)\">\n" + drawn +
         "</g>\n</svg>\n";
}

std::string draw_matrix(std::string_view title, std::string_view row_label, std::string_view column_label,
                        std::span<const std::string> labels, std::span<const double> counts) {
  const std::size_t n = labels.size();
  MR_CHECK(counts.size() == n * n, "a matrix of counts has a row and a column for each label");
  const double cell = n <= 4 ? 84 : n <= 12 ? 46 : std::max(4.0, 480.0 / static_cast<double>(n));
  const bool readable = cell >= 30, roomy = cell >= 80;
  const double left = 150, top = 84, side = cell * static_cast<double>(n);
  std::string out = page(std::max(left + side + 24, 360.0), top + side + 24, title);
  out += text(left + side / 2, top - 30, column_label, "");
  out += upright_text(18, top + side / 2, row_label);
  for (std::size_t row = 0; row < n; ++row) {
    double total = 0;
    for (std::size_t column = 0; column < n; ++column) total += counts[row * n + column];
    const double y = top + cell * static_cast<double>(row);
    if (cell >= 11) {
      out += text(left - 8, y + cell / 2 + 4, shortened(labels[row], kLabelCharacters), "mr-tick", "end");
    }
    for (std::size_t column = 0; column < n; ++column) {
      const double x = left + cell * static_cast<double>(column), middle = x + cell / 2 - 1;
      const double count = counts[row * n + column], share = total > 0 ? count / total : 0;
      if (row == 0 && readable) {
        out +=
            text(middle, top - 8, shortened(labels[column], static_cast<std::size_t>(cell / 8)), "mr-tick");
      }
      out +=
          rectangle(x, y, cell - 2, cell - 2, "mr-f0", " fill-opacity=\"" + px(0.05 + 0.95 * share) + "\"");
      if (!readable) continue;
      const std::string ink = share > 0.5 ? "mr-on" : "";
      out += text(middle, y + cell / 2 + (roomy ? -2 : 4), number_label(count), ink);
      if (roomy)
        out += text(middle, y + cell / 2 + 16, number_label(std::round(share * 1000) / 10) + " %", ink);
    }
  }
  return out + "</svg>\n";
}

}  // namespace millrace::tasks
