// PutMetricData: values, counted values and statistic sets.

#include "tasks/metrics/operations.h"

namespace millrace::tasks::cloudwatch {
namespace {

constexpr std::size_t kDataMax = 1'000;  // of one request
constexpr std::size_t kValuesMax = 150;  // of one datum
constexpr Millis kPastMax{14LL * 86'400'000}, kAheadMax{2 * 3'600'000};

std::string at(std::size_t place, std::string_view what) {
  return "MetricData.member." + std::to_string(place + 1) + "." + std::string(what);
}

Checked<double> value_in(JsonView datum, std::string_view name, std::size_t place) {
  MR_TRY(value, number_in(datum, name));
  if (!value) return missing_parameter(at(place, name));
  if (!is_metric_value(*value))
    return invalid_value("The value for parameter " + at(place, name) + " must be between -2^360 and 2^360.");
  return *value;
}

// Borrows the list's numbers; absent: empty.
Checked<std::vector<double>> numbers_in(JsonView datum, std::string_view name, std::size_t place) {
  std::vector<double> numbers;
  const JsonView list = member(datum, name);
  if (!list) return numbers;
  if (!list.is_array()) return service_error("SerializationException", std::string(name) + " must be a list");
  if (list.size() > kValuesMax)
    return invalid_value("The collection " + at(place, name) + " must not have a size greater than " +
                         std::to_string(kValuesMax) + ".");
  for (const JsonView one : list.elements()) {
    if (!one.is_number() || !is_metric_value(one.number()))
      return invalid_value("The values of " + at(place, name) + " must be numbers between -2^360 and 2^360.");
    numbers.push_back(one.number());
  }
  return numbers;
}

Checked<bool> add_values(JsonView datum, std::size_t place, Aggregate& aggregate) {
  MR_TRY(values, numbers_in(datum, "Values", place));
  MR_TRY(counts, numbers_in(datum, "Counts", place));
  if (!counts.empty() && counts.size() != values.size())
    return invalid_value("The parameters " + at(place, "Values") + " and " + at(place, "Counts") +
                         " must be of the same size.");
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double count = counts.empty() ? 1 : counts[i];
    if (!(count > 0))
      return invalid_value("The counts of " + at(place, "Counts") + " must be greater than 0.");
    aggregate.add(values[i], count);
  }
  return !values.empty();
}

Checked<bool> add_set(JsonView set, std::size_t place, Aggregate& aggregate) {
  MR_TRY(samples, value_in(set, "SampleCount", place));
  MR_TRY(sum, value_in(set, "Sum", place));
  MR_TRY(least, value_in(set, "Minimum", place));
  MR_TRY(most, value_in(set, "Maximum", place));
  if (!(samples > 0))
    return invalid_value("The parameter " + at(place, "StatisticValues.SampleCount") +
                         " must be greater than 0.");
  if (least > most)
    return invalid_value("The parameter " + at(place, "StatisticValues.Maximum") +
                         " must be greater than StatisticValues.Minimum.");
  aggregate.add_set(samples, sum, least, most);
  return true;
}

Checked<Aggregate> aggregate_of(JsonView datum, std::size_t place) {
  Aggregate aggregate;
  const JsonView set = member(datum, "StatisticValues");
  MR_TRY(several, add_values(datum, place, aggregate));
  const bool one = static_cast<bool>(member(datum, "Value"));
  if (several + one + static_cast<bool>(set) != 1)
    return several + one + static_cast<bool>(set) == 0
               ? missing_parameter(at(place, "Value"))
               : invalid_combination("The parameters " + at(place, "Value") + ", " + at(place, "Values") +
                                     " and " + at(place, "StatisticValues") + " are mutually exclusive.");
  if (one) {
    MR_TRY(value, value_in(datum, "Value", place));
    aggregate.add(value);
  }
  if (set) MR_DO(add_set(set, place, aggregate));
  return aggregate;
}

Checked<bool> add_datum(Batch& batch, const std::string& name_space, JsonView datum, std::size_t place,
                        Instant now) {
  MetricId id;
  id.name_space = name_space;
  MR_TRY(name, required_text(datum, "MetricName"));
  MR_TRY(dimensions, dimensions_in(datum));
  id.name = std::move(name);
  id.dimensions = std::move(dimensions);
  if (const auto wrong = refuse_metric_id(id)) return invalid_value(*wrong);
  MR_TRY(unit, unit_in(datum, 0));
  MR_TRY(time, time_in(datum, "Timestamp"));
  if (const std::string wrong = refuse_time(time.value_or(now), now); !wrong.empty())
    return invalid_value("The parameter " + at(place, "Timestamp") + " " + wrong);
  MR_TRY(resolution, whole_in(datum, "StorageResolution", 1, 60));
  if (resolution && *resolution != 1 && *resolution != 60)
    return invalid_value("The parameter " + at(place, "StorageResolution") + " must be 1 or 60.");
  MR_TRY(aggregate, aggregate_of(datum, place));
  batch.add(id, unit, time.value_or(now), resolution.value_or(60) == 1, aggregate);
  return true;
}

}  // namespace

std::string refuse_time(Instant time, Instant now) {
  if (time < now - kPastMax) return "must specify a time no more than two weeks in the past.";
  if (time > now + kAheadMax) return "must specify a time no more than two hours in the future.";
  return {};
}

void Batch::add(const MetricId& id, int unit, Instant time, bool seconds, const Aggregate& aggregate) {
  const std::int64_t period = to_millis(time) / (seconds ? 1'000 : 60'000);
  aggregates_[{id, unit, period, seconds}].merge(aggregate);
}

// All or nothing, but for a database that fails.
Status Batch::write(PointTable& points) const {
  std::set<const MetricId*> fresh;
  const MetricId* before = nullptr;
  for (const auto& [key, aggregate] : aggregates_) {
    if ((!before || *before != key.id) && !points.find(key.id)) fresh.insert(&key.id);
    before = &key.id;
  }
  MR_DO(points.make_room(fresh.size()));
  for (const auto& [key, aggregate] : aggregates_) {
    const Instant time = from_millis(key.period * (key.seconds ? 1'000 : 60'000));
    MR_DO(points.add(key.id, key.unit, time, key.seconds, aggregate));
  }
  return {};
}

ServiceAnswer put_metric_data(MetricSession& session, JsonView input) {
  MR_TRY(name_space, required_text(input, "Namespace"));
  if (name_space.starts_with("AWS/"))
    return invalid_value("The value AWS/ for parameter Namespace is invalid.");
  MR_TRY(data, objects_in(input, "MetricData", kDataMax));
  MR_TRY(entities, objects_in(input, "EntityMetricData", kDataMax));
  for (const JsonView entity : entities) {  // whose metrics they are is not kept
    MR_TRY(more, objects_in(entity, "MetricData", kDataMax));
    data.insert(data.end(), more.begin(), more.end());
  }
  if (data.empty()) return missing_parameter("MetricData");
  Batch batch;
  for (std::size_t i = 0; i < data.size(); ++i) MR_DO(add_datum(batch, name_space, data[i], i, session.now));
  if (const Status written = batch.write(session.points); !written) return refused(written.error());
  return Payload::empty_object();
}

}  // namespace millrace::tasks::cloudwatch
