#include "tasks/numeric/isa.h"

#include <algorithm>
#include <atomic>

namespace millrace::tasks {

namespace {

Isa detect_isa() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("bmi2")) {
    return Isa::Avx512;
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2")) return Isa::Avx2;
#endif
  return Isa::Baseline;
}

std::atomic<Isa> isa_limit{Isa::Avx512};

}  // namespace

Isa isa() {
  static const Isa kBest = detect_isa();
  return std::min(kBest, isa_limit.load(std::memory_order_relaxed));
}

void limit_isa(Isa most) {
  isa_limit = most;
}

}  // namespace millrace::tasks
