#include "definitions/jsonpath/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

namespace millrace::definitions::jsonpath {
namespace {

constexpr std::size_t kPatternBytesMax = 10'000;
constexpr std::uint32_t kDepthMax = 100'000;  // nested backtracking; kept on the heap, not the stack
constexpr std::uint32_t kHeapKibibytesMax = 20'000;

struct FreeContext {
  void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
};
struct FreeData {
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
};

Result<std::uint32_t> options_of(std::string_view flags) {
  std::uint32_t options = PCRE2_UTF | PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_NEVER_BACKSLASH_C;
  for (const char flag : flags) {
    switch (flag) {
      case 'i':
        options |= PCRE2_CASELESS;
        break;
      case 'm':
        options |= PCRE2_MULTILINE;
        break;
      case 's':
        options |= PCRE2_DOTALL;
        break;
      case 'x':
        options |= PCRE2_EXTENDED;
        break;
      case 'U':
        options |= PCRE2_UCP;  // \w, \d and \b as Unicode has them
        break;
      case 'd':
      case 'u':
        break;
      default:
        return invalid(std::string("no flag of regular expressions is called '") + flag + "'",
                       "the flags are i, m, s, x, d, u and U");
    }
  }
  return options;
}

}  // namespace

Result<Regex> Regex::compile(std::string_view pattern, std::string_view flags) {
  if (pattern.size() > kPatternBytesMax)
    return invalid("the regular expression is longer than " + std::to_string(kPatternBytesMax) + " bytes");
  MR_TRY(options, options_of(flags));
  int error = 0;
  std::size_t offset = 0;
  pcre2_code* code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), options,
                                   &error, &offset, nullptr);
  if (!code) {
    PCRE2_UCHAR reason[256] = {};
    pcre2_get_error_message(error, reason, sizeof reason);
    return invalid("the regular expression is wrong at its column " + std::to_string(offset + 1) + ": " +
                   reinterpret_cast<const char*>(reason));
  }
  Regex made;
  made.code_ = std::shared_ptr<const void>(
      code, [](const void* p) { pcre2_code_free(static_cast<pcre2_code*>(const_cast<void*>(p))); });
  return made;
}

std::optional<bool> Regex::matches(std::string_view text, std::uint32_t steps_max) const {
  const auto* code = static_cast<const pcre2_code*>(code_.get());
  const std::unique_ptr<pcre2_match_context, FreeContext> context(pcre2_match_context_create(nullptr));
  const std::unique_ptr<pcre2_match_data, FreeData> data(pcre2_match_data_create(1, nullptr));
  if (!context || !data) return std::nullopt;
  pcre2_set_match_limit(context.get(), steps_max);
  pcre2_set_depth_limit(context.get(), kDepthMax);
  pcre2_set_heap_limit(context.get(), kHeapKibibytesMax);
  const int matched = pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), 0, 0,
                                  data.get(), context.get());
  if (matched >= 0) return true;
  return matched == PCRE2_ERROR_NOMATCH ? std::optional(false) : std::nullopt;
}

}  // namespace millrace::definitions::jsonpath
