#include "tasks/forecasting/forecast_model.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/random.h"
#include "tasks/forecasting/forecasting.h"
#include "tasks/table/csv.h"
#include "tasks/training/hyperparameters.h"
#include "tasks/training/model_texts.h"

namespace millrace::tasks {
namespace {

constexpr std::string_view kForecastMagic = "MRFC";
constexpr std::uint8_t kForecastVersion = 2;
constexpr std::uint8_t kForecastFirstVersion = 1;  // without a model over all series, and with fewer methods
constexpr std::size_t kFirstMethods = 17;
constexpr std::int64_t kSamplesDefault = 100, kSamplesMax = 10'000;
constexpr std::size_t kSampleValuesMax = 20'000'000;  // of one answer
constexpr std::size_t kLevelsMax = 99;

}  // namespace

struct ForecastModel::Configuration {
  bool mean = true, quantiles = true, samples = false;
  std::int64_t sample_count = kSamplesDefault;
  std::vector<double> levels;
  std::vector<std::string> level_names;  // as the request writes them
};

struct ForecastModel::Instance {
  std::string item_id;
  PreparedSeries series;
};

struct ForecastModel::Answered {
  std::string item_id;
  std::int64_t start = 0;  // of the first forecast step
  BlendedForecast forecast;
  std::uint64_t seed = 0;  // from the instance's values, so that equal requests have equal samples
};

Result<PreparedSeries> prepare_series(const TimeSeries& series, const ForecastSettings& settings,
                                      bool needs_future, const std::string& where) {
  const std::size_t n = series.values.size(), horizon = static_cast<std::size_t>(settings.horizon);
  if (series.features.size() != settings.feature_count)
    return invalid(where + "dynamic_feat has " + std::to_string(series.features.size()) +
                   " features, expected " + std::to_string(settings.feature_count));
  for (std::size_t f = 0; f < series.features.size(); ++f) {
    const std::size_t wanted = n + (needs_future ? horizon : 0);
    if (series.features[f].size() < wanted)
      return invalid(
          where + "dynamic_feat[" + std::to_string(f) + "] has " + std::to_string(series.features[f].size()) +
              " values, expected " + std::to_string(wanted),
          needs_future ? "a request gives a feature for the target's steps and the prediction_length"
                       : "a feature has a value for each of the target's");
  }
  FilledSeries filled = fill_gaps(series.values, settings.seasons.empty() ? 1 : settings.seasons.front());
  PreparedSeries out;
  std::size_t dropped = filled.dropped;
  if (filled.values.size() > settings.history_max) {
    const std::size_t more = filled.values.size() - settings.history_max;
    filled.values.erase(filled.values.begin(), filled.values.begin() + static_cast<std::ptrdiff_t>(more));
    dropped += more;
  }
  out.start = add_steps(series.start, static_cast<std::int64_t>(dropped), settings.frequency);
  out.values = std::move(filled.values);
  for (const Values& feature : series.features) {
    out.features.emplace_back(feature.begin() + static_cast<std::ptrdiff_t>(dropped), feature.end());
    if (!needs_future) out.features.back().resize(out.values.size() + horizon, 0.0);
  }
  return out;
}

ForecastTask task_of_series(const ForecastSettings& settings, const PreparedSeries& series) {
  return {settings.seasons,   settings.horizon, series.features,
          settings.frequency, series.start,     calendar_position(series.start, settings.frequency),
          settings.methods};
}

Result<ForecastModel::Configuration> ForecastModel::parse_configuration(const Json& json,
                                                                        std::vector<double> levels) {
  Configuration out;
  out.levels = std::move(levels);
  for (const double level : out.levels) out.level_names.push_back(format_number(level));
  if (json.is_null()) return out;
  if (!json.is_object()) return invalid("configuration: expected an object");
  for (const auto& [key, value] : json.items()) {
    if (key == "num_samples") {
      if (!value.is_number_integer() || value.get<double>() < 1 || value.get<double>() > kSamplesMax)
        return invalid("configuration.num_samples: expected an integer from 1 to " +
                       std::to_string(kSamplesMax));
      out.sample_count = value.get<std::int64_t>();
    } else if (key == "output_types") {
      if (!value.is_array() || value.empty()) return invalid("configuration.output_types: expected a list");
      out.mean = out.quantiles = out.samples = false;
      for (const Json& type : value) {
        if (type == "mean")
          out.mean = true;
        else if (type == "quantiles")
          out.quantiles = true;
        else if (type == "samples")
          out.samples = true;
        else
          return invalid("configuration.output_types: " + type.dump() +
                         " is none of mean, quantiles, samples");
      }
    } else if (key == "quantiles") {
      if (!value.is_array() || value.size() > kLevelsMax)
        return invalid("configuration.quantiles: expected a list of at most " + std::to_string(kLevelsMax));
      out.levels.clear(), out.level_names.clear();
      for (const Json& quantile : value) {
        const std::string text = quantile.is_string() ? quantile.get<std::string>() : quantile.dump();
        const auto level = parse_real(text);
        if (!level || *level <= 0 || *level >= 1)
          return invalid("configuration.quantiles: " + quantile.dump() + " is no number between 0 and 1");
        out.levels.push_back(*level), out.level_names.push_back(text);
      }
    } else {
      return invalid("configuration: there is no '" + key + "'",
                     "it has num_samples, output_types and quantiles");
    }
  }
  return out;
}

Result<ForecastModel::Instance> ForecastModel::make_instance(const TimeSeries& series,
                                                             const std::string& where) const {
  if (!series.has_target) {
    const auto found = items_.find(series.item_id);
    if (found == items_.end())
      return invalid(where + "target is missing, and '" + series.item_id.substr(0, 60) +
                         "' is no item of the training data",
                     "send start and target");
    if (settings_.feature_count > 0)
      return invalid(where + "an item by its name has no dynamic_feat of the future",
                     "send start, target and dynamic_feat");
    return Instance{series.item_id, found->second};
  }
  MR_TRY(prepared, prepare_series(series, settings_, true, where));
  if (prepared.values.empty()) return invalid(where + "target has no value", "send at least one number");
  return Instance{series.item_id, std::move(prepared)};
}

Result<std::vector<ForecastModel::Instance>> ForecastModel::json_instances(const Json& body) const {
  const auto list = body.find("instances");
  if (list == body.end() || !list->is_array() || list->empty())
    return invalid("instances: expected a list of series",
                   "write {\"instances\": [{\"start\": …, \"target\": […]}]}");
  std::vector<Instance> instances;
  for (const Json& object : *list) {
    const std::string number = std::to_string(instances.size()), where = "instances[" + number + "]: ";
    MR_TRY(series, parse_series_object(object, where, number));
    MR_TRY(instance, make_instance(series, where));
    instances.push_back(std::move(instance));
  }
  return instances;
}

Result<std::vector<ForecastModel::Instance>> ForecastModel::set_instances(const SeriesSet& set) const {
  std::vector<Instance> instances;
  for (const TimeSeries& series : set.series) {
    MR_TRY(instance, make_instance(series, "item '" + series.item_id.substr(0, 60) + "': "));
    instances.push_back(std::move(instance));
  }
  return instances;
}

Result<std::vector<ForecastModel::Answered>> ForecastModel::forecast(const std::vector<Instance>& instances,
                                                                     const OwnRequest& request) const {
  std::vector<Answered> answers;
  for (const Instance& instance : instances) {
    if (request.cancelled && request.cancelled()) return fail(ErrorCode::Cancelled, "stopped");
    const PreparedSeries& series = instance.series;
    Answered answered;
    answered.item_id = instance.item_id;
    answered.start =
        add_steps(series.start, static_cast<std::int64_t>(series.values.size()), settings_.frequency);
    answered.forecast = forecast_series(task_of_series(settings_, series), series.values, pooled_, global_);
    answered.seed = hash64(std::string_view(reinterpret_cast<const char*>(series.values.data()),
                                            series.values.size() * sizeof(double)),
                           settings_.seed);
    answers.push_back(std::move(answered));
  }
  return answers;
}

Json ForecastModel::as_json(const Answered& answered, const Configuration& configuration) const {
  Json out = Json::object();
  if (configuration.mean) out["mean"] = answered.forecast.mean;
  if (configuration.quantiles) {
    Json& quantiles = out["quantiles"] = Json::object();
    for (std::size_t q = 0; q < configuration.levels.size(); ++q)
      quantiles[configuration.level_names[q]] = answered.forecast.quantile(pooled_, configuration.levels[q]);
  }
  if (!configuration.samples) return out;
  // Paths: each step's place in its distribution goes on from the last one's.
  const double kept = pooled_.correlation, fresh = std::sqrt(1 - kept * kept);
  Random random(answered.seed);
  Json& samples = out["samples"] = Json::array();
  for (std::int64_t i = 0; i < configuration.sample_count; ++i) {
    std::vector<double> path(answered.forecast.mean.size());
    double z = random.normal();
    for (std::size_t h = 0; h < path.size(); ++h) {
      if (h > 0) z = kept * z + fresh * random.normal();
      path[h] = answered.forecast.at(pooled_, h, normal_probability(z));
    }
    samples.push_back(path);
  }
  return out;
}

std::string ForecastModel::as_csv(const std::vector<Answered>& answers,
                                  const std::vector<double>& levels) const {
  Table table;
  Column item = text_column(settings_.columns.item, {}), time = text_column(settings_.columns.time, {});
  Column mean = number_column("mean", {});
  std::vector<Column> quantiles;
  for (const double level : levels)
    quantiles.push_back(number_column("p" + format_number(std::round(level * 1e6) / 1e4), {}));
  for (const Answered& answered : answers) {
    for (std::size_t h = 0; h < answered.forecast.mean.size(); ++h) {
      item.texts.push_back(answered.item_id), item.missing.push_back(0);
      const std::int64_t at = add_steps(answered.start, static_cast<std::int64_t>(h), settings_.frequency);
      time.texts.push_back(format_time_stamp(at, settings_.frequency)), time.missing.push_back(0);
      mean.numbers.push_back(answered.forecast.mean[h]);
      for (std::size_t q = 0; q < levels.size(); ++q)
        quantiles[q].numbers.push_back(answered.forecast.at(pooled_, h, levels[q]));
      ++table.rows;
    }
  }
  table.columns = {std::move(item), std::move(time), std::move(mean)};
  for (Column& column : quantiles) table.columns.push_back(std::move(column));
  return format_csv(table);
}

Result<ForecastModel::Configuration> ForecastModel::batch_configuration(const OwnRequest& request) const {
  Json json;
  if (!request.settings.empty()) {
    json = Json::parse(request.settings, nullptr, false);
    if (json.is_discarded()) return invalid("Environment.DEEPAR_INFERENCE_CONFIG is not JSON");
  }
  return parse_configuration(json, settings_.levels);
}

Result<OwnAnswer> ForecastModel::answer(const OwnRequest& request) const {
  const std::string type = media_type(request.content_type);
  std::vector<Instance> instances;
  Json configuration_json;
  std::string types = "application/json|application/jsonlines|text/csv";
  if (type == "application/json") {
    const Json body = Json::parse(request.body, nullptr, false);
    if (!body.is_object()) return invalid("the body is not a JSON object", "write {\"instances\": […]}");
    MR_TRY(parsed, json_instances(body));
    instances = std::move(parsed);
    configuration_json = body.value("configuration", Json());
  } else if (type == "application/jsonlines") {
    MR_TRY(set, parse_series_json_lines(request.body, "the body", settings_.frequency));
    MR_TRY(parsed, set_instances(set));
    instances = std::move(parsed);
    types = "application/jsonlines|application/json|text/csv";
  } else if (type == "text/csv") {
    MR_TRY(set, parse_series_csv(request.body, "the body", settings_.columns, settings_.frequency));
    MR_TRY(parsed, set_instances(set));
    instances = std::move(parsed);
    types = "text/csv|application/json|application/jsonlines";
  } else {
    return invalid("ContentType \"" + std::string(request.content_type) + "\" is not supported",
                   "use application/json, application/jsonlines or text/csv");
  }
  MR_TRY(answer_type, choose_answer_type(request.accept, types));
  MR_TRY(configuration, configuration_json.is_null()
                            ? batch_configuration(request)
                            : parse_configuration(configuration_json, settings_.levels));
  const std::size_t sampled = static_cast<std::size_t>(configuration.sample_count) *
                              static_cast<std::size_t>(settings_.horizon) * instances.size();
  if (configuration.samples && sampled > kSampleValuesMax)
    return fail(ErrorCode::LimitExceeded,
                "the samples would be more than " + std::to_string(kSampleValuesMax) + " numbers",
                "ask for fewer samples or instances");
  MR_TRY(answers, forecast(instances, request));
  if (answer_type == "text/csv") return OwnAnswer{as_csv(answers, configuration.levels), answer_type};
  if (answer_type == "application/json") {
    Json predictions = Json::array();
    for (const Answered& answered : answers) predictions.push_back(as_json(answered, configuration));
    return OwnAnswer{Json{{"predictions", std::move(predictions)}}.dump(), answer_type};
  }
  std::string lines;
  for (const Answered& answered : answers) lines += as_json(answered, configuration).dump() + "\n";
  return OwnAnswer{std::move(lines), answer_type};
}

std::string ForecastModel::save() const {
  ModelWriter writer(kForecastMagic, kForecastVersion);
  const auto number = [&](std::size_t value) { writer.put(std::uint64_t{value}); };
  number(static_cast<std::size_t>(settings_.frequency.unit));
  number(static_cast<std::size_t>(settings_.frequency.count));
  number(static_cast<std::size_t>(settings_.horizon));
  number(settings_.history_max), number(settings_.feature_count), number(settings_.seed);
  const std::vector<std::uint32_t> seasons(settings_.seasons.begin(), settings_.seasons.end());
  writer.put(std::span<const std::uint32_t>(seasons)).put(std::span<const double>(settings_.levels));
  // Names of methods follow those of the columns where there are some: a list as older models have it.
  std::vector<std::string> columns = {settings_.columns.item, settings_.columns.time,
                                      settings_.columns.target};
  columns.insert(columns.end(), settings_.methods.begin(), settings_.methods.end());
  put_texts(writer, columns);
  writer.put(std::span<const double>(pooled_.errors)).put(pooled_.miss).put(pooled_.correlation);
  for (const auto& levels : pooled_.quantiles) writer.put(std::span<const double>(levels));
  global_.before.save(writer), global_.after.save(writer);
  std::vector<std::string> names;
  for (const auto& [name, series] : items_) names.push_back(name);
  put_texts(writer, names);
  for (const auto& [name, series] : items_) {
    writer.put(static_cast<std::uint64_t>(series.start));
    writer.put(std::span<const double>(series.values));
  }
  return std::move(writer).finish();
}

Result<std::unique_ptr<const Model>> load_forecasting(std::string_view bytes) {
  const auto open = [&](std::uint8_t version) {
    return ModelReader::open("forecasting", kForecastMagic, version, bytes);
  };
  auto newest = open(kForecastVersion);
  const bool first = !newest.has_value();
  MR_TRY(reader, first ? open(kForecastFirstVersion) : std::move(newest));
  constexpr std::uint64_t kHorizonMax = 100'000, kCountMax = 1440;
  bool good = true;
  ForecastSettings settings;
  Pooled pooled;
  const std::uint64_t unit = reader.u64(), count = reader.u64(), horizon = reader.u64();
  good = good && unit <= static_cast<std::uint64_t>(TimeUnit::Year) && count >= 1 && count <= kCountMax &&
         horizon >= 1 && horizon <= kHorizonMax;
  settings.history_max = reader.u64(), settings.feature_count = reader.u64(), settings.seed = reader.u64();
  for (const std::uint32_t season : reader.u32s()) {
    good = good && season >= 2 && season < 1'000'000 &&
           (settings.seasons.empty() || static_cast<int>(season) > settings.seasons.back());
    settings.seasons.push_back(static_cast<int>(season));
  }
  settings.levels = reader.reals();
  good = good && std::ranges::all_of(settings.levels, [](double level) { return level > 0 && level < 1; });
  const std::vector<std::string> columns = read_texts(reader, good);
  pooled.errors = reader.reals(), pooled.miss = reader.real(), pooled.correlation = reader.real();
  for (std::size_t i = 3; i < columns.size(); ++i) {
    good = good && is_forecast_method(columns[i]);
    settings.methods.push_back(columns[i]);
  }
  if (first && pooled.errors.size() == kFirstMethods) pooled.errors.resize(blend_members(), std::nan(""));
  good = good && columns.size() >= 3 && settings.history_max >= 1 &&
         pooled.errors.size() == blend_members() && std::isfinite(pooled.miss) && pooled.correlation >= 0 &&
         pooled.correlation < 1;
  for (std::uint64_t h = 0; good && h < horizon; ++h) {
    pooled.quantiles.push_back(reader.reals());
    good = pooled.quantiles.back().size() == kQuantileLevels;
  }
  GlobalModel global;
  good = good && settings.feature_count <= kSeriesFeaturesMax;
  if (good && !first) {
    ForecastTask like{settings.seasons, static_cast<int>(horizon), {}};
    like.features.resize(settings.feature_count);
    global.before = LagTrees::load(reader, like, good);
    if (good) global.after = LagTrees::load(reader, like, good);
  }
  ForecastModel::Items items;
  if (good) {
    for (const std::string& name : read_texts(reader, good)) {
      PreparedSeries series;
      series.start = static_cast<std::int64_t>(reader.u64());
      series.values = reader.reals();
      good = good && !series.values.empty() &&
             std::ranges::all_of(series.values, [](double x) { return std::isfinite(x); });
      items.emplace(name, std::move(series));
    }
  }
  MR_DO(reader.finish(good));
  settings.frequency = {static_cast<TimeUnit>(unit), static_cast<std::int64_t>(count)};
  settings.horizon = static_cast<int>(horizon);
  settings.columns = {columns[0], columns[1], columns[2]};
  return std::make_unique<ForecastModel>(std::move(settings), std::move(pooled), std::move(global),
                                         std::move(items));
}

}  // namespace millrace::tasks
