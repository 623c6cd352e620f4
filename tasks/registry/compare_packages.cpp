#include "tasks/registry/compare_packages.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "tasks/arguments.h"
#include "tasks/jobs/entities.h"
#include "tasks/registry/package_aliases.h"
#include "tasks/steps/step_record.h"

namespace millrace::tasks {
namespace {

constexpr std::size_t kComparedMax = 20;  // versions
constexpr std::size_t kReportBytesMax = 4 << 20;
constexpr std::size_t kNumbersMax = 500;  // of one version
constexpr std::size_t kTrainingsLooked = 100'000;

using Cells = std::map<std::string, Json>;
struct ComparedPackage {
  Json summary;
  Cells metrics, parameters, data;
};

// Numbers of a report by their path; {"value": 0.9, …} is the number itself.
void collect_numbers(const Json& value, const std::string& path, Cells& out) {
  if (out.size() >= kNumbersMax) return;
  if (value.is_number()) {
    out.emplace(path, value);
    return;
  }
  if (!value.is_object()) return;
  const auto direct = value.find("value");
  if (direct != value.end() && direct->is_number()) {
    out.emplace(path, *direct);
    return;
  }
  for (const auto& [key, member] : value.items())
    collect_numbers(member, path.empty() ? key : path + "." + key, out);
}

// Every report below ModelMetrics: {"ModelQuality": {"Statistics": {"S3Uri": …}}}.
void read_reports(const Json& metrics, const ObjectStore& objects, Cells& out) {
  if (!metrics.is_object()) return;
  const std::string uri = text_in(metrics, "S3Uri");
  if (!uri.empty()) {
    const auto found = objects.list(uri);
    if (!found || found->size() != 1 || found->front().bytes > kReportBytesMax) return;
    const auto bytes = objects.read(uri);
    const Json report = bytes ? Json::parse(*bytes, nullptr, false) : Json();
    if (!report.is_object()) return;
    // The kind of problem ("binary_classification_metrics") is the same for all versions and says nothing.
    for (const auto& [key, member] : report.items())
      collect_numbers(member, key.ends_with("_metrics") ? "" : key, out);
    return;
  }
  for (const Json& member : metrics) read_reports(member, objects, out);
}

std::string without_last_slash(std::string uri) {
  while (uri.ends_with('/')) uri.pop_back();
  return uri;
}

// The training job whose artifact this is, the latest of that place; null when no record has it.
const Json* training_of(const std::vector<Json>& jobs, const std::string& uri) {
  for (const Json& job : jobs)
    if (without_last_slash(text_at(job, {"ModelArtifacts", "S3ModelArtifacts"})) == without_last_slash(uri) &&
        text_at(job, {kNotes, kStep, "Cache", "Result"}) != "hit")
      return &job;
  return nullptr;
}

void add_training_cells(const Json& job, ComparedPackage& out) {
  for (const Json& metric : job.value("FinalMetricDataList", Json::array()))
    out.metrics[text_in(metric, "MetricName")] = metric.value("Value", Json());
  const Json notes = job.value(kNotes, Json::object());
  const Json step = notes.value(kStep, Json::object());
  out.parameters["image"] = text_at(job, {"AlgorithmSpecification", "TrainingImage"});
  const Json given = job.value("HyperParameters", Json::object());
  const Json parameters = step.value("Parameters", given);
  for (const auto& [name, value] : parameters.items()) out.parameters[name] = value;
  for (const Json& input : step.value("Inputs", Json::array())) {
    const std::string name = text_in(input, "Name");
    out.data[name + " sha256"] = text_in(input, "Sha256");
    out.data[name + " bytes"] = input.value("Bytes", Json());
    out.data[name + " place"] = text_in(input, "Uri");
  }
  if (step.contains("Code")) out.data["code sha256"] = text_in(step["Code"], "Sha256");
  out.data["training job"] = text_in(job, "TrainingJobName");
}

Json version_table(const std::vector<ComparedPackage>& packages, Cells ComparedPackage::*cells) {
  std::map<std::string, Json> rows;
  for (const ComparedPackage& package : packages)
    for (const auto& [name, value] : package.*cells) rows[name] = Json::array();
  Json table = Json::array();
  for (auto& [name, values] : rows) {
    bool same = true;
    for (const ComparedPackage& package : packages) {
      const auto found = (package.*cells).find(name);
      values.push_back(found == (package.*cells).end() ? Json() : found->second);
      same = same && values.back() == values.front();
    }
    table.push_back({{"Name", name}, {"Values", values}, {"Same", same}});
  }
  return table;
}

Result<std::vector<std::string>> versions_in(const Arguments& arguments) {
  std::vector<std::string> versions;
  const auto given = arguments.json().find("Versions");
  if (given == arguments.json().end() || !given->is_array())
    return arguments.wrong("Versions", "is required: [3, 4], or aliases: [\"champion\", 4]");
  for (const Json& version : *given) {
    const bool fine = version.is_string() || version.is_number_integer();
    if (!fine) return arguments.wrong("Versions", "expected numbers and aliases");
    versions.push_back(version.is_string() ? version.get<std::string>()
                                           : std::to_string(version.get<std::int64_t>()));
  }
  if (versions.size() < 2 || versions.size() > kComparedMax)
    return arguments.wrong("Versions", "needs from 2 to 20");
  return versions;
}

Result<Json> comparison(TaskCall& call) {
  const Arguments arguments(call.arguments);
  MR_TRY(given, arguments.text("ModelPackageGroupName"));
  MR_TRY(versions, versions_in(arguments));
  const std::string group = name_of(kModelPackageGroup, given);
  const Jobs& jobs = call.context.jobs();
  MR_TRY(trainings, jobs.list(kTrainingJob.kind, {}, kTrainingsLooked));
  std::vector<ComparedPackage> packages;
  for (const std::string& version : versions) {
    const bool number = version.find_first_not_of("0123456789") == std::string::npos;
    MR_TRY(name, package_name(jobs, group + (number ? "/" : "@") + version));
    MR_TRY(record, jobs.find(kModelPackage.kind, name));
    ComparedPackage package;
    package.summary = Json::object();
    for (const char* field : {"ModelPackageVersion", "ModelPackageArn", "ModelApprovalStatus", "CreationTime",
                              "ModelPackageDescription"})
      if (record.contains(field)) package.summary[field] = record[field];
    package.summary["Aliases"] = aliases_of(jobs, name);
    const Json inference = record.value("InferenceSpecification", Json::object());
    for (const Json& container : inference.value("Containers", Json::array()))
      if (const Json* job = training_of(trainings, text_in(container, "ModelDataUrl")))
        add_training_cells(*job, package);
    read_reports(record.value("ModelMetrics", Json()), call.context.objects(), package.metrics);
    const Json metadata = record.value("CustomerMetadataProperties", Json::object());
    for (const auto& [key, value] : metadata.items()) package.parameters["metadata." + key] = value;
    packages.push_back(std::move(package));
  }
  Json answer = {{"ModelPackageGroupName", group}, {"Versions", Json::array()}};
  for (const ComparedPackage& package : packages) answer["Versions"].push_back(package.summary);
  answer["Metrics"] = version_table(packages, &ComparedPackage::metrics);
  answer["Parameters"] = version_table(packages, &ComparedPackage::parameters);
  answer["Data"] = version_table(packages, &ComparedPackage::data);
  return answer;
}

}  // namespace

Outcome compare_model_packages(TaskCall& call) {
  const auto answer = comparison(call);
  if (!answer) return sagemaker_failure(answer.error());
  return to_payload(*answer);
}

}  // namespace millrace::tasks
