#include "base/clock.h"

#include <doctest/doctest.h>

using namespace millrace;

namespace {
Instant second(int s) {
  return from_millis(1'000'000 + 1000 * s);
}
}  // namespace

TEST_CASE("ForwardTime: follows the machine's clock, also forward") {
  ForwardTime time;
  CHECK(time.at(second(0), Millis(5000)) == second(0));
  CHECK(time.at(second(1), Millis(6000)) == second(1));
  CHECK(time.at(second(90'000), Millis(7000)) == second(90'000));
}

TEST_CASE("ForwardTime: a clock that is set back is made up for a tenth slower, never backward") {
  ForwardTime time;
  CHECK(time.at(second(100), Millis(0)) == second(100));
  // Set back by two seconds: it takes twenty until both agree again.
  CHECK(time.at(second(98), Millis(0)) == second(100));
  CHECK(time.at(second(108), Millis(10'000)) == second(109));
  CHECK(time.at(second(118), Millis(20'000)) == second(118));
  CHECK(time.at(second(119), Millis(21'000)) == second(119));
}

TEST_CASE(
    "ForwardTime: a clock that is set back by a day runs on, and does not go back when it is set right") {
  ForwardTime time;
  CHECK(time.at(second(100'000), Millis(0)) == second(100'000));
  CHECK(time.at(second(13'600), Millis(0)) == second(100'000));
  CHECK(time.at(second(13'610), Millis(10'000)) == second(100'009));
  CHECK(time.at(second(100'020), Millis(20'000)) == second(100'020));
}
