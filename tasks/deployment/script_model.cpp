#include "tasks/deployment/script_model.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <deque>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/log.h"
#include "base/time.h"
#include "tasks/arguments.h"
#include "tasks/deployment/script_driver.h"
#include "tasks/script/environment.h"
#include "tasks/script/process.h"

namespace millrace::tasks {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kScriptTailLines = 20, kScriptTailBytes = 1024;
constexpr std::size_t kScriptAnswerBytesMax = 32u << 20;
constexpr long kScriptLogBytesMax = 16L << 20;  // of a log file; one older is kept
constexpr Millis kPingEvery{20}, kPingMax{2'000}, kWorkerStopGrace{1'000};
constexpr Millis kBackOffMin{500}, kBackOffMax{60'000};
constexpr int kBackOffDoublingsMax = 7;

struct CurlClose {
  void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using CurlHandle = std::unique_ptr<CURL, CurlClose>;
using CurlHeaders = std::unique_ptr<curl_slist, CurlClose>;

// A port that nobody has now. Whoever loses the race for it ends and is started
// again with another.
Result<int> free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return fail(ErrorCode::Unavailable, std::string("can't make a socket: ") + std::strerror(errno));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  const bool bound = ::bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                     ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  ::close(fd);
  if (!bound)
    return fail(ErrorCode::Unavailable, std::string("there is no free port: ") + std::strerror(errno));
  return int{ntohs(address.sin_port)};
}

struct TakenBody {
  std::string bytes;
  bool too_large = false;
};

std::size_t take_answer(char* data, std::size_t size, std::size_t count, void* into) {
  auto& taken = *static_cast<TakenBody*>(into);
  taken.too_large = taken.bytes.size() + size * count > kScriptAnswerBytesMax;
  if (taken.too_large) return 0;
  taken.bytes.append(data, size * count);
  return size * count;
}

void add_header(CurlHeaders& headers, const char* name, std::string_view value) {
  if (value.empty() || value.find_first_of("\r\n") != std::string_view::npos) return;
  const std::string line = std::string(name) + ": " + std::string(value);
  if (curl_slist* longer = curl_slist_append(headers.get(), line.c_str())) {
    static_cast<void>(headers.release());
    headers.reset(longer);
  }
}

bool is_module(const std::string& program) {
  return program.ends_with(".py");
}

std::string end_in_words(const Result<ProcessEnd>& end) {
  if (!end) return end.error().message;
  return end->signal != 0 ? "signal " + std::to_string(end->signal)
                          : "exit status " + std::to_string(end->exit_code);
}

}  // namespace

// What the workers print: the last lines, and a file.
class ScriptModel::LogTail {
 public:
  explicit LogTail(fs::path path) : path_(std::move(path)) {}
  ~LogTail() {
    if (file_) std::fclose(file_);
  }
  LogTail(const LogTail&) = delete;
  LogTail& operator=(const LogTail&) = delete;

  void add(std::string_view line, Instant now) {
    const std::lock_guard lock(mutex_);
    lines_.emplace_back(line);
    if (lines_.size() > kScriptTailLines) lines_.pop_front();
    if (path_.empty()) return;
    if (!file_) open();
    if (!file_) return;
    std::fprintf(file_, "%s %.*s\n", format_rfc3339(now).c_str(), static_cast<int>(line.size()), line.data());
    std::fflush(file_);
    if (std::ftell(file_) < kScriptLogBytesMax) return;
    std::fclose(file_);
    file_ = nullptr;
    std::error_code ignored;
    fs::rename(path_, path_.string() + ".1", ignored);
  }
  std::string last() const {
    const std::lock_guard lock(mutex_);
    std::string text;
    for (const std::string& line : lines_) text += (text.empty() ? "" : "\n") + line;
    return text.size() > kScriptTailBytes ? "…" + text.substr(text.size() - kScriptTailBytes) : text;
  }

 private:
  void open() {
    std::error_code ignored;
    fs::create_directories(path_.parent_path(), ignored);
    file_ = std::fopen(path_.c_str(), "ae");
  }
  const fs::path path_;
  mutable std::mutex mutex_;
  std::deque<std::string> lines_;
  std::FILE* file_ = nullptr;
};

// One process, watched by a thread of its own until it has ended.
class ScriptModel::Worker {
 public:
  Worker(ProcessSpec spec, int port, LogTail& log, const Clock& clock)
      : port_(port), thread_([this, spec = std::move(spec), &log, &clock] {
          ProcessWatch watch;
          watch.line = [&](std::string_view line) { log.add(line, clock.now()); };
          watch.cancelled = [this] { return stopping_.load(std::memory_order_relaxed); };
          watch.grace = [] { return kWorkerStopGrace; };
          const auto end = run_process(spec, watch);
          {
            const std::lock_guard lock(mutex_);
            how_ = end_in_words(end);
          }
          ended_.store(true, std::memory_order_release);
        }) {}
  ~Worker() {
    stopping_ = true;
    if (thread_.joinable()) thread_.join();
  }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void stop() { stopping_.store(true, std::memory_order_relaxed); }
  bool ended() const { return ended_.load(std::memory_order_acquire); }
  std::string how() const {
    const std::lock_guard lock(mutex_);
    return how_;
  }

  struct Exchange {
    CURLcode code = CURLE_OK;
    ScriptAnswer answer;
    bool too_large = false;
    bool first = false;  // by a connection of its own: not connected means that nothing was sent
  };
  // GET without a body, else POST.
  Exchange exchange(const char* path, const ScriptRequest* request, Millis time_max) {
    Exchange done;
    CurlHandle curl = take_handle(done.first);
    if (!curl) {
      done.code = CURLE_OUT_OF_MEMORY;
      return done;
    }
    TakenBody body;
    CurlHeaders headers;
    const std::string url = "http://127.0.0.1:" + std::to_string(port_) + path;
    curl_easy_reset(curl.get());
    curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl.get(), CURLOPT_PROXY, "");
    curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
    curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT_MS, static_cast<long>(time_max.count()));
    curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, take_answer);
    curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &body);
    if (request) {
      headers.reset(curl_slist_append(nullptr, "Expect:"));
      add_header(headers, "Content-Type", request->content_type.empty() ? "text/csv" : request->content_type);
      add_header(headers, "Accept", request->accept.empty() ? "*/*" : request->accept);
      add_header(headers, "X-Amzn-SageMaker-Custom-Attributes", request->custom_attributes);
      add_header(headers, "X-Amzn-SageMaker-Inference-Id", request->inference_id);
      curl_easy_setopt(curl.get(), CURLOPT_POST, 1L);
      curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDS, request->body.data());
      curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDSIZE_LARGE,
                       static_cast<curl_off_t>(request->body.size()));
      curl_easy_setopt(curl.get(), CURLOPT_HTTPHEADER, headers.get());
    }
    done.code = curl_easy_perform(curl.get());
    long status = 0;
    char* type = nullptr;
    curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(curl.get(), CURLINFO_CONTENT_TYPE, &type);
    done.answer = {static_cast<int>(status), std::move(body.bytes), type ? type : "application/octet-stream"};
    done.too_large = body.too_large;
    const std::lock_guard lock(mutex_);
    if (done.code == CURLE_OK) handles_.push_back(std::move(curl));
    return done;
  }

  int busy = 0;          // requests it works on; guarded by the model's mutex
  Millis idle_since{0};  // the same

 private:
  CurlHandle take_handle(bool& first) {
    const std::lock_guard lock(mutex_);
    first = handles_.empty();
    if (first) return CurlHandle(curl_easy_init());
    CurlHandle handle = std::move(handles_.back());
    handles_.pop_back();
    return handle;
  }

  const int port_;
  mutable std::mutex mutex_;
  std::vector<CurlHandle> handles_;  // with their connections
  std::string how_;
  std::atomic<bool> stopping_{false}, ended_{false};
  std::thread thread_;  // last: starts when the rest is there
};

Result<std::optional<ScriptContainer>> ScriptContainer::read(const Json& document,
                                                             const std::string& model_uri) {
  const Arguments arguments(document);
  MR_TRY(environment, arguments.text_map("Environment"));
  const auto program = environment.find("SAGEMAKER_PROGRAM");
  if (program == environment.end() || program->second.empty()) return std::optional<ScriptContainer>();
  ScriptContainer container;
  container.program = program->second;
  const fs::path normal = fs::path(container.program).lexically_normal();
  if (normal.is_absolute() || *normal.begin() == "..")
    return arguments.wrong("Environment",
                           "SAGEMAKER_PROGRAM \"" + container.program + "\" is not a file of the code");
  container.code_uri = environment["SAGEMAKER_SUBMIT_DIRECTORY"];
  if (!container.code_uri.starts_with("s3://"))
    container.code_uri.clear();  // /opt/ml/model/code and the like
  if (container.code_uri.empty() && model_uri.empty())
    return arguments.wrong("Environment", "SAGEMAKER_SUBMIT_DIRECTORY or ModelDataUrl must say where " +
                                              container.program + " is");
  container.model_uri = model_uri;
  container.environment = std::move(environment);
  return std::optional(std::move(container));
}

Json ScriptContainer::to_json() const {
  return {{"Model", model_uri}, {"Code", code_uri}, {"Program", program}, {"Environment", environment}};
}

ScriptContainer ScriptContainer::from_json(const Json& json) {
  ScriptContainer container;
  container.model_uri = json.value("Model", "");
  container.code_uri = json.value("Code", "");
  container.program = json.value("Program", "");
  container.environment = json.value("Environment", std::map<std::string, std::string>());
  return container;
}

namespace {

// The objects below the URI, or one .tar.gz unpacked, as files of the
// directory.
Status bring_files(const ObjectStore& objects, const OptMl& opt_ml, const std::string& uri,
                   const fs::path& directory) {
  std::error_code code;
  fs::create_directories(directory, code);
  MR_DO(opt_ml.bring(objects, uri, directory, false));
  if (fs::is_empty(directory, code)) return fail(ErrorCode::NotFound, "there is nothing at " + uri);
  if (!uri.ends_with(".tar.gz")) return {};
  const fs::path archive = directory / fs::path(uri).filename();
  ProcessSpec unpack;
  unpack.arguments = {"tar", "-xzf", archive.filename().string(), "--no-same-owner"};
  unpack.environment = {"PATH=/usr/local/bin:/usr/bin:/bin"};
  unpack.directory = directory.string();
  MR_TRY(end, run_process(unpack, {}));
  if (end.signal != 0 || end.exit_code != 0) return invalid(uri + " can't be unpacked");
  fs::remove(archive, code);
  return {};
}

Status bring_container(const ObjectStore& objects, const OptMl& opt_ml, const ScriptContainer& container) {
  MR_TRY(model, opt_ml.real("/opt/ml/model"));
  MR_TRY(code, opt_ml.real("/opt/ml/code"));
  std::error_code error;
  if (!container.model_uri.empty()) MR_DO(bring_files(objects, opt_ml, container.model_uri, model));
  if (!container.code_uri.empty())
    MR_DO(bring_files(objects, opt_ml, container.code_uri, code));
  else if (fs::exists(model / "code", error))
    fs::copy(model / "code", code, fs::copy_options::recursive | fs::copy_options::overwrite_existing, error);
  else
    fs::copy(model, code, fs::copy_options::recursive | fs::copy_options::overwrite_existing, error);
  const fs::path program = code / container.program;
  if (!fs::is_regular_file(program, error))
    return invalid("SAGEMAKER_PROGRAM: there is no " + container.program + " in " +
                   (container.code_uri.empty() ? container.model_uri : container.code_uri));
  if (!is_module(container.program))
    fs::permissions(program, fs::perms::owner_all, fs::perm_options::add, error);
  return {};
}

}  // namespace

Result<std::shared_ptr<ScriptModel>> ScriptModel::make(const ObjectStore& objects, ScriptContainer container,
                                                       ScriptLimits limits, Place place, const Clock& clock) {
  std::error_code code;
  fs::create_directories(place.scratch.parent_path(), code);
  MR_TRY(opt_ml, OptMl::make(place.scratch));
  MR_DO(bring_container(objects, opt_ml, container));
  if (is_module(container.program)) limits.concurrency = 1;
  return std::shared_ptr<ScriptModel>(
      new ScriptModel(std::move(container), limits, std::move(place), std::move(opt_ml), clock));
}

ScriptModel::ScriptModel(ScriptContainer container, ScriptLimits limits, Place place, OptMl opt_ml,
                         const Clock& clock)
    : container_(std::move(container)),
      limits_(limits),
      place_(std::move(place)),
      opt_ml_(std::move(opt_ml)),
      clock_(clock),
      log_(std::make_unique<LogTail>(place_.log)) {}

ScriptModel::~ScriptModel() {
  workers_.clear();
}

tl::unexpected<Error> ScriptModel::program_failed(const std::string& what) const {
  const std::string last = log_->last();
  return fail(ErrorCode::Internal, "the program " + container_.program + " " + what +
                                       (last.empty() ? "" : "; its last lines: " + last));
}

// Blocks until it answers /ping.
Result<ScriptModel::WorkerPtr> ScriptModel::start_worker() {
  MR_TRY(port, free_port());
  MR_TRY(code, opt_ml_.real("/opt/ml/code"));
  ProcessSpec spec;
  const std::string program = "/opt/ml/code/" + container_.program;
  std::vector<std::string> arguments = {program, "serve"};
  if (is_module(container_.program)) {
    std::string module = container_.program.substr(0, container_.program.size() - 3);
    std::replace(module.begin(), module.end(), '/', '.');
    arguments = {"python3", "-c", std::string(script_driver()), module};
  }
  spec.arguments = opt_ml_.command(arguments, false);
  // The driver's text speaks of /opt/ml, too; it must come as it is.
  if (is_module(container_.program)) spec.arguments[spec.arguments.size() - 2] = script_driver();
  std::map<std::string, std::string> variables = inherited_variables();
  variables["PYTHONUNBUFFERED"] = "1";
  variables["PYTHONDONTWRITEBYTECODE"] = "1";
  variables["SM_MODEL_DIR"] = opt_ml_.seen("/opt/ml/model");
  variables["TMPDIR"] = opt_ml_.seen("/opt/ml/tmp");
  variables["SAGEMAKER_SUBMIT_DIRECTORY"] = opt_ml_.seen("/opt/ml/code");
  for (const auto& [name, value] : container_.environment)
    if (name != "SAGEMAKER_SUBMIT_DIRECTORY") variables[name] = opt_ml_.seen(value);
  variables["SAGEMAKER_BIND_TO_PORT"] = std::to_string(port);
  for (const auto& [name, value] : variables) spec.environment.push_back(name + "=" + value);
  spec.directory = code.string();
  spec.memory_bytes_max = limits_.memory_bytes_max;
  auto worker = std::make_shared<Worker>(std::move(spec), port, *log_, clock_);
  const Millis until = clock_.uptime() + limits_.startup_max;
  for (;;) {
    if (closing_) return fail(ErrorCode::Unavailable, "the endpoint's host is shutting down");
    if (worker->ended()) return program_failed("ended before it answered /ping: " + worker->how());
    const Worker::Exchange ping = worker->exchange("/ping", nullptr, kPingMax);
    if (ping.code == CURLE_OK && ping.answer.status == 200) return worker;
    if (clock_.uptime() >= until)
      return program_failed("did not answer /ping with 200 within " + format_duration(limits_.startup_max));
    std::this_thread::sleep_for(kPingEvery);
  }
}

// Starts one outside the lock; counted as free.
Result<ScriptModel::WorkerPtr> ScriptModel::add_worker(std::unique_lock<std::mutex>& lock) {
  ++starting_;
  ++starts_;
  lock.unlock();
  auto worker = start_worker();
  lock.lock();
  --starting_;
  changed_.notify_all();
  if (!worker) {
    const int doublings = std::min(failures_, kBackOffDoublingsMax);
    ++failures_;
    not_before_ = clock_.uptime() + std::min(kBackOffMax, kBackOffMin * (1 << doublings));
    last_failure_ = worker.error().message;
    return worker;
  }
  (*worker)->idle_since = clock_.uptime();
  workers_.push_back(*worker);
  return worker;
}

// Those that ended by themselves; the next start waits a moment if one had not
// lived long.
void ScriptModel::drop_ended() {
  for (auto at = workers_.begin(); at != workers_.end();) {
    if (!(*at)->ended()) {
      ++at;
      continue;
    }
    last_failure_ = program_failed("ended: " + (*at)->how()).value().message;
    log::warning("a model's program ended by itself", {{"model", place_.name}, {"how", (*at)->how()}});
    not_before_ = clock_.uptime() +
                  std::min(kBackOffMax, kBackOffMin * (1 << std::min(failures_, kBackOffDoublingsMax)));
    ++failures_;
    at = workers_.erase(at);
  }
}

ScriptModel::WorkerPtr ScriptModel::free_worker() {
  for (const WorkerPtr& worker : workers_)
    if (worker->busy < limits_.concurrency) return worker;
  return nullptr;
}

// With its place taken.
Result<ScriptModel::WorkerPtr> ScriptModel::acquire(std::unique_lock<std::mutex>& lock) {
  const Millis until = clock_.uptime() + limits_.request_max;
  if (waiting_ >= limits_.waiting_max)
    return fail(ErrorCode::Unavailable, "too many requests wait for the program " + container_.program);
  ++waiting_;
  const auto done = [&](Result<WorkerPtr> result) {
    --waiting_;
    return result;
  };
  for (;;) {
    if (closing_) return done(fail(ErrorCode::Unavailable, "the endpoint's host is shutting down"));
    drop_ended();
    if (WorkerPtr worker = free_worker()) {
      ++worker->busy;
      return done(worker);
    }
    const int there = static_cast<int>(workers_.size()) + starting_;
    const Millis now = clock_.uptime();
    if (there < std::max(1, limits_.workers_max) && now >= not_before_) {
      auto added = add_worker(lock);
      if (!added && workers_.empty()) return done(fail(added.error()));
      continue;
    }
    if (there == 0)  // after a failure: rather an answer now than a queue of
                     // those who wait for nothing
      return done(fail(ErrorCode::Internal,
                       last_failure_ + "; it is started again in " + format_duration(not_before_ - now)));
    if (now >= until)
      return done(fail(ErrorCode::Unavailable, "no worker of the program " + container_.program +
                                                   " was free within " +
                                                   format_duration(limits_.request_max)));
    changed_.wait_for(lock, Millis(100));
  }
}

void ScriptModel::release(const WorkerPtr& worker, bool answered) {
  const std::lock_guard lock(mutex_);
  --worker->busy;
  if (answered) failures_ = 0;
  worker->idle_since = clock_.uptime();
  changed_.notify_one();
}

Status ScriptModel::warm_up() {
  std::unique_lock lock(mutex_);
  drop_ended();
  if (!workers_.empty()) return {};
  const auto added = add_worker(lock);
  if (!added) return fail(added.error());
  return {};
}

Result<ScriptAnswer> ScriptModel::invoke(const ScriptRequest& request) {
  for (int attempt = 0;; ++attempt) {
    WorkerPtr worker;
    {
      std::unique_lock lock(mutex_);
      MR_TRY(acquired, acquire(lock));
      worker = std::move(acquired);
    }
    Worker::Exchange done = worker->exchange("/invocations", &request, limits_.request_max);
    release(worker, done.code == CURLE_OK);
    if (done.code == CURLE_OK) return std::move(done.answer);
    // It was not there any more, so it has seen nothing of the request. On a connection that was used before
    // that is not sure: the program may have ended over this very request, and curl tried to connect again.
    if (done.code == CURLE_COULDNT_CONNECT && done.first && attempt == 0) {
      for (Millis waited{0}; !worker->ended() && waited < kWorkerStopGrace; waited += kPingEvery)
        std::this_thread::sleep_for(kPingEvery);
      continue;
    }
    if (done.too_large)
      return program_failed("answered with more than " + std::to_string(kScriptAnswerBytesMax >> 20) +
                            " MiB");
    if (done.code == CURLE_OPERATION_TIMEDOUT)
      return program_failed("did not answer within " + format_duration(limits_.request_max));
    for (Millis waited{0}; !worker->ended() && waited < kWorkerStopGrace; waited += kPingEvery)
      std::this_thread::sleep_for(kPingEvery);
    return program_failed(worker->ended()
                              ? "ended while it answered: " + worker->how()
                              : "broke off its answer: " + std::string(curl_easy_strerror(done.code)));
  }
}

void ScriptModel::stop() {
  const std::lock_guard lock(mutex_);
  closing_ = true;
  for (const WorkerPtr& worker : workers_) worker->stop();
  changed_.notify_all();
}

void ScriptModel::tend() {
  if (closing_) return;
  std::list<WorkerPtr> idle;  // ended outside the lock
  std::unique_lock lock(mutex_);
  drop_ended();
  const Millis now = clock_.uptime();
  for (auto at = workers_.begin(); at != workers_.end();) {
    const bool spare = static_cast<int>(workers_.size()) > limits_.workers_min;
    if (!spare || (*at)->busy > 0 || now - (*at)->idle_since < limits_.idle_max) {
      ++at;
      continue;
    }
    idle.push_back(*at);
    at = workers_.erase(at);
  }
  while (static_cast<int>(workers_.size()) + starting_ < limits_.workers_min &&
         clock_.uptime() >= not_before_)
    if (!add_worker(lock)) break;
  lock.unlock();
}

int ScriptModel::workers() const {
  const std::lock_guard lock(mutex_);
  return static_cast<int>(workers_.size());
}

std::uint64_t ScriptModel::starts() const {
  const std::lock_guard lock(mutex_);
  return starts_;
}

}  // namespace millrace::tasks
