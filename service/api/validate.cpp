// ValidateStateMachineDefinition.

#include "definitions/compile.h"
#include "service/api/operations.h"

namespace millrace::api {
namespace {

constexpr std::size_t kDiagnosticsMax = 100;  // of maxResults 0 and absent

void write_diagnostic(JsonWriter& out, const definitions::Diagnostic& diagnostic) {
  out.begin_object();
  out.key("severity").string(diagnostic.severity == definitions::Severity::Error ? "ERROR" : "WARNING");
  out.key("code").string(diagnostic.code).key("message").string(diagnostic.message);
  if (!diagnostic.pointer.empty()) out.key("location").string(diagnostic.pointer);
  out.end_object();
}

}  // namespace

void validate_state_machine_definition(Call call) {
  const bool warnings = text_of(call.input, "severity") == "WARNING";
  const std::int64_t asked = whole_of(call.input, "maxResults", 0);
  const std::size_t most = asked == 0 ? kDiagnosticsMax : static_cast<std::size_t>(asked);
  const auto kind = text_of(call.input, "type") == "EXPRESS" ? definitions::MachineKind::Express
                                                             : definitions::MachineKind::Standard;
  const std::string text = text_of(call.input, "definition");
  const definitions::Compiled compiled =
      definitions::compile(text, call.services.engine.settings().limits, kind);
  JsonWriter out;
  out.begin_object().key("result").string(compiled.program ? "OK" : "FAIL");
  out.key("diagnostics").begin_array();
  std::size_t shown = 0;
  bool truncated = false;
  for (const definitions::Diagnostic& diagnostic : compiled.diagnostics) {
    if (diagnostic.severity != definitions::Severity::Error && !warnings) continue;
    truncated = shown == most;
    if (truncated) break;
    write_diagnostic(out, diagnostic);
    ++shown;
  }
  out.end_array().key("truncated").boolean(truncated).end_object();
  call.reply(out.finish());
}

}  // namespace millrace::api
