#include "tasks/labelling/label_job.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/random.h"
#include "tasks/arguments.h"
#include "tasks/jobs/entities.h"
#include "tasks/jobs/tags.h"

namespace millrace::tasks {
namespace {

constexpr int kWorkersMax = 9;  // for one object, as the API has it

Result<std::vector<std::string>> read_categories(const ObjectStore& objects, const std::string& uri) {
  MR_TRY(text, objects.read(uri));
  auto parsed = Payload::parse(text);
  if (!parsed) return invalid(uri + ": " + parsed.error().message);
  const Json document = to_json(parsed->view());
  std::vector<std::string> categories;
  std::set<std::string> seen;
  const Json labels = document.is_object() ? document.value("labels", Json::array()) : Json::array();
  for (const Json& entry : labels.is_array() ? labels : Json::array()) {
    categories.push_back(text_in(entry, "label"));
    if (categories.back().empty()) return invalid(uri + ": each of \"labels\" needs a \"label\"");
    if (!seen.insert(categories.back()).second)
      return invalid(uri + ": the label \"" + categories.back() + "\" comes twice");
  }
  if (categories.size() < 2 || categories.size() > kCategoriesMax)
    return invalid(uri + " has " + std::to_string(categories.size()) + " labels, expected 2 to " +
                       std::to_string(kCategoriesMax),
                   R"({"document-version": "2018-11-28", "labels": [{"label": "ham"}, {"label": "spam"}]})");
  return categories;
}

Status check_human_task(const Arguments& request) {
  MR_TRY(task, request.object("HumanTaskConfig"));
  MR_DO(task.text("TaskTitle"));
  MR_DO(task.text("TaskDescription"));
  MR_TRY(workers, task.integer_or("NumberOfHumanWorkersPerDataObject", 1));
  if (workers < 1 || workers > kWorkersMax)
    return task.wrong("NumberOfHumanWorkersPerDataObject", "must be from 1 to 9");
  return {};
}

Status check_stopping(const Arguments& request) {
  MR_TRY(stopping, request.object_or_empty("StoppingConditions"));
  MR_TRY(count, stopping.integer_or("MaxHumanLabeledObjectCount", 1));
  if (count < 1) return stopping.wrong("MaxHumanLabeledObjectCount", "must be at least 1");
  if (stopping.has("MaxPercentageOfInputDatasetLabeled"))
    return stopping.wrong("MaxPercentageOfInputDatasetLabeled", "is not supported here",
                          "MaxHumanLabeledObjectCount is");
  return {};
}

}  // namespace

Result<std::vector<std::string>> check_labeling_request(const Json& json, const ObjectStore& objects) {
  const Arguments request(json);
  MR_TRY(name, request.text("LabelingJobName"));
  MR_DO(check_name("LabelingJobName", name));
  MR_DO(check_tags(json));
  MR_TRY(attribute, request.text("LabelAttributeName"));
  MR_DO(check_name("LabelAttributeName", attribute, 127));
  if (attribute.ends_with("-metadata") || attribute == "source" || attribute == "source-ref")
    return request.wrong("LabelAttributeName", "\"" + attribute + "\" is reserved");
  MR_TRY(input, request.object("InputConfig"));
  MR_TRY(source, input.object("DataSource"));
  MR_TRY(s3, source.object("S3DataSource"));
  MR_TRY(manifest, s3.text("ManifestS3Uri"));
  MR_DO(parse_s3_uri(manifest));
  MR_TRY(output, request.object("OutputConfig"));
  MR_TRY(path, output.text("S3OutputPath"));
  MR_DO(parse_s3_uri(path));
  if (request.has("LabelingJobAlgorithmsConfig"))
    return request.wrong("LabelingJobAlgorithmsConfig",
                         "is not supported: people label every object of the job",
                         "a workflow labels what a model is sure of by the processor label-apply");
  MR_DO(check_human_task(request));
  MR_DO(check_stopping(request));
  MR_TRY(categories, request.text("LabelCategoryConfigS3Uri"));
  return read_categories(objects, categories);
}

Result<LabelJob> LabelJob::of(const Json& record) {
  LabelJob job;
  const Json notes = record.value(kNotes, Json::object());
  job.name = text_in(record, "LabelingJobName");
  job.attribute = text_in(record, "LabelAttributeName");
  job.status = text_in(record, "LabelingJobStatus");
  job.title = text_at(record, {"HumanTaskConfig", "TaskTitle"});
  job.description = text_at(record, {"HumanTaskConfig", "TaskDescription"});
  job.number = static_cast<std::int64_t>(hash64(text_in(notes, "Uid")));
  job.manifest_uri = text_at(record, {"InputConfig", "DataSource", "S3DataSource", "ManifestS3Uri"});
  job.output_uri = join_uri(text_at(record, {"OutputConfig", "S3OutputPath"}),
                            job.name + "/manifests/output/output.manifest");
  MR_TRY(categories, Arguments(notes).texts("Categories"));
  job.categories = std::move(categories);
  MR_TRY(task, Arguments(record).object_or_empty("HumanTaskConfig"));
  MR_TRY(workers, task.integer_or("NumberOfHumanWorkersPerDataObject", 1));
  job.workers = static_cast<int>(workers);
  MR_TRY(stopping, Arguments(record).object_or_empty("StoppingConditions"));
  MR_TRY(enough, stopping.integer_or("MaxHumanLabeledObjectCount", 0));
  if (enough > 0) job.enough = enough;
  if (job.name.empty() || job.categories.empty())
    return fail(ErrorCode::DataLoss, "the record of labelling job \"" + job.name + "\" can't be read");
  return job;
}

Result<std::vector<std::string>> read_label_manifest(const ObjectStore& objects, const std::string& uri) {
  MR_TRY(text, objects.read(uri));
  std::vector<std::string> lines;
  std::size_t number = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = std::string_view(text).substr(at, end - at);
    at = end + 1;
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const std::string where = uri + ":" + std::to_string(number) + ": ";
    if (line.size() > kLabelLineBytesMax)
      return fail(ErrorCode::LimitExceeded,
                  where + "a line has at most " + std::to_string(kLabelLineBytesMax) + " bytes");
    const auto object = Payload::parse(line);
    if (!object) return invalid(where + object.error().message);
    const bool known =
        object->view().is_object() && (object->view().find("source") || object->view().find("source-ref"));
    if (!known) return invalid(where + "expected an object with \"source\" or \"source-ref\"");
    lines.emplace_back(object->text());
    if (lines.size() > kLabelledObjectsMax)
      return fail(ErrorCode::LimitExceeded,
                  uri + " has more than " + std::to_string(kLabelledObjectsMax) + " objects");
  }
  if (lines.empty()) return invalid(uri + " has no objects to label");
  return lines;
}

std::string labelled_line(const LabelJob& job, JsonView object, const LabelVotes& votes) {
  std::size_t best = 0;
  int most = 0, all = 0;
  for (const auto& [category, count] : votes.by_category) {
    all += count;
    if (count > most) most = count, best = category;
  }
  const std::string metadata = job.attribute + "-metadata";
  JsonWriter out;
  out.begin_object();
  for (const auto [key, value] : object.members())
    if (!key.equals(job.attribute) && !key.equals(metadata)) out.key(key).value(value);
  out.key(job.attribute).number(static_cast<std::int64_t>(best));
  out.key(metadata).begin_object();
  out.key("class-name").string(job.categories[best]);
  out.key("job-name").string("labeling-job/" + job.name);
  // The share of those who were asked and said so.
  out.key("confidence").number(static_cast<double>(most) / std::max(all, 1));
  out.key("type").string(object.find("source-ref") ? "groundtruth/image-classification"
                                                   : "groundtruth/text-classification");
  out.key("human-annotated").string("yes");
  std::string time = format_rfc3339(from_millis(votes.newest_ms));
  time.pop_back();
  out.key("creation-date").string(time).end_object();
  return std::string(out.end_object().finish().text());
}

}  // namespace millrace::tasks
