#include "tasks/script/train_script.h"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/time.h"
#include "tasks/arguments.h"
#include "tasks/artifacts/archive.h"
#include "tasks/script/hosts.h"
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
  HostPlan hosts;
  bool torch_distributed = false;
  MpiPlan mpi;
};

// How SageMaker's containers start programs on several hosts: what has a launcher of its own that is not
// here.
constexpr const char* kLaunchers[] = {
    "sagemaker_parameter_server_enabled", "sagemaker_distributed_dataparallel_enabled",
    "sagemaker_multi_worker_mirrored_strategy_enabled", "sagemaker_pytorch_ddp_enabled",
    "sagemaker_pytorch_xla_multi_worker_enabled"};

Status check_launchers(const std::map<std::string, std::string>& hyperparameters) {
  for (const char* name : kLaunchers)
    if (const auto found = hyperparameters.find(name);
        found != hyperparameters.end() && plain(found->second) == "true")
      return invalid("HyperParameters." + std::string(name) + ": that launcher is not here",
                     "programs of several hosts find each other by SM_HOSTS, MASTER_ADDR and MASTER_PORT; "
                     "sagemaker_torch_distributed_enabled gives them RANK and WORLD_SIZE, too");
  return {};
}

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
  MR_DO(check_launchers(hyperparameters));
  std::map<std::string, std::string> plain_texts;
  for (const auto& [name, value] : hyperparameters) plain_texts[name] = plain(value);
  MR_TRY(mpi, read_mpi(plain_texts));
  program.mpi = std::move(mpi);
  MR_TRY(hosts, read_hosts(resources));
  program.hosts = std::move(hosts);
  program.entrypoint = std::move(entrypoint);
  program.entrypoint.insert(program.entrypoint.end(), entry_arguments.begin(), entry_arguments.end());
  for (const auto& [name, value] : hyperparameters) {
    if (name == "sagemaker_program")
      program.program = plain(value);
    else if (name == "sagemaker_submit_directory")
      program.submit_directory = plain(value);
    else if (name == "sagemaker_torch_distributed_enabled")
      program.torch_distributed = plain(value) == "true";
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
  MR_DO(share_of(s3_source, 0, 1));
  MR_TRY(compression, channel.text_or("CompressionType", "None"));
  MR_DO(channel.one_of("CompressionType", compression, "None"));
  return uri;
}

std::string upper(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return std::isalnum(c) ? static_cast<char>(std::toupper(c)) : '_'; });
  return name;
}

std::string read_beginning(const fs::path& path, std::size_t bytes) {
  std::ifstream file(path, std::ios::binary);
  std::string text(bytes, '\0');
  file.read(text.data(), static_cast<std::streamsize>(bytes));
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

// The user's code in /opt/ml/code of the first host.
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

// The same code on the other hosts.
Status copy_code(const std::vector<OptMl>& opt_mls) {
  MR_TRY(from, opt_mls.front().real("/opt/ml/code"));
  for (std::size_t i = 1; i < opt_mls.size(); ++i) {
    MR_TRY(to, opt_mls[i].real("/opt/ml/code"));
    std::error_code code;
    fs::copy(from, to, fs::copy_options::recursive, code);
    if (code)
      return fail(ErrorCode::Internal, "can't copy the code to " + to.string() + ": " + code.message());
  }
  return {};
}

Json input_data_config(const Program& program) {
  Json config = Json::object();
  for (const Arguments& channel : program.channels) {
    const Json& document = channel.json();
    const std::string how = text_at(document, {"DataSource", "S3DataSource", "S3DataDistributionType"});
    const std::string mode = text_at(document, {"InputMode"});
    Json entry = {{"TrainingInputMode", mode.empty() ? program.input_mode : mode},
                  {"S3DistributionType", how.empty() ? "FullyReplicated" : how},
                  {"RecordWrapperType", "None"}};
    if (channel.has("ContentType")) entry["ContentType"] = document["ContentType"];
    config[text_at(document, {"ChannelName"})] = std::move(entry);
  }
  return config;
}

Status bring_channels(const Program& program, const OptMl& opt_ml, std::size_t host, JobContext& context) {
  for (const Arguments& channel : program.channels) {
    MR_TRY(name, channel.text("ChannelName"));
    MR_TRY(uri, channel_uri(channel));
    MR_TRY(mode, channel.text_or("InputMode", program.input_mode));
    MR_TRY(source, channel.object("DataSource"));
    MR_TRY(s3_source, source.object("S3DataSource"));
    MR_TRY(share, share_of(s3_source, host, program.hosts.count()));
    MR_TRY(directory, opt_ml.real("/opt/ml/input/data/" + name));
    std::error_code code;
    fs::create_directories(directory, code);  // also when this host's part is nothing
    MR_DO(opt_ml.bring(context.objects(), uri, directory, mode == "FastFile", share));
    if (context.cancelled()) return fail(ErrorCode::Cancelled, "stopped while bringing the data");
  }
  return opt_ml.write_config("inputdataconfig.json", input_data_config(program));
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
                                                      const std::string& job, std::size_t host) {
  std::map<std::string, std::string> variables = program.environment;
  variables["SM_MODEL_DIR"] = "/opt/ml/model";
  variables["SM_OUTPUT_DIR"] = "/opt/ml/output";
  variables["SM_OUTPUT_DATA_DIR"] = "/opt/ml/output/data";
  variables["SM_INPUT_DIR"] = "/opt/ml/input";
  variables["SM_INPUT_CONFIG_DIR"] = "/opt/ml/input/config";
  variables["SM_INPUT_DATA_CONFIG"] = input_data_config(program).dump();
  variables["TRAINING_JOB_NAME"] = job;
  add_host_variables(program.hosts, host, variables);
  if (program.torch_distributed) {
    // What torchrun says to one process a host.
    variables["RANK"] = variables["GROUP_RANK"] = std::to_string(host);
    variables["LOCAL_RANK"] = "0";
    variables["WORLD_SIZE"] = std::to_string(program.hosts.count());
    variables["LOCAL_WORLD_SIZE"] = "1";
  }
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
  if (program.program.empty()) return variables;
  variables["SM_USER_ENTRY_POINT"] = program.program;
  variables["SM_MODULE_NAME"] = fs::path(program.program).replace_extension().string();
  variables["SM_MODULE_DIR"] = "/opt/ml/code";
  return variables;
}

// What runs a program, by the end of its name; others, and shell scripts that name their shell, run by
// themselves.
struct ScriptRunner {
  std::string_view extension, interpreter;
};
constexpr ScriptRunner kRunners[] = {
    {".py", "python3"}, {".R", "Rscript"}, {".r", "Rscript"}, {".sh", "/bin/sh"}};

// Objects have no permissions: what is run by itself is made executable.
Result<std::vector<std::string>> command_of(const std::string& program, const OptMl& opt_ml) {
  const std::string path = "/opt/ml/code/" + program;
  MR_TRY(file, opt_ml.real(path));
  std::error_code code;
  if (!fs::is_regular_file(file, code))
    return invalid("sagemaker_program: there is no " + program + " in sagemaker_submit_directory");
  const std::string extension = fs::path(program).extension();
  const bool names_shell = extension == ".sh" && read_beginning(file, 2) == "#!";
  const auto runner = std::find_if(std::begin(kRunners), std::end(kRunners),
                                   [&](const ScriptRunner& one) { return one.extension == extension; });
  if (runner != std::end(kRunners) && !names_shell)
    return std::vector<std::string>{std::string(runner->interpreter), path};
  fs::permissions(file, fs::perms::owner_exec, fs::perm_options::add, code);
  return std::vector<std::string>{path};
}

Result<ScriptRun> script_run(const Program& program, const OptMl& opt_ml, const std::string& job,
                             std::size_t host) {
  ScriptRun run;
  std::vector<std::string> user_arguments;
  for (const auto& [name, value] : program.hyperparameters) {
    user_arguments.push_back("--" + name);
    user_arguments.push_back(value);
  }
  if (!program.program.empty()) {
    MR_TRY(command, command_of(program.program, opt_ml));
    run.arguments = std::move(command);
    run.arguments.insert(run.arguments.end(), user_arguments.begin(), user_arguments.end());
  } else {
    run.arguments = program.entrypoint;
  }
  run.environment = training_variables(program, user_arguments, job, host);
  run.phase = "Training";
  run.memory_bytes_max = program.memory_bytes_max;
  run.without_network = program.without_network;
  return run;
}

// What the program left, into the object store. The model as one archive with its card.
Result<std::string> store_results(const Program& program, const Json& request, const std::vector<Host>& hosts,
                                  JobContext& context) {
  const std::string output = join_uri(join_uri(program.output_path, context.name()), "output");
  const std::string model_uri = join_uri(output, "model.tar.gz");
  MR_TRY(model, gather(hosts, "/opt/ml/model", context));
  MR_TRY(data, gather(hosts, "/opt/ml/output/data", context));
  MR_DO(take_gathered(data, hosts, "/opt/ml/output/data", join_uri(output, "data/"), context));
  Json files = Json::object();
  for (const auto& [name, file] : model.files) files[name] = file.sha256;
  Json card = {{"algorithm", "script"},
               {"program", program.program.empty() ? Json(program.entrypoint) : Json(program.program)},
               {"hyperparameters", program.hyperparameters},
               {"metrics", last_values(hosts)},
               {"files", files},
               {"training_job", context.name()},
               {"input_data_config", request.value("InputDataConfig", Json::array())}};
  if (hosts.size() > 1) card["hosts"] = program.hosts.names;
  if (const PreparedEnvironment* packages = hosts.front().run.packages)
    card["environment"] = {{"python", packages->record().value("Python", "")},
                           {"packages", packages->record().value("Packages", Json::array())}};
  if (const Json* record = context.provenance()) card["record"] = *record;
  const auto pack = [&](const fs::path& path) -> Status {
    MR_TRY(archive, ArchiveWriter::create(path));
    MR_DO(archive.add("model_card.json", to_payload(card).text()));
    for (const auto& [name, file] : model.files) {
      MR_TRY(directory, hosts[file.host].opt_ml.real("/opt/ml/model"));
      if (name != "model_card.json") MR_DO(archive.add_file(name, directory / name));
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

// One /opt/ml a host, filled. The code comes once, and so do its packages.
Result<std::vector<Host>> make_hosts(const Program& program, JobContext& context,
                                     std::optional<PreparedEnvironment>& packages) {
  MR_TRY(opt_mls, make_opt_mls(program.hosts, context.scratch()));
  Progress progress;
  progress.phase = "Downloading";
  context.progress(progress);
  MR_DO(bring_code(program, opt_mls.front(), context));
  MR_DO(copy_code(opt_mls));
  for (std::size_t i = 0; i < opt_mls.size(); ++i) {
    MR_DO(bring_channels(program, opt_mls[i], i, context));
    MR_DO(link_checkpoints(program, opt_mls[i], context));
    MR_DO(opt_mls[i].write_config("hyperparameters.json", Json(program.all_hyperparameters)));
    MR_DO(opt_mls[i].write_config("resourceconfig.json", resource_config(program.hosts, i)));
  }
  std::vector<Host> hosts;
  for (std::size_t i = 0; i < opt_mls.size(); ++i) {
    MR_TRY(run, script_run(program, opt_mls[i], context.name(), i));
    MR_TRY(metrics, OutputMetrics::compile(program.metric_definitions));
    hosts.push_back({program.hosts.names[i], std::move(opt_mls[i]), std::move(run), std::move(metrics)});
  }
  MR_TRY(code, hosts.front().opt_ml.real("/opt/ml/code"));
  MR_TRY(prepared, prepare_environment(code, hosts.front().run, "PreparingTrainingStack", context));
  packages = std::move(prepared);
  if (packages) use_environment(hosts, *packages);
  return hosts;
}

Result<Json> run_once(const Program& program, const Json& request, JobContext& context,
                      const TrainHooks& hooks) {
  const HostsFolder folder{context.scratch()};
  std::optional<PreparedEnvironment> packages;
  MR_TRY(hosts, make_hosts(program, context, packages));
  for (Host& host : hosts)
    host.run.metric = [&hooks, rounds = std::map<std::string, std::int64_t>()](const std::string& name,
                                                                               double value) mutable {
      if (hooks.metric) hooks.metric({name, value, rounds[name]++});
    };
  MR_DO(run_hosts(hosts, program.mpi, context));
  Progress progress;
  progress.phase = "Uploading";
  context.progress(progress);
  MR_TRY(model_uri, store_results(program, request, hosts, context));
  return Json{{"ModelArtifacts", {{"S3ModelArtifacts", model_uri}}},
              {"FinalMetricDataList", final_metrics(last_values(hosts), to_millis(context.clock().now()))}};
}

}  // namespace

Result<Json> run_script_training(const Json& request, JobContext& context, const TrainHooks& hooks) {
  MR_TRY(program, read_program(request));
  for (int interruptions = 0;; ++interruptions) {
    auto ended = run_once(program, request, context, hooks);
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
