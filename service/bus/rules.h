#pragma once
// Rules as the router uses them: compiled from their records, immutable, shared. An archive is a rule whose
// only target is the archive. Any thread.

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/json.h"
#include "service/bus/delivery.h"
#include "triggers/pattern.h"
#include "triggers/rule_index.h"
#include "triggers/target_input.h"

namespace millrace::bus {

struct RuleTarget {
  std::string id, arn;
  triggers::TargetInput input;
  Payload parameters = Payload::empty_object();
  DeliveryPolicy policy;
};

struct Rule {
  std::string bus, name, arn;
  std::optional<triggers::Pattern> pattern;  // none: of a schedule alone; of an archive: everything
  std::int64_t since = 0;                    // number of the last event that was put before it
  Instant enabled;
  std::vector<RuleTarget> targets;
  bool archive = false;
};
using RulePtr = std::shared_ptr<const Rule>;

// Null: it is disabled, or has no targets. Records hold only what compiled once.
RulePtr compile_rule(const std::string& key, const Json& record);
RulePtr compile_archive(const std::string& name, const Json& record);

// What replayed events may go to: of their bus all rules, or those named.
struct Replay {
  std::string bus;
  std::set<std::string> rules;  // ARNs; empty: all
};

// All enabled rules at one time.
struct RuleSet {
  struct Bus {
    std::vector<RulePtr> rules;
    triggers::RuleIndex index;  // in the order of `rules`
  };
  std::map<std::string, Bus, std::less<>> buses;
  std::map<std::string, Replay, std::less<>> replays;  // by name
};

// Whether events of that source and type could meet the rule, as far as these two tell.
bool may_want(const Rule& rule, std::string_view source, std::string_view detail_type);

// What the rules make of one event of a bus.
struct EventFacts {
  std::int64_t number = 0;
  Instant accepted;
  std::string bus;
  Payload document;
};
std::vector<Delivery> deliveries_of(const RuleSet& rules, const EventFacts& event,
                                    std::vector<std::uint32_t>& scratch);
// The delivery of an event to one target of a rule.
Delivery delivery_of(const Rule& rule, const RuleTarget& target, const Payload& event,
                     const std::string& event_id, Instant since);

}  // namespace millrace::bus
