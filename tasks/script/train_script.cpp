#include "tasks/script/train_script.h"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "base/time.h"
#include "tasks/arguments.h"
#include "tasks/artifacts/archive.h"
#include "tasks/script/process.h"
#include "tasks/script/run_script.h"

namespace millrace::tasks {
namespace {

namespace fs = std::filesystem;

// The Python SDK sends hyperparameters as JSON text: "\"train.py\"" is train.py.
std::string plain(const std::string& value) {
  if (value.size() < 2 || value.front() != '"') return value;
  const Json parsed = Json::parse(value, nullptr, false);
  return parsed.is_string() ? parsed.get<std::string>() : value;
}

constexpr int kInterruptionsMax = 10;  // of a spot job, after which it fails

struct Program {
  std::string program;                                 // sagemaker_program, or empty
  std::string submit_directory;                        // sagemaker_submit_directory
  std::vector<std::string> entrypoint;                 // ContainerEntrypoint and ContainerArguments
  std::map<std::string, std::string> hyperparameters;  // without sagemaker_*
  std::map<std::string, std::string> all_hyperparameters;
  std::string output_path, input_mode;
  Json metric_definitions;
  std::vector<Arguments> channels;
  std::map<std::string, std::string> environment;
  std::string checkpoint_uri;
  std::uint64_t memory_bytes_max = 0;
  bool without_network = false;
  bool spot = false;  // EnableManagedSpotTraining
};

Result<Program> read_program(const Json& request) {
  const Arguments arguments(request);
  Program program;
  MR_TRY(algorithm, arguments.object("AlgorithmSpecification"));
  MR_TRY(entrypoint, algorithm.texts("ContainerEntrypoint"));
  MR_TRY(entry_arguments, algorithm.texts("ContainerArguments"));
  MR_TRY(mode, algorithm.text_or("TrainingInputMode", "File"));
  MR_TRY(hyperparameters, arguments.text_map("HyperParameters"));
  MR_TRY(output, arguments.object("OutputDataConfig"));
  MR_TRY(output_path, output.text("S3OutputPath"));
  MR_TRY(channels, arguments.list("InputDataConfig"));
  MR_TRY(environment, arguments.text_map("Environment"));
  MR_TRY(checkpoint, arguments.object_or_empty("CheckpointConfig"));
  MR_TRY(checkpoint_uri, checkpoint.text_or("S3Uri", ""));
  MR_TRY(resources, arguments.object_or_empty("ResourceConfig"));
  MR_TRY(memory_mb, resources.integer_or("MemoryLimitInMB", 0));
  MR_TRY(spot, arguments.boolean_or("EnableManagedSpotTraining", false));
  MR_TRY(isolated, arguments.boolean_or("EnableNetworkIsolation", false));
  if (memory_mb < 0) return resources.wrong("MemoryLimitInMB", "must not be negative");
  program.entrypoint = std::move(entrypoint);
  program.entrypoint.insert(program.entrypoint.end(), entry_arguments.begin(), entry_arguments.end());
  for (const auto& [name, value] : hyperparameters) {
    if (name == "sagemaker_program")
      program.program = plain(value);
    else if (name == "sagemaker_submit_directory")
      program.submit_directory = plain(value);
    else if (name.rfind("sagemaker_", 0) != 0)
      program.hyperparameters[name] = plain(value);
  }
  program.all_hyperparameters = std::move(hyperparameters);
  program.output_path = output_path;
  program.input_mode = mode;
  program.metric_definitions = algorithm.json().value("MetricDefinitions", Json::array());
  program.channels = std::move(channels);
  program.environment = std::move(environment);
  program.checkpoint_uri = checkpoint_uri;
  program.memory_bytes_max = static_cast<std::uint64_t>(memory_mb) * 1'000'000;
  program.without_network = isolated, program.spot = spot;
  return program;
}

Result<std::string> channel_uri(const Arguments& channel) {
  MR_TRY(source, channel.object("DataSource"));
  MR_TRY(s3_source, source.object("S3DataSource"));
  MR_TRY(uri, s3_source.text("S3Uri"));
  MR_DO(parse_s3_uri(uri));
  // A program sees the objects as they are: what would change them is refused rather than passed over.
  MR_TRY(type, s3_source.text_or("S3DataType", "S3Prefix"));
  MR_DO(s3_source.one_of("S3DataType", type, "S3Prefix"));
  MR_TRY(compression, channel.text_or("CompressionType", "None"));
  MR_DO(channel.one_of("CompressionType", compression, "None"));
  return uri;
}

std::string upper(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return std::isalnum(c) ? static_cast<char>(std::toupper(c)) : '_'; });
  return name;
}

// The user's code in /opt/ml/code.
Status bring_code(const Program& program, const OptMl& opt_ml, JobContext& context) {
  MR_TRY(directory, opt_ml.real("/opt/ml/code"));
  const std::string& from = program.submit_directory;
  const bool packed = from.size() > 7 && from.substr(from.size() - 7) == ".tar.gz";
  if (from.rfind("s3://", 0) == 0) {
    MR_DO(opt_ml.bring(context.objects(), from, directory, false));
  } else if (!from.empty()) {
    const fs::path local = from.rfind("file://", 0) == 0 ? from.substr(7) : from;
    if (!local.is_absolute())
      return invalid("sagemaker_submit_directory \"" + from + "\" is neither s3://… nor an absolute path");
    std::error_code code;
    if (packed)
      fs::copy_file(local, directory / local.filename(), code);
    else
      fs::copy(local, directory, fs::copy_options::recursive, code);
    if (code)
      return invalid("sagemaker_submit_directory: can't copy " + local.string() + ": " + code.message());
  }
  if (!packed) return {};
  const auto unpacked = extract_archive(directory / fs::path(from).filename(), directory);
  if (!unpacked)
    return invalid("sagemaker_submit_directory: " + from + " can't be unpacked: " + unpacked.error().message);
  return {};
}

Status bring_channels(const Program& program, const OptMl& opt_ml, JobContext& context) {
  Json config = Json::object();
  for (const Arguments& channel : program.channels) {
    MR_TRY(name, channel.text("ChannelName"));
    MR_TRY(uri, channel_uri(channel));
    MR_TRY(mode, channel.text_or("InputMode", program.input_mode));
    MR_TRY(directory, opt_ml.real("/opt/ml/input/data/" + name));
    MR_DO(opt_ml.bring(context.objects(), uri, directory, mode == "FastFile"));
    config[name] = {{"TrainingInputMode", mode},
                    {"S3DistributionType", "FullyReplicated"},
                    {"RecordWrapperType", "None"}};
    if (channel.has("ContentType")) config[name]["ContentType"] = channel.json()["ContentType"];
    if (context.cancelled()) return fail(ErrorCode::Cancelled, "stopped while bringing the data");
  }
  return opt_ml.write_config("inputdataconfig.json", config);
}

// Checkpoints are written straight into the object store, so they are there for the run after a crash.
Status link_checkpoints(const Program& program, const OptMl& opt_ml, JobContext& context) {
  MR_TRY(directory, opt_ml.real("/opt/ml/checkpoints"));
  std::error_code code;
  if (program.checkpoint_uri.empty()) {
    fs::create_directories(directory, code);
    return {};
  }
  if (context.objects().elsewhere(program.checkpoint_uri))
    return invalid("CheckpointConfig.S3Uri: a program's checkpoints are kept in a bucket of this home, and " +
                   program.checkpoint_uri + " is in another store");
  MR_TRY(stored, context.objects().path_of(program.checkpoint_uri));
  fs::create_directories(stored, code);
  if (!code) fs::create_directory_symlink(fs::absolute(stored), directory, code);
  if (code)
    return invalid("CheckpointConfig.S3Uri: can't use " + program.checkpoint_uri + ": " + code.message());
  return {};
}

std::map<std::string, std::string> training_variables(const Program& program,
                                                      const std::vector<std::string>& user_arguments,
                                                      const std::string& job) {
  std::map<std::string, std::string> variables = program.environment;
  variables["SM_MODEL_DIR"] = "/opt/ml/model";
  variables["SM_OUTPUT_DIR"] = "/opt/ml/output";
  variables["SM_OUTPUT_DATA_DIR"] = "/opt/ml/output/data";
  variables["SM_INPUT_DIR"] = "/opt/ml/input";
  variables["SM_INPUT_CONFIG_DIR"] = "/opt/ml/input/config";
  variables["SM_CURRENT_HOST"] = "algo-1";
  variables["SM_HOSTS"] = R"(["algo-1"])";
  variables["TRAINING_JOB_NAME"] = job;
  Json channel_names = Json::array();
  for (const Arguments& channel : program.channels) {
    const std::string name = channel.json().value("ChannelName", "");
    channel_names.push_back(name);
    variables["SM_CHANNEL_" + upper(name)] = "/opt/ml/input/data/" + name;
  }
  variables["SM_CHANNELS"] = channel_names.dump();
  variables["SM_HPS"] = Json(program.hyperparameters).dump();
  for (const auto& [name, value] : program.hyperparameters) variables["SM_HP_" + upper(name)] = value;
  variables["SM_USER_ARGS"] = Json(user_arguments).dump();
  return variables;
}

ScriptRun script_run(const Program& program, const std::string& job) {
  ScriptRun run;
  std::vector<std::string> user_arguments;
  for (const auto& [name, value] : program.hyperparameters) {
    user_arguments.push_back("--" + name);
    user_arguments.push_back(value);
  }
  if (!program.program.empty()) {
    const std::string path = "/opt/ml/code/" + program.program;
    const std::string extension = fs::path(program.program).extension();
    if (extension == ".py")
      run.arguments = {"python3", path};
    else if (extension == ".sh")
      run.arguments = {"/bin/sh", path};
    else
      run.arguments = {path};
    run.arguments.insert(run.arguments.end(), user_arguments.begin(), user_arguments.end());
  } else {
    run.arguments = program.entrypoint;
  }
  run.environment = training_variables(program, user_arguments, job);
  run.phase = "Training";
  run.memory_bytes_max = program.memory_bytes_max;
  run.without_network = program.without_network;
  return run;
}

// What the program left, into the object store. The model as one archive with its card.
Result<std::string> store_results(const Program& program, const Json& request, const OptMl& opt_ml,
                                  const OutputMetrics& metrics, JobContext& context) {
  const std::string output = join_uri(join_uri(program.output_path, context.name()), "output");
  const std::string model_uri = join_uri(output, "model.tar.gz");
  MR_TRY(model_directory, opt_ml.real("/opt/ml/model"));
  MR_TRY(data_directory, opt_ml.real("/opt/ml/output/data"));
  MR_TRY(files, opt_ml.files(model_directory));
  MR_DO(opt_ml.take(context.objects(), data_directory, join_uri(output, "data/")));
  Json card = {{"algorithm", "script"},
               {"program", program.program.empty() ? Json(program.entrypoint) : Json(program.program)},
               {"hyperparameters", program.hyperparameters},
               {"metrics", metrics.last_values()},
               {"files", files},
               {"training_job", context.name()},
               {"input_data_config", request.value("InputDataConfig", Json::array())}};
  if (const Json* record = context.provenance()) card["record"] = *record;
  const auto pack = [&](const fs::path& path) -> Status {
    MR_TRY(archive, ArchiveWriter::create(path));
    MR_DO(archive.add("model_card.json", to_payload(card).text()));
    for (const auto& [name, digest] : files) {
      if (name != "model_card.json") MR_DO(archive.add_file(name, model_directory / name));
    }
    return archive.finish();
  };
  MR_DO(context.objects().write_by(model_uri, pack));
  return model_uri;
}

}  // namespace

bool names_program(const Json& request) {
  const auto entry = request.value("/AlgorithmSpecification/ContainerEntrypoint"_json_pointer, Json());
  return request.value("HyperParameters", Json::object()).contains("sagemaker_program") ||
         (entry.is_array() && !entry.empty());
}

Status check_script_training(const Json& request) {
  MR_TRY(program, read_program(request));
  MR_DO(parse_s3_uri(program.output_path));
  MR_DO(OutputMetrics::compile(program.metric_definitions));
  for (const Arguments& channel : program.channels) {
    MR_TRY(name, channel.text("ChannelName"));
    const bool fine = std::all_of(name.begin(), name.end(), [](unsigned char c) {
      return std::isalnum(c) || c == '-' || c == '_' || c == '.';
    });
    if (!fine || name.front() == '.')
      return channel.wrong("ChannelName", "\"" + name + "\" may have letters, digits, '.', '-' and '_' only");
    MR_DO(channel_uri(channel));
  }
  const fs::path path = fs::path(program.program).lexically_normal();
  if (path.is_absolute() || (!path.empty() && *path.begin() == ".."))
    return invalid("sagemaker_program \"" + program.program +
                   "\" must be a path inside sagemaker_submit_directory");
  if (program.entrypoint.empty() && program.program.empty())
    return invalid(
        "a script job needs the hyperparameter sagemaker_program or "
        "AlgorithmSpecification.ContainerEntrypoint");
  return {};
}

namespace {

Result<Json> run_once(const Program& program, const Json& request, OutputMetrics& metrics,
                      JobContext& context, const TrainHooks& hooks) {
  MR_TRY(opt_ml, OptMl::make(context.scratch()));
  Progress progress;
  progress.phase = "Downloading";
  context.progress(progress);
  MR_DO(bring_channels(program, opt_ml, context));
  MR_DO(bring_code(program, opt_ml, context));
  MR_DO(link_checkpoints(program, opt_ml, context));
  MR_DO(opt_ml.write_config("hyperparameters.json", Json(program.all_hyperparameters)));
  MR_DO(opt_ml.write_config(
      "resourceconfig.json",
      {{"current_host", "algo-1"}, {"hosts", Json::array({"algo-1"})}, {"network_interface_name", "lo"}}));
  ScriptRun run = script_run(program, context.name());
  run.metric = [&hooks, rounds = std::map<std::string, std::int64_t>()](const std::string& name,
                                                                        double value) mutable {
    if (hooks.metric) hooks.metric({name, value, rounds[name]++});
  };
  MR_DO(run_script(run, opt_ml, metrics, context));
  progress.phase = "Uploading";
  context.progress(progress);
  MR_TRY(model_uri, store_results(program, request, opt_ml, metrics, context));
  return Json{
      {"ModelArtifacts", {{"S3ModelArtifacts", model_uri}}},
      {"FinalMetricDataList", final_metrics(metrics.last_values(), to_millis(context.clock().now()))}};
}

}  // namespace

Result<Json> run_script_training(const Json& request, JobContext& context, const TrainHooks& hooks) {
  MR_TRY(program, read_program(request));
  for (int interruptions = 0;; ++interruptions) {
    MR_TRY(metrics, OutputMetrics::compile(program.metric_definitions));
    auto ended = run_once(program, request, metrics, context, hooks);
    const bool interrupted = !ended && ended.error().code == ErrorCode::Unavailable;
    if (!interrupted || !program.spot || interruptions == kInterruptionsMax || context.cancelled())
      return ended;
    context.log("interrupted: " + ended.error().message + "; runs again, with its checkpoints");
    Progress progress;
    progress.phase = "Interrupted";
    context.progress(progress);
  }
}

}  // namespace millrace::tasks
