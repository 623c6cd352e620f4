#include "service/bus/universal_target.h"

#include "base/payload.h"
#include "tasks/catalog.h"

namespace millrace::bus {
namespace {

constexpr std::string_view kUniversal = "arn:aws:scheduler:::aws-sdk:";

}  // namespace

bool is_universal_target(std::string_view arn) {
  return arn.starts_with(kUniversal);
}

std::optional<UniversalTarget> universal_target(std::string_view arn) {
  if (!is_universal_target(arn)) return std::nullopt;
  arn.remove_prefix(kUniversal.size());
  const std::size_t colon = arn.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  UniversalTarget target{std::string(arn.substr(0, colon)), std::string(arn.substr(colon + 1)), false};
  target.start_execution = target.service == "sfn" && target.operation == "startExecution";
  if (target.start_execution || tasks::find_operation(target.service, target.operation)) return target;
  return std::nullopt;
}

std::optional<std::string> refuse_universal_target(std::string_view arn, const std::string& input) {
  const auto target = universal_target(arn);
  if (!target) return "Nothing here serves " + std::string(arn) + ".";
  const auto document = Payload::parse(input);
  if (!document || !document->view().is_object())
    return "Input must be a JSON object: the request of the operation.";
  if (!target->start_execution) return std::nullopt;
  const JsonView machine = document->view().find("StateMachineArn");
  if (!machine || !machine.is_string()) return "Input must have the StateMachineArn.";
  return std::nullopt;
}

}  // namespace millrace::bus
