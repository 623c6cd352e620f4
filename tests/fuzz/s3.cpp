// S3: what comes out of an aws-chunked body does not depend on how it is cut, and keeps to its announced
// length; XML is read or refused; an address is some operation or none.

#include "service/api/s3/address.h"
#include "service/api/s3/body.h"
#include "service/api/s3/xml.h"
#include "tests/fuzz/input.h"

using namespace millrace;
using namespace millrace::api;

namespace {

// The first line is the mode's number and the announced length.
std::string read_pieces(std::string_view mode, std::string_view wire, std::size_t piece) {
  static constexpr std::string_view kModes[] = {
      "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
      "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", "UNSIGNED-PAYLOAD"};
  http::Request request;
  const unsigned first = mode.empty() ? 0 : static_cast<unsigned char>(mode[0]);
  request.headers = {{"x-amz-content-sha256", std::string(kModes[first % 4])},
                     {"x-amz-decoded-content-length", std::to_string(first % 64)}};
  if (first % 2 == 0) request.headers.push_back({"x-amz-trailer", "x-amz-checksum-crc32"});
  auto body = S3Body::of(request, nullptr);
  if (!body) return "refused: " + body.error().code;
  std::string object;
  const auto sink = [&](std::string_view bytes) {
    object += bytes;
    return Status();
  };
  for (; !wire.empty(); wire.remove_prefix(std::min(piece, wire.size()))) {
    if (const auto wrong = (*body)->take(wire.substr(0, piece), sink)) return "wrong: " + wrong->code;
  }
  if (const auto wrong = (*body)->finish()) return "wrong: " + wrong->code;
  MR_CHECK(object.size() == first % 64, "an object has its announced length");
  return object;
}

void walk_xml(const XmlNode& node, int depth) {
  MR_CHECK(depth <= 32 && !node.name.empty(), "levels are limited, and elements have names");
  for (const XmlNode& child : node.children) walk_xml(child, depth + 1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto [first, rest] = fuzz::parts_of(data, size);
  const std::string whole = read_pieces(first, rest, rest.size() + 1),
                    cut = read_pieces(first, rest, 1 + size % 7);
  MR_CHECK(whole == cut, "cuts change nothing");
  if (const auto document = parse_request_xml(fuzz::text_of(data, size))) {
    walk_xml(*document, 1);
    XmlWriter again("R");
    again.text("T", document->text);
    MR_CHECK(parse_request_xml(again.finish()), "what was read can be written");
  }
  http::Request request;
  request.method = size % 3 == 0 ? "GET" : size % 3 == 1 ? "PUT" : "POST";
  request.path = "/" + std::string(first);
  request.query = rest;
  (void)s3_request(request);
  MR_CHECK(!s3_demands(request).empty(), "every request needs some right");
  return 0;
}
