#include "tasks/metrics/metric_store.h"

#include <map>
#include <mutex>

#include "base/log.h"
#include "tasks/integrations/attempts.h"
#include "tasks/integrations/group_calls.h"
#include "tasks/metrics/operations.h"

namespace millrace::tasks {
namespace {

constexpr std::size_t kEvaluatedAtOnce = 500;  // alarms, in one piece of work
constexpr std::size_t kTidiedAtOnce = 500;     // metrics

GroupStore::End broken(GroupStore::Turn& turn, const Error& error) {
  turn.error = error;
  return GroupStore::End::Broken;
}

// What PutMetricData would refuse is refused.
Status add_checked(cloudwatch::Batch& batch, const MetricBatch& one, bool seconds, Instant now) {
  const auto refuse = [&](const std::string& why) {
    return invalid("a value of the metric " + one.id.name_space + " " + one.id.name + ": " + why);
  };
  const auto unit = unit_number(one.unit);
  if (const auto wrong = refuse_metric_id(one.id)) return refuse(*wrong);
  if (!unit) return refuse("there is no unit " + one.unit);
  if (const std::string wrong = cloudwatch::refuse_time(one.time, now); !wrong.empty())
    return refuse("its time " + wrong);
  batch.add(one.id, *unit, one.time, seconds, one.aggregate);
  return {};
}

}  // namespace

struct MetricStore::State {
  ServicePlace place;
  const Clock& clock;
  PointTable points = {};
  AlarmBook alarms = {};
  Attempts attempts = {};
  // Of the store's thread.
  std::optional<Instant> told_due = {};
  std::function<void(News)> listener = {};
  // Any thread.
  std::mutex mutex = {};  // over what follows
  std::map<std::string, AlarmStatus, std::less<>> statuses = {};
  std::unique_ptr<GroupStore> group = {};  // last: its work uses the rest

  void publish();
  void forget();
  CarriedOut carry_out(const ServiceCall& call, Instant now);
  ServiceAnswer once(const ServiceCall& call, const cloudwatch::OperationRow& row,
                     cloudwatch::MetricSession& session);
};

// After each commit: what others may see and hear of it.
void MetricStore::State::publish() {
  if (auto changed = alarms.take_statuses(); !changed.empty()) {
    const std::lock_guard lock(mutex);
    for (auto& [name, status] : changed) {
      if (status)
        statuses[name] = *std::move(status);
      else
        statuses.erase(name);
    }
  }
  if (!listener) return;
  News news{alarms.first_due(), alarms.take_changes()};
  if (news.changes.empty() && news.due == told_due) return;
  told_due = news.due;
  listener(std::move(news));
}

void MetricStore::State::forget() {
  Status read = points.forget();
  if (read) read = alarms.forget(clock.now());
  if (!read) log::error("metrics and alarms can't be read", {{"why", read.error().message}});
}

// What an attempt of a task wrote is written once.
ServiceAnswer MetricStore::State::once(const ServiceCall& call, const cloudwatch::OperationRow& row,
                                       cloudwatch::MetricSession& session) {
  if (call.key.empty() || !row.writes) return row.run(session, call.input.view());
  const std::string request = request_digest(call);
  MR_TRY(known, attempts.find(call.key));
  if (known && known->request == request)
    if (auto answer = Payload::parse(known->answer)) return *std::move(answer);
  MR_TRY(answer, row.run(session, call.input.view()));
  MR_DO(attempts.add(call.key, request, answer.text(), session.now));
  return answer;
}

CarriedOut MetricStore::State::carry_out(const ServiceCall& call, Instant now) {
  const cloudwatch::OperationRow* row = cloudwatch::find_operation(call.operation);
  if (!row)
    return {service_error("UnknownOperationException",
                          "CloudWatch has no operation '" + call.operation + "' here")};
  cloudwatch::MetricSession session{points, alarms, now, place};
  return {once(call, *row, session)};
}

MetricStore::MetricStore(std::unique_ptr<State> state) : state_(std::move(state)) {}
MetricStore::~MetricStore() {
  state_->group.reset();
}

Result<std::unique_ptr<MetricStore>> MetricStore::open(const std::string& path, ServicePlace place,
                                                       MetricStoreSettings settings, const Clock& clock) {
  std::unique_ptr<State> state(new State{std::move(place), clock});
  static const std::string kSchema = std::string(PointTable::kSchema) + AlarmBook::kSchema + kAttemptsSchema;
  GroupStore::Settings group;
  group.path = path;
  group.schema = kSchema.c_str();
  group.rolled_back = [s = state.get()] { s->forget(); };
  MR_TRY(opened, GroupStore::open(std::move(group), clock));
  PointTable::Limits points;
  points.retention = {settings.seconds_kept, settings.minutes_kept, settings.five_minutes_kept,
                      settings.hours_kept};
  points.series_max = settings.metrics_max;
  points.cache_bytes_max = settings.cache_bytes_max;
  MR_TRY(table, PointTable::open(opened->database(), points));
  AlarmBook::Limits alarms{settings.alarms_max, Millis(settings.history_days * 86'400'000),
                           settings.evaluation_delay};
  MR_TRY(book, AlarmBook::open(opened->database(), state->place, alarms, clock.now()));
  MR_TRY(attempts, Attempts::open(opened->database(), clock.now()));
  state->points = std::move(table);
  state->alarms = std::move(book);
  state->attempts = std::move(attempts);
  state->publish();
  state->group = std::move(opened);
  return std::unique_ptr<MetricStore>(new MetricStore(std::move(state)));
}

bool MetricStore::has(std::string_view operation) {
  return cloudwatch::find_operation(operation) != nullptr;
}

void MetricStore::call(ServiceCall call, ServiceReply reply) {
  State* s = state_.get();
  const auto ran = std::make_shared<bool>(false);  // on the store's thread; else it was refused here
  submit_call(
      *s->group, std::move(call),
      [s, ran, reply = std::move(reply)](ServiceAnswer answer) {
        if (*ran) s->publish();
        reply(std::move(answer));
      },
      [s, ran](const ServiceCall& asked, GroupStore::Turn& turn) {
        *ran = true;
        return s->carry_out(asked, turn.now);
      },
      {"ThrottlingException", "too many requests are waiting; try again later"});
}

// A piece of the store's own. False: too much waits.
bool MetricStore::work(std::function<Status(Instant now)> piece) {
  GroupStore::Piece made;
  made.work = [piece = std::move(piece)](GroupStore::Turn& turn) {
    const Status done = piece(turn.now);
    return done ? GroupStore::End::Keep : broken(turn, done.error());
  };
  made.done = [s = state_.get()](const Status&) { s->publish(); };
  return state_->group->submit(std::move(made));
}

Result<AlarmStatus> MetricStore::state_of(std::string_view alarm) {
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->statuses.find(alarm);
  if (found == state_->statuses.end())
    return fail(ErrorCode::NotFound, "there is no alarm '" + std::string(alarm) + "'",
                "PutMetricAlarm makes one (docs/metrics.md)");
  return found->second;
}

Status MetricStore::put(std::vector<MetricValue> values) {
  auto batch = std::make_shared<cloudwatch::Batch>();
  for (MetricValue& value : values) {
    if (!is_metric_value(value.value) || !(value.count > 0))
      return invalid("a value of the metric " + value.name_space + " " + value.name +
                     " is no number that a metric may have");
    MetricBatch one{{std::move(value.name_space), std::move(value.name), std::move(value.dimensions)},
                    std::move(value.unit),
                    value.time,
                    {}};
    one.aggregate.add(value.value, value.count);
    MR_DO(add_checked(*batch, one, value.storage_resolution == 1, state_->clock.now()));
  }
  return put_batch(std::move(batch));
}

Status MetricStore::put_added_up(const std::vector<MetricBatch>& batches) {
  auto batch = std::make_shared<cloudwatch::Batch>();
  for (const MetricBatch& one : batches) MR_DO(add_checked(*batch, one, false, state_->clock.now()));
  return put_batch(std::move(batch));
}

Status MetricStore::put_batch(std::shared_ptr<cloudwatch::Batch> batch) {
  const bool taken = work([s = state_.get(), batch = std::move(batch)](Instant) -> Status {
    const Status written = batch->write(s->points);
    if (written || written.error().code != ErrorCode::LimitExceeded) return written;
    log::warning("metrics were dropped",
                 {{"why", written.error().message}, {"remedy", written.error().hint}});
    return {};
  });
  if (!taken) return fail(ErrorCode::LimitExceeded, "too many metrics wait to be written");
  return {};
}

void MetricStore::watch(std::function<void(News)> listener) {
  work([s = state_.get(), listener = std::move(listener)](Instant) -> Status {
    s->listener = listener;
    s->told_due.reset();
    return {};
  });
}

bool MetricStore::evaluate() {
  return work([s = state_.get()](Instant now) -> Status {
    s->told_due.reset();  // whoever asks waits to hear when the next one is due
    return s->alarms.evaluate(s->points, now, kEvaluatedAtOnce);
  });
}

void MetricStore::told(std::int64_t number, const std::string& alarm, std::vector<std::string> actions) {
  work([s = state_.get(), number, alarm, actions = std::move(actions)](Instant now) {
    return s->alarms.told(number, alarm, actions, now);
  });
}

void MetricStore::tidy() {
  work([s = state_.get()](Instant now) -> Status {
    MR_DO(s->alarms.tidy(now));
    MR_DO(s->points.tidy(now, kTidiedAtOnce));
    return {};
  });
}

}  // namespace millrace::tasks
