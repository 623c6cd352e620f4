#include "tasks/jobs/rank_job.h"

#include <signal.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <deque>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "base/log.h"
#include "tasks/artifacts/files.h"
#include "tasks/artifacts/object_store.h"
#include "tasks/ranks/rank_line.h"
#include "tasks/script/environment.h"
#include "tasks/script/process.h"

namespace millrace::tasks {

namespace {

namespace fs = std::filesystem;
using Says = RankMessage::Kind;

constexpr int kRankInterruptionsMax = 10;  // of a job, after which it fails
constexpr Millis kRankGrace{300};          // between SIGTERM and SIGKILL: a rank has nothing to tidy up
constexpr std::size_t kLinesKept = 10;     // of what a rank said otherwise, for the error

std::vector<std::string> launcher_words(const std::string& text) {
  std::vector<std::string> words;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    if (end > at) words.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

// What the ranks of one attempt said, and how they ended. Any thread.
class RankWatch {
 public:
  RankWatch(const TrainingSpec& spec, JobContext& context, const TrainHooks& hooks, fs::path directory)
      : spec_(spec), context_(context), hooks_(hooks), directory_(std::move(directory)) {}

  void line(std::string_view text) {
    const std::lock_guard lock(mutex_);
    const auto message = parse_rank_line(text);
    if (message) return take(*message);
    context_.log(text);
    said_.emplace_back(text.substr(0, 400));
    if (said_.size() > kLinesKept) said_.pop_front();
  }

  void ended(const Result<ProcessEnd>& end) {
    const std::lock_guard lock(mutex_);
    if (!end) {
      fail_with(end.error());
      return;
    }
    context_.used(end->cpu_seconds, end->memory_peak_bytes);
    if (end->signal == 0 && end->exit_code == 0) return;
    over_ = true;
    // mpirun and shells say 128 + signal of what they started.
    const int signal = end->signal > 0 ? end->signal : end->exit_code > 128 ? end->exit_code - 128 : 0;
    if (signal > 0 && !end->stopped)
      killed_ = true, why_ = "a rank was ended by signal " + std::to_string(signal);
    failed_ = true;
  }

  bool over() const { return over_; }  // one of them is: the others may go

  // What came of the attempt; Unavailable: it was interrupted.
  Result<TrainResult> result() {
    const std::lock_guard lock(mutex_);
    if (context_.cancelled()) return fail(ErrorCode::Cancelled, "training was stopped");
    if (error_ && error_->code != ErrorCode::Unavailable) return fail(*error_);
    if (!failed_ && !error_ && done_) return std::move(result_);
    if (killed_ || error_) return fail(ErrorCode::Unavailable, killed_ ? why_ : error_->message);
    std::string lines;
    for (const std::string& text : said_) lines += "\n" + text;
    return fail(ErrorCode::Internal, "the ranks ended without a model" + lines,
                "the job's log has all they said; see tasks.ranks_launcher");
  }

 private:
  void take(const RankMessage& message) {
    switch (message.kind) {
      case Says::Log:
        return context_.log(message.rank == 0
                                ? message.text
                                : "algo-" + std::to_string(message.rank + 1) + ": " + message.text);
      case Says::Progress:
        return context_.progress(rank_progress_of(message.text));
      case Says::Metric:
        return metric(message.text);
      case Says::Begin:
      case Says::Part:
      case Says::End:
        return part(message);
      case Says::Result:
        return finish(message.text);
      case Says::Error:
        return fail_with(rank_error_of(message.text));
    }
  }

  // The first error that says more than that another rank is gone.
  void fail_with(Error error) {
    over_ = true;
    if (!error_ || error_->code == ErrorCode::Unavailable) error_ = std::move(error);
  }

  void metric(std::string_view text) {
    MetricPoint point;
    auto at = std::from_chars(text.data(), text.data() + text.size(), point.round);
    if (at.ec != std::errc() || at.ptr == text.data() + text.size()) return;
    at = std::from_chars(at.ptr + 1, text.data() + text.size(), point.value);
    if (at.ec != std::errc() || at.ptr == text.data() + text.size()) return;
    point.name = std::string(at.ptr + 1, text.data() + text.size());
    result_.history.push_back(point);
    if (hooks_.metric) hooks_.metric(point);
    if (!hooks_.stop_early || !hooks_.stop_early(point)) return;
    const auto written = replace_file(directory_ / kStopFile, "");
    if (!written) fail_with(written.error());
  }

  void part(const RankMessage& message) {
    auto object = parts_.take(message);
    if (!object) return fail_with(object.error());
    if (!*object) return;
    if ((*object)->name == kModelOfRank) {
      const auto model = spec_.kind->load((*object)->bytes);
      if (model && hooks_.model) hooks_.model(**model, nullptr, nullptr);
      return;
    }
    const auto written = context_.objects().write((*object)->name, (*object)->bytes);
    if (!written) fail_with(written.error());
  }

  void finish(const std::string& text) {
    const Json json = Json::parse(text, nullptr, false);
    if (!json.is_object()) return;
    result_.model_uri = json.value("model_uri", "");
    result_.rounds = json.value("rounds", std::int64_t{0});
    result_.stopped_early = json.value("stopped_early", false);
    const Json metrics = json.value("metrics", Json::object());  // items() borrows it
    for (const auto& [name, value] : metrics.items()) {
      if (value.is_number()) result_.metrics[name] = value.get<double>();
    }
    done_ = true;
  }

  const TrainingSpec& spec_;
  JobContext& context_;
  const TrainHooks& hooks_;
  const fs::path directory_;
  std::mutex mutex_;  // over what follows
  TrainResult result_;
  std::optional<Error> error_;
  std::deque<std::string> said_;
  std::string why_;
  ObjectParts parts_;
  bool done_ = false, failed_ = false, killed_ = false;
  std::atomic<bool> over_{false};
};

// The commands of the ranks: one for each, or the launcher's.
std::vector<std::vector<std::string>> commands_of(const RankSettings& settings, const fs::path& directory,
                                                  int ranks) {
  std::vector<std::vector<std::string>> commands;
  if (!settings.launcher.empty()) {
    std::vector<std::string> command = launcher_words(settings.launcher);
    for (const std::string& word : {std::string("-n"), std::to_string(ranks), settings.program,
                                    std::string("rank-worker"), directory.string(), std::string("--mpi")})
      command.push_back(word);
    return {command};
  }
  for (int rank = 0; rank < ranks; ++rank)
    commands.push_back({settings.program, "rank-worker", directory.string(), "--rank", std::to_string(rank),
                        "--ranks", std::to_string(ranks)});
  return commands;
}

void run_ranks(const RankSettings& settings, const fs::path& directory, int ranks, JobContext& context,
               RankWatch& watch) {
  std::vector<std::string> environment;
  for (const auto& [name, value] : inherited_variables()) environment.push_back(name + "=" + value);
  std::vector<std::jthread> threads;
  for (std::vector<std::string>& command : commands_of(settings, directory, ranks)) {
    threads.emplace_back([&, command = std::move(command)] {
      ProcessSpec process;
      process.arguments = command, process.environment = environment, process.directory = directory.string();
      ProcessWatch look;
      look.line = [&](std::string_view line) { watch.line(line); };
      look.cancelled = [&] { return context.cancelled() || watch.over(); };
      look.grace = [] { return kRankGrace; };
      watch.ended(run_process(process, look));
    });
  }
}

Result<TrainResult> rank_attempt(const Json& request, const TrainingSpec& spec, int ranks,
                                 JobContext& context, const TrainHooks& hooks) {
  const fs::path directory = fs::absolute(context.scratch() / "ranks");
  std::error_code code;
  fs::remove_all(directory, code);
  fs::create_directories(directory, code);
  if (code) return fail(ErrorCode::OutOfSpace, "can't make " + directory.string() + ": " + code.message());
  MR_TRY(train, parse_s3_uri(spec.train.uri));
  MR_TRY(bucket, context.objects().path_of(S3Uri{train.bucket, ""}.text()));
  RankJobFile job;
  job.request = request, job.objects = bucket.parent_path(), job.seed = context.seed();
  if (const Json* record = context.provenance()) job.record = *record;
  job.threads = std::max(1, context.threads() / ranks);
  job.model_wanted = static_cast<bool>(hooks.model);
  MR_DO(job.write(directory));
  RankWatch watch(spec, context, hooks, directory);
  run_ranks(context.call().ranks, directory, ranks, context, watch);
  fs::remove_all(directory, code);
  return watch.result();
}

}  // namespace

Status RankJobFile::write(const fs::path& directory) const {
  const Json json = {{"request", request}, {"record", record},   {"objects", fs::absolute(objects).string()},
                     {"seed", seed},       {"threads", threads}, {"model_wanted", model_wanted}};
  return replace_file(directory / kRankJobFile, to_payload(json).text());
}

Result<RankJobFile> RankJobFile::read(const fs::path& directory) {
  MR_TRY(text, read_file(directory / kRankJobFile));
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object() || !json.contains("request"))
    return fail(ErrorCode::DataLoss, (directory / kRankJobFile).string() + " is no job of ranks");
  RankJobFile job;
  job.request = json["request"], job.record = json.value("record", Json());
  job.objects = json.value("objects", "");
  job.seed = json.value("seed", std::uint64_t{0}), job.threads = json.value("threads", 1);
  job.model_wanted = json.value("model_wanted", false);
  return job;
}

Result<int> rank_count(const TrainingSpec& spec, const TrainHooks& hooks, JobContext& context) {
  if (spec.instances == 1) return 1;
  const RankSettings& settings = context.call().ranks;
  const auto alone = [&](const std::string& why) {
    context.log("ResourceConfig.InstanceCount is " + std::to_string(spec.instances) + ", but " + why +
                ": it trains in one rank");
    return 1;
  };
  const std::string name(spec.kind->name);
  if (spec.kind->rank_use(spec.parameters) == RankUse::None)
    return alone(name + " does not train in several with these settings");
  if (spec.train.pipe) return alone("a stream (input mode Pipe) is read once");
  for (const auto* channel : {&spec.validation, &spec.test}) {
    if (*channel && context.objects().elsewhere((*channel)->uri))
      return alone("the channel " + (*channel)->name + " is in another store");
  }
  if (context.objects().elsewhere(spec.train.uri)) return alone("the channel train is in another store");
  if (hooks.tensors.wants) return alone("Debugger's tensors are taken of one");
  if (settings.program.empty()) return alone("this program can't start ranks");
  if (spec.instances > settings.most)
    return fail(ErrorCode::LimitExceeded,
                "ResourceConfig.InstanceCount is " + std::to_string(spec.instances) +
                    ", but a job has at most " + std::to_string(settings.most) + " ranks here",
                "set InstanceCount to a smaller number, or the option tasks.ranks_max to a larger one");
  return spec.instances;
}

Result<TrainResult> train_in_ranks(const Json& request, const TrainingSpec& spec, int ranks,
                                   JobContext& context, const TrainHooks& hooks) {
  const bool spot = request.value("EnableManagedSpotTraining", false);
  const std::string& launcher = context.call().ranks.launcher;
  context.log("trains in " + std::to_string(ranks) + " ranks" +
              (launcher.empty() ? "" : ", started by " + launcher));
  for (int interruptions = 0;; ++interruptions) {
    auto ended = rank_attempt(request, spec, ranks, context, hooks);
    if (ended || ended.error().code != ErrorCode::Unavailable || context.cancelled()) return ended;
    if (interruptions == kRankInterruptionsMax)
      return fail(ErrorCode::LimitExceeded, "interrupted " + std::to_string(interruptions + 1) +
                                                " times, the last time because " + ended.error().message);
    context.log("interrupted: " + ended.error().message + "; goes on " +
                (spec.checkpoint_uri.empty() ? "from the start" : "from its last checkpoint"));
    if (!spot) continue;
    Progress progress;
    progress.phase = "Interrupted";
    context.progress(progress);
  }
}

}  // namespace millrace::tasks
