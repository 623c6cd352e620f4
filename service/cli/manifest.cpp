#include "service/cli/manifest.h"

#include <algorithm>
#include <filesystem>
#include <map>

#include "base/limits.h"
#include "definitions/diagnostics.h"
#include "orchestrator/engine.h"
#include "service/cli/command.h"

namespace millrace::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kManifestName = "millrace.json";

// One manifest being read: where it lies, and what is wrong with it.
struct Reader {
  fs::path file;
  Manifest& manifest;
  std::vector<Error>& mistakes;

  void wrong(const std::string& place, const std::string& what, std::string hint = {}) const {
    mistakes.push_back(
        {ErrorCode::InvalidArgument, file.string() + ": " + place + ": " + what, std::move(hint)});
  }
  // Members that are not `known` are mistakes.
  void only(JsonView object, const std::string& place, const std::vector<std::string_view>& known) const {
    for (const auto& [key, value] : object.members()) {
      const std::string name = key.string();
      if (std::find(known.begin(), known.end(), name) != known.end()) continue;
      const std::string near = definitions::nearest(name, known);
      std::string all;
      for (const std::string_view one : known) all += (all.empty() ? "" : ", ") + std::string(one);
      wrong(place, "unknown member '" + name + "'",
            near.empty() ? "there are: " + all : "did you mean '" + near + "'?");
    }
  }
  std::string text(JsonView object, const std::string& place, std::string_view name,
                   bool required = false) const {
    const JsonView found = object.find(name);
    if (found && found.is_string()) return found.string();
    if (found || required)
      wrong(place, "'" + std::string(name) + (found ? "' is no string" : "' is missing"));
    return {};
  }
};

// "latest", a version, or {"3": 90, "4": 10}.
void read_alias(const Reader& reader, const std::string& place, const std::string& name, JsonView routes,
                MachineSpec& spec) {
  AliasSpec alias{name, {}};
  int sum = 0;
  if (routes.is_object()) {
    for (const auto& [key, weight] : routes.members()) {
      const auto share = weight.is_number() ? weight.integer() : std::nullopt;
      alias.routes.emplace_back(std::atoi(key.string().c_str()), static_cast<int>(share.value_or(-1)));
      sum += alias.routes.back().second;
    }
  } else if (routes.is_number() && routes.integer()) {
    alias.routes.emplace_back(static_cast<int>(*routes.integer()), 100);
    sum = 100;
  } else if (routes.equals("latest")) {
    sum = 100;
  }
  const bool fine = sum == 100 && alias.routes.size() <= 2 &&
                    std::all_of(alias.routes.begin(), alias.routes.end(),
                                [](const auto& route) { return route.first > 0 && route.second >= 0; });
  if (!fine)
    return reader.wrong(
        place, "alias '" + name + "' leads nowhere",
        "write \"latest\", a version such as 3, or shares of 100 such as {\"3\": 90, \"4\": 10}");
  spec.aliases.push_back(std::move(alias));
}

void read_definition(const Reader& reader, const std::string& place, JsonView given, MachineSpec& spec) {
  if (given.is_object()) {
    spec.file = reader.file.string() + " " + place;
    spec.definition = std::string(given.text());
  } else {
    spec.file = (reader.file.parent_path() / given.string()).string();
    auto text = read_input(spec.file);
    if (!text) return reader.mistakes.push_back(text.error());
    spec.definition = *std::move(text);
  }
  if (const Status fine = check_definition(spec.file, spec.definition); !fine)
    reader.mistakes.push_back(fine.error());
}

void read_machine(const Reader& reader, JsonView entry, const std::string& place) {
  if (!entry.is_object()) return reader.wrong(place, "is no object");
  reader.only(entry, place, {"name", "definition", "type", "roleArn", "publish", "description", "aliases"});
  MachineSpec spec;
  spec.type = reader.text(entry, place, "type");
  if (!spec.type.empty() && spec.type != "STANDARD" && spec.type != "EXPRESS")
    reader.wrong(place, "type '" + spec.type + "' is none", "STANDARD or EXPRESS");
  spec.role = reader.text(entry, place, "roleArn");
  spec.description = reader.text(entry, place, "description");
  const JsonView publish = entry.find("publish");
  if (publish && !publish.is_boolean()) reader.wrong(place, "'publish' is neither true nor false");
  spec.publish = publish && publish.is_boolean() && publish.boolean();
  const JsonView definition = entry.find("definition");
  if (definition && (definition.is_string() || definition.is_object()))
    read_definition(reader, place, definition, spec);
  else
    reader.wrong(place, "'definition' is missing",
                 "the path of a definition, from this file, or the definition itself");
  spec.name = reader.text(entry, place, "name");
  if (spec.name.empty()) spec.name = definition && definition.is_string() ? machine_name(spec.file) : "";
  if (spec.name.empty()) reader.wrong(place, "'name' is missing");
  if (const JsonView aliases = entry.find("aliases"); aliases && aliases.is_object()) {
    for (const auto& [key, routes] : aliases.members()) read_alias(reader, place, key.string(), routes, spec);
  } else if (aliases) {
    reader.wrong(place, "'aliases' is no object", "{\"PROD\": \"latest\"}");
  }
  reader.manifest.machines.push_back(std::move(spec));
}

void read_activity(const Reader& reader, JsonView entry, const std::string& place) {
  if (!entry.is_object()) return reader.wrong(place, "is no object", "{\"name\": \"ask-a-person\"}");
  reader.only(entry, place, {"name"});
  reader.manifest.activities.push_back(reader.text(entry, place, "name", true));
}

// Which kinds of things a manifest may hold.
struct ManifestKind {
  std::string_view member;
  void (*read)(const Reader& reader, JsonView entry, const std::string& place);
};
constexpr ManifestKind kManifestKinds[] = {{"stateMachines", read_machine}, {"activities", read_activity}};

void read_document(const Reader& reader, JsonView document) {
  std::vector<std::string_view> members = {"comment"};
  for (const ManifestKind& kind : kManifestKinds) members.push_back(kind.member);
  reader.only(document, "manifest", members);
  for (const ManifestKind& kind : kManifestKinds) {
    const JsonView entries = document.find(kind.member);
    if (!entries) continue;
    if (!entries.is_array()) {
      reader.wrong(std::string(kind.member), "is no array");
      continue;
    }
    std::size_t index = 0;
    for (const JsonView entry : entries.elements())
      kind.read(reader, entry, std::string(kind.member) + "[" + std::to_string(index++) + "]");
  }
}

bool is_definition_file(const fs::path& path) {
  const std::string name = path.filename().string();
  return name.ends_with(".asl.json") || name == "definition.json";
}

std::vector<fs::path> definitions_in(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::recursive_directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    const bool hidden = at->path().filename().string().starts_with(".");
    if (hidden && at->is_directory(error)) at.disable_recursion_pending();
    if (!hidden && at->is_regular_file(error) && is_definition_file(at->path())) found.push_back(at->path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

// A manifest, or a definition, by what is in it.
void read_file(const fs::path& file, Manifest& manifest, std::vector<Error>& mistakes) {
  const auto text = read_input(file.string());
  if (!text) return mistakes.push_back(text.error());
  const auto document = Payload::parse(*text);
  const bool object = document && document->view().is_object();
  const bool lists = object && std::any_of(std::begin(kManifestKinds), std::end(kManifestKinds),
                                           [&](const ManifestKind& kind) {
                                             return static_cast<bool>(document->view().find(kind.member));
                                           });
  if (lists || file.filename() == kManifestName) {
    if (object) return read_document({file, manifest, mistakes}, document->view());
    return mistakes.push_back(
        {ErrorCode::InvalidArgument,
         file.string() + ": " + (document ? "is no JSON object" : document.error().message),
         {}});
  }
  MachineSpec spec;
  spec.name = machine_name(file.string());
  spec.file = file.string();
  spec.definition = *text;
  if (const Status fine = check_definition(spec.file, spec.definition); !fine)
    mistakes.push_back(fine.error());
  manifest.machines.push_back(std::move(spec));
}

}  // namespace

void read_manifest(const std::string& path, Manifest& manifest, std::vector<Error>& mistakes) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return read_file(path, manifest, mistakes);
  const fs::path own = fs::path(path) / kManifestName;
  if (fs::exists(own, error)) return read_file(own, manifest, mistakes);
  const auto found = definitions_in(path);
  if (found.empty()) {
    mistakes.push_back({ErrorCode::InvalidArgument, path + " holds no definitions",
                        "*.asl.json, definition.json, or a millrace.json that names them"});
  }
  for (const fs::path& file : found) read_file(file, manifest, mistakes);
}

void check_manifest(const Manifest& manifest, std::vector<Error>& mistakes) {
  const Limits limits;
  std::map<std::string, std::string> machines;  // by name, the file
  for (const MachineSpec& spec : manifest.machines) {
    if (spec.name.empty()) continue;  // told already
    if (const Status fine = orchestrator::check_name(spec.name, limits); !fine)
      mistakes.push_back(fine.error());
    const auto [known, fresh] = machines.emplace(spec.name, spec.file);
    if (!fresh) {
      mistakes.push_back(
          {ErrorCode::InvalidArgument,
           "two state machines are named '" + spec.name + "': " + known->second + " and " + spec.file,
           "give them names in a " + std::string(kManifestName)});
    }
  }
  std::map<std::string, int> activities;
  for (const std::string& name : manifest.activities) {
    if (const Status fine = orchestrator::check_name(name, limits); !fine) mistakes.push_back(fine.error());
    if (++activities[name] == 2)
      mistakes.push_back({ErrorCode::InvalidArgument, "two activities are named '" + name + "'", {}});
  }
}

}  // namespace millrace::cli
