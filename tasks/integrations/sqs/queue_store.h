#pragma once
// QueueStore: queues and their messages in SQLite: who is visible when, groups of FIFO queues, duplicates of
// five minutes. Within a transaction of the caller's; the store's thread alone.

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/sqlite.h"
#include "tasks/integrations/sqs/message.h"
#include "tasks/integrations/sqs/queue.h"

namespace millrace::tasks::sqs {

extern const char* const kQueuesSchema;
constexpr Millis kDeduplication{300'000};

struct Stored {
  std::int64_t sequence = 0;
  std::string id, body, attributes, system, group_id, deduplication_id, source;
  Instant sent, first_received;
  std::int64_t receives = 0;
};
struct Sent {
  std::string id;
  std::int64_t sequence = 0;
};
struct Counts {
  std::int64_t visible = 0, in_flight = 0, delayed = 0;
};
using QueuePtr = std::shared_ptr<const Queue>;

class QueueStore {
 public:
  static Result<QueueStore> open(Database& database);

  Result<QueuePtr> find(const std::string& name);  // null: there is none
  Result<std::vector<std::string>> names(const std::string& prefix, const std::string& after,
                                         std::int64_t limit);
  Status create(const Queue& queue);
  Status update(const Queue& queue);  // attributes, tags, modified
  Status drop(const Queue& queue);
  Status purge(const Queue& queue);

  // What was sent under this deduplication id within five minutes.
  Result<std::optional<Sent>> duplicate_of(const Queue& queue, const std::string& scope,
                                           const std::string& id, Instant now);
  // `scope`: what the deduplication id is unique in; empty id: none.
  Result<Sent> add(const Queue& queue, const Message& message, const std::string& id,
                   const std::string& scope, const std::string& deduplication_id, Instant now,
                   Instant visible_at);
  // Messages that may be received now, in order; deletes what is too old.
  Result<std::vector<Stored>> visible(const Queue& queue, Instant now, std::int64_t limit);
  Result<std::optional<Instant>> next_visible(const Queue& queue, Instant now);
  Status receive(const Stored& message, Instant now, Instant visible_at);
  Status move(const Stored& message, const Queue& to, const std::string& from_arn, Instant now);
  // Nothing: it is not there, was moved, or was received again since (FIFO and standard alike).
  Result<std::optional<Instant>> visible_at(const Queue& queue, std::int64_t sequence, std::int64_t receives);
  Status erase(std::int64_t sequence);
  Status hide(std::int64_t sequence, Instant until);
  Result<Counts> counts(const Queue& queue, Instant now);

  void forget();

 private:
  std::map<std::string, QueuePtr> known_;
  Statement find_, names_, create_, update_, drop_, purge_, drop_duplicates_, find_duplicate_, add_duplicate_,
      prune_duplicates_, add_, visible_, visible_fifo_, expire_, next_visible_, receive_, move_, visible_at_,
      erase_, hide_, counts_, last_;
};

}  // namespace millrace::tasks::sqs
