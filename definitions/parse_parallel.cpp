#include "definitions/parse.h"

namespace millrace::definitions {

void parse_parallel(Parsing& p) {
  Parallel parallel;
  p.fields.require({"Branches"});
  if (const JsonView branches = p.fields.array("Branches")) {
    std::size_t index = 0;
    for (const JsonView branch : branches.elements()) {
      const std::string pointer = place(p.fields.pointer(), "Branches", index++);
      if (!branch.is_object()) {
        p.source.error(branch, pointer, codes::kSchema, "Expected value of type Object",
                       p.fields.takes("Branches"));
        continue;
      }
      parallel.branches.push_back(
          parse_scope(p.source, branch, branch, pointer, ScopeKind::Branch, p.machine_language, p.depth + 1));
    }
  }
  p.node.kind = std::move(parallel);
  parse_transition(p);
  parse_error_policy(p);
}

}  // namespace millrace::definitions
