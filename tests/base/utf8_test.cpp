#include "base/utf8.h"

#include <doctest/doctest.h>

using namespace millrace;

TEST_CASE("utf8: overlong forms, surrogates and cut sequences are not UTF-8") {
  CHECK(valid_utf8("aé€😀"));
  for (const char* bad :
       {"\xC0\xAF", "\xE0\x80\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xE2\x82", "\x80", "\xFF"}) {
    CHECK(!valid_utf8(bad));
  }
}

TEST_CASE("utf8: every code point comes back") {
  for (char32_t c = 1; c <= 0x10FFFF; c += c < 0x3000 ? 1 : 97) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    std::string text;
    append_utf8(text, c);
    char32_t back = 0;
    REQUIRE(decode_utf8(text, back) == text.size());
    REQUIRE(back == c);
  }
}

TEST_CASE("utf8: counts and cuts by code point") {
  CHECK(count_code_points("aé€😀") == 4);
  CHECK(first_code_points("aé€😀", 2) == "aé");
  CHECK(first_code_points("aé", 5) == "aé");
}
