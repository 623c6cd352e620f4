#pragma once
// A TestState request, read and checked as far as that goes without running the state. Pure.

#include <optional>
#include <string>

#include "base/environment.h"
#include "definitions/compile.h"
#include "states/test_state.h"

namespace millrace::states {

// The name under which a tested state is compiled and known in the context object, as AWS has it.
inline constexpr std::string_view kTestedState = "StateName";

struct TestStateRequest {
  enum class Level { Info, Debug, Trace };

  std::shared_ptr<const definitions::Program> program;  // the state, and an end for each state it leads to
  Payload input;
  std::optional<Payload> context;
  Payload variables;  // an object
  Level level = Level::Info;
  bool reveal_secrets = false;
  std::string role_arn;  // may be empty
  std::optional<Outcome> mock;
  std::uint32_t retrier_retry_count = 0;
  std::uint32_t map_iteration_failure_count = 0;

  const definitions::Node& node() const { return program->node(program->start); }
};

tl::expected<TestStateRequest, TestStateError> read_test_state_request(const Payload& request,
                                                                       const Limits& limits);

// What a mocked result must look like when the state calls an API whose answer is known here: the first thing
// that is wrong with it, in AWS's words, or empty.
//   strict   fields that are always there must be in the mock too
std::string check_mock_shape(const definitions::Resource& resource, JsonView result, bool strict);

}  // namespace millrace::states
