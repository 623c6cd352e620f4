#include "service/home.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <random>

#include "base/encoding.h"
#include "service/home_objects.h"
#include "triggers/schedule_expression.h"

namespace millrace::service {
namespace {

// As AWS's clients take them.
SigningCredentials environment_keys() {
  const auto value = [](const char* name) {
    const char* found = std::getenv(name);
    return std::string(found != nullptr ? found : "");
  };
  return {value("AWS_ACCESS_KEY_ID"), value("AWS_SECRET_ACCESS_KEY"), value("AWS_SESSION_TOKEN")};
}

namespace fs = std::filesystem;

// The lock goes with the process, however it ends; the file's content is for the message only.
Result<int> lock_home(const fs::path& path) {
  const std::string file = (path / "lock").string();
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) {
    return fail(ErrorCode::InvalidArgument,
                "can't write the home directory " + path.string() + ": " + std::strerror(errno),
                "choose another one with --home");
  }
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    char pid[32] = {};
    const ssize_t n = ::read(fd, pid, sizeof pid - 1);
    ::close(fd);
    const std::string who =
        n > 0 ? "process " + std::string(pid, static_cast<std::size_t>(n)) : "another process";
    return fail(ErrorCode::Unavailable, "the home directory " + path.string() + " is in use by " + who,
                "wait for it to end, or use another home with --home DIR");
  }
  const std::string pid = std::to_string(::getpid());
  if (::ftruncate(fd, 0) != 0 || ::pwrite(fd, pid.data(), pid.size(), 0) < 0) {
    ::close(fd);
    return fail(ErrorCode::OutOfSpace, "can't write " + file + ": " + std::strerror(errno),
                "free some space");
  }
  return fd;
}

// A damaged file is worth its name.
template <class T>
Result<T> named(Result<T> opened, const fs::path& file) {
  if (opened || opened.error().code != ErrorCode::DataLoss ||
      opened.error().message.find(file.string()) != std::string::npos)
    return opened;
  Error error = opened.error();
  error.message = file.string() + ": " + error.message;
  return fail(std::move(error));
}

}  // namespace

namespace {

// What signs the tokens of this home's tasks, made when it is asked for first.
Result<std::string> token_secret(orchestrator::Store& store) {
  auto known = store.fact("token secret");
  if (known || known.error().code != ErrorCode::NotFound) return known;
  std::string secret;
  for (int i = 0; i < 4; ++i) secret += std::to_string(draw_seed()) + ".";
  MR_DO(store.put_fact("token secret", secret));
  return secret;
}

}  // namespace

std::string home_path(const std::string& option) {
  if (!option.empty()) return option;
  const char* environment = std::getenv("MILLRACE_HOME");
  return environment && *environment ? environment : ".millrace";
}

Result<std::unique_ptr<Home>> Home::open(HomeOptions options) {
  std::unique_ptr<Home> home(new Home);
  std::error_code error;
  const fs::path path = fs::absolute(options.path);
  fs::create_directories(path, error);
  if (error) {
    return invalid("can't make the home directory " + path.string() + ": " + error.message(),
                   "choose another one with --home");
  }
  home->path_ = path.string();
  MR_TRY(lock, HomeLock::take(home->path_));
  home->lock_ = std::move(lock);
  MR_TRY(store,
         named(orchestrator::open_sqlite_store((path / "millrace.db").string()), path / "millrace.db"));
  MR_TRY(last, store->last_execution());
  MR_TRY(secret, token_secret(*store));
  options.engine.token_secret = std::move(secret);
  home->loop_ = orchestrator::make_uv_loop(home->clock_);
  home->committer_ = orchestrator::make_committer(std::move(store), *home->loop_, options.store);
  home->objects_ = make_home_objects(path / "objects");
  home->background_ = orchestrator::make_background(*home->loop_);
  options.engine.maps = {home->objects_.get(), home->background_.get()};
  if (options.runner) {
    home->runner_ = std::move(options.runner);
  } else {
    tasks::TaskLibraryRunner::Settings settings = std::move(options.tasks);
    settings.home = home->path_;
    settings.seed = draw_seed();
    if (!settings.functions.empty()) settings.functions = fs::absolute(settings.functions).string();
    settings.place = {options.engine.region, options.engine.account};
    std::error_code unknown;
    settings.ranks.program = fs::read_symlink("/proc/self/exe", unknown).string();
    settings.remote_keys = environment_keys();
    settings.link_secret = hmac_sha256(options.engine.token_secret, "links of approvals");
    settings.monitoring.check_expression = [](const std::string& text) -> Status {
      const auto parsed = triggers::ScheduleExpression::parse(text);
      return parsed ? Status() : Status(fail(parsed.error()));
    };
    settings.result_bytes_max = options.engine.limits.payload_bytes_max;
    orchestrator::UvLoop* loop = home->loop_.get();
    const auto post = [loop](std::function<void()> work) { loop->post(std::move(work)); };
    MR_TRY(library,
           named(tasks::TaskLibraryRunner::open(std::move(settings), post, home->clock_), path / "tasks.db"));
    home->library_ = std::move(library);
  }
  options.engine.seed = draw_seed();
  home->engine_ = std::make_unique<orchestrator::Engine>(*home->loop_, *home->committer_, home->runner(),
                                                         std::move(options.engine), last);
  return home;
}

std::uint64_t draw_seed() {
  std::random_device device;
  return (static_cast<std::uint64_t>(device()) << 32) | device();
}

Home::~Home() {
  engine_.reset();
  background_.reset();
  objects_.reset();
  library_.reset();
  runner_.reset();
  committer_.reset();
  loop_.reset();
}

HomeLock::~HomeLock() {
  if (fd_ >= 0) ::close(fd_);
}

Result<HomeLock> HomeLock::take(const std::string& home) {
  MR_TRY(fd, lock_home(home));
  return HomeLock(fd);
}

Result<std::unique_ptr<orchestrator::Store>> open_for_reading(const std::string& path) {
  const std::string file = (fs::path(path) / "millrace.db").string();
  std::error_code error;
  if (!fs::exists(file, error)) {
    return fail(ErrorCode::NotFound, "there is no home directory at " + path,
                "run a workflow first, or name the directory with --home or MILLRACE_HOME");
  }
  return named(orchestrator::open_sqlite_store_readonly(file), file);
}

}  // namespace millrace::service
