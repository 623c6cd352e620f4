#pragma once
// AsOfJoin: for each row of a spine the newest record of its identifier that is not later than the row: a
// value that was known then, never one from its future. Rows and records are sorted on disk and merged, so
// that memory does not grow with them (64 MB of cache). One thread. Cost: O((n + m) log(n + m)).

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/sqlite.h"

namespace millrace::tasks {

struct AsOfRules {
  bool accurate = true;                         // false: the newest record of all times
  std::optional<std::int64_t> max_age_us = {};  // of a record before its row; older ones don't count
};

// A record of one group; `cells` is the caller's.
struct AsOfRecord {
  std::string_view id;
  std::int64_t time_us = 0, invoked_us = 0, written_ms = 0;
  bool deleted = false;  // from here on the identifier has no values
  std::string_view cells;
};

class AsOfJoin {
 public:
  // `groups`: how many are joined. `stop`: asked now and then; true: Cancelled.
  static Result<std::unique_ptr<AsOfJoin>> open(std::size_t groups, std::function<bool()> stop);

  // A row of the spine: what identifies it in each group (nothing: it has no record there), and its time.
  Status add_row(std::string_view cells, std::span<const std::optional<std::string>> ids,
                 std::int64_t time_us);
  Status add_record(std::size_t group, const AsOfRecord& record);

  // Finds the records of one group for all rows. Of records of one time the one counts that was put last,
  // then the one that was written last.
  Status merge(std::size_t group, const AsOfRules& rules);
  // Rows in the order they were added, each with the cells of its records by group; null: none.
  using TakeRow =
      std::function<Status(std::string_view cells, std::span<const std::optional<std::string_view>> found)>;
  Status rows(const TakeRow& take);
  // The records of a group by identifier, the newest first, until `take` has what it wants of an identifier
  // (false: go on with the next one).
  Status newest_first(std::size_t group, const std::function<Result<bool>(const AsOfRecord&)>& take);

 private:
  AsOfJoin() = default;
  struct Group {
    Statement add_key, add_record, add_found;
    std::string table;  // number, behind the names of its tables
  };
  Database database_;
  std::vector<Group> groups_;
  Statement add_row_;
  std::int64_t count_ = 0;
};

}  // namespace millrace::tasks
