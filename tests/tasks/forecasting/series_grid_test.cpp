#include "tasks/forecasting/series_grid.h"

#include <doctest/doctest.h>

#include <cmath>

#include "tasks/forecasting/run_series.h"
#include "tasks/table/csv.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

SeriesGridSettings daily() {
  SeriesGridSettings settings;
  settings.columns = {"shop", "day", "sold"};
  settings.frequency = *parse_frequency("1D");
  return settings;
}

Result<SeriesGrid> grid_of(const std::string& csv, const SeriesGridSettings& settings) {
  const auto table = parse_csv(csv, "t.csv", grid_csv(settings));
  REQUIRE_MESSAGE(table.has_value(), (table ? "" : table.error().message));
  return make_series_grid(*table, "t.csv", settings);
}

std::string rows_of(const std::string& csv, const SeriesGridSettings& settings, std::size_t skip = 0) {
  const auto grid = grid_of(csv, settings);
  return grid ? series_rows(grid->set, skip) : grid.error().message;
}

std::int64_t at(std::string_view text) {
  return parse_time_stamp(text)->value;
}
std::string begin_of(std::string_view time, std::string_view frequency) {
  const Frequency step = *parse_frequency(frequency);
  return format_time_stamp(step_begin(at(time), step), *parse_frequency("min"));
}

const std::string kHead = "item_id,timestamp,target_value\n";

}  // namespace

TEST_CASE("series grid: the beginnings of steps") {
  CHECK(begin_of("2026-11-21 22:47:13", "15min") == "2026-11-21 22:45:00");
  CHECK(begin_of("2026-11-21 22:47:13", "6H") == "2026-11-21 18:00:00");
  CHECK(begin_of("2026-11-21 22:47:13", "D") == "2026-11-21 00:00:00");
  CHECK(begin_of("2026-11-21 22:47:13", "W") == "2026-11-16 00:00:00");  // a Saturday; back to its Monday
  CHECK(begin_of("2026-11-21", "M") == "2026-11-01 00:00:00");
  CHECK(begin_of("2026-11-21", "6M") == "2026-07-01 00:00:00");
  CHECK(begin_of("2026-11-21", "Y") == "2026-01-01 00:00:00");
  CHECK(begin_of("1969-12-31 23:59:00", "D") == "1969-12-31 00:00:00");
  CHECK(begin_of("1969-11-05", "M") == "1969-11-01 00:00:00");
}

TEST_CASE("series grid: rows of one step are put together as asked") {
  const std::string csv =
      "shop,day,sold,other\nB,2026-01-02 10:00:00,5,x\nA,2026-01-01 09:00:00,1,x\nA,2026-01-01 17:00:00,3,x\n"
      "A,2026-01-03 08:00:00,,x\n";
  SeriesGridSettings settings = daily();
  for (const auto& [how, value] :
       {std::pair("sum", "4"), {"avg", "2"}, {"first", "1"}, {"min", "1"}, {"max", "3"}}) {
    settings.aggregation = how;
    CHECK(rows_of(csv, settings) == kHead + "A,2026-01-01," + value + "\nB,2026-01-02,5\n");
  }
  const auto grid = grid_of(csv, settings);
  CHECK(grid->moved);
  CHECK(grid->aggregated == 1);
  CHECK(grid->rows == 4);
}

TEST_CASE("series grid: times that fit stay, also where weeks end on another day") {
  SeriesGridSettings settings = daily();
  settings.frequency = *parse_frequency("W");
  const std::string csv = "shop,day,sold\nA,2026-01-04,1\nA,2026-01-18,2\n";  // Sundays
  CHECK(rows_of(csv, settings) == kHead + "A,2026-01-04,1\nA,2026-01-11,\nA,2026-01-18,2\n");
  CHECK(!grid_of(csv, settings)->moved);
}

TEST_CASE("series grid: gaps are filled as asked, in the middle and to the end of all series") {
  const std::string csv =
      "shop,country,day,sold\nA,fr,2026-01-01,1\nA,fr,2026-01-02,4\nA,fr,2026-01-04,7\nA,de,2026-01-06,2\n";
  SeriesGridSettings settings = daily();
  settings.groups = {"country"};
  CHECK(rows_of(csv, settings) == kHead +
                                      "A|de,2026-01-06,2\nA|fr,2026-01-01,1\nA|fr,2026-01-02,4\n"
                                      "A|fr,2026-01-03,\nA|fr,2026-01-04,7\n");
  for (const auto& [how, value] :
       {std::pair("zero", "0"), {"mean", "4"}, {"median", "4"}, {"min", "1"}, {"max", "7"}}) {
    settings.filling = {{"middlefill", how}, {"frontfill", "none"}};
    CHECK(rows_of(csv, settings).find(std::string("A|fr,2026-01-03,") + value + "\n") != std::string::npos);
  }
  settings.filling = {{"backfill", "value"}, {"backfill_value", "9"}};
  CHECK(rows_of(csv, settings)
            .ends_with("A|fr,2026-01-03,\nA|fr,2026-01-04,7\nA|fr,2026-01-05,9\nA|fr,2026-01-06,9\n"));
  CHECK(rows_of(csv, settings, 5) == kHead + "A|fr,2026-01-01,1\n");
}

TEST_CASE("series grid: wrong cells, columns and settings are named") {
  CHECK(rows_of("shop,day,sold\nA,soon,1\n", daily()).find("row 1, column 'day': 'soon' is not a time") !=
        std::string::npos);
  CHECK(rows_of("shop,day,sold\nA,17,1\n", daily()).find("is not a time") != std::string::npos);
  CHECK(rows_of("shop,date,sold\nA,2026-01-01,1\n", daily()).find("no column 'day'") != std::string::npos);
  SeriesGridSettings wrong = daily();
  wrong.filling = {{"middlefill", "value"}};
  CHECK(check_grid_settings(wrong).error().message.find("there is no middlefill_value") != std::string::npos);
  wrong.filling = {{"frontfill", "zero"}};
  CHECK(!check_grid_settings(wrong));
  wrong.filling = {{"sidefill", "zero"}};
  CHECK(!check_grid_settings(wrong));
}
