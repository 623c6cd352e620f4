#include "service/http/parser.h"

#include <boost/beast/http/parser.hpp>
#include <limits>
#include <optional>

namespace millrace::http {
namespace {

namespace beast = boost::beast::http;

constexpr std::size_t kLastChunkBytes = 5;

// The library's body in a string, but for the memory that it takes beforehand: a length is only a claim.
struct PlainBody {
  using value_type = std::string;
  class reader {
   public:
    template <bool isRequest, class Fields>
    reader(beast::header<isRequest, Fields>&, value_type& body) : body_(body) {}
    void init(const boost::optional<std::uint64_t>&, boost::system::error_code& error) { error = {}; }
    template <class Buffers>
    std::size_t put(const Buffers& buffers, boost::system::error_code& error) {
      error = {};
      const std::size_t before = body_.size();
      for (auto part = boost::asio::buffer_sequence_begin(buffers);
           part != boost::asio::buffer_sequence_end(buffers); ++part) {
        const boost::asio::const_buffer buffer = *part;
        body_.append(static_cast<const char*>(buffer.data()), buffer.size());
      }
      return body_.size() - before;
    }
    void finish(boost::system::error_code& error) { error = {}; }

   private:
    value_type& body_;
  };
};

std::string_view view(boost::beast::string_view text) {
  return {text.data(), text.size()};
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

// "/a?b" of "/a?b" and of "http://host:1/a?b" (RFC 9112, 3.2.2: every server accepts the absolute form).
void split_target(std::string_view target, Request& request) {
  const std::size_t scheme = target.find("://");
  if (!target.starts_with('/') && scheme != std::string_view::npos) {
    const std::size_t slash = target.find_first_of("/?", scheme + 3);
    target = slash == std::string_view::npos ? std::string_view("/") : target.substr(slash);
  }
  const std::size_t question = target.find('?');
  request.path = target.substr(0, question);
  if (request.path.empty()) request.path = "/";
  if (question != std::string_view::npos) request.query = target.substr(question + 1);
}

bool is_hex_digit(char c) {
  return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'f');
}

Refusal refusal_of(const boost::system::error_code& error) {
  if (error == beast::error::header_limit) return {431, "the request's header is too large"};
  if (error == beast::error::body_limit || error == beast::error::buffer_overflow)
    return {413, "the request's body is too large"};
  if (error == beast::error::bad_transfer_encoding)
    return {400, "the request's length is ambiguous, or its transfer encoding is not served"};
  if (error == beast::error::bad_version) return {400, "this is no HTTP/1.0 or HTTP/1.1 request"};
  return {400, "the request is no valid HTTP"};
}

}  // namespace

class RequestParser::Impl {
 public:
  Impl(const ParserLimits& limits, StreamRule streams) : limits_(limits), streams_(std::move(streams)) {
    renew();
  }

  State feed(std::string_view bytes, std::size_t& consumed) {
    boost::system::error_code error;
    consumed = 0;
    // The library reads lines of the header, then parts of the body; it stops where the request ends.
    while (!parser_->is_done() && consumed < bytes.size()) {
      const std::string_view rest = bytes.substr(consumed);
      const bool in_header = !parser_->is_header_done();
      // The library expects the end of a chunked body, "0" and two line ends, in pieces no smaller than this,
      // and ends the process at less (an assertion). Nothing waits for ever: these bytes are still to come.
      if (!in_header && parser_->chunked() && rest.size() < kLastChunkBytes) {
        if (!body_begins_ || is_hex_digit(rest.front())) return State::NeedMore;
        refusal_ = refusal_of(beast::error::bad_chunk);
        return State::Refused;
      }
      if (!in_header) body_begins_ = false;
      const std::size_t read = parser_->put(boost::asio::const_buffer(rest.data(), rest.size()), error);
      consumed += read;
      if (in_header && (!parser_->is_header_done() || !header_.empty())) header_.append(rest.substr(0, read));
      // Before anything else: the body may come later, and nobody looks at the header again.
      if (in_header && parser_->is_header_done() && !header_is_plain(header_.empty() ? rest : header_)) {
        refusal_ = {400, "the request's header is folded, or its transfer encoding is not served"};
        return State::Refused;
      }
      if (!in_header && body_too_large()) return State::Refused;
      if (error == beast::error::need_more) return State::NeedMore;
      if (error) {
        refusal_ = refusal_of(error);
        return State::Refused;
      }
      if (in_header && parser_->is_header_done()) {
        if (const State state = begin_body(); state != State::NeedMore) return state;
      }
    }
    return parser_->is_done() ? State::Done : State::NeedMore;
  }

  bool wants_continue() const {
    return parser_->is_header_done() && !parser_->is_done() && expects_continue();
  }
  bool wants_continue_of_nothing() const {
    if (!parser_->is_done()) return false;
    const auto length = parser_->content_length();
    return length && *length == 0 && expects_continue();
  }

  Request take() {
    if (head_) return *std::exchange(head_, std::nullopt);
    Request request = request_of(parser_->get());
    request.body = std::move(parser_->get().body());
    renew();
    return request;
  }

  std::string take_body() {
    std::string bytes = std::exchange(parser_->get().body(), {});
    streamed_ += bytes.size();
    return bytes;
  }
  void finish_body() { renew(); }

  Refusal refusal() const { return refusal_; }

 private:
  using Message = beast::request<PlainBody>;

  bool expects_continue() const {
    return boost::beast::iequals(parser_->get()[beast::field::expect], "100-continue");
  }

  static Request request_of(const Message& message) {
    Request request;
    request.method = view(message.method_string());
    split_target(view(message.target()), request);
    for (const auto& field : message) {
      request.headers.push_back({lower(view(field.name_string())), std::string(view(field.value()))});
    }
    request.keep_alive = message.keep_alive();
    request.http10 = message.version() == 10;
    return request;
  }

  // The header is there: how the body comes, and whether it may.
  State begin_body() {
    if (parser_->is_done()) return State::NeedMore;  // there is none
    if (streams_) {
      Request head = request_of(parser_->get());
      head.body_follows = streams_(head);
      streaming_ = head.body_follows;
      if (streaming_) head_ = std::move(head);
    }
    // The library hands on what it has read before it says that it is too much.
    const std::uint64_t most = streaming_ ? limits_.streamed_bytes_max : limits_.body_bytes_max;
    const auto length = parser_->content_length();
    if (length && *length > most) {
      refusal_ = refusal_of(beast::error::body_limit);
      return State::Refused;
    }
    parser_->eager(true);
    body_begins_ = true;
    return streaming_ ? State::Head : State::NeedMore;
  }

  bool body_too_large() {
    const std::size_t held = parser_->get().body().size();
    const bool too_large =
        streaming_ ? streamed_ + held > limits_.streamed_bytes_max : held > limits_.body_bytes_max;
    if (too_large) refusal_ = refusal_of(beast::error::body_limit);
    return too_large;
  }

  // What the library lets pass and another server on the way may read in another way: folded lines, and any
  // transfer encoding but one "chunked" (RFC 9112, 5.2 and 6.1). `bytes` begin with the header.
  bool header_is_plain(std::string_view bytes) const {
    const std::string_view header = bytes.substr(0, bytes.find("\r\n\r\n"));
    if (header.find("\r\n ") != std::string_view::npos || header.find("\r\n\t") != std::string_view::npos)
      return false;
    const auto [first, last] = parser_->get().equal_range(beast::field::transfer_encoding);
    if (first == last) return true;
    return std::next(first) == last && parser_->get().version() == 11 &&
           boost::beast::iequals(first->value(), "chunked");
  }

  void renew() {
    header_.clear();
    head_.reset();
    streaming_ = false;
    streamed_ = 0;
    parser_.emplace();
    parser_->eager(false);  // it stops behind the header, where it is decided how the body comes
    parser_->header_limit(limits_.header_bytes_max);
    parser_->body_limit(std::numeric_limits<std::uint64_t>::max());  // ours is looked at here
  }

  const ParserLimits limits_;
  const StreamRule streams_;
  std::optional<Request> head_;  // of a streamed body, until it is taken
  bool streaming_ = false;
  bool body_begins_ = false;    // nothing of the body has been read
  std::uint64_t streamed_ = 0;  // of the body, taken already
  std::optional<beast::request_parser<PlainBody>> parser_;
  std::string header_;  // what was read of it before its last piece, and that piece; empty: it came in one
  Refusal refusal_;
};

RequestParser::RequestParser(const ParserLimits& limits, StreamRule streams)
    : impl_(std::make_unique<Impl>(limits, std::move(streams))) {}
RequestParser::~RequestParser() = default;
RequestParser::State RequestParser::feed(std::string_view bytes, std::size_t& consumed) {
  return impl_->feed(bytes, consumed);
}
bool RequestParser::wants_continue() const {
  return impl_->wants_continue();
}
bool RequestParser::wants_continue_of_nothing() const {
  return impl_->wants_continue_of_nothing();
}
Request RequestParser::take() {
  return impl_->take();
}
std::string RequestParser::take_body() {
  return impl_->take_body();
}
void RequestParser::finish_body() {
  impl_->finish_body();
}
Refusal RequestParser::refusal() const {
  return impl_->refusal();
}

}  // namespace millrace::http
