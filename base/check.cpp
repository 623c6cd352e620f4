#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace millrace {

void check_failed(const char* condition, const char* why, const char* file, int line) {
  std::fprintf(stderr, "millrace: broken invariant: %s\n  %s\n  at %s:%d\n", why, condition, file, line);
  std::fflush(stderr);
  std::abort();
}

}  // namespace millrace
