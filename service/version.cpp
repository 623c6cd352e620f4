#include "service/version.h"

namespace millrace::service {
const char* version() {
  return MILLRACE_VERSION;
}
}  // namespace millrace::service
