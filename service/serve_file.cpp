#include "service/serve_file.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/payload.h"

namespace millrace::service {
namespace {

std::filesystem::path serve_file(const std::string& home) {
  return std::filesystem::path(home) / "serve.json";
}

// Whether a process holds the lock of home.cpp.
bool is_locked(const std::string& home) {
  const int fd = ::open((std::filesystem::path(home) / "lock").c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool free = ::flock(fd, LOCK_SH | LOCK_NB) == 0;
  ::close(fd);
  return !free;
}

std::string content_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

Status write_serve_file(const std::string& home, const std::string& url) {
  const std::filesystem::path file = serve_file(home);
  const std::string beside = file.string() + ".new";
  JsonWriter out;
  out.begin_object().key("url").string(url).key("pid").number(std::int64_t{::getpid()}).end_object();
  std::ofstream stream(beside, std::ios::binary);
  stream << out.finish().text() << "\n";
  stream.close();
  // Readers see the old file or the new one, nothing half written.
  if (!stream || std::rename(beside.c_str(), file.c_str()) != 0)
    return fail(ErrorCode::OutOfSpace, "can't write " + file.string() + ": " + std::strerror(errno),
                "free some space");
  return {};
}

void remove_serve_file(const std::string& home) {
  std::error_code ignored;
  std::filesystem::remove(serve_file(home), ignored);
}

std::optional<std::string> find_server(const std::string& home) {
  const auto document = Payload::parse(content_of(serve_file(home)));
  if (!document || !document->view().is_object()) return std::nullopt;
  const JsonView url = document->view().find("url"), pid = document->view().find("pid");
  if (!url || !url.is_string() || !pid || !pid.is_number()) return std::nullopt;
  // What a crash left behind: the process is gone, or the lock is another one's. The lock itself is tried
  // last, so that a process that is about to take it does not find it taken by us.
  if (content_of(std::filesystem::path(home) / "lock") != pid.text()) return std::nullopt;
  if (::kill(static_cast<pid_t>(pid.integer().value_or(0)), 0) != 0 && errno == ESRCH) return std::nullopt;
  if (!is_locked(home)) return std::nullopt;
  return url.string();
}

}  // namespace millrace::service
