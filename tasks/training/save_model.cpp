#include <nlohmann/json.hpp>

#include "tasks/training/model_artifact.h"

namespace millrace::tasks {

Status save_model(const ObjectStore& objects, std::string_view model_uri, const ModelFiles& files) {
  const std::string card = join_uri(model_uri, "model_card.json");
  // What an interrupted or earlier run left must not be taken for this model while its files are replaced.
  if (objects.read(card)) MR_DO(objects.remove_prefix(join_uri(model_uri, "")));
  MR_DO(objects.write(join_uri(model_uri, "model.bin"), files.model_bytes));
  if (!files.pipeline.is_null())
    MR_DO(objects.write(join_uri(model_uri, "pipeline.json"), files.pipeline.dump(2) + "\n"));
  return objects.write(card, files.card.dump(2) + "\n");
}

}  // namespace millrace::tasks
