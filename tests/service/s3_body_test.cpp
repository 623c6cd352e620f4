#include "service/api/s3/body.h"

#include <doctest/doctest.h>

#include "base/random.h"
#include "service/api/s3/address.h"
#include "service/api/s3/xml.h"
#include "service/auth/signature.h"

using namespace millrace;
using namespace millrace::api;

namespace {

http::Request put(std::vector<http::Header> headers) {
  http::Request request;
  request.method = "PUT";
  request.path = "/bucket/key";
  request.headers = std::move(headers);
  return request;
}

// What a body is taken for when it comes in pieces of that size: the object's bytes, or the error's code.
std::string read_body(const http::Request& request, std::string_view wire, std::size_t piece,
                      std::shared_ptr<const auth::ChunkSigning> signing = nullptr) {
  auto body = S3Body::of(request, std::move(signing));
  if (!body) return body.error().code;
  std::string object;
  const auto sink = [&](std::string_view bytes) {
    object += bytes;
    return Status();
  };
  for (; !wire.empty(); wire.remove_prefix(std::min(piece, wire.size()))) {
    if (const auto wrong = (*body)->take(wire.substr(0, piece), sink)) return wrong->code;
  }
  if (const auto wrong = (*body)->finish()) return wrong->code;
  return object;
}

// The example of the Amazon S3 API reference, "Signature calculations … in multiple chunks": 65 KiB of 'a'.
const std::shared_ptr<const auth::ChunkSigning> kSigning =
    std::make_shared<auth::ChunkSigning>(auth::ChunkSigning{
        auth::signing_key("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "20130524", "us-east-1", "s3"),
        "20130524T000000Z", "20130524/us-east-1/s3/aws4_request",
        "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"});
std::string signed_body(
    std::string_view second = "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497") {
  return "10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n" +
         std::string(65536, 'a') + "\r\n400;chunk-signature=" + std::string(second) + "\r\n" +
         std::string(1024, 'a') +
         "\r\n0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n";
}

}  // namespace

TEST_CASE("s3 body: chunks that are signed, as AWS's own example has them") {
  const auto request = put({{"x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"},
                            {"x-amz-decoded-content-length", "66560"}});
  for (const std::size_t piece : {100'000u, 4096u, 1u}) {
    CHECK(read_body(request, signed_body(), piece, kSigning) == std::string(66560, 'a'));
    CHECK(read_body(request, signed_body(std::string(64, '0')), piece, kSigning) == "SignatureDoesNotMatch");
    std::string changed = signed_body();
    changed[200] = 'b';
    CHECK(read_body(request, changed, piece, kSigning) == "SignatureDoesNotMatch");
    // Where no keys are asked for, signatures are passed over.
    CHECK(read_body(request, changed, piece).size() == 66560);
  }
  CHECK(read_body(request, signed_body().substr(0, 66'000), 1000, kSigning) == "IncompleteBody");
}

TEST_CASE("s3 body: aws-chunked is read the same however it is cut, and strictly") {
  const auto request = put({{"x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"},
                            {"x-amz-decoded-content-length", "11"},
                            {"x-amz-trailer", "x-amz-checksum-crc32c"}});
  const std::string good = "6\r\nhello \r\n5\r\nworld\r\n0\r\nx-amz-checksum-crc32c:yZRlqg==\r\n\r\n";
  for (std::size_t piece = 1; piece <= good.size(); ++piece)
    CHECK(read_body(request, good, piece) == "hello world");
  CHECK(read_body(request, "6\r\nhello \r\n5\r\nworld\r\n0\r\nx-amz-checksum-crc32c:AAAAAA==\r\n\r\n", 7) ==
        "BadDigest");
  CHECK(read_body(request, "6\r\nhello \r\n5\r\nworld\r\n0\r\n\r\n", 7) == "InvalidRequest");
  const char* kWrong[] = {
      "6\r\nhello \r\n5\r\nworld\r\n",                            // no end
      "6\r\nhello \r\n5\r\nworld\r\n0\r\n",                       // no end of the trailer
      "6\nhello \r\n",                                            // a bare line feed
      "-6\r\nhello \r\n",                                         // no size
      "6\r\nhello !\r\n5\r\nworld\r\n0\r\n\r\n",                  // longer than its size
      "6\r\nhello \r\n5\r\nworld\r\n0\r\n\r\nmore",               // behind the end
      "3\r\nabc\r\n0\r\nx-amz-checksum-crc32c:Nks/tw==\r\n\r\n",  // shorter than announced
  };
  for (const char* wire : kWrong) {
    CAPTURE(wire);
    for (const std::size_t piece : {1u, 1000u}) CHECK(read_body(request, wire, piece) == "IncompleteBody");
  }
  CHECK(read_body(request, "FF\r\n" + std::string(255, 'x'), 1000) == "EntityTooLarge");
  CHECK(read_body(put({{"x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"}}), "", 1) ==
        "MissingContentLength");
  CHECK(read_body(put({{"x-amz-content-sha256", "STREAMING-OTHER"}}), "", 1) == "NotImplemented");
  CHECK(read_body(put({{"x-amz-checksum-crc32", "AAAAAA=="}, {"x-amz-checksum-sha1", ""}}), "", 1) ==
        "InvalidRequest");
  CHECK(read_body(put({{"x-amz-checksum-crc32", "AAAA"}}), "", 1) == "InvalidRequest");
}

TEST_CASE("s3 xml: elements and texts, and nothing that grows") {
  const auto read = parse_request_xml(
      "<?xml version=\"1.0\"?><a:Delete xmlns:a='x'> <Quiet>true</Quiet><!-- c -->"
      "<Object><Key>a&amp;&#252;<![CDATA[<b>]]></Key></Object></a:Delete>");
  REQUIRE(read);
  CHECK(read->name == "Delete");
  CHECK(read->text_of("Quiet") == "true");
  CHECK(read->children.at(1).text_of("Key") == "a&ü<b>");
  for (const char* wrong : {"", "x", "<a>", "<a:/>", "<a></b>", "<a/><b/>", "<!DOCTYPE a><a/>",
                            "<!DOCTYPE a [<!ENTITY e 'eeeeeeeeee'>]><a>&e;</a>", "<a>&nothing;</a>"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_request_xml(wrong));
  }
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += "<a>";
  for (int i = 0; i < 100; ++i) deep += "</a>";
  CHECK_FALSE(parse_request_xml(deep));
  XmlWriter xml("R");
  xml.text("K", "<a> & \"b\"").open("C").number("N", 7);
  const auto written = parse_request_xml(xml.finish());
  REQUIRE(written);
  CHECK(written->text_of("K") == "<a> & \"b\"");
  CHECK(written->children.at(1).text_of("N") == "7");
}

TEST_CASE("s3 address: path and host, and which operation is meant") {
  const auto asked = [](std::string method, std::string path, std::string query = "",
                        std::vector<http::Header> headers = {}) {
    http::Request request;
    request.method = std::move(method);
    request.path = std::move(path);
    request.query = std::move(query);
    request.headers = std::move(headers);
    return s3_request(request);
  };
  CHECK(asked("GET", "/").operation == S3Operation::ListBuckets);
  CHECK(asked("GET", "/b").operation == S3Operation::ListObjects);
  CHECK(asked("GET", "/b/", "list-type=2").operation == S3Operation::ListObjectsV2);
  const auto object = asked("PUT", "/b/a%2Fb//c%20d", "x-id=PutObject");
  CHECK(object.operation == S3Operation::PutObject);
  CHECK(object.address.bucket == "b");
  CHECK(object.address.key == "a/b//c d");
  CHECK(asked("PUT", "/b/k", "", {{"x-amz-copy-source", "b/x"}}).operation == S3Operation::CopyObject);
  CHECK(asked("PUT", "/b/k", "partNumber=1&uploadId=u").operation == S3Operation::UploadPart);
  CHECK(asked("PUT", "/b/k", "uploadId=u&partNumber=1", {{"x-amz-copy-source", "b/x"}}).operation ==
        S3Operation::UploadPartCopy);
  CHECK(asked("POST", "/b/k", "uploads").operation == S3Operation::CreateMultipartUpload);
  CHECK(asked("GET", "/b", "tagging").operation == S3Operation::NotImplemented);
  CHECK(asked("PATCH", "/b/k").operation == S3Operation::Nothing);
  for (const char* host :
       {"b.localhost", "b.localhost:8083", "b.s3.localhost", "b.s3.eu-central-1.localhost:1"}) {
    const auto virtual_host = asked("GET", "/k/x", "", {{"host", host}});
    CAPTURE(host);
    CHECK(virtual_host.address.bucket == "b");
    CHECK(virtual_host.address.key == "k/x");
  }
  for (const char* host :
       {"localhost", "127.0.0.1:8083", "s3.localhost", "s3.eu-central-1.localhost", "b.example.com"})
    CHECK(asked("GET", "/k/x", "", {{"host", host}}).address.bucket == "k");
  const auto source = copy_source_of("/b/a%20b?versionId=null");
  CHECK(source.bucket == "b");
  CHECK(source.key == "a b");
}

TEST_CASE("s3 address: what a caller needs the right to") {
  http::Request request;
  request.method = "PUT";
  request.path = "/b/k";
  request.headers = {{"x-amz-copy-source", "/other/x%20y"}};
  const auto demands = s3_demands(request);
  REQUIRE(demands.size() == 2);
  CHECK(demands[0] == auth::Demand{"s3:PutObject", "arn:aws:s3:::b/k"});
  CHECK(demands[1] == auth::Demand{"s3:GetObject", "arn:aws:s3:::other/x y"});
  request = {};
  request.method = "GET";
  request.path = "/b";
  CHECK(s3_demands(request).at(0) == auth::Demand{"s3:ListBucket", "arn:aws:s3:::b"});
  request.query = "acl";
  CHECK(s3_demands(request).at(0) == auth::Demand{"s3:*", "*"});
}
