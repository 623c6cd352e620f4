#pragma once
// GroupStore: a database with a thread of its own, which carries out pieces of work in the order they came,
// many in one transaction: a group costs one fsync, and nobody hears of his piece before its group is
// durable. A piece that fails is undone alone (savepoint). A piece may wait, for another one that touches its
// channel or for a time, without holding a thread. Any thread may submit; pieces and answers run on the
// store's thread.

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/sqlite.h"

namespace millrace::tasks {

class GroupStore {
 public:
  struct Settings {
    std::string path;
    const char* schema = "";            // CREATE … IF NOT EXISTS
    std::size_t group_max = 256;        // pieces in one transaction
    std::size_t pieces_max = 10'000;    // queued; more are refused
    std::size_t waiting_max = 10'000;   // waiting; more are told that this is their last turn
    std::function<void()> rolled_back;  // a whole group was undone: forget what you remember of it
  };
  enum class End {
    Keep,  // what it wrote is part of the group
    Undo,  // what it wrote is not; its answer is an error or a refusal
    Wait,  // what it wrote is kept, its answer comes later: again when `channel` is touched or at `retry_at`,
           // unless this was the last turn
    Broken,  // the database failed (`error`): the whole group is undone, and all of it hears so
  };
  struct Turn {
    Database& database;
    Instant now;
    bool last = false;                     // its deadline has come, or no more may wait: it must not
    std::optional<Instant> deadline = {};  // until when it may wait; set by who waits, kept between turns
    Instant retry_at = {};                 // set by who waits
    std::int64_t channel = 0;              // set by who waits
    Error error = {};                      // set by who is broken
    std::function<void(std::int64_t channel)> touch = {};  // wakes those who wait for the channel
  };
  struct Piece {
    std::function<End(Turn&)> work;
    std::function<void(const Status&)> done;             // once; an error: nothing was kept
    std::shared_ptr<const std::atomic<bool>> gone = {};  // nobody wants the answer: it has no turn (more)
  };

  static Result<std::unique_ptr<GroupStore>> open(Settings settings, const Clock& clock);
  // Ends what waits (a last turn each), then the thread. Pieces in the queue are carried out.
  ~GroupStore();
  // False: too many are queued, or the store is closing; the piece was not taken.
  bool submit(Piece piece);
  // For preparing statements before the first piece; not while pieces run.
  Database& database();

 private:
  struct State;
  explicit GroupStore(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace millrace::tasks
