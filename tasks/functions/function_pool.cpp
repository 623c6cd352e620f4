#include "tasks/functions/function_pool.h"

#include <algorithm>
#include <cstdio>

#include "base/log.h"
#include "base/payload.h"

namespace millrace::tasks {
namespace {

using Kind = InvocationAnswer::Kind;

constexpr Millis kLookAgain{100};   // how often a function's files are looked at, at most
constexpr Millis kInitMax{60'000};  // a process has that long to load its module, besides its first timeout
constexpr std::size_t kTailBytes = 4096;
constexpr int kStartingMax = 2;  // processes of one function that start at the same time

std::string with_id(const std::string& request_id, const std::string& what) {
  return "RequestId: " + request_id + " Error: " + what;
}

std::string seconds(Millis time) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", static_cast<double>(time.count()) / 1000);
  return text;
}

}  // namespace

struct FunctionPool::Seat {
  std::unique_ptr<Worker> worker;
  std::uint64_t revision = 0;  // of the function's files
  bool ready = false;          // its module is loaded
  std::optional<FunctionJob> job;
  Millis began{0}, ends{0};  // uptime; `ends` of the job, or of its idling
  std::string tail;
};

FunctionPool::FunctionPool(const FunctionHost::Settings& settings, const Clock& clock, RequestIds& ids,
                           std::string name)
    : settings_(settings),
      clock_(clock),
      ids_(ids),
      name_(std::move(name)),
      log_(settings.logs / (is_function_name(name_) ? name_ : "_")) {}

FunctionPool::~FunctionPool() = default;

void FunctionPool::say(std::string_view text) {
  const Instant now = clock_.now();
  log_.write(now, text);
  if (settings_.also_log) settings_.also_log(name_, now, text);
}

bool FunctionPool::cancel(std::uint64_t id) {
  const auto waiting =
      std::find_if(queue_.begin(), queue_.end(), [&](const FunctionJob& job) { return job.id == id; });
  if (waiting != queue_.end()) {
    queue_.erase(waiting);
    return true;
  }
  const auto seat =
      std::find_if(seats_.begin(), seats_.end(), [&](const auto& s) { return s->job && s->job->id == id; });
  if (seat == seats_.end()) return false;
  take_log(**seat);
  say("RequestId: " + (*seat)->job->request_id + " cancelled by its workflow\n");
  seats_.erase(seat);
  return true;
}

void FunctionPool::fail_waiting(Kind kind, const std::string& why) {
  std::deque<FunctionJob> failed;
  failed.swap(queue_);
  for (FunctionJob& job : failed) {
    InvocationAnswer answer;
    answer.kind = kind;
    answer.error = why;
    answer.request_id = ids_.next();
    job.reply(std::move(answer));
  }
}

// Looks at the files again. Workers of older files finish what they do and take nothing new.
void FunctionPool::refresh() {
  const Millis now = clock_.uptime();
  if (function_ && now < look_again_) return;
  Result<Function> loaded = load_function(settings_.functions, name_);
  // A folder of very many files takes its time to look at, and is looked at less often.
  const Millis after = clock_.uptime();
  look_again_ = after + std::max(kLookAgain, 20 * (after - now));
  if (!loaded) {
    const Error& error = loaded.error();
    function_.reset();
    fail_waiting(error.code == ErrorCode::NotFound ? Kind::NotFound : Kind::CannotRun,
                 error.hint.empty() ? error.message : error.message + " (" + error.hint + ")");
    return;
  }
  if (!function_ || function_->modified_ms != loaded->modified_ms || function_->bytes != loaded->bytes)
    ++revision_;
  function_ = std::move(*loaded);
}

int FunctionPool::dispatch(int starts_max) {
  int started = 0;
  if (!queue_.empty()) refresh();
  seats_.remove_if(
      [&](const auto& seat) { return !seat->job && seat->ready && seat->revision != revision_; });
  while (!queue_.empty()) {
    const auto free = std::find_if(seats_.begin(), seats_.end(), [&](const auto& seat) {
      return !seat->job && seat->revision == revision_ && (seat->ready || !seat->worker->reusable());
    });
    if (free == seats_.end()) break;
    begin(**free);
  }
  const auto starting = [&] {
    return std::count_if(seats_.begin(), seats_.end(), [](const auto& seat) { return !seat->ready; });
  };
  while (starting() < std::min<std::ptrdiff_t>(kStartingMax, static_cast<std::ptrdiff_t>(queue_.size())) &&
         seats_.size() < static_cast<std::size_t>(function_ ? function_->concurrency : 0) &&
         started < starts_max) {
    if (!start_seat()) break;
    ++started;
  }
  return started;
}

bool FunctionPool::start_seat() {
  const std::string now = format_rfc3339(clock_.now());
  const std::string stream = now.substr(0, 4) + "/" + now.substr(5, 2) + "/" + now.substr(8, 2) +
                             "/[$LATEST]" + ids_.next().substr(0, 8);
  auto worker = start_worker(*function_, stream, settings_.call_url, settings_.response_bytes_max);
  if (!worker) {
    const Error& error = worker.error();
    fail_waiting(Kind::CannotRun,
                 error.hint.empty() ? error.message : error.message + " (" + error.hint + ")");
    return false;
  }
  auto seat = std::make_unique<Seat>();
  seat->worker = std::move(*worker);
  seat->revision = revision_;
  seat->ends = clock_.uptime() + kInitMax;
  seat->ready = !seat->worker->reusable();
  seats_.push_back(std::move(seat));
  if (seats_.back()->ready) begin(*seats_.back());
  return true;
}

void FunctionPool::begin(Seat& seat) {
  seat.job = std::move(queue_.front());
  queue_.pop_front();
  seat.began = clock_.uptime();
  seat.ends = seat.began + function_->timeout;
  seat.tail.clear();
  FunctionJob& job = *seat.job;
  job.request_id = ids_.next();
  take_log(seat);
  seat.tail = "START RequestId: " + job.request_id + " Version: " + job.invocation.version + "\n";
  say(seat.tail);
  WorkerRequest request;
  request.id = job.request_id;
  request.arn = job.invocation.arn;
  request.version = job.invocation.version;
  request.event = job.invocation.event.text();
  request.client = job.invocation.client_context;
  request.timeout = function_->timeout;
  request.deadline = clock_.now() + function_->timeout;
  seat.worker->send(request);
}

void FunctionPool::take_log(Seat& seat) {
  const std::string output = seat.worker->take_output();
  if (output.empty()) return;
  say(output);
  seat.tail += output;
  if (seat.tail.size() > 2 * kTailBytes) seat.tail.erase(0, seat.tail.size() - kTailBytes);
}

void FunctionPool::waits_for(std::vector<pollfd>& polled) const {
  for (const auto& seat : seats_) seat->worker->waits_for(polled);
}

void FunctionPool::pump() {
  for (auto seat = seats_.begin(); seat != seats_.end();) {
    bool keep = true;
    for (WorkerMessage& message : (*seat)->worker->pump()) keep = keep && handle(**seat, std::move(message));
    if (keep) take_log(**seat);
    seat = keep ? std::next(seat) : seats_.erase(seat);
  }
}

void FunctionPool::answer(Seat& seat, InvocationAnswer answer) {
  take_log(seat);
  FunctionJob job = std::move(*seat.job);
  seat.job.reset();
  const std::int64_t took = (clock_.uptime() - seat.began).count();
  if (!seat.tail.empty() && seat.tail.back() != '\n') seat.tail += '\n';
  const std::string end = "END RequestId: " + job.request_id + "\nREPORT RequestId: " + job.request_id +
                          "\tDuration: " + std::to_string(took) + " ms\n";
  say(end);
  answer.request_id = job.request_id;
  if (job.invocation.tail) {
    answer.log_tail = seat.tail + end;
    if (answer.log_tail.size() > kTailBytes) answer.log_tail.erase(0, answer.log_tail.size() - kTailBytes);
  }
  seat.ends = clock_.uptime() + settings_.idle_max;
  job.reply(std::move(answer));
}

InvocationAnswer FunctionPool::result_of(const Seat& seat, const std::string& body) const {
  InvocationAnswer answer;
  answer.kind = Kind::Error;
  if (body.size() > settings_.response_bytes_max) {
    answer.error = function_error("Function.ResponseSizeTooLarge",
                                  "Response payload size exceeded maximum allowed payload size (" +
                                      std::to_string(settings_.response_bytes_max) + " bytes).");
    return answer;
  }
  auto parsed = Payload::parse(body);
  if (!parsed) {
    answer.error =
        function_error("Runtime.MarshalError",
                       with_id(seat.job->request_id, "the result is not JSON: " + parsed.error().message));
    return answer;
  }
  answer.kind = Kind::Result;
  answer.payload = std::move(*parsed);
  return answer;
}

bool FunctionPool::handle(Seat& seat, WorkerMessage message) {
  InvocationAnswer failed;
  failed.kind = Kind::Error;
  switch (message.kind) {
    case WorkerMessage::Kind::Ready:
      seat.ready = true;
      if (!seat.job) seat.ends = clock_.uptime() + settings_.idle_max;
      return true;
    case WorkerMessage::Kind::Result:
      if (seat.job) answer(seat, result_of(seat, message.body));
      return seat.worker->reusable();
    case WorkerMessage::Kind::Error:
      failed.error = std::move(message.body);
      if (seat.job) answer(seat, std::move(failed));
      return seat.worker->reusable();
    case WorkerMessage::Kind::InitError:
    case WorkerMessage::Kind::Closed:
      break;
  }
  // It ended before it could take an event: the one who waits longest hears why.
  take_log(seat);
  if (!seat.job && seat.ready) return false;
  if (!seat.job) {
    if (queue_.empty()) return false;
    seat.job = std::move(queue_.front());
    queue_.pop_front();
    seat.job->request_id = ids_.next();
    seat.began = clock_.uptime();
  }
  if (message.kind == WorkerMessage::Kind::InitError) {
    failed.error = std::move(message.body);
  } else {
    const std::string end = seat.worker->how_it_ended();
    log::warning("a function's process ended before it answered",
                 {{"function", name_}, {"how", end}, {"request", seat.job->request_id}});
    take_log(seat);
    failed.error = function_error(
        "Runtime.ExitError",
        with_id(seat.job->request_id, end == "exit status 0" ? "Runtime exited without providing a reason"
                                                             : "Runtime exited with error: " + end));
  }
  answer(seat, std::move(failed));
  return false;
}

void FunctionPool::time_out(Seat& seat) {
  InvocationAnswer answer_;
  answer_.kind = Kind::Error;
  answer_.error =
      function_error("Sandbox.Timedout",
                     with_id(seat.job->request_id,
                             "Task timed out after " + seconds(clock_.uptime() - seat.began) + " seconds"));
  answer(seat, std::move(answer_));
}

std::optional<Millis> FunctionPool::expire(Millis now) {
  std::optional<Millis> next;
  for (auto seat = seats_.begin(); seat != seats_.end();) {
    if ((*seat)->ends > now) {
      if (!next || (*seat)->ends < *next) next = (*seat)->ends;
      ++seat;
      continue;
    }
    if ((*seat)->job) {
      time_out(**seat);
    } else if (!(*seat)->ready && !queue_.empty()) {
      (*seat)->job = std::move(queue_.front());
      queue_.pop_front();
      (*seat)->job->request_id = ids_.next();
      (*seat)->began = now - kInitMax;
      time_out(**seat);
    }
    seat = seats_.erase(seat);
  }
  return next;
}

bool FunctionPool::drop_idle_worker() {
  const auto idle =
      std::find_if(seats_.begin(), seats_.end(), [](const auto& seat) { return !seat->job && seat->ready; });
  if (idle == seats_.end()) return false;
  seats_.erase(idle);
  return true;
}

}  // namespace millrace::tasks
