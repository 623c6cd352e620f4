#include "tasks/monitoring/alerts.h"

#include <doctest/doctest.h>

#include <string>

using namespace millrace;
using namespace millrace::tasks;

namespace {

// "!" is a run with violations; the changes as "place+" into and "place-" out of alert.
std::string changes_over(const char* runs, std::size_t to_alert, std::size_t period) {
  std::vector<AlertDatapoint> datapoints;
  for (const char* run = runs; *run; ++run)
    datapoints.push_back({from_millis(static_cast<std::int64_t>(datapoints.size())), *run == '!'});
  std::string out;
  for (const AlertChange& change : alert_changes(datapoints, to_alert, period))
    out += std::to_string(to_millis(change.time)) + (change.in_alert ? "+" : "-");
  return out;
}

}  // namespace

TEST_CASE("Monitoring alerts: so many of the last so many runs") {
  CHECK(changes_over("", 1, 1).empty());
  CHECK(changes_over("....", 1, 1).empty());
  CHECK(changes_over(".!!..!", 1, 1) == "1+3-5+");
  CHECK(changes_over("!.!...", 2, 3) == "2+3-");
  CHECK(changes_over("!..!", 2, 3).empty());
  CHECK(changes_over("!!!...", 2, 3) == "1+4-");
  CHECK(changes_over("!!!", 3, 3) == "2+");
}
