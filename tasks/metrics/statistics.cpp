#include "tasks/metrics/statistics.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace millrace::tasks {

void Aggregate::add(double value, double times) {
  count += times;
  sum += value * times;
  min = std::min(min, value);
  max = std::max(max, value);
  sketch.add(value, times);
}

void Aggregate::add_set(double samples, double total, double least, double most) {
  count += samples;
  sum += total;
  min = std::min(min, least);
  max = std::max(max, most);
  if (least == most) sketch.add(least, samples);
}

void Aggregate::merge(const Aggregate& other) {
  count += other.count;
  sum += other.sum;
  min = std::min(min, other.min);
  max = std::max(max, other.max);
  sketch.merge(other.sketch);
}

std::optional<Statistic> Statistic::parse(std::string_view name) {
  constexpr std::pair<std::string_view, Kind> kNames[] = {{"SampleCount", Kind::SampleCount},
                                                          {"Average", Kind::Average},
                                                          {"Sum", Kind::Sum},
                                                          {"Minimum", Kind::Minimum},
                                                          {"Maximum", Kind::Maximum}};
  for (const auto& [known, kind] : kNames)
    if (name == known) return Statistic{kind};
  if (name.size() < 2 || name.size() > 16 || name[0] != 'p') return std::nullopt;
  Statistic percentile{Kind::Percentile};
  const auto [end, error] = std::from_chars(name.data() + 1, name.data() + name.size(), percentile.percent,
                                            std::chars_format::fixed);
  const bool whole = error == std::errc() && end == name.data() + name.size();
  if (!whole || !(percentile.percent >= 0 && percentile.percent <= 100)) return std::nullopt;
  return percentile;
}

std::optional<double> value_of(const Aggregate& aggregate, const Statistic& statistic) {
  if (!(aggregate.count > 0)) return std::nullopt;
  switch (statistic.kind) {
    case Statistic::Kind::SampleCount:
      return aggregate.count;
    case Statistic::Kind::Average:
      return aggregate.sum / aggregate.count;
    case Statistic::Kind::Sum:
      return aggregate.sum;
    case Statistic::Kind::Minimum:
      return aggregate.min;
    case Statistic::Kind::Maximum:
      return aggregate.max;
    case Statistic::Kind::Percentile:
      break;
  }
  // Counts are added up in another order than the sketch's.
  if (aggregate.sketch.count() < aggregate.count * (1 - 1e-9)) return std::nullopt;
  if (statistic.percent <= 0) return aggregate.min;
  if (statistic.percent >= 100) return aggregate.max;
  return std::clamp(aggregate.sketch.quantile(statistic.percent / 100), aggregate.min, aggregate.max);
}

}  // namespace millrace::tasks
