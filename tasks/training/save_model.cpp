#include <nlohmann/json.hpp>

#include "tasks/artifacts/archive.h"
#include "tasks/training/model_artifact.h"

namespace millrace::tasks {

Status pack_model(const std::filesystem::path& path, const ModelFiles& files) {
  const EstimatorKind* kind = find_estimator(files.card.at("algorithm").get<std::string>());
  MR_TRY(archive, ArchiveWriter::create(path));
  MR_DO(archive.add("model_card.json", files.card.dump(2) + "\n"));
  MR_DO(archive.add(kind != nullptr ? kind->file : "model.bin", files.model_bytes));
  if (!files.pipeline.is_null()) MR_DO(archive.add("pipeline.json", files.pipeline.dump(2) + "\n"));
  return archive.finish();
}

Status save_model(const ObjectStore& objects, std::string_view model_uri, const ModelFiles& files) {
  return objects.write_by(model_uri,
                          [&](const std::filesystem::path& path) { return pack_model(path, files); });
}

}  // namespace millrace::tasks
