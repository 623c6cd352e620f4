// Warnings about what the ways through the states show. Everything here is right as far as the service is
// concerned; it is what people most often did not mean.

#include <algorithm>
#include <unordered_map>

#include "base/failure.h"
#include "definitions/check.h"
#include "definitions/graph.h"
#include "definitions/variables.h"

namespace millrace::definitions {
namespace {

constexpr std::size_t kBitsMax = 50'000'000;  // states times variables: beyond, nobody reads the answer

// Sets of variables, by number.
class Names {
 public:
  std::uint32_t number(const std::string& name) {
    const auto [at, fresh] = numbers_.emplace(name, static_cast<std::uint32_t>(numbers_.size()));
    return at->second;
  }
  std::size_t size() const { return numbers_.size(); }

 private:
  std::unordered_map<std::string, std::uint32_t> numbers_;
};
using Set = std::vector<bool>;

// What is assigned on the way along an edge out of a state: by a rule, a catcher or the state itself.
const std::optional<Assign>& assigned_on(const Node& node, const GraphEdge& edge, std::size_t index) {
  if (edge.kind == GraphEdge::Kind::Catch) return node.errors.catchers[index].assign;
  if (edge.kind == GraphEdge::Kind::Choice) return std::get<Choice>(node.kind).branches[index].assign;
  return node.flow.assign;
}

class Checker {
 public:
  Checker(Source& source, const Program& program) : source_(source), timeout_(program.timeout_seconds) {}

  // `outer`: what is assigned for certain where the scope begins. `whole`: the JSON of the scope.
  void scope(const Program& program, JsonView whole, const std::string& pointer, const VariableNames& outer);

 private:
  struct Place {
    JsonView key;
    JsonView state;
    std::string pointer;
  };
  void variables(const Program& program, const std::vector<Place>& places, const VariableNames& outer,
                 std::vector<VariableNames>& certain);
  void unassigned(const Place& place, const std::string& name, const VariableNames& anywhere);
  void rules(const Node& node, const Place& place);
  void retries(const Node& node, const Place& place);
  void impossible(const Node& node, const Place& place, std::string_view field, std::size_t index,
                  const std::vector<std::string>& names);
  void shadowed(const Place& place, std::string_view field, std::size_t index,
                const std::vector<std::string>& names, VariableNames& earlier);

  Source& source_;
  std::optional<std::int64_t> timeout_;  // of the whole execution
};

// The names that the states of a scope assign, on whatever way.
VariableNames assigned_anywhere(const Program& program) {
  VariableNames names;
  const auto add = [&](const std::optional<Assign>& assign) {
    if (assign) names.insert(assign->names.begin(), assign->names.end());
  };
  for (const Node& node : program.nodes) {
    add(node.flow.assign);
    for (const Catcher& catcher : node.errors.catchers) add(catcher.assign);
    if (const auto* choice = std::get_if<Choice>(&node.kind)) {
      for (const ChoiceBranch& branch : choice->branches) add(branch.assign);
    }
  }
  return names;
}

// The ways out of each state, with the variables assigned on them.
struct Way {
  NodeIndex to = kEnd;
  std::vector<std::uint32_t> assigned;
};
std::vector<std::vector<Way>> ways_of(const Program& program, Names& names) {
  std::vector<std::vector<Way>> ways(program.nodes.size());
  std::vector<std::size_t> choices(program.nodes.size()), catches(program.nodes.size());
  for (const GraphEdge& edge : edges_of(program)) {
    if (edge.to == kEnd) continue;
    std::size_t index = 0;
    if (edge.kind == GraphEdge::Kind::Choice) index = choices[edge.from]++;
    if (edge.kind == GraphEdge::Kind::Catch) index = catches[edge.from]++;
    Way way{edge.to, {}};
    if (const auto& assign = assigned_on(program.nodes[edge.from], edge, index)) {
      for (const std::string& name : assign->names) way.assigned.push_back(names.number(name));
    }
    ways[edge.from].push_back(std::move(way));
  }
  return ways;
}

// What is assigned on every way to each state; nothing for states that no way leads to.
std::vector<std::optional<Set>> certain_sets(const std::vector<std::vector<Way>>& ways, NodeIndex start,
                                             Set first) {
  std::vector<std::optional<Set>> in(ways.size());
  in[start] = std::move(first);
  std::vector<NodeIndex> work{start};
  while (!work.empty()) {
    const NodeIndex from = work.back();
    work.pop_back();
    for (const Way& way : ways[from]) {
      Set out = *in[from];
      for (const std::uint32_t name : way.assigned) out[name] = true;
      if (!in[way.to]) {
        in[way.to] = std::move(out);
        work.push_back(way.to);
        continue;
      }
      bool less = false;
      for (std::size_t k = 0; k < out.size(); ++k) {
        if (out[k] || !(*in[way.to])[k]) continue;
        (*in[way.to])[k] = false;
        less = true;
      }
      if (less) work.push_back(way.to);
    }
  }
  return in;
}

void Checker::unassigned(const Place& place, const std::string& name, const VariableNames& anywhere) {
  const bool never = !anywhere.contains(name);
  const std::vector<std::string_view> candidates(anywhere.begin(), anywhere.end());
  const std::string near = never ? source_.nearest_name(name, candidates) : std::string();
  std::string hint = "assign it in a state that all ways pass, or on each of them";
  if (never) hint = "give it a value with Assign in a state before this one";
  if (!near.empty()) hint = "did you mean '$" + near + "'?";
  source_.warning(place.key, place.pointer, codes::kUnassigned,
                  never ? "The variable '$" + name + "' is never assigned"
                        : "The variable '$" + name + "' is not assigned on every way that leads here",
                  std::move(hint));
}

// Reports variables that a state reads though a way leads there on which nothing assigns them. `certain`: of
// the states with programs inside, what these can rely on.
void Checker::variables(const Program& program, const std::vector<Place>& places, const VariableNames& outer,
                        std::vector<VariableNames>& certain) {
  VariableNames anywhere = assigned_anywhere(program);
  anywhere.insert(outer.begin(), outer.end());
  std::vector<VariableNames> read;
  Names names;
  for (const std::string& name : anywhere) names.number(name);
  for (const Node& node : program.nodes) {
    read.push_back(variables_of(node));
    for (const std::string& name : read.back()) names.number(name);
  }
  if (names.size() == 0 || names.size() * program.nodes.size() > kBitsMax) return;
  Set first(names.size());
  for (const std::string& name : outer) first[names.number(name)] = true;
  const auto in = certain_sets(ways_of(program, names), program.start, std::move(first));
  for (NodeIndex i = 0; i < program.nodes.size(); ++i) {
    if (!in[i]) continue;
    const StateType type = program.nodes[i].type();
    if (type == StateType::Parallel || type == StateType::Map) {
      for (const std::string& name : anywhere) {
        if ((*in[i])[names.number(name)]) certain[i].insert(name);
      }
    }
    for (const std::string& name : read[i]) {
      if (!(*in[i])[names.number(name)]) unassigned(places[i], name, anywhere);
    }
  }
}

// Errors that a Task without what raises them never has. Around other states anything may happen inside.
void Checker::impossible(const Node& node, const Place& place, std::string_view field, std::size_t index,
                         const std::vector<std::string>& names) {
  using namespace error_names;
  const auto* task = std::get_if<Task>(&node.kind);
  if (!task) return;
  const bool jsonata = node.language == QueryLanguage::JsonAta;
  struct Cause {
    std::string_view error;
    bool possible;
    std::string_view why;
  };
  const Cause kCauses[] = {
      {kHeartbeatTimeout, task->heartbeat_seconds.given(), "the state has no HeartbeatSeconds"},
      {kBranchFailed, false, "it comes from Parallel states"},
      {kNoChoiceMatched, false, "it comes from Choice states"},
      {kItemReaderFailed, false, "it comes from distributed Map states"},
      {kResultWriterFailed, false, "it comes from distributed Map states"},
      {kExceedToleratedFailureThreshold, false, "it comes from distributed Map states"},
      {kQueryEvaluationError, jsonata, "the state is in JSONPath"},
      {kIntrinsicFailure, !jsonata, "the state is in JSONata"},
      {kParameterPathFailure, !jsonata, "the state is in JSONata"},
      {kResultPathMatchFailure, !jsonata, "the state is in JSONata"}};
  for (std::size_t k = 0; k < names.size(); ++k) {
    const auto cause = std::find_if(std::begin(kCauses), std::end(kCauses),
                                    [&](const Cause& c) { return c.error == names[k] && !c.possible; });
    if (cause == std::end(kCauses)) continue;
    const JsonView entry = place.state.find(field).at(static_cast<std::uint32_t>(index));
    source_.warning(entry,
                    definitions::place(definitions::place(place.pointer, field, index), "ErrorEquals", k),
                    codes::kImpossible, "The state never fails with " + names[k],
                    std::string(cause->why) + "; remove the name");
  }
}

// An entry all of whose errors an earlier one takes.
void Checker::shadowed(const Place& place, std::string_view field, std::size_t index,
                       const std::vector<std::string>& names, VariableNames& earlier) {
  using namespace error_names;
  const auto taken = [&](const std::string& name) {
    const bool timeout = name == kTimeout || name == kHeartbeatTimeout;
    return earlier.contains(name) || (name == kHeartbeatTimeout && earlier.contains(kTimeout)) ||
           (earlier.contains(kTaskFailed) && !timeout && name != kAll && name != kRuntime);
  };
  if (!names.empty() && std::all_of(names.begin(), names.end(), taken)) {
    const JsonView entry = place.state.find(field).at(static_cast<std::uint32_t>(index));
    source_.warning(entry, definitions::place(place.pointer, field, index), codes::kShadowed,
                    "An earlier entry of " + std::string(field) + " takes all errors of this one",
                    "the first entry that names an error decides: put this one before it, or remove it");
  }
  earlier.insert(names.begin(), names.end());
}

void Checker::rules(const Node& node, const Place& place) {
  VariableNames earlier;  // names of errors
  for (std::size_t i = 0; i < node.errors.retriers.size(); ++i) {
    shadowed(place, "Retry", i, node.errors.retriers[i].error_equals, earlier);
    impossible(node, place, "Retry", i, node.errors.retriers[i].error_equals);
  }
  earlier.clear();
  for (std::size_t i = 0; i < node.errors.catchers.size(); ++i) {
    shadowed(place, "Catch", i, node.errors.catchers[i].error_equals, earlier);
    impossible(node, place, "Catch", i, node.errors.catchers[i].error_equals);
  }
}

// A retrier whose waits together take longer than the execution may.
void Checker::retries(const Node& node, const Place& place) {
  if (!timeout_) return;
  const auto limit = static_cast<double>(*timeout_);
  for (std::size_t i = 0; i < node.errors.retriers.size(); ++i) {
    const Retrier& retrier = node.errors.retriers[i];
    double waited = 0, delay = retrier.interval_seconds;
    std::int64_t attempt = 0;
    while (attempt < retrier.max_attempts && waited <= limit) {
      const double capped = std::min(delay, retrier.max_delay_seconds.value_or(delay));
      waited += capped;
      delay *= retrier.backoff_rate;
      ++attempt;
    }
    if (waited <= limit) continue;
    const JsonView entry = place.state.find("Retry").at(static_cast<std::uint32_t>(i));
    source_.warning(entry, definitions::place(place.pointer, "Retry", i), codes::kRetryTooLong,
                    "The waits before attempt " + std::to_string(attempt) + " of " +
                        std::to_string(retrier.max_attempts) +
                        " take longer than the state machine's TimeoutSeconds of " +
                        std::to_string(*timeout_),
                    "later attempts never happen: lower MaxAttempts, IntervalSeconds or BackoffRate, or set "
                    "MaxDelaySeconds");
  }
}

// The JSON of an inner program: "Branches[1]", "ItemProcessor".
JsonView inside(JsonView state, const std::string& where) {
  const std::size_t bracket = where.find('[');
  const JsonView field = state.find(where.substr(0, bracket));
  if (bracket == std::string::npos) return field;
  return field.at(static_cast<std::uint32_t>(std::stoul(where.substr(bracket + 1))));
}

void Checker::scope(const Program& program, JsonView whole, const std::string& pointer,
                    const VariableNames& outer) {
  std::vector<Place> places;
  const std::string states = place(pointer, "States");
  for (const auto [key, value] : whole.find("States").members())
    places.push_back({key, value, place(states, key.string())});
  std::vector<VariableNames> certain(program.nodes.size(), outer);
  variables(program, places, outer, certain);
  for (NodeIndex i = 0; i < program.nodes.size(); ++i) {
    const Node& node = program.nodes[i];
    rules(node, places[i]);
    retries(node, places[i]);
    for (const InnerProgram& inner : inner_programs(node)) {
      scope(*inner.program, inside(places[i].state, inner.place), place(places[i].pointer, inner.place),
            inner.isolated ? VariableNames() : certain[i]);
    }
  }
}

}  // namespace

void check_paths(Source& source, const Program& program) {
  Checker(source, program).scope(program, source.root(), "/", {});
}

}  // namespace millrace::definitions
