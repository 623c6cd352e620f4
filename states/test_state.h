#pragma once
// TestState: one state, run by itself on an input: what it gives, where it leads, and what its data came to
// on the way. A task runs as a mock says, or is left to the caller. The states themselves are those of the
// core: here is only what surrounds them. Pure. Source: Step Functions API reference, TestState.

#include <memory>
#include <string>

#include "base/environment.h"
#include "states/effect.h"

namespace millrace::states {

// As the API answers it: ValidationException, InvalidDefinition, InvalidExecutionInput.
struct TestStateError {
  std::string code, message;
};

// What the context object says of an execution that does not exist.
struct TestStateSettings {
  std::string region = "us-east-1", account = "123456789012";
};

class TestState {
 public:
  // Reads a request as the API takes it (`definition`, `input`, `mock`, … with documents as text), checks it
  // and enters the state. Environment: time and seed of the test.
  static tl::expected<TestState, TestStateError> prepare(const Payload& request,
                                                         const TestStateSettings& settings,
                                                         const Environment& environment);
  TestState(TestState&&) noexcept;
  TestState& operator=(TestState&&) noexcept;
  ~TestState();

  // The task that has to run before there is an answer; null when the state needs none, or a mock stands for
  // it. Valid as long as this object.
  const effect::StartTask* task() const;
  // Whether the answer shows what an HTTP task sent and got (TRACE), and that with its connection's secrets.
  bool traced() const;
  bool reveals_secrets() const;
  // What it sent and got: {"request", "response"}, each an object or missing.
  void exchanged(Payload exchange);
  // The API's answer: status, output, error, cause, nextState, inspectionData.
  Payload answer() &&;                        // when task() is null
  Payload answer(const Outcome& outcome) &&;  // with what the task came to

 private:
  struct Impl;
  explicit TestState(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::states
