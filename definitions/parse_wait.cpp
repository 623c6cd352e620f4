#include "definitions/parse.h"

namespace millrace::definitions {

void parse_wait(Parsing& p) {
  Wait wait;
  int given = 0;
  const bool one = p.fields.at_most_one({"Seconds", "SecondsPath", "Timestamp", "TimestampPath"}, &given);
  if (given == 0) {
    p.fields.error(
        codes::kSchema,
        "One of the following fields is required: [Seconds, SecondsPath, Timestamp, TimestampPath]",
        "e.g. \"Seconds\": 60");
  } else if (one) {
    wait.seconds_query = p.fields.query("Seconds");
    wait.timestamp_query = p.fields.query("Timestamp");
    if (!wait.seconds_query) wait.seconds = p.fields.whole("Seconds", 0, kSecondsMax);
    wait.seconds_path = p.fields.reference("SecondsPath");
    wait.timestamp_path = p.fields.reference("TimestampPath");
    const auto text = wait.timestamp_query ? std::nullopt : p.fields.text("Timestamp");
    if (text) {
      wait.timestamp = parse_rfc3339(*text);
      if (!wait.timestamp) {
        p.fields.error_at("Timestamp", "String does not match RFC3339 timestamp",
                          p.fields.takes("Timestamp"));
      }
    }
  }
  p.node.kind = std::move(wait);
  parse_transition(p);
}

}  // namespace millrace::definitions
