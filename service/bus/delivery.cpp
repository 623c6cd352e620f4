#include "service/bus/delivery.h"

#include <nlohmann/json.hpp>

#include "base/encoding.h"

namespace millrace::bus {

DeliveryPolicy policy_of(const Json& target) {
  DeliveryPolicy policy;
  if (const auto retry = target.find("RetryPolicy"); retry != target.end() && retry->is_object()) {
    policy.attempts_max = retry->value("MaximumRetryAttempts", policy.attempts_max);
    policy.age_max = std::chrono::seconds(retry->value("MaximumEventAgeInSeconds", std::int64_t{86'400}));
  }
  if (const auto dead = target.find("DeadLetterConfig"); dead != target.end() && dead->is_object())
    policy.dead_letters = dead->value("Arn", "");
  return policy;
}

Json to_record(const Delivery& d) {
  return {{"Name", d.name},
          {"Origin", d.origin},
          {"Target", d.target},
          {"Input", d.input},
          {"Given", d.given},
          {"Event", d.event},
          {"Parameters", to_json(d.parameters.view())},
          {"AttemptsMax", d.policy.attempts_max},
          {"AgeMax", d.policy.age_max.count()},
          {"DeadLetters", d.policy.dead_letters},
          {"Since", to_millis(d.since)},
          {"Attempts", d.attempts},
          {"ErrorCode", d.error_code},
          {"Error", d.error}};
}

Delivery from_record(const std::string& key, const Json& record) {
  Delivery d;
  d.key = key;
  const std::pair<const char*, std::string&> texts[] = {{"Name", d.name},
                                                        {"Origin", d.origin},
                                                        {"Target", d.target},
                                                        {"Input", d.input},
                                                        {"Given", d.given},
                                                        {"Event", d.event},
                                                        {"DeadLetters", d.policy.dead_letters},
                                                        {"ErrorCode", d.error_code},
                                                        {"Error", d.error}};
  for (const auto& [member, field] : texts) field = record.value(member, "");
  d.parameters = to_payload(record.value("Parameters", Json::object()));
  d.policy.attempts_max = record.value("AttemptsMax", d.policy.attempts_max);
  d.policy.age_max = Millis(record.value("AgeMax", std::int64_t{86'400'000}));
  d.since = from_millis(record.value("Since", std::int64_t{0}));
  d.attempts = record.value("Attempts", 0);
  return d;
}

std::string uuid_named(std::string_view name) {
  std::string hex = digest_hex(Digest::Sha256, name).substr(0, 32);
  hex[12] = '8';  // RFC 9562, version 8: made as we like
  hex[16] = '9';
  return hex.substr(0, 8) + "-" + hex.substr(8, 4) + "-" + hex.substr(12, 4) + "-" + hex.substr(16, 4) + "-" +
         hex.substr(20);
}

std::string execution_name(std::string_view readable, std::string_view key) {
  constexpr std::size_t kNameMax = 80, kDigest = 24;
  std::string name(readable.substr(0, kNameMax - kDigest - 1));
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '-' && c != '_') c = '-';
  return name + "-" + digest_hex(Digest::Sha256, key).substr(0, kDigest);
}

}  // namespace millrace::bus
