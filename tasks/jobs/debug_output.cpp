#include "tasks/jobs/debug_output.h"

#include <algorithm>
#include <cstdio>
#include <limits>
#include <nlohmann/json.hpp>

#include "tasks/arguments.h"
#include "tasks/training/hyperparameters.h"

namespace millrace::tasks {
namespace {

constexpr std::string_view kAllTensors = "all";

// The last of the names that is given, as a whole number of at least `least`.
Result<std::int64_t> step_setting(const Arguments& configuration,
                                  const std::map<std::string, std::string>& parameters,
                                  std::initializer_list<const char*> names, std::int64_t otherwise,
                                  std::int64_t least) {
  for (const char* name : names) {
    const auto given = parameters.find(name);
    if (given == parameters.end()) continue;
    const auto number = parse_real(given->second);
    constexpr double kStepsMax = 1e15;
    if (!number || *number < static_cast<double>(least) || *number > kStepsMax ||
        *number != static_cast<double>(static_cast<std::int64_t>(*number)))
      return configuration.wrong("CollectionParameters", std::string(name) + " is '" + given->second +
                                                             "': expected a whole number of at least " +
                                                             std::to_string(least));
    otherwise = static_cast<std::int64_t>(*number);
  }
  return otherwise;
}

// A folder of that name is made.
bool is_collection_name(std::string_view name) {
  return !name.empty() && name.size() <= 256 && name.front() != '.' && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  });
}

std::string output_place(const std::string& path, const std::string& job) {
  return join_uri(join_uri(path, job), "debug-output");
}

std::string output_object(const std::string& place, std::string_view collection, std::int64_t step) {
  char name[32];
  std::snprintf(name, sizeof name, "%012lld.json", static_cast<long long>(step));
  return join_uri(join_uri(place, collection), name);
}

bool is_shown(std::string_view shown, std::string_view name) {
  const std::string between = "|" + std::string(shown) + "|";
  return !shown.empty() && between.find("|" + std::string(name) + "|") != std::string::npos;
}

}  // namespace

// At step 0, interval, 2 interval, …; after kSavesBetween of them every second, then every fourth, …
bool DebugOutput::Collection::saves(std::int64_t step) const {
  if (step < first || step >= last || step % interval != 0) return false;
  std::int64_t number = step / interval, stride = 1;
  while (number / stride >= kSavesBetween) stride *= 2;
  return number % stride == 0;
}

bool DebugOutput::Collection::holds(const Tensor& tensor) const {
  return name == kAllTensors || name == tensor.collection || (pattern && pattern->matches(tensor.name));
}

Result<DebugOutput::Collection> DebugOutput::parse_collection(const Json& json, const std::string& path,
                                                              const Json& of_all) {
  const Arguments configuration(json, path), hook(of_all, "DebugHookConfig");
  Collection out;
  MR_TRY(name, configuration.text("CollectionName"));
  if (!is_collection_name(name))
    return configuration.wrong(
        "CollectionName",
        "'" + name.substr(0, 80) + "': expected at most 256 letters, digits, '_', '-' and '.'");
  MR_TRY(common, hook.text_map("HookParameters"));
  MR_TRY(own, configuration.text_map("CollectionParameters"));
  for (const auto& [key, value] : own) common.insert_or_assign(key, value);
  out.name = name;
  MR_TRY(interval, step_setting(configuration, common, {"save_interval", "train.save_interval"}, 500, 1));
  MR_TRY(first, step_setting(configuration, common, {"start_step", "train.start_step"}, 0, 0));
  MR_TRY(last, step_setting(configuration, common, {"end_step", "train.end_step"},
                            std::numeric_limits<std::int64_t>::max(), 0));
  out.interval = interval, out.first = first, out.last = last;
  const auto regex = own.find("include_regex");
  if (regex == own.end()) return out;
  auto pattern = NamePattern::compile(regex->second);
  if (!pattern)
    return configuration.wrong("CollectionParameters", "include_regex: " + pattern.error().message,
                               pattern.error().hint);
  out.pattern = std::move(*pattern);
  return out;
}

Result<DebugOutput> DebugOutput::parse(const Json& request, std::string_view shown) {
  DebugOutput out;
  MR_TRY(hook, Arguments(request).object_or_empty("DebugHookConfig"));
  if (!Arguments(request).has("DebugHookConfig")) return out;
  MR_TRY(path, hook.text("S3OutputPath"));
  if (!parse_s3_uri(path)) return hook.wrong("S3OutputPath", "'" + path + "' is not an S3 URI");
  out.place_ = output_place(path, text_at(request, {"TrainingJobName"}));
  MR_TRY(configurations, hook.list("CollectionConfigurations"));
  if (configurations.size() > kCollectionsMax)
    return hook.wrong("CollectionConfigurations",
                      "more than " + std::to_string(kCollectionsMax) + " collections");
  for (const Arguments& configuration : configurations) {
    MR_TRY(collection, parse_collection(configuration.json(), configuration.path(), hook.json()));
    if (std::ranges::find(out.collections_, collection.name, &Collection::name) != out.collections_.end())
      return configuration.wrong("CollectionName", "there are two collections '" + collection.name + "'");
    const bool known = !shown.empty() && (collection.pattern || collection.name == kAllTensors ||
                                          is_shown(shown, collection.name));
    if (known)
      out.collections_.push_back(std::move(collection));
    else
      out.unknown_.push_back(collection.name);
  }
  return out;
}

bool DebugOutput::wants(std::int64_t step) const {
  return std::ranges::any_of(collections_, [&](const Collection& c) { return c.saves(step); });
}

Status DebugOutput::save(std::int64_t step, std::span<const Tensor> tensors,
                         const ObjectStore& objects) const {
  for (const Collection& collection : collections_) {
    if (!collection.saves(step)) continue;
    Json document = {{"step", step}, {"collection", collection.name}, {"tensors", Json::array()}};
    for (const Tensor& tensor : tensors)
      if (collection.holds(tensor)) document["tensors"].push_back(to_json(tensor));
    if (document["tensors"].empty()) continue;
    MR_DO(objects.write(output_object(place_, collection.name, step), document.dump()));
  }
  return {};
}

std::string DebugOutput::saved_sha256(const Json& record, const Tensor& tensor, std::int64_t step,
                                      const ObjectStore& objects) {
  const std::string place = output_place(text_at(record, {"DebugHookConfig", "S3OutputPath"}),
                                         text_at(record, {"TrainingJobName"}));
  for (const std::string_view collection : {tensor.collection, kAllTensors}) {
    const auto bytes = objects.read(output_object(place, collection, step));
    const Json saved = bytes ? Json::parse(*bytes, nullptr, false) : Json();
    if (!saved.is_object()) continue;
    for (const Json& one : saved.value("tensors", Json::array()))
      if (text_at(one, {"name"}) == tensor.name) return text_at(one, {"sha256"});
  }
  return {};
}

}  // namespace millrace::tasks
