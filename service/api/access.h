#pragma once
// Access: which rights a call of Step Functions needs, as a table: its action on the resource that its ARN
// names, and for a definition also what its states would do, since they do it with the rights of the server.
// Pure. Source: AWS service authorization reference, "Actions defined by AWS Step Functions".

#include <string_view>
#include <vector>

#include "base/payload.h"
#include "service/auth/policy.h"

namespace millrace::api {

// Where this server says its resources live. An ARN in a request is taken for the resource of that name here,
// whatever region and account it names, as the operations themselves do.
struct ArnPlace {
  std::string region = "us-east-1", account = "123456789012";
};

struct AccessRow {
  std::string_view operation;
  enum class About {
    Everything,   // resource *
    Resource,     // the ARN in `member`
    NewMachine,   // a state machine that will have the name in `member`
    NewActivity,  // an activity, likewise
    Versions,     // the state machine of the versions in `member`
  } about = About::Everything;
  std::string_view member = {};
  std::string_view otherwise = {};   // the member that names the resource when `member` is absent
  std::string_view definition = {};  // the member that holds one: its states are demanded, too
};

std::span<const AccessRow> access_rows();  // of every operation, sorted

// Of a call with that body; never empty. What can't be read is demanded as resource "*".
std::vector<auth::Demand> states_demands(std::string_view operation, std::string_view body,
                                         const ArnPlace& place);
// What the states of a definition may do. What is known only when the workflow runs is a '*'.
std::vector<auth::Demand> definition_demands(std::string_view definition, const ArnPlace& place);
// Of one task: its Resource and its arguments as they are written.
std::vector<auth::Demand> task_demands(std::string_view resource, JsonView arguments, const ArnPlace& place);

}  // namespace millrace::api
