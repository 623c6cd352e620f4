#pragma once
// MetricDefinitions: metrics found by regular expressions in a program's output. One worker thread.

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace millrace::tasks {

class OutputMetrics {
 public:
  // [{"Name": "validation:auc", "Regex": "auc=([0-9.]+)"}], Perl's syntax (PCRE2); the first group is
  // the value; a search that takes too many steps finds nothing. InvalidArgument for what is none.
  static Result<OutputMetrics> compile(const Json& definitions);
  OutputMetrics(OutputMetrics&&) noexcept;
  ~OutputMetrics();

  struct Found {
    std::string name;
    double value;
  };
  // Metrics of one line; of a long line only the first 2,048 bytes are searched.
  std::vector<Found> search(std::string_view line);
  const std::map<std::string, double>& last_values() const { return last_; }

 private:
  struct Definitions;
  explicit OutputMetrics(std::unique_ptr<Definitions> definitions);
  std::unique_ptr<Definitions> definitions_;
  std::map<std::string, double> last_;
};

}  // namespace millrace::tasks
