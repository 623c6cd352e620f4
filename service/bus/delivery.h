#pragma once
// Delivery: one event for one target, as it waits to be handed over: a value that can be kept and taken up
// again.

#include <functional>
#include <optional>
#include <string>

#include "base/json.h"
#include "base/time.h"
#include "orchestrator/engine.h"

namespace millrace::bus {

// How often and how long an event is tried, and which queue it goes to when that was in vain.
struct DeliveryPolicy {
  int attempts_max = 185;  // after the first
  Millis age_max{86'400'000};
  std::string dead_letters;  // a queue's ARN; empty: none
};
// Of a target with RetryPolicy and DeadLetterConfig.
DeliveryPolicy policy_of(const Json& target);

struct Delivery {
  std::string key;     // names it: the same event, rule and target have the same key, also after a restart
  std::string name;    // of the execution it starts; empty: made of the key
  std::string origin;  // ARN of the rule or schedule
  std::string target;  // ARN
  std::string input;   // what the target is handed
  std::string given;   // the input before the attempt's number was put in; empty: it has no place for one
  std::string event;   // the event itself; empty: of a schedule
  Payload parameters = Payload::empty_object();  // SqsParameters, HttpParameters
  DeliveryPolicy policy;
  Instant since;                  // what it is about happened
  int attempts = 0;               // that have failed
  std::string error_code, error;  // of the last one
  // In memory only: what becomes of the execution it starts.
  std::function<void(const orchestrator::Started&)> started = {};
  std::function<void()> ended = {};
};
Json to_record(const Delivery& delivery);
Delivery from_record(const std::string& key, const Json& record);

// The name of the execution that a delivery starts: `readable` cut to what fits, and a digest of the key.
std::string execution_name(std::string_view readable, std::string_view key);

// A UUID for a name: the same for the same name.
std::string uuid_named(std::string_view name);

}  // namespace millrace::bus
