// Python and Node: a driver of ours in a warm process loads the module once and calls its handler for each
// event. The frames are described in drivers.h.

#include <cstring>

#include "base/payload.h"
#include "tasks/functions/drivers.h"
#include "tasks/functions/host.h"
#include "tasks/functions/worker.h"

namespace millrace::tasks {
namespace {

constexpr std::size_t kHeadBytes = 5;
constexpr std::size_t kAnswerBytesMax = 64 << 20;  // more than that is not even read

void append_size(std::string& out, std::size_t size) {
  const auto n = static_cast<std::uint32_t>(size);
  for (int shift = 0; shift < 32; shift += 8) out.push_back(static_cast<char>((n >> shift) & 0xFF));
}

std::uint32_t size_at(std::string_view bytes) {
  std::uint32_t n = 0;
  for (int i = 3; i >= 0; --i) n = (n << 8) | static_cast<unsigned char>(bytes[static_cast<std::size_t>(i)]);
  return n;
}

WorkerMessage::Kind kind_of(char letter) {
  switch (letter) {
    case 'I':
      return WorkerMessage::Kind::Ready;
    case 'R':
      return WorkerMessage::Kind::Result;
    case 'E':
      return WorkerMessage::Kind::Error;
    default:
      return WorkerMessage::Kind::InitError;
  }
}

class FrameWorker final : public Worker {
 public:
  FrameWorker(const Function& function, std::string stream)
      : Worker(std::move(stream)),
        name_(function.name),
        memory_(function.memory_mb > 0 ? function.memory_mb : 10'240) {}

  Status open(const Function& function) {
    Descriptor theirs;
    MR_DO(make_socket_pair(socket_, theirs));
    Start how;
    const bool python = function.kind == FunctionKind::Python;
    how.arguments = {function.runtime, python ? "-c" : "-e",
                     std::string(python ? python_driver() : node_driver()), function.module,
                     function.handler};
    how.channel = theirs.get();
    return start(function, how);
  }

  void waits_for(std::vector<pollfd>& polled) const override {
    const short events = static_cast<short>(outbox_.empty() ? POLLIN : POLLIN | POLLOUT);
    if (socket_.get() >= 0) polled.push_back({socket_.get(), events, 0});
    if (output_descriptor() >= 0) polled.push_back({output_descriptor(), POLLIN, 0});
  }

  void send(const WorkerRequest& request) override {
    JsonWriter header;
    header.begin_object();
    header.key("id").string(request.id).key("arn").string(request.arn);
    header.key("function").string(name_).key("version").string(request.version);
    header.key("timeout").number(std::int64_t{request.timeout.count()});
    header.key("memory").number(static_cast<std::int64_t>(memory_));
    if (!request.client.empty()) {
      if (const auto client = Payload::parse(request.client)) header.key("client").value(*client);
    }
    header.end_object();
    const Payload text = header.finish();
    append_size(outbox_, text.size());
    append_size(outbox_, request.event.size());
    outbox_.append(text.text()).append(request.event);
    if (!write_available(socket_.get(), outbox_)) outbox_.clear();
  }

  std::vector<WorkerMessage> pump() override {
    std::vector<WorkerMessage> messages;
    if (socket_.get() < 0) return messages;
    if (!outbox_.empty() && !write_available(socket_.get(), outbox_)) outbox_.clear();
    const bool open = read_available(socket_.get(), inbox_, kReadBytes);
    std::size_t at = 0;
    while (inbox_.size() - at >= kHeadBytes) {
      const std::size_t size = size_at(std::string_view(inbox_).substr(at + 1));
      if (size > kAnswerBytesMax) {
        messages.push_back({WorkerMessage::Kind::Error,
                            function_error("Function.ResponseSizeTooLarge",
                                           "Response payload size exceeded maximum allowed payload size (" +
                                               std::to_string(kAnswerBytesMax) + " bytes).")});
        messages.push_back({WorkerMessage::Kind::Closed});
        return messages;
      }
      if (inbox_.size() - at - kHeadBytes < size) break;
      messages.push_back({kind_of(inbox_[at]), inbox_.substr(at + kHeadBytes, size)});
      at += kHeadBytes + size;
    }
    inbox_.erase(0, at);
    if (!open) {
      socket_.close();
      messages.push_back({WorkerMessage::Kind::Closed});
    }
    return messages;
  }

 private:
  const std::string name_;
  const std::uint64_t memory_;
  Descriptor socket_;
  std::string inbox_, outbox_;
};

}  // namespace

Result<std::unique_ptr<Worker>> start_frame_worker(const Function& function, const std::string& stream) {
  auto worker = std::make_unique<FrameWorker>(function, stream);
  MR_DO(worker->open(function));
  return std::unique_ptr<Worker>(std::move(worker));
}

}  // namespace millrace::tasks
