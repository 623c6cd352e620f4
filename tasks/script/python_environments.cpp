#include "tasks/script/python_environments.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/encoding.h"
#include "base/time.h"
#include "tasks/artifacts/files.h"
#include "tasks/script/environment.h"
#include "tasks/script/pip.h"
#include "tasks/script/process.h"

namespace millrace::tasks {
namespace {

namespace fs = std::filesystem;

constexpr const char* kRecordFile = "environment.json";
constexpr std::size_t kKeyLetters = 20;
constexpr Millis kSweepEvery{3'600'000};

// Who the interpreter is, and what is installed beside it: what pip finds there it does not install again.
constexpr const char* kAskInterpreter = R"(
import hashlib, json, os, sys, sysconfig
found = []
for folder in sys.path:
    if os.path.isdir(folder):
        found += [name for name in os.listdir(folder) if name.endswith(('.dist-info', '.egg-info'))]
inside = sys.prefix != sys.base_prefix
print(json.dumps({
    'Executable': sys.executable,
    'Version': '.'.join(map(str, sys.version_info[:3])),
    'Identity': [sys.version, sysconfig.get_platform(), sys.prefix,
                 hashlib.sha256('\n'.join(sorted(found)).encode()).hexdigest()],
    'Folders': [folder for folder in sys.path if inside and folder.startswith(sys.prefix + os.sep)],
}))
)";

fs::path environment_folder(const fs::path& directory) {
  return directory / "env";
}

std::uint64_t bytes_below(const fs::path& directory) {
  std::uint64_t bytes = 0;
  std::error_code code;
  for (fs::recursive_directory_iterator walk(directory, code); !code && walk != fs::end(walk);
       walk.increment(code))
    if (!walk->is_symlink(code) && walk->is_regular_file(code)) bytes += walk->file_size(code);
  return bytes;
}

// …/lib/python3.11/site-packages; empty when it is not there.
fs::path site_packages(const fs::path& environment) {
  std::error_code code;
  for (const auto& entry : fs::directory_iterator(environment / "lib", code))
    if (entry.path().filename().string().rfind("python", 0) == 0) return entry.path() / "site-packages";
  return {};
}

std::vector<std::string> packages_in(const fs::path& environment) {
  constexpr std::string_view kEnding = ".dist-info";
  std::vector<std::string> packages;
  std::error_code code;
  for (const auto& entry : fs::directory_iterator(site_packages(environment), code)) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with(kEnding)) packages.push_back(name.substr(0, name.size() - kEnding.size()));
  }
  std::sort(packages.begin(), packages.end());
  return packages;
}

// A virtual environment that the interpreter belongs to itself is seen through, too.
Status add_surrounding(const fs::path& environment, const std::vector<std::string>& folders) {
  std::string lines;
  for (const std::string& folder : folders) lines += folder + "\n";
  if (lines.empty()) return {};
  return replace_file(site_packages(environment) / "_millrace_surrounding.pth", lines);
}

// All of it is on the disk before its record says that it is there.
Status sync_file_system(const fs::path& directory) {
  const int descriptor = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = descriptor >= 0 && ::syncfs(descriptor) == 0;
  if (descriptor >= 0) ::close(descriptor);
  if (!synced) return fail(ErrorCode::Internal, "can't write " + directory.string() + " to the disk");
  return {};
}

// Of a file that is there: milliseconds since 1970.
std::int64_t file_time_ms(const fs::path& file) {
  std::error_code code;
  const auto time = fs::last_write_time(file, code);
  if (code) return 0;
  return std::chrono::duration_cast<Millis>(std::chrono::file_clock::to_sys(time).time_since_epoch()).count();
}

bool is_environment_key(const std::string& text) {
  return text.size() == kKeyLetters && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

}  // namespace

void PreparedEnvironment::enter(std::map<std::string, std::string>& variables) const {
  std::string& path = variables["PATH"];
  path = (path_ / "bin").string() + (path.empty() ? "" : ":" + path);
  variables["VIRTUAL_ENV"] = path_.string();
}

std::string PreparedEnvironment::program(const std::string& name) const {
  std::error_code code;
  const fs::path inside = path_ / "bin" / name;
  const bool is_name = !name.empty() && name.find('/') == std::string::npos;
  return is_name && fs::exists(inside, code) ? inside.string() : name;
}

Json to_json(const EnvironmentInfo& info) {
  return {{"Key", info.key},
          {"Status", info.ready ? (info.in_use ? "InUse" : "Ready") : (info.in_use ? "Preparing" : "Broken")},
          {"Python", info.python},
          {"Requirements", info.requirements},
          {"Packages", info.packages},
          {"Bytes", info.bytes},
          {"CreationTime", info.created_ms},
          {"LastUsedTime", info.used_ms},
          {"PreparationMillis", info.took_ms}};
}

struct PythonEnvironments::Interpreter {
  std::string executable, version, identity;
  std::vector<std::string> folders;  // of packages of the virtual environment that it belongs to itself
};

PythonEnvironments::PythonEnvironments(fs::path directory, EnvironmentSettings settings, const Clock& clock)
    : directory_(fs::absolute(directory).lexically_normal()), settings_(std::move(settings)), clock_(clock) {}

Result<PythonEnvironments::Interpreter> PythonEnvironments::ask_interpreter() const {
  ProcessSpec spec;
  spec.arguments = {settings_.python, "-c", kAskInterpreter};
  for (const auto& [name, value] : inherited_variables()) spec.environment.push_back(name + "=" + value);
  std::string said;
  ProcessWatch watch;
  watch.line = [&said](std::string_view line) { said = line; };
  const auto end = run_process(spec, watch);
  const Json answer = Json::parse(said, nullptr, false);
  if (!end || end->exit_code != 0 || end->signal != 0 || !answer.is_object())
    return invalid("requirements.txt needs Python, and " + settings_.python +
                       " can't be run: " + (end ? said : end.error().message),
                   "install python3, or name another one with environments.python");
  Interpreter interpreter;
  interpreter.executable = answer.value("Executable", "");
  interpreter.version = answer.value("Version", "");
  interpreter.identity = answer.value("Identity", Json()).dump();
  interpreter.folders = answer.value("Folders", std::vector<std::string>());
  return interpreter;
}

// What pip is told by its surroundings: proxies and certificates of this process, the settings, the program's
// own.
std::map<std::string, std::string> PythonEnvironments::pip_variables(const Request& request) const {
  auto variables = inherited_variables({"http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY",
                                        "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE",
                                        "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_CONFIG_FILE",
                                        "PIP_CACHE_DIR", "PIP_TRUSTED_HOST", "PIP_CERT"});
  variables["PIP_RETRIES"] = "2";  // an index that can't be reached is said soon
  if (!settings_.index_url.empty()) variables["PIP_INDEX_URL"] = settings_.index_url;
  if (!settings_.pip_config.empty()) variables["PIP_CONFIG_FILE"] = settings_.pip_config;
  for (const auto& [name, value] : request.variables)
    if (name.rfind("PIP_", 0) == 0) variables[name] = value;
  variables["PIP_USER"] = "0";  // nowhere but into the environment
  variables["PIP_REQUIRE_VIRTUALENV"] = "0";
  return variables;
}

Result<Json> PythonEnvironments::record_of(const std::string& key) const {
  const fs::path directory = directory_of(key);
  MR_TRY(text, read_file(directory / kRecordFile));
  const Json record = Json::parse(text, nullptr, false);
  std::error_code code;
  // Programs in it name their interpreter by its path: a home that was moved has none.
  const bool here = record.is_object() && record.value("Path", "") == directory.string() &&
                    fs::exists(environment_folder(directory) / "bin" / "python3", code);
  if (!here) return fail(ErrorCode::NotFound, "the environment " + key + " is not ready");
  return record;
}

Result<std::optional<PreparedEnvironment>> PythonEnvironments::prepare(const Request& request) {
  MR_TRY(asked, read_requirements(request.code));
  if (!asked) return std::optional<PreparedEnvironment>();
  MR_TRY(interpreter, ask_interpreter());
  sweep_now_and_then();
  Sha256 hash;
  hash.update(asked->digest + "\n" + interpreter.identity + "\n");
  for (const auto& [name, value] : pip_variables(request))
    if (name.rfind("PIP_", 0) == 0) hash.update(name + "=" + value + "\n");
  if (const auto config = read_file(settings_.pip_config)) hash.update(*config);
  const std::string key = hash.finish_hex().substr(0, kKeyLetters);
  MR_DO(make_directories(directory_));
  for (bool told = false;;) {
    auto shared = FileLock::attempt(lock_of(key), FileLock::Kind::Shared);
    if (!shared && shared.error().code != ErrorCode::Unavailable) return fail(shared.error());
    const auto record = record_of(key);
    if (shared && record) {
      MR_TRY(lock, FileLock::wait(lock_of(key), FileLock::Kind::Shared, {}));  // says that it is used
      return std::optional(
          PreparedEnvironment(key, environment_folder(directory_of(key)), *record, std::move(lock)));
    }
    if (!told && request.preparing) request.preparing();
    if (!told && request.log && !shared)
      request.log("waits for another job that prepares environment " + key);
    told = true;
    if (shared) *shared = FileLock();
    MR_TRY(own, FileLock::wait(lock_of(key), FileLock::Kind::Exclusive, request.cancelled));
    if (record_of(key)) continue;
    if (Status made = make(key, *asked, interpreter, request); !made) {
      std::error_code ignored;  // a part that stays is no environment, and is removed later
      fs::remove_all(directory_of(key), ignored);
      own.remove(lock_of(key));
      return fail(made.error());
    }
    sweep();  // others: this one is locked
  }
}

Status PythonEnvironments::make(const std::string& key, const Requirements& asked,
                                const Interpreter& interpreter, const Request& request) const {
  const fs::path directory = directory_of(key), environment = environment_folder(directory);
  const Millis begun = clock_.uptime();
  std::error_code code;
  fs::remove_all(directory, code);  // what a crash left
  MR_DO(make_directories(directory));
  if (request.log) request.log("prepares environment " + key + " with Python " + interpreter.version);
  PipRun run;
  run.variables = pip_variables(request);
  run.directory = request.code;
  run.log = request.log;
  run.time_max = settings_.prepare_max;
  run.cancelled = [&] {
    return (request.cancelled && request.cancelled()) || clock_.uptime() - begun >= settings_.prepare_max;
  };
  const PipSources sources{asked.wheels, settings_.offline, request.without_network};
  Status installed = make_virtual_environment(run, interpreter.executable, environment);
  if (installed) installed = add_surrounding(environment, interpreter.folders);
  if (installed) installed = install_requirements(run, environment, asked, sources);
  if (!installed && installed.error().code == ErrorCode::Cancelled &&
      !(request.cancelled && request.cancelled()))
    return fail(ErrorCode::LimitExceeded,
                "preparing the environment of requirements.txt took longer than " +
                    format_duration(settings_.prepare_max),
                "raise environments.prepare_max, or prepare it ahead: millrace environments prepare");
  MR_DO(installed);
  const Json record = {{"Key", key},
                       {"Path", directory.string()},
                       {"Python", interpreter.version},
                       {"Interpreter", interpreter.executable},
                       {"Requirements", asked.text},
                       {"Packages", packages_in(environment)},
                       {"Bytes", bytes_below(environment)},
                       {"CreationTime", to_millis(clock_.now())},
                       {"PreparationMillis", (clock_.uptime() - begun).count()}};
  std::string words;
  for (const Json& package : record["Packages"])
    words += (words.empty() ? "" : ", ") + package.get_ref<const std::string&>();
  MR_DO(sync_file_system(directory));
  MR_DO(replace_file(directory / kRecordFile, to_payload(record).text()));
  if (request.log)
    request.log("environment " + key + " is ready after " + format_duration(clock_.uptime() - begun) +
                (words.empty() ? "; all was installed already" : ": " + words));
  return {};
}

std::vector<EnvironmentInfo> PythonEnvironments::list() const {
  std::vector<EnvironmentInfo> list;
  std::error_code code;
  for (const auto& entry : fs::directory_iterator(directory_, code)) {
    EnvironmentInfo info;
    info.key = entry.path().filename().string();
    if (!entry.is_directory(code) || !is_environment_key(info.key)) continue;
    info.used_ms = file_time_ms(lock_of(info.key));
    info.in_use = !FileLock::attempt(lock_of(info.key), FileLock::Kind::Exclusive);
    if (const auto record = record_of(info.key)) {
      info.ready = true;
      info.python = record->value("Python", "");
      info.requirements = record->value("Requirements", "");
      info.packages = record->value("Packages", std::vector<std::string>());
      info.bytes = record->value("Bytes", std::uint64_t{0});
      info.created_ms = record->value("CreationTime", std::int64_t{0});
      info.took_ms = record->value("PreparationMillis", std::int64_t{0});
    } else {
      info.bytes = bytes_below(entry.path());
    }
    list.push_back(std::move(info));
  }
  std::sort(list.begin(), list.end(), [](const EnvironmentInfo& a, const EnvironmentInfo& b) {
    return std::pair(b.used_ms, a.key) < std::pair(a.used_ms, b.key);
  });
  return list;
}

// The record first: what is removed half is no environment any more.
Status PythonEnvironments::remove_locked(const std::string& key, FileLock lock) const {
  std::error_code code;
  fs::remove(directory_of(key) / kRecordFile, code);
  if (!code) fs::remove_all(directory_of(key), code);
  if (code)
    return fail(ErrorCode::Internal, "can't remove " + directory_of(key).string() + ": " + code.message());
  lock.remove(lock_of(key));
  return {};
}

Status PythonEnvironments::remove(const std::string& key) {
  std::error_code code;
  if (!is_environment_key(key) || !fs::is_directory(directory_of(key), code))
    return fail(ErrorCode::NotFound, "there is no environment " + key, "millrace environments list");
  auto lock = FileLock::attempt(lock_of(key), FileLock::Kind::Exclusive);
  if (!lock && lock.error().code == ErrorCode::Unavailable)
    return fail(ErrorCode::Unavailable, "the environment " + key + " is in use");
  if (!lock) return fail(lock.error());
  return remove_locked(key, std::move(*lock));
}

std::vector<std::string> PythonEnvironments::sweep() {
  std::vector<EnvironmentInfo> all = list();
  std::size_t count = 0;
  std::uint64_t bytes = 0;
  for (const EnvironmentInfo& info : all) ++count, bytes += info.bytes;
  const std::int64_t now = to_millis(clock_.now());
  std::vector<std::string> removed;
  std::reverse(all.begin(), all.end());
  for (const EnvironmentInfo& info : all) {
    const bool old = now - info.used_ms > settings_.unused_max.count();
    const bool too_many = count > settings_.count_max || bytes > settings_.bytes_max;
    if (info.in_use || (info.ready && !old && !too_many)) continue;
    if (!remove(info.key)) continue;
    --count, bytes -= info.bytes;
    removed.push_back(info.key);
  }
  return removed;
}

// Where nothing new is prepared for long.
void PythonEnvironments::sweep_now_and_then() {
  {
    const std::lock_guard lock(mutex_);
    const Millis now = clock_.uptime();
    if (swept_ && now - *swept_ < kSweepEvery) return;
    swept_ = now;
  }
  sweep();
}

}  // namespace millrace::tasks
