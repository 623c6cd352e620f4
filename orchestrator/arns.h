#pragma once
// The ARNs of Step Functions: made and taken apart. Pure.
//
//   arn:aws:states:REGION:ACCOUNT:stateMachine:NAME[:VERSION or ALIAS]
//   arn:aws:states:REGION:ACCOUNT:execution:NAME:EXECUTION, ...:express:NAME:EXECUTION:UUID
//   arn:aws:states:REGION:ACCOUNT:activity:NAME, ...:mapRun:NAME/LABEL:UUID

#include <string>
#include <string_view>

#include "base/result.h"

namespace millrace::orchestrator {

struct StatesArn {
  std::string region, account;
  std::string type;       // "stateMachine", "execution", "express", "activity", "mapRun"
  std::string name;       // of the state machine ("NAME/LABEL" inside a Distributed Map) or the activity
  std::string qualifier;  // version, alias, execution name, map run id; may be empty
  std::string id;         // the UUID of an express execution

  // A version's ARN: the qualifier is a number.
  bool is_version() const;
  // The ARN without its qualifier: the state machine itself.
  std::string unqualified() const;
};

// InvalidArgument with AWS's text ("Invalid Arn: 'Invalid ARN prefix: x'").
Result<StatesArn> parse_arn(std::string_view text);
// The same, for one type of resource: any other is "Resource type not valid in this context: express".
Result<StatesArn> parse_arn(std::string_view text, std::string_view type);

}  // namespace millrace::orchestrator
