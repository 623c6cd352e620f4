#include "definitions/compile.h"

#include "base/encoding.h"
#include "definitions/check.h"
#include "definitions/parse.h"

namespace millrace::definitions {

Compiled compile(std::string_view definition_text, const Limits& limits, MachineKind kind) {
  Source source(definition_text, limits);
  source.express = kind == MachineKind::Express;
  std::shared_ptr<Program> program;
  if (source.read()) {
    program = parse_scope(source, source.root(), source.root(), "/", ScopeKind::Machine,
                          QueryLanguage::JsonPath, 0);
    check_assigned(source);
    if (program && !source.failed()) check_paths(source, *program);
  }
  Compiled out;
  if (program && !source.failed()) {
    program->text = definition_text;
    program->hash = digest_hex(Digest::Sha256, definition_text);
    out.program = std::move(program);
  }
  out.diagnostics = source.diagnostics();
  return out;
}

}  // namespace millrace::definitions
