// A library to preload into a process under test: calls that fail, and a clock that jumps, as a shared file
// says. The file (its path in MILLRACE_FAULTS) holds 64-bit numbers in the order of Control; the test changes
// them while the process runs. Only files whose path contains one of the names below are touched. Python's
// side: faults.py.

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

namespace {

struct Control {
  int64_t kinds;     // of calls: sum of Kind
  int64_t at;        // which call of them fails, from 1; 0: none
  int64_t on;        // 1: those behind it fail, too
  int64_t error;     // errno; for a write -1: half of it is written
  int64_t calls;     // so far
  int64_t failed;    // so many
  int64_t clock_ms;  // added to the wall clock
};
enum Kind : int64_t { kRead = 1, kWrite = 2, kSync = 4, kOpen = 8, kResize = 16 };

Control* control() {
  static Control* shared = [] {
    const char* path = getenv("MILLRACE_FAULTS");
    static Control none{};
    if (!path) return &none;
    using Open = int (*)(const char*, int, ...);
    const int fd = reinterpret_cast<Open>(dlsym(RTLD_NEXT, "open"))(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) return &none;
    void* memory = mmap(nullptr, sizeof(Control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return memory == MAP_FAILED ? &none : static_cast<Control*>(memory);
  }();
  return shared;
}

bool ours(const char* path) {
  return strstr(path, "millrace.db") || strstr(path, "tasks.db");
}
bool ours(int fd) {
  char link[64] = "/proc/self/fd/", path[4096];
  int digits = 1;
  for (int rest = fd; rest >= 10; rest /= 10) ++digits;
  char* end = link + strlen(link) + digits;
  *end = 0;
  for (int rest = fd; digits-- > 0; rest /= 10) *--end = static_cast<char>('0' + rest % 10);
  const ssize_t size = readlink(link, path, sizeof path - 1);
  if (size <= 0) return false;
  path[size] = 0;
  return ours(path);
}

// The error this call must have; 0: none.
template <class File>
int64_t fault(Kind kind, File file) {
  Control& now = *control();
  if ((now.kinds & kind) == 0 || !ours(file)) return 0;
  const int64_t call = __atomic_add_fetch(&now.calls, 1, __ATOMIC_RELAXED);
  const bool hit = now.at > 0 && (call == now.at || (now.on != 0 && call > now.at));
  if (!hit) return 0;
  __atomic_add_fetch(&now.failed, 1, __ATOMIC_RELAXED);
  return now.error;
}

template <class Function>
Function next(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

// -1 with errno, or the call.
template <class File, class Call>
auto unless_fault(Kind kind, File file, Call call) -> decltype(call()) {
  const int64_t error = fault(kind, file);
  if (error <= 0) return call();
  errno = static_cast<int>(error);
  return -1;
}

}  // namespace

extern "C" {

ssize_t pread64(int fd, void* data, size_t size, off64_t at) {
  static const auto call = next<ssize_t (*)(int, void*, size_t, off64_t)>("pread64");
  return unless_fault(kRead, fd, [&] { return call(fd, data, size, at); });
}
ssize_t pread(int fd, void* data, size_t size, off_t at) {
  return pread64(fd, data, size, at);
}
ssize_t pwrite64(int fd, const void* data, size_t size, off64_t at) {
  static const auto call = next<ssize_t (*)(int, const void*, size_t, off64_t)>("pwrite64");
  const int64_t error = fault(kWrite, fd);
  if (error > 0) {
    errno = static_cast<int>(error);
    return -1;
  }
  return call(fd, data, error < 0 ? (size + 1) / 2 : size, at);
}
ssize_t pwrite(int fd, const void* data, size_t size, off_t at) {
  return pwrite64(fd, data, size, at);
}
int fsync(int fd) {
  static const auto call = next<int (*)(int)>("fsync");
  return unless_fault(kSync, fd, [&] { return call(fd); });
}
int fdatasync(int fd) {
  static const auto call = next<int (*)(int)>("fdatasync");
  return unless_fault(kSync, fd, [&] { return call(fd); });
}
int ftruncate64(int fd, off64_t size) {
  static const auto call = next<int (*)(int, off64_t)>("ftruncate64");
  return unless_fault(kResize, fd, [&] { return call(fd, size); });
}
int ftruncate(int fd, off_t size) {
  return ftruncate64(fd, size);
}
int open64(const char* path, int flags, ...) {
  static const auto call = next<int (*)(const char*, int, ...)>("open64");
  va_list more;
  va_start(more, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(more, mode_t) : 0;
  va_end(more);
  return unless_fault(kOpen, path, [&] { return call(path, flags, mode); });
}

int clock_gettime(clockid_t clock, struct timespec* time) {
  static const auto call = next<int (*)(clockid_t, struct timespec*)>("clock_gettime");
  const int code = call(clock, time);
  if (code == 0 && clock == CLOCK_REALTIME) time->tv_sec += control()->clock_ms / 1000;
  return code;
}

}  // extern "C"
