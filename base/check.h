#pragma once
// MR_CHECK: for what can only be wrong if the program is wrong. On in release; prints and stops the process,
// which then recovers from the store. Never for input from outside.

namespace millrace {
[[noreturn]] void check_failed(const char* condition, const char* why, const char* file, int line);
}

#define MR_CHECK(condition, why) \
  ((condition) ? void(0) : ::millrace::check_failed(#condition, why, __FILE__, __LINE__))
