#pragma once
// A directory that goes away with its owner, and an object store in it.

#include <stdlib.h>

#include <filesystem>
#include <string>

#include "tasks/artifacts/object_store.h"

namespace millrace::tasks {

struct TemporaryStore {
  std::filesystem::path directory;
  ObjectStore objects;

  TemporaryStore() : directory(make()), objects(directory / "objects") {}
  ~TemporaryStore() {
    std::error_code ignored;
    std::filesystem::remove_all(directory, ignored);
  }
  TemporaryStore(const TemporaryStore&) = delete;
  TemporaryStore& operator=(const TemporaryStore&) = delete;

 private:
  static std::filesystem::path make() {
    std::string name = (std::filesystem::temp_directory_path() / "millrace-test-XXXXXX").string();
    return ::mkdtemp(name.data());
  }
};

}  // namespace millrace::tasks
