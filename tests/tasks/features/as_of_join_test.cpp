// Joins as of a time: against a join that looks at everything, and never a value from the future.

#include <doctest/doctest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "base/random.h"
#include "tasks/features/as_of_join.h"
#include "tasks/features/feature_join.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

struct TestRow {
  std::optional<std::string> id;
  std::int64_t time = 0;
};
struct TestRecord {
  std::string id;
  std::int64_t time = 0, invoked = 0, written = 0;
  bool deleted = false;
  std::string cells;
};

// Looks at every record for every row.
std::optional<std::string> looked_up(const TestRow& row, const std::vector<TestRecord>& records,
                                     const AsOfRules& rules) {
  const TestRecord* best = nullptr;
  for (const TestRecord& record : records) {
    if (!row.id || record.id != *row.id || (rules.accurate && record.time > row.time)) continue;
    if (!best || std::tuple(record.time, record.invoked, record.written) >
                     std::tuple(best->time, best->invoked, best->written))
      best = &record;
  }
  if (!best || best->deleted) return std::nullopt;
  if (rules.max_age_us && row.time - best->time > *rules.max_age_us) return std::nullopt;
  return best->cells;
}

}  // namespace

TEST_CASE("As-of join: finds what a join finds that looks at everything, and nothing from the future") {
  Random random(20261121);
  int found_some = 0, found_none = 0;
  for (int round = 0; round < 60; ++round) {
    const std::size_t groups = 1 + random.below(3);
    const std::uint64_t ids = 1 + random.below(8), times = 5 + random.below(200);
    std::vector<AsOfRules> rules(groups);
    std::vector<std::vector<TestRecord>> records(groups);
    auto join = AsOfJoin::open(groups, {});
    REQUIRE(join);
    std::map<std::string, std::int64_t> time_of;
    for (std::size_t g = 0; g < groups; ++g) {
      rules[g].accurate = random.below(4) > 0;
      if (random.below(2) == 0) rules[g].max_age_us = static_cast<std::int64_t>(random.below(times));
      const std::uint64_t count = random.below(120);
      for (std::uint64_t i = 0; i < count; ++i) {
        TestRecord record;
        record.id = "id" + std::to_string(random.below(ids));
        record.time = static_cast<std::int64_t>(random.below(times));
        record.invoked = static_cast<std::int64_t>(random.below(3));
        record.written = static_cast<std::int64_t>(i);
        record.deleted = random.below(8) == 0;
        record.cells = "[\"" + std::to_string(g) + "/" + std::to_string(i) + "\"]";
        time_of[record.cells] = record.time;
        REQUIRE((*join)->add_record(
            g, {record.id, record.time, record.invoked, record.written, record.deleted, record.cells}));
        records[g].push_back(std::move(record));
      }
    }
    std::vector<std::vector<TestRow>> spine;
    const std::uint64_t rows = random.below(60);
    for (std::uint64_t r = 0; r < rows; ++r) {
      const auto time = static_cast<std::int64_t>(random.below(times));
      std::vector<TestRow> by_group;
      std::vector<std::optional<std::string>> keys;
      for (std::size_t g = 0; g < groups; ++g) {
        keys.push_back(random.below(10) == 0 ? std::nullopt
                                             : std::optional("id" + std::to_string(random.below(ids + 1))));
        by_group.push_back({keys.back(), time});
      }
      REQUIRE((*join)->add_row(std::to_string(r), keys, time));
      spine.push_back(std::move(by_group));
    }
    for (std::size_t g = 0; g < groups; ++g) REQUIRE((*join)->merge(g, rules[g]));
    std::size_t r = 0;
    const auto compare = [&](std::string_view cells,
                             std::span<const std::optional<std::string_view>> found) -> Status {
      CHECK(cells == std::to_string(r));
      for (std::size_t g = 0; g < groups; ++g) {
        const auto expected = looked_up(spine[r][g], records[g], rules[g]);
        const auto given = found[g] ? std::optional(std::string(*found[g])) : std::nullopt;
        CHECK(given == expected);
        if (given && rules[g].accurate) CHECK(time_of.at(*given) <= spine[r][g].time);
        ++(given ? found_some : found_none);
      }
      ++r;
      return {};
    };
    REQUIRE((*join)->rows(compare));
    CHECK(r == spine.size());
  }
  CHECK(found_some > 500);
  CHECK(found_none > 500);
}

TEST_CASE("As-of join: the records of an identifier, the newest first") {
  auto join = AsOfJoin::open(1, {});
  REQUIRE(join);
  for (const auto& [id, time, invoked] :
       {std::tuple("b", 1, 1), {"a", 1, 1}, {"a", 3, 1}, {"a", 3, 2}, {"c", 9, 1}})
    REQUIRE((*join)->add_record(0, {id, time, invoked, 0, false, "x"}));
  std::string seen;
  const auto take = [&](const AsOfRecord& record) -> Result<bool> {
    seen += std::string(record.id) + std::to_string(record.time_us) + std::to_string(record.invoked_us) + " ";
    return record.id != "a" || record.invoked_us == 2;  // of a the first two
  };
  REQUIRE((*join)->newest_first(0, take));
  CHECK(seen == "a32 a31 b11 c91 ");
}

TEST_CASE("As-of join: ages and times as people write them") {
  CHECK(*read_age("90") == 90'000'000);
  CHECK(*read_age("15m") == 900'000'000);
  CHECK(*read_age("30d") == 30 * 86'400'000'000);
  for (const char* wrong : {"", "d", "-1", "1.5h", "2y", "999999999999w"}) CHECK(!read_age(wrong));
  CHECK(*read_table_time("1700000000") == 1'700'000'000'000'000);
  CHECK(*read_table_time("1700000000.25") == 1'700'000'000'250'000);
  CHECK(*read_table_time("2023-11-14T22:13:20Z") == 1'700'000'000'000'000);
  CHECK(*read_table_time("2023-11-14 22:13:20") == 1'700'000'000'000'000);
  CHECK(*read_table_time("1970-01-02") == 86'400'000'000);
  for (const char* wrong : {"", "today", "2023-13-01", "2023-11-14T22:13", "-5"})
    CHECK(!read_table_time(wrong));
}
