#include "tasks/steps/step_cache.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "base/encoding.h"
#include "base/time.h"
#include "tasks/arguments.h"
#include "tasks/artifacts/files.h"
#include "tasks/jobs/tags.h"

namespace millrace::tasks {
namespace {

constexpr std::size_t kSourcesLooked = 20;     // results under one key, newest first
constexpr std::size_t kEarlierLooked = 200;    // records, for the nearest one
constexpr std::size_t kDifferencesShown = 20;  // lines
constexpr std::int64_t kDurationPartMax = 1'000'000;

tl::unexpected<Error> no_policy(std::string_view text) {
  return invalid(std::string(kCacheTag) + ": \"" + std::string(text.substr(0, 80)) +
                     "\" is no time for which a result is good",
                 "P30D, PT12H, P1DT6H, on (for ever) or off");
}

std::string status_of(const EntityKind& kind, const Json& record) {
  return text_in(record, std::string(kind.kind) + "Status");
}

std::int64_t ended_ms(const EntityKind& kind, const Json& record) {
  const std::string prefix(kind.kind.substr(0, kind.kind.size() - std::string_view("Job").size()));
  return record.value(prefix + "EndTime", record.value("LastModifiedTime", std::int64_t{0}));
}

const Json* step_of(const Json& record) {
  const auto notes = record.find(kNotes);
  if (notes == record.end() || !notes->is_object()) return nullptr;
  const auto step = notes->find(kStep);
  return step == notes->end() || !step->is_object() || !step->contains("Key") ? nullptr : &*step;
}

std::string short_hash(const std::string& sha256) {
  return sha256.substr(0, 8);
}

// Empty: all files are there as they were.
std::string changed_output(const Json& step, const StepTools& tools) {
  for (const Json& place : step.value("Outputs", Json::array()))
    for (const Json& file : place.value("Files", Json::array())) {
      const std::string uri = text_in(file, "Uri"), now = hash_now(uri, tools);
      if (now.empty()) return "its output " + uri + " is not there any more";
      if (now != text_in(file, "Sha256"))
        return "its output " + uri + " changed: sha256 " + short_hash(text_in(file, "Sha256")) + " → " +
               short_hash(now);
    }
  return {};
}

std::size_t file_count(const Json& step) {
  std::size_t n = 0;
  for (const Json& place : step.value("Outputs", Json::array()))
    n += place.value("Files", Json::array()).size();
  return n;
}

void compare_texts(const std::string& name, const std::string& before, const std::string& now,
                   std::vector<std::string>& out) {
  if (before == now) return;
  // What programs get in their environment may be nobody else's business.
  if (name.starts_with("Environment.")) {
    out.push_back(name + (before.empty() ? " is new" : now.empty() ? " is not given any more" : " changed"));
    return;
  }
  const auto shown = [](const std::string& text) {
    return text.empty() ? std::string("(not given)") : text.size() > 60 ? text.substr(0, 60) + "…" : text;
  };
  out.push_back(name + " " + shown(before) + " → " + shown(now));
}

std::map<std::string, std::string> file_hashes(const Json& place) {
  const std::string whole = text_in(place, "Uri");
  std::map<std::string, std::string> hashes;
  for (const Json& file : place.value("Files", Json::array())) {
    std::string uri = text_in(file, "Uri");
    if (uri.starts_with(whole) && uri.size() > whole.size()) {
      uri.erase(0, whole.size());
      while (uri.starts_with('/')) uri.erase(0, 1);
    } else {
      uri = uri.substr(uri.rfind('/') + 1);
    }
    hashes[uri] = text_in(file, "Sha256");
  }
  return hashes;
}

// Two contents of one name: file by file where both know their files.
void compare_places(const std::string& name, const Json& before, const Json& now,
                    std::vector<std::string>& out) {
  if (text_in(before, "Sha256") == text_in(now, "Sha256")) return;
  const auto old_files = file_hashes(before), new_files = file_hashes(now);
  const std::size_t first = out.size();
  if (!old_files.empty() && !new_files.empty()) {
    for (const auto& [file, hash] : new_files) {
      const auto was = old_files.find(file);
      if (was == old_files.end())
        out.push_back(name + ": " + file + " is new");
      else if (was->second != hash)
        out.push_back(name + ": " + file + " changed: sha256 " + short_hash(was->second) + " → " +
                      short_hash(hash));
    }
    for (const auto& [file, hash] : old_files)
      if (!new_files.contains(file)) out.push_back(name + ": " + file + " is not there any more");
  }
  if (out.size() == first)
    out.push_back(name + " changed: sha256 " + short_hash(text_in(before, "Sha256")) + " → " +
                  short_hash(text_in(now, "Sha256")));
}

std::map<std::string, const Json*> by_name(const Json& places) {
  std::map<std::string, const Json*> out;
  for (const Json& place : places) out[text_in(place, "Name")] = &place;
  return out;
}

std::string named_with_time(const EntityKind& kind, const Json& record) {
  return text_in(record, name_field(kind)) + " (ended " +
         format_rfc3339(from_millis(ended_ms(kind, record))) + ")";
}

// The earlier job of this kind that differs least, with its differences.
std::vector<std::string> nearest_differences(const CacheQuestion& question, const Jobs& jobs) {
  const std::vector<Jobs::Record> records =
      jobs.records(question.kind.kind, {}, kEarlierLooked).value_or(std::vector<Jobs::Record>());
  const Jobs::Record* nearest = nullptr;
  std::vector<std::string> least;
  for (const Jobs::Record& record : records) {
    const Json* step = step_of(record.document);
    if (!step || text_in(record.document, name_field(question.kind)) == question.name ||
        status_of(question.kind, record.document) != "Completed")
      continue;
    auto differences = step_differences(*step, question.step);
    if (nearest && differences.size() >= least.size()) continue;
    nearest = &record;
    least = std::move(differences);
  }
  if (!nearest) return {"no " + std::string(question.kind.kind) + " that completed before it"};
  std::vector<std::string> lines = {"the nearest earlier one is " +
                                    named_with_time(question.kind, nearest->document)};
  if (least.size() > kDifferencesShown) {
    const std::size_t more = least.size() - kDifferencesShown;
    least.resize(kDifferencesShown);
    least.push_back("and " + std::to_string(more) + " more");
  }
  lines.insert(lines.end(), least.begin(), least.end());
  return lines;
}

// Empty: the record's result is good.
std::string objection(const CacheQuestion& question, const Json& record, const StepTools& tools) {
  const std::string name = text_in(record, name_field(question.kind));
  const std::string status = status_of(question.kind, record);
  if (status != "Completed") return name + " was the same, but it is " + status;
  const Json& step = *step_of(record);
  if (!step.contains("Outputs")) return name + " was the same, but not all of its outputs are known";
  if (question.policy.keep.count() > 0) {
    const Millis late = Millis(question.now_ms - ended_ms(question.kind, record)) - question.policy.keep;
    if (late.count() >= 0)
      return name + " was the same, but its result expired " + format_duration(late) + " ago (" +
             question.policy.text + ")";
  }
  if (question.fits && !question.fits(record))
    return name + " was the same, but what this job must know of its course was not kept";
  const std::string changed = changed_output(step, tools);
  return changed.empty() ? "" : name + " was the same, but " + changed;
}

std::string moved(const std::string& uri, const std::string& from, const std::string& to) {
  std::string whole = from, there = to;
  while (whole.ends_with('/')) whole.pop_back();
  while (there.ends_with('/')) there.pop_back();
  if (uri == whole || uri == from) return uri.ends_with('/') ? there + "/" : there;
  return uri.starts_with(whole + "/") ? there + uri.substr(whole.size()) : uri;
}

void move_texts(Json& value, const std::string& from, const std::string& to) {
  if (value.is_string()) value = moved(value.get<std::string>(), from, to);
  if (value.is_array() || value.is_object())
    for (Json& member : value) move_texts(member, from, to);
}

}  // namespace

Result<CachePolicy> parse_cache_policy(std::string_view text) {
  CachePolicy policy{std::string(text.empty() ? "off" : text), false, Millis(0)};
  if (policy.text == "off") return policy;
  policy.on = true;
  if (policy.text == "on") return policy;
  std::string_view rest = text;
  if (!rest.starts_with('P') || rest.size() < 3) return no_policy(text);
  rest.remove_prefix(1);
  const std::map<char, std::int64_t> days = {{'W', 604'800}, {'D', 86'400}},
                                     times = {{'H', 3'600}, {'M', 60}, {'S', 1}};
  bool time = false;
  std::int64_t seconds = 0;
  while (!rest.empty()) {
    if (rest.front() == 'T' && !time) {
      time = true;
      rest.remove_prefix(1);
      if (rest.empty()) return no_policy(text);
      continue;
    }
    std::int64_t number = 0;
    std::size_t digits = 0;
    while (digits < rest.size() && rest[digits] >= '0' && rest[digits] <= '9' && number <= kDurationPartMax)
      number = number * 10 + (rest[digits++] - '0');
    if (digits == 0 || digits == rest.size() || number > kDurationPartMax) return no_policy(text);
    const auto& units = time ? times : days;
    const auto unit = units.find(rest[digits]);
    if (unit == units.end()) return no_policy(text);
    seconds += number * unit->second;
    rest.remove_prefix(digits + 1);
  }
  if (seconds == 0) return no_policy(text);
  policy.keep = Millis(seconds * 1000);
  return policy;
}

Result<CachePolicy> cache_policy_of(const Json& request, std::string_view otherwise) {
  const auto tags = request.find("Tags");
  if (tags != request.end() && tags->is_array())
    for (const Json& tag : *tags)
      if (text_in(tag, "Key") == kCacheTag) return parse_cache_policy(text_in(tag, "Value"));
  return parse_cache_policy(otherwise);
}

std::vector<std::string> step_differences(const Json& earlier, const Json& now) {
  std::vector<std::string> out;
  compare_texts("image", text_in(earlier, "Image"), text_in(now, "Image"), out);
  compare_texts("program", text_in(earlier, "Version"), text_in(now, "Version"), out);
  compare_texts("interpreter", text_in(earlier, "Interpreter"), text_in(now, "Interpreter"), out);
  compare_places("code", earlier.value("Code", Json::object()), now.value("Code", Json::object()), out);
  std::map<std::string, std::pair<std::string, std::string>> parameters;
  for (const auto& [name, value] : earlier.at("Parameters").items())
    parameters[name].first = value.get<std::string>();
  for (const auto& [name, value] : now.at("Parameters").items())
    parameters[name].second = value.get<std::string>();
  for (const auto& [name, values] : parameters) compare_texts(name, values.first, values.second, out);
  const auto before = by_name(earlier.at("Inputs")), after = by_name(now.at("Inputs"));
  for (const auto& [name, place] : after) {
    const auto was = before.find(name);
    if (was == before.end())
      out.push_back("input " + name + " is new");
    else
      compare_places(name, *was->second, *place, out);
  }
  for (const auto& [name, place] : before)
    if (!after.contains(name)) out.push_back("input " + name + " is not there any more");
  return out;
}

CacheAnswer ask_step_cache(const CacheQuestion& question, const Jobs& jobs, const StepTools& tools) {
  CacheAnswer answer;
  if (!question.policy.on) {
    answer.why = {"the step cache is off for this job (tag " + std::string(kCacheTag) + ", or --cache)"};
    return answer;
  }
  const std::vector<Jobs::Record> records =
      jobs.steps(question.kind.kind, text_in(question.step, "Key"), kSourcesLooked)
          .value_or(std::vector<Jobs::Record>());
  for (const Jobs::Record& record : records) {
    if (text_in(record.document, name_field(question.kind)) == question.name) continue;
    std::string against = objection(question, record.document, tools);
    if (!against.empty()) {
      answer.why.push_back(std::move(against));
      continue;
    }
    const std::size_t files = file_count(*step_of(record.document));
    answer.why = {
        "same inputs, parameters, code and program as " + named_with_time(question.kind, record.document),
        "its " + std::to_string(files) + (files == 1 ? " output file is" : " output files are") +
            " there, unchanged"};
    answer.source = record.document;
    return answer;
  }
  if (answer.why.empty()) answer.why = nearest_differences(question, jobs);
  return answer;
}

Result<Json> reuse_outputs(const StepPlan& plan, const Json& source_step, Json& fields,
                           const StepTools& tools) {
  Json outputs = source_step.at("Outputs");
  std::map<std::string, std::string> wanted;
  for (const StepPlace& place : plan.outputs) wanted[place.name] = place.source.uri;
  for (Json& place : outputs) {
    const std::string from = text_in(place, "Uri");
    const auto to = wanted.find(text_in(place, "Name"));
    // A training job's artifact stays where it is: its record says where.
    const bool stays = to == wanted.end() || to->second == from || fields.contains("ModelArtifacts");
    if (stays) continue;
    for (Json& file : place["Files"]) {
      const std::string uri = text_in(file, "Uri"), there = moved(uri, from, to->second);
      MR_TRY(source, tools.objects.path_of(uri));
      MR_DO(tools.objects.write_by(
          there, [&](const std::filesystem::path& target) { return copy_file_whole(source, target); }));
      file["Uri"] = there;
    }
    place["Uri"] = to->second;
    move_texts(fields, from, to->second);
  }
  return outputs;
}

}  // namespace millrace::tasks
