#include <utility>

#include "base/random.h"
#include "base/utf8.h"
#include "definitions/parse.h"

namespace millrace::definitions {
namespace {

constexpr std::int64_t kCountMax = 1'000'000'000;
constexpr std::uint64_t kLabelSeed = 0x6D61702D6C6162u;

void parse_config(Parsing& p, Fields& processor, Map& map) {
  const JsonView object = processor.object("ProcessorConfig");
  if (!object) return;
  Fields config(p.source, object, place(processor.pointer(), "ProcessorConfig"), object,
                processor_config_fields());
  config.refuse_unknown(~0u, p.node.language);
  map.distributed = config.one_of("Mode", {"INLINE", "DISTRIBUTED"}) == "DISTRIBUTED";
  map.express = config.one_of("ExecutionType", {"STANDARD", "EXPRESS"}) == "EXPRESS";
  if (map.distributed) config.require({"ExecutionType"});
}

void parse_processor(Parsing& p, Map& map) {
  if (!p.fields.at_most_one({"ItemProcessor", "Iterator"})) return;
  const std::string_view name = p.fields.has("Iterator") ? "Iterator" : "ItemProcessor";
  p.fields.require({name});
  const JsonView object = p.fields.object(name);
  if (!object) return;
  const std::string pointer = place(p.fields.pointer(), name);
  Fields processor(p.source, object, pointer, object, processor_fields());
  parse_config(p, processor, map);
  map.iterator = name == "Iterator";
  if (map.distributed && p.source.express) {
    p.fields.error_at(name, "Express state machine does not support Map in DISTRIBUTED mode",
                      "use Mode INLINE, or a STANDARD state machine");
  }
  const bool outer = std::exchange(p.source.express, p.source.express || (map.distributed && map.express));
  map.processor =
      parse_scope(p.source, object, object, pointer, ScopeKind::Processor, p.machine_language, p.depth + 1);
  p.source.express = outer;
}

// An inline map does not have these. AWS lets it have Label and the tolerances, where they say nothing.
void refuse_distribution(Parsing& p) {
  for (const std::string_view name : {"ItemReader", "ItemBatcher", "ResultWriter"}) {
    if (!p.fields.has(name)) continue;
    p.fields.error_at(
        name, "Field '" + std::string(name) + "' is only supported for a Map in DISTRIBUTED mode",
        "set \"ProcessorConfig\": {\"Mode\": \"DISTRIBUTED\", \"ExecutionType\": \"STANDARD\"}");
  }
}

// What names a map run without a Label: the same for every revision in which the state has this name.
std::string default_label(const std::string& state_name) {
  Random random(hash64(state_name, kLabelSeed));
  return uuid_v4(random);
}

void parse_label(Parsing& p, Map& map) {
  const std::optional<std::string> label = p.fields.text("Label");
  if (!label) return;
  constexpr std::size_t kLabelMax = 40;
  const std::string pointer = place(p.fields.pointer(), "Label");
  const bool control = std::any_of(label->begin(), label->end(),
                                   [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
  if (label->empty() || count_code_points(*label) > kLabelMax || control ||
      label->find_first_of(" ?*<>{}[]:;,\\|^~$#%&`\"") != std::string::npos) {
    p.source.error(p.fields.find("Label"), pointer, codes::kLabel, "Invalid label name: " + *label,
                   "at most 40 characters, without blanks, wildcards, brackets and special characters");
    return;
  }
  const auto [first, fresh] = p.source.labels.emplace(*label, pointer);
  if (!fresh) {
    p.source.error(p.fields.find("Label"), pointer, codes::kDuplicateLabel, "Duplicate Label: " + *label,
                   "the first one is at " + first->second);
  }
  map.label = *label;
}

// Items of a JSONata Map: an expression, or an array or object with expressions in it.
std::optional<PayloadTemplate> parse_items(Parsing& p) {
  const JsonView items = p.fields.find("Items");
  if (items && !items.is_array() && !items.is_object() && !Query::claimed(items)) {
    p.fields.error_at("Items", "Expected value of type Array", p.fields.takes("Items"));
    return std::nullopt;
  }
  return p.fields.payload_template("Items");
}

DecimalOrPath parse_percentage(Parsing& p) {
  DecimalOrPath out;
  if (!p.json_path()) {
    out.query = p.fields.query("ToleratedFailurePercentage");
    if (!out.query) out.value = p.fields.number("ToleratedFailurePercentage", 0, 100);
    return out;
  }
  if (!p.fields.at_most_one({"ToleratedFailurePercentage", "ToleratedFailurePercentagePath"})) return out;
  out.value = p.fields.number("ToleratedFailurePercentage", 0, 100);
  out.path = p.fields.reference("ToleratedFailurePercentagePath");
  return out;
}

}  // namespace

void parse_map(Parsing& p) {
  Map map;
  parse_processor(p, map);
  if (map.distributed) {
    parse_distribution(p, map);
  } else {
    refuse_distribution(p);
  }
  if (p.json_path()) {
    map.items_path = p.fields.path_field("ItemsPath");
    if (p.fields.at_most_one({"ItemSelector", "Parameters"})) {
      map.item_selector =
          p.fields.payload_template(p.fields.has("Parameters") ? "Parameters" : "ItemSelector");
    }
  } else {
    map.items = parse_items(p);
    map.item_selector = p.fields.payload_template("ItemSelector");
  }
  map.max_concurrency = parse_number_or_path(p, "MaxConcurrency", 0, kCountMax);
  map.tolerated_failure_count = parse_number_or_path(p, "ToleratedFailureCount", 0, kCountMax);
  map.tolerated_failure_percentage = parse_percentage(p);
  parse_label(p, map);
  if (map.distributed && map.label.empty()) map.label = default_label(p.node.name);
  p.node.kind = std::move(map);
  parse_transition(p);
  parse_error_policy(p);
}

}  // namespace millrace::definitions
