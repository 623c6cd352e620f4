#pragma once
// Where a model's files are read from: an archive (`model.tar.gz`), or a folder of the object store that
// holds them. An archive is read once and kept while the source lives. One thread.

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "tasks/artifacts/object_store.h"

namespace millrace::tasks {

class ModelSource {
 public:
  // NotFound: "Could not find model data at s3://…"; InvalidArgument when it is no archive.
  static Result<ModelSource> open(const ObjectStore& objects, std::string_view uri);

  const std::string& uri() const { return uri_; }
  // The file behind the model whose time says when it was written: the archive, or the folder's model card.
  const std::filesystem::path& written_file() const { return written_; }
  bool has(std::string_view name) const;
  Result<std::string> read(std::string_view name) const;  // NotFound
  // What was found instead of a file that is missing: the archive's names, at most ten.
  std::string names() const;

 private:
  ModelSource(const ObjectStore& objects, std::string_view uri) : objects_(&objects), uri_(uri) {}
  const ObjectStore* objects_;
  std::string uri_;
  std::filesystem::path written_;
  std::optional<std::map<std::string, std::string>> archive_;  // none: a folder
};
// The same without reading anything but the folder's entry.
Result<std::filesystem::path> model_written_file(const ObjectStore& objects, std::string_view uri);

}  // namespace millrace::tasks
