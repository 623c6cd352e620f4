#pragma once
// What is in a model: its file `name`.

#include <doctest/doctest.h>

#include <string>

#include "tasks/training/model_source.h"

namespace millrace::tasks {

inline std::string model_file(const ObjectStore& objects, std::string_view uri, std::string_view name) {
  const auto source = ModelSource::open(objects, uri);
  REQUIRE_MESSAGE(source.has_value(), (source ? "" : source.error().message));
  const auto bytes = source->read(name);
  REQUIRE_MESSAGE(bytes.has_value(), (bytes ? "" : bytes.error().message));
  return *bytes;
}

}  // namespace millrace::tasks
