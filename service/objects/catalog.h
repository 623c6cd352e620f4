#pragma once
// Catalog: HOME/objects.db, what is known of the objects beside their bytes, and the one place where objects
// come and go: its thread takes changes in the order they came, many in one transaction, and publishes one
// event of each, exactly once.
//
// A file that was written apart becomes an object so: its record is written as pending and synced, the file
// is synced and renamed and its folder synced, the record and its event are written and synced; then it is
// acknowledged. Killed anywhere between, the next start finds the pending record and either the file under
// its name (it is an object, and its event is published) or not (it never was). Events wait in the database
// until the log of events has them; they are handed over under names of their own, so that a second time is
// none.
//
// Files that others wrote are reported by the Watcher; its reports wait for room in the queue, where requests
// are refused. Any thread may call; answers come on the catalog's.

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "base/result.h"
#include "base/sqlite.h"
#include "service/objects/records.h"

namespace millrace::objects {

// Conditions of a write, looked at in the moment of it. ETags without quotes.
struct WriteConditions {
  bool must_not_exist = false;           // If-None-Match: *
  std::optional<std::string> must_have;  // If-Match
};

// Who asked, for the event.
struct EventOrigin {
  std::string reason = "PutObject";  // as EventBridge names them
  std::string request_id, requester, source;
};

struct NewObject {
  ObjectName name;
  std::filesystem::path temporary, path;  // written; where it belongs
  ObjectRecord record;                    // `file`: of the temporary one
  WriteConditions conditions;
  EventOrigin origin;
};

class Catalog {
 public:
  struct Settings {
    std::filesystem::path root;            // HOME/objects
    std::string path;                      // HOME/objects.db
    std::size_t group_max = 256;           // changes in one transaction
    std::size_t changes_max = 10'000;      // that wait; more are refused with Unavailable
    std::string account = "123456789012";  // of who changes files without asking
    // Puts events in the log: entries as PutEvents takes them; a second call of the same name does nothing.
    // Empty: there are no events.
    std::function<Status(const std::vector<Json>& entries, const std::string& name)> publish;
  };
  // Makes the root and the file where they are missing, takes up what was pending. `seed`: of the store's
  // name. Errors are those of the database.
  static Result<std::unique_ptr<Catalog>> open(Settings settings, const Clock& clock, std::uint64_t seed);
  ~Catalog();  // carries out what waits

  // The record that fits the file as it is now; nothing when none does.
  Result<std::optional<ObjectRecord>> find(const ObjectName& name, const FileState& state) const;
  // Known objects from behind `after`, in order; their records may be out of date.
  Result<std::vector<ObjectName>> names_after(const ObjectName& after, std::size_t most) const;
  // Whether a change of this object is being carried out: its record may be behind its file.
  bool is_changing(const ObjectName& name);
  // When the catalog was made, as long as nobody has looked at what was there before it; then nothing.
  std::optional<Instant> baseline_time() const;

  using Done = std::function<void(Status)>;
  // Conflict: a condition did not hold (the message says which); InvalidArgument: the key is a prefix of
  // others or has one that is an object; OutOfSpace, Internal. The temporary file is gone afterwards.
  void put(NewObject object, Done done);
  // What is not there is no error. Conflict as above.
  void remove(ObjectName name, std::filesystem::path path, WriteConditions conditions, EventOrigin origin,
              Done done);
  // A file of this state and ETag was found; it is an object now if it is still so and was not known.
  void found(ObjectName name, std::filesystem::path path, FileState state, std::string etag);
  // A known object may be gone.
  void missed(ObjectName name, std::filesystem::path path);
  // An object that is older than the catalog: no event comes of it.
  void known_before(ObjectName name, FileState state);
  void baseline_is_taken();
  // The ETag of a known object that had none.
  void remember(ObjectName name, FileState state, std::string etag);

 private:
  struct Change;
  Catalog(Settings settings, const Clock& clock);
  Status open_database(std::uint64_t seed);
  Status settle_pending();
  void submit(std::unique_ptr<Change> change);
  void work();
  std::vector<std::unique_ptr<Change>> next_group();
  void carry_out(std::vector<std::unique_ptr<Change>>& group);
  Status check(const Change& change);
  Status prepare(std::vector<std::unique_ptr<Change>>& group);
  void move_files(std::vector<std::unique_ptr<Change>>& group);
  Status record(std::vector<std::unique_ptr<Change>>& group);
  Status record_one(Change& change);
  Status write_record(const ObjectName& name, const ObjectRecord& record);
  Status add_event(const ObjectName& name, const ObjectRecord* record, const EventOrigin& origin);
  Result<std::int64_t> next_event_number();
  Status erase_record(const ObjectName& name, bool& was_there);
  Result<std::optional<ObjectRecord>> known(const ObjectName& name);
  void publish();
  Status forget_published();

  const Settings settings_;
  const Clock& clock_;
  Database database_;  // the catalog's thread, after open()
  std::string store_name_;
  std::int64_t batch_ = 0;         // of events: the number of its first; 0: the next event begins one
  std::int64_t batch_events_ = 0;  // in it
  std::int64_t published_ = 0;     // batches up to this are in the log of events
  std::int64_t forgotten_ = 0;     // and up to this no longer here
  Millis retry_at_{};              // uptime; of publishing that failed
  bool unpublished_ = false;
  mutable std::mutex read_mutex_;  // over the two that follow
  mutable Database reader_;
  mutable Statement find_, names_;
  std::mutex mutex_;  // over what follows
  std::condition_variable wake_, room_;
  std::deque<std::unique_ptr<Change>> changes_;
  std::set<ObjectName> changing_;  // of the group that is carried out
  bool closing_ = false;
  std::thread thread_;
};

// The MD5 of a file in hexadecimal; Cancelled when `stop` says so.
Result<std::string> md5_of_file(const std::filesystem::path& path, const std::function<bool()>& stop = {});

}  // namespace millrace::objects
