// Retry and Catch. Source: Amazon States Language, "Errors".

#include <algorithm>

#include "base/failure.h"
#include "definitions/parse.h"

namespace millrace::definitions {
namespace {

constexpr std::int64_t kMaxDelayMax = 31'622'400;

const std::vector<std::string_view>& reserved_names() {
  using namespace error_names;
  static const std::vector<std::string_view> kNames = {kAll,
                                                       kTaskFailed,
                                                       kTimeout,
                                                       kHeartbeatTimeout,
                                                       kPermissions,
                                                       kRuntime,
                                                       kDataLimitExceeded,
                                                       kResultPathMatchFailure,
                                                       kParameterPathFailure,
                                                       kIntrinsicFailure,
                                                       kBranchFailed,
                                                       kNoChoiceMatched,
                                                       kQueryEvaluationError,
                                                       kExceedToleratedFailureThreshold,
                                                       kItemReaderFailed,
                                                       kResultWriterFailed};
  return kNames;
}

// Error names beginning with "States." are the language's own; one it does not have is never raised.
void check_error_name(Fields& fields, JsonView at, const std::string& pointer, const std::string& name) {
  if (!name.starts_with("States.") || name.starts_with("States.Http.")) return;
  const auto& known = reserved_names();
  if (std::find(known.begin(), known.end(), name) != known.end()) return;
  const std::string near = fields.source().nearest_name(name, known);
  fields.source().warning(
      at, pointer, codes::kErrorName, "No error is called '" + name + "'",
      near.empty() ? "names that begin with States. are the language's own" : "did you mean '" + near + "'?");
}

std::vector<std::string> parse_error_equals(Fields& fields, bool last) {
  std::vector<std::string> names;
  if (!fields.require({"ErrorEquals"})) return names;
  const JsonView array = fields.array("ErrorEquals");
  if (!array) return names;
  std::size_t index = 0;
  for (const JsonView element : array.elements()) {
    const std::string pointer = place(fields.pointer(), "ErrorEquals", index++);
    if (!element.is_string()) {
      fields.source().error(element, pointer, codes::kSchema, "Expected value of type String",
                            fields.takes("ErrorEquals"));
      continue;
    }
    names.push_back(element.string());
    check_error_name(fields, element, pointer, names.back());
  }
  if (std::find(names.begin(), names.end(), error_names::kAll) == names.end()) return names;
  if (names.size() > 1) {
    fields.error_at("ErrorEquals", "States.ALL must be the only element of ErrorEquals",
                    "it covers the others; put them into an entry of their own before it");
  } else if (!last) {
    fields.error_at("ErrorEquals", "States.ALL must be in the last element of the array",
                    "nothing behind it would ever match");
  }
  return names;
}

Retrier parse_retrier(Parsing& p, Fields& fields, bool last) {
  fields.refuse_unknown(~0u, p.node.language);
  Retrier retrier;
  retrier.error_equals = parse_error_equals(fields, last);
  retrier.interval_seconds = static_cast<double>(fields.whole("IntervalSeconds", 1, kSecondsMax).value_or(1));
  retrier.max_attempts = fields.whole("MaxAttempts", 0, kSecondsMax).value_or(3);
  retrier.backoff_rate = fields.number("BackoffRate", 1.0, 1e300).value_or(2.0);
  if (const auto delay = fields.whole("MaxDelaySeconds", 1, kMaxDelayMax)) {
    retrier.max_delay_seconds = static_cast<double>(*delay);
    if (*retrier.max_delay_seconds <= retrier.interval_seconds) {
      fields.error_at(
          "MaxDelaySeconds", "MaxDelaySeconds must be greater than IntervalSeconds",
          "IntervalSeconds is " + std::to_string(static_cast<std::int64_t>(retrier.interval_seconds)));
    }
  }
  const bool full = fields.one_of("JitterStrategy", {"NONE", "FULL"}) == "FULL";
  retrier.jitter = full ? JitterStrategy::Full : JitterStrategy::None;
  fields.text("Comment");
  return retrier;
}

Catcher parse_catcher(Parsing& p, Fields& fields, bool last) {
  fields.refuse_unknown(~0u, p.node.language);
  Catcher catcher;
  catcher.error_equals = parse_error_equals(fields, last);
  if (fields.require({"Next"}))
    catcher.next = parse_target(p, fields, "Next");
  else
    p.names.incomplete = true;
  if (p.json_path())
    catcher.result_path = fields.result_path("ResultPath");
  else
    catcher.output = fields.payload_template("Output", false, true);
  catcher.assign = fields.assign(false, true);
  fields.text("Comment");
  return catcher;
}

template <class Entry>
std::vector<Entry> parse_entries(Parsing& p, std::string_view name, std::span<const FieldRule> rules,
                                 Entry (*parse)(Parsing&, Fields&, bool)) {
  std::vector<Entry> out;
  const JsonView value = p.fields.find(name);
  if (!value || (value.is_array() && value.size() == 0))
    return out;  // an empty list is harmless, tools write it
  const JsonView array = p.fields.array(name);
  if (!array) return out;
  std::size_t index = 0;
  for (const JsonView element : array.elements()) {
    const std::string pointer = place(p.fields.pointer(), name, index++);
    if (!element.is_object()) {
      p.source.error(element, pointer, codes::kSchema, "Expected value of type Object", p.fields.takes(name));
      continue;
    }
    Fields fields(p.source, element, pointer, element, rules);
    out.push_back(parse(p, fields, index == array.size()));
  }
  return out;
}

}  // namespace

void parse_error_policy(Parsing& p) {
  p.node.errors.retriers = parse_entries<Retrier>(p, "Retry", retrier_fields(), parse_retrier);
  p.node.errors.catchers = parse_entries<Catcher>(p, "Catch", catcher_fields(), parse_catcher);
}

}  // namespace millrace::definitions
