#include "tasks/deployment/guards.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "tasks/deployment/sequential.h"

namespace millrace::tasks {
namespace {

constexpr double kGuardAlpha = 0.01;            // how often a guard may fire without a reason
constexpr double kSlowest = 0.99;               // the quantile of latency-p99
constexpr std::uint64_t kOldRequestsMin = 100;  // before the old fleet's quantile is known
constexpr double kBucketsAnOctave = 8;

struct GuardMetric {
  Guard::Metric metric;
  std::string_view name;
  char compare;   // the condition's sign
  char relation;  // between "old" and the number
};
constexpr GuardMetric kGuardMetrics[] = {{Guard::Metric::ErrorRate, "error-rate", '>', '+'},
                                         {Guard::Metric::LatencyP99, "latency-p99", '>', '*'},
                                         {Guard::Metric::Accuracy, "accuracy", '<', '-'}};

void skip_blanks(std::string_view& text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
}

bool take_word(std::string_view& text, std::string_view word) {
  skip_blanks(text);
  if (!text.starts_with(word)) return false;
  text.remove_prefix(word.size());
  return true;
}

// A number, with ms or s behind a time.
std::optional<double> take_bound(std::string_view& text, bool time) {
  skip_blanks(text);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || !std::isfinite(value) || value < 0) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (!time) return value;
  if (take_word(text, "ms")) return value / 1000;
  if (take_word(text, "s")) return value;
  return std::nullopt;
}

std::string in_percent(double share) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g %%", share * 100);
  return text;
}

std::string in_millis(double seconds) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g ms", seconds * 1000);
  return text;
}

double share_seen(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

std::string of_requests(std::string_view what, std::uint64_t part, std::uint64_t whole,
                        std::string_view noun) {
  return std::string(what) + " of the new fleet is " + in_percent(share_seen(part, whole)) + " of " +
         std::to_string(whole) + " " + std::string(noun);
}

// The share of one fleet is surely above the bound, or above the other fleet's by it.
bool surely_above(std::uint64_t part, std::uint64_t whole, const Guard& guard, std::uint64_t old_part,
                  std::uint64_t old_whole) {
  if (!guard.against_old) return proportion_interval(part, whole, kGuardAlpha).low > guard.bound;
  const double low = proportion_interval(part, whole, kGuardAlpha / 2).low;
  const double high = proportion_interval(old_part, old_whole, kGuardAlpha / 2).high;
  return low > high + guard.bound;
}

std::optional<std::string> slow(const Guard& guard, const FleetSeen& old_fleet, const FleetSeen& new_fleet) {
  double limit = guard.bound;
  if (guard.against_old) {
    std::uint64_t known = 0;
    for (const std::uint64_t n : old_fleet.latency) known += n;
    if (known < kOldRequestsMin) return std::nullopt;
    limit *= latency_quantile(old_fleet.latency, kSlowest);
  }
  // More than one in a hundred requests took surely longer: the quantile is above the limit.
  std::uint64_t over = 0, all = 0;
  for (std::size_t i = 0; i < kLatencyBuckets; ++i) {
    all += new_fleet.latency[i];
    if (i > 0 && latency_seconds(i - 1) >= limit) over += new_fleet.latency[i];
  }
  if (proportion_interval(over, all, kGuardAlpha).low <= 1 - kSlowest) return std::nullopt;
  return of_requests("latency", over, all, "requests") + " above " + in_millis(limit);
}

}  // namespace

std::size_t latency_bucket(std::chrono::nanoseconds time) {
  const double micros = static_cast<double>(time.count()) / 1e3;
  if (!(micros > 1)) return 0;
  const auto bucket = static_cast<std::size_t>(std::ceil(std::log2(micros) * kBucketsAnOctave));
  return std::min(bucket, kLatencyBuckets - 1);
}

double latency_seconds(std::size_t bucket) {
  return std::exp2(static_cast<double>(bucket) / kBucketsAnOctave) * 1e-6;
}

double latency_quantile(const LatencyCounts& counts, double q) {
  std::uint64_t all = 0, below = 0;
  for (const std::uint64_t n : counts) all += n;
  if (all == 0) return 0;
  for (std::size_t i = 0; i < kLatencyBuckets; ++i) {
    below += counts[i];
    if (static_cast<double>(below) >= q * static_cast<double>(all)) return latency_seconds(i);
  }
  return latency_seconds(kLatencyBuckets - 1);
}

void FleetCounts::count(bool failed, std::chrono::nanoseconds took) {
  requests_.fetch_add(1, std::memory_order_relaxed);
  if (failed)
    failed_.fetch_add(1, std::memory_order_relaxed);
  else
    latency_[latency_bucket(took)].fetch_add(1, std::memory_order_relaxed);
}

FleetSeen FleetCounts::seen() const {
  FleetSeen seen;
  seen.failed = failed_.load(std::memory_order_relaxed);
  seen.requests = std::max(seen.failed, requests_.load(std::memory_order_relaxed));
  for (std::size_t i = 0; i < kLatencyBuckets; ++i)
    seen.latency[i] = latency_[i].load(std::memory_order_relaxed);
  return seen;
}

Result<Guard> Guard::parse(std::string_view alarm_name) {
  Guard guard;
  guard.text = alarm_name;
  const auto wrong = [&] {
    return invalid("\"" + guard.text + "\" is no guard",
                   "the forms are millrace:error-rate > 0.05, millrace:error-rate > old + 0.01, "
                   "millrace:latency-p99 > 250ms, millrace:latency-p99 > old * 1.5, millrace:accuracy < 0.9, "
                   "millrace:accuracy < old - 0.02");
  };
  std::string_view text = alarm_name;
  if (!take_word(text, kPrefix)) return wrong();
  skip_blanks(text);
  const GuardMetric* row = std::find_if(std::begin(kGuardMetrics), std::end(kGuardMetrics),
                                        [&](const GuardMetric& r) { return text.starts_with(r.name); });
  if (row == std::end(kGuardMetrics)) return wrong();
  text.remove_prefix(row->name.size());
  guard.metric = row->metric;
  if (!take_word(text, std::string_view(&row->compare, 1))) return wrong();
  guard.against_old = take_word(text, "old");
  if (guard.against_old && !take_word(text, std::string_view(&row->relation, 1))) return wrong();
  const bool time = guard.metric == Metric::LatencyP99 && !guard.against_old;
  const auto bound = take_bound(text, time);
  skip_blanks(text);
  if (!bound || !text.empty()) return wrong();
  if (guard.metric != Metric::LatencyP99 && *bound >= 1)
    return invalid("\"" + guard.text + "\": a share is from 0 to 1", "0.05 is 5 %");
  guard.bound = *bound;
  return guard;
}

std::optional<std::string> Guard::fires(const FleetSeen& old_fleet, const FleetSeen& new_fleet) const {
  std::optional<std::string> why;
  switch (metric) {
    case Metric::ErrorRate:
      if (surely_above(new_fleet.failed, new_fleet.requests, *this, old_fleet.failed, old_fleet.requests))
        why = of_requests("error rate", new_fleet.failed, new_fleet.requests, "requests");
      break;
    case Metric::LatencyP99:
      why = slow(*this, old_fleet, new_fleet);
      break;
    case Metric::Accuracy: {
      // The share of wrong ones is above what the bound leaves.
      Guard mirrored = *this;
      if (!against_old) mirrored.bound = 1 - bound;
      if (surely_above(new_fleet.judged - new_fleet.right, new_fleet.judged, mirrored,
                       old_fleet.judged - old_fleet.right, old_fleet.judged))
        why = of_requests("accuracy", new_fleet.right, new_fleet.judged, "labelled requests");
      break;
    }
  }
  if (!why) return std::nullopt;
  if (against_old && metric == Metric::ErrorRate)
    *why += ", of the old " + in_percent(share_seen(old_fleet.failed, old_fleet.requests)) + " of " +
            std::to_string(old_fleet.requests);
  if (against_old && metric == Metric::Accuracy)
    *why += ", of the old " + in_percent(share_seen(old_fleet.right, old_fleet.judged)) + " of " +
            std::to_string(old_fleet.judged);
  return *why + " (guard \"" + text + "\")";
}

}  // namespace millrace::tasks
