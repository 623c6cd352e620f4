// The functions under JSONata that need no evaluator: pictures of numbers and dates, regular expressions,
// case. Cases of the shared suite that are one call with literal arguments are run here, and tables of our
// own.

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "base/random.h"
#include "definitions/jsonata/calendar.h"
#include "definitions/jsonata/case_mapping.h"
#include "definitions/jsonata/date_time.h"
#include "definitions/jsonata/integer_format.h"
#include "definitions/jsonata/number_format.h"
#include "definitions/jsonata/number_text.h"
#include "definitions/jsonata/regex.h"
#include "definitions/jsonata/utf16.h"
#include "tests/support/cases.h"

using namespace millrace;
using namespace millrace::definitions::jsonata;

namespace {

// What a call gives, as the suite writes it: {"result": …}, {"undefined": true} or {"error": code}.
Json answer(const Checked<std::string>& got) {
  return got ? Json{{"result", *got}} : Json{{"error", got.error().code}};
}
Json answer(const Checked<double>& got) {
  if (!got) return {{"error", got.error().code}};
  return *got == std::trunc(*got) && std::abs(*got) < 1e15 ? Json{{"result", static_cast<std::int64_t>(*got)}}
                                                           : Json{{"result", *got}};
}

struct Call {
  std::string function;
  std::vector<Json> arguments;  // null: left out or undefined; {"regex","flags"}: a regular expression
};

// Reads `$name(literal, literal)`; nothing for any other expression.
class CallReader {
 public:
  static std::optional<Call> read(std::string_view text) {
    CallReader reader{text};
    Call call;
    if (!reader.take('$')) return std::nullopt;
    while (!reader.text_.empty() && std::isalnum(static_cast<unsigned char>(reader.text_[0])))
      call.function += reader.next();
    if (!reader.take('(')) return std::nullopt;
    do {
      const auto argument = reader.literal();
      if (!argument) return std::nullopt;
      call.arguments.push_back(*argument);
    } while (reader.take(','));
    if (!reader.take(')') || !reader.blank()) return std::nullopt;
    return call;
  }

 private:
  explicit CallReader(std::string_view text) : text_(text) {}
  char next() {
    const char c = text_.empty() ? '\0' : text_[0];
    if (!text_.empty()) text_.remove_prefix(1);
    return c;
  }
  bool blank() {
    while (!text_.empty() && std::isspace(static_cast<unsigned char>(text_[0]))) text_.remove_prefix(1);
    return text_.empty();
  }
  bool take(char c) {
    blank();
    if (!text_.starts_with(c)) return false;
    text_.remove_prefix(1);
    return true;
  }

  std::optional<Json> literal() {
    blank();
    for (const std::string_view absent : {"nothing", "undefined"}) {
      if (!text_.starts_with(absent)) continue;
      text_.remove_prefix(absent.size());
      return Json(nullptr);
    }
    if (text_.empty()) return std::nullopt;
    if (text_[0] == '/') return regex();
    if (text_[0] == '"' || text_[0] == '\'') return string();
    if (text_[0] == '{') return json(text_.find('}') + 1);
    return json(text_.find_first_not_of("-+.0123456789eE"));
  }
  std::optional<Json> json(std::size_t size) {
    Json value = Json::parse(text_.substr(0, size), nullptr, false);
    if (value.is_discarded()) return std::nullopt;
    text_.remove_prefix(std::min(size, text_.size()));
    return value;
  }
  std::optional<Json> string() {
    const char quote = next();
    std::string body;
    while (!text_.empty() && text_[0] != quote) {
      if (text_[0] == '\\') {
        body += next();
        if (text_.starts_with('\'')) body.pop_back();
      } else if (text_[0] == '"') {
        body += '\\';
      }
      body += next();
    }
    next();
    Json value = Json::parse('"' + body + '"', nullptr, false);
    return value.is_discarded() ? std::nullopt : std::optional(value);
  }
  std::optional<Json> regex() {
    next();
    std::string pattern, flags;
    int depth = 0;
    while (!text_.empty() && (text_[0] != '/' || depth > 0)) {
      depth += text_[0] == '(' || text_[0] == '[' || text_[0] == '{';
      depth -= text_[0] == ')' || text_[0] == ']' || text_[0] == '}';
      if (text_[0] == '\\') pattern += next();
      pattern += next();
    }
    next();
    while (text_.starts_with('i') || text_.starts_with('m')) flags += next();
    return Json{{"regex", pattern}, {"flags", flags}};
  }

  std::string_view text_;
};

Json matches(const std::string& text, const Json& regex, double limit) {
  const auto compiled =
      JsRegex::compile(regex["regex"].get<std::string>(), regex["flags"].get<std::string>());
  REQUIRE_MESSAGE(compiled, compiled.error().message);
  const std::u16string units = utf16_of(text);
  const auto cut = [&](UnitRange range) {
    return utf8_of(units.substr(range.begin, range.end - range.begin));
  };
  Json out = Json::array();
  for (std::size_t at = 0; static_cast<double>(out.size()) < limit;) {
    const auto found = compiled->find(units, at);
    REQUIRE(found);
    if (!*found) break;
    const RegexMatch& match = **found;
    if (match.all.end == match.all.begin) return {{"error", "D1004"}};
    Json groups = Json::array();
    for (const auto& group : match.groups) groups.push_back(group ? cut(*group) : "");
    out.push_back({{"match", cut(match.all)}, {"index", match.all.begin}, {"groups", groups}});
    at = match.all.end;
  }
  if (out.empty()) return {{"undefined", true}};
  return {{"result", out.size() == 1 ? out[0] : out}};
}

// The answer, or null for calls that need the evaluator.
Json run(const Call& call) {
  const auto argument = [&](std::size_t i) {
    return i < call.arguments.size() ? call.arguments[i] : Json(nullptr);
  };
  const Json a = argument(0), b = argument(1), c = argument(2);
  const auto number = [](const Json& json, double otherwise) {
    return json.is_number() ? json.get<double>() : otherwise;
  };
  const auto text = [](const Json& json) {
    return json.is_string() ? std::optional(json.get<std::string>()) : std::nullopt;
  };
  if (a.is_null()) return nullptr;
  if (call.function == "formatNumber" && a.is_number() && b.is_string() && (c.is_null() || c.is_object())) {
    DecimalFormat format;
    for (const auto& [name, value] : c.items()) {
      if (value.is_string()) format.set(name, value.get<std::string>());
    }
    return answer(format_number(number(a, 0), *text(b), format));
  }
  if (call.function == "formatBase" && a.is_number()) return answer(format_base(number(a, 0), number(b, 10)));
  if (call.function == "round" && a.is_number())
    return answer(Checked<double>(round_half_even(number(a, 0), number(b, 0))));
  if (call.function == "formatInteger" && a.is_number() && b.is_string())
    return answer(format_integer(number(a, 0), *text(b)));
  if (call.function == "parseInteger" && a.is_string() && b.is_string())
    return answer(parse_integer(*text(a), *text(b)));
  if (call.function == "fromMillis" && a.is_number()) {
    const auto picture = text(b), zone = text(c);
    return answer(from_millis(number(a, 0),
                              picture ? std::optional<std::string_view>(*picture) : std::nullopt,
                              zone ? std::optional<std::string_view>(*zone) : std::nullopt));
  }
  if (call.function == "toMillis" && a.is_string()) {
    if (b.is_null()) return answer(to_millis(*text(a)));
    const auto got = to_millis(*text(a), *text(b), 1'700'000'000'000);
    if (got && !*got) return {{"undefined", true}};
    return got ? answer(Checked<double>(**got)) : Json{{"error", got.error().code}};
  }
  if (call.function == "match" && a.is_string() && b.is_object()) return matches(*text(a), b, number(c, 1e9));
  if (call.function == "contains" && a.is_string() && b.is_object())
    return {{"result", !matches(*text(a), b, 1).contains("undefined")}};
  if (call.function == "uppercase" && a.is_string()) return {{"result", to_upper(*text(a))}};
  if (call.function == "lowercase" && a.is_string()) return {{"result", to_lower(*text(a))}};
  if (call.function == "string" && a.is_number())
    return {{"result", number_text(shown_number(number(a, 0)))}};
  return nullptr;
}

// The first match as text and its groups, "-" for none, "!" for a limit, "?" for a pattern that is refused.
std::string found(const std::string& pattern, const std::string& flags, const std::string& text) {
  const auto regex = JsRegex::compile(pattern, flags);
  if (!regex) return "?";
  const std::u16string units = utf16_of(text);
  const auto match = regex->find(units);
  if (!match) return "!";
  if (!*match) return "-";
  const auto cut = [&](UnitRange range) {
    return utf8_of(units.substr(range.begin, range.end - range.begin));
  };
  std::string out = cut((*match)->all);
  for (const auto& group : (*match)->groups) out += "|" + (group ? cut(*group) : "~");
  return out;
}

}  // namespace

TEST_CASE("JSONata functions: single calls of the shared suite") {
  const auto path = tests::shared("conformance/jsonata/cases.jsonl");
  if (!path) {
    MESSAGE("skipped: conformance/jsonata/cases.jsonl is not there");
    return;
  }
  int count = 0;
  for (const Json& c : tests::lines_of(*path)) {
    const auto call = CallReader::read(c["expr"].get<std::string>());
    if (!call) continue;
    Json expect = c["expect"];
    const std::string code = expect.value("error", "");
    if (code.starts_with("T") || code.starts_with("S") || code == "D3040")
      continue;  // the evaluator's business
    const Json got = run(*call);
    if (got.is_null()) continue;
    for (const char* extra : {"position", "token", "phase", "message"}) expect.erase(extra);
    ++count;
    CHECK_MESSAGE(to_payload(got) == to_payload(expect), c["name"].get<std::string>()
                                                             << " " << c["expr"].dump() << "\n  expected "
                                                             << expect.dump() << "\n  got " << got.dump());
  }
  MESSAGE(count << " calls");
  CHECK(count > 900);
}

TEST_CASE("Numbers as JavaScript writes them") {
  const std::pair<double, const char*> table[] = {{0, "0"},
                                                  {-0.0, "0"},
                                                  {1, "1"},
                                                  {-1.5, "-1.5"},
                                                  {0.1, "0.1"},
                                                  {1e20, "100000000000000000000"},
                                                  {1e21, "1e+21"},
                                                  {123456789012345680000.0, "123456789012345680000"},
                                                  {1.5e300, "1.5e+300"},
                                                  {0.000001, "0.000001"},
                                                  {0.0000001, "1e-7"},
                                                  {1.25e-10, "1.25e-10"},
                                                  {5e-324, "5e-324"},
                                                  {1.7976931348623157e308, "1.7976931348623157e+308"},
                                                  {0.1 + 0.2, "0.30000000000000004"},
                                                  {100, "100"},
                                                  {1e15 + 0.5, "1000000000000000.5"},
                                                  {std::numeric_limits<double>::quiet_NaN(), "NaN"},
                                                  {-std::numeric_limits<double>::infinity(), "-Infinity"}};
  for (const auto& [value, text] : table) CHECK(number_text(value) == text);
  CHECK(number_text(shown_number(0.1 + 0.2)) == "0.3");
  CHECK(number_text(shown_number(1.0 / 3)) == "0.333333333333333");
  CHECK(number_text(shown_number(-2.0 / 3 * 1e-10)) == "-6.66666666666667e-11");
  CHECK(number_text(shown_number(9007199254740991)) == "9007199254740991");
  CHECK(number_text(shown_number(9007199254740991, true)) == "9007199254740990");
  CHECK(number_text(shown_number(1234567890123.125)) == "1234567890123.13");  // a tie goes up
  CHECK(fixed_text(2.5, 0) == "3");
  CHECK(fixed_text(1.005, 2) == "1.00");  // the double is a little less
  CHECK(fixed_text(0.000001, 3) == "0.000");
  CHECK(fixed_text(-12.3456, 2) == "12.35");
  CHECK(fixed_text(9.999, 2) == "10.00");
  CHECK(fixed_text(1e20, 1) == "100000000000000000000.0");
  CHECK(parse_number("1e999") == std::numeric_limits<double>::infinity());
  CHECK(parse_number("1e-999") == 0);
  CHECK(std::isnan(parse_number("1x")));
}

TEST_CASE("Rounding is half to even on the decimal text") {
  const double table[][3] = {{2.5, 0, 2},      {3.5, 0, 4},      {-2.5, 0, -2},        {4.515, 2, 4.52},
                             {4.525, 2, 4.52}, {1.255, 2, 1.26}, {12350, -2, 12400},   {12450, -2, 12400},
                             {1e21, 3, 1e21},  {1e-7, 7, 1e-7},  {1.5e-10, 10, 2e-10}, {0.5, -1, 0},
                             {99.995, 2, 100}, {-0.3, 0, 0}};
  for (const auto& row : table) CHECK(round_half_even(row[0], row[1]) == row[2]);
  CHECK_FALSE(std::signbit(round_half_even(-0.3)));
  CHECK(format_base(255, 16).value_or("") == "ff");
  CHECK(format_base(1e20, 2).value_or("").size() == 67);
  CHECK(format_base(std::numeric_limits<double>::quiet_NaN(), 2).value_or("") == "NaN");
  CHECK(format_base(1, 37).error().code == "D3100");
}

TEST_CASE("Pictures of numbers") {
  const std::tuple<double, const char*, const char*> table[] = {
      {12345.6, "#,###.00", "12,345.60"},
      {0.14, "01%", "14%"},
      {-6, "000", "-006"},
      {1234.5678, "00.000e0", "12.346e2"},
      {0, "0.00e0", "0.00e0"},
      {-5, "0;(0)", "(5)"},
      {1e20, "#,######", "100,000000,000000,000000"},
      {0.4857, "###.###‰", "485.7‰"},
      {5, "x0y", "x5y"},
      {20, "0;0;0", "D3080"},
      {20, "0.0.0", "D3081"},
      {20, "0%%", "D3082"},
      {20, "0‰‰", "D3083"},
      {20, "%0‰", "D3084"},
      {20, ".", "D3085"},
      {20, "", "D3085"},
      {20, "0x0", "D3086"},
      {20, "0,.0", "D3087"},
      {20, "0,", "D3088"},
      {20, "0,,0", "D3089"},
      {20, "0#", "D3090"},
      {20, "0.#0", "D3091"},
      {20, "0e0%", "D3092"},
      {20, "0e", "D3093"},
      {20, "e", "D3093"},
      {20, "e", "D3093"}};
  for (const auto& [value, picture, expected] : table) {
    const auto got = format_number(value, picture);
    CHECK_MESSAGE((got ? *got : got.error().code) == expected, picture);
  }
  DecimalFormat german;
  german.set("decimal-separator", ",");
  german.set("grouping-separator", ".");
  german.set("no such option", "x");
  CHECK(format_number(1234.5, "#.##0,00", german).value_or("") == "1.234,50");
  CHECK(format_number(-std::numeric_limits<double>::infinity(), "0").value_or("") == "-Infinity");
  CHECK(format_number(std::numeric_limits<double>::quiet_NaN(), "0").value_or("") == "NaN");
  // Options that make no sense neither hang nor crash.
  for (const char* name : {"decimal-separator", "grouping-separator", "exponent-separator", "percent",
                           "per-mille", "zero-digit", "digit", "pattern-separator", "minus-sign"}) {
    for (const char* value : {"", "0", "#", ".", "..", "\xF0\x9F\x98\x80"}) {
      DecimalFormat odd;
      odd.set(name, value);
      for (const char* picture : {"#,##0.00e0;0", "#,##0.00", "", ".", ";", "e", "0", ",", "%"}) {
        (void)format_number(-1234.5, picture, odd);
        (void)format_number(1e300, picture, odd);
      }
    }
  }
  CHECK(format_number(1e308, "0e0").value_or("") == "1e308");
  CHECK(format_number(5e-324, "0e0").value_or("") == "5e-324");
  CHECK(format_number(1, std::string(20'000, '0')).error().code == "U1001");
}

TEST_CASE("Integers in words, letters, Roman numerals and other digits, both ways") {
  const std::tuple<double, const char*, const char*> table[] = {{0, "w", "zero"},
                                                                {1001, "Ww", "One Thousand and One"},
                                                                {21, "w;o", "twenty-first"},
                                                                {30, "W;o", "THIRTIETH"},
                                                                {100, "w;o", "one hundredth"},
                                                                {1999, "I", "MCMXCIX"},
                                                                {702, "a", "zz"},
                                                                {703, "A", "AAA"},
                                                                {1234567, "#,##0", "1,234,567"},
                                                                {1234567890, "#:###,##0", "1234:567,890"},
                                                                {12, "000;o", "012th"},
                                                                {22, "1;o", "22nd"},
                                                                {42, "٠", "٤٢"}};
  for (const auto& [value, picture, text] : table) {
    CHECK(format_integer(value, picture).value_or("") == text);
    if (std::string_view(picture) != "٠") CHECK(parse_integer(text, picture).value_or(-1) == value);
  }
  for (int n = 0; n < 3000; n += 7) {
    for (const char* picture : {"w", "Ww;o", "i", "A"}) {
      if (n == 0 && picture[0] != 'w' && picture[0] != 'W') continue;
      CHECK(parse_integer(format_integer(n, picture).value_or(""), picture).value_or(-1) == n);
    }
  }
  CHECK(format_integer(1, "1٠").error().code == "D3131");
  CHECK(format_integer(1, "#").error().code == "D3130");
  CHECK(format_integer(1, "#").error().value == "#");
  CHECK(format_integer(1e15, "I").error().code == "U1001");
  CHECK(format_integer(std::numeric_limits<double>::infinity(), "w").error().code == "U1001");
  CHECK(format_integer(1e308, "w").value_or("").size() > 100);
  CHECK(std::isnan(parse_integer("nonsense", "w").value_or(0)));
  CHECK(std::isnan(parse_integer("", "0").value_or(0)));
  CHECK(parse_integer("999499999999999900", "0").value_or(0) == 999499999999999900.0);
}

TEST_CASE("calendar: the fields by integers are those by components") {
  const auto same = [](double time) {
    CAPTURE(time);
    const DateFields got = date_fields(time);
    const double fields[] = {static_cast<double>(got.year),   static_cast<double>(got.month),
                             static_cast<double>(got.day),    static_cast<double>(got.weekday),
                             static_cast<double>(got.hour),   static_cast<double>(got.minute),
                             static_cast<double>(got.second), static_cast<double>(got.millis)};
    for (std::size_t i = 0; i < 8; ++i) CHECK(fields[i] == date_component(time, "YMDFHmsf"[i]));
  };
  for (const double time : {0.0, -1.0, 1.0, 951'782'400'000.0, 951'868'799'999.0, -62'167'219'200'000.0,
                            8.64e15, -8.64e15, -2'203'891'200'000.0})
    same(time);
  Random random(5);
  for (int i = 0; i < 2'000; ++i)
    same(std::trunc((static_cast<double>(random.below(1'000'001)) / 500'000 - 1) * 8.64e15));
}

TEST_CASE("fromMillis: common pictures and their rare forms say the same of the same date") {
  constexpr double kNew = 1'577'836'799'007;  // 2019-12-31T23:59:59.007Z, a Tuesday
  const std::pair<const char*, const char*> expected[] = {
      {"[H]:[m]:[s].[f001] [h] [P] [PN]", "23:59:59.007 11 pm PM"},
      {"[Y,2] [Y01] [Y0001] [M01] [D] [F1]", "19 19 2019 12 31 2"},
      {"[MNn] [MN] [Mn] [MNn,3-3] [FNn,*-3] [F]", "December DECEMBER december Dec Tue tuesday"},
      {"[D1o] [M1o] [H1o] [d1o] [W1o]", "31st 12th 23rd 365th 1st"},
      {"[YI] [Dw] [D\u0660] [[Y]]", "MMXIX thirty-one \u0663\u0661 [Y]"}};
  for (const auto& [picture, text] : expected) {
    CAPTURE(picture);
    CHECK(from_millis(kNew, picture).value_or("") == text);
  }
  CHECK(from_millis(-62'198'755'200'000, "[Y]|[Y0001]").value_or("") == "-1|-0001");
  CHECK(from_millis(kNew, "[D1o]", "-0100").value_or("") == "31st");
}

TEST_CASE("Dates by pictures") {
  constexpr double kTime = 1521801216617;  // 2018-03-23T10:33:36.617Z, a Friday
  const std::tuple<const char*, const char*> table[] = {{"[Y0001]-[M01]-[D01]", "2018-03-23"},
                                                        {"[FNn], [D1o] [MNn] [Y]", "Friday, 23rd March 2018"},
                                                        {"[Dwo]", "twenty-third"},
                                                        {"[h]:[m] [PN]", "10:33 AM"},
                                                        {"[X0001]-W[W01]-[F1]", "2018-W12-5"},
                                                        {"[MN,*-3]", "MAR"},
                                                        {"[[[Y]]]", "[2018]"},
                                                        {"[Y,2]", "18"},
                                                        {"[f001]", "617"},
                                                        {"[d]", "82"},
                                                        {"[w] [xNn]", "4 March"},
                                                        {"[C] [E]", "ISO ISO"},
                                                        {"[YI]", "MMXVIII"},
                                                        {"[Q]", "D3132"},
                                                        {"[]", "D3132"},
                                                        {"[YN]", "D3133"},
                                                        {"[Z00001]", "D3134"},
                                                        {"[Y", "D3135"},
                                                        {"[Yx]", "D3130"}};
  for (const auto& [picture, expected] : table) {
    const auto got = from_millis(kTime, picture);
    CHECK_MESSAGE((got ? *got : got.error().code) == expected, picture);
  }
  CHECK(from_millis(kTime, "[q1]-[QNn]").value_or("") == "undefined-undefined");  // as the reference has it
  CHECK(from_millis(kTime).value_or("") == "2018-03-23T10:33:36.617Z");
  CHECK(from_millis(kTime, {}, "+0530").value_or("") == "2018-03-23T16:03:36.617+05:30");
  CHECK(from_millis(-1.0).value_or("") == "1969-12-31T23:59:59.999Z");
  CHECK(from_millis(1e20, "[Y]").value_or("") == "NaN");
  CHECK(from_millis(kTime, "[Y,999999-999999999]").error().code == "U1001");
  // Every day of four centuries goes both ways.
  for (double day = -2'000'000'000'000; day < 10'000'000'000'000; day += 86'400'000.0 * 97) {
    const std::string text = from_millis(day).value_or("");
    CHECK(to_millis(text).value_or(0) == day);
    CHECK(to_millis(from_millis(day, "[D1o] [MNn] [Y] [H01][m01][s01]").value_or(""),
                    "[D1o] [MNn] [Y] [H01][m01][s01]", 0)
              .value_or(std::nullopt) == std::floor(day / 1000) * 1000);
  }
}

TEST_CASE("Dates are read by pictures and as ISO 8601") {
  constexpr double kNow = 1700000000000;  // 2023-11-14T22:13:20Z
  const auto read = [&](const char* text, const char* picture) -> std::string {
    const auto got = to_millis(text, picture, kNow);
    if (!got) return got.error().code;
    return *got ? from_millis(**got).value_or("") : "-";
  };
  CHECK(read("2018-03-27", "[Y1]-[M01]-[D01]") == "2018-03-27T00:00:00.000Z");
  CHECK(read("20180205", "[Y0001][M01][D01]") == "2018-02-05T00:00:00.000Z");
  CHECK(read("13:45", "[H]:[m]") == "2023-11-14T13:45:00.000Z");
  CHECK(read("4/4/2018 12:06 am", "[D1]/[M1]/[Y0001] [h]:[m] [P]") == "2018-04-04T00:06:00.000Z");
  CHECK(read("2018-094", "[Y0001]-[d001]") == "2018-04-04T00:00:00.000Z");
  CHECK(read("10:00:00.5", "[H]:[m]:[s].[f1]") == "2023-11-14T10:00:00.500Z");
  CHECK(read("10:00 +02:00", "[H]:[m] [Z]") == "2023-11-14T08:00:00.000Z");
  CHECK(read("nonsense", "[Y]") == "-");
  CHECK(read("text", "text") == "-");
  CHECK(read("2018-22", "[Y]-[D]") == "D3136");
  CHECK(read("x", "[Y") == "D3135");
  CHECK(read("Ma 2018", "[MNn,2-2] [Y]") == "2018-05-01T00:00:00.000Z");       // the last that is cut so
  CHECK(read("pm 10 nothing", "[P] [h] [PN]") == "2023-11-14T10:00:00.000Z");  // the last P is neither
  CHECK(read("10:00:00.five", "[H]:[m]:[s].[fw]") == "-");                     // fractions are digits

  CHECK(to_millis("2017").value_or(0) == 1483228800000);
  CHECK(to_millis("2017-10-30T16:25:32.935+0100").value_or(0) == 1509377132935);
  CHECK(to_millis("0001-01-01").value_or(0) == -62135596800000);
  CHECK(std::isnan(to_millis("2017-13-01").value_or(0)));
  for (const char* wrong :
       {"", "17", "2017-1", "2017-10-30 10:00:00", "2017-10-30T10:00Z", " 2017", "2017-10-30x"}) {
    const auto got = to_millis(wrong);
    CHECK_MESSAGE((!got && got.error().code == "D3110"), wrong);
  }
}

TEST_CASE("Regular expressions are JavaScript's") {
  const char* const table[][4] = {
      // pattern, flags, text, what is found
      {"a(b+)", "", "xabbc", "abb|bb"},
      {"(a)|(b)", "", "b", "b|~|b"},
      {"^b$", "m", "a\nb\r\nc", "b"},
      {"b$", "", "b\n", "-"},
      {"x.y", "", "x\u2028y", "-"},
      {"x.y", "", "x😀y", "-"},  // the emoji is two units
      {"x..y", "", "x😀y", "x😀y"},
      {"[^]", "", "\n", "\n"},
      {"[]", "", "a", "-"},
      {"\\w+", "", "caf\u00e9", "caf"},
      {"\\W", "", "\u00e9", "\u00e9"},
      {"\\s", "", "a\uFEFFb", "\uFEFF"},
      {"\\bb", "", "éb", "b"},
      {"é\\Bb", "", "éb", "-"},
      {"[[:alpha:]]+", "", "ab12", "-"},
      {"(?<year>\\d{4})-\\k<year>", "", "2020-2020", "2020-2020|2020"},
      {"\\k<x>", "", "k<x>", "k<x>"},
      {"(?<=\\$)\\d+", "", "€4 $56", "56"},
      {"(?<!\\$)\\b\\d+", "", "$4 56", "56"},
      {"\\2(a)(b)?", "", "a", "a|a|~"},
      {"\\1(a)", "", "a", "a|a"},
      {"a{,2}", "", "a{,2}", "a{,2}"},
      {"{a}", "", "{a}", "{a}"},
      {"a{2}", "", "aaa", "aa"},
      {"a{2,}?", "", "aaaa", "aa"},
      {"\\101\\x41\\u0041", "", "AAA", "AAA"},
      {"\\8\\cJ\\c", "", "8\n\\c", "8\n\\c"},
      {"[\\b\\cJ\\d-x]+", "", "\b\n5-x", "\b\n5-x"},
      {"k", "i", "\u212A", "-"},
      {"ſ", "i", "s", "-"},
      {"É", "i", "é", "é"},
      {"[^k]", "i", "K", "-"},
      {"[à-ö]+", "i", "ÀÖ", "ÀÖ"},
      {"(a)\\1", "i", "aA", "aA|a"},
      {"ß", "i", "ẞ", "-"},
      {"σ", "i", "ς", "ς"},
      {"a++", "", "", "?"},
      {"a{2}{3}", "", "", "?"},
      {"^*", "", "", "?"},
      {"(?<=a)*", "", "", "?"},
      {"(", "", "", "?"},
      {")", "", "", "?"},
      {"[a", "", "", "?"},
      {"[b-a]", "", "", "?"},
      {"a{3,2}", "", "", "?"},
      {"\\", "", "", "?"},
      {"(?i)a", "", "", "?"},
      {"(?<a>x)(?<a>y)", "", "", "?"},
      {"a", "g", "", "?"},
      {"(?=a)*b", "", "b", "b"},
      {"(?:)", "", "x", ""},
      {"\\Q.\\E", "", "Q.E", "Q.E"},
      {"(*ACCEPT)", "", "", "?"},
      {"\\p{L}", "", "p{L}", "p{L}"},
      {"\\R\\X\\K", "", "RXK", "RXK"},
      {"(a+)+$", "", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", "!"},
  };
  for (const auto& row : table)
    CHECK_MESSAGE(found(row[0], row[1], row[2]) == row[3], row[0] << " on " << row[2]);
  CHECK(found("(?:a|b)*c", "", std::string(200'000, 'a') + "c").size() == 200'001);
  CHECK(found(std::string(300, '(') + std::string(300, ')'), "", "") == "?");
  CHECK(found(std::string(20'000, 'a'), "", "") == "?");
}

TEST_CASE("UTF-16 and case") {
  for (const char* text : {"", "abc", "é", "日本", "😀", "a😀b"}) CHECK(utf8_of(utf16_of(text)) == text);
  CHECK(utf16_of("😀").size() == 2);
  CHECK(utf8_of(utf16_of("😀").substr(0, 1)) == "\uFFFD");
  CHECK(utf16_of("\xFF") == u"\uFFFD");
  CHECK(to_upper("straße ﬁ ŉ") == "STRASSE FI ʼN");
  CHECK(to_lower("ΑΣ ΣΑ İ") == "ας σα i̇");
  CHECK(to_upper("") == "");
}
