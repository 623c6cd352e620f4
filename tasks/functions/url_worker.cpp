// A function at a URL: the event is posted there, the answer is the result. One call each, and no process.

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <mutex>
#include <optional>

#include "tasks/functions/host.h"
#include "tasks/functions/worker.h"

namespace millrace::tasks {
namespace {

// Where the answer is left by another thread, which may come when the worker is no more.
struct Mailbox {
  Descriptor wake;
  std::mutex mutex;
  std::optional<Outcome> answer;

  void put(Outcome outcome) {
    {
      const std::lock_guard lock(mutex);
      answer = std::move(outcome);
    }
    const std::uint64_t one = 1;
    (void)!::write(wake.get(), &one, sizeof one);
  }
};

class UrlWorker final : public Worker {
 public:
  UrlWorker(const Function& function, std::string stream, UrlCaller caller, std::size_t response_bytes_max)
      : Worker(std::move(stream)), caller_(std::move(caller)), mailbox_(std::make_shared<Mailbox>()) {
    call_.url = function.url;
    call_.headers = function.headers;
    call_.connection = function.connection;
    call_.response_bytes_max = response_bytes_max;
  }
  ~UrlWorker() override {
    if (cancel_) cancel_();
  }

  Status open() {
    mailbox_->wake = Descriptor(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (mailbox_->wake.get() >= 0) return {};
    return fail(ErrorCode::Unavailable, std::string("can't make an eventfd: ") + std::strerror(errno));
  }

  void waits_for(std::vector<pollfd>& polled) const override {
    polled.push_back({mailbox_->wake.get(), POLLIN, 0});
  }

  void send(const WorkerRequest& request) override {
    UrlCall call = call_;
    call.event = Payload::literal(request.event);
    call.request_id = request.id;
    call.arn = request.arn;
    call.client_context = request.client;
    call.deadline = request.deadline;
    // The pool ends it in time, and says so as Lambda does.
    call.time_max = request.timeout + kMargin;
    cancel_ = caller_(std::move(call), [box = mailbox_](Outcome outcome) { box->put(std::move(outcome)); });
  }

  std::vector<WorkerMessage> pump() override {
    std::optional<Outcome> answer;
    {
      const std::lock_guard lock(mailbox_->mutex);
      answer = std::exchange(mailbox_->answer, std::nullopt);
    }
    if (!answer) return {};
    cancel_ = {};
    if (*answer) return {{WorkerMessage::Kind::Result, std::string((*answer)->text())}};
    const Failure& failure = answer->error();
    const auto object = Payload::parse(failure.cause);
    const bool said = object && object->view().is_object() && object->view().find("errorType");
    return {
        {WorkerMessage::Kind::Error, said ? failure.cause : function_error(failure.error, failure.cause)}};
  }
  bool reusable() const override { return false; }

 private:
  static constexpr Millis kMargin{5000};

  UrlCall call_;
  const UrlCaller caller_;
  const std::shared_ptr<Mailbox> mailbox_;
  std::function<void()> cancel_;
};

}  // namespace

Result<std::unique_ptr<Worker>> start_url_worker(const Function& function, const std::string& stream,
                                                 const UrlCaller& caller, std::size_t response_bytes_max) {
  if (!caller) return invalid("functions at a URL are not called here");
  auto worker = std::make_unique<UrlWorker>(function, stream, caller, response_bytes_max);
  MR_DO(worker->open());
  return std::unique_ptr<Worker>(std::move(worker));
}

}  // namespace millrace::tasks
