#include "tasks/table/record_io.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>

using namespace millrace;
using namespace millrace::tasks;

namespace {

std::string from_hex(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  return bytes;
}

// Two records as protobuf's own library writes the message of SageMaker's documentation: a dense row of
// floats [1.5, -2.25, 3] with the label 1; a sparse row of doubles with 0.1 at 2 of 3, the label -7 as an
// int32, a uid.
const std::string kGolden = from_hex(
    "0a23d7ce300000000a1a0a0676616c7565731210120e0a0c0000c03f000010c00000404012120a0676616c756573120812060a04"
    "0000"
    "803f0a23d7ce3c0000000a1c0a0676616c75657312121a100a089a9999999999b93f1201021a010312180a0676616c756573120e"
    "3a0c"
    "0a0af9ffffffffffffffff011a027232");

std::string field(int number, const std::string& bytes) {
  return std::string(1, static_cast<char>(number << 3 | 2)) + static_cast<char>(bytes.size()) + bytes;
}
std::string entry(const std::string& name, const std::string& value) {
  return field(1, name) + field(2, value);
}
std::string floats(const std::vector<float>& values) {
  return field(1, std::string(reinterpret_cast<const char*>(values.data()), 4 * values.size()));
}
std::string frame(const std::string& bytes, std::uint32_t part = 0) {
  const std::uint32_t head[] = {0xced7230a, part << 29 | static_cast<std::uint32_t>(bytes.size())};
  return std::string(reinterpret_cast<const char*>(head), 8) + bytes +
         std::string((4 - bytes.size() % 4) % 4, '\0');
}
std::string record(const std::vector<float>& features, const std::vector<float>& label = {}) {
  return field(1, entry("values", field(2, floats(features)))) +
         (label.empty() ? "" : field(2, entry("values", field(2, floats(label)))));
}
std::string record_refusal(const std::string& bytes) {
  RecordIoRows rows;
  const Status status = parse_record_io(bytes, "x", rows);
  return status ? "" : status.error().message;
}

}  // namespace

TEST_CASE("RecordIO: what protobuf's library wrote, dense and sparse") {
  RecordIoRows rows;
  REQUIRE(parse_record_io(kGolden, "x", rows));
  const Table table = record_io_table(rows);
  CHECK(table.names() == std::vector<std::string>{"target", "f0", "f1", "f2"});
  CHECK(table.columns[0].numbers == std::vector<double>{1, -7});
  CHECK(table.columns[1].numbers == std::vector<double>{1.5, 0});
  CHECK(table.columns[2].numbers == std::vector<double>{-2.25, 0});
  CHECK(table.columns[3].numbers == std::vector<double>{3, 0.1});
  // Another object behind it.
  REQUIRE(parse_record_io(frame(record({7, 8, 9}, {2})), "y", rows));
  CHECK(record_io_table(rows).columns[3].numbers == std::vector<double>{3, 0.1, 9});
}

TEST_CASE("RecordIO: a record in parts is cut where it holds the magic number") {
  const std::string whole = record({1, 2}) + field(3, std::string("\x0a\x23\xd7\xce", 4));
  const std::size_t at = whole.size() - 4;
  RecordIoRows rows;
  REQUIRE(parse_record_io(frame(whole.substr(0, at), 1) + frame("", 3), "x", rows));
  CHECK(rows.values == std::vector<double>{1, 2});
  CHECK(record_refusal(frame("", 3)) == "x: record 1: it is no RecordIO file");
  CHECK(record_refusal(frame(record({1}), 1)) == "x: record 1: it is no RecordIO file");
}

TEST_CASE("RecordIO: what is wrong is named with its record; every cut and every turned bit ends well") {
  const std::string good = frame(record({1, 2}, {1}));
  CHECK(record_refusal("text,1\n") == "x: record 1: it is no RecordIO file");
  CHECK(record_refusal(good + good.substr(0, good.size() - 5)) == "x: record 2: it is cut or damaged");
  CHECK(record_refusal(good + frame(record({1}, {1}))) == "x: record 2: it has 1 features, the first 2");
  CHECK(record_refusal(good + frame(record({1, 2}))) == "x: record 2: it has no label, the first has one");
  CHECK(record_refusal(frame(record({1})) + frame(record({1}, {1}))) ==
        "x: record 2: it has a label, the first has none");
  CHECK(record_refusal(frame(record({1}, {1, 2}))) == "x: record 1: its label has 2 numbers, not one");
  CHECK(record_refusal(frame("")) == "x: record 1: it has no tensor of features");
  CHECK(record_refusal(frame(field(1, entry("image", field(2, floats({1})))))) ==
        "x: record 1: a feature is named \"image\"");
  CHECK(record_refusal(frame("\x0a\x7f")) == "x: record 1: it is no protobuf message of SageMaker's records");
  // keys without values, beyond the shape, and a shape of 2^40 features
  const std::string sparse = floats({1});
  CHECK(record_refusal(
            frame(field(1, entry("values", field(2, sparse + field(2, "\x05") + field(3, "\x03")))))) ==
        "x: record 1: key 5 is beyond its 3 features");
  CHECK(record_refusal(frame(field(1, entry("values", field(2, sparse + field(2, "\x05")))))) ==
        "x: record 1: a sparse row needs a key for each value, and its shape");
  CHECK(
      record_refusal(frame(field(
          1, entry("values", field(2, sparse + field(2, "\x05") + field(3, "\x80\x80\x80\x80\x80\x20")))))) ==
      "x: record 1: it has more than 65536 features");
  for (std::size_t i = 0; i < kGolden.size(); ++i) {
    record_refusal(kGolden.substr(0, i));
    for (int bit = 0; bit < 8; ++bit) {
      std::string turned = kGolden;
      turned[i] = static_cast<char>(turned[i] ^ (1 << bit));
      record_refusal(turned);
    }
  }
}
