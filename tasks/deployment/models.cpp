#include "tasks/deployment/models.h"

#include <nlohmann/json.hpp>

#include "tasks/arguments.h"
#include "tasks/jobs/entities.h"
#include "tasks/registry/model_packages.h"

namespace millrace::tasks {
namespace {

// The artifact one container serves.
Result<std::string> container_uri(const Arguments& container, const Jobs& jobs) {
  MR_TRY(uri, container.text_or("ModelDataUrl", ""));
  MR_TRY(package, container.text_or("ModelPackageName", ""));
  MR_TRY(source, container.object_or_empty("ModelDataSource"));
  MR_TRY(s3_source, source.object_or_empty("S3DataSource"));
  MR_TRY(source_uri, s3_source.text_or("S3Uri", ""));
  if (!package.empty()) return approved_model_uri(jobs, package);
  if (uri.empty()) uri = source_uri;
  if (uri.empty()) return container.wrong("ModelDataUrl", "ModelDataUrl or ModelPackageName is required");
  if (uri.rfind("s3://", 0) != 0)
    return container.wrong("ModelDataUrl", "expected s3://bucket/key, got " + uri);
  return uri;
}

Result<std::vector<std::string>> uris_of(const Arguments& model, const Jobs& jobs) {
  MR_TRY(containers, model.list("Containers"));
  if (containers.empty()) {
    MR_TRY(primary, model.object("PrimaryContainer"));
    containers.push_back(primary);
  }
  std::vector<std::string> uris;
  for (const Arguments& container : containers) {
    MR_TRY(uri, container_uri(container, jobs));
    uris.push_back(std::move(uri));
  }
  return uris;
}

Result<std::string> checked_model_name(TaskCall& call) {
  const Arguments arguments(call.arguments);
  MR_TRY(name, arguments.text("ModelName"));
  MR_DO(check_name("ModelName", name));
  if (arguments.has("PrimaryContainer") && arguments.has("Containers"))
    return invalid("PrimaryContainer and Containers exclude each other");
  MR_DO(uris_of(arguments, call.context.jobs()));
  return name;
}

}  // namespace

Result<std::vector<std::string>> model_uris(const Jobs& jobs, std::string_view model_name) {
  MR_TRY(record, jobs.find(kModel.kind, model_name));
  return uris_of(Arguments(record), jobs);
}

Outcome create_model(TaskCall& call) {
  const auto name = checked_model_name(call);
  if (!name) return sagemaker_failure(name.error());
  return create_entity(kModel, *name, call.arguments, call);
}

}  // namespace millrace::tasks
