#include "tasks/training/training_spec.h"

#include <nlohmann/json.hpp>

#include "tasks/arguments.h"
#include "tasks/artifacts/object_store.h"
#include "tasks/training/hyperparameters.h"
#include "tasks/training/own_form.h"

namespace millrace::tasks {

namespace {

constexpr std::int64_t kInstancesMost = 10'000;  // SageMaker's; how many become ranks is a setting

Result<const EstimatorKind*> parse_algorithm(const Arguments& request) {
  MR_TRY(algorithm, request.object("AlgorithmSpecification"));
  const std::string_view field = algorithm.has("TrainingImage") ? "TrainingImage" : "AlgorithmName";
  if (!algorithm.has(field)) return algorithm.wrong("TrainingImage", "is required");
  MR_TRY(image, algorithm.text(field));
  if (const EstimatorKind* kind = find_estimator(image)) return kind;
  std::string known;
  std::vector<std::string_view> names;
  for (const EstimatorKind& kind : estimators()) {
    known += (known.empty() ? "" : ", ") + std::string(kind.name);
    names.push_back(kind.name);
  }
  const std::string_view near = nearest_name(image, names);
  return algorithm.wrong(field,
                         "'" + image + "' is not a built-in algorithm" +
                             (near.empty() ? "" : ": did you mean '" + std::string(near) + "'?"),
                         "built in are " + known);
}

// A hyperparameter that is a setting of the job: taken out of the algorithm's.
std::string take(HyperParameters& parameters, const std::string& name) {
  const auto found = parameters.find(name);
  if (found == parameters.end()) return {};
  std::string value = std::move(found->second);
  parameters.erase(found);
  return value;
}

// The seed is an algorithm's hyperparameter where it has one of that name, too.
Result<std::uint64_t> parse_seed(TrainingSpec& spec) {
  const auto found = spec.parameters.find("seed");
  if (found == spec.parameters.end()) return std::uint64_t{0};
  const auto value = parse_real(found->second);
  if (!value || *value < 0 || *value > 9e15 ||
      *value != static_cast<double>(static_cast<std::uint64_t>(*value))) {
    return invalid("HyperParameters.seed is '" + found->second + "': expected an integer of at least 0");
  }
  const bool own =
      std::ranges::find(spec.kind->rules, "seed", &HyperParameterRule::name) != spec.kind->rules.end();
  if (!own) spec.parameters.erase(found);
  return static_cast<std::uint64_t>(*value);
}

std::string lower_without_spaces(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c != ' ') out += static_cast<char>(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
  }
  return out;
}

// Of an algorithm that reads its channels itself: any of its types.
Status parse_own_content_type(const Arguments& channel, const OwnForm& form, TrainingChannel& out) {
  MR_TRY(text, channel.text_or("ContentType", ""));
  out.content_type = media_type(text);
  if (out.content_type.empty()) return {};
  return channel.one_of("ContentType", out.content_type, form.content_types);
}

constexpr std::string_view kWrapped = "application/x-recordio";

// "text/csv; header=present; label_size=1"
Status parse_content_type(const Arguments& channel, const EstimatorKind& kind, TrainingChannel& out) {
  MR_TRY(text, channel.text_or("ContentType", "text/csv"));
  std::string rest = lower_without_spaces(text);
  for (bool first = true; !rest.empty(); first = false) {
    const std::size_t end = rest.find(';');
    const std::string part = rest.substr(0, end);
    rest = end == std::string::npos ? "" : rest.substr(end + 1);
    // On AWS the lines of an augmented manifest come wrapped as records; here they are read as they are.
    const bool wrapped = out.source.data == ChannelSource::Data::AugmentedManifest && part == kWrapped;
    if (first && !wrapped) {
      const auto format = parse_format(part);
      if (!format) return channel.wrong("ContentType", format.error().message);
      out.source.format = *format;
    }
    if (part == "header=present") out.header = TrainingChannel::Header::Present;
    if (part == "header=absent") out.header = TrainingChannel::Header::Absent;
    if (!part.starts_with("label_size=")) continue;
    out.label_size = part == "label_size=1" ? 1 : 0;
    if (part == "label_size=1" || (part == "label_size=0" && kind.needs.target != TargetUse::Required))
      continue;
    return channel.wrong("ContentType",
                         "'" + text + "': expected label_size=1" +
                             (kind.needs.target == TargetUse::Required ? "" : " or label_size=0"));
  }
  return {};
}

// Which objects, how they are compressed, how instances share them out.
Status parse_source(const Arguments& channel, const Arguments& s3, ChannelSource& out, bool& sharded) {
  MR_TRY(type, s3.text_or("S3DataType", "S3Prefix"));
  const auto data = parse_data_type(type);
  if (!data) return s3.wrong("S3DataType", data.error().message);
  MR_TRY(attributes, s3.texts("AttributeNames"));
  const bool augmented = *data == ChannelSource::Data::AugmentedManifest;
  if (augmented == attributes.empty())
    return s3.wrong("AttributeNames", augmented ? "an AugmentedManifestFile needs the attributes to read"
                                                : "only an AugmentedManifestFile has attributes");
  MR_TRY(shared, s3.text_or("S3DataDistributionType", "FullyReplicated"));
  MR_DO(s3.one_of("S3DataDistributionType", shared, "FullyReplicated|ShardedByS3Key"));
  sharded = shared == "ShardedByS3Key";
  MR_TRY(compression, channel.text_or("CompressionType", "None"));
  const auto parsed = parse_compression(compression);
  if (!parsed) return channel.wrong("CompressionType", parsed.error().message);
  out.data = *data, out.attributes = std::move(attributes), out.compression = *parsed;
  return {};
}

// The channels of an algorithm: "train, validation or test".
std::string channel_names(const EstimatorKind& kind) {
  if (kind.own_form != nullptr) return "train or " + std::string(kind.own_form->other_channel);
  if (kind.needs.validation) return kind.test ? "train, validation or test" : "train or validation";
  return kind.test ? "train or test" : "train";
}

std::string streaming_kinds() {
  std::string names;
  for (const EstimatorKind& kind : estimators()) {
    if (kind.streams) names += (names.empty() ? "" : ", ") + std::string(kind.name);
  }
  return names;
}

Result<TrainingChannel> parse_channel(const Arguments& channel, const EstimatorKind& kind,
                                      const std::string& job_mode) {
  TrainingChannel result;
  MR_TRY(name, channel.text("ChannelName"));
  result.name = name;
  const bool known = kind.own_form != nullptr
                         ? name == kind.own_form->other_channel
                         : (name == "validation" && kind.needs.validation) || (name == "test" && kind.test);
  if (name != "train" && !known)
    return channel.wrong("ChannelName", "'" + name + "' is not a channel of " + std::string(kind.name) +
                                            ": expected " + channel_names(kind));
  MR_TRY(source, channel.object("DataSource"));
  MR_TRY(s3, source.object("S3DataSource"));
  MR_TRY(uri, s3.text("S3Uri"));
  if (const auto parsed = parse_s3_uri(uri); !parsed) return s3.wrong("S3Uri", parsed.error().message);
  MR_DO(parse_source(channel, s3, result.source, result.sharded));
  result.source.uri = uri;
  if (kind.own_form != nullptr && !result.source.plain())
    return channel.wrong("DataSource", std::string(kind.name) +
                                           " reads objects below a prefix as they are: "
                                           "S3DataType S3Prefix, CompressionType None");
  MR_DO(kind.own_form != nullptr ? parse_own_content_type(channel, *kind.own_form, result)
                                 : parse_content_type(channel, kind, result));
  MR_TRY(mode, channel.text_or("InputMode", job_mode));
  MR_DO(channel.one_of("InputMode", mode, "File|FastFile|Pipe"));
  // Only what is trained on streams: the other channels are small, and metrics need all their rows.
  // An augmented manifest, which AWS takes in Pipe mode alone, is one object and read whole.
  const bool manifest = result.source.data == ChannelSource::Data::AugmentedManifest;
  result.pipe = mode == "Pipe" && name == "train" && !manifest;
  if (result.pipe && !kind.streams) {
    return channel.wrong("InputMode", "Pipe: " + std::string(kind.name) + " does not train on a stream",
                         "use File; Pipe is for " + streaming_kinds());
  }
  if (result.pipe && !result.source.plain())
    return channel.wrong("InputMode", "Pipe streams CSV below a prefix, uncompressed", "use File");
  result.uri = uri;
  return result;
}

Status parse_channels(const Arguments& request, TrainingSpec& spec) {
  MR_TRY(algorithm, request.object("AlgorithmSpecification"));
  MR_TRY(job_mode, algorithm.text_or("TrainingInputMode", "File"));
  MR_DO(algorithm.one_of("TrainingInputMode", job_mode, "File|FastFile|Pipe"));
  MR_TRY(channels, request.list("InputDataConfig"));
  for (const Arguments& item : channels) {
    MR_TRY(channel, parse_channel(item, *spec.kind, job_mode));
    const bool train = channel.name == "train";
    auto& other = channel.name == "test" ? spec.test : spec.validation;
    if (train ? !spec.train.uri.empty() : other.has_value()) {
      return item.wrong("ChannelName", "there are two channels '" + channel.name + "'");
    }
    if (train)
      spec.train = std::move(channel);
    else
      other = std::move(channel);
  }
  if (spec.train.uri.empty()) return request.wrong("InputDataConfig", "a channel named train is required");
  return {};
}

Status parse_resources(const Arguments& request, TrainingSpec& spec) {
  MR_TRY(resources, request.object_or_empty("ResourceConfig"));
  MR_TRY(instances, resources.integer_or("InstanceCount", 1));
  if (instances < 1 || instances > kInstancesMost)
    return resources.wrong("InstanceCount", "must be from 1 to " + std::to_string(kInstancesMost));
  spec.instances = static_cast<int>(instances);
  return {};
}

Status parse_checkpoints(const Arguments& request, TrainingSpec& spec) {
  MR_TRY(config, request.object_or_empty("CheckpointConfig"));
  MR_TRY(uri, config.text_or("S3Uri", ""));
  if (uri.empty()) return {};
  if (const auto parsed = parse_s3_uri(uri); !parsed) return config.wrong("S3Uri", parsed.error().message);
  spec.checkpoint_uri = uri;
  return {};
}

}  // namespace

bool TrainingSpec::has_target(const TrainingChannel& channel) const {
  if (channel.label_size) return *channel.label_size == 1;
  return kind->needs.target == TargetUse::Required ||
         (kind->needs.target == TargetUse::Optional && channel.name == "test");
}

std::string TrainingSpec::model_uri() const {
  return join_uri(output_uri, job_name + "/output/model.tar.gz");
}

std::string TrainingSpec::checkpoint_name() const {
  return join_uri(checkpoint_uri, job_name + "/" + std::string(kind->name) + "-checkpoint");
}

Result<TrainingSpec> parse_training_spec(const Json& request) {
  const Arguments arguments(request);
  TrainingSpec spec;
  MR_TRY(name, arguments.text("TrainingJobName"));
  MR_TRY(kind, parse_algorithm(arguments));
  MR_TRY(parameters, arguments.text_map("HyperParameters"));
  spec.job_name = name, spec.kind = kind, spec.parameters = std::move(parameters);
  spec.target = take(spec.parameters, "target");
  spec.weight = take(spec.parameters, "weight");
  if (kind->needs.groups) spec.group = take(spec.parameters, "group");
  MR_TRY(seed, parse_seed(spec));
  spec.seed = seed;
  if (!spec.weight.empty() && !kind->needs.weights)
    return invalid("HyperParameters.weight: " + std::string(kind->name) + " takes no weights");
  if (const Status checked = check_hyperparameters(*spec.kind, spec.parameters); !checked) {
    return invalid("HyperParameters: " + checked.error().message, checked.error().hint);
  }
  MR_DO(parse_channels(arguments, spec));
  MR_TRY(output, arguments.object("OutputDataConfig"));
  MR_TRY(path, output.text("S3OutputPath"));
  if (const auto parsed = parse_s3_uri(path); !parsed)
    return output.wrong("S3OutputPath", parsed.error().message);
  spec.output_uri = path;
  MR_DO(parse_checkpoints(arguments, spec));
  MR_DO(parse_resources(arguments, spec));
  return spec;
}

}  // namespace millrace::tasks
