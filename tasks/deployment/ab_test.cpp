#include "tasks/deployment/ab_test.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "tasks/arguments.h"
#include "tasks/deployment/deployments.h"
#include "tasks/deployment/endpoint_host.h"
#include "tasks/jobs/entities.h"

namespace millrace::tasks {
namespace {

constexpr std::size_t kUnknownShown = 100;

// The sign that makes larger differences better ones.
double better_sign(const AbSettings& settings) {
  return settings.lower_is_better ? -1 : 1;
}

std::string verdict_of(const ArmDifference& difference, const AbSettings& settings) {
  if (!difference.known) return "Undecided";
  const bool above = difference.low > 0, below = difference.high < 0;
  if (std::max(std::abs(difference.low), std::abs(difference.high)) < settings.margin) return "Equal";
  if (!above && !below) return "Undecided";
  return above == (better_sign(settings) > 0) ? "Better" : "Worse";
}

Result<OutcomeStore*> outcomes_of_call(const TaskCall& call) {
  if (!call.endpoints) return fail(ErrorCode::Internal, "there is no host of endpoints here");
  return &call.endpoints->outcomes();
}

Result<std::vector<ReportedOutcome>> outcomes_in(const TaskCall& call) {
  const Arguments arguments(call.arguments);
  MR_TRY(uri, arguments.text_or("S3Uri", ""));
  MR_TRY(content_type,
         arguments.text_or("ContentType", uri.ends_with(".csv") ? "text/csv" : "application/jsonlines"));
  if (!uri.empty()) {
    MR_TRY(bytes, call.context.objects().read(uri));
    return read_outcomes(bytes, content_type);
  }
  const Json outcomes = call.arguments.value("Outcomes", Json());
  if (outcomes.is_null()) return invalid("Outcomes or S3Uri is required");
  return outcomes.is_string() ? read_outcomes(outcomes.get<std::string>(), content_type)
                              : read_outcomes(to_payload(outcomes).text(), "application/json");
}

Result<Json> put_outcomes(const TaskCall& call) {
  MR_TRY(endpoint, Arguments(call.arguments).text("EndpointName"));
  MR_DO(call.context.jobs().find(kEndpoint.kind, endpoint));
  MR_TRY(reported, outcomes_in(call));
  MR_TRY(store, outcomes_of_call(call));
  MR_TRY(taken, store->add(endpoint, reported));
  return to_json(taken);
}

Result<Json> compare_by(const TaskCall& call) {
  MR_TRY(endpoint, Arguments(call.arguments).text("EndpointName"));
  MR_TRY(settings, AbSettings::read(call.arguments));
  MR_TRY(store, outcomes_of_call(call));
  MR_TRY(result, ab_test(call.context.jobs(), *store, endpoint, settings));
  return to_json(result);
}

Outcome task_answer(const Result<Json>& answer) {
  if (answer) return to_payload(*answer);
  const bool callers_fault =
      answer.error().code == ErrorCode::InvalidArgument || answer.error().code == ErrorCode::NotFound;
  return failed(callers_fault ? "Millrace.ValidationException" : "Millrace.InternalFailure",
                answer.error().message);
}

}  // namespace

Result<AbSettings> AbSettings::read(const Json& document) {
  const Arguments arguments(document);
  AbSettings settings;
  MR_TRY(confidence, arguments.real_or("Confidence", 0.95));
  if (!(confidence >= 0.5 && confidence < 1))
    return arguments.wrong("Confidence", "must be at least 0.5 and below 1");
  MR_TRY(missing, arguments.text_or("MissingOutcomes", "Ignore"));
  MR_DO(arguments.one_of("MissingOutcomes", missing, "Ignore|Zero"));
  MR_TRY(better, arguments.text_or("Better", "Higher"));
  MR_DO(arguments.one_of("Better", better, "Higher|Lower"));
  MR_TRY(margin, arguments.real_or("Margin", 0));
  if (!(margin >= 0)) return arguments.wrong("Margin", "must not be negative");
  MR_TRY(control, arguments.text_or("Control", ""));
  settings.confidence = confidence;
  settings.missing_is_zero = missing == "Zero";
  settings.lower_is_better = better == "Lower";
  settings.margin = margin;
  settings.control = control;
  return settings;
}

Result<AbResult> compare_variants(std::vector<AbVariant> variants, const AbSettings& settings) {
  if (variants.size() < 2)
    return invalid("there is only one variant to compare", "an A/B test needs an endpoint with two or more");
  const auto control = std::find_if(variants.begin(), variants.end(), [&](const AbVariant& v) {
    return settings.control.empty() || v.name == settings.control;
  });
  if (control == variants.end()) return invalid("Control: there is no variant \"" + settings.control + "\"");
  std::rotate(variants.begin(), control, control + 1);
  if (settings.missing_is_zero)
    for (AbVariant& variant : variants) variant.outcomes.n = std::max(variant.requests, variant.outcomes.n);
  const double pairs = static_cast<double>(variants.size() * (variants.size() - 1)) / 2;
  const double alpha = (1 - settings.confidence) / pairs;
  AbResult result;
  result.control = variants.front().name;
  result.confidence = settings.confidence;
  bool all_equal = true;
  for (std::size_t i = 0; i < variants.size(); ++i) {
    bool best = true;
    for (std::size_t j = 0; j < variants.size(); ++j) {
      if (i == j) continue;
      const ArmDifference difference = difference_of(variants[j].outcomes, variants[i].outcomes, alpha);
      const std::string verdict = verdict_of(difference, settings);
      best = best && verdict == "Better";
      all_equal = all_equal && verdict == "Equal";
      if (j != 0) continue;
      variants[i].difference = difference;
      variants[i].verdict = verdict;
    }
    if (best) result.winner = variants[i].name;
  }
  variants.front().verdict = "Control";
  result.verdict = !result.winner.empty() ? "Winner" : all_equal ? "Equal" : "Undecided";
  result.variants = std::move(variants);
  return result;
}

Result<AbResult> ab_test(const Jobs& jobs, OutcomeStore& outcomes, const std::string& endpoint,
                         const AbSettings& settings) {
  MR_TRY(record, jobs.find(kEndpoint.kind, endpoint));
  MR_TRY(arms, outcomes.of(endpoint));
  const std::string fleet = fleet_of(record);
  std::vector<AbVariant> variants;
  for (const Json& variant : record.at("ProductionVariants")) {
    AbVariant one;
    one.name = text_in(variant, "VariantName");
    for (const OutcomesOfVariant& arm : arms) {
      if (arm.fleet != fleet || arm.variant != one.name) continue;
      one.requests = arm.requests;
      one.outcomes = arm.outcomes;
    }
    variants.push_back(std::move(one));
  }
  MR_TRY(result, compare_variants(std::move(variants), settings));
  result.endpoint = endpoint;
  return result;
}

Json to_json(const AbResult& result) {
  Json variants = Json::array();
  for (const AbVariant& variant : result.variants) {
    Json row = {{"VariantName", variant.name},
                {"Requests", variant.requests},
                {"Outcomes", variant.outcomes.n},
                {"Mean", variant.outcomes.n == 0 ? Json() : Json(variant.outcomes.mean())},
                {"Verdict", variant.verdict}};
    if (variant.difference.known) {
      row["Difference"] = variant.difference.value;
      row["Interval"] = {variant.difference.low, variant.difference.high};
      row["PValue"] = variant.difference.p;
    }
    variants.push_back(std::move(row));
  }
  Json out = {{"EndpointName", result.endpoint},
              {"Control", result.control},
              {"Confidence", result.confidence},
              {"Variants", std::move(variants)},
              {"Verdict", result.verdict}};
  if (!result.winner.empty()) out["Winner"] = result.winner;
  return out;
}

Json to_json(const OutcomeStore::Taken& taken) {
  Json ids = Json::array();
  for (std::size_t i = 0; i < std::min(taken.unknown.size(), kUnknownShown); ++i)
    ids.push_back(taken.unknown[i]);
  return {{"Accepted", taken.accepted},
          {"Unknown", taken.unknown.size()},
          {"UnknownInferenceIds", std::move(ids)}};
}

Outcome compare_variants_task(TaskCall& call) {
  return task_answer(compare_by(call));
}

Outcome put_outcomes_task(TaskCall& call) {
  return task_answer(put_outcomes(call));
}

}  // namespace millrace::tasks
