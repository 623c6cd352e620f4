#include "definitions/jsonata/functions.h"

#include <algorithm>
#include <deque>

#include "definitions/jsonata/natives.h"

namespace millrace::definitions::jsonata {
namespace {

enum class Offered { Both, Jsonata, StatesLanguage };

struct Row {
  std::string_view name, signature;
  Native run;
  Offered offered = Offered::Both;
};

constexpr Row kRows[] = {
    {"sum", "<a<n>:n>", natives::sum},
    {"count", "<a:n>", natives::count},
    {"max", "<a<n>:n>", natives::max},
    {"min", "<a<n>:n>", natives::min},
    {"average", "<a<n>:n>", natives::average},
    {"string", "<x-b?:s>", natives::string},
    {"substring", "<s-nn?:s>", natives::substring},
    {"substringBefore", "<s-s:s>", natives::substring_before},
    {"substringAfter", "<s-s:s>", natives::substring_after},
    {"lowercase", "<s-:s>", natives::lowercase},
    {"uppercase", "<s-:s>", natives::uppercase},
    {"length", "<s-:n>", natives::length},
    {"trim", "<s-:s>", natives::trim},
    {"pad", "<s-ns?:s>", natives::pad},
    {"match", "<s-f<s:o>n?:a<o>>", natives::match},
    {"contains", "<s-(sf):b>", natives::contains},
    {"replace", "<s-(sf)(sf)n?:s>", natives::replace},
    {"split", "<s-(sf)n?:a<s>>", natives::split},
    {"join", "<a<s>s?:s>", natives::join},
    {"formatNumber", "<n-so?:s>", natives::format_number},
    {"formatBase", "<n-n?:s>", natives::format_base},
    {"formatInteger", "<n-s:s>", natives::format_integer},
    {"parseInteger", "<s-s:n>", natives::parse_integer},
    {"number", "<(nsb)-:n>", natives::number},
    {"floor", "<n-:n>", natives::floor},
    {"ceil", "<n-:n>", natives::ceil},
    {"round", "<n-n?:n>", natives::round},
    {"abs", "<n-:n>", natives::abs},
    {"sqrt", "<n-:n>", natives::sqrt},
    {"power", "<n-n:n>", natives::power},
    {"boolean", "<x-:b>", natives::boolean},
    {"not", "<x-:b>", natives::negation},
    {"map", "<af>", natives::map},
    {"zip", "<a+>", natives::zip},
    {"filter", "<af>", natives::filter},
    {"single", "<af?>", natives::single},
    {"reduce", "<afj?:j>", natives::reduce},
    {"sift", "<o-f?:o>", natives::sift},
    {"keys", "<x-:a<s>>", natives::keys},
    {"lookup", "<x-s:x>", natives::lookup},
    {"append", "<xx:a>", natives::append},
    {"exists", "<x:b>", natives::exists},
    {"spread", "<x-:a<o>>", natives::spread},
    {"merge", "<a<o>:o>", natives::merge},
    {"reverse", "<a:a>", natives::reverse},
    {"each", "<o-f:a>", natives::each},
    {"error", "<s?:x>", natives::error},
    {"assert", "<bs?:x>", natives::assertion},
    {"type", "<x:s>", natives::type},
    {"sort", "<af?:a>", natives::sort},
    {"shuffle", "<a:a>", natives::shuffle},
    {"distinct", "<x:x>", natives::distinct},
    {"base64encode", "<s-:s>", natives::base64_encode},
    {"base64decode", "<s-:s>", natives::base64_decode},
    {"encodeUrlComponent", "<s-:s>", natives::encode_url_component},
    {"encodeUrl", "<s-:s>", natives::encode_url},
    {"decodeUrlComponent", "<s-:s>", natives::decode_url_component},
    {"decodeUrl", "<s-:s>", natives::decode_url},
    {"toMillis", "<s-s?:n>", natives::to_millis},
    {"fromMillis", "<n-s?s?:s>", natives::from_millis},
    {"clone", "<(oa)-:o>", natives::clone},
    {"now", "<s?s?:s>", natives::now},
    {"millis", "<:n>", natives::millis},
    {"random", "<:n>", natives::random, Offered::Jsonata},
    {"random", "<n?:n>", natives::seeded_random, Offered::StatesLanguage},
    {"partition", "<an:a<a>>", natives::partition, Offered::StatesLanguage},
    {"range", "<nnn:a<n>>", natives::range, Offered::StatesLanguage},
    {"hash", "<s-s:s>", natives::hash, Offered::StatesLanguage},
    {"uuid", "<:s>", natives::uuid, Offered::StatesLanguage},
    {"parse", "<s-:x>", natives::parse, Offered::StatesLanguage},
};

std::deque<Builtin> table_of(JsonataDialect dialect) {
  const bool states = dialect == JsonataDialect::StatesLanguage;
  std::deque<Builtin> table;
  for (const Row& row : kRows) {
    if (row.offered == (states ? Offered::Jsonata : Offered::StatesLanguage)) continue;
    Builtin& builtin = table.emplace_back();
    builtin.name = row.name;
    builtin.run = row.run;
    builtin.parsed = *parse_signature(row.signature);
  }
  std::sort(table.begin(), table.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  for (Builtin& builtin : table) {
    builtin.function.kind = Function::Kind::Builtin;
    builtin.function.builtin = &builtin;
  }
  return table;
}

}  // namespace

const Builtin* find_function(std::string_view name, JsonataDialect dialect) {
  static const std::deque<Builtin> kJsonata = table_of(JsonataDialect::Jsonata);
  static const std::deque<Builtin> kStates = table_of(JsonataDialect::StatesLanguage);
  const auto& table = dialect == JsonataDialect::Jsonata ? kJsonata : kStates;
  const auto at =
      std::lower_bound(table.begin(), table.end(), name,
                       [](const Builtin& row, std::string_view wanted) { return row.name < wanted; });
  return at != table.end() && at->name == name ? &*at : nullptr;
}

}  // namespace millrace::definitions::jsonata
