#include "tasks/deployment/script_model.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/log.h"
#include "base/time.h"
#include "tasks/arguments.h"
#include "tasks/deployment/script_driver.h"
#include "tasks/script/environment.h"
#include "tasks/script/free_port.h"
#include "tasks/script/process.h"

namespace millrace::tasks {
namespace {

namespace fs = std::filesystem;

constexpr Millis kPingEvery{20}, kPingMax{2'000};
constexpr Millis kBackOffMin{500}, kBackOffMax{60'000};
constexpr int kBackOffDoublingsMax = 7;

bool is_module(const std::string& program) {
  return program.ends_with(".py");
}

}  // namespace

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
      clock_(clock),
      log_(std::make_unique<ScriptLog>(place_.log)),
      opt_ml_(std::move(opt_ml)) {}

ScriptModel::~ScriptModel() {
  workers_.clear();
}

tl::unexpected<Error> ScriptModel::program_failed(const std::string& what) const {
  const std::string last = log_->last();
  return fail(ErrorCode::Internal, "the program " + container_.program + " " + what +
                                       (last.empty() ? "" : "; its last lines: " + last));
}

// Of requirements.txt, once; other starts wait for it. Not in make(), which many endpoints wait for.
Status ScriptModel::prepare_packages() {
  const std::lock_guard lock(packages_mutex_);
  if (packages_asked_ || !place_.environments) return {};
  PythonEnvironments::Request request;
  MR_TRY(code, opt_ml_.real("/opt/ml/code"));
  request.code = code;
  request.variables = container_.environment;
  request.cancelled = [this] { return closing_.load(); };
  request.log = [this](std::string_view line) { log_->add(line, clock_.now()); };
  MR_TRY(prepared, place_.environments->prepare(request));
  packages_ = std::move(prepared);
  if (packages_) opt_ml_.show(packages_->path(), packages_->path());
  packages_asked_ = true;
  return {};
}

// Blocks until it answers /ping.
Result<ScriptWorkerPtr> ScriptModel::start_worker() {
  MR_DO(prepare_packages());
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
  if (packages_) arguments[0] = packages_->program(arguments[0]);
  MR_TRY(command, opt_ml_.command(arguments, false));
  spec.arguments = std::move(command);
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
  if (packages_) packages_->enter(variables);
  for (const auto& [name, value] : variables) spec.environment.push_back(name + "=" + value);
  spec.directory = code.string();
  spec.memory_bytes_max = limits_.memory_bytes_max;
  auto worker = std::make_shared<ScriptWorker>(std::move(spec), port, *log_, clock_);
  const Millis until = clock_.uptime() + limits_.startup_max;
  for (;;) {
    if (closing_) return fail(ErrorCode::Unavailable, "the endpoint's host is shutting down");
    if (worker->ended()) return program_failed("ended before it answered /ping: " + worker->how());
    const ScriptWorker::Exchange ping = worker->ping(kPingMax);
    if (ping.end == ScriptWorker::Exchange::End::Answered && ping.answer.status == 200) return worker;
    if (clock_.uptime() >= until)
      return program_failed("did not answer /ping with 200 within " + format_duration(limits_.startup_max));
    std::this_thread::sleep_for(kPingEvery);
  }
}

// Starts one outside the lock; counted as free.
Result<ScriptWorkerPtr> ScriptModel::add_worker(std::unique_lock<std::mutex>& lock) {
  ++starting_;
  ++starts_;
  lock.unlock();
  auto worker = start_worker();
  lock.lock();
  --starting_;
  changed_.notify_all();
  if (!worker) {
    back_off();
    last_failure_ = worker.error().message;
    return worker;
  }
  (*worker)->idle_since = clock_.uptime();
  workers_.push_back(*worker);
  return worker;
}

// After a failure: the first is made good at once, the next ones later each time, until a request is
// answered.
void ScriptModel::back_off() {
  const Millis pause =
      failures_ == 0
          ? Millis(0)
          : std::min(kBackOffMax, kBackOffMin * (1 << std::min(failures_ - 1, kBackOffDoublingsMax)));
  ++failures_;
  not_before_ = clock_.uptime() + pause;
}

// Those that ended by themselves.
void ScriptModel::drop_ended() {
  for (auto at = workers_.begin(); at != workers_.end();) {
    if (!(*at)->ended()) {
      ++at;
      continue;
    }
    last_failure_ = program_failed("ended: " + (*at)->how()).value().message;
    log::warning("a model's program ended by itself", {{"model", place_.name}, {"how", (*at)->how()}});
    back_off();
    at = workers_.erase(at);
  }
}

ScriptWorkerPtr ScriptModel::free_worker() {
  for (const ScriptWorkerPtr& worker : workers_)
    if (worker->busy < limits_.concurrency) return worker;
  return nullptr;
}

// With its place taken.
Result<ScriptWorkerPtr> ScriptModel::acquire(std::unique_lock<std::mutex>& lock) {
  const Millis until = clock_.uptime() + limits_.request_max;
  if (waiting_ >= limits_.waiting_max)
    return fail(ErrorCode::Unavailable, "too many requests wait for the program " + container_.program);
  ++waiting_;
  const auto done = [&](Result<ScriptWorkerPtr> result) {
    --waiting_;
    return result;
  };
  for (;;) {
    if (closing_) return done(fail(ErrorCode::Unavailable, "the endpoint's host is shutting down"));
    drop_ended();
    if (ScriptWorkerPtr worker = free_worker()) {
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

void ScriptModel::release(const ScriptWorkerPtr& worker, bool answered) {
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
    ScriptWorkerPtr worker;
    {
      std::unique_lock lock(mutex_);
      MR_TRY(acquired, acquire(lock));
      worker = std::move(acquired);
    }
    using End = ScriptWorker::Exchange::End;
    ScriptWorker::Exchange done = worker->invoke(request, limits_.request_max);
    release(worker, done.end == End::Answered);
    switch (done.end) {
      case End::Answered:
        return std::move(done.answer);
      case End::NotReached:
        worker->wait_a_moment();
        if (attempt == 0) continue;
        break;
      case End::TooLarge:
        return program_failed("answered with more than " + std::to_string(kScriptAnswerBytesMax >> 20) +
                              " MiB");
      case End::TimedOut:
        return program_failed("did not answer within " + format_duration(limits_.request_max));
      case End::Broken:
        worker->wait_a_moment();
        break;
    }
    return program_failed(worker->ended() ? "ended while it answered: " + worker->how()
                                          : "broke off its answer: " + done.problem);
  }
}

void ScriptModel::stop() {
  const std::lock_guard lock(mutex_);
  closing_ = true;
  for (const ScriptWorkerPtr& worker : workers_) worker->stop();
  changed_.notify_all();
}

void ScriptModel::tend() {
  if (closing_) return;
  std::list<ScriptWorkerPtr> idle;  // ended outside the lock
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
