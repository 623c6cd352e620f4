#include "definitions/variables.h"

namespace millrace::definitions {
namespace {

class Collector {
 public:
  explicit Collector(VariableNames& names) : names_(names) {}

  void add(const Path& path) {
    if (path.root() == Path::Root::Variable) names_.insert(path.variable());
  }
  void add(const PathField& field) { add(field.path); }
  void add(const Query& query) {
    for (const std::string& name : query.variables()) names_.insert(name);
  }
  void add(const IntrinsicCall& call) { call.variables(names_); }
  void add(const PayloadTemplate& part) { part.variables(names_); }
  void add(const Assign& assign) { assign.values.variables(names_); }
  void add(const ChoiceRule& rule) { rule.variables(names_); }
  void add(const NumberOrPath& field) { number(field); }
  void add(const DecimalOrPath& field) { number(field); }
  void add(const TextField& field) {
    if (const auto* path = std::get_if<Path>(&field.value)) add(*path);
    if (const auto* call = std::get_if<IntrinsicCall>(&field.value)) add(*call);
    if (const auto* query = std::get_if<Query>(&field.value)) add(*query);
  }
  template <class T>
  void add(const std::optional<T>& field) {
    if (field) add(*field);
  }

  void operator()(const Pass&) {}
  void operator()(const Succeed&) {}
  void operator()(const Parallel&) {}
  void operator()(const Task& task) {
    add(task.timeout_seconds);
    add(task.heartbeat_seconds);
    add(task.credentials);
  }
  void operator()(const Choice& choice) {
    for (const ChoiceBranch& branch : choice.branches) {
      add(branch.rule);
      add(branch.output);
      add(branch.assign);
    }
  }
  void operator()(const Wait& wait) {
    add(wait.seconds_path);
    add(wait.timestamp_path);
    add(wait.seconds_query);
    add(wait.timestamp_query);
  }
  void operator()(const Map& map) {
    add(map.items_path);
    add(map.items);
    add(map.item_selector);
    add(map.max_concurrency);
    add(map.tolerated_failure_count);
    add(map.tolerated_failure_percentage);
    if (map.reader) {
      add(map.reader->arguments);
      add(map.reader->max_items);
    }
    if (map.batcher) {
      add(map.batcher->max_items);
      add(map.batcher->max_bytes);
      add(map.batcher->input);
    }
    if (map.writer) add(map.writer->arguments);
  }
  void operator()(const Fail& fail) {
    add(fail.error);
    add(fail.cause);
  }

 private:
  template <class Field>
  void number(const Field& field) {
    add(field.path);
    add(field.query);
  }
  VariableNames& names_;
};

void add_references(const Program& program, std::map<std::string, std::vector<std::string>>& out) {
  for (const Node& node : program.nodes) {
    const VariableNames names = variables_of(node);
    if (!names.empty()) out.emplace(node.name, std::vector<std::string>(names.begin(), names.end()));
    for (const InnerProgram& inner : inner_programs(node)) add_references(*inner.program, out);
  }
}

}  // namespace

VariableNames variables_of(const Node& node) {
  VariableNames names;
  Collector collector(names);
  collector.add(node.flow.input_path);
  collector.add(node.flow.parameters);
  collector.add(node.flow.result_selector);
  collector.add(node.flow.output_path);
  collector.add(node.flow.arguments);
  collector.add(node.flow.output);
  collector.add(node.flow.assign);
  for (const Catcher& catcher : node.errors.catchers) {
    collector.add(catcher.output);
    collector.add(catcher.assign);
  }
  std::visit(collector, node.kind);
  return names;
}

std::map<std::string, std::vector<std::string>> variable_references(const Program& program) {
  std::map<std::string, std::vector<std::string>> out;
  add_references(program, out);
  return out;
}

std::vector<InnerProgram> inner_programs(const Node& node) {
  std::vector<InnerProgram> out;
  if (const auto* parallel = std::get_if<Parallel>(&node.kind)) {
    for (std::size_t i = 0; i < parallel->branches.size(); ++i) {
      if (parallel->branches[i])
        out.push_back({parallel->branches[i].get(), "Branches[" + std::to_string(i) + "]"});
    }
  } else if (const auto* map = std::get_if<Map>(&node.kind); map && map->processor) {
    out.push_back({map->processor.get(), map->iterator ? "Iterator" : "ItemProcessor", map->distributed});
  }
  return out;
}

}  // namespace millrace::definitions
