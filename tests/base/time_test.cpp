#include "base/time.h"

#include <doctest/doctest.h>

using namespace millrace;

TEST_CASE("time: RFC 3339 as the language takes it") {
  const auto ms = [](const char* text) { return to_millis(parse_rfc3339(text).value_or(from_millis(-1))); };
  CHECK(ms("1970-01-01T00:00:00Z") == 0);
  CHECK(ms("2016-03-14T01:59:00Z") == 1457920740000);
  CHECK(ms("2016-03-14T01:59:00.5+01:00") == 1457917140500);
  CHECK(ms("2016-03-14T01:59:00.123456789-00:30") == 1457922540123);
  CHECK(ms("2024-02-29T00:00:00Z") == 1709164800000);
}

TEST_CASE("time: what is not RFC 3339 is refused") {
  for (const char* text :
       {"", "2016-03-14", "2016-03-14t01:59:00Z", "2016-03-14T01:59:00z", "2016-03-14 01:59:00Z",
        "2016-03-14T01:59:00", "2023-02-29T00:00:00Z", "2016-13-01T00:00:00Z", "2016-03-14T24:00:00Z",
        "2016-03-14T01:59:00.Z", "2016-03-14T01:59:00+0100", "2016-03-14T01:59:00Zx"}) {
    CAPTURE(text);
    CHECK(!parse_rfc3339(text));
  }
}

TEST_CASE("time: written with milliseconds, and read back") {
  CHECK(format_rfc3339(from_millis(1457920740000)) == "2016-03-14T01:59:00.000Z");
  for (const std::int64_t t : {0LL, 1LL, 951782400123LL, 4102444799999LL}) {
    CHECK(to_millis(*parse_rfc3339(format_rfc3339(from_millis(t)))) == t);
  }
  CHECK(format_duration(Millis(350)) == "350 ms");
  CHECK(format_duration(Millis(12300)) == "12.3 s");
  CHECK(format_duration(Millis(245000)) == "4 min 5 s");
  CHECK(format_duration(Millis(7380000)) == "2 h 3 min");
}
