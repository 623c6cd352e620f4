#include "service/streams/plan.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "service/streams/object_batch.h"
#include "tasks/artifacts/object_store.h"

namespace millrace::streams {
namespace {

Json object_part(const Json& record, const char* name) {
  const auto found = record.find(name);
  return found != record.end() && found->is_object() ? *found : Json::object();
}
std::string text_part(const Json& record, const char* name) {
  const auto found = record.find(name);
  return found != record.end() && found->is_string() ? found->get<std::string>() : std::string();
}
std::int64_t number_part(const Json& record, const char* name, std::int64_t otherwise) {
  const auto found = record.find(name);
  return found != record.end() && found->is_number() ? found->get<std::int64_t>() : otherwise;
}

Status read_filters(ConsumerPlan& plan, const Json& criteria) {
  const auto filters = criteria.find("Filters");
  if (filters == criteria.end() || !filters->is_array()) return {};
  for (const Json& filter : *filters) {
    MR_TRY(pattern, triggers::compile_pattern(text_part(filter, "Pattern")));
    plan.filters.push_back(std::move(pattern));
  }
  return {};
}

Status read_source(ConsumerPlan& plan, const std::string& arn) {
  plan.source_arn = arn;
  plan.source = resource_of_arn(arn);
  const std::string service = service_of_arn(arn);
  plan.queue = service == "sqs";
  if ((service != "kinesis" && service != "sqs") || plan.source.empty())
    return invalid("the source " + arn +
                   " is neither a stream nor a queue: arn:aws:kinesis:…:stream/NAME or "
                   "arn:aws:sqs:…:NAME");
  return {};
}

// What mappings and pipes say of a stream or queue, under the same names.
void read_batching(ConsumerPlan& plan, const Json& from, Instant created) {
  plan.batch_records = static_cast<std::size_t>(number_part(from, "BatchSize", plan.queue ? 10 : 100));
  plan.window = std::chrono::seconds(number_part(from, "MaximumBatchingWindowInSeconds", 0));
  plan.parallel = static_cast<int>(number_part(from, "ParallelizationFactor", 1));
  plan.attempts_max = static_cast<int>(number_part(from, "MaximumRetryAttempts", -1));
  if (const std::int64_t age = number_part(from, "MaximumRecordAgeInSeconds", -1); age >= 0)
    plan.age_max = std::chrono::seconds(age);
  const std::string starting = text_part(from, "StartingPosition");
  if (starting != "TRIM_HORIZON") plan.from = created;  // LATEST: what comes after it was made
  if (const auto at = from.find("StartingPositionTimestamp"); at != from.end() && at->is_number())
    plan.from = from_millis(static_cast<std::int64_t>(at->get<double>() * 1000));
}

// "<$.data.id>" stands for itself in templates of pipes; those of rules have names for paths.
Result<std::optional<triggers::TargetInput>> read_input_template(const std::string& text) {
  std::optional<triggers::TargetInput> input;
  if (text.empty()) return input;
  Json paths = Json::object();
  std::string rewritten;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.compare(at, 2, "<$") == 0 ? text.find('>', at) : std::string::npos;
    if (end == std::string::npos) {
      rewritten += text[at++];
      continue;
    }
    const std::string name = "p" + std::to_string(paths.size());
    paths[name] = text.substr(at + 1, end - at - 1);
    rewritten += "<" + name + ">";
    at = end + 1;
  }
  const Json target = {{"Id", "target"},
                       {"InputTransformer", {{"InputPathsMap", paths}, {"InputTemplate", rewritten}}}};
  const Payload document = to_payload(target);
  MR_TRY(read, triggers::TargetInput::read(document.view()));
  input = std::move(read);
  return input;
}

Result<ForestPlan> read_forest(const std::string& text) {
  const Json given = Json::parse(text.empty() ? "{}" : text, nullptr, false);
  if (!given.is_object())
    return invalid("EnrichmentParameters.InputTemplate of " + std::string(kForestArn) +
                   " must be a JSON object with its settings");
  ForestPlan plan;
  struct Whole {
    const char* name;
    std::size_t& field;
    std::int64_t min, max;
  };
  const Whole wholes[] = {{"NumberOfTrees", plan.settings.trees, 1, 1000},
                          {"SubSampleSize", plan.settings.samples, 10, 1000},
                          {"ShingleSize", plan.settings.shingle, 1, 30},
                          {"ScoreWindow", plan.settings.score_window, 10, 100'000}};
  for (const Whole& one : wholes) {
    const std::int64_t value = number_part(given, one.name, static_cast<std::int64_t>(one.field));
    if (value < one.min || value > one.max)
      return invalid(std::string(one.name) + " is " + std::to_string(value) + "; it must be " +
                     std::to_string(one.min) + " to " + std::to_string(one.max));
    one.field = static_cast<std::size_t>(value);
  }
  const auto real = [&](const char* name, double& field, double min, double max) -> Status {
    const auto found = given.find(name);
    if (found == given.end()) return {};
    if (!found->is_number() || !(found->get<double>() >= min && found->get<double>() <= max))
      return invalid(std::string(name) + " must be a number from " + std::to_string(min) + " to " +
                     std::to_string(max));
    field = found->get<double>();
    return {};
  };
  double decay = static_cast<double>(number_part(given, "TimeDecay", 100'000));
  MR_DO(real("TimeDecay", decay, 1, 1e9));
  plan.settings.time_decay = decay;
  MR_DO(real("Quantile", plan.settings.quantile, 0.5, 1));
  MR_DO(real("Factor", plan.settings.factor, 0.1, 100));
  if (const auto found = given.find("Normalize"); found != given.end() && found->is_boolean())
    plan.settings.normalize = found->get<bool>();
  plan.settings.seed = static_cast<std::uint64_t>(number_part(given, "Seed", 0));
  const auto fields = given.find("Fields");
  if (fields == given.end() || !fields->is_array() || fields->empty() || fields->size() > 50)
    return invalid(
        "Fields must name 1 to 50 numbers of a record's data, e.g. [\"temperature\", \"load.cpu\"]");
  for (const Json& field : *fields) {
    if (!field.is_string()) return invalid("Fields must be names");
    plan.fields.push_back(field.get<std::string>());
  }
  plan.settings.fields = plan.fields.size();
  return plan;
}

Status read_mapping(ConsumerPlan& plan, const Json& record, const bus::BusPlace& place) {
  plan.name = resource_of_arn(text_part(record, "FunctionArn"));
  plan.arn = place.arn("lambda", "event-source-mapping:" + text_part(record, "UUID"));
  plan.enabled = record.value("Enabled", true);
  plan.target = text_part(record, "FunctionArn");
  MR_DO(read_source(plan, text_part(record, "EventSourceArn")));
  read_batching(plan, record, from_millis(number_part(record, "Created", 0)));
  plan.bisect = record.value("BisectBatchOnFunctionError", false);
  const Json types = record.value("FunctionResponseTypes", Json::array());
  plan.item_failures = std::find(types.begin(), types.end(), "ReportBatchItemFailures") != types.end();
  plan.on_failure =
      text_part(object_part(object_part(record, "DestinationConfig"), "OnFailure"), "Destination");
  return read_filters(plan, object_part(record, "FilterCriteria"));
}

Status read_pipe(ConsumerPlan& plan, const Json& record, const bus::BusPlace& place) {
  plan.pipe = true;
  plan.name = text_part(record, "Name");
  plan.arn = place.arn("pipes", "pipe/" + plan.name);
  plan.enabled = text_part(record, "DesiredState") != "STOPPED";
  MR_DO(read_source(plan, text_part(record, "Source")));
  const Json parameters = object_part(record, "SourceParameters");
  const Json of_source =
      object_part(parameters, plan.queue ? "SqsQueueParameters" : "KinesisStreamParameters");
  read_batching(plan, of_source, from_millis(number_part(record, "Created", 0)));
  plan.bisect = text_part(of_source, "OnPartialBatchItemFailure") == "AUTOMATIC_BISECT";
  plan.item_failures = plan.bisect;
  plan.on_failure = text_part(object_part(of_source, "DeadLetterConfig"), "Arn");
  plan.enrichment = text_part(record, "Enrichment");
  plan.target = text_part(record, "Target");
  const Json target = object_part(record, "TargetParameters");
  plan.partition_key = text_part(object_part(target, "KinesisStreamParameters"), "PartitionKey");
  plan.message_group = text_part(object_part(target, "SqsQueueParameters"), "MessageGroupId");
  const std::string enriching = text_part(object_part(record, "EnrichmentParameters"), "InputTemplate");
  if (plan.enrichment == kForestArn) {
    if (plan.queue) return invalid("a forest needs the order of a stream; a queue has none");
    MR_TRY(forest, read_forest(enriching));
    plan.forest = std::move(forest);
    plan.enrichment.clear();
  } else {
    MR_TRY(input, read_input_template(enriching));
    plan.enrichment_input = std::move(input);
  }
  MR_TRY(input, read_input_template(text_part(target, "InputTemplate")));
  plan.target_input = std::move(input);
  return read_filters(plan, object_part(parameters, "FilterCriteria"));
}

Status read_delivery(ConsumerPlan& plan, const Json& record, const bus::BusPlace& place) {
  plan.name = text_part(record, "Name");
  plan.arn = place.arn("firehose", "deliverystream/" + plan.name);
  const std::string stream = text_part(record, "KinesisStreamARN");
  if (stream.empty()) {
    plan.source = "firehose/" + plan.name;
    plan.source_arn = plan.arn;
  } else {
    MR_DO(read_source(plan, stream));
    plan.from = from_millis(number_part(record, "Created", 0));
  }
  const Json to = object_part(record, "Destination");
  ObjectPlan objects;
  objects.bucket = resource_of_arn(text_part(to, "BucketARN"));
  objects.prefix = text_part(to, "Prefix");
  objects.extension = text_part(to, "FileExtension");
  objects.gzip = text_part(to, "CompressionFormat") == "GZIP";
  for (const Json& processor : object_part(to, "ProcessingConfiguration").value("Processors", Json::array()))
    if (text_part(processor, "Type") == "AppendDelimiterToRecord") objects.newline = true;
  // What its objects are called is known but for the time; the root does not matter.
  MR_DO(tasks::ObjectStore("/nonexistent")
            .path_of("s3://" + objects.bucket + "/" + object_key(objects, plan.name, "", {})));
  plan.objects = std::move(objects);
  const Json hints = object_part(to, "BufferingHints");
  plan.batch_bytes = static_cast<std::size_t>(number_part(hints, "SizeInMBs", 5)) << 20;
  plan.batch_records = 1'000'000;
  plan.window = std::chrono::seconds(number_part(hints, "IntervalInSeconds", 300));
  return {};
}

}  // namespace

std::string service_of_arn(std::string_view arn) {
  if (!arn.starts_with("arn:")) return {};
  const std::size_t begin = arn.find(':', 4);
  const std::size_t end = begin == std::string_view::npos ? begin : arn.find(':', begin + 1);
  return end == std::string_view::npos ? std::string() : std::string(arn.substr(begin + 1, end - begin - 1));
}

std::string resource_of_arn(std::string_view arn) {
  std::string_view rest = arn;
  for (int i = 0; i < 5; ++i) {
    const std::size_t colon = rest.find(':');
    if (colon == std::string_view::npos) return {};
    rest.remove_prefix(colon + 1);
  }
  for (const std::string_view prefix : {"stream/", "function:", "stateMachine:", "pipe/", "event-bus/"})
    if (rest.starts_with(prefix)) rest.remove_prefix(prefix.size());
  return std::string(rest);
}

Result<ConsumerPlan> compile_plan(std::string_view kind, const std::string& key, const Json& record,
                                  const bus::BusPlace& place) {
  ConsumerPlan plan;
  plan.key = std::string(kind) + "/" + key;
  plan.generation = std::to_string(number_part(record, "Created", 0));
  if (kind == kind::kMapping) MR_DO(read_mapping(plan, record, place));
  if (kind == kind::kPipe) MR_DO(read_pipe(plan, record, place));
  if (kind == kind::kDelivery) MR_DO(read_delivery(plan, record, place));
  return plan;
}

}  // namespace millrace::streams
