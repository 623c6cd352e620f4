#include "service/ops/doctor.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/sqlite.h"
#include "orchestrator/store/sqlite_schema.h"
#include "service/ops/backup.h"
#include "tasks/functions/function.h"

namespace millrace::service {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kFewBytes = std::uint64_t{1} << 30, kTooFewBytes = std::uint64_t{100} << 20;
constexpr int kSyncProbes = 5;
constexpr std::chrono::microseconds kSyncTooFast{30};  // no device flushes in less
constexpr std::chrono::milliseconds kSyncSlow{50};
constexpr std::uint64_t kOtherFiles = 256;  // descriptors beside connections
constexpr unsigned long kCifs = 0xFF534D42, kNfs = NFS_SUPER_MAGIC, kTmpfs = TMPFS_MAGIC;

struct Patient {
  fs::path home;
  Loaded loaded;
  bool thorough = true;
  std::string in_use_by;  // the process that has the home open; empty: none
};
using Findings = std::vector<Finding>;

void add(Findings& out, Health health, std::string check, std::string message, std::string remedy = {}) {
  out.push_back({health, std::move(check), std::move(message), std::move(remedy)});
}

std::string bytes_text(std::uint64_t bytes) {
  if (bytes >= std::uint64_t{10} << 30) return std::to_string(bytes >> 30) + " GiB";
  return std::to_string(bytes >> 20) + " MiB";
}

void check_configuration(const Patient& patient, Findings& out) {
  for (const Error& problem : patient.loaded.problems)
    add(out, Health::Failed, "configuration", problem.message,
        problem.hint.empty() ? "`millrace config explain` tells what is allowed" : problem.hint);
  if (patient.loaded.problems.empty())
    add(out, Health::Ok, "configuration",
        patient.loaded.file.empty() ? "no file: defaults, environment and command line"
                                    : patient.loaded.file);
}

// Who has the lock; flock alone tells, the file's content is only for the message.
std::string lock_holder(const fs::path& home) {
  const int fd = ::open((home / "lock").c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {};
  const bool held = ::flock(fd, LOCK_SH | LOCK_NB) != 0;
  char pid[32] = {};
  const ssize_t n = held ? ::read(fd, pid, sizeof pid - 1) : 0;
  ::close(fd);
  if (!held) return {};
  return n > 0 ? "process " + std::string(pid, static_cast<std::size_t>(n)) : "another process";
}

bool check_home(Patient& patient, Findings& out) {
  std::error_code error;
  const std::string path = patient.home.string();
  if (!fs::exists(patient.home, error)) {
    add(out, Health::Warning, "home", path + " is not there yet",
        "the first run makes it; or name another with --home");
    return false;
  }
  if (!fs::is_directory(patient.home, error)) {
    add(out, Health::Failed, "home", path + " is no directory", "name a directory with --home");
    return false;
  }
  if (::access(path.c_str(), R_OK | W_OK | X_OK) != 0) {
    add(out, Health::Failed, "home", path + " can't be read and written: " + std::strerror(errno),
        "give it to the user who runs the server: chown -R USER " + path);
    return false;
  }
  patient.in_use_by = lock_holder(patient.home);
  add(out, Health::Ok, "home",
      path + (patient.in_use_by.empty() ? ", in use by nobody" : ", in use by " + patient.in_use_by));
  const fs::perms all = fs::status(patient.home, error).permissions();
  if ((all & fs::perms::others_write) != fs::perms::none)
    add(out, Health::Warning, "permissions", path + " may be written by everybody", "chmod o-w " + path);
  for (const char* name : {"millrace.db", "bus.db", "tasks.db", "tables.db", "queues.db", "streams.db",
                           "features.db", "labels.db", "events.db", "topics.db", "logs.db", "objects.db",
                           "metrics.db", "objects", "functions"}) {
    const fs::path part = patient.home / name;
    if (fs::exists(part, error) && ::access(part.c_str(), R_OK | W_OK) != 0)
      add(out, Health::Failed, "permissions", part.string() + " can't be read and written",
          "give it to the user who runs the server");
  }
  return true;
}

void check_disk(const Patient& patient, Findings& out) {
  struct statvfs about {};
  if (::statvfs(patient.home.c_str(), &about) != 0) return;
  const std::uint64_t free = std::uint64_t{about.f_bavail} * about.f_frsize;
  const Health health = free < kTooFewBytes ? Health::Failed
                        : free < kFewBytes  ? Health::Warning
                                            : Health::Ok;
  add(out, health, "disk", bytes_text(free) + " free",
      health == Health::Ok
          ? ""
          : "free some space, lower retention.days, or move the home: a full disk refuses work");
  if (about.f_files > 0 && about.f_favail < 10'000)
    add(out, Health::Warning, "disk", std::to_string(about.f_favail) + " files may still be made",
        "the file system is running out of inodes");
  struct statfs kind {};
  if (::statfs(patient.home.c_str(), &kind) != 0) return;
  const auto type = static_cast<unsigned long>(kind.f_type);
  if (type == kNfs || type == kCifs)
    add(out, Health::Failed, "file system", "the home is on a network file system",
        "use a local one: SQLite's locks and shared memory don't work over a network");
  if (type == kTmpfs)
    add(out, Health::Warning, "file system", "the home is in memory (tmpfs)",
        "it is gone with the machine: use a disk");
}

// Whether a flush takes the time of a flush. What a disk itself keeps back can't be seen from here.
void check_sync(const Patient& patient, Findings& out) {
  const fs::path probe = patient.home / (".doctor-" + std::to_string(::getpid()));
  const int fd = ::open(probe.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) {
    add(out, Health::Failed, "sync", "can't write a file in the home: " + std::string(std::strerror(errno)));
    return;
  }
  std::vector<std::chrono::nanoseconds> times;
  const std::string page(4096, 'x');
  for (int i = 0; i < kSyncProbes; ++i) {
    if (::pwrite(fd, page.data(), page.size(), i * 4096) != static_cast<ssize_t>(page.size())) break;
    const metrics::Stopwatch watch;
    if (::fsync(fd) != 0) break;
    times.push_back(watch.elapsed());
  }
  ::close(fd);
  ::unlink(probe.c_str());
  if (times.size() < kSyncProbes) {
    add(out, Health::Failed, "sync", "the disk refuses to be flushed: " + std::string(std::strerror(errno)),
        "the server can't acknowledge anything here: look at the disk");
    return;
  }
  std::sort(times.begin(), times.end());
  const auto median = times[times.size() / 2];
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(median).count();
  const std::string text = "a flush takes " + std::to_string(us) + " µs";
  if (median < kSyncTooFast) {
    add(out, Health::Warning, "sync", text + ": it hardly reaches a disk",
        "what is acknowledged may not survive a power cut: look for a file system or a virtual disk that "
        "ignores fsync");
  } else if (median > kSyncSlow) {
    add(out, Health::Warning, "sync", text, "every transaction waits for one: use a faster disk");
  } else {
    add(out, Health::Ok, "sync", text);
  }
}

Result<std::string> first_text(Database& database, std::string_view sql) {
  MR_TRY(statement, database.prepare(sql));
  MR_TRY(there, statement.step());
  return there ? std::string(statement.text(0)) : std::string();
}

// Rows that belong to nothing: harmless, but nothing should make them.
void check_orphans(Database& database, Findings& out) {
  constexpr std::pair<std::string_view, std::string_view> kQuestions[] = {
      {"histories without an execution",
       "SELECT count(DISTINCT execution) FROM history WHERE execution NOT IN (SELECT id FROM executions)"},
      {"executions without a history",
       "SELECT count(*) FROM executions WHERE events>0 AND id NOT IN (SELECT execution FROM history)"},
      {"executions without their state machine",
       "SELECT count(*) FROM executions WHERE machine NOT IN (SELECT id FROM machines)"},
      {"children of map runs that are not there",
       "SELECT count(*) FROM executions WHERE family<0 AND -family NOT IN (SELECT id FROM map_runs)"},
  };
  bool any = false;
  for (const auto& [what, sql] : kQuestions) {
    const auto count = first_text(database, sql);
    if (count && *count == "0") continue;
    any = true;
    add(out, Health::Warning, "orphans", count ? *count + " " + std::string(what) : count.error().message,
        "they do no harm; report it with `millrace doctor --json`");
  }
  if (!any) add(out, Health::Ok, "orphans", "none");
}

void check_schema(Database& database, const std::string& check, Findings& out) {
  const auto version = first_text(database, "PRAGMA user_version");
  if (!version) return;
  const int number = std::atoi(version->c_str());
  const std::string known = std::to_string(orchestrator::kSchemaVersion);
  if (number > orchestrator::kSchemaVersion) {
    add(out, Health::Failed, check,
        "written by a newer Millrace (format " + *version + ", this one knows " + known + ")",
        "use the newer Millrace");
  } else if (number < orchestrator::kSchemaVersion) {
    add(out, Health::Warning, check, "format " + *version + " is older than this Millrace's " + known,
        "back it up; the next start brings it up to date");
  }
}

void check_databases(const Patient& patient, Findings& out) {
  std::error_code error;
  for (const char* name : kHomeDatabases) {
    const fs::path file = patient.home / name;
    if (!fs::exists(file, error)) continue;
    const std::string check = std::string("database ") + name;
    auto database = Database::open_readonly(file.string());
    if (!database) {
      add(out, Health::Failed, check, database.error().message, "restore the home from a backup");
      continue;
    }
    const auto answer =
        first_text(*database, patient.thorough ? "PRAGMA integrity_check(1)" : "PRAGMA quick_check(1)");
    if (!answer || *answer != "ok") {
      add(out, Health::Failed, check, answer ? *answer : answer.error().message,
          "stop the server and restore the home from a backup: `millrace restore`");
      continue;
    }
    add(out, Health::Ok, check, bytes_text(fs::file_size(file, error)) + ", sound");
    if (std::string_view(name) != "millrace.db") continue;
    check_schema(*database, check, out);
    if (patient.thorough) check_orphans(*database, out);
  }
}

void check_clock(const Patient& patient, Findings& out) {
  const SystemClock clock;
  const Instant now = clock.now();
  std::error_code error;
  if (fs::exists(patient.home / "millrace.db", error)) {
    auto database = Database::open_readonly((patient.home / "millrace.db").string());
    const auto newest = database
                            ? first_text(*database, "SELECT started FROM executions ORDER BY id DESC LIMIT 1")
                            : Result<std::string>("");
    if (newest && !newest->empty() && std::atoll(newest->c_str()) > to_millis(now) + 60'000) {
      add(out, Health::Failed, "clock",
          "the newest execution began in the future, at " +
              format_rfc3339(from_millis(std::atoll(newest->c_str()))),
          "set the clock: waits and timeouts go by it");
      return;
    }
  }
  timex state{};
  const int synced = ::adjtimex(&state);
  const bool unsynced = synced == TIME_ERROR || (state.status & STA_UNSYNC) != 0;
  add(out, unsynced ? Health::Warning : Health::Ok, "clock",
      format_rfc3339(now) + (unsynced ? ", not synchronised" : ", synchronised"),
      unsynced ? "run a time service (systemd-timesyncd, chrony)" : "");
}

std::string in_path(std::string_view program) {
  const char* path = std::getenv("PATH");
  std::string_view rest = path ? path : "/usr/local/bin:/usr/bin:/bin";
  while (!rest.empty()) {
    const std::string_view folder = rest.substr(0, rest.find(':'));
    rest.remove_prefix(std::min(rest.size(), folder.size() + 1));
    const fs::path file = fs::path(folder) / program;
    if (::access(file.c_str(), X_OK) == 0) return file.string();
  }
  return {};
}

void check_runtimes(const Patient& patient, Findings& out) {
  const fs::path folder = patient.loaded.configuration.functions.empty()
                              ? patient.home / "functions"
                              : fs::path(patient.loaded.configuration.functions);
  std::map<std::string, std::string> needed;  // program: a function that needs it
  for (const std::string& name : tasks::function_names(folder)) {
    const auto function = tasks::load_function(folder, name);
    if (!function) {
      add(out, Health::Warning, "function " + name, function.error().message, function.error().hint);
      continue;
    }
    if (function->runtime.starts_with("python")) needed.emplace("python3", name);
    if (function->runtime.starts_with("node")) needed.emplace("node", name);
  }
  constexpr std::pair<const char*, const char*> kPrograms[] = {{"python3", "Python functions and scripts"},
                                                               {"node", "Node functions"},
                                                               {"bwrap", "training scripts see /opt/ml"}};
  for (const auto& [program, purpose] : kPrograms) {
    const std::string found = in_path(program);
    const auto need = needed.find(program);
    if (!found.empty()) {
      add(out, Health::Ok, program, found);
    } else if (need != needed.end()) {
      add(out, Health::Failed, program, "not found, and function " + need->second + " needs it",
          std::string("install it: apt-get install ") +
              (std::string_view(program) == "node" ? "nodejs" : program));
    } else {
      add(out, Health::Warning, program, std::string("not found; it is for ") + purpose,
          "nothing to do when there are none");
    }
  }
}

void check_port(const Patient& patient, Findings& out) {
  const auto address = http::parse_address(patient.loaded.configuration.listen);
  if (!address) return;
  const std::string where = patient.loaded.configuration.listen;
  if (!patient.in_use_by.empty()) return add(out, Health::Ok, "port", where + ": not tried, a server runs");
  const bool v6 = address->host.find(':') != std::string::npos;
  sockaddr_storage storage{};
  socklen_t length = 0;
  if (v6) {
    auto* to = reinterpret_cast<sockaddr_in6*>(&storage);
    to->sin6_family = AF_INET6;
    to->sin6_port = htons(static_cast<std::uint16_t>(address->port));
    ::inet_pton(AF_INET6, address->host.c_str(), &to->sin6_addr);
    length = sizeof *to;
  } else {
    auto* to = reinterpret_cast<sockaddr_in*>(&storage);
    to->sin_family = AF_INET;
    to->sin_port = htons(static_cast<std::uint16_t>(address->port));
    ::inet_pton(AF_INET, address->host.c_str(), &to->sin_addr);
    length = sizeof *to;
  }
  const int fd = ::socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int yes = 1;
  if (fd >= 0) ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  const bool free = fd >= 0 && ::bind(fd, reinterpret_cast<sockaddr*>(&storage), length) == 0;
  const int error = errno;
  if (fd >= 0) ::close(fd);
  if (free) return add(out, Health::Ok, "port", where + " is free");
  add(out, Health::Failed, "port", where + ": " + std::strerror(error), "choose another with server.listen");
}

void check_limits(const Patient& patient, Findings& out) {
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  const std::uint64_t wanted = patient.loaded.configuration.http.connections_max + kOtherFiles;
  const bool enough = files.rlim_cur == RLIM_INFINITY || files.rlim_cur >= wanted;
  add(out, enough ? Health::Ok : Health::Warning, "open files", "limit " + std::to_string(files.rlim_cur),
      enough ? ""
             : "http.connections_max wants " + std::to_string(wanted) +
                   ": ulimit -n, or LimitNOFILE= of the unit");
  rlimit size{};
  ::getrlimit(RLIMIT_FSIZE, &size);
  if (size.rlim_cur != RLIM_INFINITY)
    add(out, Health::Warning, "file size", "limited to " + bytes_text(size.rlim_cur),
        "a database that reaches it is a full disk: ulimit -f unlimited");
  rlimit processes{};
  ::getrlimit(RLIMIT_NPROC, &processes);
  const auto workers =
      static_cast<std::uint64_t>(patient.loaded.configuration.tasks.function_host.workers_max) + 64;
  if (processes.rlim_cur != RLIM_INFINITY && processes.rlim_cur < workers)
    add(out, Health::Warning, "processes", "limit " + std::to_string(processes.rlim_cur),
        "functions.workers_max wants " + std::to_string(workers) + ": ulimit -u, or LimitNPROC= of the unit");
}

void check_memory(const Patient&, Findings& out) {
  std::ifstream in("/proc/meminfo");
  for (std::string name, rest; in >> name;) {
    std::uint64_t kib = 0;
    in >> kib;
    std::getline(in, rest);
    if (name != "MemAvailable:") continue;
    const bool little = kib < 512 * 1024;
    add(out, little ? Health::Warning : Health::Ok, "memory", bytes_text(kib * 1024) + " available",
        little ? "an engine of 100,000 executions wants about that much for itself" : "");
  }
}

}  // namespace

std::string_view name_of(Health health) {
  static constexpr std::string_view kNames[] = {"ok", "warn", "fail"};
  return kNames[static_cast<std::size_t>(health)];
}

std::vector<Finding> examine(const DoctorRequest& request) {
  Patient patient;
  patient.home = request.sources.home;
  patient.loaded = load(request.sources);
  patient.thorough = request.thorough;
  Findings findings;
  check_configuration(patient, findings);
  if (check_home(patient, findings)) {
    check_disk(patient, findings);
    check_sync(patient, findings);
    check_databases(patient, findings);
  }
  check_clock(patient, findings);
  check_runtimes(patient, findings);
  check_port(patient, findings);
  check_limits(patient, findings);
  check_memory(patient, findings);
  return findings;
}

Health worst(const std::vector<Finding>& findings) {
  Health health = Health::Ok;
  for (const Finding& finding : findings) health = std::max(health, finding.health);
  return health;
}

}  // namespace millrace::service
