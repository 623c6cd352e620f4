#include "tasks/evaluation/svg_rows.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "tasks/evaluation/svg_parts.h"

namespace millrace::tasks {
namespace {

constexpr double kRowsWidth = 640, kRowsLeft = 190, kRowsRight = 70, kRowsTop = 44, kRowsBottom = 52;
constexpr double kBarRow = 24, kSwarmRow = 40;
constexpr std::size_t kRowLabelCharacters = 26;

// The axis below the rows; 0 is always on it.
svg::Axis rows_axis(double low, double high) {
  svg::Axis axis;
  axis.low = std::min(low, 0.0);
  axis.high = std::max(high, 0.0);
  if (!(axis.high - axis.low > 1e-100)) axis.high = axis.low + 1;
  const double room = (axis.high - axis.low) * 0.04;
  if (axis.low < 0) axis.low -= room;
  if (axis.high > 0) axis.high += room;
  axis.from = kRowsLeft;
  axis.to = kRowsWidth - kRowsRight;
  return axis;
}

std::string rows_frame(std::string_view title, std::string_view label, const svg::Axis& axis, double height,
                       std::size_t left_out) {
  std::string out = svg::page(kRowsWidth, kRowsTop + height + kRowsBottom, title);
  const double bottom = kRowsTop + height;
  for (const double tick : axis.ticks()) {
    out += svg::line(axis.at(tick), kRowsTop, axis.at(tick), bottom, "mr-grid");
    out += svg::text(axis.at(tick), bottom + 16, svg::number_label(tick), "mr-tick");
  }
  out += svg::line(axis.at(0), kRowsTop, axis.at(0), bottom, "mr-axis");
  std::string words(label);
  if (left_out > 0) words += " (" + std::to_string(left_out) + " more rows are not shown)";
  return out + svg::text((axis.from + axis.to) / 2, bottom + 38, words, "");
}

// Counts as they are, else four significant digits: a bar says the rest.
std::string bar_label(double value) {
  if (value == std::trunc(value) && std::abs(value) < 1e9) return std::to_string(std::lround(value));
  char buffer[32];
  return std::string(buffer,
                     std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::general, 4).ptr);
}

// Blue to orange over grey, legible on white and on black.
std::string swarm_colour(double share) {
  if (std::isnan(share)) return "#8c959f";
  const double t = std::clamp(share, 0.0, 1.0);
  constexpr double kLow[] = {0, 110, 190}, kMiddle[] = {150, 130, 160}, kHigh[] = {214, 88, 10};
  std::string out = "#";
  for (int c = 0; c < 3; ++c) {
    const double from = t < 0.5 ? kLow[c] : kMiddle[c], to = t < 0.5 ? kMiddle[c] : kHigh[c];
    const auto value = static_cast<unsigned>(std::lround(from + (to - from) * (t < 0.5 ? 2 * t : 2 * t - 1)));
    constexpr char kHex[] = "0123456789abcdef";
    out += kHex[value / 16];
    out += kHex[value % 16];
  }
  return out;
}

// Points over each other go up and down by turns, as far as the row has room.
std::string draw_swarm(const Swarm& swarm, const svg::Axis& axis, double middle) {
  std::string out;
  std::vector<int> stacked(static_cast<std::size_t>((axis.to - axis.from) / 3) + 2);
  const std::size_t stride = swarm.points.size() / kSwarmPointsMax + 1;
  for (std::size_t i = 0; i < swarm.points.size(); i += stride) {
    const auto& [value, share] = swarm.points[i];
    if (!axis.holds(value)) continue;
    const double x = axis.at(value);
    const auto slot = static_cast<std::size_t>(std::clamp((x - axis.from) / 3, 0.0, 1e4));
    int& count = stacked[std::min(slot, stacked.size() - 1)];
    const double offset = (count % 2 == 0 ? 1 : -1) * ((count + 1) / 2) * 1.5;
    ++count;
    out += "<circle cx=\"" + svg::px(x) + "\" cy=\"" +
           svg::px(middle + std::clamp(offset, -kSwarmRow * 0.44, kSwarmRow * 0.44)) +
           "\" r=\"2.2\" fill=\"" + swarm_colour(share) + "\" fill-opacity=\".75\"/>\n";
  }
  return out;
}

}  // namespace

std::string draw_bars(std::string_view title, std::string_view label,
                      std::span<const std::pair<std::string, double>> bars) {
  const std::size_t shown = std::min(bars.size(), kChartRowsMax);
  double low = 0, high = 0;
  for (const auto& [name, value] : bars.first(shown)) {
    if (!std::isfinite(value)) continue;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  const svg::Axis axis = rows_axis(low, high);
  std::string out = rows_frame(title, label, axis, kBarRow * static_cast<double>(shown), bars.size() - shown);
  for (std::size_t i = 0; i < shown; ++i) {
    const auto& [name, value] = bars[i];
    const double y = kRowsTop + kBarRow * static_cast<double>(i), zero = axis.at(0);
    out += svg::text(kRowsLeft - 10, y + kBarRow / 2 + 4, svg::shortened(name, kRowLabelCharacters),
                     "mr-tick", "end");
    if (!axis.holds(value)) {
      out += svg::text(zero + 6, y + kBarRow / 2 + 4,
                       std::isnan(value) ? "-"
                       : value > 0       ? "∞"
                                         : "-∞",
                       "mr-tick", "start");
      continue;
    }
    const double end = axis.at(value);
    out += svg::rectangle(std::min(zero, end), y + 4, std::abs(end - zero), kBarRow - 8, "mr-bar mr-f0");
    out += svg::text(std::max(end, zero) + 6, y + kBarRow / 2 + 4, bar_label(value), "mr-tick", "start");
  }
  return out + "</svg>\n";
}

std::string draw_swarms(std::string_view title, std::string_view label, std::span<const Swarm> swarms,
                        std::string_view low_name, std::string_view high_name) {
  const std::size_t shown = std::min(swarms.size(), kChartRowsMax);
  double low = 0, high = 0;
  for (const Swarm& swarm : swarms.first(shown)) {
    for (const auto& [value, share] : swarm.points) {
      if (!std::isfinite(value)) continue;
      low = std::min(low, value);
      high = std::max(high, value);
    }
  }
  const svg::Axis axis = rows_axis(low, high);
  std::string out =
      rows_frame(title, label, axis, kSwarmRow * static_cast<double>(shown), swarms.size() - shown);
  for (std::size_t i = 0; i < shown; ++i) {
    const double middle = kRowsTop + kSwarmRow * (static_cast<double>(i) + 0.5);
    out += svg::text(kRowsLeft - 10, middle + 4, svg::shortened(swarms[i].name, kRowLabelCharacters),
                     "mr-tick", "end");
    out += draw_swarm(swarms[i], axis, middle);
  }
  const double x = kRowsWidth - 22, top = kRowsTop + 16,
               length = std::max(40.0, kSwarmRow * static_cast<double>(shown) - 32);
  out += svg::text(x, top - 6, high_name, "mr-tick");
  for (int step = 0; step < 20; ++step) {
    out += "<rect x=\"" + svg::px(x - 5) + "\" y=\"" + svg::px(top + length * step / 20) +
           "\" width=\"10\" height=\"" + svg::px(length / 20 + 0.5) + "\" fill=\"" +
           swarm_colour(1 - (step + 0.5) / 20) + "\"/>\n";
  }
  out += svg::text(x, top + length + 14, low_name, "mr-tick");
  return out + "</svg>\n";
}

}  // namespace millrace::tasks
