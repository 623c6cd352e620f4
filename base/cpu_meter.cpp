#include "base/cpu_meter.h"

#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>

namespace millrace {
namespace {

thread_local CpuMeter* t_meter = nullptr;

std::int64_t thread_micros() {
  rusage usage{};
  if (::getrusage(RUSAGE_THREAD, &usage) != 0) return 0;
  const auto micros = [](const timeval& t) { return std::int64_t{t.tv_sec} * 1'000'000 + t.tv_usec; };
  return micros(usage.ru_utime) + micros(usage.ru_stime);
}

}  // namespace

CpuMeter* CpuMeter::current() {
  return t_meter;
}

CpuScope::CpuScope(CpuMeter* meter) : meter_(meter), outer_(t_meter), begun_(meter ? thread_micros() : 0) {
  if (meter_) t_meter = meter_;
}

CpuScope::~CpuScope() {
  if (!meter_) return;
  t_meter = outer_;
  // This thread's time is the outer scope's anyway; that of the threads started inside is not.
  if (outer_) outer_->add_micros(meter_->micros());
  meter_->add_micros(thread_micros() - begun_);
}

std::int64_t resident_bytes() {
  std::FILE* file = std::fopen("/proc/self/statm", "re");
  if (!file) return 0;
  long total = 0, resident = 0;
  const int read = std::fscanf(file, "%ld %ld", &total, &resident);
  std::fclose(file);
  return read == 2 ? std::int64_t{resident} * ::sysconf(_SC_PAGESIZE) : 0;
}

}  // namespace millrace
