#pragma once
// Server: HTTP/1.1 on the loop: accepts connections, reads requests one after another (keep-alive,
// pipelining, Expect: 100-continue), writes answers in order, over TLS if it is given a certificate, within
// named limits. Loop thread only; what a
// request means is the handler's business.

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "orchestrator/loop/loop.h"
#include "service/http/message.h"
#include "service/http/parser.h"
#include "service/http/tls.h"

namespace millrace::http {

struct ServerSettings {
  ParserLimits parser;
  std::size_t connections_max = 4096;          // beyond it: 503, closed
  std::size_t unanswered_bytes_max = 1 << 20;  // of pipelined requests and unread answers; then reading rests
  // From a request's first byte to its last; of a streamed body, from one piece to the next.
  Millis request_time_max = std::chrono::seconds(30);
  Millis idle_time_max = std::chrono::seconds(120);  // between requests
  Millis write_time_max = std::chrono::seconds(60);  // without a client taking anything
  Millis drain_time_max = std::chrono::seconds(10);  // for what is being answered when the server stops
  Millis handshake_time_max =
      std::chrono::seconds(10);               // of TLS, from the connection to its first plain byte
  std::shared_ptr<TlsContext> tls = nullptr;  // null: plain HTTP
  StreamRule streams = {};  // whose bodies are read by their handlers (Exchange::read_body); empty: nobody's
  // Called for each answer to a request, when it is begun; for metrics. May be empty.
  std::function<void(const Request&, int status, std::chrono::nanoseconds)> answered = {};
};

// The body of an answer that is made bit by bit. Dropped without end(), or ended short of the length that its
// head gave, the connection is closed: what was sent can't be taken for the whole.
class BodyStream {
 public:
  virtual ~BodyStream() = default;
  // False: nobody reads any more. What is written is kept until the client takes it: ask unsent() first.
  virtual bool write(std::string bytes) = 0;
  virtual std::size_t unsent() const = 0;  // bytes of this connection that the client has not taken
  // Called each time that all that was written is on its way.
  virtual void on_room(std::function<void()> call) = 0;
  // Called at most once, when the client goes or the server is about to stop; end() may follow.
  virtual void on_gone(std::function<void()> call) = 0;
  virtual void end() = 0;
};
using BodyStreamPtr = std::shared_ptr<BodyStream>;

// One request and the way to answer it; may be kept and answered later.
class Exchange {
 public:
  virtual ~Exchange() = default;
  virtual const Request& request() const = 0;
  // Of a request whose body follows: `call` is called once with what has come of it since the last time, and
  // whether that was the end; from here, if something has. What comes meanwhile is kept, up to
  // unanswered_bytes_max, then reading rests. Who answers before the end closes the connection.
  virtual void read_body(std::function<void(std::string bytes, bool end)> call) = 0;
  // Once. When the client has gone meanwhile, nothing happens.
  virtual void respond(Response response) = 0;
  // Instead of respond(): the answer's head now (its body comes first), the rest as it is written. The length
  // that the head gives, else chunks, with HTTP/1.0 up to the end of the connection; what is written to HEAD
  // goes nowhere. Requests that follow
  // on the connection wait for its end.
  virtual BodyStreamPtr stream(Response head) = 0;
  // Called at most once, when the client goes (or stops sending) before it was answered; at once if it
  // has.
  virtual void on_gone(std::function<void()> call) = 0;
};
using ExchangePtr = std::shared_ptr<Exchange>;
using Handler = std::function<void(ExchangePtr)>;

class Server {
 public:
  virtual ~Server() = default;
  virtual int port() const = 0;  // the one in use, also when 0 was asked for
  virtual std::size_t connections() const = 0;
  // Accepts nothing more, ends idle connections, lets the others finish their answer. `done` is called once,
  // when all are gone or time is up.
  virtual void drain(std::function<void()> done) = 0;
};

struct Address {
  std::string host;  // an IPv4 or IPv6 address
  int port = 0;
};
// "127.0.0.1:8083", "localhost:0", "[::1]:8083", ":8083" (127.0.0.1). InvalidArgument for anything else.
Result<Address> parse_address(const std::string& text);
bool is_loopback(const Address& address);

// Unavailable when the port is taken, InvalidArgument for an address this machine does not have. The loop and
// the handler's surroundings must outlive the server.
Result<std::unique_ptr<Server>> listen(orchestrator::UvLoop& loop, const Address& address,
                                       ServerSettings settings, Handler handler);

}  // namespace millrace::http
