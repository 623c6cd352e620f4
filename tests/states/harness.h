#pragma once
// Drives decide() in tests: one execution, stimuli with times, and after every decision the checks that hold
// for all of them. The first that fails is in `problem`.

#include <string>
#include <vector>

#include "states/decide.h"

namespace millrace::tests {

struct Harness {
  const definitions::Program* program = nullptr;  // borrowed
  Limits limits;
  Instant now = from_millis(1'700'000'000'000);
  std::uint64_t seed = 42;
  states::Execution execution;
  std::vector<states::Event> events;
  std::string problem;

  // Hands the stimulus in at `now` and keeps what follows. Returns the effects.
  std::vector<states::Effect> apply(const states::Stimulus& stimulus);
  std::vector<states::Effect> start(const Payload& input);
  // TimeCame as long as a long decision rests; the number of such decisions.
  int run_on(std::vector<states::Effect>& effects);

 private:
  void check(const states::Execution& before, const states::Decision& decision);
};

// "5<4 TaskStateEntered T": number, previous, type, the state it names; hidden ones as "5<4
// (RetryScheduled)".
std::string brief(const states::Event& event);

}  // namespace millrace::tests
