#include "tasks/integrations/kinesis/streams.h"

#include <atomic>

#include "base/random.h"
#include "tasks/integrations/attempts.h"
#include "tasks/integrations/group_calls.h"
#include "tasks/integrations/kinesis/get_records.h"
#include "tasks/integrations/kinesis/operations.h"
#include "tasks/worker_pool.h"

namespace millrace::tasks::kinesis {
namespace {

constexpr int kReadingThreads = 2;
constexpr std::size_t kReadsMax = 10'000;                         // that wait; more are refused
constexpr std::size_t kWaitingBytesMax = std::size_t{256} << 20;  // of requests that wait for the disk
constexpr Millis kTrimPause{60'000};
constexpr std::string_view kSecretKey = "secret";

// What /metrics tells of a stream. The streams' thread makes them, readers look them up: under a lock.
class StreamMetrics {
 public:
  explicit StreamMetrics(metrics::Registry* registry) : registry_(registry) {}
  void incoming(const std::string& stream, std::int64_t records, std::int64_t bytes) {
    if (!registry_) return;
    const metrics::Labels labels{{"stream", stream}};
    registry_->counter("millrace_stream_incoming_records_total", "Records put into a stream", labels)
        .add(static_cast<std::uint64_t>(records));
    registry_->counter("millrace_stream_incoming_bytes_total", "Bytes of records put into a stream", labels)
        .add(static_cast<std::uint64_t>(bytes));
  }
  void outgoing(const GotRecords& got) {
    if (!registry_ || got.stream.empty()) return;
    const metrics::Labels labels{{"stream", got.stream}};
    registry_
        ->counter("millrace_stream_get_records_records_total", "Records that GetRecords handed out", labels)
        .add(static_cast<std::uint64_t>(got.records));
    registry_
        ->gauge("millrace_stream_get_records_iterator_age_seconds",
                "How old the last record was that GetRecords handed out; 0: its reader had all", labels)
        .set(static_cast<double>(got.behind.count()) / 1000);
  }

 private:
  metrics::Registry* registry_;
};

tl::unexpected<Error> too_many_reads() {
  return fail(ErrorCode::Unavailable, "too many reads of streams are waiting", "try again later");
}

}  // namespace

struct Streams::State {
  ServicePlace place;
  const Clock& clock;
  StreamMetrics metrics;
  std::string secret = {};
  std::optional<StreamStore> store = {};
  Attempts attempts = {};
  Millis trimmed{0};
  std::atomic<std::size_t> waiting_bytes{0};
  bool stale = false;  // a group was undone: streams are read again first
  std::mutex listening = {};
  std::function<void(const std::string&)> listener = {};
  std::unique_ptr<GroupStore> group = {};
  std::unique_ptr<StreamReader> reader = {};
  std::unique_ptr<WorkerPool> pool = {};

  void tell(const std::string& stream) {
    const std::lock_guard lock(listening);
    if (listener) listener(stream);
  }
  // Before each piece of work: what is in memory is what is in the file, and what is too old goes.
  Status prepare() {
    if (stale) {
      MR_DO(store->forget());
      stale = false;
    }
    if (clock.uptime() - trimmed < kTrimPause) return {};
    MR_TRY(removed, store->trim(clock.now()));
    if (removed == 0) trimmed = clock.uptime();
    return {};
  }
  ServiceAnswer carry_out(const ServiceCall& call, const OperationRow& row, Session& session);
};

ServiceAnswer Streams::State::carry_out(const ServiceCall& call, const OperationRow& row, Session& session) {
  MR_DO(prepare());
  if (call.key.empty() || !row.writes) return row.run(session, call.input.view());
  const std::string request = request_digest(call);
  MR_TRY(known, attempts.find(call.key));
  if (known && known->request == request) {
    auto answer = Payload::parse(known->answer);
    if (answer) return *std::move(answer);
  }
  MR_TRY(answer, row.run(session, call.input.view()));
  MR_DO(attempts.add(call.key, request, answer.text(), session.now));
  return answer;
}

Streams::Streams(std::unique_ptr<State> state) : state_(std::move(state)) {}

Streams::~Streams() {
  on_put({});
  state_->group.reset();
  state_->pool.reset();
}

bool Streams::has(std::string_view operation) {
  return operation == "GetRecords" || find_operation(operation) != nullptr;
}

Result<std::unique_ptr<Streams>> Streams::open(const std::string& path, ServicePlace place,
                                               const Clock& clock, std::uint64_t seed,
                                               metrics::Registry* metrics) {
  std::unique_ptr<State> state(new State{std::move(place), clock, StreamMetrics(metrics)});
  static const std::string kSchema = std::string(kStreamsSchema) + kAttemptsSchema;
  GroupStore::Settings settings;
  settings.path = path;
  settings.schema = kSchema.c_str();
  settings.rolled_back = [s = state.get()] { s->stale = true; };
  MR_TRY(group, GroupStore::open(std::move(settings), clock));
  MR_TRY(store, StreamStore::open(group->database()));
  MR_TRY(attempts, Attempts::open(group->database(), clock.now()));
  MR_TRY(secret, store.note(kSecretKey));
  if (!secret) {
    Random random(seed);
    secret.emplace();
    for (int i = 0; i < 4; ++i) {
      const std::uint64_t bits = random.next();
      secret->append(reinterpret_cast<const char*>(&bits), sizeof bits);
    }
    MR_DO(store.keep_note(kSecretKey, *secret));
  }
  state->secret = *secret;
  state->store = std::move(store);
  state->attempts = std::move(attempts);
  state->group = std::move(group);
  MR_TRY(reader, StreamReader::open(path));
  state->reader = std::move(reader);
  state->pool = std::make_unique<WorkerPool>(kReadingThreads, kReadsMax);
  return std::unique_ptr<Streams>(new Streams(std::move(state)));
}

void Streams::call(ServiceCall call, ServiceReply reply) {
  State* const s = state_.get();
  if (call.operation == "GetRecords") {
    const auto answered = std::make_shared<ServiceReply>(std::move(reply));
    const bool taken = s->pool->submit([s, input = std::move(call.input), answered] {
      GotRecords got = get_records(*s->reader, s->secret, input.view(), s->clock.now());
      s->metrics.outgoing(got);
      (*answered)(std::move(got.answer));
    });
    if (!taken)
      (*answered)(service_error("ProvisionedThroughputExceededException",
                                "too many reads are waiting; try again later"));
    return;
  }
  const auto put = std::make_shared<std::vector<std::string>>();
  const auto run = [s, put](const ServiceCall& asked, GroupStore::Turn& turn) -> CarriedOut {
    const OperationRow* row = find_operation(asked.operation);
    if (!row)
      return {service_error("UnknownOperationException",
                            "Kinesis has no operation '" + asked.operation + "' here")};
    Session session{*s->store, turn.now, s->place, s->secret,
                    [&](const std::string& stream, std::int64_t records, std::int64_t bytes) {
                      s->metrics.incoming(stream, records, bytes);
                      put->push_back(stream);
                    }};
    return {s->carry_out(asked, *row, session)};
  };
  const ServiceError busy{"ProvisionedThroughputExceededException",
                          "too many requests are waiting; try again later"};
  const std::size_t bytes = call.input.size();
  if (s->waiting_bytes.fetch_add(bytes) + bytes > kWaitingBytesMax) {
    s->waiting_bytes -= bytes;
    return reply(tl::unexpected<ServiceError>(busy));
  }
  const auto told = [s, put, bytes, reply = std::move(reply)](ServiceAnswer answer) {
    s->waiting_bytes -= bytes;
    const bool durable = answer.has_value();
    reply(std::move(answer));
    if (durable)
      for (const std::string& stream : *put) s->tell(stream);
  };
  submit_call(*s->group, std::move(call), told, run, busy);
}

void Streams::look(std::string stream, Done<std::optional<Stream>> done) {
  const auto ask = [s = state_.get(), stream = std::move(stream), done] { done(s->reader->find(stream)); };
  if (!state_->pool->submit(ask)) done(too_many_reads());
}

void Streams::read(ReadFrom from, Done<ReadRecords> done) {
  const auto ask = [s = state_.get(), from, done] { done(s->reader->read(from, s->clock.now())); };
  if (!state_->pool->submit(ask)) done(too_many_reads());
}

void Streams::position_at(Shard shard, Instant time, Done<std::int64_t> done) {
  const auto ask = [s = state_.get(), shard, time, done] { done(s->reader->position_at(shard, time)); };
  if (!state_->pool->submit(ask)) done(too_many_reads());
}

void Streams::note(std::string key, Done<std::optional<std::string>> done) {
  const auto ask = [s = state_.get(), key = std::move(key), done] { done(s->reader->note(key)); };
  if (!state_->pool->submit(ask)) done(too_many_reads());
}

namespace {

// A piece of work of the home's own: `work` fails with NotFound and the like to be undone alone.
void submit_own(GroupStore& group, std::function<Status(GroupStore::Turn&)> work,
                std::function<void(Status)> done) {
  const auto result = std::make_shared<Status>();
  GroupStore::Piece piece;
  piece.work = [result, work = std::move(work)](GroupStore::Turn& turn) {
    *result = work(turn);
    if (*result) return GroupStore::End::Keep;
    if (result->error().code == ErrorCode::NotFound) return GroupStore::End::Undo;
    turn.error = result->error();
    return GroupStore::End::Broken;
  };
  piece.done = [result, done](const Status& durable) { done(durable ? *result : durable); };
  if (!group.submit(std::move(piece)))
    done(fail(ErrorCode::Unavailable, "too much waits for the disk of the streams"));
}

}  // namespace

void Streams::put(Put put, std::function<void(Status)> done) {
  State* const s = state_.get();
  const std::string stream = put.stream;
  submit_own(
      *s->group,
      [s, put = std::move(put)](GroupStore::Turn& turn) -> Status {
        MR_DO(s->prepare());
        if (!put.stream.empty()) {
          Stream* const found = s->store->find(put.stream);
          if (!found) return fail(ErrorCode::NotFound, "there is no stream " + put.stream);
          std::vector<NewRecord> records;
          std::int64_t bytes = 0;
          for (const OwnRecord& one : put.records) {
            records.push_back({one.partition_key, one.data, hash_of(one.partition_key)});
            bytes += static_cast<std::int64_t>(one.data.size());
          }
          if (!records.empty()) MR_DO(s->store->append(*found, records, turn.now));
          s->metrics.incoming(put.stream, static_cast<std::int64_t>(records.size()), bytes);
        }
        if (!put.note_key.empty()) MR_DO(s->store->keep_note(put.note_key, put.note));
        return {};
      },
      [s, stream, done = std::move(done)](Status status) {
        const bool durable = status.has_value();
        done(std::move(status));
        if (durable && !stream.empty()) s->tell(stream);
      });
}

void Streams::make_own(std::string name, std::int64_t retention_hours, std::function<void(Status)> done) {
  submit_own(
      *state_->group,
      [s = state_.get(), name = std::move(name), retention_hours](GroupStore::Turn& turn) -> Status {
        MR_DO(s->prepare());
        if (s->store->find(name)) return {};
        Stream stream;
        stream.name = name;
        stream.created = turn.now;
        stream.retention_hours = retention_hours;
        return s->store->create(std::move(stream), 1);
      },
      std::move(done));
}

void Streams::drop_own(std::string name, std::function<void(Status)> done) {
  submit_own(
      *state_->group,
      [s = state_.get(), name = std::move(name)](GroupStore::Turn&) -> Status {
        MR_DO(s->prepare());
        return s->store->drop(name);
      },
      std::move(done));
}

void Streams::on_put(std::function<void(const std::string&)> listener) {
  const std::lock_guard lock(state_->listening);
  state_->listener = std::move(listener);
}

}  // namespace millrace::tasks::kinesis
