#include "tasks/explain/feature_rows.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>

#include "tasks/processing/statistics.h"

namespace millrace::tasks {
namespace {

constexpr double kNoNumber = std::numeric_limits<double>::quiet_NaN();
constexpr int kBaselineRounds = 20;

bool has_spelling(const Column& column) {
  return column.type == Column::Type::Number && !column.texts.empty() &&
         column.texts.size() == column.numbers.size();
}

void append_number_cell(Column& to, double value) {
  to.numbers.push_back(value);
  if (to.texts.size() + 1 != to.numbers.size()) return;
  to.texts.push_back(format_number(value));
  to.missing.push_back(value != value);
}

void append_text_cell(Column& to, const std::string& text, bool missing) {
  to.texts.push_back(missing ? std::string() : text);
  to.missing.push_back(missing);
}

// How far two cells of a column are apart, for clustering: squared standard deviations, or 1 for another
// category. A missing cell is one deviation from any other.
double cell_distance(const Column& column, double deviation, std::size_t a, const Column& centres,
                     std::size_t b) {
  const bool none_a = is_missing(column, a), none_b = is_missing(centres, b);
  if (none_a || none_b) return none_a == none_b ? 0 : 1;
  if (column.type == Column::Type::Text) return column.texts[a] == centres.texts[b] ? 0 : 1;
  if (deviation == 0) return 0;
  const double step = (column.numbers[a] - centres.numbers[b]) / deviation;
  return step * step;
}

class Clusters {
 public:
  Clusters(const Table& table, std::size_t count, Random& random) : table_(table), of_(table.rows) {
    for (const Column& column : table.columns)
      deviations_.push_back(column.type == Column::Type::Number ? std::sqrt(moments(column.numbers).variance)
                                                                : 0);
    choose_first(count, random);
  }

  // One round of Lloyd's algorithm; false when nothing changed.
  bool round() {
    bool changed = false;
    for (std::size_t i = 0; i < table_.rows; ++i) {
      const std::size_t nearest = nearest_to(i).first;
      changed |= nearest != of_[i];
      of_[i] = nearest;
    }
    if (changed) move_centres();
    return changed;
  }
  void move_centres() {
    for (std::size_t c = 0; c < table_.columns.size(); ++c) {
      for (std::size_t k = 0; k < centres_.rows; ++k) set_centre(c, k);
    }
  }

  Baseline finish() {
    Baseline out{std::move(centres_), std::vector<double>(centres_.rows)};
    for (const std::size_t k : of_) out.weights[k] += 1 / static_cast<double>(table_.rows);
    return out;
  }

 private:
  std::pair<std::size_t, double> nearest_to(std::size_t row) const {
    std::size_t best = 0;
    double least = std::numeric_limits<double>::infinity();
    for (std::size_t k = 0; k < centres_.rows; ++k) {
      double distance = 0;
      for (std::size_t c = 0; c < table_.columns.size(); ++c)
        distance += cell_distance(table_.columns[c], deviations_[c], row, centres_.columns[c], k);
      if (distance < least) best = k, least = distance;
    }
    return {best, least};
  }

  // k-means++: rows far from the centres so far are likelier to be the next.
  void choose_first(std::size_t count, Random& random) {
    for (const Column& column : table_.columns) centres_.columns.push_back(empty_like(column));
    const auto add = [&](std::size_t row) {
      for (std::size_t c = 0; c < table_.columns.size(); ++c)
        append_cell(centres_.columns[c], table_.columns[c], row);
      ++centres_.rows;
    };
    add(random.below(table_.rows));
    while (centres_.rows < count) {
      std::vector<double> distances;
      double sum = 0;
      for (std::size_t i = 0; i < table_.rows; ++i) sum += distances.emplace_back(nearest_to(i).second);
      if (sum <= 0) break;  // fewer distinct rows than clusters
      double at = random.uniform() * sum;
      std::size_t row = 0;
      while (row + 1 < table_.rows && at >= distances[row]) at -= distances[row++];
      add(row);
    }
  }

  void set_centre(std::size_t c, std::size_t k) {
    const Column& column = table_.columns[c];
    Column& centre = centres_.columns[c];
    double sum = 0, count = 0;
    std::map<std::string, double> categories;
    for (std::size_t i = 0; i < table_.rows; ++i) {
      if (of_[i] != k || is_missing(column, i)) continue;
      if (column.type == Column::Type::Text)
        categories[column.texts[i]] += 1;
      else
        sum += column.numbers[i];
      ++count;
    }
    if (count == 0) return;  // keeps what it had
    if (column.type == Column::Type::Number) {
      centre.numbers[k] = sum / count;
      if (!centre.texts.empty()) centre.texts[k] = format_number(sum / count), centre.missing[k] = 0;
      return;
    }
    const auto most = std::max_element(categories.begin(), categories.end(),
                                       [](const auto& a, const auto& b) { return a.second < b.second; });
    centre.texts[k] = most->first;
    centre.missing[k] = 0;
  }

  const Table& table_;
  std::vector<double> deviations_;
  std::vector<std::size_t> of_;
  Table centres_;
};

}  // namespace

Result<Table> only_columns(const Table& table, const std::vector<std::string>& names) {
  Table out;
  out.rows = table.rows;
  for (const std::string& name : names) {
    const Column* column = table.find(name);
    if (column == nullptr) return invalid("the data has no column \"" + name + "\", which the model needs");
    out.columns.push_back(*column);
  }
  return out;
}

Column empty_like(const Column& column) {
  Column out;
  out.name = column.name;
  out.type = column.type;
  return out;
}

void append_cell(Column& to, const Column& from, std::size_t row) {
  if (from.type == Column::Type::Text) return append_text_cell(to, from.texts[row], from.missing[row] != 0);
  to.numbers.push_back(from.numbers[row]);
  if (!has_spelling(from)) return;
  to.texts.push_back(from.texts[row]);
  to.missing.push_back(is_missing(from, row));
}

Status append_cell(Column& to, const Json& value) {
  if (to.type == Column::Type::Text) {
    append_text_cell(to, value.is_string() ? value.get<std::string>() : value.dump(), value.is_null());
    return {};
  }
  double number = kNoNumber;
  const bool good = value.is_null() || value.is_number() ||
                    (value.is_string() && parse_number(value.get<std::string>(), number));
  if (!good) return invalid("column \"" + to.name + "\" has numbers, not " + value.dump());
  append_number_cell(to, value.is_number() ? value.get<double>() : number);
  return {};
}

Baseline make_baseline(const Table& table, std::size_t count, Random random) {
  Table seen;
  if (table.rows > kBaselineRowsSeen) {
    std::vector<std::uint32_t> rows;
    for (std::size_t i = 0; i < kBaselineRowsSeen; ++i)
      rows.push_back(static_cast<std::uint32_t>(i * table.rows / kBaselineRowsSeen));
    seen = select_rows(table, rows);
  } else {
    seen = table;
  }
  Clusters clusters(seen, std::max<std::size_t>(count, 1), random);
  clusters.round();
  clusters.move_centres();
  for (int i = 0; i < kBaselineRounds && clusters.round(); ++i) {
  }
  return clusters.finish();
}

Result<Baseline> read_baseline(const Json& rows, const Table& like) {
  Baseline out;
  for (const Column& column : like.columns) out.rows.columns.push_back(empty_like(column));
  if (!rows.is_array() || rows.empty() || rows.size() > kBaselineRowsMax)
    return invalid("baseline: expected a list of 1 to " + std::to_string(kBaselineRowsMax) + " rows");
  for (const Json& row : rows) {
    if (row.is_array() && row.size() != like.columns.size())
      return invalid("baseline: a row has " + std::to_string(row.size()) + " cells, the model takes " +
                     std::to_string(like.columns.size()));
    if (!row.is_array() && !row.is_object())
      return invalid("baseline: a row is a list or an object, not " + row.dump().substr(0, 80));
    for (std::size_t c = 0; c < like.columns.size(); ++c) {
      const std::string& name = like.columns[c].name;
      if (row.is_object() && !row.contains(name)) return invalid("baseline: a row has no \"" + name + "\"");
      MR_DO(append_cell(out.rows.columns[c], row.is_array() ? row[c] : row[name]));
    }
    ++out.rows.rows;
  }
  out.weights.assign(out.rows.rows, 1 / static_cast<double>(out.rows.rows));
  return out;
}

}  // namespace millrace::tasks
