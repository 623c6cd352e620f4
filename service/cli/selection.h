#pragma once
// Selection: which executions a command is about, by what lists and payloads say of them. Used by list,
// redrive and stop; works the same on a server and on a home.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "service/client/access.h"

namespace CLI {
class App;
}

namespace millrace::cli {

struct Selection {
  std::string machine;                // ARN or name, of a version, alias or map run too; empty: all
  std::vector<std::string> statuses;  // empty: any
  std::string since, until;           // of the start; see past_time
  std::string name_prefix, search;
  std::string error;  // with * and ?
  std::string where;  // JSONata over `judged()`
  std::size_t limit = 50;
  std::size_t scan = 10'000;  // executions looked at, at most

  bool any() const {
    return !machine.empty() || !statuses.empty() || !since.empty() || !until.empty() ||
           !name_prefix.empty() || !search.empty() || !error.empty() || !where.empty();
  }
};
// --machine, --status, --since, --until, --name-prefix, --search, --where, --limit, --scan; --error unless
// what is selected still runs.
void add_selection(CLI::App& command, Selection& selection, bool of_ended = true);

struct Selected {
  std::string arn, machine, name, status;
  Instant started;
  std::optional<Instant> stopped;
  Json row;                  // of ListExecutions
  Json described = nullptr;  // DescribeExecution, where the selection needed it
};

struct SelectionSummary {
  std::size_t found = 0, looked = 0;
  bool more = false;         // there were more to look at when `limit` or `scan` was reached
  std::size_t unjudged = 0;  // `where` failed on so many
  std::string why_unjudged;  // on the first of them
};

// Hands over what is selected, newest first. InvalidArgument for an expression, time or status that is none;
// NotFound for the state machine.
Result<SelectionSummary> select(client::Access& access, const Selection& selection,
                                const std::function<void(const Selected&)>& found);

// What --where sees: executionArn, name, machine, status, startDate, stopDate, durationMillis, redriveCount,
// input, output, error, cause.
Payload judged(const Selected& execution);
// Whether the text matches a pattern of characters, * and ?.
bool matches_pattern(std::string_view pattern, std::string_view text);

}  // namespace millrace::cli
