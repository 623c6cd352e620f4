#include "tasks/processing/column_profile.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/utf8.h"

namespace millrace::tasks {
namespace {

constexpr std::size_t kTopShown = 20, kHistogramBins = 20, kTimesShown = 30;
constexpr double kCategoriesMax = 100;  // a text with fewer distinct values is a category

// 4000, not 4000.0.
Json row_count(double count) {
  return static_cast<std::int64_t>(std::llround(count));
}

// 2024-02-29, perhaps with a time behind it.
bool looks_like_date(std::string_view text) {
  if (text.size() < 10 || text.size() > 40) return false;
  for (std::size_t i = 0; i < 10; ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    if ((i == 4 || i == 7) ? (text[i] != '-' && text[i] != '/') : !digit) return false;
  }
  return text.size() == 10 || text[10] == 'T' || text[10] == ' ';
}

bool is_boolean_word(std::string_view text) {
  static constexpr std::string_view kWords[] = {"0",    "1",     "true", "false", "True", "False",
                                                "TRUE", "FALSE", "yes",  "no",    "Yes",  "No",
                                                "t",    "f",     "y",    "n"};
  return std::find(std::begin(kWords), std::end(kWords), text) != std::end(kWords);
}

}  // namespace

void ColumnProfile::add_number(double value, std::string_view spelling) {
  distinct_.add(spelling);
  frequent_.add(spelling);
  value == std::trunc(value) ? ++integral_ : ++fractional_;
  if (!std::isfinite(value)) {
    ++infinite_;
    return;
  }
  min_ = numbers_ == 0 ? value : std::min(min_, value);
  max_ = numbers_ == 0 ? value : std::max(max_, value);
  ++numbers_;
  const double step = value - mean_;  // Welford (1962)
  mean_ += step / numbers_;
  squares_ += step * (value - mean_);
  sum_ += value;
  zeros_ += value == 0;
  negative_ += value < 0;
  quantiles_.add(value);
}

void ColumnProfile::add_text(std::string_view text) {
  distinct_.add(text);
  frequent_.add(text);
  const auto length = static_cast<double>(count_code_points(text));
  length_min_ = texts_ == 0 ? length : std::min(length_min_, length);
  length_max_ = texts_ == 0 ? length : std::max(length_max_, length);
  length_sum_ += length;
  ++texts_;
  if (!looks_like_date(text)) return;
  if (++dates_ == 1) earliest_ = latest_ = text;
  if (text < earliest_) earliest_ = text;
  if (text > latest_) latest_ = text;
  const auto digit = [&](std::size_t i) { return text[i] - '0'; };
  const int year = digit(0) * 1000 + digit(1) * 100 + digit(2) * 10 + digit(3);
  ++months_[12 * year + std::clamp(digit(5) * 10 + digit(6), 1, 12) - 1];
}

void ColumnProfile::add(const Column& piece) {
  const bool text = piece.type == Column::Type::Text;
  const std::size_t rows = text ? piece.texts.size() : piece.numbers.size();
  const bool spelled = piece.texts.size() == rows;
  for (std::size_t i = 0; i < rows; ++i) {
    if (is_missing(piece, i)) {
      ++missing_;
      continue;
    }
    double number = text ? 0 : piece.numbers[i];
    if (!text) {
      add_number(number, spelled ? piece.texts[i] : format_number(number));
    } else if (parse_number(piece.texts[i], number) && !std::isnan(number)) {
      add_number(number, piece.texts[i]);
    } else {
      add_text(piece.texts[i]);
    }
  }
}

std::string_view ColumnProfile::inferred_type() const {
  if (present() == 0) return "Unknown";
  if (texts_ >= integral_ + fractional_) return "String";
  return fractional_ > 0 ? "Fractional" : "Integral";
}

std::string_view ColumnProfile::kind() const {
  if (present() == 0) return "empty";
  const double distinct = distinct_.estimate();
  if (distinct <= 2 && frequent_.exact()) {
    const auto top = frequent_.top(2);
    if (std::all_of(top.begin(), top.end(), [](const auto& entry) { return is_boolean_word(entry.first); }))
      return "boolean";
  }
  if (numeric()) return fractional_ > 0 ? "number" : "integer";
  if (dates_ == present()) return "date";
  return distinct <= kCategoriesMax ? "category" : "text";
}

double ColumnProfile::std_dev() const {
  return numbers_ > 0 ? std::sqrt(squares_ / numbers_) : 0;
}

ColumnProfile::Histogram ColumnProfile::histogram(std::size_t bins) const {
  Histogram out;
  if (numbers_ == 0) return out;
  if (min_ == max_) bins = 1;
  const auto n = static_cast<double>(bins);
  for (std::size_t b = 0; b <= bins; ++b)
    out.edges.push_back(min_ + (max_ - min_) * (static_cast<double>(b) / n));
  out.edges.back() = max_;
  out.counts.resize(bins);
  for (const auto& [value, weight] : quantiles_.values()) {
    const double place = max_ > min_ ? (value - min_) / (max_ - min_) * n : 0;
    out.counts[static_cast<std::size_t>(std::clamp(place, 0.0, n - 1))] += weight;
  }
  return out;
}

std::vector<std::pair<std::string, double>> ColumnProfile::by_time(std::size_t most) const {
  std::vector<std::pair<std::string, double>> out;
  if (months_.empty()) return out;
  const int first = months_.begin()->first, last = months_.rbegin()->first;
  const bool months = static_cast<std::size_t>(last - first) < most;
  for (int m = first; months && m <= last; ++m) {
    char name[32];
    std::snprintf(name, sizeof name, "%04d-%02d", m / 12, m % 12 + 1);
    const auto found = months_.find(m);
    out.emplace_back(name, found == months_.end() ? 0 : found->second);
  }
  if (months) return out;
  for (const auto& [m, rows] : months_) {
    while (out.size() <= static_cast<std::size_t>(m / 12 - first / 12))
      out.emplace_back(std::to_string(first / 12 + static_cast<int>(out.size())), 0);
    out.back().second += rows;
  }
  return out;
}

Json ColumnProfile::to_json() const {
  Json out = {{"name", name_},
              {"kind", kind()},
              {"inferred_type", inferred_type()},
              {"missing", row_count(missing_)},
              {"completeness", completeness()},
              {"distinct", row_count(distinct_.estimate())},
              {"distinct_is_exact", distinct_.exact()}};
  if (texts_ > 0 && integral_ + fractional_ > 0)
    out["numbers_among_text"] = row_count(integral_ + fractional_);
  if (numbers_ > 0 && texts_ < integral_ + fractional_) {
    const WeightedValues values = quantiles_.values();
    out["mean"] = mean_;
    out["sum"] = sum_;
    out["std_dev"] = std_dev();
    out["min"] = min_;
    out["max"] = max_;
    out["zeros"] = row_count(zeros_);
    out["negative"] = row_count(negative_);
    if (infinite_ > 0) out["infinite"] = row_count(infinite_);
    for (const auto& [name, q] : {std::pair{"0.01", 0.01},
                                  {"0.05", 0.05},
                                  {"0.25", 0.25},
                                  {"0.5", 0.5},
                                  {"0.75", 0.75},
                                  {"0.95", 0.95},
                                  {"0.99", 0.99}})
      out["quantiles"][name] = weighted_quantile(values, q);
    out["quantiles_are_exact"] = quantiles_.exact();
    const Histogram bins = histogram(kHistogramBins);
    out["histogram"] = {{"edges", bins.edges}, {"counts", Json::array()}};
    for (const double count : bins.counts) out["histogram"]["counts"].push_back(row_count(count));
  } else if (texts_ > 0) {
    out["length"] = {{"min", length_min_}, {"mean", length_sum_ / texts_}, {"max", length_max_}};
  }
  if (kind() == "date") {
    out["earliest"] = earliest_;
    out["latest"] = latest_;
    for (const auto& [time, count] : by_time(kTimesShown)) out["by_time"][time] = row_count(count);
  }
  out["top"] = Json::array();
  for (const auto& [value, count] : frequent_.top(kTopShown))
    out["top"].push_back({{"value", value}, {"count", row_count(count)}});
  if (!frequent_.exact()) out["top_counts_are_low_by_at_most"] = frequent_.error();
  out["remarks"] = remarks();
  return out;
}

std::vector<std::string> ColumnProfile::remarks() const {
  std::vector<std::string> out;
  if (present() == 0) return {"no cell has a value"};
  const double distinct = distinct_.estimate();
  if (distinct == 1 && missing_ == 0) out.emplace_back("every cell is the same");
  if (completeness() < 0.5) out.emplace_back("more than half of the cells are missing");
  if (texts_ > 0 && integral_ + fractional_ > 0 &&
      std::min(texts_, integral_ + fractional_) < 0.1 * present())
    out.emplace_back("numbers and text are mixed");
  if (infinite_ > 0) out.emplace_back("some numbers are infinite");
  if (distinct >= 0.98 * present() && present() >= 20 && fractional_ == 0 && dates_ == 0)
    out.emplace_back("nearly every cell is different: an identifier?");
  return out;
}

}  // namespace millrace::tasks
