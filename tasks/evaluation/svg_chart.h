#pragma once
// Charts as SVG documents of their own: lines, steps, points and bars over two axes, and a matrix of counts.
// Legible on light and dark screens (the colours follow prefers-color-scheme), on paper, and to people who
// can't tell red from green. Any text is escaped. Deterministic: equal charts give equal bytes. Any thread.

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace::tasks {

struct Series {
  enum class Style { Line, Steps, Points, Bars };
  std::string name;                               // in the legend; empty: not there
  std::vector<std::pair<double, double>> points;  // (x, y); what is not finite is left out and breaks a line
  Style style = Style::Line;
  bool faint = false;  // a line to compare with: grey and dashed
};

struct Chart {
  std::string title, x_label, y_label;
  std::vector<Series> series;
  // The ends of the axes; without them they follow the points.
  std::optional<std::pair<double, double>> x_range = {}, y_range = {};
  bool x_log = false, y_log = false;  // points that are not above 0 are then left out
};

std::string draw_chart(const Chart& chart);

// Counts by row and column, row-major, labels.size() squared: cells shaded by their share of the row, written
// out while there is room for it. A confusion matrix has the truth in rows and the prediction in columns.
std::string draw_matrix(std::string_view title, std::string_view row_label, std::string_view column_label,
                        std::span<const std::string> labels, std::span<const double> counts);

}  // namespace millrace::tasks
