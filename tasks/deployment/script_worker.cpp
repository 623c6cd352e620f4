#include "tasks/deployment/script_worker.h"

#include <curl/curl.h>
#include <unistd.h>

#include <cstring>
#include <vector>

#include "base/time.h"

namespace millrace::tasks {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kScriptTailLines = 20, kScriptTailBytes = 1024;
constexpr long kScriptLogBytesMax = 16L << 20;  // of a log file; one older is kept
constexpr Millis kWorkerStopGrace{1'000}, kLookForEnd{20};

struct CurlClose {
  void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using CurlHandle = std::unique_ptr<CURL, CurlClose>;
using CurlHeaders = std::unique_ptr<curl_slist, CurlClose>;

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

CurlHeaders headers_of(const ScriptRequest& request) {
  CurlHeaders headers(curl_slist_append(nullptr, "Expect:"));
  add_header(headers, "Content-Type", request.content_type.empty() ? "text/csv" : request.content_type);
  add_header(headers, "Accept", request.accept.empty() ? "*/*" : request.accept);
  add_header(headers, "X-Amzn-SageMaker-Custom-Attributes", request.custom_attributes);
  add_header(headers, "X-Amzn-SageMaker-Inference-Id", request.inference_id);
  return headers;
}

std::string end_in_words(const Result<ProcessEnd>& end) {
  if (!end) return end.error().message;
  return end->signal != 0 ? "signal " + std::to_string(end->signal)
                          : "exit status " + std::to_string(end->exit_code);
}

}  // namespace

ScriptLog::~ScriptLog() {
  if (file_) std::fclose(file_);
}

void ScriptLog::add(std::string_view line, Instant now) {
  const std::lock_guard lock(mutex_);
  lines_.emplace_back(line);
  if (lines_.size() > kScriptTailLines) lines_.pop_front();
  if (path_.empty()) return;
  std::error_code ignored;
  if (!file_) {
    fs::create_directories(path_.parent_path(), ignored);
    file_ = std::fopen(path_.c_str(), "ae");
  }
  if (!file_) return;
  std::fprintf(file_, "%s %.*s\n", format_rfc3339(now).c_str(), static_cast<int>(line.size()), line.data());
  std::fflush(file_);
  if (std::ftell(file_) < kScriptLogBytesMax) return;
  std::fclose(file_);
  file_ = nullptr;
  fs::rename(path_, path_.string() + ".1", ignored);
}

std::string ScriptLog::last() const {
  const std::lock_guard lock(mutex_);
  std::string text;
  for (const std::string& line : lines_) text += (text.empty() ? "" : "\n") + line;
  return text.size() > kScriptTailBytes ? "…" + text.substr(text.size() - kScriptTailBytes) : text;
}

// Handles that are not used now, with their connections.
struct ScriptWorker::Connections {
  std::mutex mutex;
  std::vector<CurlHandle> free;  // guarded by mutex

  // `first`: it has no connection yet.
  CurlHandle take(bool& first) {
    const std::lock_guard lock(mutex);
    first = free.empty();
    if (first) return CurlHandle(curl_easy_init());
    CurlHandle handle = std::move(free.back());
    free.pop_back();
    return handle;
  }
  void give_back(CurlHandle handle) {
    const std::lock_guard lock(mutex);
    free.push_back(std::move(handle));
  }
};

ScriptWorker::ScriptWorker(ProcessSpec spec, int port, ScriptLog& log, const Clock& clock)
    : port_(port),
      connections_(std::make_unique<Connections>()),
      thread_([this, spec = std::move(spec), &log, &clock] {
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

ScriptWorker::~ScriptWorker() {
  stop();
  if (thread_.joinable()) thread_.join();
}

void ScriptWorker::wait_a_moment() const {
  for (Millis waited{0}; !ended() && waited < kWorkerStopGrace; waited += kLookForEnd)
    std::this_thread::sleep_for(kLookForEnd);
}

std::string ScriptWorker::how() const {
  const std::lock_guard lock(mutex_);
  return how_;
}

ScriptWorker::Exchange ScriptWorker::ping(Millis time_max) {
  return exchange("/ping", nullptr, time_max);
}

ScriptWorker::Exchange ScriptWorker::invoke(const ScriptRequest& request, Millis time_max) {
  return exchange("/invocations", &request, time_max);
}

// GET without a request, else POST.
ScriptWorker::Exchange ScriptWorker::exchange(const char* path, const ScriptRequest* request,
                                              Millis time_max) {
  using End = Exchange::End;
  bool first = false;
  CurlHandle curl = connections_->take(first);
  if (!curl) return {End::Broken, {}, "there is no memory for a request"};
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
    headers = headers_of(*request);
    curl_easy_setopt(curl.get(), CURLOPT_POST, 1L);
    curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDS, request->body.empty() ? "" : request->body.data());
    curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request->body.size()));
    curl_easy_setopt(curl.get(), CURLOPT_HTTPHEADER, headers.get());
  }
  const CURLcode code = curl_easy_perform(curl.get());
  if (code != CURLE_OK) {
    // A connection that was used before may have broken over this very request; curl tries to connect again
    // then.
    const End end = body.too_large                           ? End::TooLarge
                    : code == CURLE_OPERATION_TIMEDOUT       ? End::TimedOut
                    : code == CURLE_COULDNT_CONNECT && first ? End::NotReached
                                                             : End::Broken;
    return {end, {}, curl_easy_strerror(code)};
  }
  long status = 0;
  char* type = nullptr;
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo(curl.get(), CURLINFO_CONTENT_TYPE, &type);
  Exchange done;
  done.answer = {static_cast<int>(status), std::move(body.bytes), type ? type : "application/octet-stream"};
  connections_->give_back(std::move(curl));
  return done;
}

}  // namespace millrace::tasks
