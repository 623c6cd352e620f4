// Processing by a program of the user's; see train_script.h.

#include <nlohmann/json.hpp>

#include "tasks/arguments.h"
#include "tasks/artifacts/archive.h"
#include "tasks/artifacts/files.h"
#include "tasks/script/hosts.h"
#include "tasks/script/run_script.h"
#include "tasks/script/train_script.h"

namespace millrace::tasks {
namespace {

namespace fs = std::filesystem;

struct Place {
  std::string name, uri, local;
  bool sharded = false;  // every host has its part of the objects
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
    MR_TRY(halves, share_of(s3_input, 0, 2));
    places.push_back({name, uri, local, halves.parts > 1});
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

Result<HostPlan> processing_hosts(const Arguments& arguments) {
  MR_TRY(resources, arguments.object_or_empty("ProcessingResources"));
  MR_TRY(cluster, resources.object_or_empty("ClusterConfig"));
  return read_hosts(cluster);
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
  MR_DO(processing_hosts(arguments));
  return {};
}

namespace {

// The configuration of a container, where SageMaker has it, and where a training job's would be.
Status write_processing_config(const OptMl& opt_ml, const Json& request, const Json& resources) {
  MR_DO(opt_ml.write_config("processingjobconfig.json", request));
  MR_DO(opt_ml.write_config("resourceconfig.json", resources));
  MR_TRY(directory, opt_ml.real("/opt/ml/config"));
  MR_DO(replace_file(directory / "processingjobconfig.json", to_payload(request).text()));
  return replace_file(directory / "resourceconfig.json", to_payload(resources).text());
}

// Where requirements.txt may be: the SDK's FrameworkProcessor brings the code as sourcedir.tar.gz, which its
// runproc.sh unpacks (and finds everything installed); else the directory of the first argument that is a
// file below /opt/ml; empty when none is.
Result<fs::path> find_code(const ScriptRun& run, const OptMl& opt_ml, const std::vector<Place>& inputs) {
  std::error_code code;
  for (const Place& input : inputs) {
    MR_TRY(directory, opt_ml.real(input.local));
    const fs::path packed = directory / "sourcedir.tar.gz";
    if (!fs::is_regular_file(packed, code)) continue;
    MR_TRY(unpacked, opt_ml.real("/opt/ml/tmp/sourcedir"));
    fs::create_directories(unpacked, code);
    const Status extracted = extract_archive(packed, unpacked);
    if (!extracted)
      return invalid(input.name + ": sourcedir.tar.gz can't be unpacked: " + extracted.error().message);
    return unpacked;
  }
  for (const std::string& argument : run.arguments) {
    const auto file = opt_ml.real(argument);
    if (file && fs::is_regular_file(*file, code)) return file->parent_path();
  }
  return fs::path();
}

Result<Host> make_host(const ScriptRun& run, const HostPlan& plan, std::size_t at, OptMl opt_ml,
                       const Json& request, JobContext& context) {
  const Arguments arguments(request);
  MR_TRY(inputs, input_places(arguments));
  MR_TRY(outputs, output_places(arguments));
  MR_TRY(metrics, OutputMetrics::compile(Json::array()));
  for (const Place& input : inputs) {
    MR_TRY(directory, directory_of(input, opt_ml));
    const OptMl::Share share = input.sharded ? OptMl::Share{at, plan.count()} : OptMl::Share{};
    MR_DO(opt_ml.bring(context.objects(), input.uri, directory, false, share));
    if (context.cancelled()) return fail(ErrorCode::Cancelled, "stopped while bringing the data");
  }
  for (const Place& output : outputs) MR_DO(directory_of(output, opt_ml));
  MR_DO(write_processing_config(opt_ml, request, resource_config(plan, at)));
  ScriptRun own = run;
  add_host_variables(plan, at, own.environment);
  return Host{plan.names[at], std::move(opt_ml), std::move(own), std::move(metrics)};
}

}  // namespace

Result<Json> run_script_processing(const Json& request, JobContext& context) {
  const Arguments arguments(request);
  MR_TRY(inputs, input_places(arguments));
  MR_TRY(outputs, output_places(arguments));
  MR_TRY(run, processing_run(arguments, context.name()));
  MR_TRY(plan, processing_hosts(arguments));
  const HostsFolder folder{context.scratch()};
  MR_TRY(opt_mls, make_opt_mls(plan, context.scratch()));
  Progress progress;
  progress.phase = "Downloading";
  context.progress(progress);
  std::vector<Host> hosts;
  for (std::size_t i = 0; i < plan.count(); ++i) {
    MR_TRY(host, make_host(run, plan, i, std::move(opt_mls[i]), request, context));
    hosts.push_back(std::move(host));
  }
  std::optional<PreparedEnvironment> packages;
  MR_TRY(code, find_code(run, hosts.front().opt_ml, inputs));
  if (!code.empty()) {
    MR_TRY(prepared, prepare_environment(code, run, "Preparing", context));
    packages = std::move(prepared);
    if (packages) use_environment(hosts, *packages);
  }
  MR_DO(run_hosts(hosts, {}, context));
  progress.phase = "Uploading";
  context.progress(progress);
  for (const Place& output : outputs) {
    MR_TRY(left, gather(hosts, output.local, context));
    MR_DO(take_gathered(left, hosts, output.local, output.uri, context));
  }
  Json fields = Json::object();
  for (const Host& host : hosts) {
    const std::string message = host.opt_ml.note("/opt/ml/output/message");
    if (message.empty() || fields.contains("ExitMessage")) continue;
    fields["ExitMessage"] = message;
  }
  return fields;
}

}  // namespace millrace::tasks
