#include "tasks/training/train.h"

#include <algorithm>
#include <charconv>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/encoding.h"
#include "tasks/artifacts/files.h"
#include "tasks/training/channel_data.h"
#include "tasks/training/dataset_checks.h"
#include "tasks/training/job_checkpoint.h"
#include "tasks/training/model_artifact.h"
#include "tasks/training/own_form.h"
#include "tasks/training/row_share.h"
#include "tasks/training/row_stream.h"

namespace millrace::tasks {

namespace {

void report(TaskContext& context, std::string phase, double fraction) {
  Progress progress;
  progress.phase = std::move(phase), progress.fraction = fraction;
  context.progress(progress);
}

// The pipeline that `prepare` left beside the training data, in the directory of its first object; null:
// none.
Result<Json> find_pipeline(const ObjectStore& objects, const std::string& train_uri) {
  MR_TRY(uri, parse_s3_uri(train_uri));
  MR_TRY(infos, objects.list(train_uri));
  const std::string& key = infos.front().key;
  const std::string name = S3Uri{uri.bucket, key.substr(0, key.rfind('/') + 1) + "_pipeline.json"}.text();
  const auto bytes = objects.read(name);
  if (!bytes && bytes.error().code == ErrorCode::NotFound) return Json();
  if (!bytes) return tl::make_unexpected(bytes.error());
  Json pipeline = Json::parse(*bytes, nullptr, false);
  if (pipeline.is_discarded()) return fail(ErrorCode::DataLoss, name + " is not JSON");
  return pipeline;
}

// The data of a job; validation and test where there are such channels.
struct Channels {
  ChannelData train;                      // of a stream: names alone
  std::unique_ptr<ChannelStream> stream;  // null: train is in memory
  std::optional<ChannelData> validation, test;
  std::optional<RankRows> rows;  // of this rank; else train has all
  std::size_t train_rows() const { return rows ? rows->all : train.data.X.rows; }
};

// What tells these data from others.
Result<std::string> marks_of(const TrainingSpec& spec, const Channels& data, const ObjectStore& objects) {
  std::string marks = data.train.sha256;
  if (data.stream) {  // which is read later
    MR_TRY(infos, objects.list(spec.train.uri));
    for (const ObjectInfo& info : infos) marks += info.key + "\n" + std::to_string(info.bytes) + "\n";
  }
  marks += "/";
  if (data.validation) marks += data.validation->sha256;
  return marks;
}

Json make_card(const TrainingSpec& spec, const Channels& data, const Fitted& fitted,
               const std::string& model_bytes, bool with_pipeline) {
  const ChannelData& train = data.train;
  Json card;
  card["algorithm"] = spec.kind->name;
  card["task"] = task_of(spec);
  card["hyperparameters"] = spec.parameters;
  card["seed"] = spec.seed;
  if (!train.data.target_name.empty()) card["target"] = train.data.target_name;
  if (!train.classes.empty()) card["classes"] = train.classes;
  card["features"] = train.data.feature_names;
  card["pipeline"] = with_pipeline;
  card["rounds"] = fitted.rounds;
  card["metrics"] = fitted.metrics;
  const auto channel = [](const std::string& uri, const ChannelData& read) {
    return Json{{"uri", uri}, {"rows", read.data.X.rows}, {"sha256", read.sha256}};
  };
  card["data"]["train"] = channel(spec.train.uri, train);
  card["data"]["train"]["rows"] = data.train_rows();
  if (data.stream)
    card["data"]["train"].update({{"rows", data.stream->rows()}, {"sha256", data.stream->sha256()}});
  if (data.validation) card["data"]["validation"] = channel(spec.validation->uri, *data.validation);
  if (data.test) card["data"]["test"] = channel(spec.test->uri, *data.test);
  card["model_sha256"] = digest_hex(Digest::Sha256, model_bytes);
  card["engine"] = kEngineVersion;
  return card;
}

std::string short_number(double value) {
  char buffer[32];
  return {buffer, std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::general, 6).ptr};
}

// Follows a fit: the log line of a round, progress with the time to go, the history.
class Follower {
 public:
  Follower(TaskContext& context, const TrainHooks& hooks, TrainResult& result)
      : context_(context), hooks_(hooks), result_(result), begun_(context.clock().uptime()) {}

  void on_metric(const MetricPoint& point) {
    result_.history.push_back(point);
    const std::size_t colon = point.name.find(':');
    line_ += "\t" + point.name.substr(0, colon) + "-" + point.name.substr(colon + 1) + ":" +
             short_number(point.value);
    if (hooks_.metric) hooks_.metric(point);
  }
  bool on_stop_early(const MetricPoint& point) {
    const bool stop = hooks_.stop_early && hooks_.stop_early(point);
    if (stop) result_.stopped_early = true;
    return stop;
  }
  // The line of what was reported since the last one.
  void log_round(std::int64_t round) {
    context_.log("[" + std::to_string(round) + "]" + line_);
    line_.clear();
  }
  void on_progress(const Progress& reported) {
    log_round(reported.round - 1);
    Progress progress = reported;
    if (reported.round > 0 && reported.rounds > 0) {
      const double done = static_cast<double>(reported.round) / static_cast<double>(reported.rounds);
      const double elapsed_s = static_cast<double>((context_.clock().uptime() - begun_).count()) / 1000;
      progress.fraction = 0.1 + 0.85 * done;
      progress.eta_s = elapsed_s * (1 - done) / done;
    }
    context_.progress(progress);
  }

 private:
  TaskContext& context_;
  const TrainHooks& hooks_;
  TrainResult& result_;
  const Millis begun_;
  std::string line_;
};

// Opens the channel that is trained on while it arrives; says when the first rows are there and how far it
// is.
Result<std::unique_ptr<ChannelStream>> open_stream(const TrainingSpec& spec, TaskContext& context,
                                                   const TrainHooks& hooks) {
  RowStreamOptions options;
  options.cancelled = [&context] { return context.cancelled(); };
  options.pace = hooks.pace;
  options.progress = [&context, begun = context.clock().uptime(), first = true](std::int64_t rows,
                                                                                double fraction) mutable {
    const double seconds = static_cast<double>((context.clock().uptime() - begun).count()) / 1000;
    if (std::exchange(first, false))
      context.log("train: " + std::to_string(rows) + " rows after " + short_number(seconds) +
                  " s, the first steps begin");
    Progress progress;
    progress.phase = "Training", progress.fraction = 0.1 + 0.85 * fraction, progress.rows = rows;
    if (seconds > 0) progress.rows_per_s = static_cast<double>(rows) / seconds;
    context.progress(progress);
  };
  return open_row_stream(context.objects(), spec, spec.train, std::move(options));
}

RankRows every_row(Collective& ranks, std::size_t rows) {
  RankRows all{ranks, rows};
  all.own = {{0, rows, 0}};
  return all;
}

Result<Channels> read_channels(const TrainingSpec& spec, TaskContext& context, const TrainHooks& hooks) {
  const auto cancelled = [&context] { return context.cancelled(); };
  Channels data;
  if (spec.train.pipe) {
    MR_TRY(stream, open_stream(spec, context, hooks));
    data.train.data = stream->head();
    data.stream = std::move(stream);
  } else if (hooks.ranks && spec.kind->rank_use(spec.parameters) == RankUse::Rows) {
    MR_TRY(share, read_share(context.objects(), spec, spec.train, *hooks.ranks, cancelled));
    data.train = std::move(share.channel);
    data.rows.emplace(std::move(share.rows));
  } else {
    MR_TRY(train, read_channel(context.objects(), spec, spec.train, nullptr, cancelled));
    data.train = std::move(train);
    if (hooks.ranks) data.rows.emplace(every_row(*hooks.ranks, data.train.data.X.rows));
  }
  const bool root = !hooks.ranks || hooks.ranks->rank() == 0;
  std::string rows;
  for (const auto& [channel, out] :
       {std::pair(&spec.validation, &data.validation), {&spec.test, &data.test}}) {
    if (!*channel || !root) continue;
    MR_TRY(other, read_channel(context.objects(), spec, **channel, &data.train, cancelled));
    rows += "; " + (*channel)->name + ": " + std::to_string(other.data.X.rows) + " rows";
    *out = std::move(other);
  }
  const Dataset& first = data.train.data;
  const std::string of_all = data.rows ? " of " + std::to_string(data.rows->all) : "";
  context.log("train: " + (data.stream ? "a stream of" : std::to_string(first.X.rows) + of_all) + " rows, " +
              std::to_string(first.feature_names.size()) + " features, " +
              (first.target_name.empty() ? "no target" : "target '" + first.target_name + "'") + rows);
  if (cancelled()) return fail(ErrorCode::Cancelled, "training was stopped");
  return data;
}

// The target that `prepare` put in front of its rows is no feature of an algorithm that needs none.
TrainingSpec with_prepared_target(TrainingSpec spec, const Json& pipeline) {
  if (spec.kind->needs.target == TargetUse::Required || !spec.target.empty() || !pipeline.is_object())
    return spec;
  const Json target = pipeline.value("target", Json::object());
  if (target.is_object() && target.contains("name") && target["name"].is_string())
    spec.target = target["name"];
  return spec;
}

// The metrics of the channel `test`, after the last round.
Status test_model(const TrainingSpec& spec, const Dataset& test, Fitted& fitted, Follower& follower) {
  MR_DO(check_dataset("test", test, spec.kind->needs));
  MR_TRY(metrics, spec.kind->test(spec.parameters, *fitted.model, test));
  const std::int64_t round = std::max<std::int64_t>(fitted.rounds, 1) - 1;
  for (const auto& [name, value] : metrics) {
    follower.on_metric({"test:" + name, value, round});
    fitted.metrics["test:" + name] = value;
  }
  follower.log_round(round);
  return {};
}

FitContext fit_context(const TrainingSpec& spec, TaskContext& context, Follower& follower) {
  FitContext fit;
  fit.seed = spec.seed, fit.threads = context.threads();
  fit.cancelled = [&context] { return context.cancelled(); };
  fit.metric = [&](const MetricPoint& point) { follower.on_metric(point); };
  fit.stop_early = [&](const MetricPoint& point) { return follower.on_stop_early(point); };
  fit.progress = [&](const Progress& progress) { follower.on_progress(progress); };
  return fit;
}

Status write_archive(const TrainHooks& hooks, const std::string& uri, const ModelFiles& files) {
  const std::filesystem::path path = hooks.scratch / "model.tar.gz";
  MR_DO(pack_model(path, files));
  MR_TRY(bytes, read_file(path));
  std::error_code ignored;
  std::filesystem::remove(path, ignored);
  return hooks.write(uri, bytes);
}

// Of a rank that is not the first: nothing is reported.
FitContext helper_context(const FitContext& fit) {
  FitContext helper;
  helper.seed = fit.seed, helper.threads = fit.threads, helper.ranks = fit.ranks;
  helper.cancelled = fit.cancelled;
  return helper;
}

Json describe_objects(const TrainingChannel& channel, const ObjectChannel& data) {
  Sha256 hash;
  for (const ObjectChannel::Object& object : data.objects) hash.update(object.bytes);
  return {{"uri", channel.uri}, {"objects", data.objects.size()}, {"sha256", hash.finish_hex()}};
}

// Training of an algorithm that reads its channels itself (own_form.h).
Result<TrainResult> train_on_objects(const TrainingSpec& spec, TaskContext& context,
                                     const TrainHooks& hooks) {
  report(context, "Downloading", 0);
  ObjectChannels data;
  MR_TRY(train, read_channel_objects(spec.train, context));
  data.train = std::move(train), data.target = spec.target;
  const std::optional<TrainingChannel>& other_channel = spec.test ? spec.test : spec.validation;
  if (other_channel) {
    MR_TRY(other, read_channel_objects(*other_channel, context));
    data.other = std::move(other);
  }
  report(context, "Training", 0.1);
  TrainResult result;
  Follower follower(context, hooks, result);
  FitContext fit = fit_context(spec, context, follower);
  const Json train_described = describe_objects(spec.train, data.train);
  const Json other_described = data.other ? describe_objects(*other_channel, *data.other) : Json();
  JobCheckpoint checkpoint(spec, train_described.dump() + other_described.dump(), context);
  MR_DO(checkpoint.attach(fit));
  MR_TRY(fitted, spec.kind->own_form->fit(spec.parameters, data, fit));
  MR_DO(checkpoint.written());

  report(context, "Uploading", 0.95);
  ModelFiles files;
  files.model_bytes = fitted.model->save();
  files.card = {{"algorithm", spec.kind->name},       {"task", task_of(spec)},
                {"hyperparameters", spec.parameters}, {"seed", spec.seed},
                {"features", Json::array()},          {"rounds", fitted.rounds},
                {"metrics", fitted.metrics}};
  files.card["data"]["train"] = train_described;
  if (data.other) files.card["data"][data.other->name] = other_described;
  files.card["model_sha256"] = digest_hex(Digest::Sha256, files.model_bytes);
  files.card["engine"] = kEngineVersion;
  if (const Json* record = context.provenance()) files.card["record"] = *record;
  result.model_uri = spec.model_uri();
  MR_DO(save_model(context.objects(), result.model_uri, files));
  result.metrics = std::move(fitted.metrics);
  result.rounds = fitted.rounds;
  report(context, "Uploading", 1);
  return result;
}

}  // namespace

Result<ObjectChannel> read_channel_objects(const TrainingChannel& channel, TaskContext& context) {
  MR_TRY(infos, context.objects().list(channel.uri));
  MR_TRY(uri, parse_s3_uri(channel.uri));
  ObjectChannel out{channel.name, channel.content_type, {}};
  for (const ObjectInfo& info : infos) {
    if (context.cancelled()) return fail(ErrorCode::Cancelled, "training was stopped");
    const std::string name = S3Uri{uri.bucket, info.key}.text();
    MR_TRY(bytes, context.objects().read(name));
    out.objects.push_back({name, std::move(bytes)});
  }
  return out;
}

std::string_view task_of(const TrainingSpec& spec) {
  if (!spec.kind->task.empty()) return spec.kind->task;
  const auto value = [&](const char* name) {
    const auto found = spec.parameters.find(name);
    return found == spec.parameters.end() ? std::string() : found->second;
  };
  const std::string objective = value("objective"), predictor = value("predictor_type");
  if (objective.starts_with("multi:") || predictor == "multiclass_classifier" || predictor == "classifier")
    return "multiclass";
  if (objective.starts_with("binary:") || predictor == "binary_classifier") return "binary";
  return "regression";
}

Result<TrainResult> run_training(const TrainingSpec& given, TaskContext& context, const TrainHooks& hooks) {
  if (given.kind->own_form != nullptr) return train_on_objects(given, context, hooks);
  report(context, "Downloading", 0);
  MR_TRY(pipeline, find_pipeline(context.objects(), given.train.uri));
  const TrainingSpec spec = with_prepared_target(given, pipeline);
  MR_TRY(estimator, spec.kind->make(spec.parameters));
  MR_TRY(data, read_channels(spec, context, hooks));
  if (hooks.data && !data.stream) hooks.data(data.train.data);

  report(context, "Training", 0.1);
  TrainResult result;
  Follower follower(context, hooks, result);
  FitContext fit = fit_context(spec, context, follower);
  if (data.rows) fit.ranks = &*data.rows;
  if (hooks.ranks && hooks.ranks->rank() > 0) {
    MR_DO(estimator->fit(data.train.data, nullptr, helper_context(fit)));
    return result;
  }
  if (hooks.tensors.wants) fit.tensors = &hooks.tensors;
  MR_TRY(marks, marks_of(spec, data, context.objects()));
  JobCheckpoint checkpoint(spec, marks, context, hooks.write);
  MR_DO(checkpoint.attach(fit));
  const Dataset* validation = data.validation ? &data.validation->data : nullptr;
  MR_TRY(fitted, data.stream ? estimator->fit_stream(*data.stream, validation, fit)
                             : estimator->fit(data.train.data, validation, fit));
  MR_DO(checkpoint.written());
  if (data.test) MR_DO(test_model(spec, data.test->data, fitted, follower));
  if (hooks.model) hooks.model(*fitted.model, data.stream ? nullptr : &data.train.data, validation);

  report(context, "Uploading", 0.95);
  ModelFiles files;
  files.model_bytes = fitted.model->save();
  files.card = make_card(spec, data, fitted, files.model_bytes, !pipeline.is_null());
  if (const Json* record = context.provenance()) files.card["record"] = *record;
  files.pipeline = std::move(pipeline);
  result.model_uri = spec.model_uri();
  MR_DO(hooks.write ? write_archive(hooks, result.model_uri, files)
                    : save_model(context.objects(), result.model_uri, files));
  result.metrics = std::move(fitted.metrics);
  result.rounds = fitted.rounds;
  report(context, "Uploading", 1);
  return result;
}

}  // namespace millrace::tasks
