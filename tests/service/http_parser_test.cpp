#include <doctest/doctest.h>

#include "base/random.h"
#include "service/http/parser.h"
#include "service/http/server.h"

using namespace millrace;
using namespace millrace::http;

namespace {

using State = RequestParser::State;

// Reads `bytes` as they come in pieces; what was read, and how it ended.
struct Read {
  std::vector<Request> requests;
  State state = State::NeedMore;
  int status = 0;
};
Read read(const std::string& bytes, const std::function<std::size_t()>& piece, ParserLimits limits = {}) {
  RequestParser parser(limits);
  Read out;
  std::string input;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t more = std::min(piece(), bytes.size() - at);
    input += bytes.substr(at, more);
    at += more;
    for (;;) {
      std::size_t consumed = 0;
      out.state = parser.feed(input, consumed);
      REQUIRE(consumed <= input.size());
      input.erase(0, consumed);
      if (out.state == State::Refused) {
        out.status = parser.refusal().status;
        return out;
      }
      if (out.state == State::NeedMore) break;
      out.requests.push_back(parser.take());
    }
  }
  return out;
}
Read read_whole(const std::string& bytes, ParserLimits limits = {}) {
  return read(
      bytes, [&] { return bytes.size(); }, limits);
}

const std::string kRequests =
    "POST /a%20b?x=1&y=2 HTTP/1.1\r\nHost: h\r\nX-Amz-Target: T\r\nContent-Length: 5\r\n\r\nhello"
    "GET http://host:8083/p HTTP/1.1\r\nhost: h\r\nEMPTY:\r\n\r\n"
    "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nTrailer: "
    "t\r\n\r\n"
    "GET http://host HTTP/1.0\r\n\r\n";

}  // namespace

TEST_CASE("http: requests are the same however they are cut") {
  const Read whole = read_whole(kRequests);
  REQUIRE(whole.requests.size() == 4);
  CHECK(whole.requests[0].method == "POST");
  CHECK(whole.requests[0].path == "/a%20b");
  CHECK(whole.requests[0].query == "x=1&y=2");
  CHECK(whole.requests[0].header("x-amz-target") == "T");
  CHECK(whole.requests[0].header("nothing") == "");
  CHECK(whole.requests[0].body == "hello");
  CHECK(whole.requests[0].keep_alive);
  CHECK(whole.requests[1].path == "/p");
  CHECK(whole.requests[2].body == "abc0123456789");
  CHECK(whole.requests[3].path == "/");
  CHECK_FALSE(whole.requests[3].keep_alive);
  Random random(5);
  for (int round = 0; round < 300; ++round) {
    const Read cut = read(kRequests, [&] { return 1 + random.below(round < 5 ? 1 : 40); });
    REQUIRE(cut.requests.size() == 4);
    for (std::size_t i = 0; i < 4; ++i) {
      CHECK(cut.requests[i].path == whole.requests[i].path);
      CHECK(cut.requests[i].body == whole.requests[i].body);
      CHECK(cut.requests[i].headers.size() == whole.requests[i].headers.size());
    }
  }
}

TEST_CASE("http: folded and ambiguous headers are refused wherever they are cut, and nothing else is") {
  const std::string folded = "GET / HTTP/1.1\r\nA: b\r\n c\r\nContent-Length: 0\r\n\r\n";
  const std::string twice =
      "GET / HTTP/1.1\r\nTransfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
  // What follows a request is not its header, though it looks folded.
  const std::string followed = "GET / HTTP/1.1\r\nA: b\r\n\r\nX\r\n  y";
  for (std::size_t cut = 1; cut < followed.size(); ++cut) {
    CAPTURE(cut);
    bool first = true;
    const auto piece = [&](const std::string& all) {
      return [&, size = all.size()] { return std::exchange(first, false) ? cut : size; };
    };
    CHECK(read(followed, piece(followed)).requests.size() == 1);
    first = true;
    if (cut < folded.size()) CHECK(read(folded, piece(folded)).requests.empty());
  }
  for (std::size_t cut = 1; cut < twice.size(); ++cut) {
    CAPTURE(cut);
    bool first = true;
    CHECK(read(twice, [&] { return std::exchange(first, false) ? cut : twice.size(); }).requests.empty());
  }
}

TEST_CASE("http: the end of a chunked body may come a byte at a time") {
  const std::string request = "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const std::string body : {"0\r\n\r\n", "1\r\na\r\n0\r\n\r\n", "0\r\nA: b\r\n\r\n"}) {
    const Read got = read(request + body + "GET / HTTP/1.1\r\n\r\n", [] { return std::size_t{1}; });
    CHECK(got.requests.size() == 2);
  }
  CHECK(read(request + "0\r\n:", [] { return std::size_t{1}; }).requests.empty());
}

TEST_CASE("http: damaged requests are refused or read, never worse") {
  Random random(6);
  int refused = 0;
  for (int round = 0; round < 5000; ++round) {
    std::string bytes = kRequests;
    for (std::uint64_t n = 1 + random.below(4); n > 0; --n)
      bytes[random.below(bytes.size())] = static_cast<char>(random.next());
    refused += read(bytes, [&] { return 1 + random.below(100); }).state == State::Refused;
  }
  CHECK(refused > 1000);
}

TEST_CASE("http: limits of header and body") {
  const ParserLimits limits{100, 10};
  CHECK(read_whole("GET / HTTP/1.1\r\nA: " + std::string(200, 'x') + "\r\n\r\n", limits).status == 431);
  CHECK(read_whole("PUT / HTTP/1.1\r\nContent-Length: 11\r\n\r\n", limits).status == 413);
  CHECK(
      read_whole("PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n01234567890\r\n", limits).status ==
      413);
  CHECK(read_whole("PUT / HTTP/1.1\r\nContent-Length: 10\r\n\r\n0123456789", limits).requests.size() == 1);
}

TEST_CASE("http: a client that waits to continue is noticed once its header is there") {
  RequestParser parser({});
  const std::string head = "PUT / HTTP/1.1\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\n";
  std::size_t consumed = 0;
  CHECK(parser.feed(head.substr(0, 20), consumed) == State::NeedMore);
  CHECK_FALSE(parser.wants_continue());
  const std::size_t before = consumed;  // whole lines may be taken before the header is complete
  CHECK(parser.feed(head.substr(before), consumed) == State::NeedMore);
  CHECK(parser.wants_continue());
  CHECK(before + consumed == head.size());
  CHECK(parser.feed("x", consumed) == State::Done);
  CHECK_FALSE(parser.wants_continue());
  CHECK_FALSE(parser.wants_continue_of_nothing());
}

TEST_CASE("http: a client that waits to continue with a body of no bytes is noticed, too") {
  for (const bool streamed : {false, true}) {
    CAPTURE(streamed);
    RequestParser parser({}, [streamed](const Request&) { return streamed; });
    std::size_t consumed = 0;
    CHECK_FALSE(parser.wants_continue_of_nothing());
    CHECK(parser.feed("PUT / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n", consumed) ==
          State::Done);
    CHECK_FALSE(parser.wants_continue());
    CHECK(parser.wants_continue_of_nothing());
    (void)parser.take();
    CHECK(parser.feed("GET / HTTP/1.1\r\n\r\n", consumed) == State::Done);
    CHECK_FALSE(parser.wants_continue_of_nothing());
  }
}

TEST_CASE("http: dates and answers") {
  CHECK(imf_date(0) == "Thu, 01 Jan 1970 00:00:00 GMT");
  CHECK(imf_date(1'700'000'000) == "Tue, 14 Nov 2023 22:13:20 GMT");
  const Response response{404, "text/plain", {{"A", "b"}}, "gone"};
  CHECK(serialize(response, "D", true, false) ==
        "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 4\r\nDate: D\r\nA: "
        "b\r\n\r\ngone");
  CHECK(serialize(response, "D", false, true) ==
        "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 4\r\nDate: D\r\nA: b\r\n"
        "Connection: close\r\n\r\n");
}

TEST_CASE("http: addresses") {
  CHECK(parse_address("127.0.0.1:8083")->port == 8083);
  CHECK(parse_address(":0")->host == "127.0.0.1");
  CHECK(parse_address("localhost:1")->host == "127.0.0.1");
  CHECK(parse_address("[::1]:9")->host == "::1");
  CHECK(is_loopback(*parse_address("[::1]:9")));
  CHECK(is_loopback(*parse_address("127.1.2.3:9")));
  CHECK_FALSE(is_loopback(*parse_address("0.0.0.0:9")));
  for (const char* wrong :
       {"", "8083", "host:1", "127.0.0.1:", "127.0.0.1:70000", "127.0.0.1:-1", "127.0.0.1:1x"})
    CHECK_FALSE(parse_address(wrong));
}

TEST_CASE("http: a body that is streamed comes in pieces, and is the same however it is cut") {
  const std::string bytes =
      "PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\nhello world"
      "PUT /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n"
      "PUT /c HTTP/1.1\r\nContent-Length: 0\r\n\r\n"
      "POST /d HTTP/1.1\r\nContent-Length: 2\r\n\r\nok";
  Random random(9);
  for (int round = 0; round < 200; ++round) {
    RequestParser parser({}, [](const Request& head) { return head.method == "PUT"; });
    std::vector<Request> requests;
    std::string input;
    bool streaming = false;
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t more =
          std::min<std::size_t>(round == 0 ? bytes.size() : 1 + random.below(30), bytes.size() - at);
      input += bytes.substr(at, more);
      at += more;
      for (;;) {
        std::size_t consumed = 0;
        const State state = parser.feed(input, consumed);
        input.erase(0, consumed);
        REQUIRE(state != State::Refused);
        if (streaming) requests.back().body += parser.take_body();
        if (state == State::NeedMore) break;
        if (streaming) {
          parser.finish_body();
          streaming = false;
          continue;
        }
        requests.push_back(parser.take());
        CHECK(requests.back().body_follows == (state == State::Head));
        streaming = state == State::Head;
      }
    }
    REQUIRE(requests.size() == 4);
    CHECK(requests[0].body == "hello world");
    CHECK(requests[1].body == "abc0123456789");
    CHECK(requests[2].body == "");
    CHECK_FALSE(requests[2].body_follows);  // there is none
    CHECK(requests[3].body == "ok");
  }
}

TEST_CASE("http: a body keeps to its limit, streamed or not") {
  ParserLimits limits;
  limits.body_bytes_max = 10;
  limits.streamed_bytes_max = 20;
  const auto status = [&](const std::string& bytes, bool streamed) {
    RequestParser parser(limits, [&](const Request&) { return streamed; });
    std::string input = bytes;
    for (;;) {
      std::size_t consumed = 0;
      const State state = parser.feed(input, consumed);
      input.erase(0, consumed);
      if (state == State::Refused) return parser.refusal().status;
      if (state != State::Head) return 0;
      parser.take();
    }
  };
  const std::string by_length = "PUT / HTTP/1.1\r\nContent-Length: ",
                    chunked = "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
  CHECK(status(by_length + "10\r\n\r\n0123456789", false) == 0);
  CHECK(status(by_length + "11\r\n\r\n", false) == 413);
  CHECK(status(chunked + "b\r\n0123456789a\r\n0\r\n\r\n", false) == 413);
  CHECK(status(by_length + "20\r\n\r\n", true) == 0);
  CHECK(status(by_length + "21\r\n\r\n", true) == 413);
  CHECK(status(by_length + "99999999999999999999\r\n\r\n", true) == 400);
  CHECK(status(chunked + "15\r\n012345678901234567890\r\n0\r\n\r\n", true) == 413);
  // What can't become a chunk is not waited for.
  for (const bool streamed : {false, true}) {
    CHECK(status(chunked + "z", streamed) == 400);
    CHECK(status(chunked + "zz\r\n", streamed) == 400);
    CHECK(status(chunked + "0\r\n", streamed) == 0);
  }
}

TEST_CASE("http: an answer whose length is known says it, also without its body") {
  Response response{200, "text/plain", {}, ""};
  response.length = 7;
  CHECK(serialize(response, "D", true, true).find("Content-Length: 7\r\n") != std::string::npos);
  const std::string head = serialize_head(response, "D", true, true);
  CHECK(head.find("Content-Length: 7\r\n") != std::string::npos);
  CHECK(head.find("chunked") == std::string::npos);
  response.status = 304;
  CHECK(serialize(response, "D", true, false) == "HTTP/1.1 304 Not Modified\r\nDate: D\r\n\r\n");
}
