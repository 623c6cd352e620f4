#include "tasks/deployment/invoke.h"

#include <atomic>
#include <cmath>
#include <nlohmann/json.hpp>

#include "tasks/arguments.h"
#include "tasks/deployment/serving.h"
#include "tasks/jobs/entities.h"
#include "tasks/table/request_rows.h"
#include "tasks/training/own_form.h"

namespace millrace::tasks {
namespace {

// A point in [0, 1) for each call, spread evenly (multiples of the golden ratio): of n requests each variant
// gets its share to within a few, which independent draws would not give.
double next_point() {
  static std::atomic<std::uint64_t> calls{0};
  const double at =
      static_cast<double>(calls.fetch_add(1, std::memory_order_relaxed) % (std::uint64_t{1} << 40)) *
      0.6180339887498949;
  return at - std::floor(at);
}

struct Variant {
  std::string name;
  std::vector<std::string> artifacts;  // of its model's containers
};

Variant variant_of(const Json& endpoint, const Json& variant) {
  const std::string name = variant.at("VariantName");
  return {name, endpoint.at(kNotes).at("Artifacts").at(name).get<std::vector<std::string>>()};
}

Result<Variant> pick_variant(const Json& endpoint, std::string_view target) {
  const Json& variants = endpoint.at("ProductionVariants");
  double sum = 0;
  for (const Json& v : variants) {
    if (!target.empty() && v.at("VariantName") == target) return variant_of(endpoint, v);
    sum += v.at("CurrentWeight").get<double>();
  }
  if (!target.empty())
    return invalid("the endpoint has no production variant \"" + std::string(target) + "\"");
  double point = next_point() * sum;
  const Json* last = nullptr;
  for (const Json& v : variants) {
    const double weight = v.at("CurrentWeight").get<double>();
    if (weight <= 0) continue;
    last = &v;
    point -= weight;
    if (point < 0) break;
  }
  if (!last) return invalid("no production variant of the endpoint has a weight");
  return variant_of(endpoint, *last);
}

bool is_type(std::string_view given, std::string_view type) {
  return given == type ||
         (given.size() > type.size() && given.substr(0, type.size()) == type && given[type.size()] == ';');
}

// What the scores are answered as.
Result<std::string> answer_type(std::string_view accept, std::string_view content_type) {
  if (accept.empty() || accept == "*/*") {
    if (is_type(content_type, "application/json")) return std::string("application/json");
    return std::string(is_type(content_type, "application/jsonlines") ? "application/jsonlines" : "text/csv");
  }
  for (const std::string_view type : {"text/csv", "application/json", "application/jsonlines"})
    if (is_type(accept, type)) return std::string(type);
  return invalid("Accept \"" + std::string(accept) + "\" is not supported",
                 "use text/csv, application/json or application/jsonlines");
}

std::string format_answer(const Answer& answer, const std::string& type) {
  if (type == "application/json") return answer_as_json(answer);
  return type == "text/csv" ? answer_as_csv(answer) : answer_as_jsonlines(answer);
}

Result<InvokeAnswer> invoke_by(const TaskCall& call) {
  const Arguments arguments(call.arguments);
  MR_TRY(endpoint, arguments.text("EndpointName"));
  MR_TRY(content_type, arguments.text_or("ContentType", ""));
  MR_TRY(accept, arguments.text_or("Accept", ""));
  MR_TRY(target, arguments.text_or("TargetVariant", ""));
  // A Body that a definition writes as JSON, without turning it into text first, is meant as that JSON.
  const Json body = call.arguments.value("Body", Json());
  if (body.is_null()) return invalid("Body is required");
  const std::string text = body.is_string() ? body.get<std::string>() : std::string(to_payload(body).text());
  if (content_type.empty() && !body.is_string()) content_type = "application/json";
  return invoke_endpoint(call.context.jobs(), call.context.objects(), endpoint, content_type, text, accept,
                         target);
}

}  // namespace

Result<InvokeAnswer> invoke_endpoint(const Jobs& jobs, const ObjectStore& objects, std::string_view endpoint,
                                     std::string_view content_type, std::string_view body,
                                     std::string_view accept, std::string_view target_variant) {
  const auto record = jobs.find(kEndpoint.kind, endpoint);
  if (!record && record.error().code == ErrorCode::NotFound)
    return fail(ErrorCode::NotFound, "Endpoint " + std::string(endpoint) + " not found.");
  if (!record) return fail(record.error());
  if (content_type.empty()) content_type = "text/csv";
  MR_TRY(variant, pick_variant(*record, target_variant));
  MR_TRY(chain, load_chain(objects, variant.artifacts));
  MR_TRY(own, chain.own_form());
  if (own != nullptr) {
    MR_TRY(answer, own->answer({.body = body, .content_type = content_type, .accept = accept}));
    return InvokeAnswer{std::move(answer.body), std::move(answer.content_type), variant.name, 200};
  }
  MR_TRY(type, answer_type(accept, content_type));
  MR_TRY(rows, parse_request_rows(body, content_type, chain.input_columns()));
  MR_TRY(answer, chain.answer(rows));
  return InvokeAnswer{format_answer(answer, type), type, variant.name, 200};
}

Outcome invoke_endpoint_task(TaskCall& call) {
  const auto answer = invoke_by(call);
  if (!answer) {
    const bool callers_fault =
        answer.error().code == ErrorCode::InvalidArgument || answer.error().code == ErrorCode::NotFound;
    return failed(
        callers_fault ? "SageMakerRuntime.ValidationErrorException" : "SageMakerRuntime.ModelErrorException",
        answer.error().message);
  }
  return to_payload(Json{{"Body", answer->body},
                         {"ContentType", answer->content_type},
                         {"InvokedProductionVariant", answer->variant}});
}

}  // namespace millrace::tasks
