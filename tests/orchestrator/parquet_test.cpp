// Parquet files as items: those of tests/orchestrator/parquet (make.py says what is in them), and damaged
// ones.

#include <doctest/doctest.h>

#include <fstream>
#include <iterator>

#include "base/random.h"
#include "orchestrator/maps/item_formats.h"
#include "tests/orchestrator/map_world.h"
#include "tests/support/paths.h"

using namespace millrace;
using namespace millrace::orchestrator;
using namespace millrace::orchestrator::test;
using definitions::ItemFormat;

namespace {

std::string file(const std::string& name) {
  std::ifstream in(source_path("/tests/orchestrator/parquet/") + name + ".parquet", std::ios::binary);
  REQUIRE(in);
  return {std::istreambuf_iterator<char>(in), {}};
}

struct Rows {
  std::vector<std::string> items;
  std::string cause;
};

Rows read(const std::string& bytes, std::size_t most = 100'000) {
  MemoryObjects objects;
  objects.objects["b/k"] = bytes;
  objects.piece = 1'000;
  definitions::ItemReader reader;
  reader.format = ItemFormat::Parquet;
  const Limits limits;
  const auto items = read_objects(objects, reader, Payload::literal(R"({"Bucket":"b","Key":"k"})"),
                                  static_cast<std::int64_t>(most), limits);
  Rows rows;
  for (;;) {
    auto item = items->next();
    if (!item) {
      CHECK(item.error().error == "States.ItemReaderFailed");
      rows.cause = item.error().cause;
      return rows;
    }
    if (!*item) return rows;
    rows.items.emplace_back((*item)->value.text());
  }
}

// What make.py's rows() puts into row i.
std::string row(int i) {
  static const char* const kTexts[] = {"\"\"", "\"ä\"", "\"a longer text\"", "null"};
  JsonWriter share;
  if (i % 5 == 0) {
    share.null();
  } else {
    share.number(i / 4.0);
  }
  return "{\"n\":" + std::to_string(i) + ",\"text\":" + kTexts[i % 4] +
         ",\"share\":" + std::string(share.finish().text()) + ",\"even\":" + (i % 2 == 0 ? "true" : "false") +
         "}";
}

}  // namespace

TEST_CASE("Parquet: plain and dictionary pages of both kinds, uncompressed, by Snappy, gzip and Zstandard") {
  const std::pair<const char*, int> files[] = {
      {"plain", 9}, {"snappy", 700}, {"gzip", 300}, {"zstd", 300}, {"empty", 0}};
  for (const auto& [name, count] : files) {
    CAPTURE(name);
    const Rows rows = read(file(name));
    CHECK(rows.cause == "");
    REQUIRE(rows.items.size() == static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) CHECK(rows.items[static_cast<std::size_t>(i)] == row(i));
  }
  CHECK(read(file("snappy"), 5).items.size() == 5);
}

TEST_CASE("Parquet: what values mean") {
  const Rows rows = read(file("kinds"));
  CHECK(rows.cause == "");
  REQUIRE(rows.items.size() == 2);
  CHECK(
      rows.items[0] ==
      R"({"i8":-1,"u32":4294967295,"u64":18446744073709551615,"single":0.1,"real":1e+300,"day":"1969-12-31",)"
      R"("ms":"2024-02-29T12:00:00.005Z","us":"1969-12-31T23:59:59.999999","time":"23:59:59.001","money":-12.05,)"
      R"("large":12345678901234567890123456789.012,"bytes":"AP8=","fixed":"YWJj"})");
  CHECK(rows.items[1] ==
        R"({"i8":null,"u32":0,"u64":0,"single":null,"real":null,"day":"2024-02-29","ms":null,"us":null,)"
        R"("time":"00:00:00.000","money":0.07,"large":-1.000,"bytes":"","fixed":"ZGVm"})");
  CHECK(read(file("int96")).items == std::vector<std::string>{R"({"at":"2024-02-29T12:00:00.123456000Z"})"});
}

TEST_CASE("Parquet: lists, objects and maps, in each other, null and empty") {
  std::ifstream lines(source_path("/tests/orchestrator/parquet/nested.jsonl"));
  std::vector<std::string> expected;
  for (std::string line; std::getline(lines, line);) expected.push_back(line);
  REQUIRE(expected.size() == 150);
  for (const char* name : {"nested-v1", "nested-v2"}) {
    CAPTURE(name);
    const Rows rows = read(file(name));
    CHECK(rows.cause == "");
    REQUIRE(rows.items.size() == expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) CHECK(rows.items[i] == expected[i]);
  }
}

TEST_CASE("Parquet: what is not supported is named") {
  const auto cause = [](const std::string& bytes) {
    const Rows rows = read(bytes);
    CHECK(rows.cause.starts_with("The Parquet file s3://b/k can't be read: "));
    return rows.cause.substr(std::min<std::size_t>(rows.cause.size(), 41));
  };
  CHECK(cause(file("brotli")).starts_with("the compression BROTLI is not supported"));
  CHECK(cause(file("delta")).starts_with("the encoding DELTA_BINARY_PACKED is not supported"));
  CHECK(cause("{\"no\":\"Parquet at all\"}") == "it does not end in PAR1.");
  CHECK(cause("PAR1") == "it is too short.");
  CHECK(cause(std::string("PAR1....\xFF\xFF\xFF\x7FPAR1")) == "the footer is damaged.");
  CHECK(cause("PAR1....\1...PARE") == "the file is encrypted, which is not supported.");
}

TEST_CASE("Parquet: damaged files are refused or read, never worse") {
  Random random(3);
  int refused = 0;
  for (const char* name : {"plain", "snappy", "gzip", "zstd", "kinds", "nested-v1", "nested-v2"}) {
    const std::string whole = file(name);
    for (int round = 0; round < 400; ++round) {
      std::string bad = whole;
      for (std::uint64_t n = 1 + random.below(4); n > 0; --n)
        bad[random.below(bad.size())] = static_cast<char>(random.next());
      refused += read(bad, 5'000).cause.empty() ? 0 : 1;
      const std::size_t cut = random.below(whole.size() - 8);
      CHECK(!read(whole.substr(0, cut) + whole.substr(whole.size() - 8), 5'000).cause.empty());
    }
  }
  CHECK(refused > 200);
}
