#include "tasks/artifacts/channel_source.h"

#include <doctest/doctest.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <cmath>
#include <filesystem>

#include "base/encoding.h"
#include "tasks/table/record_lines.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

namespace fs = std::filesystem;

struct Bucket {
  fs::path root = fs::temp_directory_path() / ("millrace-channels-" + std::to_string(::getpid()));
  ObjectStore objects{root};
  Bucket() { fs::remove_all(root); }
  ~Bucket() { fs::remove_all(root); }
  void put(const std::string& key, std::string_view bytes) const {
    REQUIRE(objects.write("s3://b/" + key, bytes));
  }
};

std::string gzip(std::string_view text) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(text.size() + 1000, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string zstd(std::string_view text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
  return out;
}

std::vector<double> numbers(const Table& table, std::string_view name) {
  REQUIRE(table.find(name) != nullptr);
  return table.find(name)->numbers;
}

}  // namespace

TEST_CASE("channel: a manifest names its objects in its own order") {
  const Bucket bucket;
  for (const char* key : {"in/a.csv", "in/b.csv", "in/c.csv"})
    bucket.put(key, std::string("x\n") + key[3] + "\n");
  bucket.put("m.json", R"([{"prefix": "s3://b/in/"}, "c.csv", "a.csv"])");
  ChannelSource source{.uri = "s3://b/m.json", .data = ChannelSource::Data::Manifest};
  const auto uris = channel_objects(bucket.objects, source);
  REQUIRE(uris);
  CHECK(*uris == std::vector<std::string>{"s3://b/in/c.csv", "s3://b/in/a.csv"});
  const auto table = read_channel_table(bucket.objects, source, {});
  REQUIRE(table);
  CHECK(table->columns.at(0).texts == std::vector<std::string>{"c", "a"});
  bucket.put("m.json", R"([{"prefix": "s3://b/in/"}])");
  CHECK(channel_objects(bucket.objects, source)->size() == 3);
  bucket.put("m.json", R"([{"prefix": "s3://b/in/"}, "nothing.csv"])");
  CHECK(read_channel_table(bucket.objects, source, {}).error().code == ErrorCode::NotFound);
  CHECK(channel_first_line(bucket.objects, source, "s3://b/in/nothing.csv").error().code ==
        ErrorCode::NotFound);
  for (const char* wrong : {"", "{}", "[]", "[1]", R"([{"prefix": "s3://b/in/"}, 1])",
                            R"([{"prefix": "b/in/"}, "x"])", R"([{"prefix": "s3://b/in/"}, "../../x"])"}) {
    CAPTURE(wrong);
    bucket.put("m.json", wrong);
    CHECK(channel_objects(bucket.objects, source).error().code == ErrorCode::InvalidArgument);
  }
}

TEST_CASE("channel: parts by key are disjoint and all of it") {
  const Bucket bucket;
  for (int i = 0; i < 7; ++i) bucket.put("in/" + std::to_string(i), "x\n1\n");
  std::vector<std::string> all;
  for (std::size_t part = 0; part < 3; ++part) {
    const auto uris = channel_objects(bucket.objects, {.uri = "s3://b/in/", .part = part, .parts = 3});
    REQUIRE(uris);
    all.insert(all.end(), uris->begin(), uris->end());
  }
  std::sort(all.begin(), all.end());
  CHECK(all == *channel_objects(bucket.objects, {.uri = "s3://b/in/"}));
  const auto none = channel_objects(bucket.objects, {.uri = "s3://b/in/", .part = 8, .parts = 9});
  CHECK(none.error().message.find("7 objects for 9 parts") != std::string::npos);
}

TEST_CASE("channel: gzip and zstd, whole, in several members, damaged and cut") {
  const Bucket bucket;
  std::string text = "a,b\n";
  for (int i = 0; i < 200'000; ++i) text += std::to_string(i) + "," + std::to_string(i * 7 % 1000) + "\n";
  using Compression = ChannelSource::Compression;
  for (const auto& [compression, bytes] :
       {std::pair(Compression::Gzip, gzip(text)), std::pair(Compression::Zstd, zstd(text))}) {
    bucket.put("x", bytes);
    const ChannelSource source{.uri = "s3://b/x", .compression = compression};
    const auto table = read_channel_table(bucket.objects, source, {});
    REQUIRE(table);
    CHECK(table->rows == 200'000);
    CHECK(channel_sha256(bucket.objects, source) == digest_hex(Digest::Sha256, bytes));
    CHECK(*decompress(compression, bytes + bytes, "x") == text + text);
    CHECK(decompress(compression, bytes.substr(0, bytes.size() - 9), "x").error().code ==
          ErrorCode::InvalidArgument);
    CHECK(decompress(compression, bytes + "more", "x").error().code == ErrorCode::InvalidArgument);
    CHECK(decompress(compression, text, "x").error().code == ErrorCode::InvalidArgument);
    CHECK(decompress(compression, "", "x").error().code == ErrorCode::InvalidArgument);
  }
}

TEST_CASE("channel: JSON lines by name, arrays as columns, what is missing and what is wrong") {
  const auto table = parse_json_lines(
      "{\"y\":1,\"x\":[1,2.5],\"t\":true,\"s\":\"a\"}\n\r\n{\"s\":null,\"x\":[3,null],\"y\":2e1}\n{\"x\":"
      "null,\"s\":5}\n",
      "f");
  REQUIRE(table);
  CHECK(table->names() == std::vector<std::string>{"y", "x_0", "x_1", "t", "s"});
  CHECK(table->rows == 3);
  CHECK(numbers(*table, "y")[1] == 20);
  CHECK(std::isnan(numbers(*table, "y")[2]));
  CHECK(numbers(*table, "x_0")[1] == 3);
  CHECK(std::isnan(numbers(*table, "x_1")[1]));
  CHECK(std::isnan(numbers(*table, "x_1")[2]));
  CHECK(numbers(*table, "t")[0] == 1);
  CHECK(table->find("s")->texts == std::vector<std::string>{"a", "", "5"});
  CHECK(table->find("s")->missing == std::vector<std::uint8_t>{0, 1, 0});
  // A text that comes late makes a column of texts.
  const auto late = parse_json_lines("{\"a\":1}\n{\"a\":\"x\"}\n", "f");
  CHECK(late->columns[0].texts == std::vector<std::string>{"1", "x"});
  CHECK(late->columns[0].first_text == "f:2: column \"a\": \"x\" is not a number");
  const std::pair<const char*, const char*> kWrong[] = {
      {"", "f holds no rows"},
      {"[1]\n", "f:1: expected an object"},
      {"{\"a\":1}\n{\"a\":1,\"b\":2}\n", "f:2: it has a member that the first line has not"},
      {"{\"a\":{}}\n", "f:1: 'a' is neither number"},
      {"{\"a\":[1]}\n{\"a\":[1,2]}\n", "f:2: 'a' is no array of 1 numbers"},
      {"{\"a\":[1]}\n{\"a\":[\"x\"]}\n", "f:2: 'a' holds a text"},
      {"{\"a\":1}\n{\"a\"\n", "f:2: "}};
  for (const auto& [text, message] : kWrong) {
    CAPTURE(text);
    const auto read = parse_json_lines(text, "f");
    REQUIRE_FALSE(read);
    CHECK(read.error().message.starts_with(message));
  }
}

TEST_CASE("channel: an augmented manifest gives the attributes that are named, in that order") {
  const Bucket bucket;
  bucket.put(
      "m",
      "{\"id\":7,\"y\":1,\"x\":[1,2]}\n{\"x\":[3,4],\"y\":0,\"more\":{\"a\":1}}\n{\"x\":[5,6],\"y\":1}\n");
  ChannelSource source{
      .uri = "s3://b/m", .data = ChannelSource::Data::AugmentedManifest, .attributes = {"y", "x"}};
  auto table = read_channel_table(bucket.objects, source, {});
  REQUIRE(table);
  CHECK(table->names() == std::vector<std::string>{"y", "x_0", "x_1"});
  CHECK(numbers(*table, "x_1") == std::vector<double>{2, 4, 6});
  source.part = 1, source.parts = 2;
  table = read_channel_table(bucket.objects, source, {});
  REQUIRE(table);
  CHECK(numbers(*table, "x_0") == std::vector<double>{3});
  source.attributes = {"source-ref"};
  CHECK(read_channel_table(bucket.objects, source, {}).error().message.find("refers to objects") !=
        std::string::npos);
  source.attributes = {"nothing"};
  CHECK(read_channel_table(bucket.objects, source, {}).error().message.find("no attribute 'nothing'") !=
        std::string::npos);
}

TEST_CASE("channel: LIBSVM, counted from 0, what is not said is missing") {
  const Bucket bucket;
  bucket.put("in/a", "1 0:0.5 2:2 # note\n# all of it\n-1\n");
  bucket.put("in/b", "+1 3:1e1\r\n");
  const ChannelSource source{.uri = "s3://b/in/", .format = ChannelSource::Format::Libsvm};
  const auto table = read_channel_table(bucket.objects, source, {});
  REQUIRE(table);
  CHECK(table->names() == std::vector<std::string>{"target", "f0", "f1", "f2", "f3"});
  CHECK(numbers(*table, "target") == std::vector<double>{1, -1, 1});
  CHECK(numbers(*table, "f0")[0] == 0.5);
  CHECK(std::isnan(numbers(*table, "f0")[1]));
  CHECK(std::isnan(numbers(*table, "f1")[0]));
  CHECK(numbers(*table, "f2")[0] == 2);
  CHECK(numbers(*table, "f3")[2] == 10);
  const std::pair<const char*, const char*> kWrong[] = {
      {"x 1:1\n", "s3://b/in/b:1: 'x' is not a number"},
      {"1 1\n", "s3://b/in/b:1: '1' is not INDEX:VALUE"},
      {"1 2:1 2:1\n", "s3://b/in/b:1: index 2 does not"},
      {"\n1 a:1\n", "s3://b/in/b:2: 'a:1' is not INDEX"},
      {"1:1\n", "s3://b/in/b:1: the target is missing"},
      {"1 70000:1\n", "s3://b/in/b:1: index 70000 is beyond"}};
  for (const auto& [text, message] : kWrong) {
    CAPTURE(text);
    bucket.put("in/b", text);
    const auto read = read_channel_table(bucket.objects, source, {});
    REQUIRE_FALSE(read);
    CHECK(read.error().message.starts_with(message));
  }
}

TEST_CASE("channel: words of the API, and the remedy for others") {
  CHECK(parse_data_type("ManifestFile") == ChannelSource::Data::Manifest);
  CHECK(parse_compression("Gzip") == ChannelSource::Compression::Gzip);
  CHECK(parse_format("text/x-libsvm") == ChannelSource::Format::Libsvm);
  CHECK(parse_format("image/png").error().message ==
        "'image/png' is not supported: expected one of text/csv, application/jsonlines, text/libsvm, "
        "application/x-recordio-protobuf");
}
