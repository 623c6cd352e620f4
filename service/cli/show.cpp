#include "service/cli/show.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "service/cli/command.h"
#include "service/cli/names.h"
#include "service/cli/print.h"
#include "service/cli/state_tree.h"

namespace millrace::cli {

std::string for_people(const std::string& error, const std::string& cause) {
  std::string reason = cause;
  if (auto document = Payload::parse(cause); document && document->view().is_object()) {
    for (const char* name : {"FailureReason", "errorMessage", "Cause"}) {
      const JsonView found = document->view().find(name);
      if (!found || !found.is_string()) continue;
      reason = found.string();
      break;
    }
  }
  if (error.empty() || reason.empty()) return error + reason;
  return error + ": " + reason;
}

Instant time_of(const Json& seconds) {
  return seconds.is_number() ? from_millis(static_cast<std::int64_t>(seconds.get<double>() * 1000 + 0.5))
                             : Instant();
}

std::string time_text(const Json& seconds) {
  return seconds.is_number() ? format_rfc3339(time_of(seconds)) : "";
}

std::string status_line(const Json& execution) {
  std::string line = short_name(execution.value("executionArn", "")) + " " + execution.value("status", "");
  if (execution.contains("stopDate"))
    line += " in " + format_duration(time_of(execution["stopDate"]) - time_of(execution["startDate"]));
  return line;
}

void write_states(JsonWriter& out, const StateRows& rows) {
  out.key("states").begin_array();
  for (const StateRow* row : rows.shown()) {
    out.begin_object();
    out.key("name").string(row->name);
    out.key("kind").string(row->kind);
    out.key("status").string(name_of(row->status));
    if (row->over()) out.key("durationMillis").number(std::int64_t{(row->left - row->entered).count()});
    if (row->visits > 1) out.key("visits").number(static_cast<std::int64_t>(row->visits));
    if (row->depth > 0) out.key("depth").number(static_cast<std::int64_t>(row->depth));
    out.end_object();
  }
  out.end_array();
}

void print_end(const Json& execution, const StateRows* rows, bool json) {
  const auto output = Payload::parse(execution.value("output", ""));
  if (!json) {
    if (output) print_line(pretty(output->view()));
    std::fprintf(stderr, "%s\n", status_line(execution).c_str());
    const std::string failure = for_people(execution.value("error", ""), execution.value("cause", ""));
    if (!failure.empty()) std::fprintf(stderr, "  %s\n", failure.c_str());
    return;
  }
  JsonWriter out;
  out.begin_object();
  for (const char* name : {"executionArn", "name", "status"}) out.key(name).string(execution.value(name, ""));
  out.key("startDate").string(time_text(execution.value("startDate", Json())));
  if (execution.contains("stopDate")) {
    out.key("stopDate").string(time_text(execution["stopDate"]));
    out.key("durationMillis")
        .number(std::int64_t{(time_of(execution["stopDate"]) - time_of(execution["startDate"])).count()});
  }
  if (output) out.key("output").value(*output);
  for (const char* name : {"error", "cause"}) {
    if (execution.contains(name)) out.key(name).string(execution.value(name, ""));
  }
  if (rows) write_states(out, *rows);
  out.end_object();
  print_line(out.finish().text());
}

}  // namespace millrace::cli
