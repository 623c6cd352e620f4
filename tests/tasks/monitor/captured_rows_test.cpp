#include "tasks/monitor/captured_rows.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "base/encoding.h"
#include "tests/tasks/support/temporary_store.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

Instant capture_time(const char* text) {
  return *parse_rfc3339(text);
}

std::string side(const std::string& data, const char* encoding, const char* type) {
  return Json{{"observedContentType", type}, {"mode", "INPUT"}, {"data", data}, {"encoding", encoding}}
      .dump();
}

std::string exchange(const char* time, const std::string& id, const std::string& input,
                     const std::string& output) {
  return R"({"captureData":{"endpointInput":)" + input + R"(,"endpointOutput":)" + output +
         R"(},"eventMetadata":{"eventId":"e-)" + id + R"(","inferenceId":")" + id + R"(","inferenceTime":")" +
         time + "\"},\"eventVersion\":\"0\"}\n";
}
std::string csv_side(const std::string& text) {
  return side(text, "CSV", "text/csv");
}

// "id: a b | answer" of every row.
std::string captured_text(const ObjectStore& objects, const TimeSpan& span, CaptureTally* tally = nullptr) {
  std::string out;
  const auto read =
      read_captured(objects, "s3://b/captured/churn", span, 100, [&](const CapturedRow& row) -> Status {
        out += row.id + "[" + std::to_string(row.place) + "]:";
        for (std::size_t i = 0; i < row.input.cells.size(); ++i)
          out += " " + (row.input.names.empty() ? "" : row.input.names[i] + "=") +
                 row.input.cells[i].value_or("-");
        for (const auto& cell : row.output.cells) out += " | " + cell.value_or("-");
        out += "\n";
        return {};
      });
  if (!read) return read.error().message;
  if (tally) *tally = *read;
  return out;
}

}  // namespace

TEST_CASE("Captured rows: hours and variants of the span, no others, by the time of each request") {
  TemporaryStore store;
  const std::string base = "s3://b/captured/churn/";
  const auto put = [&](const char* place, const std::string& text) {
    REQUIRE(store.objects.write(base + place, text));
  };
  put("blue/2026/11/21/08/59-00-000-x.jsonl",
      exchange("2026-11-21T08:59:00Z", "early", csv_side("0"), csv_side("0")));
  put("blue/2026/11/21/09/00-00-000-x.jsonl",
      exchange("2026-11-21T09:29:59Z", "just-before", csv_side("1"), csv_side("1")) +
          exchange("2026-11-21T09:30:00Z", "first", csv_side("1,x"), csv_side("0.5")) + "{not json\n\n");
  put("green/2026/11/21/10/00-00-000-x.jsonl",
      exchange("2026-11-21T10:29:59Z", "last", csv_side("2,y"), csv_side("0.75")) +
          exchange("2026-11-21T10:30:00Z", "too-late", csv_side("3"), csv_side("1")));
  put("green/2026/11/21/11/00-00-000-x.jsonl",
      exchange("2026-11-21T11:00:00Z", "much-later", csv_side("3"), csv_side("1")));
  CaptureTally tally;
  CHECK(captured_text(store.objects,
                      {capture_time("2026-11-21T09:30:00Z"), capture_time("2026-11-21T10:30:00Z")},
                      &tally) == "first[0]: 1 x | 0.5\nlast[0]: 2 y | 0.75\n");
  CHECK(tally.requests == 2);
  CHECK(tally.rows == 2);
  CHECK(tally.unreadable == 1);
  CHECK(captured_text(store.objects,
                      {capture_time("2026-11-20T09:30:00Z"), capture_time("2026-11-20T10:30:00Z")})
            .empty());
  CHECK(captured_text(store.objects,
                      {capture_time("2026-11-21T10:00:00Z"), capture_time("2026-11-21T10:00:00Z")})
            .find("empty") != std::string::npos);
  CHECK(captured_text(store.objects,
                      {capture_time("2020-11-21T10:00:00Z"), capture_time("2026-11-21T10:00:00Z")})
            .find("400 days") != std::string::npos);
}

TEST_CASE("Captured rows: every form of body, answers that fit and answers that do not") {
  TemporaryStore store;
  const std::string json =
      R"({"instances": [{"age": 30, "city": "Ulm", "up": true, "gone": null}, {"features": [1, "b"]}]})";
  const std::string lines = "{\"age\": 1}\n[2]\n";
  REQUIRE(store.objects.write(
      "s3://b/captured/churn/2026/11/21/09/a.jsonl",
      exchange("2026-11-21T09:00:00Z", "csv", csv_side("1,,\"a,b\"\n2,3,c\n"), csv_side("0.1\n0.2\n")) +
          exchange("2026-11-21T09:00:01Z", "json", side(json, "JSON", "application/json"),
                   side(R"({"predictions": [{"score": 0.5}, {"score": 1}]})", "JSON", "application/json")) +
          exchange("2026-11-21T09:00:02Z", "lines", side(lines, "JSON", "application/jsonlines"),
                   csv_side("7\n8")) +
          exchange("2026-11-21T09:00:03Z", "base64",
                   side(base64_encode("5,6"), "BASE64", "text/csv; charset=utf-8"),
                   side(base64_encode("\xff\xfe"), "BASE64", "image/png")) +
          exchange("2026-11-21T09:00:04Z", "picture", side("AAAA", "BASE64", "image/png"), csv_side("1")) +
          exchange("2026-11-21T09:00:05Z", "short", csv_side("1\n2\n3"), csv_side("9"))));
  CaptureTally tally;
  CHECK(captured_text(store.objects,
                      {capture_time("2026-11-21T09:00:00Z"), capture_time("2026-11-21T10:00:00Z")}, &tally) ==
        "csv[0]: 1 - a,b | 0.1\ncsv[1]: 2 3 c | 0.2\n"
        "json[0]: age=30 city=Ulm up=true gone=- | 0.5\njson[1]: 1 b | 1\n"
        "lines[0]: age=1 | 7\nlines[1]: 2 | 8\n"
        "base64[0]: 5 6\n"
        "short[0]: 1\nshort[1]: 2\nshort[2]: 3\n");
  CHECK(tally.unreadable == 1);
  const auto few = read_captured(store.objects, "s3://b/captured/churn",
                                 {capture_time("2026-11-21T09:00:00Z"), capture_time("2026-11-21T10:00:00Z")},
                                 5, [](const CapturedRow&) -> Status { return {}; });
  REQUIRE(!few);
  CHECK(few.error().code == ErrorCode::LimitExceeded);
}

TEST_CASE("Ground truth: labels by id, of many rows too; the last one counts; late ones are found") {
  TemporaryStore store;
  const auto truth = [](const char* id, const char* data, const char* encoding) {
    return std::string(R"({"groundTruthData": {"data": ")") + data + R"(", "encoding": ")" + encoding +
           R"("}, "eventMetadata": {"eventId": ")" + id + "\"}, \"eventVersion\": \"0\"}\n";
  };
  REQUIRE(store.objects.write("s3://b/truth/2026/11/21/09/a.jsonl",
                              truth("one", "1", "CSV") + truth("two", "0\\n1", "CSV") + "{}\n"));
  REQUIRE(store.objects.write("s3://b/truth/2026/11/23/17/b.jsonl",
                              truth("one", "0", "CSV") + truth("three", "\\\"late\\\"", "JSON")));
  const auto found =
      read_ground_truth(store.objects, "s3://b/truth",
                        {capture_time("2026-11-21T09:00:00Z"), capture_time("2026-11-24T00:00:00Z")});
  REQUIRE(found);
  CHECK(*found == GroundTruth{{"one", {"0"}}, {"two", {"0", "1"}}, {"three", {"late"}}});
  const auto day =
      read_ground_truth(store.objects, "s3://b/truth",
                        {capture_time("2026-11-21T00:00:00Z"), capture_time("2026-11-22T00:00:00Z")});
  CHECK(day->at("one") == std::vector<std::string>{"1"});
  CHECK(read_ground_truth(store.objects, "s3://b/none",
                          {capture_time("2026-11-21T00:00:00Z"), capture_time("2026-11-22T00:00:00Z")})
            ->empty());
}
