#include "tasks/processing/processors.h"

#include <nlohmann/json.hpp>

#include "tasks/arguments.h"
#include "tasks/bias/run_bias.h"
#include "tasks/evaluation/evaluate.h"
#include "tasks/explain/clarify.h"
#include "tasks/explain/run_explain.h"
#include "tasks/features/feature_ingest.h"
#include "tasks/features/feature_join.h"
#include "tasks/forecasting/run_series.h"
#include "tasks/labelling/label_apply.h"
#include "tasks/labelling/label_select.h"
#include "tasks/monitor/analyzer.h"
#include "tasks/monitor/monitor.h"
#include "tasks/processing/prepare.h"
#include "tasks/processing/profile.h"
#include "tasks/processing/split.h"
#include "tasks/processing/sql.h"

namespace millrace::tasks {
namespace {

constexpr std::string_view kConfig = "config";
constexpr std::string_view kAnalysisConfig = "analysis_config";  // SageMaker Clarify's name for it

// `into` with the members of the JSON object in `text`.
Status merge(Json& into, std::string_view text, std::string_view what) {
  auto parsed = Payload::parse(text);
  if (!parsed) return invalid(std::string(what) + ": " + parsed.error().message);
  if (!parsed->view().is_object()) return invalid(std::string(what) + ": expected a JSON object of settings");
  const Json settings = to_json(parsed->view());
  for (const auto& [key, value] : settings.items()) into[key] = value;
  return {};
}

Status merge_arguments(Json& into, const std::vector<std::string>& arguments) {
  for (std::size_t i = 0; i < arguments.size(); i += 2) {
    const std::string& key = arguments[i];
    const std::string where = "AppSpecification.ContainerArguments[" + std::to_string(i) + "]";
    if (!key.starts_with("--") || key.size() < 3)
      return invalid(where + ": expected \"--name\", got \"" + key + "\"");
    if (i + 1 == arguments.size()) return invalid(where + ": " + key + " has no value behind it");
    std::string name = key.substr(2);
    for (char& c : name) c = c == '-' ? '_' : c;
    auto value = Payload::parse(arguments[i + 1]);
    into[name] = value ? to_json(value->view()) : Json(arguments[i + 1]);
  }
  return {};
}

// Which objects of an S3Input, how they are compressed; an S3Output has none of it. One machine has all parts
// of what is ShardedByS3Key.
Status read_source(const Arguments& place, ChannelSource& out) {
  MR_TRY(type, place.text_or("S3DataType", "S3Prefix"));
  MR_DO(place.one_of("S3DataType", type, "S3Prefix|ManifestFile"));
  MR_TRY(compression, place.text_or("S3CompressionType", "None"));
  MR_TRY(shared, place.text_or("S3DataDistributionType", "FullyReplicated"));
  MR_DO(place.one_of("S3DataDistributionType", shared, "FullyReplicated|ShardedByS3Key"));
  MR_TRY(data, parse_data_type(type));
  const auto parsed = parse_compression(compression);
  if (!parsed) return place.wrong("S3CompressionType", parsed.error().message);
  out.data = data, out.compression = *parsed;
  return {};
}

Result<std::vector<NamedUri>> read_places(const std::vector<Arguments>& entries, std::string_view name_key,
                                          std::string_view place_key, std::string_view unnamed) {
  std::vector<NamedUri> places;
  for (const Arguments& entry : entries) {
    MR_TRY(name, entry.text_or(name_key, std::string(unnamed) + "-" + std::to_string(places.size() + 1)));
    MR_TRY(place, entry.object(place_key));
    MR_TRY(uri, place.text("S3Uri"));
    MR_TRY(checked, parse_s3_uri(uri));
    for (const NamedUri& other : places) {
      if (other.name == name) return entry.wrong(name_key, "two are named \"" + name + "\"");
    }
    ChannelSource source;
    MR_DO(read_source(place, source));
    source.uri = checked.text();
    places.push_back({std::move(name), checked.text(), std::move(source)});
  }
  return places;
}

}  // namespace

const NamedUri* ProcessingInputs::input(std::string_view name) const {
  for (const NamedUri& place : inputs) {
    if (place.name == name) return &place;
  }
  return nullptr;
}

Result<std::string> ProcessingInputs::output_for(std::string_view name) const {
  for (const NamedUri& place : outputs) {
    if (place.name == name) return place.uri;
  }
  if (outputs.size() == 1) return join_uri(outputs[0].uri, name);
  return invalid(
      "ProcessingOutputConfig.Outputs has no output named \"" + std::string(name) + "\"",
      "name one so, or give a single output: \"" + std::string(name) + "\" is then written below it");
}

Result<ProcessingInputs> read_processing_inputs(const Json& request, const ObjectStore& objects) {
  const Arguments arguments(request);
  ProcessingInputs out;
  MR_TRY(inputs, arguments.list("ProcessingInputs"));
  MR_TRY(input_places, read_places(inputs, "InputName", "S3Input", "input"));
  MR_TRY(config, arguments.object_or_empty("ProcessingOutputConfig"));
  MR_TRY(outputs, config.list("Outputs"));
  MR_TRY(output_places, read_places(outputs, "OutputName", "S3Output", "output"));
  MR_TRY(environment, arguments.text_map("Environment"));
  MR_TRY(application, arguments.object("AppSpecification"));
  MR_TRY(texts, application.texts("ContainerArguments"));
  out.settings = Json::object();
  for (NamedUri& place : input_places) {
    if (place.name != kConfig && place.name != kAnalysisConfig) {
      out.inputs.push_back(std::move(place));
      continue;
    }
    MR_TRY(text, objects.read(place.uri));
    MR_DO(merge(out.settings, text, place.uri));
  }
  out.outputs = std::move(output_places);
  const auto settings = environment.find("SETTINGS");
  if (settings != environment.end()) MR_DO(merge(out.settings, settings->second, "Environment.SETTINGS"));
  MR_DO(merge_arguments(out.settings, texts));
  return out;
}

std::span<const Processor> processors() {
  static constexpr Processor kProcessors[] = {
      {"bias", "SageMaker Clarify's metrics of bias, in data and in a model's predictions", check_bias,
       run_bias},
      {"evaluate", "metrics with intervals and plots of a model on rows it has not seen", check_evaluate,
       run_evaluate},
      {"explain", "SHAP values, permutation importance and partial dependence of a model", check_explain,
       run_explain},
      {"feature-ingest", "rows of a channel as records of a feature group", check_feature_ingest,
       run_feature_ingest},
      {"feature-join", "to each row of a spine the features that were known then, of several feature groups",
       check_feature_join, run_feature_join},
      {"feature-materialize", "the newest records of a feature group's offline store into its online store",
       check_feature_materialize, run_feature_materialize},
      {"label-apply", "rows of a pool with the labels of people, and of a model where it is sure enough",
       check_label_apply, run_label_apply},
      {"label-select",
       "which rows of a pool to ask people about: those a model is least sure of, unlike each other",
       check_label_select, run_label_select},
      {"monitor",
       "SageMaker Model Monitor: a baseline of data or of a model's quality, and checks against it",
       check_monitor, run_monitor},
      {"prepare", "fits a list of column steps to the training channel and applies them to every channel",
       check_prepare, run_prepare},
      {"profile", "types, missing cells, frequent values and distributions of every column", check_profile,
       run_profile},
      {"sql", "a SQL script over channels as tables; its last SELECT is the result", check_sql, run_sql},
      {"sagemaker-clarify-processing", "bias and explain under SageMaker Clarify's name, by its methods",
       check_clarify, run_clarify},
      {"sagemaker-model-monitor-analyzer",
       "what an endpoint was asked in a span of time against a baseline: data, quality, bias, attributions",
       check_analyzer, run_analyzer},
      {"series", "rows of many series on a regular grid of times, with and without their last steps",
       check_series, run_series},
      {"split", "cuts rows into train, validation and test: random, ordered, stratified or by key",
       check_split, run_split},
  };
  return kProcessors;
}

const Processor* find_processor(std::string_view image) {
  std::string_view name = image.substr(image.rfind('/') + 1);
  name = name.substr(0, name.find(':'));
  for (const Processor& processor : processors()) {
    if (processor.name == name) return &processor;
  }
  return nullptr;
}

}  // namespace millrace::tasks
