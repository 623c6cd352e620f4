#pragma once
// Settings of the integrations: the sections of the home's integrations.json that are no mappings. A value.

#include <filesystem>
#include <string>

#include "base/json.h"
#include "base/result.h"
#include "tasks/integrations/http/transfers.h"
#include "tasks/integrations/sns/deliverer.h"

namespace millrace::tasks {

struct IntegrationSettings {
  Transfers::Settings http;           // "http": at_once_max, allow, deny, proxy, ca_file
  std::size_t commands_at_once = 16;  // "commands": at_once_max
  std::int64_t event_days = 30;       // "events": retention_days, events_max
  std::int64_t events_max = 1'000'000;
  DeliverySettings
      delivery;  // "sns": attempts_max, …; "smtp": host, port, user, password or password_file, from, tls
  std::int64_t dead_letter_days = 30;
  std::string approvals_url;  // "approvals": base_url, where links of questions lead; empty: to this server
  std::int64_t approvals_hours = 168;  // valid_hours: how long they open their page
};

// InvalidArgument names the file and the member.
Result<IntegrationSettings> read_integration_settings(const std::filesystem::path& file);

}  // namespace millrace::tasks
