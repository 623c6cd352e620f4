#pragma once
// What AutoML makes of a table before it trains anything: which columns are what, which problem it is, what
// people should know about the data, and the steps of `prepare` that follow. Pure; worker thread.
//
// Problem type, where the request leaves it open: a target of texts, or with two values, is one of classes;
// one of whole numbers with at most kNumberClassesMax values, each in kRowsOfClass rows on average, too;
// anything else is a regression. Columns: numbers stay (with their gaps), categories become codes, dates
// their parts, texts of several words TF-IDF, categories beyond kCodesMax values a hash. Left out: columns
// without values or with one value, copies of others, identifiers (texts that are nearly all different; whole
// numbers that count rows, or are all different and called …id). A column that predicts the target nearly by
// itself (seven eighths of the rows say how, the others are predicted) is kept and reported: it may say what
// is not known yet when a prediction is needed. Numbers written as 1,234.5, $12 or 5 % are numbers.

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "tasks/table/table.h"

namespace millrace::tasks {

inline constexpr std::size_t kAutoMLRowsMin = 20;
inline constexpr std::size_t kNumberClassesMax = 20, kRowsOfClass = 20, kCodesMax = 1000;

enum class Problem { Binary, Classes, Regression, Forecasting };
// BinaryClassification, MulticlassClassification, Regression, TimeSeriesForecasting
std::string_view problem_name(Problem problem);

enum class ColumnRole { Number, MixedNumber, Category, Hash, Text, Date, LeftOut };

struct AnalysedColumn {
  std::string name;
  ColumnRole role = ColumnRole::Number;
  std::string reason;                   // why it is left out
  std::vector<std::string> marks = {};  // of numbers written like 1,234 or $12 or 5 %: what is not theirs
  Json profile;                         // an entry of profile.json
};

// What people should read: "warning" or "note", the column or empty.
struct DataRemark {
  std::string severity, column, text;
};

struct AnalysisSettings {
  std::string target;
  std::optional<Problem> problem;            // as asked for
  std::vector<std::string> features;         // only these; empty: all
  std::map<std::string, std::string> types;  // by feature: numeric, categorical, text, datetime
  std::function<bool()> cancelled = {};
};

struct DataAnalysis {
  std::string target;
  Problem problem = Problem::Binary;
  std::vector<std::string> classes;  // in the order of their numbers; of a regression empty
  std::vector<double> class_rows;
  std::size_t rows = 0, without_target = 0;
  Json target_profile;
  std::vector<AnalysedColumn> columns;  // without the target
  std::vector<DataRemark> remarks;

  std::size_t features() const;  // columns that are not left out
  // Names of the prepared features that hold codes.
  std::vector<std::string> categorical() const;
  Json prepare_settings() const;  // of the processor `prepare`
};

// `table` is read with keep_spelling. InvalidArgument: no such column (names the nearest), too few rows, a
// target with one value or no numbers where they are needed, more than 10,000 classes, no feature left.
Result<DataAnalysis> analyse_table(const Table& table, const AnalysisSettings& settings);

// The data exploration report. `title`: the job's name.
std::string exploration_page(const DataAnalysis& analysis, std::string_view title);

}  // namespace millrace::tasks
