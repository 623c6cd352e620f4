#include "tasks/deployment/models.h"

#include <nlohmann/json.hpp>

#include "tasks/arguments.h"
#include "tasks/deployment/script_model.h"
#include "tasks/jobs/entities.h"
#include "tasks/registry/model_packages.h"
#include "tasks/steps/step_record.h"

namespace millrace::tasks {
namespace {

// The artifact of one container; empty when it says none.
Result<std::string> container_uri(const Arguments& container, const Jobs& jobs) {
  MR_TRY(uri, container.text_or("ModelDataUrl", ""));
  MR_TRY(package, container.text_or("ModelPackageName", ""));
  MR_TRY(source, container.object_or_empty("ModelDataSource"));
  MR_TRY(s3_source, source.object_or_empty("S3DataSource"));
  MR_TRY(source_uri, s3_source.text_or("S3Uri", ""));
  if (!package.empty()) return approved_model_uri(jobs, package);
  if (uri.empty()) uri = source_uri;
  if (!uri.empty() && uri.rfind("s3://", 0) != 0)
    return container.wrong("ModelDataUrl", "expected s3://bucket/key, got " + uri);
  return uri;
}

// As an endpoint's record notes it.
Result<Json> noted_container(const Arguments& container, const Jobs& jobs) {
  MR_TRY(uri, container_uri(container, jobs));
  MR_TRY(mode, container.text_or("Mode", "SingleModel"));
  MR_DO(container.one_of("Mode", mode, "SingleModel|MultiModel"));
  MR_TRY(script, ScriptContainer::read(container.json(), uri));
  if (script && mode == "MultiModel")
    return container.wrong("Mode",
                           "MultiModel is for models of built-in algorithms; a program serves one model");
  if (script) return script->to_json();
  if (uri.empty())
    return container.wrong("ModelDataUrl",
                           "ModelDataUrl, ModelPackageName or Environment.SAGEMAKER_PROGRAM is required");
  if (mode == "MultiModel") return Json{{"Many", uri}};
  return Json(uri);
}

Result<Json> containers_of(const Arguments& model, const Jobs& jobs) {
  MR_TRY(containers, model.list("Containers"));
  if (containers.empty()) {
    MR_TRY(primary, model.object("PrimaryContainer"));
    containers.push_back(primary);
  }
  Json noted = Json::array();
  for (const Arguments& container : containers) {
    MR_TRY(one, noted_container(container, jobs));
    noted.push_back(std::move(one));
  }
  return noted;
}

Result<std::string> checked_model_name(TaskCall& call) {
  const Arguments arguments(call.arguments);
  MR_TRY(name, arguments.text("ModelName"));
  MR_DO(check_name("ModelName", name));
  if (arguments.has("PrimaryContainer") && arguments.has("Containers"))
    return invalid("PrimaryContainer and Containers exclude each other");
  MR_DO(containers_of(arguments, call.context.jobs()));
  return name;
}

}  // namespace

Result<Json> model_containers(const Jobs& jobs, std::string_view model_name) {
  MR_TRY(record, jobs.find(kModel.kind, model_name));
  return containers_of(Arguments(record), jobs);
}

Result<std::vector<std::string>> model_uris(const Jobs& jobs, std::string_view model_name) {
  MR_TRY(containers, model_containers(jobs, model_name));
  std::vector<std::string> uris;
  for (const Json& container : containers) {
    if (!container.is_string())
      return invalid("model \"" + std::string(model_name) + "\" " +
                         (container.contains("Many") ? "has many models" : "runs a program of yours"),
                     "only endpoints serve it");
    uris.push_back(container.get<std::string>());
  }
  return uris;
}

Outcome create_model(TaskCall& call) {
  const auto name = checked_model_name(call);
  if (!name) return sagemaker_failure(name.error());
  Json fields = call.arguments;
  std::vector<std::string> uris;
  Json containers = fields.value("Containers", Json::array());
  if (fields.contains("PrimaryContainer")) containers.push_back(fields["PrimaryContainer"]);
  for (const Json& container : containers) {
    uris.push_back(text_at(container, {"ModelDataUrl"}));
    uris.push_back(text_at(container, {"ModelDataSource", "S3DataSource", "S3Uri"}));
  }
  std::erase(uris, "");
  if (call.hashes)  // for lineage: who made what is served
    fields[kNotes] = {{kContents, contents_now(uris, {call.context.objects(), *call.hashes, {}})}};
  return create_entity(kModel, *name, std::move(fields), call);
}

}  // namespace millrace::tasks
