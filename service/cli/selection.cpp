#include "service/cli/selection.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "definitions/jsonata/jsonata.h"
#include "service/cli/names.h"
#include "service/cli/times.h"

namespace millrace::cli {
namespace {

using definitions::Jsonata;
using definitions::JsonataResult;

constexpr std::string_view kStatusNames[] = {"RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"};
constexpr int kSelectionPage = 200;

Instant instant_of(double seconds) {
  return from_millis(static_cast<std::int64_t>(seconds * 1000 + 0.5));
}

// The executions of one state machine, newest first, page by page.
class Cursor {
 public:
  Cursor(client::Access& access, MachineName machine, std::string status)
      : access_(access), machine_(std::move(machine)), status_(std::move(status)) {}

  // The next one; null when there is none. Valid until it is taken.
  Result<const Selected*> peek() {
    while (at_ == page_.size() && !done_) MR_DO(read());
    return at_ == page_.size() ? nullptr : &page_[at_];
  }
  Selected take() { return std::move(page_[at_++]); }

 private:
  Status read() {
    const bool children = parts_of(machine_.arn).type == "mapRun";
    Json input = {{children ? "mapRunArn" : "stateMachineArn", machine_.arn}, {"maxResults", kSelectionPage}};
    if (!status_.empty()) input["statusFilter"] = status_;
    if (!token_.empty()) input["nextToken"] = token_;
    MR_TRY(page, ask(access_, "ListExecutions", input));
    token_ = page.value("nextToken", "");
    done_ = token_.empty();
    page_.clear();
    at_ = 0;
    for (Json& row : page["executions"]) {
      Selected one{row.value("executionArn", ""),
                   machine_.name,
                   row.value("name", ""),
                   row.value("status", ""),
                   instant_of(row.value("startDate", 0.0)),
                   {},
                   {}};
      if (row.contains("stopDate")) one.stopped = instant_of(row.value("stopDate", 0.0));
      one.row = std::move(row);
      page_.push_back(std::move(one));
    }
    return {};
  }

  client::Access& access_;
  MachineName machine_;
  std::string status_, token_;
  std::vector<Selected> page_;
  std::size_t at_ = 0;
  bool done_ = false;
};

// The selection, read: what is no time, status or expression has been refused.
struct Rules {
  std::optional<Instant> since, until;
  std::optional<Jsonata> where;
};

Result<Rules> rules_of(const Selection& selection, Instant now) {
  Rules rules;
  if (!selection.since.empty()) {
    MR_TRY(since, past_time(selection.since, "--since", now));
    rules.since = since;
  }
  if (!selection.until.empty()) {
    MR_TRY(until, past_time(selection.until, "--until", now));
    rules.until = until;
  }
  for (const std::string& status : selection.statuses) {
    if (std::find(std::begin(kStatusNames), std::end(kStatusNames), status) == std::end(kStatusNames))
      return invalid("'" + status + "' is no status", "use RUNNING, SUCCEEDED, FAILED, TIMED_OUT or ABORTED");
  }
  if (selection.where.empty()) return rules;
  auto where = Jsonata::compile(selection.where, definitions::JsonataDialect::Jsonata);
  if (!where) {
    return invalid(
        "--where: " + where.error().code + ": " + where.error().message + " at character " +
            std::to_string(where.error().position + 1),
        "a JSONata expression, e.g. 'input.customer = \"Ada\" and durationMillis > 1000'; `millrace "
        "eval` tries one");
  }
  rules.where = *std::move(where);
  return rules;
}

bool is_true(JsonView value) {
  switch (value.kind()) {
    case JsonKind::Null:
    case JsonKind::False:
      return false;
    case JsonKind::True:
      return true;
    case JsonKind::Number:
      return value.number() != 0;
    case JsonKind::String:
      return !value.equals("");
    default:
      return value.size() > 0;
  }
}

bool fits_row(const Selection& selection, const Rules& rules, const Selected& one) {
  const auto& wanted = selection.statuses;
  if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), one.status) == wanted.end()) return false;
  if (rules.until && one.started >= *rules.until) return false;
  return one.name.starts_with(selection.name_prefix) &&
         (selection.search.empty() || one.name.find(selection.search) != std::string::npos);
}

// What only the payloads tell.
Result<bool> fits_payloads(client::Access& access, const Selection& selection, const Rules& rules,
                           Selected& one, SelectionSummary& summary) {
  if (selection.error.empty() && !rules.where) return true;
  MR_TRY(described, ask(access, "DescribeExecution", {{"executionArn", one.arn}}));
  one.described = std::move(described);
  if (!selection.error.empty() && !matches_pattern(selection.error, one.described.value("error", "")))
    return false;
  if (!rules.where) return true;
  const Limits limits;
  const Payload document = judged(one);
  const JsonataResult result = rules.where->evaluate(document.view(), {}, {access.clock().now(), 1, &limits});
  if (result.kind == JsonataResult::Kind::Value) return is_true(result.value.view());
  if (result.kind == JsonataResult::Kind::Error) {
    if (summary.unjudged++ == 0)
      summary.why_unjudged = short_name(one.arn) + ": " + result.error.code + ": " + result.error.message;
  }
  return false;
}

Result<std::vector<Cursor>> cursors_of(client::Access& access, const Selection& selection) {
  const std::string status = selection.statuses.size() == 1 ? selection.statuses[0] : "";
  std::vector<Cursor> cursors;
  if (const ArnParts parts = parts_of(selection.machine); parts.type == "mapRun") {
    cursors.emplace_back(access, MachineName{selection.machine, parts.name}, status);
    return cursors;
  }
  if (!selection.machine.empty()) {
    MR_TRY(machine, find_machine(access, selection.machine));
    cursors.emplace_back(access, std::move(machine), status);
    return cursors;
  }
  MR_TRY(machines, all_machines(access));
  for (MachineName& machine : machines) {
    if (!machine.express) cursors.emplace_back(access, std::move(machine), status);
  }
  return cursors;
}

// The newest of what the cursors stand at; null when all are at their end.
Result<Cursor*> newest_of(std::vector<Cursor>& cursors) {
  Cursor* newest = nullptr;
  Instant at;
  for (Cursor& cursor : cursors) {
    MR_TRY(next, cursor.peek());
    if (!next || (newest && next->started <= at)) continue;
    newest = &cursor;
    at = next->started;
  }
  return newest;
}

}  // namespace

Result<SelectionSummary> select(client::Access& access, const Selection& selection,
                                const std::function<void(const Selected&)>& found) {
  MR_TRY(rules, rules_of(selection, access.clock().now()));
  MR_TRY(cursors, cursors_of(access, selection));
  SelectionSummary summary;
  for (;;) {
    MR_TRY(cursor, newest_of(cursors));
    if (!cursor) return summary;
    Selected one = cursor->take();
    if (rules.since && one.started < *rules.since) return summary;  // and so are all that follow
    if (summary.found >= selection.limit || summary.looked >= selection.scan) {
      summary.more = true;
      return summary;
    }
    ++summary.looked;
    if (!fits_row(selection, rules, one)) continue;
    MR_TRY(fits, fits_payloads(access, selection, rules, one, summary));
    if (!fits) continue;
    ++summary.found;
    found(one);
  }
}

Payload judged(const Selected& one) {
  JsonWriter out;
  out.begin_object();
  out.key("executionArn").string(one.arn).key("name").string(one.name).key("machine").string(one.machine);
  out.key("status").string(one.status).key("startDate").string(format_rfc3339(one.started));
  if (one.stopped) {
    out.key("stopDate").string(format_rfc3339(*one.stopped));
    out.key("durationMillis").number(std::int64_t{(*one.stopped - one.started).count()});
  }
  out.key("redriveCount").number(one.row.value("redriveCount", std::int64_t{0}));
  for (const char* name : {"input", "output"}) {
    const auto document = Payload::parse(one.described.is_object() ? one.described.value(name, "") : "");
    if (document) out.key(name).value(*document);
  }
  for (const char* name : {"error", "cause"}) {
    if (one.described.is_object() && one.described.contains(name))
      out.key(name).string(one.described.value(name, ""));
  }
  out.end_object();
  return out.finish();
}

bool matches_pattern(std::string_view pattern, std::string_view text) {
  // A star that was passed may take one character more.
  std::size_t p = 0, t = 0, star = std::string_view::npos, taken = 0;
  while (t < text.size()) {
    if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t]) && pattern[p] != '*') {
      ++p;
      ++t;
    } else if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      taken = t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++taken;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

void add_selection(CLI::App& command, Selection& selection, bool of_ended) {
  command.add_option("--machine", selection.machine,
                     "of this state machine: ARN, name, NAME:VERSION, NAME:ALIAS; or of a map run: its ARN");
  command
      .add_option("--status", selection.statuses,
                  "RUNNING, SUCCEEDED, FAILED, TIMED_OUT, ABORTED; several: A,B")
      ->delimiter(',');
  command.add_option("--since", selection.since, "started since: 2h (ago), 2026-11-21, 2026-11-21T09:00:00Z");
  command.add_option("--until", selection.until, "started before");
  command.add_option("--name-prefix", selection.name_prefix, "whose name begins so");
  command.add_option("--search", selection.search, "whose name contains this");
  if (of_ended)
    command.add_option("--error", selection.error, "that ended with this error; * and ? stand for anything");
  command.add_option(
      "--where", selection.where,
      "JSONata over {name, machine, status, startDate, stopDate, durationMillis, redriveCount, "
      "input, output, error, cause}");
  command.add_option("--limit", selection.limit, "at most so many")->capture_default_str();
  command.add_option("--scan", selection.scan, "look at so many at most, newest first")
      ->capture_default_str();
}

}  // namespace millrace::cli
