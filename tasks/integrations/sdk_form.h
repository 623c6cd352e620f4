#pragma once
// How answers and errors of a service look to a Task state: in the SDK's form (arn:aws:states:::aws-sdk:…)
// and in the optimized one, which adds the metadata of the HTTP answer. Pure but for the ids of requests.
// Worker thread. Source: recorded answers of AWS Step Functions.

#include <string>
#include <string_view>

#include "base/failure.h"
#include "base/json.h"
#include "tasks/task_kind.h"

namespace millrace::tasks {

// The names of one service in errors.
struct SdkNames {
  std::string_view sdk;                // "EventBridge" of EventBridge.ResourceNotFoundException
  std::string_view optimized;          // the same of the optimized form
  std::string_view optimized_service;  // "AmazonEventBridge" of (Service: AmazonEventBridge; …)
};
inline constexpr SdkNames kEventBridgeNames{"EventBridge", "EventBridge", "AmazonEventBridge"};
inline constexpr SdkNames kSnsNames{"Sns", "SNS", "AmazonSNS"};

// `code` as the API has it: "ResourceNotFoundException"; "ValidationException" and others that no class of
// the SDKs is named after become EventBridge.EventBridgeException, in the optimized form
// EventBridge.AmazonEventBridgeException.
tl::unexpected<Failure> sdk_failure(const TaskCall& call, const SdkNames& names, std::string_view code,
                                    int status, std::string_view message);
// What the SDK's errors say behind the message is cut off again: " (Service: …".
std::string plain_message(std::string_view cause);

// The answer as the state gets it.
Payload sdk_answer(const TaskCall& call, Json answer);

}  // namespace millrace::tasks
