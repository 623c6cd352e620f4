#pragma once
// From the text's objects to nodes: one function per state type, and what they share. Used by compile() only.

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "definitions/fields.h"
#include "definitions/program.h"

namespace millrace::definitions {

// The states of one scope while it is read: transitions stay inside it.
struct ScopeNames {
  std::unordered_map<std::string, NodeIndex> index;
  std::vector<std::string_view> all;  // the names by index; they live in the nodes
  std::vector<JsonView> keys;         // where each state stands, by index
  std::string pointer;                // of the scope
  // A state or transition could not be read, so the graph is not known and not checked.
  bool incomplete = false;
};

// What is at hand while one state is read.
struct Parsing {
  Source& source;
  Fields& fields;
  ScopeNames& names;
  Node& node;
  QueryLanguage machine_language;
  int depth;  // Parallel and Map states around the state

  bool json_path() const { return node.language == QueryLanguage::JsonPath; }
};

enum class ScopeKind { Machine, Branch, Processor };
// The program of a scope (`object` has StartAt and States). Null when there is nothing to go on with; what is
// wrong is in `source`. `anchor`: what diagnostics about the whole scope point at.
std::shared_ptr<Program> parse_scope(Source& source, JsonView object, JsonView anchor,
                                     const std::string& pointer, ScopeKind kind, QueryLanguage language,
                                     int depth);

void parse_pass(Parsing& p);
void parse_task(Parsing& p);
void parse_choice(Parsing& p);
void parse_wait(Parsing& p);
void parse_parallel(Parsing& p);
void parse_map(Parsing& p);
// ItemReader, ItemBatcher and ResultWriter of a distributed Map.
void parse_distribution(Parsing& p, Map& map);
void parse_succeed(Parsing& p);
void parse_fail(Parsing& p);

// Shared parts of states.
void parse_transition(Parsing& p);    // Next or End
void parse_error_policy(Parsing& p);  // Retry and Catch
// The state that field `name` of `fields` names; reported when there is none.
NodeIndex parse_target(Parsing& p, Fields& fields, std::string_view name);
// `name` or `name`Path, not both; in JSONata a whole number or an expression.
NumberOrPath parse_number_or_path(Parsing& p, std::string_view name, std::int64_t min, std::int64_t max);

inline constexpr std::int64_t kSecondsMax = 99'999'999;

}  // namespace millrace::definitions
