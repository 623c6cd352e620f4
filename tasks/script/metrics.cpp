#include "tasks/script/metrics.h"

#include <charconv>
#include <nlohmann/json.hpp>
#include <regex>

#include "tasks/arguments.h"

namespace millrace::tasks {
namespace {

constexpr std::size_t kSearchedBytes = 2048;

}  // namespace

struct OutputMetrics::Definitions {
  struct One {
    std::string name;
    std::regex regex;
  };
  std::vector<One> list;
};

OutputMetrics::OutputMetrics(std::unique_ptr<Definitions> definitions)
    : definitions_(std::move(definitions)) {}
OutputMetrics::OutputMetrics(OutputMetrics&&) noexcept = default;
OutputMetrics::~OutputMetrics() = default;

Result<OutputMetrics> OutputMetrics::compile(const Json& definitions) {
  auto compiled = std::make_unique<Definitions>();
  const Json wrapped = {{"MetricDefinitions", definitions}};
  MR_TRY(list, Arguments(wrapped).list("MetricDefinitions"));
  for (const Arguments& definition : list) {
    MR_TRY(name, definition.text("Name"));
    MR_TRY(pattern, definition.text("Regex"));
    try {
      // libstdc++'s second matcher: time in proportion to line and pattern. The usual one can take for ever
      // on patterns like (a+)+b, and the pattern is the user's.
      compiled->list.push_back(
          {name, std::regex(pattern, std::regex::ECMAScript | std::regex_constants::__polynomial)});
    } catch (const std::regex_error& error) {
      return definition.wrong("Regex", "\"" + pattern + "\" can't be used: " + error.what(),
                              "ECMAScript syntax without back references");
    }
  }
  return OutputMetrics(std::move(compiled));
}

std::vector<OutputMetrics::Found> OutputMetrics::search(std::string_view line) {
  line = line.substr(0, kSearchedBytes);
  std::vector<Found> found;
  for (const auto& [name, regex] : definitions_->list) {
    std::match_results<std::string_view::const_iterator> match;
    if (!std::regex_search(line.begin(), line.end(), match, regex) || match.size() < 2) continue;
    const std::string text = match[1].str();
    double value = 0;
    const char* first = text.data() + (text.rfind('+', 0) == 0 ? 1 : 0);
    if (std::from_chars(first, text.data() + text.size(), value).ec != std::errc()) continue;
    found.push_back({name, value});
    last_[name] = value;
  }
  return found;
}

}  // namespace millrace::tasks
