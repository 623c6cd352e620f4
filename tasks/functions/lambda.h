#pragma once
// The Lambda service over the local functions: names and ARNs, and what an invocation looks like to a Task
// state in each of its three forms. Pure; any thread. Source: Lambda API reference; recorded answers of AWS
// Step Functions.

#include <optional>
#include <string>
#include <string_view>

#include "base/failure.h"
#include "base/json.h"
#include "base/result.h"
#include "base/time.h"
#include "tasks/functions/host.h"

namespace millrace::tasks {

// Where functions say they live.
struct LambdaPlace {
  std::string region = "us-east-1", account = "123456789012";
};

struct FunctionName {
  std::string name, qualifier;  // qualifier: empty, "$LATEST", a version or an alias
  std::string arn;              // without the qualifier
};
// "name", "name:qualifier", "123456789012:function:name", an ARN, each with or without a qualifier.
// InvalidArgument.
Result<FunctionName> parse_function_name(std::string_view text, const LambdaPlace& place);

enum class LambdaForm {
  FunctionArn,  // Resource is the function's ARN: the result is its payload
  Optimized,    // arn:aws:states:::lambda:invoke
  Sdk,          // arn:aws:states:::aws-sdk:lambda:invoke: a failed function is a result too
};
// Which of them a Resource is; nothing for other resources. `.waitForTaskToken` behind it changes nothing
// here.
std::optional<LambdaForm> lambda_form(std::string_view resource);

// What a Task state asks for.
struct LambdaCall {
  LambdaForm form = LambdaForm::FunctionArn;
  FunctionName function;
  Invocation invocation;
  std::string invocation_type = "RequestResponse";
};
// The call of a Task with that Resource and those arguments; a Failure as Lambda would answer a wrong
// request.
tl::expected<LambdaCall, Failure> lambda_call(LambdaForm form, std::string_view resource,
                                              const Payload& arguments, const LambdaPlace& place,
                                              const std::string& request_id);

// The task's outcome of what came of it.
Outcome lambda_outcome(const LambdaCall& call, const InvocationAnswer& answer, Instant now);
// Of an invocation nobody waits for (InvocationType Event, DryRun).
Outcome lambda_accepted(const LambdaCall& call, const std::string& request_id, Instant now);

// Lambda.<code> with the text AWS would give it.
Failure lambda_failure(LambdaForm form, std::string_view code, int status, std::string_view message,
                       const std::string& request_id);

// GetFunction's answer, and one entry of ListFunctions.
Json function_configuration(const Function& function, const LambdaPlace& place);

}  // namespace millrace::tasks
