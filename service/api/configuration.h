#pragma once
// The configurations of a state machine that are kept and shown: logging, tracing, encryption. Pure.

#include "service/api/call.h"

namespace millrace::api {

// A LoggingConfiguration in one form: what is shown, as JSON; empty for what says nothing (the default).
// InvalidLoggingConfiguration.
tl::expected<std::string, ApiError> logging_text(JsonView configuration);
std::string tracing_text(JsonView configuration);  // the same for a TracingConfiguration
// InvalidEncryptionConfiguration for anything but AWS's own key: there is no key service here.
std::optional<ApiError> check_encryption(JsonView input);
// The members loggingConfiguration, tracingConfiguration and encryptionConfiguration.
void write_configuration(JsonWriter& out, const std::string& logging, const std::string& tracing);
void write_encryption(JsonWriter& out);
// Tags of a request: [{"key", "value"}].
std::vector<orchestrator::TagRow> tags_of(JsonView input);

}  // namespace millrace::api
