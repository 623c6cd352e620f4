#pragma once
// ColumnProfile: what there is to say about a column after one look at each cell, in bounded memory. Used by
// the processors `profile` and `monitor`. One thread.

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "tasks/processing/sketches.h"
#include "tasks/table/table.h"

namespace millrace::tasks {

class ColumnProfile {
 public:
  explicit ColumnProfile(std::string name) : name_(std::move(name)) {}

  // The cells of one piece; spellings are used where they were kept.
  void add(const Column& piece);

  const std::string& name() const { return name_; }
  double rows() const { return present() + missing_; }
  double present() const { return integral_ + fractional_ + texts_; }
  double missing() const { return missing_; }
  double completeness() const { return rows() > 0 ? present() / rows() : 0; }
  // Cells by kind: whole numbers, other numbers, anything else.
  double integral() const { return integral_; }
  double fractional() const { return fractional_; }
  double texts() const { return texts_; }
  bool numeric() const { return texts_ == 0 && present() > 0; }
  // Model Monitor's word for it: Integral, Fractional, String, or Unknown when there is no cell.
  std::string_view inferred_type() const;
  // For people: boolean, integer, number, date, category, text, empty.
  std::string_view kind() const;

  // Of the numbers.
  double mean() const { return mean_; }
  double std_dev() const;  // population
  double sum() const { return sum_; }
  double min() const { return min_; }
  double max() const { return max_; }
  const QuantileSketch& quantiles() const { return quantiles_; }
  const DistinctCount& distinct() const { return distinct_; }
  const FrequentValues& frequent() const { return frequent_; }
  double infinite() const { return infinite_; }

  // Of a column of dates: the first and the last as written, and rows by month ("2024-02") or, where these
  // would be more than `most`, by year, those without rows too.
  const std::string& earliest() const { return earliest_; }
  const std::string& latest() const { return latest_; }
  std::vector<std::pair<std::string, double>> by_time(std::size_t most) const;

  // Counts of numbers in `bins` ranges of equal width between min and max; estimates when the sketch is.
  struct Histogram {
    std::vector<double> edges, counts;
  };
  Histogram histogram(std::size_t bins) const;
  // One entry of profile.json.
  Json to_json() const;
  // Short remarks that people should read: constant, mostly missing, an identifier, mixed types, …
  std::vector<std::string> remarks() const;

 private:
  void add_number(double value, std::string_view spelling);
  void add_text(std::string_view text);

  std::string name_;
  double missing_ = 0, integral_ = 0, fractional_ = 0, texts_ = 0, dates_ = 0, zeros_ = 0, negative_ = 0,
         infinite_ = 0;
  double mean_ = 0, squares_ = 0, sum_ = 0, min_ = 0, max_ = 0, numbers_ = 0;
  std::string earliest_, latest_;
  std::map<int, double> months_;  // of dates: 12 * year + month - 1; at most 10,000 years
  double length_sum_ = 0, length_min_ = 0, length_max_ = 0;
  QuantileSketch quantiles_;
  DistinctCount distinct_;
  FrequentValues frequent_;
};

}  // namespace millrace::tasks
