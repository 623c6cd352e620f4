#include "tasks/training/model_source.h"

#include "tasks/artifacts/archive.h"

namespace millrace::tasks {

namespace {
constexpr std::string_view kCardFile = "model_card.json";
constexpr std::size_t kNamesShown = 10;
// A built-in model is held in memory whole; what is larger was not written by a training job of ours.
constexpr ArchiveLimits kModelLimits{.bytes_max = std::uint64_t{4} << 30, .files_max = 10'000};
}  // namespace

Result<std::filesystem::path> model_written_file(const ObjectStore& objects, std::string_view uri) {
  MR_TRY(path, objects.path_of(uri));
  std::error_code code;
  if (std::filesystem::is_regular_file(path, code)) return path;
  if (!std::filesystem::is_directory(path, code))
    return fail(ErrorCode::NotFound, "Could not find model data at " + std::string(uri) + ".");
  return path / kCardFile;
}

Result<ModelSource> ModelSource::open(const ObjectStore& objects, std::string_view uri) {
  ModelSource source(objects, uri);
  MR_TRY(written, model_written_file(objects, uri));
  source.written_ = std::move(written);
  MR_TRY(path, objects.path_of(uri));
  if (source.written_ == path) {
    auto files = read_archive(path, kModelLimits);
    if (!files) {
      // Whoever wrote the file, the request names it: its words, under its URI.
      std::string words = files.error().message;
      if (words.starts_with(path.string())) words.erase(0, path.string().size() + 1);
      return invalid(std::string(uri) + " " + words, files.error().hint);
    }
    source.archive_ = std::move(*files);
  }
  return source;
}

bool ModelSource::has(std::string_view name) const {
  if (archive_) return archive_->contains(std::string(name));
  const auto path = objects_->path_of(join_uri(uri_, name));
  std::error_code code;
  return path && std::filesystem::is_regular_file(*path, code);
}

Result<std::string> ModelSource::read(std::string_view name) const {
  if (!archive_) return objects_->read(join_uri(uri_, name));
  const auto found = archive_->find(std::string(name));
  if (found == archive_->end())
    return fail(ErrorCode::NotFound, uri_ + " has no file " + std::string(name) + "; it has " + names());
  return found->second;
}

std::string ModelSource::names() const {
  if (!archive_) return "other files";
  if (archive_->empty()) return "no files";
  std::string out;
  std::size_t shown = 0;
  for (const auto& [name, bytes] : *archive_) {
    if (shown++ == kNamesShown) return out + ", …";
    out += (out.empty() ? "" : ", ") + name;
  }
  return out;
}

}  // namespace millrace::tasks
