#include "tasks/processing/sketches.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/utf8.h"

namespace millrace::tasks {
namespace {

constexpr unsigned kRegisterBits = 14;
constexpr std::size_t kRegisters = std::size_t{1} << kRegisterBits;

}  // namespace

std::size_t QuantileSketch::capacity(std::size_t level) const {
  const double depth = static_cast<double>(levels_.size() - 1 - level);
  return std::max<std::size_t>(
      8, static_cast<std::size_t>(std::ceil(static_cast<double>(kSize) * std::pow(kShrink, depth))));
}

void QuantileSketch::add(double value) {
  levels_[0].push_back(value);
  count_ += 1;
  if (levels_[0].size() >= capacity(0)) compact();
}

// The lowest full level is sorted and every second value of it goes up, even or odd ones by chance. One value
// may stay, so that weights always sum to the count.
void QuantileSketch::compact() {
  for (std::size_t h = 0; h < levels_.size(); ++h) {
    if (levels_[h].size() < capacity(h)) continue;
    if (h + 1 == levels_.size()) levels_.emplace_back();
    std::vector<double>& full = levels_[h];
    std::sort(full.begin(), full.end());
    std::vector<double> left;
    if (full.size() % 2 != 0) {
      left.push_back(full.back());
      full.pop_back();
    }
    const std::size_t odd = random_.below(2);
    for (std::size_t i = odd; i < full.size(); i += 2) levels_[h + 1].push_back(full[i]);
    full = std::move(left);
  }
}

WeightedValues QuantileSketch::values() const {
  WeightedValues out;
  double weight = 1;
  for (const std::vector<double>& level : levels_) {
    for (const double value : level) out.emplace_back(value, weight);
    weight *= 2;
  }
  std::sort(out.begin(), out.end());
  return out;
}

bool QuantileSketch::restore(std::vector<std::vector<double>> levels, QuantileSketch& out) {
  if (levels.empty() || levels.size() > 60) return false;
  out = QuantileSketch();
  double weight = 1;
  for (const std::vector<double>& level : levels) {
    for (const double value : level) {
      if (!std::isfinite(value)) return false;
    }
    out.count_ += weight * static_cast<double>(level.size());
    weight *= 2;
  }
  out.levels_ = std::move(levels);
  return true;
}

double weighted_quantile(const WeightedValues& values, double q) {
  double total = 0;
  bool ones = true;
  for (const auto& [value, weight] : values) {
    total += weight;
    ones &= weight == 1;
  }
  const double at = q * (total - 1);
  if (ones) {
    const auto below = static_cast<std::size_t>(at);
    if (below + 1 >= values.size()) return values.back().first;
    const double part = at - static_cast<double>(below);
    return values[below].first + part * (values[below + 1].first - values[below].first);
  }
  double before = 0;
  for (const auto& [value, weight] : values) {
    before += weight;
    if (before > at) return value;
  }
  return values.back().first;
}

void DistinctCount::add_hash(std::uint64_t hash) {
  if (!registers_.empty()) return to_register(hash);
  hashes_.insert(hash);
  if (hashes_.size() <= kExact) return;
  registers_.resize(kRegisters);
  for (const std::uint64_t kept : hashes_) to_register(kept);
  hashes_.clear();
}

void DistinctCount::to_register(std::uint64_t hash) {
  const std::uint64_t mixed = mix(hash, 0x9e3779b97f4a7c15);
  const std::size_t place = mixed >> (64 - kRegisterBits);
  const auto rank = static_cast<std::uint8_t>(std::countl_zero((mixed << kRegisterBits) | 1) + 1);
  registers_[place] = std::max(registers_[place], rank);
}

double DistinctCount::estimate() const {
  if (registers_.empty()) return static_cast<double>(hashes_.size());
  double sum = 0, empty = 0;
  for (const std::uint8_t rank : registers_) {
    sum += std::ldexp(1.0, -static_cast<int>(rank));
    empty += rank == 0;
  }
  const auto m = static_cast<double>(kRegisters);
  const double raw = 0.7213 / (1 + 1.079 / m) * m * m / sum;
  return std::round(raw <= 2.5 * m && empty > 0 ? m * std::log(m / empty) : raw);
}

void FrequentValues::add(std::string_view value) {
  if (value.size() > kValueBytesMax) {
    std::size_t cut = kValueBytesMax;
    while (cut > 0 && (static_cast<unsigned char>(value[cut]) & 0xC0) == 0x80) --cut;
    value = value.substr(0, cut);
  }
  if (const auto at = counts_.find(value); at != counts_.end()) {
    at->second += 1;
    return;
  }
  counts_.emplace(value, 1);
  if (counts_.size() <= 2 * kKept) return;
  // The counts of the rarer half are taken off all: what is left is at most that much too low.
  std::vector<double> counts;
  for (const auto& entry : counts_) counts.push_back(entry.second);
  std::nth_element(counts.begin(), counts.begin() + kKept, counts.end(), std::greater<>());
  const double off = counts[kKept];
  for (auto at = counts_.begin(); at != counts_.end();) {
    at->second -= off;
    at = at->second > 0 ? std::next(at) : counts_.erase(at);
  }
  error_ += off;
}

std::vector<std::pair<std::string, double>> FrequentValues::top(std::size_t count) const {
  std::vector<std::pair<std::string, double>> out(counts_.begin(), counts_.end());
  std::stable_sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  out.resize(std::min(out.size(), count));
  return out;
}

}  // namespace millrace::tasks
