#include "tasks/storage/remote_settings.h"

#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include "tasks/arguments.h"
#include "tasks/artifacts/files.h"

namespace millrace::tasks {
namespace {

namespace fs = std::filesystem;

Result<RemoteBucket> read_remote_bucket(const std::string& name, const Arguments& in,
                                        const SigningCredentials& otherwise) {
  for (const auto& [member, value] : in.json().items()) {
    if (!in.one_of(member, member,
                   "endpoint|bucket|region|access_key_id|secret_access_key|session_token|anonymous|ca_file"))
      return in.wrong(member, "is no setting",
                      "endpoint, bucket, region, access_key_id, secret_access_key, "
                      "session_token, anonymous, ca_file are");
  }
  RemoteBucket out;
  MR_TRY(endpoint, in.text("endpoint"));
  if (!endpoint.starts_with("http://") && !endpoint.starts_with("https://"))
    return in.wrong("endpoint", "expected http://HOST:PORT or https://HOST, got " + endpoint);
  MR_TRY(bucket, in.text_or("bucket", name));
  MR_TRY(region, in.text_or("region", "us-east-1"));
  MR_TRY(access, in.text_or("access_key_id", ""));
  MR_TRY(secret, in.text_or("secret_access_key", ""));
  MR_TRY(token, in.text_or("session_token", ""));
  MR_TRY(anonymous, in.boolean_or("anonymous", false));
  MR_TRY(ca_file, in.text_or("ca_file", ""));
  if (access.empty() != secret.empty())
    return in.wrong("access_key_id", "access_key_id and secret_access_key come together");
  if (access.empty() && !anonymous) {
    access = otherwise.access_key, secret = otherwise.secret_key, token = otherwise.session_token;
    if (access.empty() || secret.empty())
      return in.wrong("access_key_id",
                      "there are no keys, here or in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
                      "\"anonymous\": true sends requests that are not signed");
  }
  out.endpoint = std::move(endpoint), out.bucket = std::move(bucket), out.region = std::move(region);
  out.credentials = {std::move(access), std::move(secret), std::move(token)};
  out.ca_file = std::move(ca_file);
  return out;
}

Status check_private(const fs::path& file, const Json& json) {
  struct stat status {};
  const bool keys = json.dump().find("secret_access_key") != std::string::npos;
  if (keys && ::stat(file.c_str(), &status) == 0 && (status.st_mode & 077u) != 0)
    return invalid(file.string() + " holds keys and can be read by others", "chmod 600 " + file.string());
  return {};
}

}  // namespace

Result<RemoteSettings> read_remote_settings(const fs::path& file, const SigningCredentials& otherwise) {
  RemoteSettings out;
  const auto text = read_file(file);
  if (!text && text.error().code == ErrorCode::NotFound) return out;
  if (!text) return fail(text.error());
  const Json json = Json::parse(*text, nullptr, false, true);
  if (!json.is_object()) return invalid(file.string() + " is not a JSON object");
  MR_DO(check_private(file, json));
  const auto read = [&]() -> Status {
    const Arguments in(json);
    for (const auto& [member, value] : json.items()) {
      if (!in.one_of(member, member,
                     "buckets|cache_bytes_max|object_bytes_max|attempts_max|idle_seconds_max|known_seconds"))
        return in.wrong(member, "is no setting");
    }
    const auto limit = [&in](const char* name, auto& value, std::int64_t most) -> Status {
      MR_TRY(given, in.integer_or(name, static_cast<std::int64_t>(value)));
      if (given < 1 || given > most) return in.wrong(name, "must be between 1 and " + std::to_string(most));
      value = static_cast<std::remove_reference_t<decltype(value)>>(given);
      return {};
    };
    MR_DO(limit("cache_bytes_max", out.cache_bytes_max, std::int64_t{1} << 50));
    MR_DO(limit("object_bytes_max", out.object_bytes_max, std::int64_t{5} << 30));
    MR_DO(limit("attempts_max", out.attempts_max, 20));
    MR_DO(limit("idle_seconds_max", out.idle_seconds_max, 3600));
    MR_DO(limit("known_seconds", out.known_seconds, 3600));
    MR_TRY(buckets, in.object_or_empty("buckets"));
    for (const auto& [name, value] : buckets.json().items()) {
      MR_TRY(bucket, buckets.object(name));
      MR_TRY(entry, read_remote_bucket(name, bucket, otherwise));
      out.buckets.emplace(name, std::move(entry));
    }
    return {};
  }();
  if (!read) return invalid(file.string() + ": " + read.error().message, read.error().hint);
  return out;
}

}  // namespace millrace::tasks
