#pragma once
// RequestParser: bytes of a connection to requests. HTTP/1.0 and 1.1, bodies by length or chunks, absolute
// targets; what is ambiguous (two lengths, length and chunks, bare control characters) is refused. A body
// comes with its request, or, where `streams` says so of the head, in pieces behind it. One connection, one
// thread. Boost.Beast does the work, in parser.cpp only (decision 0006).

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "service/http/message.h"

namespace millrace::http {

struct ParserLimits {
  std::uint32_t header_bytes_max = 64 * 1024;
  std::uint64_t body_bytes_max = 16u << 20;
  std::uint64_t streamed_bytes_max = std::uint64_t{5}
                                     << 40;  // of a body that is streamed; S3's largest object
};

// Asked of each request that has a body, once its header is there: whether the body is streamed.
using StreamRule = std::function<bool(const Request& head)>;

// Why a request is refused: an HTTP status and words for people.
struct Refusal {
  int status = 400;
  std::string_view reason;
};

class RequestParser {
 public:
  enum class State {
    NeedMore,  // give it what was not consumed, with more behind it
    Head,      // take() it; its body follows: feed on, and take_body(), until Done
    Done,      // take() it; of a streamed body: take_body() gives its last bytes, finish_body() ends it
    Refused,   // refusal() says why; the connection is of no more use
  };

  explicit RequestParser(const ParserLimits& limits, StreamRule streams = {});
  ~RequestParser();

  // Reads from the front of `bytes`; `consumed` of them need not come again. Bytes of the next request are
  // left.
  State feed(std::string_view bytes, std::size_t& consumed);
  // The header is complete and the client waits for "100 Continue" before it sends the body.
  bool wants_continue() const;
  // The request is Done, has a body of no bytes, and asked for "100 Continue" nevertheless. S3 says it then,
  // too, and AWS's Python client, which asks with every object, loses the connection's next answer without
  // it.
  bool wants_continue_of_nothing() const;
  Request take();           // the parser is new afterwards, unless the body follows
  std::string take_body();  // what was read of it since the last time
  void finish_body();       // after Done: the parser is new
  Refusal refusal() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::http
