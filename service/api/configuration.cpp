#include "service/api/configuration.h"

namespace millrace::api {
namespace {

constexpr std::string_view kNoLogging = R"({"level":"OFF","includeExecutionData":false})";
constexpr std::string_view kNoTracing = R"({"enabled":false})";

}  // namespace

tl::expected<std::string, ApiError> logging_text(JsonView configuration) {
  if (!configuration) return std::string();
  const std::string given = text_of(configuration, "level");
  const std::string level = given.empty() ? "OFF" : given;
  const JsonView destinations = member(configuration, "destinations");
  const std::uint32_t count = destinations ? destinations.size() : 0;
  if (count > 1 || (level != "OFF" && count != 1))
    return refuse("InvalidLoggingConfiguration",
                  "Invalid Logging Configuration: Must specify exactly one Log Destination.");
  JsonWriter out;
  out.begin_object().key("level").string(level);
  out.key("includeExecutionData").boolean(flag_of(configuration, "includeExecutionData"));
  if (destinations) out.key("destinations").value(destinations);
  out.end_object();
  const Payload text = out.finish();
  return text.text() == kNoLogging ? std::string() : std::string(text.text());
}

std::string tracing_text(JsonView configuration) {
  return configuration && flag_of(configuration, "enabled") ? R"({"enabled":true})" : "";
}

std::optional<ApiError> check_encryption(JsonView input) {
  const JsonView encryption = member(input, "encryptionConfiguration");
  if (!encryption || text_of(encryption, "type") == "AWS_OWNED_KEY") return std::nullopt;
  return ApiError{"InvalidEncryptionConfiguration",
                  "Invalid Encryption Configuration: there is no key service here; use AWS_OWNED_KEY", 400};
}

void write_configuration(JsonWriter& out, const std::string& logging, const std::string& tracing) {
  out.key("loggingConfiguration").value(Payload::literal(logging.empty() ? kNoLogging : logging));
  out.key("tracingConfiguration").value(Payload::literal(tracing.empty() ? kNoTracing : tracing));
  write_encryption(out);
}

void write_encryption(JsonWriter& out) {
  out.key("encryptionConfiguration").begin_object().key("type").string("AWS_OWNED_KEY").end_object();
}

std::vector<orchestrator::TagRow> tags_of(JsonView input) {
  std::vector<orchestrator::TagRow> tags;
  const JsonView given = member(input, "tags");
  if (!given) return tags;
  for (const JsonView tag : given.elements()) tags.push_back({text_of(tag, "key"), text_of(tag, "value")});
  return tags;
}

}  // namespace millrace::api
