// The lineage that follows from records: jobs with their inputs and outputs, models, packages, endpoints; see
// lineage_graph.h.

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/encoding.h"
#include "tasks/arguments.h"
#include "tasks/jobs/entities.h"
#include "tasks/lineage/lineage_graph.h"
#include "tasks/registry/package_aliases.h"
#include "tasks/steps/step_record.h"

namespace millrace::tasks {
namespace {

constexpr std::string_view kContributed = "ContributedTo", kAssociated = "AssociatedWith",
                           kDerived = "DerivedFrom", kProduced = "Produced", kSame = "SameAs";

struct JobForm {
  const EntityKind& entity;
  std::string_view suffix, source_type, time_prefix;
};
const JobForm kJobForms[] = {
    {kTrainingJob, "-aws-training-job", "SageMakerTrainingJob", "Training"},
    {kProcessingJob, "-aws-processing-job", "SageMakerProcessingJob", "Processing"},
    {kTransformJob, "-aws-transform-job", "SageMakerTransformJob", "Transform"},
};

std::int64_t time_in(const Json& record, const std::string& key, std::int64_t otherwise = 0) {
  const auto found = record.find(key);
  return found != record.end() && found->is_number() ? found->get<std::int64_t>() : otherwise;
}

// A place in S3 with what is known of its content.
struct Stuff {
  std::string name, uri, sha256;
  Json files;  // null: not known one by one
};

Stuff stuff_of(const Json& place) {
  return {text_in(place, "Name"), text_in(place, "Uri"), text_in(place, "Sha256"),
          place.value("Files", Json())};
}

class Builder {
 public:
  explicit Builder(const Jobs& jobs) : jobs_(jobs) {}

  Result<LineageGraph> build() {
    MR_DO(read_jobs());
    MR_DO(add_components());
    // What was made before it was read: in the order of time.
    std::sort(moments_.begin(), moments_.end(), [](const Moment& a, const Moment& b) {
      return std::tie(a.time_ms, a.reads, a.order) < std::tie(b.time_ms, b.reads, b.order);
    });
    for (const Moment& moment : moments_) moment.reads ? add_inputs(*moment.job) : add_outputs(*moment.job);
    MR_DO(add_groups_and_packages());
    MR_DO(add_models());
    MR_DO(add_endpoints());
    MR_DO(add_stored());
    return std::move(graph_);
  }

 private:
  struct JobRecord {
    const JobForm* form;
    Json record;
    std::size_t vertex = 0;
  };
  struct Moment {
    std::int64_t time_ms;
    bool reads;  // else it has written
    std::size_t order;
    const JobRecord* job;
  };

  static const Json& step_of(const JobRecord& job) {
    static const Json kNone = Json::object();
    const auto notes = job.record.find(kNotes);
    if (notes == job.record.end()) return kNone;
    const auto step = notes->find(kStep);
    return step == notes->end() ? kNone : *step;
  }

  Status read_jobs() {
    for (const JobForm& form : kJobForms) {
      MR_TRY(records, jobs_.records(form.entity.kind, {}, kLineageRecordsMax));
      for (auto record = records.rbegin(); record != records.rend(); ++record)
        jobs_read_.push_back({&form, std::move(record->document), 0});
    }
    for (std::size_t i = 0; i < jobs_read_.size(); ++i) {
      JobRecord& job = jobs_read_[i];
      job.vertex = add_component(job);
      const std::string prefix(job.form->time_prefix);
      const std::int64_t created = time_in(job.record, "CreationTime");
      moments_.push_back({time_in(job.record, prefix + "StartTime", created), true, i, &job});
      if (job.record.contains(prefix + "EndTime"))
        moments_.push_back({time_in(job.record, prefix + "EndTime"), false, i, &job});
    }
    return {};
  }

  std::size_t add_component(const JobRecord& job) {
    LineageVertex v;
    v.kind = LineageType::TrialComponent;
    v.name = text_in(job.record, name_field(job.form->entity));
    v.arn = entity_arn(kTrialComponent, v.name + std::string(job.form->suffix));
    v.type = job.form->source_type;
    v.source_uri = text_in(job.record, arn_field(job.form->entity));
    v.source_type = job.form->source_type;
    v.status = text_in(job.record, std::string(job.form->entity.kind) + "Status");
    v.note = text_at(job.record, {kNotes, "Caller"});
    v.created_ms = time_in(job.record, "CreationTime");
    v.modified_ms = time_in(job.record, "LastModifiedTime", v.created_ms);
    const std::size_t vertex = graph_.add(v);
    const std::string tuning = text_in(job.record, "TuningJobArn");
    if (!tuning.empty()) associate(vertex, "HyperParameterTuningJob", tuning, v.created_ms);
    const std::string execution = text_at(job.record, {kNotes, "ExecutionArn"});
    if (!execution.empty()) associate(vertex, "StateMachineExecution", execution, v.created_ms);
    return vertex;
  }

  std::size_t context(const std::string& type, const std::string& source, const std::string& name,
                      std::int64_t created_ms) {
    LineageVertex v;
    v.kind = LineageType::Context;
    v.name = name;
    v.arn = entity_arn(kContext, name);
    v.type = type;
    v.source_uri = source;
    v.source_type = type;
    v.created_ms = v.modified_ms = created_ms;
    return graph_.add(std::move(v));
  }

  void associate(std::size_t vertex, const std::string& type, const std::string& source,
                 std::int64_t created_ms) {
    const std::string last = source.substr(source.find_last_of("/:") + 1);
    const std::string end = type == "StateMachineExecution"
                                ? "-" + digest_hex(Digest::Md5, source).substr(0, 8)
                                : "-aws-hyper-parameter-tuning-job";
    graph_.connect(vertex, context(type, source, last + end, created_ms), kAssociated, created_ms);
  }

  std::size_t artifact(const std::string& type, const Stuff& stuff, std::int64_t created_ms) {
    LineageVertex v;
    v.arn = artifact_arn(stuff.uri, stuff.sha256);
    v.name = stuff.name;
    v.type = type;
    v.source_uri = stuff.uri;
    v.sha256 = stuff.sha256;
    v.created_ms = v.modified_ms = created_ms;
    return graph_.add(std::move(v));
  }

  // What was at a place when: in the order of time.
  struct Seen {
    std::int64_t time_ms;
    std::size_t vertex;
    std::string sha256 = {};
  };
  static const Seen* at_time(const std::vector<Seen>& seen, std::int64_t time_ms) {
    const Seen* last = nullptr;
    for (const Seen& one : seen)
      if (one.time_ms <= time_ms) last = &one;
    return last;
  }

  // What an entity names: the content that was there when it was made, where its record says (kContents);
  // else what a job had left or read there by then; else the place as such.
  std::size_t named_by(const Json& record, const std::string& type, const std::string& uri,
                       std::int64_t time_ms) {
    const auto notes = record.find(kNotes);
    const Json contents = notes == record.end() ? Json() : notes->value(kContents, Json());
    if (!contents.is_object() || !contents.contains(uri)) return latest(type, uri, time_ms);
    const Stuff stuff = stuff_of(contents.at(uri));
    const std::size_t vertex = artifact(type, {"", uri, stuff.sha256, stuff.files}, time_ms);
    connect_makers(vertex, stuff.files, time_ms);
    return vertex;
  }

  std::size_t latest(const std::string& type, const std::string& uri, std::int64_t time_ms) {
    const std::string plain = plain_uri(uri);
    if (const Seen* seen = at_time(places_[plain], time_ms)) return seen->vertex;
    const std::map<std::string, Seen> inside = files_at(plain, time_ms);
    Json files = Json::array();
    for (const auto& [file, seen] : inside) files.push_back({{"Uri", file}, {"Sha256", seen.sha256}});
    const std::string sha256 = files.empty() ? "" : digest_of_files(uri, files);
    const std::size_t vertex = artifact(type, {"", uri, sha256, files}, time_ms);
    link_by_place(vertex, uri, time_ms);
    return vertex;
  }

  // The files of a place (or the file itself) that jobs had left by then, each as its last writer left it.
  std::map<std::string, Seen> files_at(const std::string& plain, std::int64_t time_ms) const {
    std::map<std::string, Seen> out;
    const auto take = [&](const auto& entry) {
      if (const Seen* seen = at_time(entry.second, time_ms)) out.emplace(entry.first, *seen);
    };
    if (const auto whole = files_.find(plain); whole != files_.end()) take(*whole);
    const std::string folder = plain + "/";
    for (auto at = files_.lower_bound(folder); at != files_.end() && at->first.starts_with(folder); ++at)
      take(*at);
    return out;
  }

  // Who made these very bytes at these places.
  void connect_makers(std::size_t vertex, const Json& files, std::int64_t time_ms) {
    if (!files.is_array()) return;
    for (const Json& file : files) {
      const auto maker = made_.find({text_in(file, "Uri"), text_in(file, "Sha256")});
      if (maker != made_.end() && maker->second != vertex)
        graph_.connect(maker->second, vertex, kDerived, time_ms);
    }
  }

  // Where no hashes of what was read say more: the last writers of the files inside, and makers of whose
  // files nothing is known.
  void link_by_place(std::size_t vertex, const std::string& uri, std::int64_t time_ms) {
    const std::string plain = plain_uri(uri);
    for (const auto& [file, seen] : files_at(plain, time_ms))
      if (seen.vertex != vertex) graph_.connect(seen.vertex, vertex, kDerived, time_ms);
    for (const auto& [place, makers] : unhashed_places_) {
      const bool inside = plain.starts_with(place + "/"), around = place.starts_with(plain + "/");
      const Seen* maker = inside || around || place == plain ? at_time(makers, time_ms) : nullptr;
      if (maker && maker->vertex != vertex) graph_.connect(maker->vertex, vertex, kDerived, time_ms);
    }
  }

  void add_inputs(const JobRecord& job) {
    const Json& step = step_of(job);
    const std::int64_t time_ms = time_in(job.record, "CreationTime");
    std::vector<Stuff> inputs;
    for (const Json& place : step.value("Inputs", Json::array())) inputs.push_back(stuff_of(place));
    if (!step.contains("Inputs")) inputs = places_of_request(job);
    for (const Stuff& input : inputs) {
      const std::size_t vertex = artifact("DataSet", input, time_ms);
      graph_.connect(vertex, job.vertex, kContributed, time_ms);
      places_[plain_uri(input.uri)].push_back({time_ms, vertex});
      if (!input.files.is_array()) {
        link_by_place(vertex, input.uri, time_ms);
        continue;
      }
      connect_makers(vertex, input.files, time_ms);
    }
    add_image_and_code(job, step, time_ms);
  }

  void add_image_and_code(const JobRecord& job, const Json& step, std::int64_t time_ms) {
    std::string image = text_at(job.record, {"AlgorithmSpecification", "TrainingImage"});
    if (image.empty()) image = text_at(job.record, {"AppSpecification", "ImageUri"});
    if (!image.empty()) {
      LineageVertex v;
      v.arn = artifact_arn(image, "");
      v.name = image;
      v.type = "Image";
      v.source_uri = image;
      v.created_ms = v.modified_ms = time_ms;
      graph_.connect(graph_.add(std::move(v)), job.vertex, kContributed, time_ms);
    }
    if (step.contains("Code"))
      graph_.connect(artifact("Code", stuff_of(step["Code"]), time_ms), job.vertex, kContributed, time_ms);
  }

  // Of jobs that were recorded without hashes.
  static std::vector<Stuff> places_of_request(const JobRecord& job) {
    std::vector<Stuff> out;
    const auto add = [&](const std::string& name, const std::string& uri) {
      if (!uri.empty()) out.push_back({name, uri, "", Json()});
    };
    for (const Json& channel : job.record.value("InputDataConfig", Json::array()))
      add(text_in(channel, "ChannelName"), text_at(channel, {"DataSource", "S3DataSource", "S3Uri"}));
    for (const Json& input : job.record.value("ProcessingInputs", Json::array()))
      add(text_in(input, "InputName"), text_at(input, {"S3Input", "S3Uri"}));
    add("input", text_at(job.record, {"TransformInput", "DataSource", "S3DataSource", "S3Uri"}));
    return out;
  }

  void add_outputs(const JobRecord& job) {
    const Json& step = step_of(job);
    const std::int64_t time_ms = time_in(job.record, std::string(job.form->time_prefix) + "EndTime");
    const std::string source = text_at(step, {"Cache", "Source"});
    if (!source.empty()) {
      for (const std::size_t original : graph_.named(source))
        if (graph_.vertices()[original].kind == LineageType::TrialComponent)
          graph_.connect(original, job.vertex, kSame, time_ms);
    }
    const std::string model = text_at(job.record, {"ModelArtifacts", "S3ModelArtifacts"});
    std::vector<Stuff> outputs;
    for (const Json& place : step.value("Outputs", Json::array()))
      if (place.value("Objects", 0) > 0) outputs.push_back(stuff_of(place));
    if (!model.empty()) {
      Stuff artifact_of_model{"model", model, "", Json()};
      for (const Stuff& output : outputs) narrow(output, artifact_of_model);
      outputs = {std::move(artifact_of_model)};
    }
    if (outputs.empty() && !step.contains("Outputs")) outputs = outputs_of_request(job);
    for (const Stuff& output : outputs) {
      const std::size_t vertex = artifact(model.empty() ? "DataSet" : "Model", output, time_ms);
      places_[plain_uri(output.uri)].push_back({time_ms, vertex});
      if (!output.files.is_array()) unhashed_places_[plain_uri(output.uri)].push_back({time_ms, vertex});
      // A result that was taken over where it lay is the work of the job that made it.
      if (source.empty() || !makers_.contains(vertex)) {
        graph_.connect(job.vertex, vertex, kProduced, time_ms);
        makers_.insert({vertex, job.vertex});
      }
      if (output.files.is_array())
        for (const Json& file : output.files)
          keep_file(text_in(file, "Uri"), text_in(file, "Sha256"), vertex, time_ms);
    }
  }

  void keep_file(const std::string& uri, const std::string& sha256, std::size_t vertex,
                 std::int64_t time_ms) {
    made_[{uri, sha256}] = vertex;
    files_[uri].push_back({time_ms, vertex, sha256});
  }

  // Of a job's whole output the files of its model, under the hash that a job gets which reads that place.
  static void narrow(const Stuff& output, Stuff& model) {
    if (!output.files.is_array()) return;
    const std::string whole = plain_uri(model.uri);  // a folder, or one file
    Json files = Json::array();
    for (const Json& file : output.files)
      if (const std::string uri = text_in(file, "Uri"); uri == whole || uri.starts_with(whole + "/"))
        files.push_back(file);
    if (files.empty()) return;
    model.sha256 = digest_of_files(model.uri, files);
    model.files = std::move(files);
  }

  static std::vector<Stuff> outputs_of_request(const JobRecord& job) {
    std::vector<Stuff> out;
    const Json config = job.record.value("ProcessingOutputConfig", Json::object());
    for (const Json& output : config.value("Outputs", Json::array())) {
      const std::string uri = text_at(output, {"S3Output", "S3Uri"});
      if (!uri.empty()) out.push_back({text_in(output, "OutputName"), uri, "", Json()});
    }
    const std::string transformed = text_at(job.record, {"TransformOutput", "S3OutputPath"});
    if (!transformed.empty()) out.push_back({"output", transformed, "", Json()});
    return out;
  }

  // Components that people made themselves.
  Status add_components() {
    MR_TRY(records, jobs_.list(kTrialComponent.kind, {}, kLineageRecordsMax));
    for (const Json& record : records) {
      LineageVertex v;
      v.kind = LineageType::TrialComponent;
      v.arn = text_in(record, "TrialComponentArn");
      v.name = text_in(record, "TrialComponentName");
      v.source_uri = text_at(record, {"Source", "SourceArn"});
      v.type = v.source_type = text_at(record, {"Source", "SourceType"});
      v.created_ms = time_in(record, "CreationTime");
      v.modified_ms = time_in(record, "LastModifiedTime", v.created_ms);
      graph_.add(std::move(v));
    }
    return {};
  }

  std::size_t resource(const std::string& type, const std::string& arn, const std::string& name,
                       const Json& record) {
    LineageVertex v;
    v.arn = artifact_arn(arn, "");
    v.name = name;
    v.type = type;
    v.source_uri = arn;
    v.created_ms = time_in(record, "CreationTime");
    v.modified_ms = time_in(record, "LastModifiedTime", v.created_ms);
    v.status = text_in(record, "ModelApprovalStatus");
    return graph_.add(std::move(v));
  }

  std::size_t group_context(const std::string& group, std::int64_t created_ms) {
    return context("ModelGroup", entity_arn(kModelPackageGroup, group), group + "-aws-model-group",
                   created_ms);
  }

  Status add_groups_and_packages() {
    MR_TRY(groups, jobs_.list(kModelPackageGroup.kind, {}, kLineageRecordsMax));
    for (const Json& record : groups)
      group_context(text_in(record, "ModelPackageGroupName"), time_in(record, "CreationTime"));
    MR_TRY(packages, jobs_.records(kModelPackage.kind, {}, kLineageRecordsMax));
    for (auto package = packages.rbegin(); package != packages.rend(); ++package)
      add_package(package->document);
    return {};
  }

  void add_package(const Json& record) {
    const std::string arn = text_in(record, "ModelPackageArn"), name = name_of(kModelPackage, arn);
    const std::int64_t created = time_in(record, "CreationTime");
    const std::size_t vertex = resource("ModelPackage", arn, name, record);
    const Json inference = record.value("InferenceSpecification", Json::object());
    for (const Json& container : inference.value("Containers", Json::array())) {
      const std::string uri = text_in(container, "ModelDataUrl");
      if (!uri.empty())
        graph_.connect(named_by(record, "Model", uri, created), vertex, kContributed, created);
    }
    add_reports(record, record.value("ModelMetrics", Json()), vertex, created);
    const std::string group = text_in(record, "ModelPackageGroupName");
    if (!group.empty()) graph_.connect(vertex, group_context(group, created), kAssociated, created);
    std::size_t number = 0;
    for (const Json& entry : record.value("ApprovalHistory", Json::array())) {
      ++number;
      const std::string status = text_in(entry, "Status");
      if (status == "PendingManualApproval") continue;
      LineageVertex v;
      v.kind = LineageType::Action;
      v.name = name.substr(0, name.find('/')) + "-" + name.substr(name.find('/') + 1) + "-approval-" +
               std::to_string(number);
      v.arn = entity_arn(kAction, v.name);
      v.type = "Approval";
      v.source_uri = arn;
      v.source_type = "ModelPackage";
      v.status = status;
      v.note = text_in(entry, "By");
      if (const std::string why = text_in(entry, "Description"); !why.empty())
        v.properties["Description"] = why;
      v.created_ms = v.modified_ms = time_in(entry, "Time");
      const std::int64_t time_ms = v.created_ms;
      graph_.connect(vertex, graph_.add(std::move(v)), kContributed, time_ms);
    }
  }

  // Evaluations and baselines that a package names.
  void add_reports(const Json& record, const Json& value, std::size_t package, std::int64_t created) {
    if (value.is_object()) {
      const std::string uri = text_in(value, "S3Uri");
      if (uri.starts_with("s3://"))
        graph_.connect(named_by(record, "DataSet", uri, created), package, kContributed, created);
    }
    if (value.is_object() || value.is_array())
      for (const Json& member : value) add_reports(record, member, package, created);
  }

  Status add_models() {
    MR_TRY(models, jobs_.list(kModel.kind, {}, kLineageRecordsMax));
    for (const Json& record : models) {
      const std::int64_t created = time_in(record, "CreationTime");
      const std::size_t vertex =
          resource("SageMakerModel", text_in(record, "ModelArn"), text_in(record, "ModelName"), record);
      Json containers = record.value("Containers", Json::array());
      if (record.contains("PrimaryContainer")) containers.push_back(record["PrimaryContainer"]);
      for (const Json& container : containers) {
        std::string uri = text_in(container, "ModelDataUrl");
        const auto package = package_name(jobs_, text_in(container, "ModelPackageName"));
        if (uri.empty()) uri = text_at(container, {"ModelDataSource", "S3DataSource", "S3Uri"});
        if (text_in(container, "ModelPackageName").find('@') != std::string::npos)
          by_alias_.insert(text_in(record, "ModelName"));
        if (package && !package->empty()) {  // of an alias the version it stands for now
          const std::string arn = entity_arn(kModelPackage, *package);
          for (const std::size_t from : graph_.named(arn))
            if (graph_.vertices()[from].type == "ModelPackage")
              graph_.connect(from, vertex, kContributed, created);
        } else if (!uri.empty()) {
          graph_.connect(named_by(record, "Model", uri, created), vertex, kContributed, created);
        }
      }
      // Batch transforms read the model by its name.
      const std::string name = text_in(record, "ModelName");
      for (const JobRecord& job : jobs_read_)
        if (text_in(job.record, "ModelName") == name)
          graph_.connect(vertex, job.vertex, kContributed, time_in(job.record, "CreationTime"));
    }
    return {};
  }

  Status add_endpoints() {
    MR_TRY(endpoints, jobs_.list(kEndpoint.kind, {}, kLineageRecordsMax));
    for (const Json& record : endpoints) {
      const std::string name = text_in(record, "EndpointName"), arn = text_in(record, "EndpointArn");
      const std::int64_t created = time_in(record, "CreationTime");
      LineageVertex v;
      v.kind = LineageType::Action;
      v.name = name + "-aws-endpoint";
      v.arn = entity_arn(kAction, v.name);
      v.type = "ModelDeployment";
      v.source_uri = arn;
      v.source_type = "Endpoint";
      v.status = text_in(record, "EndpointStatus");
      v.created_ms = created;
      v.modified_ms = time_in(record, "LastModifiedTime", created);
      const std::size_t action = graph_.add(std::move(v));
      graph_.connect(action, context("Endpoint", arn, name + "-aws-endpoint", created), kAssociated, created);
      for (const char* list : {"ProductionVariants", "ShadowProductionVariants"})
        for (const Json& variant : record.value(list, Json::array()))
          add_served(record, variant, action, created);
    }
    return {};
  }

  void add_served(const Json& record, const Json& variant, std::size_t action, std::int64_t created) {
    const std::string model = text_in(variant, "ModelName");
    const LineageVertex* there = graph_.find(artifact_arn(entity_arn(kModel, model), ""));
    if (there) {
      graph_.connect(static_cast<std::size_t>(there - graph_.vertices().data()), action, kContributed,
                     created);
      if (!by_alias_.contains(model)) return;
    }
    // What is served was decided when the endpoint was updated: the model may be gone, its alias moved since.
    const Json notes = record.value(kNotes, Json::object());
    const Json artifacts = notes.value("Artifacts", Json::object());
    for (const Json& uri : artifacts.value(text_in(variant, "VariantName"), Json::array()))
      graph_.connect(latest("Model", uri.get<std::string>(), created), action, kContributed, created);
  }

  // What people made: CreateArtifact, CreateAction, CreateContext, AddAssociation.
  Status add_stored() {
    const std::pair<const EntityKind*, LineageType> kinds[] = {{&kArtifact, LineageType::Artifact},
                                                               {&kAction, LineageType::Action},
                                                               {&kContext, LineageType::Context}};
    for (const auto& [kind, type] : kinds) {
      MR_TRY(records, jobs_.list(kind->kind, {}, kLineageRecordsMax));
      for (const Json& record : records) {
        LineageVertex v;
        v.kind = type;
        v.arn = text_in(record, arn_field(*kind));
        v.name = text_in(record, name_field(*kind));
        v.type = text_in(record, std::string(kind->kind) + "Type");
        v.source_uri = text_at(record, {"Source", "SourceUri"});
        v.source_type = text_at(record, {"Source", "SourceType"});
        v.status = text_in(record, "Status");
        const Json properties = record.value("Properties", Json::object());
        for (const auto& [key, value] : properties.items())
          if (value.is_string()) v.properties[key] = value.get<std::string>();
        v.created_ms = time_in(record, "CreationTime");
        v.modified_ms = time_in(record, "LastModifiedTime", v.created_ms);
        v.stored = true;
        graph_.add(std::move(v));
      }
    }
    MR_TRY(associations, jobs_.list(kAssociationKind, {}, kLineageRecordsMax));
    for (const Json& record : associations) {
      const LineageVertex* from = graph_.find(text_in(record, "SourceArn"));
      const LineageVertex* to = graph_.find(text_in(record, "DestinationArn"));
      if (!from || !to) continue;  // what it joined is gone
      const LineageVertex* first = graph_.vertices().data();
      graph_.connect(static_cast<std::size_t>(from - first), static_cast<std::size_t>(to - first),
                     text_in(record, "AssociationType"), time_in(record, "CreationTime"), true);
    }
    return {};
  }

  const Jobs& jobs_;
  LineageGraph graph_;
  std::vector<JobRecord> jobs_read_;  // does not move once moments_ are made
  std::vector<Moment> moments_;
  std::map<std::pair<std::string, std::string>, std::size_t> made_;  // file and its hash: in which artifact
  std::map<std::string, std::vector<Seen>> places_, unhashed_places_,
      files_;  // by URI, without a slash behind
  std::map<std::size_t, std::size_t> makers_;
  std::set<std::string> by_alias_;  // models that name their package by an alias
};

}  // namespace

Result<LineageGraph> build_lineage(const Jobs& jobs) {
  return Builder(jobs).build();
}

}  // namespace millrace::tasks
