#include "service/cli/main.h"

int main(int argc, char** argv) {
  return millrace::cli::run_main(argc, argv);
}
