#pragma once
// Lists of records as SageMaker's List… operations give them: filters, an order, pages. A page token holds
// the place in the order, so that it stays right while records come and go. Any thread.

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "tasks/arguments.h"
#include "tasks/jobs/entities.h"
#include "tasks/jobs/jobs.h"

namespace millrace::tasks {

// A time in a request, in milliseconds since 1970: a number of seconds, or RFC 3339. Nothing when it is not
// there. InvalidArgument.
Result<std::optional<std::int64_t>> time_argument(const Arguments& arguments, std::string_view key);

// NameContains, StatusEquals, CreationTimeAfter/Before, LastModifiedTimeAfter/Before (and Created…, which
// experiments have) of a request. A bound itself is let through, as AWS does.
class ListFilter {
 public:
  static Result<ListFilter> read(const EntityKind& entity, const Arguments& arguments);
  bool fits(const Json& record) const;

 private:
  struct Range {
    std::string_view field;
    std::optional<std::int64_t> after, before;
  };
  std::string name_field_, status_field_, contains_, status_;
  std::vector<Range> ranges_;
};

// What a kind's SortBy may be, and the member of its records that each means.
using SortKey = std::pair<std::string_view, std::string>;
std::vector<SortKey> usual_sort_keys(
    const EntityKind& entity);  // Name, CreationTime, LastModifiedTime, Status

struct Page {
  std::vector<Json> records;
  std::string next_token;  // empty: there is no more
  std::size_t hits = 0;    // on all pages
};
// One page of the records in the order that SortBy (default: the first key), SortOrder (default Descending),
// MaxResults (default 100, at most 1000) and NextToken ask for. `key_of` gives what a record is sorted by for
// a member's name; empty: the member itself.
using KeyOf = std::function<Json(const Json& record, const std::string& member)>;
Result<Page> page_of(std::vector<Jobs::Record> records, const Arguments& arguments,
                     const std::vector<SortKey>& keys, const KeyOf& key_of = {});

// {"<list_field>": [summary, …], "NextToken": …}
Json page_answer(std::string_view list_field, const Page& page,
                 const std::function<Json(const Json&)>& summary);

}  // namespace millrace::tasks
