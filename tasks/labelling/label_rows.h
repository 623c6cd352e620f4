#pragma once
// LabelRows: the tables of HOME/labels.db: the objects of labelling jobs and what people said of them. Within
// a transaction of the caller's; the store's thread alone.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/sqlite.h"
#include "tasks/labelling/label_job.h"

namespace millrace::tasks {

extern const char* const kLabelSchema;

struct LabelObject {
  std::int64_t id = 0;  // its line in the manifest, from 0
  std::string line;
};
struct LabelCounts {
  std::int64_t all = 0, labelled = 0;
};

class LabelRows {
 public:
  static Result<LabelRows> open(Database& database);

  Status add_object(std::int64_t job, std::int64_t id, std::string_view line);
  // Objects that fewer than `workers` have labelled, and `worker` has not, in their order, behind the one
  // named.
  Result<std::vector<LabelObject>> next(std::int64_t job, int workers, std::string_view worker,
                                        std::int64_t limit, std::int64_t after = -1);
  Result<std::optional<LabelObject>> object(std::int64_t job, std::int64_t id);
  // False: there is no such object, or enough others have labelled it. Who says something again changes his
  // mind.
  Result<bool> vote(std::int64_t job, int workers, std::int64_t id, std::string_view worker,
                    std::size_t category, Instant now);
  Result<LabelCounts> counts(std::int64_t job, int workers);
  // Every object that enough have labelled, with their votes, in order.
  Status labelled(std::int64_t job, int workers,
                  const std::function<Status(const LabelObject&, const LabelVotes&)>& take);
  // Rows of jobs that are not among `jobs`.
  Status keep_only(const std::vector<std::int64_t>& jobs);

 private:
  Statement add_, next_, line_, object_, others_, vote_, all_, labelled_, votes_, jobs_, drop_objects_,
      drop_votes_;
};

}  // namespace millrace::tasks
