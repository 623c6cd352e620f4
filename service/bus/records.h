#pragma once
// Records: what the bus remembers (buses, rules with their targets, archives, replays, destinations,
// schedules, failed deliveries, cursors) as JSON documents by kind and key: in memory, and in one table of
// HOME/bus.db. What is put is part of the transaction of the piece that puts it
// (tasks/integrations/group_store.h). The store's thread alone.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/sqlite.h"

namespace millrace::bus {

namespace kind {
inline constexpr std::string_view kBus = "bus", kRule = "rule", kTags = "tags", kArchive = "archive",
                                  kReplay = "replay", kDestination = "destination", kGroup = "group",
                                  kSchedule = "schedule", kFired = "fired", kDelivery = "delivery",
                                  kCursor = "cursor", kPlace = "place";
}  // namespace kind

// Kinds whose key has two parts put this between them: it stands in no name.
inline constexpr char kKeySeparator = '\n';
std::string joined_key(std::string_view first, std::string_view second);

class Records {
 public:
  using Documents = std::map<std::string, std::string, std::less<>>;  // by key: JSON text
  struct Change {
    std::string kind, key;
    std::optional<std::string> text;  // none: it was erased
  };
  static const char* const kSchema;

  // Reads all; again after a group was undone.
  Status load(Database& database);

  const Documents& all(std::string_view kind) const;
  bool has(std::string_view kind, std::string_view key) const;
  Json find(std::string_view kind, std::string_view key) const;  // null: there is none
  void put(std::string_view kind, std::string_view key, const Json& document);
  void erase(std::string_view kind, std::string_view key);
  // Of the piece that runs, emptied.
  std::vector<Change> take_changes();
  // What the database said when it could not keep something; emptied.
  std::optional<Error> take_error();

  // Archived events: an event's second copy is not kept. False: it was there.
  Status archive(std::string_view name, std::string_view event_id, Instant time, std::string_view document);
  struct Archived {
    std::int64_t number = 0;
    Instant time;
    std::string id, document;
  };
  // In order, behind `after`, of the time span [from, until).
  Result<std::vector<Archived>> archived(std::string_view name, std::int64_t after, Instant from,
                                         Instant until, std::size_t limit);
  struct ArchiveSize {
    std::int64_t events = 0, bytes = 0;
  };
  Result<ArchiveSize> archive_size(std::string_view name);
  Status forget_archived(std::string_view name, Instant before);

 private:
  void note(Status status);

  Database* database_ = nullptr;
  std::map<std::string, Documents, std::less<>> kinds_;
  std::vector<Change> changes_;
  std::optional<Error> error_;
  Statement put_, erase_, archive_, archived_, archive_size_, forget_;
};

}  // namespace millrace::bus
