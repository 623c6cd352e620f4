#pragma once
// Credentials: with which key requests are signed, found where AWS's clients look for it. Any thread.
// Source: AWS SDKs and Tools reference guide, "Shared config and credentials files", "Environment variables".

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/sigv4.h"

namespace millrace::client {

using Credentials = SigningCredentials;

// One profile's settings, as they stand in an INI file: [name], then `key = value`.
struct Profile {
  std::string name;
  std::vector<std::pair<std::string, std::string>> settings;  // in the order of the file
  std::string_view setting(std::string_view key) const;       // empty when there is none
};
// Lines that are neither a section, a setting, a comment nor empty are passed over.
std::vector<Profile> parse_profiles(std::string_view text);

// The profile named `profile`; when it is empty AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, then
// AWS_PROFILE, then the profile `default`; nothing when there is none of these. The file is
// AWS_SHARED_CREDENTIALS_FILE, else
// ~/.aws/credentials. InvalidArgument for a named profile that is not there or has no keys.
Result<std::optional<Credentials>> find_credentials(const std::string& profile);

// AWS_REGION, else AWS_DEFAULT_REGION, else the region in a host such as states.eu-west-1.amazonaws.com, else
// us-east-1.
std::string find_region(std::string_view host);

}  // namespace millrace::client
