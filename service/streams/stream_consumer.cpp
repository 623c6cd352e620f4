#include "service/streams/stream_consumer.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/log.h"
#include "base/random.h"
#include "service/streams/object_batch.h"

namespace millrace::streams {
namespace {

using tasks::kinesis::ReadRecords;
using tasks::kinesis::Shard;
using tasks::kinesis::Stream;
using tasks::kinesis::StreamRecord;

constexpr Millis kTick{1'000}, kKeepPause{200}, kFirstRetry{500}, kRetryMax{60'000};
constexpr int kRefreshTicks = 5;
constexpr std::size_t kReadAhead = 1'000, kReadAheadBytes = 4 << 20;
constexpr std::uint64_t kRowsBetweenSaves = 5'000;

bool overlap(const Shard& a, const Shard& b) {
  return a.low <= b.high && b.low <= a.high;
}

}  // namespace

Json to_record(const Place& place) {
  return {{"Next", place.next},
          {"Until", place.until},
          {"Attempts", place.attempts},
          {"Done", place.done},
          {"Object", place.object}};
}

Place place_of(const Json& record) {
  Place place;
  if (!record.is_object()) return place;
  place.next = record.value("Next", std::int64_t{0});
  place.until = record.value("Until", std::int64_t{0});
  place.attempts = record.value("Attempts", 0);
  place.done = record.value("Done", false);
  place.object = record.value("Object", "");
  return place;
}

std::string place_key(const ConsumerPlan& plan, std::int64_t shard) {
  return bus::joined_key(plan.key, plan.generation + "/" + std::to_string(shard));
}

template <class Call>
void StreamConsumer::at(Millis pause, Call call) {
  orchestrator::Loop& loop = around_.handover.loop();
  loop.at(loop.clock().now() + pause, [alive = std::weak_ptr(alive_), call] {
    if (!alive.expired()) call();
  });
}

StreamConsumer::StreamConsumer(ConsumerSurroundings around, PlanPtr plan,
                               std::map<std::int64_t, Place> places)
    : around_(std::move(around)), plan_(std::move(plan)), places_(std::move(places)) {
  if (metrics::Registry* const registry = around_.metrics) {
    const metrics::Labels labels{{"consumer", plan_->key}};
    backlog_ = &registry->gauge("millrace_stream_consumer_backlog_records",
                                "Records that a consumer has not handed on", labels);
    age_ = &registry->gauge("millrace_stream_consumer_iterator_age_seconds",
                            "Age of the oldest record that a consumer has read and not handed on", labels);
    handed_ = &registry->counter("millrace_stream_consumer_records_total",
                                 "Records that a consumer is done with", labels);
    failures_ = &registry->counter("millrace_stream_consumer_failures_total", "Batches that failed", labels);
  }
  refresh();
  at(kTick, [this] { tick(); });
}

StreamConsumer::~StreamConsumer() {
  for (const auto& [id, reader] : readers_)
    if (reader->dirty) keep_place(reader, {});
  if (backlog_) backlog_->set(0), age_->set(0);
}

void StreamConsumer::tick() {
  wake();
  if (++ticks_ % kRefreshTicks == 0) refresh();
  measure();
  at(kTick, [this] { tick(); });
}

void StreamConsumer::measure() {
  if (!backlog_) return;
  std::int64_t backlog = 0;
  Millis age{0};
  const Instant now = around_.handover.loop().clock().now();
  for (const auto& [id, reader] : readers_) {
    backlog += reader->backlog + static_cast<std::int64_t>(reader->buffer.size());
    if (!reader->buffer.empty()) age = std::max(age, now - reader->buffer.front().arrived);
  }
  backlog_->set(static_cast<double>(backlog));
  age_->set(static_cast<double>(age.count()) / 1000);
}

void StreamConsumer::wake() {
  const auto readers = readers_;
  for (const auto& [id, reader] : readers) {
    reader->caught_up = false;
    pump(reader);
  }
}

void StreamConsumer::refresh() {
  if (looking_) return;
  looking_ = true;
  around_.streams.look(plan_->source, [this, &loop = around_.handover.loop(),
                                       alive = std::weak_ptr(alive_)](Result<std::optional<Stream>> found) {
    loop.post([this, alive, found = std::move(found)] {
      if (alive.expired()) return;
      looking_ = false;
      // A stream that is not there yet, or no more, is looked for again.
      if (found && *found) take_shards(**found);
    });
  });
}

bool StreamConsumer::may_begin(const Stream& stream, const Shard& shard) const {
  return std::all_of(stream.shards.begin(), stream.shards.end(), [&](const Shard& older) {
    if (older.number >= shard.number || !older.closed || !overlap(older, shard)) return true;
    const auto place = places_.find(older.id);
    return place != places_.end() && place->second.done;
  });
}

void StreamConsumer::take_shards(const Stream& stream) {
  for (const Shard& shard : stream.shards) {
    const auto place = places_.find(shard.id);
    const bool done = place != places_.end() && place->second.done;
    if (done || readers_.count(shard.id) > 0 || !may_begin(stream, shard)) continue;
    begin_shard(shard);
  }
}

void StreamConsumer::begin_shard(const Shard& shard) {
  const auto reader = std::make_shared<Reader>();
  reader->shard = shard;
  readers_[shard.id] = reader;
  if (const auto kept = places_.find(shard.id); kept != places_.end()) {
    reader->place = kept->second;
    return place_reader(reader, reader->place.next);
  }
  if (!plan_->from || shard.created > *plan_->from) return place_reader(reader, shard.first);
  around_.streams.position_at(shard, *plan_->from,
                              [this, reader, &loop = around_.handover.loop(),
                               alive = std::weak_ptr(alive_)](Result<std::int64_t> position) {
                                loop.post([this, reader, alive, position = std::move(position)] {
                                  if (alive.expired()) return;
                                  if (position) return place_reader(reader, *position);
                                  readers_.erase(reader->shard.id);  // looked for again
                                });
                              });
}

void StreamConsumer::place_reader(const ReaderPtr& reader, std::int64_t next) {
  reader->place.next = reader->read_to = next;
  places_[reader->shard.id] = reader->place;
  if (plan_->forest) return restore_forest(reader);
  reader->ready = true;
  pump(reader);
}

// What the forest has seen since it was saved it sees again, before anything new.
void StreamConsumer::restore_forest(const ReaderPtr& reader) {
  reader->forest.emplace(*plan_->forest);
  around_.streams.note(
      "forest/" + place_key(*plan_, reader->shard.id),
      [this, reader, &loop = around_.handover.loop(),
       alive = std::weak_ptr(alive_)](Result<std::optional<std::string>> note) {
        loop.post([this, reader, alive, note = std::move(note)] {
          if (alive.expired()) return;
          if (!note) return static_cast<void>(readers_.erase(reader->shard.id));
          if (!*note) return begin_forest(reader);
          const auto position = reader->forest->load(**note);
          if (!position || *position > reader->place.next) {
            log::warning("a forest begins anew: what was saved of it is of other settings, or damaged",
                         {{"consumer", plan_->arn}});
            reader->forest.emplace(*plan_->forest);
            return begin_forest(reader);
          }
          reader->read_to = *position;
          reader->replay_to = reader->place.next;
          reader->rows_saved = reader->forest->rows();
          reader->ready = true;
          pump(reader);
        });
      });
}

// From where it begins it can always be made again.
void StreamConsumer::begin_forest(const ReaderPtr& reader) {
  tasks::kinesis::Streams::Put put;
  put.note_key = "forest/" + place_key(*plan_, reader->shard.id);
  put.note = reader->forest->save(reader->place.next);
  around_.streams.put(std::move(put), [this, reader, &loop = around_.handover.loop(),
                                       alive = std::weak_ptr(alive_)](const Status& kept) {
    loop.post([this, reader, alive, ok = kept.has_value()] {
      if (alive.expired()) return;
      if (!ok) return at(kTick, [this, reader] { begin_forest(reader); });
      reader->replay_to = reader->place.next;
      reader->ready = true;
      pump(reader);
    });
  });
}

void StreamConsumer::pump(const ReaderPtr& reader) {
  Reader& r = *reader;
  if (!r.ready || r.reading || r.running || r.ended) return;
  if (r.place.until > 0) {  // a batch that was begun: the same records again
    if (r.read_to < r.place.until && !r.at_end) return read_more(reader);
    const auto behind = std::find_if(r.buffer.begin(), r.buffer.end(),
                                     [&](const StreamRecord& one) { return one.position >= r.place.until; });
    return begin_batch(reader, static_cast<std::size_t>(behind - r.buffer.begin()));
  }
  std::size_t count = 0, bytes = 0;
  for (const StreamRecord& one : r.buffer) {
    const std::size_t size = one.data.size() + one.partition_key.size();
    if (count == plan_->batch_records || (count > 0 && bytes + size > plan_->batch_bytes)) break;
    ++count, bytes += size;
  }
  const bool full = count == plan_->batch_records || count < r.buffer.size() || bytes >= plan_->batch_bytes;
  if (!full && !r.caught_up && !r.at_end) return read_more(reader);
  if (count == 0) {
    if (!r.at_end) return;
    r.ended = true;
    r.place.done = true;
    return keep_place(reader, [this] { refresh(); });
  }
  orchestrator::Loop& loop = around_.handover.loop();
  const Millis left = r.buffer.front().arrived + plan_->window - loop.clock().now();
  if (full || r.at_end || left <= Millis(0)) return begin_batch(reader, count);
  if (std::exchange(r.timed, true)) return;
  at(left, [this, reader] {
    reader->timed = false;
    pump(reader);
  });
}

void StreamConsumer::read_more(const ReaderPtr& reader) {
  reader->reading = true;
  tasks::kinesis::ReadFrom from;
  from.shard = reader->shard.id;
  from.position = reader->read_to;
  from.records_max =
      std::max(plan_->batch_records, kReadAhead) + 1 - std::min(reader->buffer.size(), kReadAhead);
  from.bytes_max = std::max(plan_->batch_bytes, kReadAheadBytes) + 1 -
                   std::min(reader->buffered_bytes, std::max(plan_->batch_bytes, kReadAheadBytes));
  around_.streams.read(from, [this, reader, &loop = around_.handover.loop(),
                              alive = std::weak_ptr(alive_)](Result<ReadRecords> read) {
    const auto taken = std::make_shared<Result<ReadRecords>>(std::move(read));
    loop.post([this, reader, alive, taken] {
      if (!alive.expired()) take(reader, std::move(*taken));
    });
  });
}

void StreamConsumer::take(const ReaderPtr& reader, Result<ReadRecords> read) {
  Reader& r = *reader;
  r.reading = false;
  if (!read) {
    if (read.error().code == ErrorCode::NotFound) {  // the stream is gone
      r.ended = true;
      places_.erase(r.shard.id);
      readers_.erase(r.shard.id);
      return;
    }
    log::error("a stream can't be read; it is tried again",
               {{"consumer", plan_->arn}, {"why", read.error().message}});
    return at(kTick, [this, reader] { pump(reader); });
  }
  const auto again = std::make_shared<std::vector<StreamRecord>>();
  for (StreamRecord& record : read->records) {
    if (record.position < r.replay_to) {
      again->push_back(std::move(record));
      continue;
    }
    r.buffered_bytes += record.data.size() + record.partition_key.size();
    r.buffer.push_back(std::move(record));
  }
  r.read_to = read->next;
  r.backlog = read->backlog();
  r.caught_up = r.backlog == 0;
  r.at_end = read->end;
  if (again->empty()) return pump(reader);
  r.running = true;
  aside(
      reader,
      [again, plan = plan_, region = around_.handover.place().region](Reader& one) {
        for (const StreamRecord& record : *again) {
          const Item item = item_of(*plan, one.shard, record, region);
          if (is_wanted(*plan, item)) one.forest->look_at(item);
        }
      },
      [this, reader] {
        reader->running = false;
        pump(reader);
      });
}

void StreamConsumer::aside(const ReaderPtr& reader, std::function<void(Reader&)> work,
                           std::function<void()> then) {
  const bool taken = around_.handover.aside([reader, work] { work(*reader); },
                                            [then, alive = std::weak_ptr(alive_)] {
                                              if (!alive.expired()) then();
                                            });
  if (!taken) at(kTick, [this, reader, work, then] { aside(reader, work, then); });
}

void StreamConsumer::prepare_batch(const ConsumerPlan& plan, const std::string& region, Reader& reader,
                                   std::size_t count) {
  if (reader.forest && reader.place.until == 0 &&
      reader.forest->rows() >= reader.rows_saved + kRowsBetweenSaves) {
    reader.rows_saved = reader.forest->rows();
    reader.to_save = reader.forest->save(reader.place.next);
  }
  for (std::size_t i = 0; i < count; ++i) {
    Item item = item_of(plan, reader.shard, reader.buffer[i], region);
    if (!is_wanted(plan, item)) continue;
    if (reader.forest) {
      auto found = reader.forest->look_at(item);
      if (!found) continue;
      item = *std::move(found);
    }
    reader.items.push_back(std::move(item));
  }
}

// The place first, then the state that goes with it: the state is never ahead of the place.
void StreamConsumer::save_forest(const ReaderPtr& reader) {
  tasks::kinesis::Streams::Put put;
  put.note_key = "forest/" + place_key(*plan_, reader->shard.id);
  put.note = std::exchange(reader->to_save, {});
  keep_place(reader, [this, put = std::move(put)] {
    around_.streams.put(put, [](const Status& kept) {
      if (!kept) log::warning("the state of a forest could not be saved", {{"why", kept.error().message}});
    });
  });
}

void StreamConsumer::begin_batch(const ReaderPtr& reader, std::size_t count) {
  Reader& r = *reader;
  r.running = true;
  r.items.clear();
  const bool begun = r.place.until > 0;
  const std::int64_t until = begun ? r.place.until : r.buffer[count - 1].position + 1;
  aside(
      reader,
      [plan = plan_, region = around_.handover.place().region, count](Reader& one) {
        prepare_batch(*plan, region, one, count);
      },
      [this, reader, until, begun] { prepared(reader, until, begun); });
}

void StreamConsumer::prepared(const ReaderPtr& reader, std::int64_t until, bool begun) {
  Reader& r = *reader;
  if (!r.to_save.empty()) save_forest(reader);
  if (r.items.empty()) return advance(reader, until);
  if (begun) return run(reader);
  r.place.until = until;
  r.place.attempts = 0;
  if (plan_->objects)
    r.place.object =
        plan_->objects->bucket + "/" +
        object_key(*plan_->objects, plan_->name, batch_key(r, r.items.front()), r.items.front().arrived);
  keep_place(reader, [this, reader] { run(reader); });
}

std::string StreamConsumer::batch_key(const Reader& reader, const Item& first) const {
  return plan_->key + "/" + plan_->generation + "/" + std::to_string(reader.shard.id) + "/" + first.id;
}

void StreamConsumer::run(const ReaderPtr& reader) {
  Reader& r = *reader;
  if (r.parts.empty()) {
    // Records of one key stay together and in order.
    r.parts.resize(static_cast<std::size_t>(plan_->parallel));
    for (const Item& item : r.items)
      r.parts[plan_->parallel == 1 ? 0 : hash64(item.group) % r.parts.size()].items.push_back(item);
    std::erase_if(r.parts, [](const Part& part) { return part.items.empty(); });
  }
  r.failed = {};
  r.under_way = static_cast<std::size_t>(
      std::count_if(r.parts.begin(), r.parts.end(), [](const Part& part) { return !part.done; }));
  for (std::size_t i = 0; i < r.parts.size(); ++i) {
    if (r.parts[i].done) continue;
    around_.handover.hand_over(
        plan_, batch_key(r, r.parts[i].items.front()), r.parts[i].items,
        [this, reader, i, alive = std::weak_ptr(alive_)](Handed handed) {
          if (alive.expired()) return;
          reader->parts[i].done = handed.done;
          if (!handed.done && reader->failed.done) reader->failed = std::move(handed);
          if (--reader->under_way == 0) ended(reader);
        },
        r.place.object);
  }
}

void StreamConsumer::ended(const ReaderPtr& reader) {
  Reader& r = *reader;
  if (r.failed.done) return advance(reader, r.place.until);
  if (failures_) failures_->add();
  log::warning("a batch of a stream was not taken", {{"consumer", plan_->arn},
                                                     {"target", plan_->target},
                                                     {"attempt", std::to_string(r.place.attempts + 1)},
                                                     {"why", r.failed.why}});
  const Instant now = around_.handover.loop().clock().now();
  const auto failed = std::find_if(r.items.begin(), r.items.end(),
                                   [&](const Item& item) { return item.id == r.failed.failed_id; });
  // Those before the first that failed are done.
  if (r.parts.size() == 1 && failed != r.items.end() && failed != r.items.begin()) {
    const std::int64_t next = failed->position;
    r.items.erase(r.items.begin(), failed);
    r.place.next = next;
    while (!r.buffer.empty() && r.buffer.front().position < next) {
      r.buffered_bytes -= r.buffer.front().data.size() + r.buffer.front().partition_key.size();
      r.buffer.pop_front();
    }
    r.place.attempts = 0;
    r.parts.front().items = r.items;
  }
  const bool old = plan_->age_max && now - r.items.front().arrived > *plan_->age_max;
  const bool exhausted = plan_->attempts_max >= 0 && r.place.attempts >= plan_->attempts_max;
  if (plan_->bisect && !r.forest && r.parts.size() == 1 && r.items.size() > 1 && r.failed.failed_id.empty()) {
    // The half that fails alone shows itself; halving is no attempt.
    const std::size_t half = r.items.size() / 2;
    r.place.until = r.items[half].position;
    r.items.resize(half);
    r.parts.clear();
    return keep_place(reader, [this, reader] { run(reader); });
  }
  if (exhausted || old || r.failed.never) return give_up(reader);
  ++r.place.attempts;
  keep_place(reader, [this, reader] { retry(reader); });
}

void StreamConsumer::retry(const ReaderPtr& reader) {
  const int doublings = std::min(reader->place.attempts - 1, 7);
  at(std::min(kRetryMax, kFirstRetry * (1 << std::max(0, doublings))), [this, reader] { run(reader); });
}

void StreamConsumer::give_up(const ReaderPtr& reader) {
  Reader& r = *reader;
  for (const Part& part : r.parts) {
    if (part.done) continue;
    const Item &first = part.items.front(), &last = part.items.back();
    JsonWriter out;
    out.begin_object().key("shardId").string(tasks::kinesis::shard_name(r.shard.number));
    out.key("startSequenceNumber").string(first.id).key("endSequenceNumber").string(last.id);
    out.key("approximateArrivalOfFirstRecord").string(format_rfc3339(first.arrived));
    out.key("approximateArrivalOfLastRecord").string(format_rfc3339(last.arrived));
    out.key("batchSize").number(static_cast<std::int64_t>(part.items.size()));
    out.key("streamArn").string(plan_->source_arn).end_object();
    around_.handover.tell_failure(*plan_, batch_key(r, first), "KinesisBatchInfo", out.finish(), r.failed,
                                  r.place.attempts + 1);
  }
  advance(reader, r.place.until);
}

void StreamConsumer::advance(const ReaderPtr& reader, std::int64_t to) {
  Reader& r = *reader;
  std::uint64_t count = 0;
  for (; !r.buffer.empty() && r.buffer.front().position < to; ++count) {
    r.buffered_bytes -= r.buffer.front().data.size() + r.buffer.front().partition_key.size();
    r.buffer.pop_front();
  }
  if (handed_) handed_->add(count);
  r.place = {};
  r.place.next = to;
  places_[r.shard.id] = r.place;
  r.items.clear();
  r.parts.clear();
  r.running = false;
  keep_lazily(reader);
  // Not from here: a long row of batches in which nothing is wanted would be a deep stack.
  around_.handover.loop().post([this, reader, alive = std::weak_ptr(alive_)] {
    if (!alive.expired()) pump(reader);
  });
}

void StreamConsumer::keep_place(const ReaderPtr& reader, std::function<void()> then) {
  reader->dirty = false;
  places_[reader->shard.id] = reader->place;
  around_.store.run([key = place_key(*plan_, reader->shard.id), record = to_record(reader->place)](
                        bus::Records& records) { records.put(kind::kPlace, key, record); },
                    [this, reader, then = std::move(then), &loop = around_.handover.loop(),
                     alive = std::weak_ptr(alive_)](const Status& kept) {
                      if (!then) return;
                      loop.post([this, reader, then, alive, ok = kept.has_value()] {
                        if (alive.expired()) return;
                        if (ok) return then();
                        at(kTick, [this, reader, then] { keep_place(reader, then); });
                      });
                    });
}

// What is not kept is done again under the same key, or has nothing that was wanted: it may wait a moment.
void StreamConsumer::keep_lazily(const ReaderPtr& reader) {
  if (std::exchange(reader->dirty, true)) return;
  at(kKeepPause, [this, reader] {
    if (reader->dirty) keep_place(reader, {});
  });
}

}  // namespace millrace::streams
