#include "definitions/jsonata/functions.h"

#include <algorithm>
#include <vector>

namespace millrace::definitions::jsonata {
namespace {

constexpr bool kStatesLanguage = true;

struct Row {
  std::string_view name, signature;
  bool states_language_only = false;
};

constexpr Row kRows[] = {
    {"sum", "<a<n>:n>"},
    {"count", "<a:n>"},
    {"max", "<a<n>:n>"},
    {"min", "<a<n>:n>"},
    {"average", "<a<n>:n>"},
    {"string", "<x-b?:s>"},
    {"substring", "<s-nn?:s>"},
    {"substringBefore", "<s-s:s>"},
    {"substringAfter", "<s-s:s>"},
    {"lowercase", "<s-:s>"},
    {"uppercase", "<s-:s>"},
    {"length", "<s-:n>"},
    {"trim", "<s-:s>"},
    {"pad", "<s-ns?:s>"},
    {"match", "<s-f<s:o>n?:a<o>>"},
    {"contains", "<s-(sf):b>"},
    {"replace", "<s-(sf)(sf)n?:s>"},
    {"split", "<s-(sf)n?:a<s>>"},
    {"join", "<a<s>s?:s>"},
    {"formatNumber", "<n-so?:s>"},
    {"formatBase", "<n-n?:s>"},
    {"formatInteger", "<n-s:s>"},
    {"parseInteger", "<s-s:n>"},
    {"number", "<(nsb)-:n>"},
    {"floor", "<n-:n>"},
    {"ceil", "<n-:n>"},
    {"round", "<n-n?:n>"},
    {"abs", "<n-:n>"},
    {"sqrt", "<n-:n>"},
    {"power", "<n-n:n>"},
    {"boolean", "<x-:b>"},
    {"not", "<x-:b>"},
    {"map", "<af>"},
    {"zip", "<a+>"},
    {"filter", "<af>"},
    {"single", "<af?>"},
    {"reduce", "<afj?:j>"},
    {"sift", "<o-f?:o>"},
    {"keys", "<x-:a<s>>"},
    {"lookup", "<x-s:x>"},
    {"append", "<xx:a>"},
    {"exists", "<x:b>"},
    {"spread", "<x-:a<o>>"},
    {"merge", "<a<o>:o>"},
    {"reverse", "<a:a>"},
    {"each", "<o-f:a>"},
    {"error", "<s?:x>"},
    {"assert", "<bs?:x>"},
    {"type", "<x:s>"},
    {"sort", "<af?:a>"},
    {"shuffle", "<a:a>"},
    {"distinct", "<x:x>"},
    {"base64encode", "<s-:s>"},
    {"base64decode", "<s-:s>"},
    {"encodeUrlComponent", "<s-:s>"},
    {"encodeUrl", "<s-:s>"},
    {"decodeUrlComponent", "<s-:s>"},
    {"decodeUrl", "<s-:s>"},
    {"toMillis", "<s-s?:n>"},
    {"fromMillis", "<n-s?s?:s>"},
    {"clone", "<(oa)-:o>"},
    {"now", "<s?s?:s>"},
    {"millis", "<:n>"},
    {"random", "<n?:n>"},
    {"partition", "<an:a<a>>", kStatesLanguage},
    {"range", "<nnn:a<n>>", kStatesLanguage},
    {"hash", "<s-s:s>", kStatesLanguage},
    {"uuid", "<:s>", kStatesLanguage},
    {"parse", "<s-:x>", kStatesLanguage},
};

std::vector<Builtin> parsed() {
  std::vector<Builtin> table;
  for (const Row& row : kRows)
    table.push_back(
        {row.name, row.signature, nullptr, row.states_language_only, *parse_signature(row.signature)});
  std::sort(table.begin(), table.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return table;
}

}  // namespace

const Builtin* find_function(std::string_view name, JsonataDialect dialect) {
  static const std::vector<Builtin> table = parsed();
  const auto at =
      std::lower_bound(table.begin(), table.end(), name,
                       [](const Builtin& row, std::string_view wanted) { return row.name < wanted; });
  if (at == table.end() || at->name != name) return nullptr;
  if (at->states_language_only && dialect != JsonataDialect::StatesLanguage) return nullptr;
  return &*at;
}

}  // namespace millrace::definitions::jsonata
