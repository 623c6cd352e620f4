#define PCRE2_CODE_UNIT_WIDTH 8
#include "tasks/script/metrics.h"

#include <pcre2.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "tasks/arguments.h"

namespace millrace::tasks {
namespace {

constexpr std::size_t kSearchedBytes = 2048;
// Steps of one search: the pattern is the user's, and patterns like (a+)+b can take for ever.
constexpr std::uint32_t kSearchSteps = 100'000;

struct FreeRegex {
  void operator()(pcre2_code* code) const { pcre2_code_free(code); }
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
  void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
};
using RegexCode = std::unique_ptr<pcre2_code, FreeRegex>;
using RegexMatchData = std::unique_ptr<pcre2_match_data, FreeRegex>;
using RegexLimits = std::unique_ptr<pcre2_match_context, FreeRegex>;

}  // namespace

struct OutputMetrics::Definitions {
  struct One {
    std::string name;
    RegexCode regex;
    RegexMatchData match;
  };
  std::vector<One> list;
  RegexLimits limits{pcre2_match_context_create(nullptr)};
};

OutputMetrics::OutputMetrics(std::unique_ptr<Definitions> definitions)
    : definitions_(std::move(definitions)) {}
OutputMetrics::OutputMetrics(OutputMetrics&&) noexcept = default;
OutputMetrics::~OutputMetrics() = default;

Result<OutputMetrics> OutputMetrics::compile(const Json& definitions) {
  auto compiled = std::make_unique<Definitions>();
  pcre2_set_match_limit(compiled->limits.get(), kSearchSteps);
  const Json wrapped = {{"MetricDefinitions", definitions}};
  MR_TRY(list, Arguments(wrapped).list("MetricDefinitions"));
  for (const Arguments& definition : list) {
    MR_TRY(name, definition.text("Name"));
    MR_TRY(pattern, definition.text("Regex"));
    int error = 0;
    PCRE2_SIZE place = 0;
    RegexCode code(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                                 PCRE2_NEVER_BACKSLASH_C, &error, &place, nullptr));
    if (!code) {
      char reason[128] = "";
      pcre2_get_error_message(error, reinterpret_cast<PCRE2_UCHAR*>(reason), sizeof reason);
      return definition.wrong(
          "Regex",
          "\"" + pattern + "\" can't be used: " + reason + " at character " + std::to_string(place + 1),
          "Perl's syntax, which is Python's too");
    }
    RegexMatchData match(pcre2_match_data_create_from_pattern(code.get(), nullptr));
    compiled->list.push_back({name, std::move(code), std::move(match)});
  }
  return OutputMetrics(std::move(compiled));
}

std::vector<OutputMetrics::Found> OutputMetrics::search(std::string_view line) {
  line = line.substr(0, kSearchedBytes);
  std::vector<Found> found;
  for (const auto& [name, regex, match] : definitions_->list) {
    const int groups = pcre2_match(regex.get(), reinterpret_cast<PCRE2_SPTR>(line.data()), line.size(), 0, 0,
                                   match.get(), definitions_->limits.get());
    if (groups < 2) continue;
    const PCRE2_SIZE* ends = pcre2_get_ovector_pointer(match.get());
    if (ends[2] == PCRE2_UNSET) continue;
    const std::string text(line.substr(ends[2], ends[3] - ends[2]));
    double value = 0;
    const char* first = text.data() + (text.rfind('+', 0) == 0 ? 1 : 0);
    if (std::from_chars(first, text.data() + text.size(), value).ec != std::errc()) continue;
    found.push_back({name, value});
    last_[name] = value;
  }
  return found;
}

}  // namespace millrace::tasks
