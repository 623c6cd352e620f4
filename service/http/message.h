#pragma once
// An HTTP request and its answer as values: what the parser makes and the connection writes. Any thread.
// Source: RFC 9110, RFC 9112.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::http {

struct Header {
  std::string name, value;  // of a request: the name in lower case
};

struct Request {
  std::string method;  // "POST"
  std::string path;    // "/": the target without scheme, host and query, as it was sent (not decoded)
  std::string query;   // behind the '?', without it
  std::vector<Header> headers;
  std::string body;
  bool body_follows = false;  // it is read piece by piece (Exchange::read_body); `body` stays empty
  bool keep_alive = true;
  bool http10 = false;    // HTTP/1.0: it knows no chunks
  std::string peer = {};  // the address it came from: "203.0.113.7", "2001:db8::1"; empty: unknown
  bool secure = false;    // it came over TLS

  // The value of the first header of that name (lower case); empty when there is none.
  std::string_view header(std::string_view name) const;
};

struct Response {
  int status = 200;
  std::string content_type = "application/json";
  std::vector<Header> headers;  // beside Content-Type, Content-Length, Date and Connection
  std::string body;
  // Of a body that is streamed, or that an answer to HEAD leaves out. Without it: the size of `body`, or
  // chunks.
  std::optional<std::uint64_t> length = std::nullopt;
};

// The bytes of an answer: status line, headers, body (left out for HEAD). `date` is an IMF-fixdate.
std::string serialize(const Response& response, std::string_view date, bool keep_alive, bool head_only);
// The same of an answer whose body comes later: with the length that is known, else in chunks or up to the
// connection's end.
std::string serialize_head(const Response& response, std::string_view date, bool keep_alive, bool chunked);
// "Sat, 21 Nov 2026 10:00:00 GMT"; seconds since 1970.
std::string imf_date(long long seconds);
std::string_view reason_phrase(int status);

}  // namespace millrace::http
