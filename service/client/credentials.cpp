#include "service/client/credentials.h"

#include "base/text.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>

namespace millrace::client {
namespace {

std::string environment_value(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

std::string credentials_file() {
  std::string path = environment_value("AWS_SHARED_CREDENTIALS_FILE");
  return path.empty() ? environment_value("HOME") + "/.aws/credentials" : path;
}

std::optional<Credentials> credentials_of(const Profile& profile) {
  Credentials found{std::string(profile.setting("aws_access_key_id")),
                    std::string(profile.setting("aws_secret_access_key")),
                    std::string(profile.setting("aws_session_token"))};
  if (found.access_key.empty() || found.secret_key.empty()) return std::nullopt;
  return found;
}

std::string names_of(const std::vector<Profile>& profiles) {
  std::string names;
  for (const Profile& profile : profiles) names += (names.empty() ? "" : ", ") + profile.name;
  return names;
}

}  // namespace

std::string_view Profile::setting(std::string_view key) const {
  for (const auto& [known, value] : settings) {
    if (known == key) return value;
  }
  return {};
}

std::vector<Profile> parse_profiles(std::string_view text) {
  std::vector<Profile> profiles;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line[0] == '#' || line[0] == ';') continue;
    if (line.front() == '[' && line.back() == ']') {
      std::string_view name = trimmed(line.substr(1, line.size() - 2));
      if (name.starts_with("profile ")) name = trimmed(name.substr(8));
      profiles.push_back({std::string(name), {}});
      continue;
    }
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos || profiles.empty()) continue;
    profiles.back().settings.emplace_back(trimmed(line.substr(0, equals)), trimmed(line.substr(equals + 1)));
  }
  return profiles;
}

Result<std::optional<Credentials>> find_credentials(const std::string& profile) {
  std::string wanted = profile;
  if (wanted.empty()) {
    Credentials given{environment_value("AWS_ACCESS_KEY_ID"), environment_value("AWS_SECRET_ACCESS_KEY"),
                      environment_value("AWS_SESSION_TOKEN")};
    if (!given.access_key.empty() && !given.secret_key.empty()) return std::optional(std::move(given));
    wanted = environment_value("AWS_PROFILE");
  }
  const std::string file = credentials_file();
  std::ifstream in(file, std::ios::binary);
  const std::string text(std::istreambuf_iterator<char>(in), {});
  const std::vector<Profile> profiles = parse_profiles(text);
  const bool named = !wanted.empty();
  if (!named) wanted = "default";
  const auto found =
      std::find_if(profiles.begin(), profiles.end(), [&](const Profile& p) { return p.name == wanted; });
  std::optional<Credentials> credentials;
  if (found != profiles.end()) credentials = credentials_of(*found);
  if (named && !credentials) {
    return invalid(file + (found == profiles.end() ? " has no profile '" : " has no keys in the profile '") +
                       wanted + "'",
                   profiles.empty()
                       ? "write [" + wanted + "], aws_access_key_id and aws_secret_access_key there"
                       : "there are: " + names_of(profiles));
  }
  return credentials;
}

std::string find_region(std::string_view host) {
  for (const char* name : {"AWS_REGION", "AWS_DEFAULT_REGION"}) {
    if (std::string region = environment_value(name); !region.empty()) return region;
  }
  if (host.ends_with(".amazonaws.com")) {  // service.region.amazonaws.com
    const std::size_t dot = host.find('.');
    const std::string_view region = host.substr(dot + 1, host.find('.', dot + 1) - dot - 1);
    if (region != "amazonaws") return std::string(region);
  }
  return "us-east-1";
}

}  // namespace millrace::client
