#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#include "tests/support/paths.h"

std::string millrace::source_path(const std::string& below) {
  return MILLRACE_SOURCE_DIR + below;
}

std::string millrace::binary_path(const std::string& below) {
  return MILLRACE_BINARY_DIR + below;
}
