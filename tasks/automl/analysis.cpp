#include "tasks/automl/analysis.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <unordered_map>

#include "base/random.h"
#include "tasks/processing/column_profile.h"
#include "tasks/processing/sql_expressions.h"
#include "tasks/training/hyperparameters.h"

namespace millrace::tasks {

namespace {

constexpr double kIdentifierShare = 0.98, kManyMissing = 0.5, kSmallClass = 0.05, kLeakingShare = 0.95,
                 kLeakingR2 = 0.98, kWordsOfText = 3, kNumbersShare = 0.9, kRowsOfTextClass = 2;
constexpr std::size_t kTextFeatures = 200, kHashFeatures = 32, kLeakBins = 64;

std::string whole_percent(double share) {
  return std::to_string(std::lround(share * 100)) + " %";
}

bool ends_like_an_id(std::string name) {
  for (char& c : name)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  static constexpr std::string_view kEnds[] = {"id", "uuid", "guid", "key", "index", "number", "unnamed: 0"};
  return std::ranges::any_of(kEnds, [&](std::string_view end) { return name.ends_with(end); });
}

double mean_words(const Column& column) {
  double words = 0, cells = 0;
  for (std::size_t i = 0; i < column.texts.size(); ++i) {
    if (is_missing(column, i)) continue;
    cells += 1;
    bool inside = false;
    for (const char c : column.texts[i]) {
      const bool blank = c == ' ' || c == '\t' || c == '\n';
      if (!blank && !inside) words += 1;
      inside = !blank;
    }
  }
  return cells > 0 ? words / cells : 0;
}

// A number as people write it for people, with its separators: "1,234.5", "$12", "5 %", "12".
constexpr const char* kNumberMarks[] = {",", "$", "\u20ac", "\u00a3", "%"};
enum class Written { No, Plain, Separated };
Written how_written(std::string_view cell) {
  while (cell.starts_with(' ')) cell.remove_prefix(1);
  while (cell.ends_with(' ')) cell.remove_suffix(1);
  bool marked = false;
  const auto drop_front = [&](std::string_view mark) {
    if (!cell.starts_with(mark)) return;
    cell.remove_prefix(mark.size()), marked = true;
  };
  const bool minus = cell.starts_with('-');
  if (minus) cell.remove_prefix(1);
  for (const char* mark : {kNumberMarks[1], kNumberMarks[2], kNumberMarks[3]}) drop_front(mark);
  if (cell.ends_with('%')) {
    cell.remove_suffix(1), marked = true;
    while (cell.ends_with(' ')) cell.remove_suffix(1);
  }
  std::string digits;
  const std::size_t comma = cell.find(',');
  if (comma != std::string_view::npos) {
    // Groups of three behind the first: 1,234,567.
    const std::size_t whole = std::min(cell.find('.'), cell.size());
    if (comma == 0 || comma > 3 || whole < comma || (whole - comma) % 4 != 0) return Written::No;
    for (std::size_t i = 0; i < cell.size(); ++i) {
      const bool expected = i < whole && i >= comma && (i - comma) % 4 == 0;
      if ((cell[i] == ',') != expected) return Written::No;
      if (cell[i] != ',') digits += cell[i];
    }
    marked = true;
  } else {
    digits = cell;
  }
  if (digits.empty() || digits.find_first_not_of("0123456789.eE+-") != std::string::npos ||
      !parse_real(digits))
    return Written::No;
  return marked ? Written::Separated : Written::Plain;
}

// Of a column of numbers with separators and units: those that its cells have. Empty: it is none. What has a
// comma must be a number then.
std::vector<std::string> number_marks(const Column& column) {
  if (column.type != Column::Type::Text) return {};
  double present = 0, numbers = 0;
  std::vector<std::string> marks;
  for (std::size_t i = 0; i < column.texts.size(); ++i) {
    if (is_missing(column, i)) continue;
    const std::string& cell = column.texts[i];
    const Written written = how_written(cell);
    if (written == Written::No && cell.find(',') != std::string::npos) return {};
    present += 1, numbers += written != Written::No;
    if (written != Written::Separated) continue;
    for (const char* mark : kNumberMarks)
      if (cell.find(mark) != std::string::npos && std::ranges::find(marks, mark) == marks.end())
        marks.emplace_back(mark);
  }
  if (numbers < kNumbersShare * present) marks.clear();
  return marks;
}

// Why a column is no feature; empty when it may be one.
std::string why_left_out(const Column& column, const ColumnProfile& profile) {
  if (profile.present() == 0) return "no cell has a value";
  const double distinct = profile.distinct().estimate();
  if (distinct == 1 && profile.missing() == 0) return "every cell is the same";
  if (profile.present() < 20 || distinct < kIdentifierShare * profile.present()) return {};
  const std::string_view kind = profile.kind();
  if (kind == "integer") {
    const bool counts_rows = profile.max() - profile.min() + 1 <= 1.02 * profile.present();
    return counts_rows || ends_like_an_id(column.name) ? "an identifier: nearly every cell is different" : "";
  }
  if (kind == "text" || kind == "category")
    return mean_words(column) < kWordsOfText ? "an identifier: nearly every cell is different" : "";
  return {};
}

ColumnRole role_of(const Column& column, const ColumnProfile& profile) {
  if (profile.numeric()) return ColumnRole::Number;
  if (profile.kind() == "date") return ColumnRole::Date;
  const double numbers = profile.integral() + profile.fractional();
  if (numbers >= kNumbersShare * profile.present()) return ColumnRole::MixedNumber;
  if (profile.kind() == "text" && mean_words(column) >= kWordsOfText) return ColumnRole::Text;
  return profile.distinct().estimate() > static_cast<double>(kCodesMax) ? ColumnRole::Hash
                                                                        : ColumnRole::Category;
}

Result<ColumnRole> role_by_type(const std::string& name, const std::string& type) {
  if (type == "numeric") return ColumnRole::Number;
  if (type == "categorical") return ColumnRole::Category;
  if (type == "text") return ColumnRole::Text;
  if (type == "datetime") return ColumnRole::Date;
  return invalid("FeatureDataTypes: \"" + name + "\" is \"" + type + "\"",
                 "use numeric, categorical, text or datetime");
}

// SQL for the cell as a number; nothing where it is none.
std::string number_expression(const AnalysedColumn& column) {
  std::string cell = quoted_sql_name(column.name);
  for (const std::string& mark : column.marks) cell = "replace(" + cell + ", '" + mark + "', '')";
  std::string sql =
      "CASE WHEN trim(@) GLOB '*[0-9]*' AND trim(@) NOT GLOB '*[^0-9.eE+-]*' THEN CAST(trim(@) AS REAL) END";
  for (std::size_t at = sql.find('@'); at != std::string::npos; at = sql.find('@', at + cell.size()))
    sql.replace(at, 1, cell);
  return sql;
}

ColumnProfile profiled(const Column& column) {
  ColumnProfile profile(column.name);
  profile.add(column);
  return profile;
}

// The target as numbers: classes by their place; NaN where it is missing.
std::vector<double> target_numbers(const Column& target, const DataAnalysis& analysis) {
  std::vector<double> out(analysis.rows, std::nan(""));
  std::unordered_map<std::string, double> places;
  for (std::size_t c = 0; c < analysis.classes.size(); ++c)
    places[analysis.classes[c]] = static_cast<double>(c);
  const Column texts = as_texts(target);
  for (std::size_t i = 0; i < analysis.rows; ++i) {
    if (is_missing(target, i)) continue;
    if (analysis.problem == Problem::Regression)
      out[i] = target.numbers[i];
    else
      out[i] = places.at(texts.texts[i]);
  }
  return out;
}

// A small number for each cell, by which equal or near cells are together; 0: missing.
std::vector<std::size_t> leak_bins(const Column& column) {
  const std::size_t n = column.type == Column::Type::Text ? column.texts.size() : column.numbers.size();
  std::vector<std::size_t> bins(n);
  if (column.type == Column::Type::Text) {
    std::unordered_map<std::string_view, std::size_t> seen;
    for (std::size_t i = 0; i < n; ++i)
      if (!is_missing(column, i)) bins[i] = seen.emplace(column.texts[i], seen.size() + 1).first->second;
    return bins;
  }
  std::vector<double> sorted;
  for (const double x : column.numbers)
    if (!std::isnan(x)) sorted.push_back(x);
  std::ranges::sort(sorted);
  std::vector<double> edges;
  for (std::size_t b = 1; b < kLeakBins && !sorted.empty(); ++b)
    edges.push_back(sorted[b * sorted.size() / kLeakBins]);
  for (std::size_t i = 0; i < n; ++i) {
    if (std::isnan(column.numbers[i])) continue;
    bins[i] =
        1 + static_cast<std::size_t>(std::ranges::upper_bound(edges, column.numbers[i]) - edges.begin());
  }
  return bins;
}

bool held_for_leaks(std::size_t row) {
  return mix(row, 0x6c65616b) % 8 == 0;
}

// How much of the target the column says by itself, on rows that did not teach it: of a regression R2, of
// classes the share of the majority's errors that it avoids.
double alone_predicts(const Column& column, const std::vector<double>& y, const DataAnalysis& analysis) {
  const std::vector<std::size_t> bins = leak_bins(column);
  const std::size_t count = *std::ranges::max_element(bins) + 1;
  if (analysis.problem == Problem::Regression) {
    std::vector<double> sums(count), rows(count);
    double mean = 0, all = 0;
    for (std::size_t i = 0; i < y.size(); ++i) {
      if (std::isnan(y[i]) || held_for_leaks(i)) continue;
      sums[bins[i]] += y[i], rows[bins[i]] += 1, mean += y[i], all += 1;
    }
    if (all == 0) return 0;
    mean /= all;
    double left = 0, total = 0;
    for (std::size_t i = 0; i < y.size(); ++i) {
      if (std::isnan(y[i]) || !held_for_leaks(i)) continue;
      const double guess = rows[bins[i]] > 0 ? sums[bins[i]] / rows[bins[i]] : mean;
      left += (y[i] - guess) * (y[i] - guess), total += (y[i] - mean) * (y[i] - mean);
    }
    return total > 0 ? 1 - left / total : 0;
  }
  const std::size_t k = analysis.classes.size();
  if (count * k > 10'000'000) return 0;
  std::vector<double> table(count * k), all(k);
  for (std::size_t i = 0; i < y.size(); ++i) {
    if (std::isnan(y[i]) || held_for_leaks(i)) continue;
    table[bins[i] * k + static_cast<std::size_t>(y[i])] += 1, all[static_cast<std::size_t>(y[i])] += 1;
  }
  const auto likeliest = [&](const double* row) {
    return static_cast<double>(std::max_element(row, row + k) - row);
  };
  double wrong = 0, majority_wrong = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    if (std::isnan(y[i]) || !held_for_leaks(i)) continue;
    const double* row = table.data() + bins[i] * k;
    const bool seen = *std::max_element(row, row + k) > 0;
    wrong += likeliest(seen ? row : all.data()) != y[i];
    majority_wrong += likeliest(all.data()) != y[i];
  }
  return majority_wrong > 0 ? 1 - wrong / majority_wrong : 0;
}

Status decide_problem(const Column& target, const ColumnProfile& profile, const AnalysisSettings& settings,
                      DataAnalysis& out) {
  const double distinct = profile.distinct().estimate();
  if (distinct < 2)
    return invalid("the target \"" + target.name + "\" has " + (distinct < 1 ? "no value" : "one value") +
                       ": there is nothing to learn",
                   "is it the right column?");
  const bool whole = profile.numeric() && profile.fractional() == 0;
  const bool few = distinct <= static_cast<double>(kNumberClassesMax) &&
                   distinct * static_cast<double>(kRowsOfClass) <= profile.present();
  const bool classes = !profile.numeric() || distinct == 2 || (whole && few);
  out.problem = settings.problem.value_or(!classes        ? Problem::Regression
                                          : distinct == 2 ? Problem::Binary
                                                          : Problem::Classes);
  if (out.problem == Problem::Regression) {
    if (!profile.numeric() || target.type != Column::Type::Number)
      return invalid(
          "the target \"" + target.name + "\" of a Regression is text" +
              (target.first_text.empty() ? "" : " (" + target.first_text + ")"),
          !number_marks(target).empty() ? "write its numbers without separators and units: 1234.5" : "");
    if (profile.infinite() > 0) return invalid("the target \"" + target.name + "\" has infinite values");
    return {};
  }
  if (target.type == Column::Type::Text && distinct * kRowsOfTextClass > profile.present())
    return invalid("the target \"" + target.name + "\" is text with " +
                       std::to_string(std::llround(distinct)) + " different values in " +
                       std::to_string(std::llround(profile.present())) +
                       " rows: too few rows of each to learn from",
                   !number_marks(target).empty() ? "write its numbers without separators and units: 1234.5"
                                                 : "is it the right column?");
  if (distinct > 10'000)
    return invalid("the target \"" + target.name + "\" has more than 10000 classes; is it the right column?");
  // Spelling does not count where `prepare` reads numbers: 1 and 1.0 are one class.
  Column cells = target;
  if (target.type == Column::Type::Number) cells.texts.clear();
  cells = as_texts(cells);
  std::map<std::string, double> counts;
  for (std::size_t i = 0; i < cells.texts.size(); ++i)
    if (!cells.missing[i]) counts[cells.texts[i]] += 1;
  std::vector<std::pair<std::string, double>> sorted(counts.begin(), counts.end());
  if (target.type == Column::Type::Number)
    std::ranges::stable_sort(sorted, {}, [](const auto& e) { return parse_real(e.first).value_or(0); });
  for (const auto& [name, rows] : sorted) out.classes.push_back(name), out.class_rows.push_back(rows);
  if (out.problem == Problem::Binary && out.classes.size() != 2)
    return invalid("the target \"" + target.name + "\" has " + std::to_string(out.classes.size()) +
                       " classes, but the problem type is BinaryClassification",
                   "use MulticlassClassification");
  if (out.problem == Problem::Classes && out.classes.size() == 2) out.problem = Problem::Binary;
  for (std::size_t c = 0; out.problem == Problem::Binary && c < out.classes.size(); ++c)
    if (out.class_rows[c] < 2)
      return invalid("the target \"" + target.name + "\": the class \"" + out.classes[c] + "\" has 1 row",
                     "two are needed, one to learn from and one to judge by");
  return {};
}

void remark_on_target(DataAnalysis& out) {
  const auto add = [&](std::string text) { out.remarks.push_back({"warning", out.target, std::move(text)}); };
  if (out.without_target > 0)
    add(std::to_string(out.without_target) + " rows have no target and are left out");
  double total = 0;
  for (const double rows : out.class_rows) total += rows;
  for (std::size_t c = 0; c < out.classes.size() && c < 50; ++c) {
    const std::string rows = std::to_string(std::lround(out.class_rows[c])) + " rows";
    if (out.class_rows[c] < 10)
      add("the class \"" + out.classes[c] + "\" has only " + rows + ": little can be learnt of it");
    else if (out.class_rows[c] < kSmallClass * total && out.classes.size() <= 5)
      add("the class \"" + out.classes[c] + "\" is rare: " + rows + ", " +
          whole_percent(out.class_rows[c] / total) + "; accuracy says little, look at F1 and AUC");
  }
}

Status analyse_columns(const Table& table, const std::vector<double>& y, const AnalysisSettings& settings,
                       DataAnalysis& out) {
  std::map<std::uint64_t, std::string> seen;  // by the hash of all cells
  for (const Column& column : table.columns) {
    if (column.name == settings.target) continue;
    if (settings.cancelled && settings.cancelled()) return fail(ErrorCode::Cancelled, "the job was stopped");
    const ColumnProfile profile = profiled(column);
    AnalysedColumn entry{column.name, role_of(column, profile), "", number_marks(column), profile.to_json()};
    if (!entry.marks.empty()) entry.role = ColumnRole::MixedNumber;
    const bool listed = settings.features.empty() ||
                        std::ranges::find(settings.features, column.name) != settings.features.end();
    const auto type = settings.types.find(column.name);
    if (type != settings.types.end()) {
      MR_TRY(role, role_by_type(column.name, type->second));
      entry.role = role == ColumnRole::Number && !profile.numeric() ? ColumnRole::MixedNumber : role;
      if (entry.role != ColumnRole::MixedNumber) entry.marks.clear();
    } else if (entry.marks.empty()) {
      entry.reason = why_left_out(column, profile);
    }
    if (!listed) entry.reason = "not among FeatureAttributeNames";
    if (entry.reason.empty()) {
      const Column texts = as_texts(column);
      std::uint64_t hash = 7;
      for (const std::string& text : texts.texts) hash = mix(hash, hash64(text));
      const auto [same, fresh] = seen.emplace(hash, column.name);
      if (!fresh) entry.reason = "a copy of \"" + same->second + "\"";
    }
    if (!entry.reason.empty()) {
      entry.role = ColumnRole::LeftOut;
      out.remarks.push_back({"note", column.name, "left out: " + entry.reason});
      out.columns.push_back(std::move(entry));
      continue;
    }
    if (profile.completeness() < 1 - kManyMissing)
      out.remarks.push_back(
          {"warning", column.name, whole_percent(1 - profile.completeness()) + " of the cells are missing"});
    if (entry.role == ColumnRole::MixedNumber)
      out.remarks.push_back(
          !entry.marks.empty()
              ? DataRemark{"note", column.name, "numbers with separators or units: read without them"}
              : DataRemark{"warning", column.name, "text among numbers: it counts as missing"});
    const double share = alone_predicts(column, y, out);
    if (share >= (out.problem == Problem::Regression ? kLeakingR2 : kLeakingShare))
      out.remarks.push_back({"warning", column.name,
                             "predicts the target nearly by itself (" + whole_percent(share) +
                                 "): is it known when a prediction is needed?"});
    out.columns.push_back(std::move(entry));
  }
  return {};
}

}  // namespace

std::string_view problem_name(Problem problem) {
  return problem == Problem::Binary       ? "BinaryClassification"
         : problem == Problem::Classes    ? "MulticlassClassification"
         : problem == Problem::Regression ? "Regression"
                                          : "TimeSeriesForecasting";
}

std::size_t DataAnalysis::features() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(columns, [](const AnalysedColumn& c) { return c.role != ColumnRole::LeftOut; }));
}

std::vector<std::string> DataAnalysis::categorical() const {
  std::vector<std::string> names;
  for (const AnalysedColumn& column : columns)
    if (column.role == ColumnRole::Category) names.push_back(column.name);
  return names;
}

Json DataAnalysis::prepare_settings() const {
  const auto named = [&](ColumnRole role) {
    Json names = Json::array();
    for (const AnalysedColumn& column : columns)
      if (column.role == role) names.push_back(column.name);
    return names;
  };
  Json steps = Json::array();
  const auto add = [&](ColumnRole role, Json step) {
    step["columns"] = named(role);
    if (!step["columns"].empty()) steps.push_back(std::move(step));
  };
  add(ColumnRole::LeftOut, {{"step", "drop"}});
  Json mixed = Json::object();
  for (const AnalysedColumn& column : columns)
    if (column.role == ColumnRole::MixedNumber) mixed[column.name] = number_expression(column);
  if (!mixed.empty()) steps.push_back({{"step", "sql"}, {"expressions", mixed}});
  add(ColumnRole::Category, {{"step", "ordinal"}});
  add(ColumnRole::Hash, {{"step", "hash"}, {"features", kHashFeatures}});
  add(ColumnRole::Date, {{"step", "dates"}, {"parts", {"year", "month", "day", "weekday", "hour", "days"}}});
  add(ColumnRole::Text, {{"step", "tfidf"}, {"max_features", kTextFeatures}});
  Json settings = {{"target", target}, {"steps", steps}, {"seed", 0}};
  if (problem == Problem::Binary) settings["positive"] = classes[1];
  if (problem == Problem::Classes) settings["target_type"] = "classes";
  if (without_target > 0) settings["filter"] = quoted_sql_name(target) + " IS NOT NULL";
  return settings;
}

Result<DataAnalysis> analyse_table(const Table& table, const AnalysisSettings& settings) {
  const Column* target = table.find(settings.target);
  if (target == nullptr) {
    std::vector<std::string_view> names;
    for (const Column& column : table.columns) names.push_back(column.name);
    const std::string_view near = nearest_name(settings.target, names);
    return invalid("TargetAttributeName: the data has no column \"" + settings.target + "\"",
                   near.empty() ? "" : "did you mean \"" + std::string(near) + "\"?");
  }
  if (table.rows < kAutoMLRowsMin)
    return invalid("the data has " + std::to_string(table.rows) + " rows; at least " +
                   std::to_string(kAutoMLRowsMin) + " are needed");
  for (const std::string& name : settings.features)
    if (table.find(name) == nullptr)
      return invalid("FeatureAttributeNames: the data has no column \"" + name + "\"");
  DataAnalysis out;
  out.target = settings.target, out.rows = table.rows;
  const ColumnProfile profile = profiled(*target);
  out.target_profile = profile.to_json();
  out.without_target = static_cast<std::size_t>(profile.missing());
  MR_DO(decide_problem(*target, profile, settings, out));
  if (table.rows - out.without_target < kAutoMLRowsMin)
    return invalid("only " + std::to_string(table.rows - out.without_target) +
                   " rows have a target; at least " + std::to_string(kAutoMLRowsMin) + " are needed");
  remark_on_target(out);
  Column plain = *target;
  if (plain.type == Column::Type::Number) plain.texts.clear();
  MR_DO(analyse_columns(table, target_numbers(plain, out), settings, out));
  if (out.features() == 0)
    return invalid(
        "no column is left to learn from: each is empty, the same in every row, a copy or an identifier");
  return out;
}

}  // namespace millrace::tasks
