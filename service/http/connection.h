#pragma once
// Connection: one client. Its life is its libuv handle's: it frees itself when the handle is closed. Loop
// thread only. Used by server.cpp.

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>

#include "service/http/parser.h"
#include "service/http/server.h"

struct uv_stream_s;
struct uv_tcp_s;

namespace millrace::http {

// What connections share.
struct Shared {
  ServerSettings settings;
  Handler handler;
  const Clock* clock = nullptr;
  bool draining = false;
  std::function<void(class Connection*)> on_closed;
  std::string date;            // of the Date header, for this second
  long long date_second = -1;  // since 1970
  char read_buffer[64 * 1024];
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  // Accepts from `listener`. Null when that fails.
  static std::shared_ptr<Connection> accept(uv_stream_s* listener, std::shared_ptr<Shared> shared);

  ~Connection();
  void refuse(const Refusal& refusal);  // answers and closes
  void drain();  // the server is about to stop: ends when it is idle, tells those who stream
  void check_deadline(Millis uptime);
  void close();

 private:
  class OneExchange;
  class Stream;
  enum class Phase {
    Reading,    // for the next request, or in one
    Answering,  // the handler has it
    Lingering,  // the last answer is written; what still comes is thrown away until the client ends
    Closed,
  };

  explicit Connection(std::shared_ptr<Shared> shared);
  void on_read(ssize_t count, const char* bytes);
  void on_input_end();
  void receive_protected(std::string_view bytes);
  void advance();
  void read_one();
  void read_body(std::function<void(std::string, bool)> call);
  void receive_body();
  void hand_on_body();
  void leave_body();
  void answer(const Response& response, bool last);
  void answered(bool keep);
  void send(std::string bytes);
  void write(std::string bytes);  // as they go over the wire
  void sent(std::size_t bytes, bool ok);
  void linger();
  void update_reading();
  void set_deadline(Millis after);
  std::string_view date();
  // The client can't be told anything yet.
  bool shaking_hands() const { return tls_ && tls_->state() == TlsSession::State::Handshake; }
  bool idle() const { return phase_ == Phase::Reading && !in_request_ && input_.empty() && unsent_ == 0; }

  std::shared_ptr<Shared> shared_;
  std::unique_ptr<uv_tcp_s> socket_;
  std::shared_ptr<Connection> self_;  // while the handle is open
  std::unique_ptr<TlsSession> tls_;   // null: plain
  RequestParser parser_;
  std::string peer_;   // the client's address
  std::string input_;  // read and not yet consumed
  Phase phase_ = Phase::Reading;
  bool in_request_ = false;   // some of the next request has come
  bool continued_ = false;    // 100 Continue was sent for it
  bool input_ended_ = false;  // the client sends nothing more
  bool reading_ = false;      // libuv reads
  bool close_after_ = false;  // when all is sent
  bool advancing_ = false;    // an answer given at once does not recurse
  bool keep_alive_ = true;    // of the request being answered
  bool head_only_ = false;    // of it, too
  bool receiving_ = false;    // its body is streamed and has not ended on the wire
  bool body_open_ = false;    // and its end was not handed on
  std::string body_;          // of it, not handed on
  std::function<void(std::string, bool)> wants_body_;
  bool http10_ = false;     // of it, too
  std::size_t unsent_ = 0;  // bytes of answers that libuv has
  Millis deadline_{};       // uptime
  std::weak_ptr<OneExchange> exchange_;
  std::weak_ptr<Stream> stream_;  // while one is open
};

}  // namespace millrace::http
