#include "tasks/integrations/settings.h"

#include <nlohmann/json.hpp>

#include "tasks/arguments.h"
#include "tasks/artifacts/files.h"
#include "tasks/integrations/mapped/mappings.h"
#include "tasks/integrations/sns/message.h"

namespace millrace::tasks {
namespace {

// Members a section may have, divided by '|'.
Status check_names(const Arguments& in, std::string_view names) {
  for (const auto& [name, value] : in.json().items())
    if (!in.one_of(name, name, names))
      return in.wrong(name, "is no setting", "the settings are " + std::string(names));
  return {};
}

Result<std::int64_t> whole(const Arguments& in, std::string_view key, std::int64_t otherwise,
                           std::int64_t most) {
  MR_TRY(number, in.integer_or(key, otherwise));
  if (number < 1 || number > most) return in.wrong(key, "must be between 1 and " + std::to_string(most));
  return number;
}

Status read_http(const Arguments& in, IntegrationSettings& out) {
  MR_DO(check_names(in, "at_once_max|allow|deny|proxy|ca_file"));
  MR_TRY(at_once, whole(in, "at_once_max", static_cast<std::int64_t>(out.http.at_once_max), 10'000));
  MR_TRY(allowed, in.texts("allow"));
  MR_TRY(denied, in.texts("deny"));
  MR_TRY(proxy, in.text_or("proxy", ""));
  MR_TRY(ca_file, in.text_or("ca_file", ""));
  for (const std::string& name : allowed)
    if (const auto done = out.http.addresses.allow(name); !done)
      return in.wrong("allow", done.error().message, done.error().hint);
  for (const std::string& name : denied)
    if (const auto done = out.http.addresses.deny(name); !done)
      return in.wrong("deny", done.error().message, done.error().hint);
  out.http.at_once_max = static_cast<std::size_t>(at_once);
  out.http.proxy = std::move(proxy);
  out.http.ca_file = std::move(ca_file);
  return {};
}

Status read_commands(const Arguments& in, IntegrationSettings& out) {
  MR_DO(check_names(in, "at_once_max"));
  MR_TRY(at_once, whole(in, "at_once_max", static_cast<std::int64_t>(out.commands_at_once), 256));
  out.commands_at_once = static_cast<std::size_t>(at_once);
  return {};
}

Status read_events(const Arguments& in, IntegrationSettings& out) {
  MR_DO(check_names(in, "retention_days|events_max"));
  MR_TRY(days, whole(in, "retention_days", out.event_days, 36'500));
  MR_TRY(most, whole(in, "events_max", out.events_max, 1'000'000'000));
  out.event_days = days;
  out.events_max = most;
  return {};
}

Status read_sns(const Arguments& in, IntegrationSettings& out) {
  DeliverySettings& delivery = out.delivery;
  MR_DO(check_names(
      in, "attempts_max|first_delay_seconds|delay_max_seconds|at_once_max|timeout_seconds|dead_letter_days"));
  MR_TRY(attempts, whole(in, "attempts_max", delivery.attempts_max, 1000));
  MR_TRY(first, whole(in, "first_delay_seconds", delivery.first_delay.count() / 1000, 86'400));
  MR_TRY(most, whole(in, "delay_max_seconds", delivery.delay_max.count() / 1000, 86'400));
  MR_TRY(at_once, whole(in, "at_once_max", static_cast<std::int64_t>(delivery.at_once_max), 1000));
  MR_TRY(seconds, whole(in, "timeout_seconds", delivery.time_max.count() / 1000, 3600));
  MR_TRY(days, whole(in, "dead_letter_days", out.dead_letter_days, 36'500));
  delivery.attempts_max = static_cast<int>(attempts);
  delivery.first_delay = Millis(first * 1000);
  delivery.delay_max = Millis(most * 1000);
  delivery.at_once_max = static_cast<std::size_t>(at_once);
  delivery.time_max = Millis(seconds * 1000);
  out.dead_letter_days = days;
  return {};
}

// The first line of a file whose name is in the settings.
Result<std::string> secret_of(const Arguments& in) {
  MR_TRY(password, in.text_or("password", ""));
  MR_TRY(file, in.text_or("password_file", ""));
  if (file.empty()) return password;
  if (!password.empty()) return in.wrong("password_file", "stands beside a password; one of them is enough");
  const auto bytes = read_file(file);
  if (!bytes) return in.wrong("password_file", bytes.error().message);
  return bytes->substr(0, bytes->find_first_of("\r\n"));
}

Status read_smtp(const Arguments& in, IntegrationSettings& out) {
  if (in.json().empty()) return {};
  MailSettings& mail = out.delivery.mail;
  MR_DO(check_names(in, "host|port|user|password|password_file|from|tls"));
  MR_TRY(host, in.text("host"));
  MR_TRY(from, in.text("from"));
  MR_TRY(user, in.text_or("user", ""));
  MR_TRY(password, secret_of(in));
  MR_TRY(tls, in.text_or("tls", mail.tls));
  MR_DO(in.one_of("tls", tls, "required|implicit|none"));
  MR_TRY(port, whole(in, "port", tls == "implicit" ? 465 : mail.port, 65'535));
  if (!is_mail_address(from)) return in.wrong("from", "\"" + from + "\" is no mail address");
  if (host.find_first_of("/@ :?#") != std::string::npos) return in.wrong("host", "is no name of a host");
  mail = {std::move(host),     static_cast<int>(port), std::move(user),
          std::move(password), std::move(from),        std::move(tls)};
  return {};
}

Status read_approvals(const Arguments& in, IntegrationSettings& out) {
  MR_DO(check_names(in, "base_url|valid_hours"));
  MR_TRY(url, in.text_or("base_url", ""));
  MR_TRY(hours, whole(in, "valid_hours", out.approvals_hours, 24 * 366));
  if (!url.empty() && !url.starts_with("http://") && !url.starts_with("https://"))
    return in.wrong("base_url", "\"" + url + "\" is no http or https address");
  if (hours < 1) return in.wrong("valid_hours", "must be at least 1");
  out.approvals_url = std::move(url);
  out.approvals_hours = hours;
  return {};
}

constexpr std::pair<std::string_view, Status (*)(const Arguments&, IntegrationSettings&)> kSections[] = {
    {"approvals", read_approvals}, {"commands", read_commands}, {"events", read_events},
    {"http", read_http},           {"smtp", read_smtp},         {"sns", read_sns}};

Status read_document(const Json& document, IntegrationSettings& out) {
  std::string names;
  for (const auto& [name, read] : kSections)
    names += std::string(names.empty() ? "" : "|") + std::string(name);
  const Arguments all(document);
  for (const auto& [name, value] : document.items())
    if (!name.starts_with("arn:") && !all.one_of(name, name, names))
      return all.wrong(name, "is neither a section nor a resource",
                       "sections are " + names + "; resources begin with \"arn:\"");
  for (const auto& [name, read] : kSections) {
    MR_TRY(section, all.object_or_empty(name));
    MR_DO(read(section, out));
  }
  MR_DO(read_mappings(document));
  return {};
}

}  // namespace

Result<IntegrationSettings> read_integration_settings(const std::filesystem::path& file) {
  MR_TRY(document, read_integrations_file(file));
  IntegrationSettings settings;
  const auto read = read_document(document, settings);
  if (!read) return invalid(file.string() + ": " + read.error().message, read.error().hint);
  return settings;
}

}  // namespace millrace::tasks
