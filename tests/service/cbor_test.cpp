// CBOR as Kinesis's clients speak it: examples of RFC 8949, and documents there and back.

#include <doctest/doctest.h>

#include "service/api/cbor.h"

using namespace millrace;
using namespace millrace::api;

namespace {

std::string from_hex(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  return bytes;
}

}  // namespace

TEST_CASE("CBOR: the examples of RFC 8949, appendix A, that JSON has") {
  const std::pair<const char*, const char*> examples[] = {
      {"00", "0"},
      {"17", "23"},
      {"1818", "24"},
      {"1903e8", "1000"},
      {"1a000f4240", "1000000"},
      {"1b000000e8d4a51000", "1000000000000"},
      {"20", "-1"},
      {"3903e7", "-1000"},
      {"f93c00", "1.0"},
      {"f93e00", "1.5"},
      {"fa47c35000", "100000.0"},
      {"fb3ff199999999999a", "1.1"},
      {"f4", "false"},
      {"f5", "true"},
      {"f6", "null"},
      {"4401020304", "\"AQIDBA==\""},
      {"6449455446", "\"IETF\""},
      {"62c3bc", "\"ü\""},
      {"80", "[]"},
      {"83010203", "[1,2,3]"},
      {"8301820203820405", "[1,[2,3],[4,5]]"},
      {"a0", "{}"},
      {"a26161016162820203", "{\"a\":1,\"b\":[2,3]}"},
      {"5f42010243030405ff", "\"AQIDBAU=\""},
      {"7f657374726561646d696e67ff", "\"streaming\""},
      {"9fff", "[]"},
      {"9f018202039f0405ffff", "[1,[2,3],[4,5]]"},
      {"bf61610161629f0203ffff", "{\"a\":1,\"b\":[2,3]}"},
      {"c11b0000019abcdef012", "1764105318.418"},
  };
  for (const auto& [hex, json] : examples) {
    const auto parsed = parse_cbor(from_hex(hex));
    REQUIRE_MESSAGE(parsed, hex);
    CHECK_MESSAGE(parsed->text() == json, hex);
  }
}

TEST_CASE("CBOR: what is none is refused") {
  for (const char* hex :
       {"", "18", "1903", "62c3", "8201", "a161", "a10101", "ff", "1c", "5f01ff", "7f4101ff", "f97e00",
        "fb7ff0000000000000", "0000", "9f01", "1bffffffffffffffff", "c1f4", "f8"})
    CHECK_MESSAGE(!parse_cbor(from_hex(hex)), hex);
  CHECK(!parse_cbor(std::string(100, '\x81')));  // too deep
}

TEST_CASE("CBOR: an answer of GetRecords there and back") {
  const Payload answer = *Payload::parse(
      R"({"Records":[{"Data":"AQID","PartitionKey":"k","ApproximateArrivalTimestamp":1763730000.123,"SequenceNumber":"49"}],)"
      R"("MillisBehindLatest":0,"HasMoreShards":true,"NextShardIterator":null,"x":-5,"y":0.5})");
  const std::string bytes = cbor_of(answer.view());
  CHECK(bytes.find(std::string("Data\x43\x01\x02\x03")) != std::string::npos);
  const auto again = parse_cbor(bytes);
  REQUIRE(again);
  CHECK(*again == answer);
}
