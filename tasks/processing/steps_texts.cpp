// Steps for columns of texts: categories to numbers, dates to their parts. Numbers are taken as their text.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <map>

#include "tasks/processing/steps.h"

namespace millrace::tasks {
namespace {

using Type = SettingRule::Type;

constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();

std::map<std::string, std::size_t> count_categories(const Column& column) {
  std::map<std::string, std::size_t> counts;
  for (std::size_t i = 0; i < column.texts.size(); ++i) {
    if (!column.missing[i]) ++counts[column.texts[i]];
  }
  return counts;
}

// Place of a text among the sorted ones; their number when it is not there.
std::size_t level_place(const std::vector<std::string>& sorted, const std::string& text) {
  const auto at = std::lower_bound(sorted.begin(), sorted.end(), text);
  return at != sorted.end() && *at == text ? static_cast<std::size_t>(at - sorted.begin()) : sorted.size();
}

tl::unexpected<Error> unknown_category(const Column& column, std::size_t row) {
  return invalid("row " + std::to_string(row + 1) + ", column \"" + column.name + "\": the category \"" +
                 column.texts[row].substr(0, 80) + "\" was not in the training data");
}

// ---- one_hot
// --------------------------------------------------------------------------------------------------------

constexpr SettingRule kOneHotRules[] = {
    {"max_categories", Type::Number, "1000", "", 1, 100'000,
     "the most frequent ones; the others share name=(other)"},
    {"min_count", Type::Number, "1", "", 1, 1e9, "rarer categories share name=(other)"},
    {"unknown", Type::Text, "ignore", "ignore|error", 0, 0,
     "a category that training did not see: all 0, or refused"},
};

// texts: the categories, sorted. numbers: whether training had missing cells, and rare categories.
Result<FittedColumn> fit_one_hot(const Column& column, const StepSettings& settings, FitInput&) {
  std::vector<std::pair<std::string, std::size_t>> counts;
  const auto counted = count_categories(column);
  for (const auto& entry : counted) {
    if (static_cast<double>(entry.second) >= settings.number("min_count")) counts.push_back(entry);
  }
  std::stable_sort(counts.begin(), counts.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  counts.resize(std::min(counts.size(), static_cast<std::size_t>(settings.number("max_categories"))));
  FittedColumn out{column.name, {}, {}};
  for (const auto& [text, count] : counts) out.texts.push_back(text);
  std::sort(out.texts.begin(), out.texts.end());
  const bool missing = std::find(column.missing.begin(), column.missing.end(), 1) != column.missing.end();
  out.numbers = {missing ? 1.0 : 0.0, counts.size() < counted.size() ? 1.0 : 0.0};
  return out;
}

Status apply_one_hot(const FittedColumn& fitted, const StepSettings& settings, Column column,
                     StepKind::Columns& out) {
  const bool has_missing = fitted.numbers[0] != 0, has_other = fitted.numbers[1] != 0;
  const std::size_t first = out.size(), categories = fitted.texts.size(), rows = column.texts.size();
  for (const std::string& text : fitted.texts)
    out.push_back(number_column(column.name + "=" + text, std::vector<double>(rows)));
  if (has_other) out.push_back(number_column(column.name + "=(other)", std::vector<double>(rows)));
  if (has_missing) out.push_back(number_column(column.name + "=(missing)", std::vector<double>(rows)));
  for (std::size_t i = 0; i < rows; ++i) {
    if (column.missing[i]) {
      if (has_missing) out.back().numbers[i] = 1;
      continue;
    }
    const std::size_t place = level_place(fitted.texts, column.texts[i]);
    if (place == categories && !has_other) {
      if (settings.text("unknown") == "error") return unknown_category(column, i);
      continue;
    }
    out[first + place].numbers[i] = 1;  // (other) stands right behind the categories
  }
  return {};
}

// ---- ordinal
// --------------------------------------------------------------------------------------------------------

constexpr SettingRule kOrdinalRules[] = {
    {"order", Type::Texts, "", "", 0, 0, "the categories from 0 on; without it, sorted"},
    {"unknown", Type::Text, "missing", "missing|error", 0, 0, "a category that training did not see"},
};

// texts: the categories, sorted; numbers: the number of each.
Result<FittedColumn> fit_ordinal(const Column& column, const StepSettings& settings, FitInput&) {
  const std::vector<std::string>& order = settings.list("order");
  std::map<std::string, double> places;
  for (const std::string& text : order) {
    if (!places.emplace(text, static_cast<double>(places.size())).second)
      return invalid("order names \"" + text + "\" twice");
  }
  for (const auto& [text, count] : count_categories(column)) {
    if (order.empty()) {
      places.emplace(text, static_cast<double>(places.size()));
    } else if (!places.contains(text)) {
      return invalid("column \"" + column.name + "\" has the category \"" + text +
                     "\", which is not in order");
    }
  }
  FittedColumn out{column.name, {}, {}};
  for (const auto& [text, place] : places) {
    out.texts.push_back(text);
    out.numbers.push_back(place);
  }
  return out;
}

Status apply_ordinal(const FittedColumn& fitted, const StepSettings& settings, Column column,
                     StepKind::Columns& out) {
  std::vector<double> numbers(column.texts.size(), kMissing);
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if (column.missing[i]) continue;
    const std::size_t place = level_place(fitted.texts, column.texts[i]);
    if (place < fitted.texts.size()) {
      numbers[i] = fitted.numbers[place];
    } else if (settings.text("unknown") == "error") {
      return unknown_category(column, i);
    }
  }
  out.push_back(number_column(column.name, std::move(numbers)));
  return {};
}

// ---- target
// ---------------------------------------------------------------------------------------------------------

constexpr SettingRule kTargetRules[] = {
    {"smoothing", Type::Number, "10", "", 0, 1e9,
     "rows that the mean over all rows counts for in each category"},
    {"folds", Type::Number, "5", "", 2, 100, "training rows are encoded by the rows of the other folds"},
};

// Smoothed mean of the target by category: (sum + smoothing * mean) / (count + smoothing). Missing cells are
// the category "". Source: Micci-Barreca, A preprocessing scheme for high-cardinality categorical attributes
// (2001).
struct TargetMeans {
  std::map<std::string, std::pair<double, double>> sums;  // sum and count
  double sum = 0, count = 0;

  void add(const std::string& text, double y) {
    auto& entry = sums[text];
    entry.first += y, entry.second += 1;
    sum += y, count += 1;
  }
  double mean() const { return count > 0 ? sum / count : 0; }
};

double smoothed(double sum, double count, double mean, double smoothing) {
  return count + smoothing > 0 ? (sum + smoothing * mean) / (count + smoothing) : mean;
}

// texts: the categories, sorted; numbers: the mean over all, then that of each category.
Result<FittedColumn> fit_target(const Column& column, const StepSettings& settings, FitInput& input) {
  if (input.target.empty() || input.many_classes) {
    return invalid(
        "column \"" + column.name + "\": target encoding needs a target of numbers or of two classes",
        "use one_hot, ordinal or hash");
  }
  TargetMeans means;
  for (std::size_t i = 0; i < column.texts.size(); ++i) means.add(column.texts[i], input.target[i]);
  FittedColumn out{column.name, {means.mean()}, {}};
  for (const auto& [text, entry] : means.sums) {
    out.texts.push_back(text);
    out.numbers.push_back(smoothed(entry.first, entry.second, means.mean(), settings.number("smoothing")));
  }
  return out;
}

Status apply_target(const FittedColumn& fitted, const StepSettings&, Column column, StepKind::Columns& out) {
  std::vector<double> numbers(column.texts.size());
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const std::size_t place = level_place(fitted.texts, column.texts[i]);
    numbers[i] = place < fitted.texts.size() ? fitted.numbers[place + 1] : fitted.numbers[0];
  }
  out.push_back(number_column(column.name, std::move(numbers)));
  return {};
}

// A row's own target may not show in its encoding: each row gets the means of the folds it is not in.
Status apply_target_training(const FittedColumn&, const StepSettings& settings, Column column,
                             FitInput& input, StepKind::Columns& out) {
  const auto folds = static_cast<std::size_t>(settings.number("folds"));
  const std::size_t rows = column.texts.size();
  std::vector<std::size_t> fold(rows);
  for (std::size_t i = 0; i < rows; ++i) fold[i] = i % folds;
  Random random = input.random.derive("folds:" + column.name);
  shuffle(fold, random);
  TargetMeans all;
  std::vector<TargetMeans> held(folds);
  for (std::size_t i = 0; i < rows; ++i) {
    all.add(column.texts[i], input.target[i]);
    held[fold[i]].add(column.texts[i], input.target[i]);
  }
  std::vector<double> numbers(rows);
  for (std::size_t i = 0; i < rows; ++i) {
    const TargetMeans& own = held[fold[i]];
    const auto& total = all.sums.find(column.texts[i])->second;
    const auto& mine = own.sums.find(column.texts[i])->second;
    const double count = all.count - own.count, mean = count > 0 ? (all.sum - own.sum) / count : 0;
    const double left = total.second - mine.second;
    numbers[i] = smoothed(left > 0 ? total.first - mine.first : 0, left, mean, settings.number("smoothing"));
  }
  out.push_back(number_column(column.name, std::move(numbers)));
  return {};
}

// ---- hash
// -----------------------------------------------------------------------------------------------------------

constexpr SettingRule kHashRules[] = {
    {"features", Type::Number, "16", "", 1, 65'536, "columns to spread the categories over"},
};

Status apply_hash(const FittedColumn&, const StepSettings& settings, Column column, StepKind::Columns& out) {
  const auto features = static_cast<std::uint64_t>(settings.number("features"));
  const std::size_t first = out.size();
  for (std::uint64_t k = 0; k < features; ++k) {
    out.push_back(
        number_column(column.name + "#" + std::to_string(k), std::vector<double>(column.texts.size())));
  }
  for (std::size_t i = 0; i < column.texts.size(); ++i) {
    if (!column.missing[i]) out[first + hash64(column.texts[i]) % features].numbers[i] = 1;
  }
  return {};
}

// ---- dates
// ----------------------------------------------------------------------------------------------------------

constexpr SettingRule kDateRules[] = {
    {"parts", Type::Texts, "year|month|day|weekday|hour|is_weekend",
     "year|month|day|weekday|hour|minute|day_of_year|is_weekend|days", 0, 0,
     "weekday is 0 on Mondays; days since 1970-01-01"},
};

// The time as written, whatever its offset.
struct WrittenTime {
  std::chrono::year_month_day date;
  int hour = 0, minute = 0;
};

bool read_digits(std::string_view text, std::size_t at, std::size_t count, int& out) {
  if (at + count > text.size()) return false;
  out = 0;
  for (const char c : text.substr(at, count)) {
    if (c < '0' || c > '9') return false;
    out = out * 10 + (c - '0');
  }
  return true;
}

// "2024-02-29", and behind it perhaps 'T' or ' ' and "13:05"; what follows (seconds, offset) may be of
// digits, '.', ':',
// '+', '-', 'Z' and spaces.
bool read_time(std::string_view text, WrittenTime& out) {
  int year = 0, month = 0, day = 0;
  if (!read_digits(text, 0, 4, year) || !read_digits(text, 5, 2, month) || !read_digits(text, 8, 2, day))
    return false;
  if ((text[4] != '-' && text[4] != '/') || text[7] != text[4]) return false;
  out.date = std::chrono::year(year) / month / day;
  if (!out.date.ok()) return false;
  if (text.size() == 10) return true;
  if ((text[10] != 'T' && text[10] != ' ') || text.size() < 16 || text[13] != ':') return false;
  if (!read_digits(text, 11, 2, out.hour) || !read_digits(text, 14, 2, out.minute)) return false;
  return out.hour < 24 && out.minute < 60 &&
         text.substr(16).find_first_not_of("0123456789.:+-Z ") == std::string_view::npos;
}

double part_of(const WrittenTime& time, std::string_view part) {
  using namespace std::chrono;
  const sys_days days = time.date;
  const auto weekday = static_cast<double>(std::chrono::weekday(days).iso_encoding() - 1);
  if (part == "year") return static_cast<double>(int(time.date.year()));
  if (part == "month") return static_cast<double>(unsigned(time.date.month()));
  if (part == "day") return static_cast<double>(unsigned(time.date.day()));
  if (part == "weekday") return weekday;
  if (part == "hour") return time.hour;
  if (part == "minute") return time.minute;
  if (part == "is_weekend") return weekday >= 5;
  if (part == "days") return static_cast<double>(days.time_since_epoch().count());
  return static_cast<double>((days - sys_days(time.date.year() / 1 / 1)).count() + 1);
}

Status apply_dates(const FittedColumn&, const StepSettings& settings, Column column, StepKind::Columns& out) {
  const std::vector<std::string>& parts = settings.list("parts");
  const std::size_t first = out.size(), rows = column.texts.size();
  for (const std::string& part : parts)
    out.push_back(number_column(column.name + "_" + part, std::vector<double>(rows, kMissing)));
  for (std::size_t i = 0; i < rows; ++i) {
    if (column.missing[i]) continue;
    WrittenTime time;
    if (!read_time(column.texts[i], time)) {
      return invalid("row " + std::to_string(i + 1) + ", column \"" + column.name + "\": \"" +
                         column.texts[i].substr(0, 40) + "\" is not a date",
                     "expected 2024-02-29 or 2024-02-29T13:05:00Z");
    }
    for (std::size_t k = 0; k < parts.size(); ++k) out[first + k].numbers[i] = part_of(time, parts[k]);
  }
  return {};
}

}  // namespace

std::span<const StepKind> text_step_kinds() {
  using Needs = StepKind::Needs;
  static constexpr StepKind kKinds[] = {
      {.name = "one_hot",
       .summary = "a column of 0 and 1 for each category",
       .needs = Needs::Text,
       .rules = kOneHotRules,
       .fit = fit_one_hot,
       .apply = apply_one_hot,
       .numbers_min = 2},
      {.name = "ordinal",
       .summary = "categories to 0, 1, 2, …",
       .needs = Needs::Text,
       .rules = kOrdinalRules,
       .fit = fit_ordinal,
       .apply = apply_ordinal,
       .numbers_per_text = 1},
      {.name = "target",
       .summary = "categories to the mean of the target, out of fold in training",
       .needs = Needs::Text,
       .rules = kTargetRules,
       .fit = fit_target,
       .apply = apply_target,
       .apply_training = apply_target_training,
       .numbers_min = 1,
       .numbers_per_text = 1},
      {.name = "hash",
       .summary = "any number of categories to a fixed number of columns",
       .needs = Needs::Text,
       .rules = kHashRules,
       .apply = apply_hash},
      {.name = "dates",
       .summary = "dates to year, month, day, weekday, hour, is_weekend",
       .needs = Needs::Text,
       .rules = kDateRules,
       .apply = apply_dates},
  };
  return kKinds;
}

}  // namespace millrace::tasks
