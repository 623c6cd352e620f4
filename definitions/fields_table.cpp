// The fields of the language: which state has which, in which query language, and what each takes.
// Source: Amazon States Language; Step Functions developer guide; AWS's schema for the language.

#include "definitions/fields.h"

namespace millrace::definitions {
namespace {

constexpr unsigned kPass = bit(StateType::Pass), kTask = bit(StateType::Task),
                   kChoice = bit(StateType::Choice), kWait = bit(StateType::Wait),
                   kParallel = bit(StateType::Parallel), kMap = bit(StateType::Map),
                   kSucceed = bit(StateType::Succeed), kFail = bit(StateType::Fail);
constexpr unsigned kAll = 0xFF;
constexpr unsigned kWorking = kTask | kParallel | kMap;
constexpr Use kPath = Use::JsonPathOnly, kAta = Use::JsonAtaOnly, kBoth = Use::Both;

constexpr FieldRule kStateFields[] = {
    {"Type", kAll, kBoth, "one of Task, Wait, Pass, Succeed, Fail, Choice, Parallel, Map"},
    {"Comment", kAll, kBoth, "a text"},
    {"QueryLanguage", kAll, kBoth, "\"JSONPath\" or \"JSONata\""},
    {"Next", kPass | kWait | kWorking, kBoth,
     "the name of a state in the same States, e.g. \"Next\": \"Evaluate\""},
    {"End", kPass | kWait | kWorking, kBoth, "true, in a state that ends its States"},
    {"InputPath", kAll & ~kFail, kPath, "a path or null, e.g. \"InputPath\": \"$.order\""},
    {"OutputPath", kAll & ~kFail, kPath, "a path or null, e.g. \"OutputPath\": \"$.Payload\""},
    {"Parameters", kPass | kWorking, kPath, "a payload template, e.g. {\"name.$\": \"$.name\"}"},
    {"ResultSelector", kWorking, kPath, "a payload template, e.g. {\"id.$\": \"$.Payload.id\"}"},
    {"ResultPath", kPass | kWorking, kPath,
     "a reference path or null (keep the input), e.g. \"ResultPath\": \"$.result\""},
    {"Arguments", kTask | kParallel, kAta, "any JSON with {% %} expressions"},
    {"Output", kAll & ~kFail, kAta, "any JSON with {% %} expressions"},
    {"Assign", kAll & ~kSucceed & ~kFail, kBoth, "an object of variables by name"},
    {"Retry", kWorking, kBoth, "an array of retriers, e.g. [{\"ErrorEquals\": [\"States.TaskFailed\"]}]"},
    {"Catch", kWorking, kBoth,
     "an array of catchers, e.g. [{\"ErrorEquals\": [\"States.ALL\"], \"Next\": \"Repair\"}]"},
    {"Result", kPass, kPath, "any JSON; it is copied as it stands"},
    {"Resource", kTask, kBoth, "an ARN, e.g. \"arn:aws:states:::sagemaker:createTrainingJob.sync\""},
    {"TimeoutSeconds", kTask, kBoth, "a whole number of seconds from 1 to 99999999, e.g. 300"},
    {"TimeoutSecondsPath", kTask, kPath, "a reference path to a number of seconds"},
    {"HeartbeatSeconds", kTask, kBoth, "a whole number of seconds from 1 to 99999999, below TimeoutSeconds"},
    {"HeartbeatSecondsPath", kTask, kPath, "a reference path to a number of seconds"},
    {"Credentials", kTask, kBoth,
     "an object with RoleArn, e.g. {\"RoleArn\": \"arn:aws:iam::123456789012:role/Cross\"}"},
    {"Choices", kChoice, kBoth,
     "an array of rules, e.g. [{\"Variable\": \"$.auc\", \"NumericGreaterThan\": 0.8, \"Next\": "
     "\"Deploy\"}]"},
    {"Default", kChoice, kBoth, "the name of a state in the same States"},
    {"Seconds", kWait, kBoth, "a whole number of seconds from 0 to 99999999, e.g. 60"},
    {"SecondsPath", kWait, kPath, "a reference path to a number of seconds"},
    {"Timestamp", kWait, kBoth, "an RFC 3339 time, e.g. \"2026-11-21T08:00:00Z\""},
    {"TimestampPath", kWait, kPath, "a reference path to an RFC 3339 time"},
    {"Branches", kParallel, kBoth, "an array of objects with StartAt and States"},
    {"ItemProcessor", kMap, kBoth, "an object with StartAt and States"},
    {"Iterator", kMap, kBoth, "an object with StartAt and States (the old name of ItemProcessor)"},
    {"ItemsPath", kMap, kPath, "a path to an array, e.g. \"ItemsPath\": \"$.orders\""},
    {"Items", kMap, kAta, "an array or a {% %} expression"},
    {"ItemSelector", kMap, kBoth, "a payload template, e.g. {\"item.$\": \"$$.Map.Item.Value\"}"},
    {"MaxConcurrency", kMap, kBoth, "a whole number, 0 for as many as possible"},
    {"MaxConcurrencyPath", kMap, kPath, "a reference path to a number"},
    {"ItemReader", kMap, kBoth, "an object with Resource and Parameters"},
    {"ItemBatcher", kMap, kBoth, "an object, e.g. {\"MaxItemsPerBatch\": 100}"},
    {"ResultWriter", kMap, kBoth, "an object with Resource and Parameters"},
    {"ToleratedFailureCount", kMap, kBoth, "a whole number of items"},
    {"ToleratedFailureCountPath", kMap, kPath, "a reference path to a number"},
    {"ToleratedFailurePercentage", kMap, kBoth, "a number from 0 to 100"},
    {"ToleratedFailurePercentagePath", kMap, kPath, "a reference path to a number"},
    {"Label", kMap, kBoth, "a text of at most 40 characters"},
    {"Error", kFail, kBoth, "the name of the error, e.g. \"ModelRejected\""},
    {"ErrorPath", kFail, kPath, "a path or an intrinsic function"},
    {"Cause", kFail, kBoth, "a text for people"},
    {"CausePath", kFail, kPath, "a path or an intrinsic function"},
};
constexpr FieldRule kMachineFields[] = {
    {"Comment", kAll, kBoth, "a text"},
    {"StartAt", kAll, kBoth, "the name of the first state, e.g. \"StartAt\": \"Prepare\""},
    {"States", kAll, kBoth, "an object of states by name"},
    {"Version", kAll, kBoth, "\"1.0\""},
    {"TimeoutSeconds", kAll, kBoth, "a whole number of seconds from 1 to 99999999"},
    {"QueryLanguage", kAll, kBoth, "\"JSONPath\" or \"JSONata\""},
};
constexpr FieldRule kBranchFields[] = {
    {"Comment", kAll, kBoth, "a text"},
    {"StartAt", kAll, kBoth, "the name of the first state of the branch"},
    {"States", kAll, kBoth, "an object of states by name"},
};
constexpr FieldRule kProcessorFields[] = {
    {"Comment", kAll, kBoth, "a text"},
    {"StartAt", kAll, kBoth, "the name of the first state of an iteration"},
    {"States", kAll, kBoth, "an object of states by name"},
    {"ProcessorConfig", kAll, kBoth, "an object, e.g. {\"Mode\": \"INLINE\"}"},
};
constexpr FieldRule kProcessorConfigFields[] = {
    {"Mode", kAll, kBoth, "\"INLINE\" or \"DISTRIBUTED\""},
    {"ExecutionType", kAll, kBoth, "\"STANDARD\" or \"EXPRESS\""},
};
constexpr FieldRule kRetrierFields[] = {
    {"ErrorEquals", kAll, kBoth, "an array of error names, e.g. [\"States.TaskFailed\"]"},
    {"IntervalSeconds", kAll, kBoth, "a whole number of seconds from 1 to 99999999"},
    {"MaxAttempts", kAll, kBoth, "a whole number from 0 to 99999999"},
    {"BackoffRate", kAll, kBoth, "a number of at least 1.0"},
    {"MaxDelaySeconds", kAll, kBoth, "a whole number of seconds from 1 to 31622400, above IntervalSeconds"},
    {"JitterStrategy", kAll, kBoth, "\"NONE\" or \"FULL\""},
    {"Comment", kAll, kBoth, "a text"},
};
constexpr FieldRule kCatcherFields[] = {
    {"ErrorEquals", kAll, kBoth, "an array of error names, e.g. [\"States.ALL\"]"},
    {"Next", kAll, kBoth, "the name of a state in the same States"},
    {"ResultPath", kAll, kPath, "a reference path or null, e.g. \"$.error\""},
    {"Output", kAll, kAta, "any JSON with {% %} expressions"},
    {"Assign", kAll, kBoth, "an object of variables by name"},
    {"Comment", kAll, kBoth, "a text"},
};

}  // namespace

std::span<const FieldRule> state_fields() {
  return kStateFields;
}
std::span<const FieldRule> machine_fields() {
  return kMachineFields;
}
std::span<const FieldRule> branch_fields() {
  return kBranchFields;
}
std::span<const FieldRule> processor_fields() {
  return kProcessorFields;
}
std::span<const FieldRule> processor_config_fields() {
  return kProcessorConfigFields;
}
std::span<const FieldRule> retrier_fields() {
  return kRetrierFields;
}
std::span<const FieldRule> catcher_fields() {
  return kCatcherFields;
}

}  // namespace millrace::definitions
