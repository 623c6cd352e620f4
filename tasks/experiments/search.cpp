// Search: records of one kind by conditions on any of their properties; see experiments.h.

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/time.h"
#include "tasks/arguments.h"
#include "tasks/experiments/experiments.h"
#include "tasks/features/feature_group.h"
#include "tasks/features/feature_groups.h"
#include "tasks/jobs/entities.h"
#include "tasks/jobs/listing.h"
#include "tasks/jobs/tags.h"
#include "tasks/table/table.h"

namespace millrace::tasks {
namespace {

constexpr std::size_t kSearchedMax = 1'000'000;  // records
constexpr std::int64_t kHitsMax = 100;           // on one page
constexpr int kExpressionDepthMax = 20;

struct SearchedKind {
  std::string_view resource;  // as requests say it
  const EntityKind& entity;
  std::string_view member;  // of a result
};
const SearchedKind kSearched[] = {
    {"TrainingJob", kTrainingJob, "TrainingJob"},
    {"ExperimentTrialComponent", kTrialComponent, "TrialComponent"},
    {"ModelPackage", kModelPackage, "ModelPackage"},
    {"Experiment", kExperiment, "Experiment"},
    {"ExperimentTrial", kTrial, "Trial"},
    {"ModelPackageGroup", kModelPackageGroup, "ModelPackageGroup"},
    {"Endpoint", kEndpoint, "Endpoint"},
    {"HyperParameterTuningJob", kTuningJob, "HyperParameterTuningJob"},
    {"FeatureGroup", kFeatureGroup, "FeatureGroup"},
    {"FeatureMetadata", kFeatureGroup, "FeatureMetadata"},
};

// One metric of a list of metrics by its name: {"Value": …} of a job, {"Last": …, "Max": …} of a component.
const Json* metric_named(const Json& document, std::string_view name) {
  for (const char* list : {"FinalMetricDataList", "Metrics"}) {
    const auto found = document.find(list);
    if (found == document.end() || !found->is_array()) continue;
    for (const Json& metric : *found)
      if (text_in(metric, "MetricName") == name) return &metric;
  }
  return nullptr;
}

// All values at a path of members; of lists those of every element.
void collect(const Json& value, std::string_view path, std::vector<Json>& out) {
  if (value.is_array()) {
    for (const Json& element : value) collect(element, path, out);
    return;
  }
  if (path.empty()) {
    if (!value.is_null()) out.push_back(value);
    return;
  }
  if (!value.is_object()) return;
  // Names may hold dots: the longest member that fits goes first.
  for (std::size_t end = path.size();; end = path.rfind('.', end - 1)) {
    const auto found = value.find(std::string(path.substr(0, end)));
    if (found != value.end())
      return collect(*found, end == path.size() ? std::string_view() : path.substr(end + 1), out);
    if (end == 0 || path.rfind('.', end - 1) == std::string_view::npos) return;
  }
}

std::vector<Json> values_at(const Json& document, std::string_view path) {
  std::vector<Json> out;
  constexpr std::string_view kMetrics = "Metrics.", kTagsOf = "Tags.";
  if (path.starts_with(kMetrics)) {
    const std::string_view rest = path.substr(kMetrics.size());
    if (const Json* metric = metric_named(document, rest)) {
      collect(*metric, metric->contains("Value") ? "Value" : "Last", out);
      return out;
    }
    const std::size_t dot = rest.rfind('.');
    const Json* metric =
        dot == std::string_view::npos ? nullptr : metric_named(document, rest.substr(0, dot));
    std::string part(dot == std::string_view::npos ? std::string_view() : rest.substr(dot + 1));
    if (!part.empty() && part[0] >= 'a' && part[0] <= 'z') part[0] = static_cast<char>(part[0] - 'a' + 'A');
    if (part == "Stddev" || part == "StdDev") part = "StdDev";
    if (metric) collect(*metric, part, out);
    return out;
  }
  if (path.starts_with(kTagsOf) && path != "Tags.Key" && path != "Tags.Value") {
    for (const Json& tag : document.value("Tags", Json::array()))
      if (text_in(tag, "Key") == path.substr(kTagsOf.size())) out.push_back(tag.value("Value", Json("")));
    return out;
  }
  collect(document, path, out);
  return out;
}

// A value and what it is compared with, as numbers when both are.
struct Comparison {
  bool numbers = false;
  double left = 0, right = 0;
  std::string text;
};

Comparison compared(const Json& value, const std::string& with, bool time) {
  Comparison c;
  bool left = false;
  if (value.is_number()) c.left = value.get<double>(), left = true;
  if (value.is_string()) c.text = value.get<std::string>(), left = parse_number(c.text, c.left);
  if (!value.is_string()) c.text = std::string(to_payload(value).text());
  bool right = parse_number(with, c.right);
  if (time && right && c.right < 1e11) c.right *= 1000;  // seconds
  if (const auto instant = time ? parse_rfc3339(with) : std::nullopt)
    c.right = static_cast<double>(to_millis(*instant)), right = true;
  c.numbers = left && right;
  return c;
}

bool in_list(const std::string& text, std::string_view list) {
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    if (list.substr(0, comma) == text) return true;
    list = comma == std::string_view::npos ? std::string_view() : list.substr(comma + 1);
  }
  return false;
}

struct SearchFilter {
  std::string name, op, value;
};

bool fits_value(const SearchFilter& filter, const Json& value) {
  const Comparison c = compared(value, filter.value, filter.name.ends_with("Time"));
  if (filter.op == "Contains") return c.text.find(filter.value) != std::string::npos;
  if (filter.op == "In") return in_list(c.text, filter.value);
  const auto order = [&](auto less) {
    return c.numbers ? less(c.left, c.right) : less(c.text, filter.value);
  };
  if (filter.op == "GreaterThan") return order([](const auto& a, const auto& b) { return a > b; });
  if (filter.op == "GreaterThanOrEqualTo") return order([](const auto& a, const auto& b) { return a >= b; });
  if (filter.op == "LessThan") return order([](const auto& a, const auto& b) { return a < b; });
  if (filter.op == "LessThanOrEqualTo") return order([](const auto& a, const auto& b) { return a <= b; });
  return c.numbers ? c.left == c.right : c.text == filter.value;  // Equals, NotEquals
}

bool fits_filter(const SearchFilter& filter, const Json& document) {
  const std::vector<Json> values = values_at(document, filter.name);
  if (filter.op == "Exists") return !values.empty();
  if (filter.op == "NotExists") return values.empty();
  const bool any =
      std::any_of(values.begin(), values.end(), [&](const Json& value) { return fits_value(filter, value); });
  return filter.op == "NotEquals" ? !any : any;
}

Result<std::vector<SearchFilter>> filters_in(const Arguments& arguments, const std::string& prefix) {
  MR_TRY(list, arguments.list("Filters"));
  std::vector<SearchFilter> filters;
  for (const Arguments& one : list) {
    MR_TRY(name, one.text("Name"));
    MR_TRY(value, one.text_or("Value", ""));
    MR_TRY(op, one.text_or("Operator", one.has("Value") ? "Equals" : "Exists"));
    MR_DO(one.one_of("Operator", op,
                     "Equals|NotEquals|GreaterThan|GreaterThanOrEqualTo|LessThan|LessThanOrEqualTo|Contains|"
                     "Exists|NotExists|In"));
    if (op != "Exists" && op != "NotExists" && !one.has("Value")) return one.wrong("Value", "is required");
    if (!prefix.empty() && name.starts_with(prefix + ".")) name.erase(0, prefix.size() + 1);
    filters.push_back({std::move(name), std::move(op), std::move(value)});
  }
  return filters;
}

struct SearchExpression {
  struct Nested {
    std::string property;
    std::vector<SearchFilter> filters;
  };
  std::vector<SearchFilter> filters;
  std::vector<Nested> nested;
  std::vector<SearchExpression> expressions;
  bool any = false;  // Or

  bool fits(const Json& document) const {
    bool all = true, some = false;
    const auto count = [&](bool fit) { all = all && fit, some = some || fit; };
    for (const SearchFilter& filter : filters) count(fits_filter(filter, document));
    for (const Nested& one : nested) count(fits_nested(one, document));
    for (const SearchExpression& one : expressions) count(one.fits(document));
    const bool empty = filters.empty() && nested.empty() && expressions.empty();
    return any && !empty ? some : all;
  }

 private:
  // All filters by the same element of the list.
  static bool fits_nested(const Nested& nested, const Json& document) {
    const auto list = document.find(nested.property);
    if (list == document.end() || !list->is_array()) return false;
    return std::any_of(list->begin(), list->end(), [&](const Json& element) {
      return std::all_of(nested.filters.begin(), nested.filters.end(),
                         [&](const SearchFilter& filter) { return fits_filter(filter, element); });
    });
  }
};

Result<SearchExpression> expression_in(const Arguments& arguments, int depth = 0) {
  if (depth > kExpressionDepthMax) return invalid("SearchExpression is nested more than 20 deep");
  SearchExpression expression;
  MR_TRY(op, arguments.text_or("Operator", "And"));
  MR_DO(arguments.one_of("Operator", op, "And|Or"));
  expression.any = op == "Or";
  MR_TRY(filters, filters_in(arguments, {}));
  expression.filters = std::move(filters);
  MR_TRY(nested, arguments.list("NestedFilters"));
  for (const Arguments& one : nested) {
    MR_TRY(property, one.text("NestedPropertyName"));
    MR_TRY(conditions, filters_in(one, property));
    expression.nested.push_back({std::move(property), std::move(conditions)});
  }
  MR_TRY(parts, arguments.list("SubExpressions"));
  for (const Arguments& part : parts) {
    MR_TRY(sub, expression_in(part, depth + 1));
    expression.expressions.push_back(std::move(sub));
  }
  return expression;
}

// What a search looks at and shows: the Describe… document with its tags and what it belongs to.
Result<Json> searched_document(const Jobs& jobs, const SearchedKind& kind, const Json& record) {
  Json document = described(record);
  if (kind.entity.kind == kTrialComponent.kind) {
    MR_TRY(component, component_document(jobs, record));
    document = std::move(component);
    Json parents = Json::array();
    for (const std::string& trial : trials_of_component(record)) {
      const auto owner = jobs.find(kTrial.kind, trial);
      parents.push_back({{"TrialName", trial}});
      if (owner) parents.back()["ExperimentName"] = text_in(*owner, "ExperimentName");
    }
    document["Parents"] = std::move(parents);
  }
  document["Tags"] = tags_in(record);
  return document;
}

Result<std::vector<Json>> searched_documents(const Jobs& jobs, const SearchedKind& kind, const Json& record) {
  if (kind.resource == "FeatureMetadata") return feature_metadata(record);
  MR_TRY(document, searched_document(jobs, kind, record));
  return std::vector<Json>{std::move(document)};
}

Result<Json> found(const TaskCall& call) {
  const Arguments arguments(call.arguments);
  MR_TRY(resource, arguments.text("Resource"));
  const auto kind = std::find_if(std::begin(kSearched), std::end(kSearched),
                                 [&](const SearchedKind& k) { return k.resource == resource; });
  if (kind == std::end(kSearched)) {
    std::string names;
    for (const SearchedKind& k : kSearched) names += (names.empty() ? "" : ", ") + std::string(k.resource);
    return arguments.wrong("Resource", "\"" + resource + "\" can't be searched here", "there are " + names);
  }
  MR_TRY(limit, arguments.integer_or("MaxResults", kHitsMax));
  if (limit < 1 || limit > kHitsMax) return arguments.wrong("MaxResults", "must be from 1 to 100");
  MR_TRY(condition, arguments.object_or_empty("SearchExpression"));
  MR_TRY(expression, expression_in(condition));
  MR_TRY(sort_by, arguments.text_or("SortBy", "LastModifiedTime"));
  const Jobs& jobs = call.context.jobs();
  MR_TRY(records, jobs.records(kind->entity.kind, {}, kSearchedMax));
  std::vector<Jobs::Record> hits;
  for (Jobs::Record& record : records) {
    MR_TRY(documents, searched_documents(jobs, *kind, record.document));
    // Places in the order stay apart: a record has as many documents as a group has features, at most.
    std::int64_t number = record.number * static_cast<std::int64_t>(kFeaturesMax);
    for (Json& document : documents) {
      if (expression.fits(document)) hits.push_back({number, std::move(document)});
      ++number;
    }
  }
  MR_TRY(page, page_of(std::move(hits), arguments, {{sort_by, sort_by}},
                       [](const Json& document, const std::string& path) {
                         const std::vector<Json> values = values_at(document, path);
                         return values.empty() ? Json() : values.front();
                       }));
  Json answer = page_answer("Results", page, [&](const Json& document) {
    return Json{{std::string(kind->member), document}};
  });
  answer["TotalHits"] = {{"Value", page.hits}, {"Relation", "EqualTo"}};
  return answer;
}

}  // namespace

Outcome search(TaskCall& call) {
  const auto answer = found(call);
  if (!answer) return sagemaker_failure(answer.error());
  return to_payload(*answer);
}

}  // namespace millrace::tasks
