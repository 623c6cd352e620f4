#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <optional>

#include "tasks/training/dataset_checks.h"
#include "tasks/training/hyperparameters.h"
#include "tasks/training/xgboost.h"
#include "tasks/training/xgboost_handles.h"

namespace millrace::tasks {

namespace {

// Read by us and not handed to the library.
constexpr std::string_view kOurs[] = {
    "num_round", "early_stopping_rounds", "eval_metric", "csv_weights", "nthread", "seed", "sketch_eps",
    "objective", "process_type"};

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    std::string_view part = text.substr(0, comma);
    while (part.starts_with(' ')) part.remove_prefix(1);
    while (part.ends_with(' ')) part.remove_suffix(1);
    if (!part.empty()) parts.emplace_back(part);
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
  }
  return parts;
}

std::string library_objective(std::string_view name) {
  if (name == "multi:softmax") return "multi:softprob";
  if (name == "reg:linear") return "reg:squarederror";
  return std::string(name);
}

// A metric that the job asks for, and the library's metric it is computed from (itself, for most).
struct MetricChoice {
  std::string name, library_name;
  double (*derive)(double) = nullptr;
};

double one_minus(double x) {
  return 1 - x;
}
double squared(double x) {
  return x * x;
}

struct Settings {
  HyperParameters parameters;
  std::int64_t rounds = 0, patience = 0,
               classes = 0;           // patience 0: no early stopping; classes 0: not multi-class
  std::vector<MetricChoice> metrics;  // empty: the objective's default metric
  bool f1 = false;                    // also computed, by us
  bool f1_decides = false;            // it was named last
};

Result<Settings> make_settings(const HyperParameters& parameters) {
  const ParameterReader read(xgboost_rules(), parameters);
  Settings settings;
  settings.parameters = parameters;
  settings.rounds = read.integer("num_round");
  settings.patience = read.integer_or("early_stopping_rounds", 0);
  const std::string objective = library_objective(read.text("objective"));
  const bool multi = objective.starts_with("multi:");
  if (multi && !read.given("num_class"))
    return invalid("hyperparameter 'num_class' is required by objective " + objective);
  if (multi) settings.classes = read.integer("num_class");
  for (const std::string& name : split_list(read.text("eval_metric"))) {
    settings.f1_decides = name == "f1";
    if (name == "f1") {
      if (!multi && !objective.starts_with("binary:"))
        return invalid("eval_metric f1 is for classes, not for " + objective);
      settings.f1 = true;
    } else if (name == "accuracy") {
      settings.metrics.push_back({name, multi ? "merror" : "error", one_minus});
    } else if (name == "mse") {
      settings.metrics.push_back({name, "rmse", squared});
    } else {
      settings.metrics.push_back({name, name, nullptr});
    }
  }
  settings.parameters["objective"] = objective;
  if (!multi) settings.parameters.erase("num_class");
  if (read.text("booster") == "gblinear" && settings.patience > 0) {
    return invalid("early_stopping_rounds needs trees: a gblinear model can't be cut back to its best round");
  }
  return settings;
}

// Threads that spin make training many times slower as soon as anything else runs.
int threads_of(const Settings& settings, const FitContext& context) {
  const ParameterReader read(xgboost_rules(), settings.parameters);
  return static_cast<int>(read.integer_or("nthread", xgb_threads_sleep() ? std::max(1, context.threads) : 1));
}

Status configure(void* booster, const Settings& settings, const FitContext& context) {
  const ParameterReader read(xgboost_rules(), settings.parameters);
  MR_DO(xgb_set(booster, "verbosity", read.text("verbosity")));
  MR_DO(xgb_set(booster, "nthread", std::to_string(threads_of(settings, context))));
  const std::uint64_t seed =
      read.given("seed") ? static_cast<std::uint64_t>(read.integer("seed")) : context.seed % 2147483648u;
  MR_DO(xgb_set(booster, "seed", std::to_string(seed)));
  MR_DO(xgb_set(booster, "objective", settings.parameters.at("objective")));
  for (const auto& [name, value] : settings.parameters) {
    if (std::ranges::find(kOurs, name) == std::end(kOurs)) MR_DO(xgb_set(booster, name, value));
  }
  std::vector<std::string> added;
  for (const MetricChoice& metric : settings.metrics) {
    if (std::ranges::find(added, metric.library_name) != added.end()) continue;
    MR_DO(xgb_set(booster, "eval_metric", metric.library_name));
    added.push_back(metric.library_name);
  }
  return {};
}

Status set_values(void* matrix, const char* field, const std::vector<double>& values) {
  const std::vector<float> floats(values.begin(), values.end());
  return xgb_status(XGDMatrixSetFloatInfo(matrix, field, floats.data(), floats.size()),
                    "take the column of targets or weights");
}

Result<XgbMatrix> make_matrix(const Dataset& data) {
  MR_TRY(matrix, xgb_matrix(data.X));
  MR_DO(set_values(matrix.get(), "label", data.y));
  if (!data.weights.empty()) MR_DO(set_values(matrix.get(), "weight", data.weights));
  std::vector<const char*> names;
  for (const std::string& name : data.feature_names) names.push_back(name.c_str());
  if (!names.empty()) {
    MR_DO(xgb_status(XGDMatrixSetStrFeatureInfo(matrix.get(), "feature_name", names.data(), names.size()),
                     "take the feature names"));
  }
  return matrix;
}

// F1 of class 1, or the mean of the classes' F1, weighted by the rows' weights.
Result<double> f1_score(void* booster, void* matrix, const Dataset& data) {
  const bst_ulong* shape = nullptr;
  bst_ulong dims = 0;
  const float* scores = nullptr;
  MR_DO(xgb_status(
      XGBoosterPredictFromDMatrix(
          booster, matrix,
          R"({"type":0,"training":false,"iteration_begin":0,"iteration_end":0,"strict_shape":true})", &shape,
          &dims, &scores),
      "predict for f1"));
  const std::size_t k = dims > 1 ? shape[1] : 1, classes = std::max<std::size_t>(2, k);
  std::vector<double> hits(classes), actual(classes), predicted(classes);
  for (std::size_t i = 0; i < data.y.size(); ++i) {
    const float* row = scores + i * k;
    const std::size_t guess =
        k == 1 ? std::size_t(row[0] > 0.5f) : std::size_t(std::max_element(row, row + k) - row);
    const auto truth = static_cast<std::size_t>(data.y[i]);
    const double weight = data.weights.empty() ? 1 : data.weights[i];
    actual[truth] += weight, predicted[guess] += weight;
    if (guess == truth) hits[truth] += weight;
  }
  double sum = 0;
  for (std::size_t c = k == 1 ? 1 : 0; c < classes; ++c) {
    if (actual[c] + predicted[c] > 0) sum += 2 * hits[c] / (actual[c] + predicted[c]);
  }
  return k == 1 ? sum : sum / static_cast<double>(classes);
}

struct Channel {
  const char* name;
  const Dataset* data;
  XgbMatrix matrix;
};

struct Scores {
  std::vector<MetricPoint> points;  // in the order of channels and metrics; only finite ones
  std::string decisive;             // the last metric of the last channel
};

// "[3]\ttrain-auc:0.93\tvalidation-auc:0.91" to the library's numbers by "channel-metric".
std::map<std::string, double> parse_evaluation(std::string_view line, std::vector<std::string>& order) {
  std::map<std::string, double> values;
  for (std::size_t tab = line.find('\t'); tab != std::string_view::npos;) {
    const std::size_t next = line.find('\t', tab + 1);
    const std::string item(line.substr(tab + 1, next == std::string_view::npos ? next : next - tab - 1));
    const std::size_t colon = item.rfind(':');
    if (colon != std::string::npos) {
      order.push_back(item.substr(0, colon));
      values[order.back()] = std::strtod(item.c_str() + colon + 1, nullptr);
    }
    tab = next;
  }
  return values;
}

Result<Scores> evaluate(void* booster, const Settings& settings, std::vector<Channel>& channels,
                        std::int64_t round) {
  std::vector<DMatrixHandle> handles;
  std::vector<const char*> names;
  for (Channel& channel : channels) handles.push_back(channel.matrix.get()), names.push_back(channel.name);
  const char* text = nullptr;
  MR_DO(xgb_status(XGBoosterEvalOneIter(booster, static_cast<int>(round), handles.data(), names.data(),
                                        handles.size(), &text),
                   "evaluate round " + std::to_string(round)));
  std::vector<std::string> order;
  const std::map<std::string, double> values = parse_evaluation(text, order);
  Scores scores;
  const auto add = [&](const std::string& name, double value) {
    scores.decisive = name;
    if (std::isfinite(value)) scores.points.push_back({name, value, round});
  };
  for (Channel& channel : channels) {
    const std::string prefix = channel.name;
    for (const MetricChoice& metric : settings.metrics) {
      const auto found = values.find(prefix + "-" + metric.library_name);
      if (found != values.end())
        add(prefix + ":" + metric.name, metric.derive ? metric.derive(found->second) : found->second);
    }
    if (settings.metrics.empty() && !settings.f1) {
      for (const std::string& name : order) {
        if (name.starts_with(prefix + "-"))
          add(prefix + ":" + name.substr(prefix.size() + 1), values.at(name));
      }
    }
    if (settings.f1) {
      const std::string before = scores.decisive;
      MR_TRY(f1, f1_score(booster, channel.matrix.get(), *channel.data));
      add(prefix + ":f1", f1);
      if (!settings.f1_decides) scores.decisive = before;
    }
  }
  return scores;
}

// Keeps rounds [0, rounds) of the booster.
Result<std::string> model_of(void* booster, std::int64_t rounds, std::int64_t done) {
  if (rounds == done) return xgb_model_json(booster);
  BoosterHandle cut = nullptr;
  MR_DO(xgb_status(XGBoosterSlice(booster, 0, static_cast<int>(rounds), 1, &cut),
                   "cut the model to its best round"));
  const XgbBooster owner(cut);
  return xgb_model_json(cut);
}

class Xgboost final : public Estimator {
 public:
  explicit Xgboost(Settings settings) : settings_(std::move(settings)) {}
  Result<Fitted> fit(const Dataset& train, const Dataset* validation,
                     const FitContext& context) const override;

 private:
  Status check(const Dataset& train, const Dataset* validation) const;
  Settings settings_;
};

Status Xgboost::check(const Dataset& train, const Dataset* validation) const {
  MR_DO(check_dataset("train", train, MissingValues::Allowed));
  if (validation) MR_DO(check_validation(train, *validation, MissingValues::Allowed));
  // The library ignores entries beyond the features and takes missing ones as 0.
  const auto constraints = settings_.parameters.find("monotone_constraints");
  if (constraints != settings_.parameters.end()) {
    const auto entries = static_cast<std::size_t>(std::ranges::count(constraints->second, ',')) + 1;
    if (entries != train.X.cols) {
      return invalid("hyperparameter 'monotone_constraints' has " + std::to_string(entries) +
                     " entries, but train has " + std::to_string(train.X.cols) + " features");
    }
  }
  const std::string& objective = settings_.parameters.at("objective");
  const bool binary = objective.starts_with("binary:");
  if (!binary && settings_.classes == 0) return {};
  const std::int64_t classes = binary ? 2 : settings_.classes;
  const std::string remedy =
      binary ? "objective " + objective + " needs targets 0 and 1; for more classes use multi:softprob"
             : "num_class is " + std::to_string(classes) + "; classes are numbered from 0";
  MR_DO(check_classes("train", train, classes, remedy));
  if (validation) MR_DO(check_classes("validation", *validation, classes, remedy));
  return {};
}

Result<Fitted> Xgboost::fit(const Dataset& train, const Dataset* validation,
                            const FitContext& context) const {
  MR_DO(check(train, validation));
  xgb_use_threads(threads_of(settings_, context));
  std::vector<Channel> channels;
  MR_TRY(train_matrix, make_matrix(train));
  channels.push_back({"train", &train, std::move(train_matrix)});
  if (validation) {
    MR_TRY(matrix, make_matrix(*validation));
    channels.push_back({"validation", validation, std::move(matrix)});
  }
  std::vector<void*> matrices;
  for (const Channel& channel : channels) matrices.push_back(channel.matrix.get());
  MR_TRY(booster, xgb_booster(matrices));
  MR_DO(configure(booster.get(), settings_, context));

  std::int64_t best_round = 0, done = 0;
  std::optional<double> best;
  std::vector<MetricPoint> at_best, latest;
  bool stop = false;
  for (std::int64_t round = 0; round < settings_.rounds && !stop; ++round) {
    if (context.cancelled && context.cancelled()) return fail(ErrorCode::Cancelled, "training was stopped");
    MR_DO(xgb_status(XGBoosterUpdateOneIter(booster.get(), static_cast<int>(round), channels[0].matrix.get()),
                     "train round " + std::to_string(round)));
    done = round + 1;
    MR_TRY(scores, evaluate(booster.get(), settings_, channels, round));
    Progress progress;
    progress.phase = "Training", progress.round = done, progress.rounds = settings_.rounds;
    bool improved = !best;
    for (const MetricPoint& point : scores.points) {
      if (context.metric) context.metric(point);
      if (context.stop_early && context.stop_early(point)) stop = true;
      if (point.name != scores.decisive) continue;
      progress.metric = point.name, progress.value = point.value;
      if (best) improved = larger_is_better(point.name) ? point.value > *best : point.value < *best;
      if (improved) best = point.value;
    }
    if (context.progress) context.progress(progress);
    latest = std::move(scores.points);
    if (improved) best_round = round, at_best = latest;
    if (settings_.patience > 0 && round - best_round >= settings_.patience) stop = true;
  }

  Fitted fitted;
  fitted.rounds = settings_.patience > 0 ? best_round + 1 : done;
  for (const MetricPoint& point : settings_.patience > 0 ? at_best : latest)
    fitted.metrics[point.name] = point.value;
  MR_TRY(bytes, model_of(booster.get(), fitted.rounds, done));
  MR_TRY(model, load_xgboost(bytes));
  fitted.model = std::move(model);
  return fitted;
}

}  // namespace

Result<std::unique_ptr<const Estimator>> make_xgboost(const HyperParameters& parameters) {
  MR_DO(check_against_rules("xgboost", xgboost_rules(), parameters));
  MR_TRY(settings, make_settings(parameters));
  return std::unique_ptr<const Estimator>(new Xgboost(std::move(settings)));
}

}  // namespace millrace::tasks
