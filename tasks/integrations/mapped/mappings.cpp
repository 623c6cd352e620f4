#include "tasks/integrations/mapped/mappings.h"

#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include "tasks/arguments.h"
#include "tasks/artifacts/files.h"
#include "tasks/integrations/http/transfers.h"

namespace millrace::tasks {
namespace {

constexpr std::string_view kMembers =
    "command|url|headers|connection|environment|pass_environment|timeout_seconds";
constexpr double kSecondsMax = 365.0 * 86'400;

Status check_members(const Arguments& in) {
  for (const auto& [name, value] : in.json().items()) {
    const auto known = in.one_of(name, name, kMembers);
    if (!known)
      return in.wrong(name, "is no setting of a mapping", "the settings are " + std::string(kMembers));
  }
  return {};
}

Result<Mapping> read_mapping(const std::string& pattern, const Json& json) {
  const Arguments in(json, pattern);
  if (!json.is_object()) return in.wrong("command", "expected {\"command\": […]} or {\"url\": \"…\"}");
  MR_DO(check_members(in));
  Mapping mapping;
  mapping.pattern = pattern;
  MR_TRY(command, in.texts("command"));
  MR_TRY(url, in.text_or("url", ""));
  if (command.empty() == url.empty()) return in.wrong("command", "exactly one of command and url is wanted");
  if (!url.empty()) {
    const auto parts = parse_url(url);
    if (!parts) return in.wrong("url", parts.error().message, parts.error().hint);
  }
  mapping.command = std::move(command);
  mapping.url = std::move(url);
  MR_TRY(headers, in.text_map("headers"));
  MR_TRY(connection, in.text_or("connection", ""));
  MR_TRY(environment, in.text_map("environment"));
  MR_TRY(passed, in.texts("pass_environment"));
  MR_TRY(seconds, in.real_or("timeout_seconds", 0));
  if (seconds < 0 || seconds > kSecondsMax)
    return in.wrong("timeout_seconds", "must be between 0 and a year");
  mapping.headers = std::move(headers);
  mapping.connection = std::move(connection);
  mapping.environment = std::move(environment);
  mapping.pass_environment = std::move(passed);
  mapping.time_max = Millis(static_cast<std::int64_t>(seconds * 1000));
  return mapping;
}

}  // namespace

std::string_view mapped_part(std::string_view arn) {
  std::string_view rest = arn;
  for (int field = 0; field < 5; ++field) {
    const std::size_t colon = rest.find(':');
    if (colon == std::string_view::npos) return arn;
    const std::string_view part = rest.substr(0, colon);
    if ((field == 0 && part != "arn") || (field == 2 && part != "states")) return arn;
    rest.remove_prefix(colon + 1);
  }
  return rest;
}

bool matches_pattern(std::string_view pattern, std::string_view text) {
  std::size_t at = 0, in = 0, star = std::string_view::npos, mark = 0;
  while (in < text.size()) {
    if (at < pattern.size() && pattern[at] == '*') {
      star = at++;
      mark = in;
    } else if (at < pattern.size() && pattern[at] == text[in]) {
      ++at;
      ++in;
    } else if (star != std::string_view::npos) {
      at = star + 1;
      in = ++mark;
    } else {
      return false;
    }
  }
  while (at < pattern.size() && pattern[at] == '*') ++at;
  return at == pattern.size();
}

Result<std::vector<Mapping>> read_mappings(const Json& document) {
  std::vector<Mapping> mappings;
  for (const auto& [name, value] : document.items()) {
    if (!name.starts_with("arn:")) continue;
    MR_TRY(mapping, read_mapping(name, value));
    mappings.push_back(std::move(mapping));
  }
  return mappings;
}

Result<Json> read_integrations_file(const std::filesystem::path& file) {
  const auto bytes = read_file(file);
  if (!bytes && bytes.error().code == ErrorCode::NotFound) return Json(Json::object());
  if (!bytes) return fail(bytes.error());
  // Parsed by ours for the place of a mistake.
  const auto parsed = Payload::parse(*bytes);
  if (!parsed)
    return invalid(file.string() + " is no JSON: " + parsed.error().message,
                   "docs/integrations.md shows one");
  if (!parsed->view().is_object())
    return invalid(file.string() + " must be a JSON object", "docs/integrations.md shows one");
  return to_json(parsed->view());
}

Mappings::Stamp Mappings::stamp_of_file() const {
  struct stat status {};
  if (::stat(file_.c_str(), &status) != 0) return {0, 0, 0};
  return {std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec,
          static_cast<std::uint64_t>(status.st_size), status.st_ino};
}

Status Mappings::read_if_changed() {
  const Stamp stamp = stamp_of_file();
  if (stamp == seen_) return state_;
  seen_ = stamp;
  mappings_.clear();
  state_ = [&]() -> Status {
    MR_TRY(document, read_integrations_file(file_));
    auto read = read_mappings(document);
    if (!read) return invalid(file_.string() + ": " + read.error().message, read.error().hint);
    mappings_ = std::move(*read);
    return {};
  }();
  return state_;
}

Result<std::optional<Mapping>> Mappings::find(std::string_view resource) {
  const std::lock_guard lock(mutex_);
  MR_DO(read_if_changed());
  const Mapping* best = nullptr;
  for (const Mapping& mapping : mappings_)
    if (matches_pattern(mapped_part(mapping.pattern), mapped_part(resource)) &&
        (!best || mapping.pattern.size() > best->pattern.size()))
      best = &mapping;
  return best ? std::optional(*best) : std::nullopt;
}

}  // namespace millrace::tasks
