#include "service/api/cbor.h"

#include <doctest/doctest.h>
#include <zlib.h>

#include "service/api/cloudwatch_query.h"
#include "service/api/inflate.h"

using namespace millrace;
using namespace millrace::api;

namespace {

std::string read(std::string_view bytes) {
  const auto document = read_cbor(bytes);
  return document ? std::string(document->text()) : "! " + document.error().message;
}

std::string bytes_of(std::initializer_list<int> values) {
  std::string out;
  for (const int value : values) out += static_cast<char>(value);
  return out;
}

std::string packed(std::string_view text) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(text.size() + 100, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

}  // namespace

// RFC 8949, appendix A.
TEST_CASE("CBOR: the examples of its RFC that JSON can say") {
  CHECK(read(bytes_of({0x18, 0x64})) == "100");
  CHECK(read(bytes_of({0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})) == "18446744073709551615");
  CHECK(read(bytes_of({0x39, 0x03, 0xe7})) == "-1000");
  CHECK(read(bytes_of({0xf9, 0x3c, 0x00})) == "1.0");
  CHECK(read(bytes_of({0xf9, 0x00, 0x01})) == "5.960464477539063e-08");
  CHECK(read(bytes_of({0xfa, 0x47, 0xc3, 0x50, 0x00})) == "1e+05");
  CHECK(read(bytes_of({0xfb, 0x3f, 0xf1, 0x99, 0x99, 0x99, 0x99, 0x99, 0x9a})) == "1.1");
  CHECK(read(bytes_of({0xc1, 0x1a, 0x51, 0x4b, 0x67, 0xb0})) == "1363896240");
  CHECK(read(bytes_of({0x44, 1, 2, 3, 4})) == "\"AQIDBA==\"");
  CHECK(read("\x64IETF") == "\"IETF\"");
  CHECK(read(bytes_of({0x83, 1, 0x82, 2, 3, 0x82, 4, 5})) == "[1,[2,3],[4,5]]");
  CHECK(read("\xa2\x61"
             "a\x01\x61"
             "b\x82\x02\x03") == R"({"a":1,"b":[2,3]})");
  CHECK(read("\xbf\x61"
             "a\x01\x61"
             "b\x9f\x02\x03\xff\xff") == R"({"a":1,"b":[2,3]})");
  CHECK(read("\x7f\x65strea\x64ming\xff") == "\"streaming\"");
  CHECK(read(bytes_of({0x84, 0xf4, 0xf5, 0xf6, 0xf7})) == "[false,true,null,null]");
}

TEST_CASE("CBOR: what is none is refused with its place") {
  CHECK(read("") == "! the request is no CBOR: it ends too early, at byte 0");
  CHECK(read("\x83\x01") == "! the request is no CBOR: it ends too early, at byte 2");
  CHECK(read("\x01\x01") == "! the request is no CBOR: there is more behind the document's end, at byte 1");
  CHECK(read("\x78\xff"
             "abc")
            .find("longer than the request") != std::string::npos);
  CHECK(read(bytes_of({0x9b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})).find("too early") !=
        std::string::npos);
  CHECK(read(bytes_of({0xf9, 0x7c, 0x00})).find("infinite") != std::string::npos);
  CHECK(read("\xa1\x01\x02").find("key that is no text") != std::string::npos);
  CHECK(read(std::string(1'000'000, '\x81')).find("64 levels") != std::string::npos);
  CHECK(read(std::string(1'000'000, '\xc1')).find("64 levels") != std::string::npos);
  CHECK(read(bytes_of({0x1c})).find("reserved") != std::string::npos);
  CHECK(read(bytes_of({0x7f, 0x01, 0xff})).find("piece") != std::string::npos);
  CHECK_FALSE(read_cbor("\x61\xff"));          // a text that is no UTF-8
  CHECK_FALSE(read_cbor("\xa1\x61\xff\x01"));  // a name
}

TEST_CASE("CBOR: what is written: whole numbers, doubles, times as tag 1") {
  const auto document = Payload::literal(
      R"({"StateUpdatedTimestamp":1.5,"Timestamps":[2.0],"Period":60,"Threshold":5.0,"n":-1})");
  const std::string bytes = write_cbor(document.view(), {is_cloudwatch_time});
  CHECK(bytes.find(bytes_of({0xc1, 0xfb, 0x3f, 0xf8})) != std::string::npos);
  CHECK(bytes.find(bytes_of({0x81, 0xc1, 0xfb, 0x40, 0x00})) != std::string::npos);
  CHECK(bytes.find(bytes_of({0x18, 60})) != std::string::npos);
  CHECK(bytes.find(bytes_of({0xfb, 0x40, 0x14})) != std::string::npos);
  CHECK(read(bytes) == document.text());
}

TEST_CASE("CloudWatch's forms: names say what is a number, a flag or a list") {
  const auto read_form = [](std::string_view form) {
    const auto input = cloudwatch_input_of_form(form);
    return input ? std::string(input->text()) : "! " + input.error().message;
  };
  CHECK(read_form("Action=PutMetricData&Version=2010-08-01&Namespace=shop&MetricData.member.1.MetricName=m"
                  "&MetricData.member.1.Value=1.50&MetricData.member.1.Dimensions.member.1.Name=Shop"
                  "&MetricData.member.1.Dimensions.member.1.Value=7&MetricData.member.10.MetricName=n"
                  "&MetricData.member.10.Values.member.1=2&MetricData.member.2.MetricName=k") ==
        R"({"MetricData":[{"Dimensions":[{"Name":"Shop","Value":"7"}],"MetricName":"m","Value":1.50},)"
        R"({"MetricName":"k"},{"MetricName":"n","Values":[2]}],"Namespace":"shop"})");
  CHECK(
      read_form("AlarmName=a%20b&ActionsEnabled=false&Dimensions=&Threshold=1e3&Tags.member.1.Key=k&Tags."
                "member.1.Value=1") ==
      R"({"ActionsEnabled":false,"AlarmName":"a b","Dimensions":null,"Tags":[{"Key":"k","Value":"1"}],"Threshold":1e3})");
  CHECK(read_form("Period=sixty") == "! The value sixty for parameter Period is no number.");
  CHECK(read_form("ActionsEnabled=yes") ==
        "! The value yes for parameter ActionsEnabled is not true or false.");
  CHECK(read_form("A.1.2.3.4.5.6.7.8.9=x").starts_with("! the parameter"));
}

TEST_CASE("CloudWatch's answers as XML: lists of members, times, percentiles by name") {
  const auto answer = Payload::literal(
      R"({"Label":"a<b","Datapoints":[{"Timestamp":1795246620.5,"Sum":3.0,"ExtendedStatistics":{"p99":2.5}}]})");
  CHECK(cloudwatch_answer_xml("GetMetricStatistics", answer.view(), "id") ==
        "<GetMetricStatisticsResponse xmlns=\"http://monitoring.amazonaws.com/doc/2010-08-01/\">"
        "<GetMetricStatisticsResult><Label>a&lt;b</"
        "Label><Datapoints><member><Timestamp>2026-11-21T07:37:00.500Z</Timestamp>"
        "<Sum>3.0</Sum><ExtendedStatistics><entry><key>p99</key><value>2.5</value></entry></"
        "ExtendedStatistics></member>"
        "</Datapoints></GetMetricStatisticsResult><ResponseMetadata><RequestId>id</RequestId></"
        "ResponseMetadata>"
        "</GetMetricStatisticsResponse>");
}

TEST_CASE("Compressed bodies: whole ones within their limit") {
  const std::string text(100'000, 'a');
  CHECK(*inflate_body(packed(text), 100'000) == text);
  CHECK(inflate_body(packed(text), 99'999).error().message.find("larger than 99999") != std::string::npos);
  CHECK(*inflate_body(packed(""), 10) == "");
  CHECK(!inflate_body(packed(text).substr(0, 40), 200'000));
  CHECK(!inflate_body(packed("x") + "y", 10));
  CHECK(!inflate_body("no gzip at all", 10));
}

TEST_CASE("CBOR: an answer of GetRecords there and back") {
  const CborForm form{[](std::string_view name) { return name.ends_with("Timestamp"); },
                      [](std::string_view name) { return name == "Data"; }, 1000};
  const Payload answer = *Payload::parse(
      R"({"Records":[{"Data":"AQID","PartitionKey":"k","ApproximateArrivalTimestamp":1763730000.123,"SequenceNumber":"49"}],)"
      R"("MillisBehindLatest":0,"HasMoreShards":true,"NextShardIterator":null,"x":-5,"y":0.5})");
  const std::string bytes = write_cbor(answer.view(), form);
  CHECK(bytes.find(std::string("Data\x43\x01\x02\x03")) != std::string::npos);
  const auto again = read_cbor(bytes, 1000);
  REQUIRE(again);
  CHECK(*again == answer);
}
