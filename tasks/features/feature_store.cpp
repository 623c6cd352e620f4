#include "tasks/features/feature_store.h"

#include <condition_variable>
#include <future>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/log.h"
#include "tasks/features/feature_operations.h"
#include "tasks/features/offline_files.h"
#include "tasks/integrations/attempts.h"
#include "tasks/integrations/group_calls.h"
#include "tasks/jobs/entities.h"

namespace millrace::tasks {
namespace {

constexpr Millis kLastFlushMax{2000};
constexpr std::int64_t kExpiredAtOnce = 1000;
constexpr std::size_t kGroupsMax = 1'000'000;

struct FeatureOperation {
  std::string_view name;
  ServiceAnswer (*read)(const FeatureReading&, JsonView);
  ServiceAnswer (*write)(const FeatureWriting&, JsonView);
};
constexpr FeatureOperation kFeatureOperations[] = {
    {"BatchGetRecord", batch_get_record, nullptr},
    {"DeleteRecord", nullptr, delete_record},
    {"GetRecord", get_record, nullptr},
    {"PutRecord", nullptr, put_record},
    {"PutRecords", nullptr, put_records},
};

const FeatureOperation* find_feature_operation(std::string_view name) {
  for (const FeatureOperation& row : kFeatureOperations)
    if (row.name == name) return &row;
  return nullptr;
}

}  // namespace

struct FeatureStore::State {
  State(Settings s, Jobs& j, const ObjectStore& o, const Clock& c)
      : settings(s), jobs(j), objects(o), clock(c) {}

  const Settings settings;
  Jobs& jobs;
  const ObjectStore& objects;
  const Clock& clock;
  FindGroup find_group;
  std::unique_ptr<FeatureReader> reader, log_reader;
  FeatureRows rows;
  Attempts attempts;
  std::unique_ptr<GroupStore> group;

  std::mutex known_mutex;  // over what is known of groups
  std::map<std::string, FeatureGroupPtr, std::less<>> known;
  std::uint64_t changes = 0;

  std::mutex flush_mutex;  // over what follows
  std::condition_variable flush_changed;
  std::uint64_t flush_asked = 0, flush_done = 0;
  Status flushed;
  bool closing = false;
  bool complained = false;  // flusher's own
  std::thread flusher;

  Result<FeatureGroupPtr> find(std::string_view name_or_arn);
  Status in_transaction(std::function<Status(FeatureRows&, Instant)> work);
  ServiceAnswer write(const ServiceCall& call, const FeatureOperation& operation, GroupStore::Turn& turn);
  void flush_always();
  Status flush_all(const std::function<bool()>& stop);
  Status write_files(const OfflinePlan& plan);
  Status drop_strangers();
};

Result<FeatureGroupPtr> FeatureStore::State::find(std::string_view name_or_arn) {
  const std::string name = name_of(kFeatureGroup, name_or_arn);
  std::uint64_t before = 0;
  {
    const std::lock_guard lock(known_mutex);
    if (const auto found = known.find(name); found != known.end()) return found->second;
    before = changes;
  }
  MR_TRY(record, jobs.find(kFeatureGroup.kind, name));
  MR_TRY(read, FeatureGroup::of(record));
  auto made = std::make_shared<const FeatureGroup>(std::move(read));
  const std::lock_guard lock(known_mutex);
  if (changes == before) known[name] = made;  // else what was read may be old
  return FeatureGroupPtr(std::move(made));
}

// A piece of work of the store's own, durable on return.
Status FeatureStore::State::in_transaction(std::function<Status(FeatureRows&, Instant)> work) {
  struct Shared {
    std::promise<Status> durable;
    Status done;
  };
  const auto shared = std::make_shared<Shared>();
  GroupStore::Piece piece;
  piece.work = [this, shared, work = std::move(work)](GroupStore::Turn& turn) {
    shared->done = work(rows, turn.now);
    if (shared->done) return GroupStore::End::Keep;
    turn.error = shared->done.error();
    return GroupStore::End::Broken;
  };
  piece.done = [shared](const Status& status) { shared->durable.set_value(status); };
  auto future = shared->durable.get_future();
  if (!group->submit(std::move(piece)))
    return fail(ErrorCode::Unavailable, "too many requests are waiting; try again later");
  return future.get();
}

ServiceAnswer FeatureStore::State::write(const ServiceCall& call, const FeatureOperation& operation,
                                         GroupStore::Turn& turn) {
  const FeatureWriting writing{find_group, rows, turn.now};
  if (call.key.empty()) return operation.write(writing, call.input.view());
  const std::string request = request_digest(call);
  MR_TRY(before, attempts.find(call.key));
  if (before && before->request == request)
    if (auto answer = Payload::parse(before->answer)) return *std::move(answer);
  MR_TRY(answer, operation.write(writing, call.input.view()));
  MR_DO(attempts.add(call.key, request, answer.text(), turn.now));
  return answer;
}

Status FeatureStore::State::write_files(const OfflinePlan& plan) {
  OfflineWriter writer(objects, plan.uri, time_in_name(plan.written),
                       std::to_string(plan.group) + "/" + std::to_string(plan.upto), plan.written,
                       settings.file_bytes);
  MR_DO(log_reader->rows(plan, [&](OfflineRow row) { return writer.add(row); }));
  return writer.finish();
}

Status FeatureStore::State::flush_all(const std::function<bool()>& stop) {
  while (!stop()) {
    const auto plan_next = [this](FeatureRows& r, Instant now) -> Status {
      MR_DO(r.drop_expired(now, kExpiredAtOnce));
      return r.plan(settings.batch_rows, now);
    };
    MR_DO(in_transaction(plan_next));
    MR_TRY(plans, log_reader->plans());
    if (plans.empty()) return {};
    for (const OfflinePlan& plan : plans) {
      if (stop()) return {};
      MR_DO(write_files(plan));
      MR_DO(in_transaction([&plan](FeatureRows& r, Instant) { return r.finish(plan); }));
    }
  }
  return {};
}

// The flusher's thread.
void FeatureStore::State::flush_always() {
  for (;;) {
    std::uint64_t asked = 0;
    bool last = false;
    {
      std::unique_lock lock(flush_mutex);
      flush_changed.wait_for(lock, settings.flush_interval,
                             [&] { return closing || flush_asked > flush_done; });
      asked = flush_asked;
      last = closing;
    }
    const Millis begun = clock.uptime();
    Status status = flush_all([&] {
      if (!last) {
        const std::lock_guard lock(flush_mutex);
        last = closing;
      }
      return last && clock.uptime() - begun > kLastFlushMax;
    });
    if (!status && !std::exchange(complained, true))
      log::error("records can't be written to the offline store; they are kept and tried again",
                 {{"why", status.error().message}});
    if (status) complained = false;
    const std::lock_guard lock(flush_mutex);
    flush_done = asked;
    flushed = std::move(status);
    flush_changed.notify_all();
    if (last) return;
  }
}

// Rows of groups that were removed when nobody told this store.
Status FeatureStore::State::drop_strangers() {
  MR_TRY(records, jobs.list(kFeatureGroup.kind, {}, kGroupsMax));
  std::vector<std::int64_t> numbers;
  for (const Json& record : records) {
    MR_TRY(read, FeatureGroup::of(record));
    numbers.push_back(read.number);
  }
  return in_transaction([&numbers](FeatureRows& r, Instant) { return r.keep_only(numbers); });
}

FeatureStore::FeatureStore(std::unique_ptr<State> state) : state_(std::move(state)) {}

FeatureStore::~FeatureStore() {
  {
    const std::lock_guard lock(state_->flush_mutex);
    state_->closing = true;
    state_->flush_changed.notify_all();
  }
  if (state_->flusher.joinable()) state_->flusher.join();
  state_->group.reset();
}

Result<std::unique_ptr<FeatureStore>> FeatureStore::open(const std::string& path, Settings settings,
                                                         Jobs& jobs, const ObjectStore& objects,
                                                         const Clock& clock) {
  auto state = std::make_unique<State>(settings, jobs, objects, clock);
  static const std::string kSchema = std::string(kFeatureSchema) + kAttemptsSchema;
  GroupStore::Settings store;
  store.path = path;
  store.schema = kSchema.c_str();
  store.rolled_back = [s = state.get()] { s->rows.forget(); };
  MR_TRY(group, GroupStore::open(std::move(store), clock));
  MR_TRY(rows, FeatureRows::open(group->database(), clock.now()));
  MR_TRY(attempts, Attempts::open(group->database(), clock.now()));
  MR_TRY(reader, FeatureReader::open(path));
  MR_TRY(log_reader, FeatureReader::open(path));
  state->rows = std::move(rows);
  state->attempts = std::move(attempts);
  state->group = std::move(group);
  state->reader = std::move(reader);
  state->log_reader = std::move(log_reader);
  state->find_group = [s = state.get()](std::string_view name) { return s->find(name); };
  MR_DO(state->drop_strangers());
  state->flusher = std::thread([s = state.get()] { s->flush_always(); });
  return std::unique_ptr<FeatureStore>(new FeatureStore(std::move(state)));
}

bool FeatureStore::has(std::string_view operation) {
  return find_feature_operation(operation) != nullptr;
}

void FeatureStore::call(ServiceCall call, ServiceReply reply) {
  const FeatureOperation* row = find_feature_operation(call.operation);
  if (!row)
    return reply(service_error("UnknownOperationException",
                               "the feature store has no operation '" + call.operation + "' here", 404));
  State& state = *state_;
  if (row->read)
    return reply(row->read({state.find_group, *state.reader, state.clock.now()}, call.input.view()));
  const auto run = [&state, row](const ServiceCall& asked, GroupStore::Turn& turn) -> CarriedOut {
    return {state.write(asked, *row, turn)};
  };
  submit_call(*state.group, std::move(call), std::move(reply), run,
              {"ServiceUnavailable", "too many requests are waiting; try again later", 503});
}

Result<FeatureGroupPtr> FeatureStore::group(std::string_view name_or_arn) {
  return state_->find(name_or_arn);
}

Status FeatureStore::put_online(const FeatureGroupPtr& group, std::vector<FeatureRecord> records) {
  return state_->in_transaction([&](FeatureRows& rows, Instant now) -> Status {
    for (const FeatureRecord& record : records) {
      std::optional<Instant> expires;
      if (group->lifetime) expires = from_millis(record.time_us / 1000) + *group->lifetime;
      MR_DO(record.deleted ? rows.mark_deleted(*group, record, now)
                           : rows.put_online(*group, record, expires, now));
    }
    return {};
  });
}

Status FeatureStore::flush() {
  std::unique_lock lock(state_->flush_mutex);
  const std::uint64_t mine = ++state_->flush_asked;
  state_->flush_changed.notify_all();
  state_->flush_changed.wait(lock, [&] { return state_->flush_done >= mine || state_->closing; });
  if (state_->flush_done < mine) return fail(ErrorCode::Cancelled, "the engine is going down");
  return state_->flushed;
}

void FeatureStore::group_changed(std::string_view name, bool removed) {
  FeatureGroupPtr before;
  {
    const std::lock_guard lock(state_->known_mutex);
    ++state_->changes;
    if (const auto found = state_->known.find(name); found != state_->known.end()) {
      before = found->second;
      state_->known.erase(found);
    }
  }
  if (!removed || !before)
    return;  // of groups that nobody used since the start, the next start finds the rows
  GroupStore::Piece piece;
  piece.work = [s = state_.get(), number = before->number](GroupStore::Turn& turn) {
    const Status dropped = s->rows.drop_group(number);
    if (dropped) return GroupStore::End::Keep;
    turn.error = dropped.error();
    return GroupStore::End::Broken;
  };
  piece.done = [](const Status&) {};
  state_->group->submit(std::move(piece));
}

}  // namespace millrace::tasks
