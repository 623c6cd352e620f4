#include "tasks/deployment/guards.h"

#include <doctest/doctest.h>

#include <cmath>

#include "base/random.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

// A fleet of `requests`, of which some failed; the others took so long, `slow` of them ten times that.
FleetSeen fleet(std::uint64_t requests, std::uint64_t failed, double millis = 1, std::uint64_t slow = 0) {
  FleetSeen seen;
  seen.requests = requests;
  seen.failed = failed;
  const auto nanos = [](double ms) { return std::chrono::nanoseconds(static_cast<std::int64_t>(ms * 1e6)); };
  seen.latency[latency_bucket(nanos(millis))] += requests - failed - slow;
  seen.latency[latency_bucket(nanos(millis * 10))] += slow;
  return seen;
}

FleetSeen labelled(std::uint64_t judged, std::uint64_t right) {
  FleetSeen seen = fleet(judged, 0);
  seen.judged = judged;
  seen.right = right;
  return seen;
}

struct GuardCase {
  const char* guard;
  FleetSeen before, after;
  const char* says;  // empty: it does not fire
};

}  // namespace

TEST_CASE("Guard: fires when it is sure, and says by what") {
  const GuardCase cases[] = {
      {"millrace:error-rate > 0.05", fleet(0, 0), fleet(0, 0), ""},
      {"millrace:error-rate > 0.05", fleet(0, 0), fleet(1, 1), ""},
      {"millrace:error-rate > 0.05", fleet(0, 0), fleet(5, 5),
       "error rate of the new fleet is 100 % of 5 requests"},
      {"millrace:error-rate > 0.05", fleet(0, 0), fleet(1000, 55), ""},
      {"millrace:error-rate > 0.05", fleet(0, 0), fleet(1000, 100),
       "error rate of the new fleet is 10 % of 1000"},
      {"millrace:error-rate > old + 0.01", fleet(0, 0), fleet(100, 100), ""},
      {"millrace:error-rate > old + 0.01", fleet(1000, 100), fleet(1000, 110), ""},
      {"millrace:error-rate>old+0.01", fleet(1000, 10), fleet(1000, 110), "of the old 1 % of 1000 (guard"},
      {"millrace:latency-p99 > 5ms", fleet(0, 0), fleet(1000, 0, 1, 5), ""},
      {"millrace:latency-p99 > 5ms", fleet(0, 0), fleet(1000, 0, 1, 50),
       "latency of the new fleet is 5 % of 1000 requests above 5 ms"},
      {"millrace:latency-p99 > 0.005s", fleet(0, 0), fleet(20, 0, 8), "above 5 ms"},
      {"millrace:latency-p99 > old * 2", fleet(99, 0, 1), fleet(1000, 0, 10), ""},
      {"millrace:latency-p99 > old * 2", fleet(1000, 0, 1), fleet(1000, 0, 1.5), ""},
      {"millrace:latency-p99 > old * 2", fleet(1000, 0, 1), fleet(1000, 0, 10),
       "latency of the new fleet is 100 %"},
      {"millrace:accuracy < 0.9", labelled(0, 0), labelled(50, 44), ""},
      {"millrace:accuracy < 0.9", labelled(0, 0), labelled(1000, 850),
       "accuracy of the new fleet is 85 % of 1000 labelled requests (guard"},
      {"millrace:accuracy < old - 0.02", labelled(1000, 900), labelled(1000, 880), ""},
      {"millrace:accuracy < old - 0.02", labelled(1000, 900), labelled(1000, 750), "of the old 90 % of 1000"},
  };
  for (const GuardCase& one : cases) {
    INFO(one.guard << ", " << one.after.requests << " requests, " << one.after.failed << " failed");
    const auto guard = Guard::parse(one.guard);
    REQUIRE(guard);
    const auto why = guard->fires(one.before, one.after);
    CHECK(why.has_value() == (*one.says != 0));
    if (why) {
      INFO(*why);
      CHECK(why->find(one.says) != std::string::npos);
    }
  }
}

TEST_CASE("Guard: what is none is refused with the forms there are") {
  for (const char* text :
       {"millrace:", "millrace:error-rate", "millrace:error-rate < 0.1", "millrace:error-rate > 2",
        "millrace:error-rate > -1", "millrace:error-rate > old * 2", "millrace:latency-p99 > 5",
        "millrace:latency-p99 > old * 2ms", "millrace:accuracy < old", "millrace:accuracy < 0.5 x",
        "millrace:error-rate > nan", "x"}) {
    INFO(text);
    const auto guard = Guard::parse(text);
    REQUIRE(!guard);
    CHECK(guard.error().code == ErrorCode::InvalidArgument);
    CHECK(!guard.error().hint.empty());
  }
}

TEST_CASE("Guard: equal fleets are rolled back less often than one in a hundred, however often one looks") {
  const auto absolute = Guard::parse("millrace:error-rate > 0.05"),
             against = Guard::parse("millrace:error-rate > old + 0");
  REQUIRE((absolute && against));
  int wrong_absolute = 0, wrong_against = 0, found = 0;
  constexpr int kRuns = 300, kRequests = 3000;
  for (int run = 0; run < kRuns; ++run) {
    Random random(static_cast<std::uint64_t>(run));
    FleetSeen before, after, bad;
    bool fired_absolute = false, fired_against = false, fired_bad = false;
    for (int i = 1; i <= kRequests; ++i) {
      ++before.requests, ++after.requests, ++bad.requests;
      before.failed += random.uniform() < 0.05;
      after.failed += random.uniform() < 0.05;
      bad.failed += random.uniform() < 0.1;
      if (i % 20 != 0) continue;
      fired_absolute = fired_absolute || absolute->fires(before, after);
      fired_against = fired_against || against->fires(before, after);
      fired_bad = fired_bad || absolute->fires(before, bad);
    }
    wrong_absolute += fired_absolute, wrong_against += fired_against, found += fired_bad;
  }
  MESSAGE("of " << kRuns << " runs fired without a reason: " << wrong_absolute << " and " << wrong_against
                << "; with one: " << found);
  CHECK(wrong_absolute <= 6);  // 3 are expected at most; 7 and more would come once in 30 times
  CHECK(wrong_against <= 6);
  CHECK(found >= kRuns * 99 / 100);
}

TEST_CASE("Latency: a quantile is right to a tenth") {
  LatencyCounts counts{};
  for (int i = 1; i <= 10'000; ++i) ++counts[latency_bucket(std::chrono::microseconds(i * 10))];
  for (const double q : {0.5, 0.9, 0.99})
    CHECK(latency_quantile(counts, q) == doctest::Approx(q * 0.1).epsilon(0.1));
  CHECK(latency_quantile({}, 0.5) == 0);
  CHECK(latency_bucket(std::chrono::hours(24)) == kLatencyBuckets - 1);
  CHECK(latency_bucket(std::chrono::nanoseconds(0)) == 0);
}
