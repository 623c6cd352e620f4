#include "definitions/resource.h"

#include <algorithm>
#include <array>
#include <span>
#include <vector>

namespace millrace::definitions {
namespace {

// Optimized services whose actions are few and known: others of these are refused, as AWS does, because the
// SDK integration of the same service would take them. Source: developer guide, "Integrating optimized
// services".
struct ServiceActions {
  std::string_view service;
  std::array<std::string_view, 4> actions;
};
constexpr ServiceActions kClosedServices[] = {
    {"dynamodb", {"deleteItem", "getItem", "putItem", "updateItem"}},
    {"events", {"putEvents"}},
    {"http", {"invoke"}},
    {"lambda", {"invoke"}},
    {"sns", {"publish"}},
    {"sqs", {"sendMessage"}},
    {"states", {"startExecution"}},
};

struct Suffix {
  std::string_view text;
  TaskPattern pattern;
  bool sync2;
};
constexpr Suffix kSuffixes[] = {
    {".waitForTaskToken", TaskPattern::WaitForTaskToken, false},
    {".sync:2", TaskPattern::Sync, true},
    {".sync", TaskPattern::Sync, false},
};

constexpr std::string_view kNotAnArn = "Value is not a valid resource ARN";

// arn:partition:service:region:account:rest, the rest with its colons.
std::vector<std::string_view> split_arn(std::string_view arn) {
  std::vector<std::string_view> parts;
  while (parts.size() < 5) {
    const std::size_t colon = arn.find(':');
    if (colon == std::string_view::npos) break;
    parts.push_back(arn.substr(0, colon));
    arn.remove_prefix(colon + 1);
  }
  parts.push_back(arn);
  return parts;
}

tl::unexpected<Error> not_recognized(std::string_view arn, std::string hint) {
  return invalid(
      "The resource provided " + std::string(arn) +
          " is not recognized. The value is not a valid resource ARN, or the resource is not available in "
          "this region.",
      std::move(hint));
}

Result<Resource> parse_service(Resource out, std::string_view rest) {
  const bool sdk = rest.starts_with("aws-sdk:");
  const std::size_t colon = rest.find(':', sdk ? 8 : 0);
  if (colon == std::string_view::npos || colon == 0 || colon + 1 == rest.size()) {
    return invalid(std::string(kNotAnArn),
                   "a service resource is arn:aws:states:::service:action, e.g. "
                   "arn:aws:states:::sagemaker:createTrainingJob.sync");
  }
  out.family = TaskFamily::Service;
  out.resource_type = rest.substr(0, colon);
  out.resource = rest.substr(colon + 1);
  out.action = out.resource;
  for (const Suffix& suffix : kSuffixes) {
    if (!out.action.ends_with(suffix.text)) continue;
    out.action.resize(out.action.size() - suffix.text.size());
    out.pattern = suffix.pattern;
    out.sync2 = suffix.sync2;
    break;
  }
  if (out.action.empty() || out.action.find_first_of(".:") != std::string::npos) {
    return not_recognized(out.arn, "behind the action may stand .sync, .sync:2 or .waitForTaskToken");
  }
  const auto service = std::find_if(std::begin(kClosedServices), std::end(kClosedServices),
                                    [&](const ServiceActions& s) { return s.service == out.resource_type; });
  if (service != std::end(kClosedServices)) {
    const auto& actions = service->actions;
    if (std::find(actions.begin(), actions.end(), out.action) == actions.end()) {
      return not_recognized(out.arn, "any API of the service can be called as arn:aws:states:::aws-sdk:" +
                                         out.resource_type + ":" + out.action);
    }
  }
  return out;
}

}  // namespace

Result<Resource> parse_resource(std::string_view arn) {
  const std::vector<std::string_view> parts = split_arn(arn);
  if (parts.size() != 6 || parts[0] != "arn" || parts[1].empty() || parts[5].empty()) {
    return invalid(
        std::string(kNotAnArn),
        "e.g. arn:aws:states:::lambda:invoke or arn:aws:states:::sagemaker:createTrainingJob.sync");
  }
  Resource out;
  out.arn = arn;
  const std::string_view service = parts[2], rest = parts[5];
  if (service == "lambda") {
    if (!rest.starts_with("function:") || rest.size() == 9 || rest.ends_with(':')) {
      return invalid(
          std::string(kNotAnArn),
          "a function is arn:aws:lambda:REGION:ACCOUNT:function:NAME, with :VERSION or :ALIAS behind it");
    }
    out.family = TaskFamily::Lambda;
    out.region = parts[3];
    return out;
  }
  if (service != "states") {
    return not_recognized(
        arn, "a Task calls a function (arn:aws:lambda:…), an activity or a service (arn:aws:states:…)");
  }
  if (rest.starts_with("activity:") && rest.size() > 9) {
    out.family = TaskFamily::Activity;
    out.region = parts[3];
    return out;
  }
  return parse_service(std::move(out), rest);
}

}  // namespace millrace::definitions
