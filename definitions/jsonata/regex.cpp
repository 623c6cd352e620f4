#include "definitions/jsonata/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 16
#include <pcre2.h>

#include "definitions/jsonata/regex_translation.h"
#include "definitions/jsonata/utf16.h"

namespace millrace::definitions::jsonata {
namespace {

constexpr std::size_t kPatternUnitsMax = 10'000;
constexpr std::uint32_t kMatchStepsMax = 5'000'000;  // calls of the matcher: a few tenths of a second
constexpr std::uint32_t kDepthMax = 1'000'000;       // nested backtracking; kept on the heap, not the stack
constexpr std::uint32_t kHeapKibibytesMax = 100'000;

struct FreeContext {
  void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
};
struct FreeData {
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
};

Result<std::shared_ptr<const void>> compiled(std::string_view translated, bool ignore_case) {
  const std::u16string pattern(translated.begin(), translated.end());  // ASCII only
  std::uint32_t options = PCRE2_MATCH_UNSET_BACKREF | PCRE2_NEVER_BACKSLASH_C;
  if (ignore_case) options |= PCRE2_UCP;  // for back references, the only part whose case is PCRE2's business
  int error = 0;
  std::size_t offset = 0;
  pcre2_code* code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), options,
                                   &error, &offset, nullptr);
  if (code) {
    return std::shared_ptr<const void>(
        code, [](const void* p) { pcre2_code_free(static_cast<pcre2_code*>(const_cast<void*>(p))); });
  }
  PCRE2_UCHAR reason[256] = {};
  pcre2_get_error_message(error, reason, sizeof reason / sizeof reason[0]);
  std::string words;
  for (const PCRE2_UCHAR* c = reason; *c; ++c) words += static_cast<char>(*c);
  return invalid("Invalid regular expression: " + words);
}

std::optional<UnitRange> range_at(const std::size_t* offsets, std::uint32_t group) {
  if (offsets[2 * group] == PCRE2_UNSET) return std::nullopt;
  return UnitRange{offsets[2 * group], offsets[2 * group + 1]};
}

}  // namespace

Result<JsRegex> JsRegex::compile(std::string_view pattern, std::string_view flags) {
  if (flags.find_first_not_of("im") != flags.npos)
    return invalid("Invalid flags supplied to RegExp constructor '" + std::string(flags) + "'",
                   "the flags are i and m");
  const std::u16string units = utf16_of(pattern);
  if (units.size() > kPatternUnitsMax)
    return invalid("the regular expression is longer than " + std::to_string(kPatternUnitsMax) +
                   " characters");
  const bool ignore_case = flags.find('i') != flags.npos;
  MR_TRY(translated, translate_regex(units, ignore_case, flags.find('m') != flags.npos));
  MR_TRY(code, compiled(translated, ignore_case));
  JsRegex made;
  made.code_ = std::move(code);
  return made;
}

Checked<std::optional<RegexMatch>> JsRegex::find(std::u16string_view text, std::size_t from) const {
  if (from > text.size()) return std::nullopt;
  const auto* code = static_cast<const pcre2_code*>(code_.get());
  const std::unique_ptr<pcre2_match_context, FreeContext> context(pcre2_match_context_create(nullptr));
  const std::unique_ptr<pcre2_match_data, FreeData> data(pcre2_match_data_create_from_pattern(code, nullptr));
  if (!context || !data) return fault("U1001", "out of memory");
  pcre2_set_match_limit(context.get(), kMatchStepsMax);
  pcre2_set_depth_limit(context.get(), kDepthMax);
  pcre2_set_heap_limit(context.get(), kHeapKibibytesMax);
  const int found = pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from, 0,
                                data.get(), context.get());
  if (found == PCRE2_ERROR_NOMATCH) return std::nullopt;
  if (found < 0) return fault("U1001", "the regular expression takes too much work on this text");
  const std::size_t* offsets = pcre2_get_ovector_pointer(data.get());
  RegexMatch match{*range_at(offsets, 0), {}};
  for (std::uint32_t group = 1; group < pcre2_get_ovector_count(data.get()); ++group) {
    match.groups.push_back(range_at(offsets, group));
  }
  return match;
}

}  // namespace millrace::definitions::jsonata
