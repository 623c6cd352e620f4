#pragma once
// Charts with a name in front of each row: bars that rank things, and swarms of points that show how a
// feature's values push a model's answers. As svg_chart.h otherwise.

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace::tasks {

inline constexpr std::size_t kChartRowsMax = 30;     // more are left out, and the chart says how many
inline constexpr std::size_t kSwarmPointsMax = 600;  // of one row; more are thinned evenly

// Horizontal bars in the order given, negative ones to the left of 0.
std::string draw_bars(std::string_view title, std::string_view label,
                      std::span<const std::pair<std::string, double>> bars);

struct Swarm {
  std::string name;
  std::vector<std::pair<double, double>> points;  // place, and colour in [0, 1] (NaN: no value, grey)
};
// Points of each row stand side by side where they would cover each other. `low` and `high` name the ends of
// the colours.
std::string draw_swarms(std::string_view title, std::string_view label, std::span<const Swarm> swarms,
                        std::string_view low, std::string_view high);

}  // namespace millrace::tasks
