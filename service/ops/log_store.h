#pragma once
// LogStore: HOME/logs.db: log groups, their streams and events, as CloudWatch Logs has them. Synchronous, one
// thread at a time; LogWriter (log_writer.h) is that thread. Source: CloudWatch Logs API reference.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace millrace::service {

struct LogGroup {
  std::int64_t id = 0;
  std::string name;
  Instant created;
  std::int64_t retention_days = 0;  // 0: for ever
  std::int64_t bytes = 0;           // of messages, with 26 for each event as AWS counts
};

struct LogStream {
  std::int64_t id = 0;
  std::string name;
  Instant created;
  std::optional<Instant> first_event, last_event, last_ingestion;
};

struct LogEvent {
  std::int64_t id = 0;
  Instant time, ingested;
  std::string stream;
  std::string message;
};

// A place between events: behind those up to (time, id).
struct LogPlace {
  std::int64_t time = 0, id = 0;
};

struct LogQuery {
  std::int64_t group = 0;
  std::vector<std::int64_t> streams;                     // empty: all of the group
  std::int64_t from = 0, until = std::int64_t{1} << 60;  // times in milliseconds; `until` is not included
  std::optional<LogPlace> place;                         // after it, or before it when `newest_first`
  bool newest_first = false;
  std::size_t limit = 10'000;
};

// One line on its way to a stream that is made when it is missing, as is its group.
struct LogLine {
  std::string group, stream;
  Instant time;
  std::string message;
};

class LogStore {
 public:
  virtual ~LogStore() = default;

  // AlreadyExists, NotFound in AWS's words.
  virtual Status create_group(const std::string& name, Instant now, std::int64_t retention_days = 0) = 0;
  virtual Result<LogGroup> group(const std::string& name) = 0;
  virtual Status delete_group(const std::string& name) = 0;
  virtual Status set_retention(const std::string& name, std::int64_t days) = 0;
  // By name, after `after`; names that begin with `prefix` and hold `part`.
  virtual Result<std::vector<LogGroup>> groups(const std::string& prefix, const std::string& part,
                                               const std::string& after, std::size_t limit) = 0;
  virtual Status create_stream(const std::string& group, const std::string& name, Instant now) = 0;
  virtual Result<LogStream> stream(const std::string& group, const std::string& name) = 0;
  virtual Status delete_stream(const std::string& group, const std::string& name) = 0;
  // By name, or by the time of the last event with the newest last; `skip` of them left out.
  virtual Result<std::vector<LogStream>> streams(const std::string& group, const std::string& prefix,
                                                 bool by_last_event, bool descending, std::size_t skip,
                                                 std::size_t limit) = 0;
  virtual Status put(const std::string& group, const std::string& stream, std::span<const LogEvent> events,
                     Instant now) = 0;
  // Lines of our own, in one transaction; new groups keep their events `retention_days`.
  virtual Status write(std::span<const LogLine> lines, Instant now, std::int64_t retention_days) = 0;
  virtual Result<std::vector<LogEvent>> events(const LogQuery& query) = 0;
  virtual Result<std::vector<std::pair<std::string, std::string>>> tags(const std::string& group) = 0;
  virtual Status set_tag(const std::string& group, const std::string& key, const std::string& value) = 0;
  virtual Status remove_tag(const std::string& group, const std::string& key) = 0;
  // At most `limit` events that their group's retention gives up; how many there were.
  virtual Result<std::size_t> remove_expired(Instant now, std::size_t limit) = 0;
};

// Unavailable when it was written by a newer version, DataLoss when it is damaged or not ours.
Result<std::unique_ptr<LogStore>> open_log_store(const std::string& path);

}  // namespace millrace::service
