// `millrace automl`: an AutoML job over a file, from the command line: progress on stderr, the leaderboard
// and where everything is on stdout.

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "service/cli/command.h"
#include "service/home.h"
#include "tasks/artifacts/object_store.h"

namespace millrace::cli {
namespace {

constexpr Millis kLook{250};
constexpr std::size_t kNameCharacters = 24;  // of a file's name in its job's

struct AutoMLOptions {
  std::string file, target, validation, problem, objective, mode = "AUTO", name;
  std::string text;                   // the column of texts; empty: a table, or series
  std::string time, item, frequency;  // columns of series and their step; empty: a table, or texts
  std::int64_t candidates = 0, seconds = 0, seed = 0, horizon = 0;
};

// A name for the job: the file's, as names may be, and the time.
std::string default_name(const std::string& file, Instant now) {
  std::string name;
  for (const char c : std::filesystem::path(file).stem().string()) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (plain)
      name += c;
    else if (!name.empty() && name.back() != '-')
      name += '-';
    if (name.size() == kNameCharacters - 3) break;
  }
  while (!name.empty() && name.back() == '-') name.pop_back();
  const auto seconds = static_cast<unsigned long long>(to_millis(now) / 1000);
  char text[32];
  std::snprintf(text, sizeof text, "%08llx", seconds & 0xffffffffull);
  return (name.empty() ? "table" : name) + "-" + text;
}

// The member of AutoMLProblemTypeConfig, and what it says.
std::pair<std::string, Json> problem_of(const AutoMLOptions& options) {
  if (!options.text.empty())
    return {"TextClassificationJobConfig",
            {{"ContentColumn", options.text}, {"TargetLabelColumn", options.target}}};
  if (!options.time.empty())
    return {"TimeSeriesForecastingJobConfig",
            {{"ForecastFrequency", options.frequency},
             {"ForecastHorizon", options.horizon},
             {"TimeSeriesConfig",
              {{"TargetAttributeName", options.target},
               {"TimestampAttributeName", options.time},
               {"ItemIdentifierAttributeName", options.item}}}}};
  Json tabular = {{"TargetAttributeName", options.target}, {"Mode", options.mode}};
  if (!options.problem.empty()) tabular["ProblemType"] = options.problem;
  return {"TabularJobConfig", std::move(tabular)};
}

Json request_of(const AutoMLOptions& options) {
  const std::string place = "s3://automl/" + options.name;
  Json channels = Json::array();
  const auto channel = [&](const char* type, const std::string& uri) {
    channels.push_back({{"ChannelType", type},
                        {"ContentType", "text/csv;header=present"},
                        {"DataSource", {{"S3DataSource", {{"S3DataType", "S3Prefix"}, {"S3Uri", uri}}}}}});
  };
  channel("training", place + "/data/train.csv");
  if (!options.validation.empty()) channel("validation", place + "/data/validation.csv");
  auto [kind, config] = problem_of(options);
  if (options.candidates > 0) config["CompletionCriteria"]["MaxCandidates"] = options.candidates;
  if (options.seconds > 0) config["CompletionCriteria"]["MaxAutoMLJobRuntimeInSeconds"] = options.seconds;
  Json request = {{"AutoMLJobName", options.name},
                  {"AutoMLJobInputDataConfig", channels},
                  {"AutoMLProblemTypeConfig", {{kind, config}}},
                  {"OutputDataConfig", {{"S3OutputPath", "s3://automl"}}},
                  {"RandomSeed", options.seed}};
  if (!options.objective.empty()) request["AutoMLJobObjective"]["MetricName"] = options.objective;
  return request;
}

// Follows the job by asking the library what it has, on the loop.
class AutoMLSession {
 public:
  AutoMLSession(service::Home& home, std::string name)
      : home_(home), name_({{"AutoMLJobName", std::move(name)}}) {
    for (const int signal : {SIGINT, SIGTERM}) home_.loop().on_signal(signal, [this] { stop(); });
  }

  void begin(const Json& request) {
    call("createAutoMLJobV2", request, [this](const Json&) { look(); });
  }
  const std::optional<Error>& error() const { return error_; }
  const Json& job() const { return job_; }
  const Json& candidates() const { return candidates_; }

 private:
  void call(const char* operation, const Json& request, std::function<void(const Json&)> then) {
    home_.tasks()->call("sagemaker", operation, to_payload(request), "the command line",
                        [this, then = std::move(then)](Outcome answer) {
                          if (!answer) {
                            error_ = Error{ErrorCode::InvalidArgument, answer.error().cause, ""};
                            return home_.loop().stop();
                          }
                          then(Json::parse(answer->text()));
                        });
  }

  void look() {
    call("listCandidatesForAutoMLJob", list_request(), [this](const Json& list) {
      candidates_ = list["Candidates"];
      for (const Json& candidate : candidates_) say(candidate);
      call("describeAutoMLJobV2", name_, [this](const Json& job) { looked(job); });
    });
  }

  void looked(const Json& job) {
    job_ = job;
    const std::string phase = job.value("AutoMLJobSecondaryStatus", "");
    if (phase != phase_) std::fprintf(stderr, "%s\n", phase.c_str());
    phase_ = phase;
    const std::string status = job.value("AutoMLJobStatus", "");
    const bool ended = status != "InProgress" && status != "Stopping";
    if (ended && last_look_) return home_.loop().stop();
    last_look_ = ended;  // once more, for what came in between
    home_.loop().at(home_.loop().clock().now() + (ended ? Millis(0) : kLook), [this] { look(); });
  }

  Json list_request() const {
    Json request = name_;
    request["SortBy"] = "FinalObjectiveMetricValue";
    request["MaxResults"] = 1000;
    return request;
  }

  void say(const Json& candidate) {
    const std::string status = candidate["CandidateStatus"];
    if (status == "InProgress" || !said_.insert(candidate["CandidateName"]).second) return;
    const Json metric = candidate.value("FinalAutoMLJobObjectiveMetric", Json());
    std::fprintf(stderr, "  %-10s %-14s %s\n", status.c_str(),
                 metric.is_null() ? candidate.value("FailureReason", "").c_str()
                                  : (metric["StandardMetricName"].get<std::string>() + " " +
                                     short_value(metric["Value"].get<double>()))
                                        .c_str(),
                 candidate.value("Description", "").c_str());
  }

  void stop() {
    if (stopping_) std::_Exit(130);
    stopping_ = true;
    std::fputs("\nmillrace: stopping (once more to quit at once)\n", stderr);
    call("stopAutoMLJob", name_, [](const Json&) {});
  }

 public:
  static std::string short_value(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.5g", value);
    return text;
  }

 private:
  service::Home& home_;
  const Json name_;
  Json job_, candidates_ = Json::array();
  std::string phase_;
  std::set<std::string> said_;
  bool last_look_ = false, stopping_ = false;
  std::optional<Error> error_;
};

double objective_value(const Json& candidate) {
  return candidate["FinalAutoMLJobObjectiveMetric"]["Value"].get<double>();
}

double objective_deviation(const Json& candidate) {
  const Json& objective = candidate["FinalAutoMLJobObjectiveMetric"];
  for (const Json& metric : candidate["CandidateProperties"]["CandidateMetrics"])
    if (metric["MetricName"] == objective["MetricName"]) return metric.value("StandardDeviation", 0.0);
  return 0;
}

void print_board(const Json& job, const Json& candidates, const tasks::ObjectStore& objects) {
  const std::string winner = job["BestCandidate"]["CandidateName"];
  const Json objective = job["BestCandidate"]["FinalAutoMLJobObjectiveMetric"];
  std::vector<Json> rows;
  for (const Json& candidate : candidates)
    if (candidate.contains("FinalAutoMLJobObjectiveMetric")) rows.push_back(candidate);
  const bool maximize = objective["Type"] == "Maximize";
  std::stable_sort(rows.begin(), rows.end(), [&](const Json& a, const Json& b) {
    return maximize ? objective_value(a) > objective_value(b) : objective_value(a) < objective_value(b);
  });
  std::printf("  %-10s ± 95 %%      candidate\n", objective["StandardMetricName"].get<std::string>().c_str());
  for (const Json& row : rows) {
    std::printf("%s %-10s %-11s %s: %s\n", row["CandidateName"] == winner ? "*" : " ",
                AutoMLSession::short_value(objective_value(row)).c_str(),
                AutoMLSession::short_value(1.96 * objective_deviation(row)).c_str(),
                row["CandidateName"].get<std::string>().c_str(),
                row.value("Description", "").substr(0, 160).c_str());
  }
  std::printf("model      %s\n",
              job["BestCandidate"]["InferenceContainers"][0]["ModelDataUrl"].get<std::string>().c_str());
  const Json& places = job["AutoMLJobArtifacts"];
  for (const auto& [title, key] : {std::pair("workflow", "CandidateDefinitionNotebookLocation"),
                                   {"data", "DataExplorationNotebookLocation"},
                                   {"board", "LeaderboardLocation"}}) {
    const auto path = objects.path_of(places.value(key, ""));
    if (path) std::printf("%-10s %s\n", title, path->c_str());
  }
}

Result<int> automl(AutoMLOptions options, const Shared& shared) {
  service::HomeOptions home_options;
  home_options.path = service::home_path(shared.home);
  MR_TRY(bytes, read_input(options.file));
  MR_TRY(home, service::Home::open(std::move(home_options)));
  if (options.name.empty()) options.name = default_name(options.file, home->loop().clock().now());
  const tasks::ObjectStore& objects = home->tasks()->objects();
  const std::string place = "s3://automl/" + options.name + "/data/";
  MR_DO(objects.write(place + "train.csv", bytes));
  if (!options.validation.empty()) {
    MR_TRY(more, read_input(options.validation));
    MR_DO(objects.write(place + "validation.csv", more));
  }
  AutoMLSession session(*home, options.name);
  home->loop().post([&] { session.begin(request_of(options)); });
  home->loop().run();
  std::signal(SIGINT, SIG_DFL);
  if (session.error()) return fail(*session.error());
  const Json& job = session.job();
  const bool completed = job["AutoMLJobStatus"] == "Completed";
  if (shared.json)
    print_json(Json{{"job", job}, {"candidates", session.candidates()}});
  else if (completed)
    print_board(job, session.candidates(), objects);
  else
    std::fprintf(stderr, "%s %s: %s\n", options.name.c_str(),
                 job["AutoMLJobStatus"].get<std::string>().c_str(), job.value("FailureReason", "").c_str());
  return completed ? kSucceeded : kWorkflowFailed;
}

}  // namespace

void add_automl(CLI::App& app, const Shared& shared, int& exit_code) {
  CLI::App* command = app.add_subcommand(
      "automl", "Find a model for a table, for texts or for series: candidates, leaderboard, workflow");
  command->fallthrough();
  auto options = std::make_shared<AutoMLOptions>();
  command->add_option("FILE", options->file, "CSV with a header")->required();
  command->add_option("--target", options->target, "the column to predict")->required();
  command->add_option("--validation", options->validation, "CSV of rows to judge candidates by");
  command->add_option("--problem", options->problem,
                      "BinaryClassification, MulticlassClassification or Regression; default: by the target");
  command->add_option("--objective", options->objective,
                      "F1, Accuracy, AUC, LogLoss, MSE, RMSE, …; default: by the problem");
  command->add_option("--mode", options->mode, "AUTO, ENSEMBLING or HYPERPARAMETER_TUNING")
      ->capture_default_str();
  command->add_option("--text", options->text,
                      "texts with labels: the column of texts; --target is the label's");
  auto* time =
      command->add_option("--time", options->time, "series: the column of times; --target is the value's");
  auto* item =
      command->add_option("--item", options->item, "series: the column that names them")->needs(time);
  auto* frequency =
      command
          ->add_option("--frequency", options->frequency, "series: their step, 15min, 1H, 1D, 1W, 1M or 1Y")
          ->needs(time);
  auto* horizon =
      command->add_option("--horizon", options->horizon, "series: how many steps to forecast")->needs(time);
  time->needs(item)->needs(frequency)->needs(horizon)->excludes("--text");
  command->add_option("--candidates", options->candidates, "how many at most");
  command->add_option("--seconds", options->seconds, "how long at most");
  command->add_option("--seed", options->seed, "of a repeatable run")->capture_default_str();
  command->add_option("--name", options->name, "of the AutoML job; default: from the file and the time");
  command->footer(
      "Examples:\n"
      "  millrace automl customers.csv --target bought --objective AUC --candidates 6\n"
      "  millrace automl messages.csv --text message --target kind\n"
      "  millrace automl sales.csv --target sold --time day --item shop --frequency 1D --horizon 14");
  command->callback([options, &shared, &exit_code] {
    const auto code = automl(*options, shared);
    exit_code = code ? *code : report(code.error(), shared);
  });
}

}  // namespace millrace::cli
