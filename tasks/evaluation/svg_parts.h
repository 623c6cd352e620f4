#pragma once
// The pieces that charts are put together from: marks with their classes, text, axes. For svg_chart.cpp and
// svg_rows.cpp only; what they mean to readers is said there. Any thread.

#include <cmath>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::tasks::svg {

// A place on the page or a size, in hundredths.
std::string px(double value);
// Six significant digits.
std::string number_label(double value);
std::string text(double x, double y, std::string_view words, std::string_view classes,
                 std::string_view anchor = "middle", std::string_view more = "");
std::string upright_text(double x, double y, std::string_view words);
std::string line(double x1, double y1, double x2, double y2, std::string_view classes);
std::string rectangle(double x, double y, double width, double height, std::string_view classes,
                      std::string_view more = "");
// The beginning of a document: its size, the colours, a background and the title.
std::string page(double width, double height, std::string_view title);
// At most so many characters, the last one "…" where some were cut.
std::string shortened(std::string_view label, std::size_t characters);

// One axis: from values to places on the page.
struct Axis {
  double low = 0, high = 1;  // of values, or of their logarithms
  bool log = false;
  double from = 0, to = 1;  // on the page

  bool holds(double value) const {
    return std::isfinite(value) && std::abs(value) < 1e100 && (!log || value > 0);
  }
  double scaled(double value) const { return log ? std::log10(value) : value; }
  double at(double value) const { return from + (scaled(value) - low) / (high - low) * (to - from); }
  // Steps of 1, 2 or 5 times a power of ten. On a logarithmic axis whole decades; with fewer than four of
  // them also their doubles and fives, and steps as on any axis where it is shorter than one and a half.
  std::vector<double> ticks() const;
};

}  // namespace millrace::tasks::svg
