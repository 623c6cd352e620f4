// Pictures of numbers and dates, and regular expressions: the first line is the picture or pattern, with a
// letter in front that says which function; the rest is the number or text.

#include <charconv>

#include "base/utf8.h"
#include "definitions/jsonata/date_time.h"
#include "definitions/jsonata/integer_format.h"
#include "definitions/jsonata/number_format.h"
#include "definitions/jsonata/number_text.h"
#include "definitions/jsonata/regex.h"
#include "definitions/jsonata/utf16.h"
#include "tests/fuzz/input.h"

using namespace millrace;
using namespace millrace::definitions::jsonata;

namespace {

void check_text(const Checked<std::string>& text) {
  MR_CHECK(!text || valid_utf8(*text), "a picture gives UTF-8");
  MR_CHECK(text || !text.error().code.empty(), "a fault has a code");
}

void check_number(double value) {
  const std::string text = number_text(value);
  MR_CHECK(value != value || parse_number(text) == value, "a number reads back");
  (void)shown_number(value);
  for (const int digits : {-3, 0, 2}) (void)round_half_even(value, digits);
  (void)fixed_text(value, 3);
}

void search(std::string_view pattern, std::string_view text) {
  for (const char* flags : {"", "i", "m"}) {
    const auto regex = JsRegex::compile(pattern, flags);
    if (!regex) continue;
    const std::u16string units = utf16_of(text);
    const auto match = regex->find(units);
    if (!match || !*match) continue;
    MR_CHECK((*match)->all.begin <= (*match)->all.end && (*match)->all.end <= units.size(),
             "a match is in the text");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto [picture, text] = fuzz::parts_of(data, size);
  if (picture.empty() || !valid_utf8(picture) || !valid_utf8(text)) return 0;
  const char function = picture[0];
  picture.remove_prefix(1);
  const double value = parse_number(text.substr(0, text.find('\n')));
  check_number(value);
  switch (function) {
    case 'n': {
      DecimalFormat format;
      const std::size_t option = text.find('\n');
      if (option != text.npos) format.set("decimal-separator", text.substr(option + 1));
      check_text(format_number(value, picture, format));
      break;
    }
    case 'i':
      check_text(format_integer(value, picture));
      (void)parse_integer(text, picture);
      break;
    case 'd':
      check_text(from_millis(value, picture));
      check_text(from_millis(value, picture, "+0530"));
      (void)to_millis(text, picture, 1'700'000'000'000);
      break;
    case 'o':
      (void)to_millis(text);
      break;
    case 'r':
      search(picture, text);
      break;
    default:
      break;
  }
  return 0;
}
