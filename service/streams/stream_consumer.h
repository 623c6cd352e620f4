#pragma once
// StreamConsumer: reads the shards of a stream in order and hands batches on. Its place in each shard is kept
// in bus.db: before a batch is handed on it stands there which records it is of, so that after a crash the
// same batch is handed on under the same key. A shard that came of others is begun when those are read to
// their ends: records of one key keep their order over splits and merges. Loop thread only.

#include <deque>
#include <map>
#include <memory>

#include "base/metrics.h"
#include "service/bus/bus_store.h"
#include "service/streams/anomalies.h"
#include "service/streams/handover.h"
#include "tasks/integrations/kinesis/streams.h"

namespace millrace::streams {

struct ConsumerSurroundings {
  Handover& handover;
  bus::BusStore& store;
  tasks::kinesis::Streams& streams;
  metrics::Registry* metrics = nullptr;  // may be null
};

// How far a shard is read. With `until`: the batch of [next, until) was begun.
struct Place {
  std::int64_t next = 0, until = 0;
  int attempts = 0;   // of that batch, that have failed
  bool done = false;  // the shard is closed and read to its end
  std::string
      object;  // "BUCKET/KEY" that a delivery stream writes the batch to, whatever its plan says later
};
Json to_record(const Place& place);
Place place_of(const Json& record);
std::string place_key(const ConsumerPlan& plan, std::int64_t shard);

class StreamConsumer {
 public:
  using PlanPtr = std::shared_ptr<const ConsumerPlan>;
  // `places`: by shard, what an earlier process had kept of this plan.
  StreamConsumer(ConsumerSurroundings around, PlanPtr plan, std::map<std::int64_t, Place> places);
  ~StreamConsumer();
  StreamConsumer(const StreamConsumer&) = delete;
  StreamConsumer& operator=(const StreamConsumer&) = delete;
  void wake();  // there may be more in the stream

  const std::map<std::int64_t, Place>& places() const { return places_; }
  const ConsumerPlan& plan() const { return *plan_; }

 private:
  struct Part {
    std::vector<Item> items;
    bool done = false;
  };
  struct Reader {
    tasks::kinesis::Shard shard;
    Place place;
    std::deque<tasks::kinesis::StreamRecord> buffer;
    std::size_t buffered_bytes = 0;
    std::int64_t read_to = 0, backlog = 0;
    bool ready = false;  // false: its place or its forest is still looked for
    bool reading = false, caught_up = false, at_end = false, running = false, ended = false;
    orchestrator::TimerHandle timer = 0;
    bool timed = false;
    std::vector<Item> items;  // of the batch that is handed on
    std::vector<Part> parts;
    std::size_t under_way = 0;
    Handed failed;  // the first part's that did
    bool dirty = false;
    std::optional<Anomalies> forest;
    std::int64_t replay_to = 0;
    std::uint64_t rows_saved = 0;
    std::string to_save;  // the forest's state before the batch
  };
  using ReaderPtr = std::shared_ptr<Reader>;

  void tick();
  void refresh();
  void take_shards(const tasks::kinesis::Stream& stream);
  bool may_begin(const tasks::kinesis::Stream& stream, const tasks::kinesis::Shard& shard) const;
  void begin_shard(const tasks::kinesis::Shard& shard);
  void place_reader(const ReaderPtr& reader, std::int64_t next);
  void restore_forest(const ReaderPtr& reader);
  void begin_forest(const ReaderPtr& reader);
  void pump(const ReaderPtr& reader);
  void read_more(const ReaderPtr& reader);
  void take(const ReaderPtr& reader, Result<tasks::kinesis::ReadRecords> read);
  void begin_batch(const ReaderPtr& reader, std::size_t count);
  // Any thread, while the reader is running.
  static void prepare_batch(const ConsumerPlan& plan, const std::string& region, Reader& reader,
                            std::size_t count);
  void prepared(const ReaderPtr& reader, std::int64_t until, bool begun);
  void save_forest(const ReaderPtr& reader);
  void aside(const ReaderPtr& reader, std::function<void(Reader&)> work, std::function<void()> then);
  void run(const ReaderPtr& reader);
  void ended(const ReaderPtr& reader);
  void retry(const ReaderPtr& reader);
  void give_up(const ReaderPtr& reader);
  void advance(const ReaderPtr& reader, std::int64_t to);
  void keep_place(const ReaderPtr& reader, std::function<void()> then);
  void keep_lazily(const ReaderPtr& reader);
  std::string batch_key(const Reader& reader, const Item& first) const;
  // `call` on the loop, unless this object is gone.
  template <class Call>
  void at(Millis pause, Call call);
  void measure();

  ConsumerSurroundings around_;
  const PlanPtr plan_;
  std::map<std::int64_t, Place> places_;  // by shard
  std::map<std::int64_t, ReaderPtr> readers_;
  bool looking_ = false;
  int ticks_ = 0;
  metrics::Gauge *backlog_ = nullptr, *age_ = nullptr;
  metrics::Counter *handed_ = nullptr, *failures_ = nullptr;
  std::shared_ptr<int> alive_ = std::make_shared<int>();
};

}  // namespace millrace::streams
