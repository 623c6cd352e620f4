#pragma once
// Every quota of the language and of an execution, by name, with AWS's value as the default. The shell's own
// limits (queues, connections) are settings of the orchestrator. Source: Step Functions developer guide,
// "Service quotas".

#include <cstddef>
#include <cstdint>

namespace millrace {

struct Limits {
  std::size_t payload_bytes_max = 262'144;  // input, output, task result, state; UTF-8 bytes
  std::size_t definition_bytes_max = 1'048'576;
  std::uint64_t history_events_max = 25'000;     // visible events of one execution
  std::size_t variable_bytes_max = 262'144;      // of one variable
  std::size_t assign_bytes_max = 262'144;        // of all that one state assigns
  std::size_t variables_bytes_max = 10'485'760;  // of all variables of an execution
  std::size_t error_characters_max = 256;
  std::size_t cause_characters_max = 32'768;
  std::size_t name_characters_max = 80;          // states, executions, state machines
  std::int64_t express_seconds_max = 300;        // of an Express execution
  std::int64_t redrive_days_max = 14;            // after its end, an execution may be redriven
  std::int64_t execution_days_max = 365;         // of an execution with its redrives
  int inline_map_concurrency_max = 40;           // what MaxConcurrency 0 means in an inline Map
  int distributed_map_concurrency_max = 10'000;  // children of one map run at a time
  std::int64_t map_run_items_max = 100'000'000;  // of one map run; a reader stops there
  int intrinsic_nesting_max = 10;
  std::int64_t array_range_elements_max = 1000;        // States.ArrayRange
  std::size_t intrinsic_text_characters_max = 10'000;  // States.Base64*, States.Hash
  int json_depth_max = 1000;
  int definition_nesting_max = 64;  // Parallel and Map inside each other
  // JSONata. AWS stops an expression after a second; the core has no clock, so its work is counted instead: a
  // second is about so many steps (nodes evaluated, items looked at) on a machine of 2024.
  std::int64_t jsonata_steps_max = 50'000'000;
  int jsonata_depth_max = 8'000;               // expressions inside each other and calls that wait for calls
  std::size_t jsonata_memory_max = 128 << 20;  // bytes that one evaluation may hold
  // Not AWS's: after so many events a decision rests and goes on with the next stimulus, so that an execution
  // that never waits neither holds the engine nor makes one huge commit.
  std::size_t decision_events_max = 5'000;
};

}  // namespace millrace
