// Processing by a program of the user's; see train_script.h.

#include <nlohmann/json.hpp>

#include "tasks/arguments.h"
#include "tasks/script/run_script.h"
#include "tasks/script/train_script.h"

namespace millrace::tasks {
namespace {

namespace fs = std::filesystem;

struct Place {
  std::string name, uri, local;
};

Result<std::vector<Place>> input_places(const Arguments& arguments) {
  MR_TRY(inputs, arguments.list("ProcessingInputs"));
  std::vector<Place> places;
  for (const Arguments& input : inputs) {
    MR_TRY(name, input.text_or("InputName", "input-" + std::to_string(places.size() + 1)));
    MR_TRY(s3_input, input.object("S3Input"));
    MR_TRY(uri, s3_input.text("S3Uri"));
    MR_TRY(local, s3_input.text_or("LocalPath", "/opt/ml/processing/input/" + name));
    MR_DO(parse_s3_uri(uri));
    MR_TRY(type, s3_input.text_or("S3DataType", "S3Prefix"));
    MR_DO(s3_input.one_of("S3DataType", type, "S3Prefix"));
    MR_TRY(compression, s3_input.text_or("S3CompressionType", "None"));
    MR_DO(s3_input.one_of("S3CompressionType", compression, "None"));
    places.push_back({name, uri, local});
  }
  return places;
}

Result<std::vector<Place>> output_places(const Arguments& arguments) {
  MR_TRY(config, arguments.object_or_empty("ProcessingOutputConfig"));
  MR_TRY(outputs, config.list("Outputs"));
  std::vector<Place> places;
  for (const Arguments& output : outputs) {
    MR_TRY(name, output.text_or("OutputName", "output-" + std::to_string(places.size() + 1)));
    MR_TRY(s3_output, output.object("S3Output"));
    MR_TRY(uri, s3_output.text("S3Uri"));
    MR_TRY(local, s3_output.text_or("LocalPath", "/opt/ml/processing/output/" + name));
    MR_DO(parse_s3_uri(uri));
    places.push_back({name, uri, local});
  }
  return places;
}

Result<ScriptRun> processing_run(const Arguments& arguments, const std::string& job) {
  ScriptRun run;
  MR_TRY(application, arguments.object("AppSpecification"));
  MR_TRY(entrypoint, application.texts("ContainerEntrypoint"));
  MR_TRY(more, application.texts("ContainerArguments"));
  MR_TRY(environment, arguments.text_map("Environment"));
  MR_TRY(resources, arguments.object_or_empty("ProcessingResources"));
  MR_TRY(cluster, resources.object_or_empty("ClusterConfig"));
  MR_TRY(memory_mb, cluster.integer_or("MemoryLimitInMB", 0));
  MR_TRY(network, arguments.object_or_empty("NetworkConfig"));
  MR_TRY(isolated, network.boolean_or("EnableNetworkIsolation", false));
  if (entrypoint.empty())
    return application.wrong("ContainerEntrypoint", "is required for an image that is not built in");
  if (memory_mb < 0) return cluster.wrong("MemoryLimitInMB", "must not be negative");
  run.arguments = std::move(entrypoint);
  run.arguments.insert(run.arguments.end(), more.begin(), more.end());
  run.environment = std::move(environment);
  run.environment["PROCESSING_JOB_NAME"] = job;
  run.directory = "/opt/ml/processing";
  run.phase = "Processing";
  run.memory_bytes_max = static_cast<std::uint64_t>(memory_mb) * 1'000'000;
  run.without_network = isolated;
  return run;
}

Result<fs::path> directory_of(const Place& place, const OptMl& opt_ml) {
  MR_TRY(directory, opt_ml.real(place.local));
  std::error_code code;
  fs::create_directories(directory, code);
  if (code) return invalid("can't make " + directory.string() + ": " + code.message());
  return directory;
}

}  // namespace

Status check_script_processing(const Json& request) {
  const Arguments arguments(request);
  MR_TRY(inputs, input_places(arguments));
  MR_TRY(outputs, output_places(arguments));
  for (const auto* places : {&inputs, &outputs})
    for (const Place& place : *places)
      if (place.local.rfind("/opt/ml/", 0) != 0)
        return invalid(place.name + ": LocalPath \"" + place.local + "\" is not below /opt/ml");
  MR_DO(processing_run(arguments, ""));
  return {};
}

Result<Json> run_script_processing(const Json& request, JobContext& context) {
  const Arguments arguments(request);
  MR_TRY(inputs, input_places(arguments));
  MR_TRY(outputs, output_places(arguments));
  MR_TRY(run, processing_run(arguments, context.name()));
  MR_TRY(metrics, OutputMetrics::compile(Json::array()));
  MR_TRY(opt_ml, OptMl::make(context.scratch()));
  Progress progress;
  progress.phase = "Downloading";
  context.progress(progress);
  for (const Place& input : inputs) {
    MR_TRY(directory, directory_of(input, opt_ml));
    MR_DO(opt_ml.bring(context.objects(), input.uri, directory, false));
    if (context.cancelled()) return fail(ErrorCode::Cancelled, "stopped while bringing the data");
  }
  for (const Place& output : outputs) MR_DO(directory_of(output, opt_ml));
  MR_DO(opt_ml.write_config("processingjobconfig.json", request));
  MR_DO(run_script(run, opt_ml, metrics, context));
  progress.phase = "Uploading";
  context.progress(progress);
  for (const Place& output : outputs) {
    MR_TRY(directory, opt_ml.real(output.local));
    MR_DO(opt_ml.take(context.objects(), directory, output.uri));
  }
  Json fields = Json::object();
  const std::string message = opt_ml.note("/opt/ml/output/message");
  if (!message.empty()) fields["ExitMessage"] = message;
  return fields;
}

}  // namespace millrace::tasks
