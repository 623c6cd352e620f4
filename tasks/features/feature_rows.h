#pragma once
// FeatureRows: the tables of HOME/features.db: the newest record of each identifier (online), records on
// their way to the files of the offline store (offline), and which of these are being written (plans). Within
// a transaction of the caller's; the store's thread alone, but for FeatureReader. Source: see
// feature_group.h.

#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/sqlite.h"
#include "tasks/features/feature_group.h"

namespace millrace::tasks {

extern const char* const kFeatureSchema;

// A batch of the offline store that is being written: all rows up to a sequence number. It is kept before the
// first file, so that after a crash the same rows go to the same files again.
struct OfflinePlan {
  std::int64_t group = 0, upto = 0;
  Instant written;
  std::string uri;
};
struct OfflineRow {
  std::int64_t time_us = 0, invoked_us = 0;
  bool deleted = false;
  std::string line;
};

class FeatureRows {
 public:
  static Result<FeatureRows> open(Database& database, Instant now);

  // The record becomes the identifier's, unless there is a newer one that has not expired.
  Status put_online(const FeatureGroup& group, const FeatureRecord& record,
                    const std::optional<Instant>& expires, Instant now);
  // The mark of a deletion, unless there is a record that is as new; removed: false when there is one.
  Status mark_deleted(const FeatureGroup& group, const FeatureRecord& deletion, Instant now);
  Result<bool> remove_online(const FeatureGroup& group, const FeatureRecord& deletion, Instant now);
  Status put_offline(const FeatureGroup& group, const FeatureRecord& record, Instant invoked);

  // Plans for every group that has rows and no plan, each of at most `rows_max` rows; those that were there
  // stay.
  Status plan(std::size_t rows_max, Instant now);
  Status finish(const OfflinePlan& plan);

  // Rows of groups that are not among `groups`; of a group; of those that have expired, which puts that
  // expire take along as well.
  Status keep_only(const std::vector<std::int64_t>& groups);
  Status drop_group(std::int64_t group);
  Status drop_expired(Instant now, std::int64_t rows_max);

  void forget();  // a whole transaction was undone

 private:
  // Of the last offline row: when it was put, in microseconds, later than all before; so it is their
  // sequence, too.
  std::int64_t last_put_ = 0;
  std::vector<std::int64_t> placed_;
  Statement put_, mark_, find_, remove_, place_, log_, groups_logged_, bound_, last_, plan_, unlog_, unplan_,
      groups_, drop_, expire_;
};

// What a reader sees is durable. Any thread.
class FeatureReader {
 public:
  static Result<std::unique_ptr<FeatureReader>> open(const std::string& path);
  struct Found {
    std::string answer;
    std::optional<Instant> expires;
  };
  // Nothing: there is none, it was deleted, or it has expired.
  Result<std::optional<Found>> find(const FeatureGroup& group, std::string_view id, Instant now);
  Result<std::vector<OfflinePlan>> plans();
  // The rows of a plan in the order of their event hours.
  Status rows(const OfflinePlan& plan, const std::function<Status(OfflineRow)>& take);

 private:
  FeatureReader() = default;
  std::mutex mutex_;
  Database database_;
  Statement find_, plans_, rows_;
};

}  // namespace millrace::tasks
