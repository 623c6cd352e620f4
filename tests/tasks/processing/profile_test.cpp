#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/random.h"
#include "tasks/processing/processors.h"
#include "tasks/processing/sketches.h"
#include "tasks/processing/stream_channel.h"
#include "tests/tasks/support/test_context.h"

using namespace millrace;
using namespace millrace::tasks;

TEST_CASE("sketches: exact while small, near the truth when large") {
  Random random(3);
  QuantileSketch quantiles;
  DistinctCount distinct;
  FrequentValues frequent;
  for (int i = 0; i < 1000; ++i) {
    quantiles.add(i);
    distinct.add(std::to_string(i));
    frequent.add(i % 3 == 0 ? "fizz" : std::to_string(i));
  }
  CHECK(quantiles.exact());
  CHECK(weighted_quantile(quantiles.values(), 0.5) == 499.5);
  CHECK(distinct.estimate() == 1000);
  CHECK(frequent.exact());
  CHECK(frequent.top(2)[0] == std::pair<std::string, double>{"fizz", 334});
  for (int i = 0; i < 300'000; ++i) {
    const double x = random.uniform();
    quantiles.add(x);
    distinct.add(std::to_string(random.next()));
    frequent.add(x < 0.2 ? "often" : std::to_string(random.next()));
  }
  const WeightedValues values = quantiles.values();
  double weight = 0;
  for (const auto& [value, w] : values) weight += w;
  CHECK(weight == 301'000);
  CHECK(values.size() < 8000);  // bounded memory
  for (const double q : {0.01, 0.1, 0.5, 0.9}) {
    CAPTURE(q);
    // The first thousand numbers are above all others but one.
    CHECK(std::abs(weighted_quantile(values, q) - q * 301.0 / 300.0) < 0.006);
  }
  CHECK(distinct.estimate() == doctest::Approx(301'000).epsilon(0.03));
  const auto top = frequent.top(1);
  CHECK(top[0].first == "often");
  CHECK(top[0].second <= 61'000);
  CHECK(top[0].second + frequent.error() >= 59'000);
  QuantileSketch restored;
  REQUIRE(QuantileSketch::restore(quantiles.levels(), restored));
  CHECK(restored.values() == values);
  CHECK(!QuantileSketch::restore({}, restored));
}

namespace {
Json run_profile_on(TestContext& context, const std::string& csv) {
  REQUIRE(context.objects().write("s3://b/in/data.csv", csv));
  ProcessingInputs request;
  request.inputs = {{"dataset", "s3://b/in"}};
  request.outputs = {{"out", "s3://b/profile"}};
  request.settings = Json::object();
  auto result = find_processor("profile")->run(request, context);
  REQUIRE_MESSAGE(result.has_value(), result.error().message);
  return Json::parse(*context.objects().read("s3://b/profile/profile.json"));
}
}  // namespace

TEST_CASE("profile: kinds, counts and quantiles of a small table") {
  TestContext context;
  const Json profile = run_profile_on(context,
                                      "id,x,flag,day,city,mixed,none\n"
                                      "1,1.5,0,2024-01-01,Rome,3,\n"
                                      "2,,1,2024-01-02,Oslo,abc,\n"
                                      "3,2.5,1,2024-01-03,Rome,4,\n"
                                      "4,-1,0,2024-01-04,\"Rome, old\",5,\n");
  CHECK(profile["rows"].dump() == "4");
  const Json& columns = profile["columns"];
  const char* kinds[] = {"integer", "number", "boolean", "date", "category", "category", "empty"};
  for (std::size_t c = 0; c < 7; ++c) CHECK(columns[c]["kind"] == kinds[c]);
  CHECK(columns[1]["missing"] == 1);
  CHECK(columns[1]["completeness"] == 0.75);
  CHECK(columns[1]["mean"] == 1);
  CHECK(columns[1]["std_dev"].get<double>() == doctest::Approx(std::sqrt(13.0 / 6)));
  CHECK(columns[1]["min"] == -1);
  CHECK(columns[1]["quantiles"]["0.5"] == 1.5);
  CHECK(columns[1]["negative"] == 1);
  CHECK(columns[3]["earliest"] == "2024-01-01");
  CHECK(columns[3]["latest"] == "2024-01-04");
  CHECK(columns[3]["by_time"] == Json({{"2024-01", 4}}));
  CHECK(columns[4]["top"][0] == Json({{"value", "Rome"}, {"count", 2.0}}));
  CHECK(columns[5]["numbers_among_text"] == 3);
  const Json schema = Json::parse(*context.objects().read("s3://b/profile/schema.json"));
  CHECK(schema["columns"][4]["values"] == Json({"Oslo", "Rome", "Rome, old"}));
  CHECK(schema["columns"][1]["required"] == false);
  CHECK(context.objects().read("s3://b/profile/report.html")->find("data:image/svg") != std::string::npos);
}

TEST_CASE("profile: dates by month, by year where these are many; those without rows too") {
  TestContext context;
  const Json months =
      run_profile_on(context, "day\n2024-11-05T10:00:00Z\n2025-01-31T00:00:00Z\n2024-11-07 12:00\n");
  CHECK(months["columns"][0]["by_time"] == Json({{"2024-11", 2}, {"2024-12", 0}, {"2025-01", 1}}));
  const Json years = run_profile_on(context, "day\n2001-01-05\n2004/12/31\n2004-01-01\n");
  CHECK(years["columns"][0]["by_time"] == Json({{"2001", 1}, {"2002", 0}, {"2003", 0}, {"2004", 2}}));
}

TEST_CASE("profile: quoted newlines and quotes over the edges of pieces count as one record") {
  TestContext context;
  std::string csv = "a,b\n";
  const std::string long_cell = "\"one \"\"quoted\"\"\nline, " + std::string(1000, 'x') + "\"";
  const int rows = static_cast<int>(2 * kStreamBytes / long_cell.size()) + 100;
  for (int i = 0; i < rows; ++i) csv += std::to_string(i) + "," + long_cell + "\n";
  const Json profile = run_profile_on(context, csv);
  CHECK(profile["rows"] == rows);
  CHECK(profile["columns"][0]["distinct"].get<double>() == doctest::Approx(rows).epsilon(0.03));
  CHECK(profile["columns"][1]["distinct"] == 1);
  CHECK(profile["columns"][0]["sum"] == static_cast<double>(rows) * (rows - 1) / 2);
}

TEST_CASE("profile: compressed objects") {
  TestContext context;
  // gzip of "x\n1\n2\n", made with Python's gzip.compress(…, mtime=0).
  const std::string gzip(
      "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xab\xe0\x32\xe4\x32\xe2\x02\x00\xd3\x91\xa6\x54\x06\x00\x00"
      "\x00",
      26);
  REQUIRE(context.objects().write("s3://b/gz/1.csv.gz", gzip));
  ProcessingInputs request;
  request.inputs = {{"dataset", "s3://b/gz"}};
  request.inputs[0].source.compression = ChannelSource::Compression::Gzip;
  request.outputs = {{"out", "s3://b/profile"}};
  request.settings = Json::object();
  auto result = find_processor("profile")->run(request, context);
  REQUIRE_MESSAGE(result.has_value(), result.error().message);
  CHECK((*result)["rows"] == 2);
}

TEST_CASE("profile: objects whose columns differ, and a ragged row with its place") {
  TestContext context;
  REQUIRE(context.objects().write("s3://b/in/a.csv", "x,y\n1,2\n"));
  REQUIRE(context.objects().write("s3://b/in/b.csv", "x,z\n1,2\n"));
  ProcessingInputs request;
  request.inputs = {{"dataset", "s3://b/in"}};
  request.outputs = {{"out", "s3://b/profile"}};
  request.settings = Json::object();
  auto result = find_processor("profile")->run(request, context);
  REQUIRE(!result);
  CHECK(result.error().message ==
        "input \"dataset\": s3://b/in/b.csv has other columns than the first object");
  REQUIRE(context.objects().write("s3://b/in/b.csv", "x,y\n1,2\n3\n"));
  result = find_processor("profile")->run(request, context);
  REQUIRE(!result);
  CHECK(result.error().message.find("s3://b/in/b.csv:3:") == 0);
}
