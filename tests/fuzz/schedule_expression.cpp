// Schedule expressions: an expression, a newline, the bytes of a time zone file. What is due is later than
// before.

#include "triggers/schedule_expression.h"

#include "base/check.h"
#include "tests/fuzz/input.h"

using namespace millrace;
using namespace millrace::triggers;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto [source, file] = fuzz::parts_of(data, size);
  const auto zone = TimeZone::parse(file, "fuzz");
  const auto expression = ScheduleExpression::parse(source);
  if (!expression) return 0;
  MR_CHECK(!expression->words().empty(), "there are words for it");
  const TimeZone in = zone ? *zone : TimeZone();
  Instant after = from_millis(1'790'000'000'000);
  for (int i = 0; i < 5; ++i) {
    const auto due = expression->next(after, in, from_millis(1'700'000'000'000));
    if (!due) break;
    MR_CHECK(due->time > after, "time goes on");
    after = due->time;
  }
  return 0;
}
