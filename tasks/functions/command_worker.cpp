// A program started for each invocation: the event on its standard input, the result on its standard output,
// its log on standard error. Exit status 0 is success; else what it printed is the error object if it is one
// ({"errorType", "errorMessage"}), or Runtime.ExitError.

#include <sys/socket.h>

#include "base/payload.h"
#include "tasks/functions/worker.h"

namespace millrace::tasks {
namespace {

class CommandWorker final : public Worker {
 public:
  explicit CommandWorker(std::string stream) : Worker(std::move(stream)) {}

  Status open(const Function& function) {
    Descriptor theirs;
    MR_DO(make_socket_pair(socket_, theirs));
    Start how;
    how.arguments = function.command;
    // "./program" is in the function's folder.
    if (how.arguments[0].starts_with("./"))
      how.arguments[0] = (function.directory / how.arguments[0]).string();
    how.input = how.output = theirs.get();
    return start(function, how);
  }

  void waits_for(std::vector<pollfd>& polled) const override {
    const short events = static_cast<short>(outbox_.empty() ? POLLIN : POLLIN | POLLOUT);
    if (socket_.get() >= 0) polled.push_back({socket_.get(), events, 0});
    if (output_descriptor() >= 0) polled.push_back({output_descriptor(), POLLIN, 0});
  }

  void send(const WorkerRequest& request) override {
    outbox_.append(request.event);
    sending_ = true;
    write_some();
  }

  std::vector<WorkerMessage> pump() override {
    std::vector<WorkerMessage> messages;
    if (!said_ready_) messages.push_back({WorkerMessage::Kind::Ready});
    said_ready_ = true;
    if (socket_.get() < 0) return messages;
    write_some();
    if (read_available(socket_.get(), inbox_, kReadBytes)) return messages;
    socket_.close();
    const std::string end = how_it_ended();
    const auto output = Payload::parse(inbox_);
    if (end == "exit status 0")
      messages.push_back(output ? WorkerMessage{WorkerMessage::Kind::Result, std::string(output->text())}
                                : no_json(output.error().message));
    else if (output && output->view().is_object() && output->view().find("errorType"))
      messages.push_back({WorkerMessage::Kind::Error, std::string(output->text())});
    messages.push_back({WorkerMessage::Kind::Closed});
    return messages;
  }
  bool reusable() const override { return false; }

 private:
  void write_some() {
    if (!sending_) return;
    if (!write_available(socket_.get(), outbox_))
      outbox_.clear();  // it does not read its input, which is fine
    if (!outbox_.empty()) return;
    sending_ = false;
    ::shutdown(socket_.get(), SHUT_WR);
  }

  static WorkerMessage no_json(const std::string& why) {
    JsonWriter out;
    out.begin_object();
    out.key("errorMessage").string("the program's standard output is not JSON: " + why);
    out.key("errorType").string("Runtime.MarshalError");
    out.end_object();
    return {WorkerMessage::Kind::Error, std::string(out.finish().text())};
  }

  Descriptor socket_;
  std::string inbox_, outbox_;
  bool said_ready_ = false, sending_ = false;
};

}  // namespace

Result<std::unique_ptr<Worker>> start_command_worker(const Function& function, const std::string& stream) {
  auto worker = std::make_unique<CommandWorker>(stream);
  MR_DO(worker->open(function));
  return std::unique_ptr<Worker>(std::move(worker));
}

}  // namespace millrace::tasks
