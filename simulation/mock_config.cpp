// The MockConfigFile.json of Step Functions Local: {"StateMachines": {M: {"TestCases": {C: {STATE:
// RESPONSE}}}}, "MockedResponses": {RESPONSE: {"0": {"Return": …}, "1-2": {"Throw": {"Error", "Cause"}}}}}.
// Source: Step Functions developer guide, "Testing state machines with Step Functions Local".

#include "definitions/diagnostics.h"
#include "simulation/test_file.h"

namespace millrace::simulation {
namespace {

std::vector<std::string> keys_of(JsonView object) {
  std::vector<std::string> keys;
  if (!object || !object.is_object()) return keys;
  for (const auto [key, value] : object.members()) keys.push_back(key.string());
  return keys;
}

// "nope: there is 'a', 'b'"
tl::unexpected<Error> no_such(const Member& at, const std::string& what, const std::string& name,
                              JsonView among) {
  std::string known;
  for (const std::string& key : keys_of(among)) known += (known.empty() ? "'" : ", '") + key + "'";
  return at.wrong("there is no " + what + " '" + name + "'", known.empty() ? "" : "there is " + known);
}

}  // namespace

bool is_mock_config(const Payload& document) {
  return document.view().is_object() && document.view().find("StateMachines") &&
         document.view().find("MockedResponses");
}

Result<MockConfig> read_mock_config(const std::string& text, const std::string& file) {
  MR_TRY(document, parse_file(text, file));
  if (!is_mock_config(document))
    return invalid(file + ": a MockConfigFile has 'StateMachines' and 'MockedResponses'");
  return MockConfig{file, std::move(document)};
}

std::vector<std::string> MockConfig::machines() const {
  return keys_of(document.view().find("StateMachines"));
}

std::vector<std::string> MockConfig::test_cases(const std::string& machine) const {
  const Member root(document.view(), file);
  return keys_of(root.find("StateMachines").find(machine).find("TestCases").view());
}

Result<Mocks> MockConfig::mocks(const std::string& machine, const std::string& test_case,
                                const definitions::Program& program) const {
  const Member root(document.view(), file);
  const Member machines_at = root.find("StateMachines"), responses = root.find("MockedResponses");
  const Member cases = machines_at.find(machine).find("TestCases");
  if (!cases) return no_such(machines_at, "state machine", machine, machines_at.view());
  const Member chosen = cases.find(test_case);
  if (!chosen || !chosen.view().is_object()) return no_such(cases, "test case", test_case, cases.view());
  const std::set<std::string> names = state_names(program);
  Mocks read;
  for (const auto [key, value] : chosen.view().members()) {
    const std::string state = key.string();
    if (!names.contains(state)) {
      const std::string near =
          definitions::nearest(state, std::vector<std::string_view>(names.begin(), names.end()));
      return chosen.wrong("the definition has no state '" + state + "'",
                          near.empty() ? "" : "did you mean '" + near + "'?");
    }
    if (!value.is_string()) return chosen.find(state).wrong("must be the name of a mocked response");
    const Member response = responses.find(value.string());
    if (!response) return no_such(responses, "mocked response", value.string(), responses.view());
    MR_TRY(series, read_mock(response));
    read.emplace(state, std::move(series));
  }
  return read;
}

}  // namespace millrace::simulation
