#include "base/cpu_meter.h"

#include <doctest/doctest.h>

#include <thread>

using namespace millrace;

namespace {

// So much work that a clock of microseconds sees it.
double spend() {
  volatile double sum = 0;
  for (int i = 0; i < 3'000'000; ++i) sum = sum + i * 0.5;
  return sum;
}

}  // namespace

TEST_CASE("CpuMeter: a piece of work has the time of its threads, and of what ran inside it") {
  CpuMeter outer, inner, alone;
  {
    const CpuScope all(&outer);
    CHECK(CpuMeter::current() == &outer);
    {
      const CpuScope part(&inner);
      std::thread([meter = CpuMeter::current()] {
        const CpuScope scope(meter);
        spend();
      }).join();
      spend();
    }
    CHECK(CpuMeter::current() == &outer);
    std::thread([&] {  // of somebody else
      const CpuScope scope(&alone);
      spend();
    })
        .join();
  }
  CHECK(CpuMeter::current() == nullptr);
  CHECK(alone.micros() > 0);
  CHECK(inner.micros() > alone.micros());
  CHECK(outer.micros() >= inner.micros());
  const std::int64_t before = outer.micros();
  spend();
  CHECK(outer.micros() == before);
  CHECK(resident_bytes() > 1'000'000);
}
