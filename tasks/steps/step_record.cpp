#include "tasks/steps/step_record.h"

#include <algorithm>
#include <filesystem>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>

#include "base/encoding.h"
#include "tasks/arguments.h"
#include "tasks/script/process.h"
#include "tasks/training/train.h"

namespace millrace::tasks {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kCodeFilesMax = 100'000;
constexpr std::string_view kPipelineName = "_pipeline.json";

std::string without_slash(std::string uri) {
  while (uri.ends_with('/')) uri.pop_back();
  return uri;
}

// The objects of a place, hidden ones too: what a processor left beside its rows belongs to them.
Result<std::vector<std::string>> uris_of_place(const StepPlace& place, const ObjectStore& objects) {
  std::vector<std::string> uris;
  if (place.source.data != ChannelSource::Data::Prefix) {
    MR_TRY(named, channel_objects(objects, place.source));
    uris = std::move(named);
    if (std::find(uris.begin(), uris.end(), place.source.uri) == uris.end()) uris.push_back(place.source.uri);
    return uris;
  }
  MR_TRY(uri, parse_s3_uri(place.source.uri));
  const auto found = objects.list(place.source.uri, true);
  if (!found && place.optional && found.error().code == ErrorCode::NotFound) return uris;
  if (!found) return fail(found.error());
  for (const ObjectInfo& info : *found) uris.push_back(S3Uri{uri.bucket, info.key}.text());
  if (!place.with_pipeline) return uris;
  const std::string beside = uris.front().substr(0, uris.front().rfind('/') + 1) + std::string(kPipelineName);
  const auto path = objects.path_of(beside);
  std::error_code error;
  if (path && fs::is_regular_file(*path, error) && std::find(uris.begin(), uris.end(), beside) == uris.end())
    uris.push_back(beside);
  return uris;
}

// What an object is called inside its place; of an object alone its last part.
std::string name_inside(const StepPlace& place, const std::string& uri) {
  const std::string whole = without_slash(place.source.uri);
  if (uri.starts_with(whole + "/")) return uri.substr(whole.size() + 1);
  return uri.substr(uri.rfind('/') + 1);
}

struct Content {
  std::string name, uri;
  FileHash hash;
};

std::string digest_of(std::vector<Content> contents) {
  std::sort(contents.begin(), contents.end(), [](const Content& a, const Content& b) {
    return std::tie(a.name, a.uri) < std::tie(b.name, b.uri);
  });
  Sha256 hash;
  for (const Content& content : contents) {
    hash.update(content.name);
    hash.update(std::string_view("\0", 1));
    hash.update(content.hash.sha256);
    hash.update("\n");
  }
  return hash.finish_hex();
}

Json place_document(const StepPlace& place, const std::vector<Content>& contents, std::size_t files_max) {
  std::uint64_t bytes = 0;
  Json files = Json::array();
  for (const Content& content : contents) {
    bytes += content.hash.bytes;
    if (contents.size() <= files_max)
      files.push_back({{"Uri", content.uri}, {"Sha256", content.hash.sha256}, {"Bytes", content.hash.bytes}});
  }
  Json document = {{"Name", place.name},
                   {"Uri", place.source.uri},
                   {"Sha256", digest_of(contents)},
                   {"Bytes", bytes},
                   {"Objects", contents.size()}};
  if (!files.empty()) document["Files"] = std::move(files);
  return document;
}

Result<std::vector<Content>> contents_of(const StepPlace& place, const std::vector<std::string>& uris,
                                         const StepTools& tools) {
  std::vector<fs::path> paths;
  for (const std::string& uri : uris) {
    MR_TRY(path, tools.objects.path_of(uri));
    paths.push_back(std::move(path));
  }
  MR_TRY(hashes, tools.hashes.of(paths, tools.cancelled));
  std::vector<Content> contents;
  for (std::size_t i = 0; i < uris.size(); ++i)
    contents.push_back({name_inside(place, uris[i]), uris[i], hashes[i]});
  return contents;
}

// The files of a program's folder, or the program packed in one file.
Result<Json> describe_code(const std::string& code, const StepTools& tools) {
  StepPlace place{"code", {}};
  if (code.starts_with("s3://")) {
    place.source.uri = code;
    MR_TRY(uris, uris_of_place(place, tools.objects));
    MR_TRY(contents, contents_of(place, uris, tools));
    return place_document(place, contents, kInputFilesKept);
  }
  const fs::path root = code.starts_with("file://") ? code.substr(7) : code;
  std::vector<fs::path> paths;
  std::error_code error;
  if (fs::is_regular_file(root, error)) paths.push_back(root);
  for (auto walk = fs::recursive_directory_iterator(root, error);
       paths.empty() || walk != fs::recursive_directory_iterator(); walk.increment(error)) {
    if (error || walk == fs::recursive_directory_iterator()) break;
    if (walk->is_regular_file(error)) paths.push_back(walk->path());
    if (paths.size() > kCodeFilesMax) return invalid(root.string() + " has more files than a program has");
  }
  std::sort(paths.begin(), paths.end());
  MR_TRY(hashes, tools.hashes.of(paths, tools.cancelled));
  std::vector<Content> contents;
  for (std::size_t i = 0; i < paths.size(); ++i)
    contents.push_back({paths[i].lexically_relative(root).generic_string(), paths[i].string(), hashes[i]});
  place.source.uri = code;
  return place_document(place, contents, kInputFilesKept);
}

// "Python 3.11.2", asked once.
std::string python_version() {
  static std::once_flag once;
  static std::string version;
  std::call_once(once, [] {
    ProcessSpec spec;
    spec.arguments = {"python3", "--version"};
    spec.environment = {"PATH=/usr/local/bin:/usr/bin:/bin"};
    spec.directory = "/";
    ProcessWatch watch;
    watch.line = [](std::string_view line) { version = line; };
    const auto end = run_process(spec, watch);
    if (!end || end->exit_code != 0) version.clear();
  });
  return version;
}

std::string key_of(const EntityKind& kind, const Json& step) {
  std::string text(kind.kind);
  const auto add = [&](std::string_view name, std::string_view value) {
    text.append("\n").append(name).append("=").append(std::to_string(value.size())).append(":").append(value);
  };
  for (const char* member : {"Image", "Version", "Interpreter"}) add(member, text_in(step, member));
  add("Code", text_at(step, {"Code", "Sha256"}));
  for (const auto& [name, value] : step.at("Parameters").items()) add(name, value.get<std::string>());
  for (const Json& input : step.at("Inputs")) {
    add("Input", text_in(input, "Name"));
    add("Sha256", text_in(input, "Sha256"));
  }
  return digest_hex(Digest::Sha256, text);
}

}  // namespace

Result<Json> describe_step(const EntityKind& kind, const StepPlan& plan, const StepTools& tools) {
  Json step = {{"Image", plan.image}, {"Version", kEngineVersion}};
  if (plan.program) {
    if (const std::string python = python_version(); !python.empty()) step["Interpreter"] = python;
  }
  if (!plan.code.empty()) {
    MR_TRY(code, describe_code(plan.code, tools));
    step["Code"] = std::move(code);
  }
  step["Parameters"] = plan.parameters;
  step["Inputs"] = Json::array();
  for (const StepPlace& place : plan.inputs) {
    MR_TRY(uris, uris_of_place(place, tools.objects));
    MR_TRY(contents, contents_of(place, uris, tools));
    step["Inputs"].push_back(place_document(place, contents, kInputFilesKept));
  }
  step["Key"] = key_of(kind, step);
  return step;
}

Result<Json> describe_outputs(const StepPlan& plan, const StepBegin& begin, const StepTools& tools,
                              bool& whole) {
  Json outputs = Json::array();
  whole = true;
  for (const StepPlace& place : plan.outputs) {
    if (tools.objects.elsewhere(place.source.uri)) {
      const auto sent = tools.objects.sent().since(begin.sent.value_or(0), place.source.uri);
      whole = whole && begin.sent && sent && sent->size() <= kOutputFilesKept;
      std::vector<Content> contents;
      for (const SentObject& object : sent ? *sent : std::vector<SentObject>())
        contents.push_back({name_inside(place, object.uri), object.uri, {object.sha256, object.bytes}});
      if (sent) outputs.push_back(place_document(place, contents, kOutputFilesKept));
      continue;
    }
    auto listed = uris_of_place(place, tools.objects);
    if (!listed && listed.error().code != ErrorCode::NotFound) return fail(listed.error());
    std::vector<std::string> uris;
    if (listed) uris = std::move(*listed);
    const std::string folder = without_slash(place.source.uri) + "/";
    std::erase_if(uris, [&](const std::string& uri) {
      if (uri != place.source.uri && !uri.starts_with(folder)) return true;  // a neighbour, "name2"
      const auto path = tools.objects.path_of(uri);
      std::error_code error;
      if (!path) return true;
      // The file's own clock: it is compared with the machine's, which may be a tick ahead.
      const auto written = fs::last_write_time(*path, error);
      const auto wall = fs::file_time_type::clock::to_sys(written);
      constexpr std::int64_t kTick = 20;
      return error || std::chrono::floor<Millis>(wall).time_since_epoch().count() < begin.time_ms - kTick;
    });
    MR_TRY(contents, contents_of(place, uris, tools));
    whole = whole && contents.size() <= kOutputFilesKept;
    outputs.push_back(place_document(place, contents, kOutputFilesKept));
  }
  return outputs;
}

Json contents_now(const std::vector<std::string>& uris, const StepTools& tools) {
  Json out = Json::object();
  for (const std::string& uri : uris) {
    StepPlace place;
    place.source.uri = uri;
    if (!parse_s3_uri(uri) || tools.objects.elsewhere(uri)) continue;
    const auto listed = tools.objects.list(uri, true);
    if (!listed || listed->size() > kInputFilesKept) continue;
    std::uint64_t bytes = 0;
    for (const ObjectInfo& info : *listed) bytes += info.bytes;
    if (bytes > kContentsBytesMax) continue;
    const auto files = uris_of_place(place, tools.objects);
    const auto contents =
        files ? contents_of(place, *files, tools) : Result<std::vector<Content>>(fail(files.error()));
    if (!contents) continue;
    const Json document = place_document(place, *contents, kInputFilesKept);
    out[uri] = {{"Sha256", document["Sha256"]}, {"Files", document.value("Files", Json::array())}};
  }
  return out;
}

std::string hash_now(const std::string& uri, const StepTools& tools) {
  const auto path = tools.objects.path_of(uri);
  const auto hashes =
      path ? tools.hashes.of({*path}, tools.cancelled) : Result<std::vector<FileHash>>(fail(path.error()));
  return hashes ? hashes->front().sha256 : std::string();
}

std::string digest_of_files(const std::string& place_uri, const Json& files) {
  StepPlace place;
  place.source.uri = place_uri;
  std::vector<Content> contents;
  for (const Json& file : files) {
    const std::string uri = text_in(file, "Uri");
    contents.push_back({name_inside(place, uri), uri, {text_in(file, "Sha256"), 0}});
  }
  return digest_of(std::move(contents));
}

Json provenance_of(const Json& step) {
  Json record = {{"version", text_in(step, "Version")}, {"key", text_in(step, "Key")}};
  if (step.contains("Interpreter")) record["interpreter"] = step["Interpreter"];
  const auto place = [](const Json& document) {
    return Json{{"uri", document.at("Uri")},
                {"sha256", document.at("Sha256")},
                {"bytes", document.at("Bytes")},
                {"objects", document.at("Objects")}};
  };
  if (step.contains("Code")) record["code"] = place(step["Code"]);
  record["inputs"] = Json::object();
  for (const Json& input : step.at("Inputs")) record["inputs"][text_in(input, "Name")] = place(input);
  return record;
}

}  // namespace millrace::tasks
