// An executable that speaks the Lambda Runtime API: it asks for its next event by HTTP and posts what came of
// it. Each process has a port of its own on the loopback interface, so that what is asked there can only be
// about it. Source: AWS Lambda developer guide, "Using the Lambda runtime API for custom runtimes".

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cerrno>
#include <cstring>
#include <list>
#include <memory>
#include <optional>

#include "base/payload.h"
#include "tasks/functions/host.h"
#include "tasks/functions/worker.h"

namespace millrace::tasks {
namespace {

namespace http = boost::beast::http;
using Request = http::request_parser<http::string_body>;

constexpr std::string_view kRoot = "/2018-06-01/runtime/";

struct Connection {
  Descriptor socket;
  std::string inbox, outbox;
  std::unique_ptr<Request> request;
  bool waits_for_event = false, closing = false;
};

std::string response(std::string_view status, std::string_view headers, std::string_view body) {
  std::string out = "HTTP/1.1 " + std::string(status) + "\r\nContent-Type: application/json\r\n";
  out.append(headers);
  out += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n";
  out.append(body);
  return out;
}

// The error object as it was posted; what lacks a type gets the one of the header.
std::string error_object(const std::string& body, const std::string& type) {
  const auto parsed = Payload::parse(body);
  if (!parsed || !parsed->view().is_object())
    return function_error(type.empty() ? "Runtime.Unknown" : type, body);
  if (parsed->view().find("errorType") || type.empty()) return std::string(parsed->text());
  JsonWriter out;
  out.begin_object();
  for (const auto [key, value] : parsed->view().members()) out.key(key).value(value);
  out.key("errorType").string(type).end_object();
  return std::string(out.finish().text());
}

class RuntimeApiWorker final : public Worker {
 public:
  explicit RuntimeApiWorker(std::string stream) : Worker(std::move(stream)) {}

  Status open(const Function& function) {
    MR_TRY(port, listen());
    Descriptor theirs;
    MR_DO(make_socket_pair(lifeline_, theirs));
    Start how;
    how.arguments = function.command;
    how.environment = {"AWS_LAMBDA_RUNTIME_API=127.0.0.1:" + std::to_string(port)};
    how.channel = theirs.get();
    return start(function, how);
  }

  void waits_for(std::vector<pollfd>& polled) const override {
    if (lifeline_.get() < 0) return;
    polled.push_back({lifeline_.get(), POLLIN, 0});
    polled.push_back({listener_.get(), POLLIN, 0});
    if (output_descriptor() >= 0) polled.push_back({output_descriptor(), POLLIN, 0});
    for (const Connection& c : connections_) {
      const short events = static_cast<short>(c.outbox.empty() ? POLLIN : POLLIN | POLLOUT);
      polled.push_back({c.socket.get(), events, 0});
    }
  }

  void send(const WorkerRequest& request) override {
    event_ = std::string(request.event);
    id_ = request.id;
    headers_ = "Lambda-Runtime-Aws-Request-Id: " + request.id +
               "\r\nLambda-Runtime-Deadline-Ms: " + std::to_string(to_millis(request.deadline)) +
               "\r\nLambda-Runtime-Invoked-Function-Arn: " + request.arn +
               "\r\nLambda-Runtime-Trace-Id: Root=1-" + request.id.substr(0, 8) + "-" + std::string(24, '0') +
               "\r\n";
    if (!request.client.empty())
      headers_ += "Lambda-Runtime-Client-Context: " + std::string(request.client) + "\r\n";
    for (Connection& c : connections_) {
      if (!c.waits_for_event || !event_) continue;
      hand_over(c);
      if (!write_available(c.socket.get(), c.outbox)) c.closing = true;
    }
  }

  std::vector<WorkerMessage> pump() override {
    messages_.clear();
    if (lifeline_.get() < 0) return {};
    for (int fd; (fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0;) {
      connections_.emplace_back();
      connections_.back().socket = Descriptor(fd);
    }
    for (auto c = connections_.begin(); c != connections_.end();)
      c = serve(*c) ? std::next(c) : connections_.erase(c);
    std::string ignored;
    if (!read_available(lifeline_.get(), ignored, kReadBytes)) {
      lifeline_.close();
      messages_.push_back({WorkerMessage::Kind::Closed});
    }
    return std::move(messages_);
  }

 private:
  Result<int> listen() {
    const auto failed = [] {
      return fail(ErrorCode::Unavailable,
                  std::string("can't listen on the loopback interface: ") + std::strerror(errno));
    };
    listener_ = Descriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (listener_.get() < 0 || ::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::listen(listener_.get(), 16) != 0 ||
        ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
      return failed();
    return ntohs(address.sin_port);
  }

  void hand_over(Connection& c) {
    c.outbox += response("200 OK", headers_, *event_);
    c.waits_for_event = false;
    event_.reset();
  }

  // False: the connection is over.
  bool serve(Connection& c) {
    const bool open = read_available(c.socket.get(), c.inbox, kReadBytes);
    while (!c.inbox.empty() && !c.closing && parse_one(c)) {
    }
    if (!write_available(c.socket.get(), c.outbox)) return false;
    return open && !(c.closing && c.outbox.empty());
  }

  // True: a whole request was there and has been answered, there may be more.
  bool parse_one(Connection& c) {
    if (!c.request) {
      c.request = std::make_unique<Request>();
      c.request->body_limit(kReadBytes);
      c.request->eager(true);
    }
    const bool headers_before = c.request->is_header_done();
    boost::system::error_code error;
    const std::size_t used = c.request->put(boost::asio::buffer(c.inbox), error);
    c.inbox.erase(0, used);
    if (error && error != http::error::need_more) {
      c.outbox += response("400 Bad Request", "", "{}");
      c.closing = true;
      return false;
    }
    if (!c.request->is_done()) {
      // curl asks before it sends more than a megabyte.
      if (!headers_before && c.request->is_header_done() && c.request->get().count(http::field::expect) > 0)
        c.outbox += "HTTP/1.1 100 Continue\r\n\r\n";
      return false;
    }
    const std::unique_ptr<Request> request = std::move(c.request);
    answer(c, *request);
    if (!request->keep_alive()) c.closing = !c.waits_for_event;
    return true;
  }

  void answer(Connection& c, Request& request) {
    const auto target_view = request.get().target();
    std::string_view target(target_view.data(), target_view.size());
    const std::string& body = request.get().body();
    const auto type_view = request.get()["Lambda-Runtime-Function-Error-Type"];
    const std::string type(type_view.data(), type_view.size());
    if (!target.starts_with(kRoot)) return unknown(c);
    target.remove_prefix(kRoot.size());
    if (target == "invocation/next") return next(c);
    if (target == "init/error") {
      messages_.push_back({WorkerMessage::Kind::InitError, error_object(body, type)});
    } else if (target == "invocation/" + id_ + "/response") {
      messages_.push_back({WorkerMessage::Kind::Result, body});
    } else if (target == "invocation/" + id_ + "/error") {
      messages_.push_back({WorkerMessage::Kind::Error, error_object(body, type)});
    } else {
      return unknown(c);
    }
    c.outbox += response("202 Accepted", "", R"({"status":"OK"})");
  }

  void next(Connection& c) {
    if (!ready_) messages_.push_back({WorkerMessage::Kind::Ready});
    ready_ = true;
    c.waits_for_event = true;
    if (event_) hand_over(c);
  }

  static void unknown(Connection& c) {
    c.outbox += response("404 Not Found", "",
                         function_error("InvalidRequest", "no such operation, or not the request under way"));
  }

  Descriptor listener_, lifeline_;
  std::list<Connection> connections_;
  std::optional<std::string> event_;  // not yet handed over
  std::string id_, headers_;
  std::vector<WorkerMessage> messages_;
  bool ready_ = false;
};

}  // namespace

Result<std::unique_ptr<Worker>> start_runtime_api_worker(const Function& function,
                                                         const std::string& stream) {
  auto worker = std::make_unique<RuntimeApiWorker>(stream);
  MR_DO(worker->open(function));
  return std::unique_ptr<Worker>(std::move(worker));
}

}  // namespace millrace::tasks
