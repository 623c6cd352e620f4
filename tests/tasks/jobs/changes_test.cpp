#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tasks/jobs/jobs.h"
#include "tasks/jobs/listing.h"
#include "tasks/jobs/state_changes.h"
#include "tests/tasks/jobs/temporary_home.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

Json job_record(const char* name, const char* status, std::int64_t created = 1) {
  return {{"TrainingJobName", name}, {"TrainingJobStatus", status}, {"CreationTime", created}};
}

std::string kept_states(const Jobs& jobs) {
  std::string states;
  const auto changes = jobs.changes(100);
  for (const Jobs::Change& change : *changes)
    states +=
        change.name + ":" + change.document.value("TrainingJobStatus", "") + (change.removed ? "- " : " ");
  return states;
}

}  // namespace

TEST_CASE(
    "Changes: a write that changes a record's state is kept with it, over a restart, until it is told") {
  const TemporaryHome home;
  {
    const auto jobs = *Jobs::open(home.path("tasks.db"), state_of_record);
    int writes = 0;
    jobs->on_write([&](std::string_view, std::string_view, bool removed) { writes += removed ? 100 : 1; });
    REQUIRE(jobs->create("TrainingJob", "a", job_record("a", "InProgress")));
    REQUIRE(!jobs->create("TrainingJob", "a", job_record("a", "Failed")));
    REQUIRE(jobs->modify("TrainingJob", "a", [](Json& r) -> Status {
      r["Progress"] = 1;  // no change of state
      return {};
    }));
    REQUIRE(!jobs->modify("TrainingJob", "a", [](Json& r) -> Status {
      r["TrainingJobStatus"] = "Failed";
      return invalid("not now");
    }));
    REQUIRE(jobs->modify("TrainingJob", "a", [](Json& r) -> Status {
      r["TrainingJobStatus"] = "Completed";
      return {};
    }));
    REQUIRE(jobs->create("Model", "m", Json{{"ModelName", "m"}}));  // nobody is told of models
    REQUIRE(jobs->remove("TrainingJob", "a"));
    CHECK(kept_states(*jobs) == "a:InProgress a:Completed a:Completed- ");
    CHECK(writes == 104);
    REQUIRE(jobs->forget_change(jobs->changes(1)->front().number));
  }
  const auto jobs = *Jobs::open(home.path("tasks.db"), state_of_record);
  CHECK(kept_states(*jobs) == "a:Completed a:Completed- ");
  const auto left = jobs->changes(100);
  for (const Jobs::Change& change : *left) REQUIRE(jobs->forget_change(change.number));
  REQUIRE(jobs->create("TrainingJob", "b", job_record("b", "InProgress")));
  CHECK(jobs->changes(1)->front().number > 3);  // numbers name events: none comes twice
}

TEST_CASE("Lists: pages follow the order, whatever comes between; a token fits its own list only") {
  std::vector<Jobs::Record> records;
  for (int i = 0; i < 10; ++i)
    records.push_back({i + 1, job_record(("j" + std::to_string(9 - i)).c_str(), "Completed", 100 + i / 3)});
  const auto names = [](const Page& page) {
    std::string text;
    for (const Json& record : page.records) text += record["TrainingJobName"].get<std::string>() + " ";
    return text;
  };
  const auto keys = usual_sort_keys(kTrainingJob);
  const auto page = [&](const Json& request) { return page_of(records, Arguments(request), keys); };
  CHECK(names(*page(Json::object())) == "j0 j1 j2 j3 j4 j5 j6 j7 j8 j9 ");
  Json request = {{"SortBy", "CreationTime"}, {"SortOrder", "Ascending"}, {"MaxResults", 4}};
  auto first = page(request);
  CHECK(names(*first) == "j9 j8 j7 j6 ");
  CHECK(first->hits == 10);
  records.push_back({11, job_record("new", "Completed", 101)});  // of the time of j6, j5 and j4, but later
  request["NextToken"] = first->next_token;
  const auto second = page(request);
  CHECK(names(*second) == "j5 j4 new j3 ");
  request["SortOrder"] = "Descending";
  CHECK(page(request).error().message.find("NextToken") != std::string::npos);
  CHECK(!page(Json{{"SortBy", "Size"}}));
  CHECK(!page(Json{{"MaxResults", 0}}));
  const auto filter =
      ListFilter::read(kTrainingJob, Arguments(Json{{"NameContains", "j"}, {"CreationTimeAfter", 0.101}}));
  REQUIRE(filter);
  CHECK(!filter->fits(records[0].document));
  CHECK(filter->fits(records[3].document));
  CHECK(!filter->fits(records[10].document));
  CHECK(!ListFilter::read(kTrainingJob, Arguments(Json{{"CreationTimeAfter", "yesterday"}})));
}

TEST_CASE("Metrics of components: all values, and what they come to") {
  const TemporaryHome home;
  const auto jobs = *Jobs::open(home.path("tasks.db"));
  REQUIRE(
      jobs->add_metrics("c", {{"loss", 10, 0, 3.0}, {"loss", 20, 1, 1.0}, {"acc", 5, std::nullopt, 0.5}}));
  REQUIRE(jobs->add_metrics("c", {{"loss", 30, 2, 2.0}}));
  const auto summaries = jobs->metric_summaries("c");
  REQUIRE(summaries->size() == 2);
  const Jobs::MetricSummary& loss = (*summaries)[1];
  CHECK(loss.metric == "loss");
  CHECK((loss.count == 3 && loss.min == 1 && loss.max == 3 && loss.last == 2 && loss.mean == 2 &&
         loss.time_ms == 30));
  CHECK(loss.deviation == doctest::Approx(0.8164965809));
  CHECK(jobs->metrics("c", "loss")->size() == 3);
  CHECK(!jobs->metrics("c", "acc")->front().step);
  REQUIRE(jobs->remove_metrics("c"));
  CHECK(jobs->metric_summaries("c")->empty());
}
