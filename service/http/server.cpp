#include "service/http/server.h"

#include <uv.h>

#include <unordered_set>

#include "base/check.h"
#include "service/http/connection.h"

namespace millrace::http {
namespace {

constexpr Millis kSweep{1000};  // how often deadlines are looked at
constexpr int kBacklog = 511;

class UvServer final : public Server {
 public:
  UvServer(orchestrator::UvLoop& loop, ServerSettings settings, Handler handler)
      : loop_(loop), shared_(std::make_shared<Shared>()), listener_(new uv_tcp_t) {
    shared_->settings = std::move(settings);
    shared_->handler = std::move(handler);
    shared_->clock = &loop.clock();
    shared_->on_closed = [this](Connection* connection) { closed(connection); };
    MR_CHECK(uv_tcp_init(loop.handle(), listener_) == 0, "a socket handle can be made");
    listener_->data = this;
  }
  ~UvServer() override {
    loop_.cancel(sweep_);
    stop_listening();
    shared_->on_closed = nullptr;
    for (Connection* connection : std::unordered_set<Connection*>(connections_)) connection->close();
    // Closed handles may outlive this object until the loop has run again; the handler must not.
    shared_->handler = nullptr;
  }

  Status start(const Address& address) {
    sockaddr_storage where{};
    const bool v6 = address.host.find(':') != std::string::npos;
    const int parsed =
        v6 ? uv_ip6_addr(address.host.c_str(), address.port, reinterpret_cast<sockaddr_in6*>(&where))
           : uv_ip4_addr(address.host.c_str(), address.port, reinterpret_cast<sockaddr_in*>(&where));
    if (parsed != 0) return invalid("'" + address.host + "' is no IP address");
    int failed = uv_tcp_bind(listener_, reinterpret_cast<sockaddr*>(&where), 0);
    if (failed == 0) {
      failed = uv_listen(reinterpret_cast<uv_stream_t*>(listener_), kBacklog, [](uv_stream_t* s, int status) {
        if (status == 0) static_cast<UvServer*>(s->data)->accept();
      });
    }
    if (failed != 0) {
      const std::string at = address.host + ":" + std::to_string(address.port);
      return fail(failed == UV_EADDRINUSE ? ErrorCode::Unavailable : ErrorCode::InvalidArgument,
                  "can't listen on " + at + ": " + uv_strerror(failed),
                  "choose another address with --listen HOST:PORT; port 0 takes a free one");
    }
    int length = sizeof where;
    MR_CHECK(uv_tcp_getsockname(listener_, reinterpret_cast<sockaddr*>(&where), &length) == 0,
             "a listening socket has a name");
    port_ = ntohs(v6 ? reinterpret_cast<sockaddr_in6*>(&where)->sin6_port
                     : reinterpret_cast<sockaddr_in*>(&where)->sin_port);
    sweep();
    return {};
  }

  int port() const override { return port_; }
  std::size_t connections() const override { return connections_.size(); }

  void drain(std::function<void()> done) override {
    stop_listening();
    shared_->draining = true;
    drained_ = std::move(done);
    drain_until_ = loop_.clock().uptime() + shared_->settings.drain_time_max;
    for (Connection* connection : std::unordered_set<Connection*>(connections_)) connection->drain();
    look_whether_drained();
  }

 private:
  void accept() {
    auto connection = Connection::accept(reinterpret_cast<uv_stream_t*>(listener_), shared_);
    if (!connection) return;
    connections_.insert(connection.get());
    if (connections_.size() > shared_->settings.connections_max)
      connection->refuse({503, "too many connections; try again later"});
  }
  void closed(Connection* connection) {
    connections_.erase(connection);
    look_whether_drained();
  }
  void stop_listening() {
    if (!listener_) return;
    uv_close(reinterpret_cast<uv_handle_t*>(listener_),
             [](uv_handle_t* handle) { delete reinterpret_cast<uv_tcp_t*>(handle); });
    listener_ = nullptr;
  }
  void sweep() {
    const Millis uptime = loop_.clock().uptime();
    for (Connection* connection : std::unordered_set<Connection*>(connections_))
      connection->check_deadline(uptime);
    look_whether_drained();
    sweep_ = loop_.at(loop_.clock().now() + kSweep, [this] { sweep(); });
  }
  void look_whether_drained() {
    if (!drained_) return;
    if (!connections_.empty() && loop_.clock().uptime() < drain_until_) return;
    const auto done = std::exchange(drained_, nullptr);
    loop_.post(done);
  }

  orchestrator::UvLoop& loop_;
  std::shared_ptr<Shared> shared_;
  uv_tcp_t* listener_;
  int port_ = 0;
  std::unordered_set<Connection*> connections_;
  orchestrator::TimerHandle sweep_ = 0;
  std::function<void()> drained_;
  Millis drain_until_{};
};

}  // namespace

Result<std::unique_ptr<Server>> listen(orchestrator::UvLoop& loop, const Address& address,
                                       ServerSettings settings, Handler handler) {
  auto server = std::make_unique<UvServer>(loop, std::move(settings), std::move(handler));
  MR_DO(server->start(address));
  return std::unique_ptr<Server>(std::move(server));
}

}  // namespace millrace::http
