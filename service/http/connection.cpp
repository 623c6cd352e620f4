#include "service/http/connection.h"

#include <uv.h>

#include <cstdio>
#include <utility>

#include "base/check.h"
#include "base/metrics.h"

namespace millrace::http {
namespace {

constexpr Millis kLingerTime{2000};

struct Write {
  uv_write_t request;
  std::string bytes;
  std::shared_ptr<Connection> connection;
};

// An error of the protocol itself, in the shape of the AWS JSON protocols: no client meets HTML.
Response refusal_response(const Refusal& refusal) {
  Response response;
  response.status = refusal.status;
  response.body = R"({"__type":"BadRequest","message":")" + std::string(refusal.reason) + "\"}";
  return response;
}

}  // namespace

class Connection::Stream final : public BodyStream {
 public:
  Stream(std::shared_ptr<Connection> connection, bool chunked, bool keep, bool silent,
         std::optional<std::uint64_t> length)
      : connection_(std::move(connection)), chunked_(chunked), keep_(keep), silent_(silent), left_(length) {}
  ~Stream() override {
    if (connection_) connection_->close();
  }
  bool write(std::string bytes) override {
    if (!connection_ || silent_ || bytes.empty()) return connection_ != nullptr;
    if (left_) {
      MR_CHECK(bytes.size() <= *left_, "no more is written than the head of the answer said");
      *left_ -= bytes.size();
    }
    if (!chunked_) {
      connection_->send(std::move(bytes));
    } else {
      char size[20];
      const int length = std::snprintf(size, sizeof size, "%zx\r\n", bytes.size());
      bytes.insert(0, size, static_cast<std::size_t>(length)).append("\r\n");
      connection_->send(std::move(bytes));
    }
    return connection_ != nullptr;  // sending may have found that the client has gone
  }
  std::size_t unsent() const override { return connection_ ? connection_->unsent_ : 0; }
  void on_room(std::function<void()> call) override { room_ = std::move(call); }
  void on_gone(std::function<void()> call) override { gone_ = std::move(call); }
  void end() override {
    const auto connection = std::exchange(connection_, nullptr);
    gone_ = nullptr;
    room_ = nullptr;
    if (!connection) return;
    connection->stream_.reset();
    if (left_.value_or(0) > 0 && !silent_) return connection->close();
    if (chunked_ && !silent_) connection->send("0\r\n\r\n");
    connection->answered(keep_ && !connection->close_after_ && !connection->shared_->draining);
  }
  void client_went() {
    connection_ = nullptr;
    room_ = nullptr;
    tell_gone();
  }
  void tell_gone() {
    if (const auto gone = std::exchange(gone_, nullptr)) gone();
  }
  void has_room() {
    if (const auto room = room_) room();  // a copy: it may end the stream
  }

 private:
  std::shared_ptr<Connection> connection_;
  const bool chunked_, keep_, silent_;
  std::optional<std::uint64_t> left_;  // to be written; nothing: it has no length
  std::function<void()> room_, gone_;
};

class Connection::OneExchange final : public Exchange {
 public:
  OneExchange(Request request, std::shared_ptr<Connection> connection)
      : request_(std::move(request)), connection_(std::move(connection)) {}
  ~OneExchange() override {
    if (connection_) respond(refusal_response({500, "the request was dropped without an answer"}));
  }
  const Request& request() const override { return request_; }
  void read_body(std::function<void(std::string, bool)> call) override {
    if (connection_) connection_->read_body(std::move(call));
  }
  void respond(Response response) override {
    answered_ = true;
    gone_ = nullptr;
    const auto connection = std::exchange(connection_, nullptr);
    if (!connection) return;
    count(*connection, response.status);
    connection->leave_body();
    connection->answer(response, false);
  }
  BodyStreamPtr stream(Response head) override {
    answered_ = true;
    gone_ = nullptr;
    const auto connection = std::exchange(connection_, nullptr);
    if (!connection) return std::make_shared<Stream>(nullptr, false, false, true, std::nullopt);
    count(*connection, head.status);
    connection->leave_body();
    const bool chunked = !head.length && !connection->http10_;
    const bool keep = (chunked || head.length) && connection->keep_alive_ && !connection->close_after_ &&
                      !connection->shared_->draining;
    auto stream = std::make_shared<Stream>(connection, chunked, keep, connection->head_only_, head.length);
    connection->stream_ = stream;
    connection->send(serialize_head(head, connection->date(), keep, chunked));
    stream->write(std::move(head.body));
    return stream;
  }
  void on_gone(std::function<void()> call) override {
    if (answered_) return;
    if (went_) return call();
    gone_ = std::move(call);
  }
  void client_went() {
    connection_ = nullptr;
    client_stopped_sending();
  }
  void count(const Connection& connection, int status) const {
    if (const auto& answered = connection.shared_->settings.answered)
      answered(request_, status, watch_.elapsed());
  }
  // The client sends nothing more: it may still read, unless somebody wants to know.
  void client_stopped_sending() {
    went_ = true;
    if (const auto gone = std::exchange(gone_, nullptr)) gone();
  }

 private:
  Request request_;
  std::shared_ptr<Connection> connection_;
  std::function<void()> gone_;
  bool answered_ = false, went_ = false;
  const metrics::Stopwatch watch_;
};

Connection::Connection(std::shared_ptr<Shared> shared)
    : shared_(std::move(shared)),
      socket_(std::make_unique<uv_tcp_t>()),
      parser_(shared_->settings.parser, shared_->settings.streams) {
  if (shared_->settings.tls) tls_ = shared_->settings.tls->session();
  set_deadline(tls_ ? shared_->settings.handshake_time_max : shared_->settings.idle_time_max);
}

Connection::~Connection() = default;

// The address of whoever is at the other end; empty when it is not known. An IPv4 address that came as an
// IPv6 one is the former.
static std::string peer_of(const uv_tcp_t& socket) {
  sockaddr_storage address{};
  int size = sizeof address;
  char text[INET6_ADDRSTRLEN] = "";
  auto* any = reinterpret_cast<sockaddr*>(&address);
  if (uv_tcp_getpeername(&socket, any, &size) != 0 || uv_ip_name(any, text, sizeof text) != 0) return {};
  constexpr std::string_view kMapped = "::ffff:";
  const std::string_view whole = text;
  return std::string(whole.starts_with(kMapped) ? whole.substr(kMapped.size()) : whole);
}

std::shared_ptr<Connection> Connection::accept(uv_stream_t* listener, std::shared_ptr<Shared> shared) {
  std::shared_ptr<Connection> connection(new Connection(std::move(shared)));
  MR_CHECK(uv_tcp_init(listener->loop, connection->socket_.get()) == 0, "a socket handle can be made");
  connection->socket_->data = connection.get();
  connection->self_ = connection;
  if (uv_accept(listener, reinterpret_cast<uv_stream_t*>(connection->socket_.get())) != 0) {
    connection->close();
    return nullptr;
  }
  uv_tcp_nodelay(connection->socket_.get(), 1);
  connection->peer_ = peer_of(*connection->socket_);
  connection->update_reading();
  return connection;
}

void Connection::set_deadline(Millis after) {
  if (shaking_hands() && deadline_ != Millis{}) return;  // its time is counted from the start
  deadline_ = shared_->clock->uptime() + after;
}

// Reads unless too much waits to be handled or sent.
void Connection::update_reading() {
  const std::size_t most = shared_->settings.unanswered_bytes_max;
  const bool want = phase_ != Phase::Closed && !input_ended_ && unsent_ < most &&
                    (phase_ != Phase::Answering || input_.size() + body_.size() < most);
  if (want == reading_) return;
  reading_ = want;
  auto* stream = reinterpret_cast<uv_stream_t*>(socket_.get());
  if (!want) {
    uv_read_stop(stream);
    return;
  }
  uv_read_start(
      stream,
      [](uv_handle_t* handle, std::size_t, uv_buf_t* buffer) {
        Shared& shared = *static_cast<Connection*>(handle->data)->shared_;
        *buffer = uv_buf_init(shared.read_buffer, sizeof shared.read_buffer);
      },
      [](uv_stream_t* handle, ssize_t count, const uv_buf_t* buffer) {
        static_cast<Connection*>(handle->data)->on_read(count, buffer->base);
      });
}

void Connection::on_read(ssize_t count, const char* bytes) {
  if (count == 0) return;
  const auto alive = shared_from_this();
  if (phase_ == Phase::Lingering) {
    if (count < 0) close();
    return;
  }
  if (count < 0 && count != UV_EOF) return close();
  if (count == UV_EOF) return on_input_end();
  const std::string_view got(bytes, static_cast<std::size_t>(count));
  if (tls_) return receive_protected(got);
  input_.append(got);
  advance();
  update_reading();
}

// The client sends nothing more.
void Connection::on_input_end() {
  input_ended_ = true;
  if (receiving_) return close();
  if (phase_ == Phase::Answering) {
    close_after_ = true;
    update_reading();
    if (const auto exchange = exchange_.lock()) exchange->client_stopped_sending();
    if (const auto stream = stream_.lock()) stream->tell_gone();
    return;
  }
  if (unsent_ == 0) return close();
  close_after_ = true;
}

void Connection::receive_protected(std::string_view bytes) {
  const bool shaking = shaking_hands();
  std::string wire;
  const TlsSession::State state = tls_->receive(bytes, input_, wire);
  if (!wire.empty()) write(std::move(wire));
  if (phase_ == Phase::Closed) return;
  if (state == TlsSession::State::Broken) {
    if (phase_ != Phase::Reading) return close();
    if (!tls_->met_plain_http()) return linger();
    tls_ = nullptr;
    return refuse({400, "this port speaks HTTPS: call it by https://"});
  }
  if (shaking && !shaking_hands()) set_deadline(shared_->settings.idle_time_max);
  advance();
  if (state == TlsSession::State::Ended && phase_ != Phase::Closed && phase_ != Phase::Lingering &&
      !input_ended_)
    return on_input_end();
  update_reading();
}

// Reads requests from the input as long as they are answered at once.
void Connection::advance() {
  if (receiving_) receive_body();
  if (advancing_) return;
  advancing_ = true;
  while (phase_ == Phase::Reading && !input_.empty() && !close_after_ &&
         unsent_ < shared_->settings.unanswered_bytes_max) {
    const std::size_t before = input_.size();
    read_one();
    if (phase_ == Phase::Reading && input_.size() == before) break;  // more must come
  }
  advancing_ = false;
}

void Connection::read_one() {
  if (!in_request_) {
    // Some clients send an empty line behind a body (RFC 9112, 2.2).
    const std::size_t first = input_.find_first_not_of("\r\n");
    input_.erase(0, first == std::string::npos ? input_.size() : first);
    if (input_.empty()) return;
    in_request_ = true;
    continued_ = false;
    set_deadline(shared_->settings.request_time_max);
  }
  std::size_t consumed = 0;
  const RequestParser::State state = parser_.feed(input_, consumed);
  input_.erase(0, consumed);
  if (state == RequestParser::State::Refused) return refuse(parser_.refusal());
  if ((state == RequestParser::State::NeedMore && !continued_ && parser_.wants_continue()) ||
      (state == RequestParser::State::Done && parser_.wants_continue_of_nothing())) {
    continued_ = true;
    send("HTTP/1.1 100 Continue\r\n\r\n");
  }
  if (state == RequestParser::State::NeedMore) return;
  in_request_ = false;
  receiving_ = body_open_ = state == RequestParser::State::Head;
  Request request = parser_.take();
  keep_alive_ = request.keep_alive;
  head_only_ = request.method == "HEAD";
  http10_ = request.http10;
  request.peer = peer_;
  request.secure = tls_ != nullptr;
  phase_ = Phase::Answering;
  auto exchange = std::make_shared<OneExchange>(std::move(request), shared_from_this());
  exchange_ = exchange;
  shared_->handler(std::move(exchange));
}

// What has come of a streamed body goes from the input through the parser to whoever reads it.
void Connection::receive_body() {
  std::size_t consumed = 0;
  const RequestParser::State state = parser_.feed(input_, consumed);
  input_.erase(0, consumed);
  body_ += parser_.take_body();
  if (state == RequestParser::State::Refused) return close();  // nobody can answer before who reads it
  if (state == RequestParser::State::Done) {
    receiving_ = false;
    parser_.finish_body();
  }
  set_deadline(shared_->settings.request_time_max);
  hand_on_body();
}

void Connection::read_body(std::function<void(std::string, bool)> call) {
  if (phase_ == Phase::Closed || !body_open_) return;
  wants_body_ = std::move(call);
  if (receiving_ && !continued_ && body_.empty() && parser_.wants_continue()) {
    continued_ = true;
    send("HTTP/1.1 100 Continue\r\n\r\n");
  }
  if (phase_ == Phase::Closed) return;
  set_deadline(shared_->settings.request_time_max);
  // What came with the head has not been looked at yet.
  if (receiving_ && body_.empty() && !input_.empty())
    receive_body();
  else
    hand_on_body();
  update_reading();
}

void Connection::hand_on_body() {
  if (!wants_body_ || (body_.empty() && receiving_)) return;
  const bool end = !receiving_;
  if (end) body_open_ = false;
  const auto call = std::exchange(wants_body_, nullptr);
  call(std::exchange(body_, {}), end);
}

// An answer begins. What is left of a body that nobody wants can't be told from the next request.
void Connection::leave_body() {
  std::size_t consumed = 0;
  if (receiving_ && !input_.empty() && parser_.feed(input_, consumed) == RequestParser::State::Done) {
    parser_.finish_body();  // all of it had come
    receiving_ = false;
  }
  input_.erase(0, consumed);
  if (receiving_) close_after_ = true;
  receiving_ = body_open_ = false;
  wants_body_ = nullptr;
  body_.clear();
}

void Connection::refuse(const Refusal& refusal) {
  if (phase_ == Phase::Closed) return;
  if (shaking_hands()) return close();
  input_.clear();
  head_only_ = false;
  answer(refusal_response(refusal), true);
}

void Connection::answer(const Response& response, bool last) {
  if (phase_ == Phase::Closed) return;
  const bool keep = keep_alive_ && !last && !close_after_ && !shared_->draining;
  send(serialize(response, date(), keep, head_only_));
  answered(keep);
}

// The answer is written; the next request may come.
void Connection::answered(bool keep) {
  if (phase_ == Phase::Closed) return;
  phase_ = Phase::Reading;
  if (!keep) {
    close_after_ = true;
    if (unsent_ == 0) linger();
    return;
  }
  set_deadline(shared_->settings.idle_time_max);
  advance();
  update_reading();
}

void Connection::send(std::string bytes) {
  if (!tls_) return write(std::move(bytes));
  std::string wire = tls_->protect(bytes);
  if (tls_->state() == TlsSession::State::Broken) return close();
  write(std::move(wire));
}

void Connection::write(std::string bytes) {
  auto* stream = reinterpret_cast<uv_stream_t*>(socket_.get());
  uv_buf_t buffer = uv_buf_init(bytes.data(), static_cast<unsigned>(bytes.size()));
  if (unsent_ == 0) {
    const int written = uv_try_write(stream, &buffer, 1);
    if (written >= 0 && static_cast<std::size_t>(written) == bytes.size()) return;
    if (written < 0 && written != UV_EAGAIN) return close();
    if (written > 0) bytes.erase(0, static_cast<std::size_t>(written));
  }
  auto* write = new Write{{}, std::move(bytes), shared_from_this()};
  write->request.data = write;
  // From when the client was last seen to take something, however much is written to it meanwhile.
  if (unsent_ == 0) set_deadline(shared_->settings.write_time_max);
  unsent_ += write->bytes.size();
  buffer = uv_buf_init(write->bytes.data(), static_cast<unsigned>(write->bytes.size()));
  const int failed = uv_write(&write->request, stream, &buffer, 1, [](uv_write_t* request, int status) {
    const std::unique_ptr<Write> done(static_cast<Write*>(request->data));
    done->connection->sent(done->bytes.size(), status == 0);
  });
  if (failed != 0) {
    delete write;
    close();
  }
}

void Connection::sent(std::size_t bytes, bool ok) {
  unsent_ -= bytes;
  if (phase_ == Phase::Closed) return;
  if (!ok) return close();
  if (const auto stream = stream_.lock()) {
    if (unsent_ > 0) return set_deadline(shared_->settings.write_time_max);
    update_reading();
    return stream->has_room();
  }
  if (unsent_ > 0) return set_deadline(shared_->settings.write_time_max);
  if (close_after_ && phase_ == Phase::Reading) return linger();
  if (phase_ == Phase::Reading) set_deadline(shared_->settings.idle_time_max);
  advance();
  update_reading();
}

// Says that nothing more comes, and reads what the client still sends: closing at once would reset the
// connection, and the client might never see the answer.
void Connection::linger() {
  if (input_ended_) return close();
  phase_ = Phase::Lingering;
  if (tls_) {
    if (std::string wire = tls_->end(); !wire.empty()) write(std::move(wire));
    if (phase_ == Phase::Closed) return;
  }
  set_deadline(kLingerTime);
  auto* shutdown = new uv_shutdown_t;
  const int failed = uv_shutdown(shutdown, reinterpret_cast<uv_stream_t*>(socket_.get()),
                                 [](uv_shutdown_t* request, int) { delete request; });
  if (failed != 0) {
    delete shutdown;
    return close();
  }
  update_reading();
}

void Connection::drain() {
  if (const auto stream = stream_.lock()) return stream->tell_gone();
  if (idle()) close();
}

void Connection::check_deadline(Millis uptime) {
  const bool waiting_for_client = phase_ != Phase::Answering || unsent_ > 0 || (receiving_ && wants_body_);
  if (!waiting_for_client || uptime < deadline_) return;
  if (phase_ == Phase::Reading && in_request_ && unsent_ == 0)
    return refuse({408, "the request did not come to its end in time"});
  close();
}

void Connection::close() {
  if (phase_ == Phase::Closed) return;
  const auto alive = shared_from_this();
  phase_ = Phase::Closed;
  receiving_ = false;
  // Who waits for the body may be the last to hold the exchange: it goes when the exchange knows.
  const auto waiting = std::exchange(wants_body_, nullptr);
  if (tls_ && unsent_ == 0) {
    // Best effort: a client that is gone, or takes nothing, need not hear that we end.
    std::string wire = tls_->end();
    const uv_buf_t buffer = uv_buf_init(wire.data(), static_cast<unsigned>(wire.size()));
    if (!wire.empty()) uv_try_write(reinterpret_cast<uv_stream_t*>(socket_.get()), &buffer, 1);
  }
  uv_close(reinterpret_cast<uv_handle_t*>(socket_.get()), [](uv_handle_t* handle) {
    // The last one that holds it lets it go, at the end of this call.
    const auto last = std::move(static_cast<Connection*>(handle->data)->self_);
  });
  if (const auto exchange = exchange_.lock()) exchange->client_went();
  if (const auto stream = stream_.lock()) stream->client_went();
  if (shared_->on_closed) shared_->on_closed(this);
}

std::string_view Connection::date() {
  const long long second = to_millis(shared_->clock->now()) / 1000;
  if (second != shared_->date_second) {
    shared_->date_second = second;
    shared_->date = imf_date(second);
  }
  return shared_->date;
}

}  // namespace millrace::http
