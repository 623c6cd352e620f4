#pragma once
// CpuMeter: the processor time of one piece of work over all its threads. The thread that works opens a
// CpuScope; threads it starts take the meter with them (CpuMeter::current() where they are made, a CpuScope
// in the thread). Figures are for people, never for a decision. Any thread. Source: getrusage(2).

#include <atomic>
#include <cstdint>

namespace millrace {

class CpuMeter {
 public:
  double seconds() const { return static_cast<double>(micros()) / 1e6; }
  std::int64_t micros() const { return micros_.load(std::memory_order_relaxed); }
  void add_micros(std::int64_t micros) { micros_.fetch_add(micros, std::memory_order_relaxed); }
  static CpuMeter* current();  // of this thread; null: nobody asks

 private:
  std::atomic<std::int64_t> micros_{0};
};

// What this thread uses up to the scope's end is the meter's. In a scope around it, it counts there, too.
class CpuScope {
 public:
  explicit CpuScope(CpuMeter* meter);  // null: does nothing
  ~CpuScope();
  CpuScope(const CpuScope&) = delete;
  CpuScope& operator=(const CpuScope&) = delete;

 private:
  CpuMeter* const meter_;
  CpuMeter* const outer_;
  const std::int64_t begun_;
};

// Bytes of memory this process holds now; 0 where the system does not tell.
std::int64_t resident_bytes();

}  // namespace millrace
