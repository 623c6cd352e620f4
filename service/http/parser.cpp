#include "service/http/parser.h"

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <optional>

namespace millrace::http {
namespace {

namespace beast = boost::beast::http;

constexpr std::size_t kLastChunkBytes = 5;

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
  explicit Impl(const ParserLimits& limits) : limits_(limits) { renew(); }

  State feed(std::string_view bytes, std::size_t& consumed) {
    boost::system::error_code error;
    consumed = 0;
    // The library reads lines of the header, then parts of the body; it stops where the request ends.
    while (!parser_->is_done() && consumed < bytes.size()) {
      const std::string_view rest = bytes.substr(consumed);
      const bool in_header = !parser_->is_header_done();
      // The library expects the end of a chunked body, "0" and two line ends, in pieces no smaller than this,
      // and ends the process at less (an assertion). Nothing waits for ever: these bytes are still to come.
      if (!in_header && parser_->chunked() && rest.size() < kLastChunkBytes) return State::NeedMore;
      const std::size_t read = parser_->put(boost::asio::const_buffer(rest.data(), rest.size()), error);
      consumed += read;
      if (in_header && (!parser_->is_header_done() || !header_.empty())) header_.append(rest.substr(0, read));
      // Before anything else: the body may come later, and nobody looks at the header again.
      if (in_header && parser_->is_header_done() && !header_is_plain(header_.empty() ? rest : header_)) {
        refusal_ = {400, "the request's header is folded, or its transfer encoding is not served"};
        return State::Refused;
      }
      if (error == beast::error::need_more) return State::NeedMore;
      if (error) {
        refusal_ = refusal_of(error);
        return State::Refused;
      }
    }
    return parser_->is_done() ? State::Done : State::NeedMore;
  }

  bool wants_continue() const {
    if (!parser_->is_header_done() || parser_->is_done()) return false;
    return boost::beast::iequals(parser_->get()[beast::field::expect], "100-continue");
  }

  Request take() {
    auto message = parser_->release();
    Request request;
    request.method = view(message.method_string());
    split_target(view(message.target()), request);
    for (const auto& field : message) {
      request.headers.push_back({lower(view(field.name_string())), std::string(view(field.value()))});
    }
    request.keep_alive = message.keep_alive();
    request.http10 = message.version() == 10;
    request.body = std::move(message.body());
    renew();
    return request;
  }

  Refusal refusal() const { return refusal_; }

 private:
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
    parser_.emplace();
    parser_->eager(true);
    parser_->header_limit(limits_.header_bytes_max);
    parser_->body_limit(limits_.body_bytes_max);
  }

  const ParserLimits limits_;
  std::optional<beast::request_parser<beast::string_body>> parser_;
  std::string header_;  // what was read of it before its last piece, and that piece; empty: it came in one
  Refusal refusal_;
};

RequestParser::RequestParser(const ParserLimits& limits) : impl_(std::make_unique<Impl>(limits)) {}
RequestParser::~RequestParser() = default;
RequestParser::State RequestParser::feed(std::string_view bytes, std::size_t& consumed) {
  return impl_->feed(bytes, consumed);
}
bool RequestParser::wants_continue() const {
  return impl_->wants_continue();
}
Request RequestParser::take() {
  return impl_->take();
}
Refusal RequestParser::refusal() const {
  return impl_->refusal();
}

}  // namespace millrace::http
