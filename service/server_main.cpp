#include <unistd.h>

#include <cstdlib>

#include "service/cli/main.h"

// libxgboost works with OpenMP, whose threads spin while they wait unless the process was begun with this
// setting: on a busy machine that costs many times the work itself. It is read when the library is loaded, so
// setting it here means beginning again, once.
static void begin_with_passive_threads(char** argv) {
  if (std::getenv("OMP_WAIT_POLICY") || std::getenv("GOMP_SPINCOUNT")) return;
  setenv("OMP_WAIT_POLICY", "passive", 1);
  execv("/proc/self/exe", argv);  // returns only when it fails; then training is slower, and nothing else is
}

int main(int argc, char** argv) {
  begin_with_passive_threads(argv);
  return millrace::cli::run_main(argc, argv);
}
