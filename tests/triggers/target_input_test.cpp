// What a target is handed of an event.

#include "triggers/target_input.h"

#include <doctest/doctest.h>

using namespace millrace;
using namespace millrace::triggers;

namespace {

const char* const kEvent =
    R"({"version":"0","id":"e-1","detail-type":"Order","source":"shop","detail":{"id":"o \"7\"","lines":[{"n":1},{"n":2}],"total":9.50}})";

std::string text_for(const std::string& target) {
  const auto read = TargetInput::read(Payload::literal(target).view());
  REQUIRE_MESSAGE(read.has_value(), (read ? "" : read.error().message));
  return read->text_for(Payload::literal(kEvent), {"arn:aws:events:us-east-1:123456789012:rule/r", "r",
                                                   *parse_rfc3339("2026-11-21T10:00:00Z")});
}

std::string input_problem(const std::string& target) {
  const auto read = TargetInput::read(Payload::literal(target).view());
  REQUIRE_FALSE(read);
  return read.error().message;
}

}  // namespace

TEST_CASE("target input: whole, constant, part") {
  CHECK(text_for(R"({"Id":"1"})") == kEvent);
  CHECK(text_for(R"({"Id":"1","Input":"{\"a\": 1}"})") == R"({"a": 1})");
  CHECK(text_for(R"({"Id":"1","InputPath":"$.detail.total"})") == "9.50");
  CHECK(text_for(R"({"Id":"1","InputPath":"$.detail.lines[*].n"})") == "[1,2]");
  CHECK(text_for(R"({"Id":"1","InputPath":"$.detail.nothing"})") == "null");
}

TEST_CASE("target input: templates put values in, inside and outside of strings") {
  CHECK(
      text_for(
          R"({"InputTransformer":{"InputPathsMap":{"id":"$.detail.id","t":"$.detail.total","l":"$.detail.lines"},
    "InputTemplate":"{\"order\": <id>, \"text\": \"order <id>: <t>\", \"lines\": <l>, \"none\": \"a<b\"}"}})") ==
      R"({"order": "o \"7\"", "text": "order o \"7\": 9.50", "lines": [{"n":1},{"n":2}], "none": "a<b"})");
  CHECK(
      text_for(
          R"({"InputTransformer":{"InputPathsMap":{"x":"$.detail.nothing"},"InputTemplate":"{\"a\": <x>, \"b\": \"<x>\"}"}})") ==
      R"({"a": "", "b": ""})");
  CHECK(
      text_for(R"({"InputTransformer":{"InputPathsMap":{"id":"$.id"},"InputTemplate":"\"event <id>\""}})") ==
      "\"event e-1\"");
}

TEST_CASE("target input: reserved variables") {
  CHECK(
      text_for(
          R"({"InputTransformer":{"InputTemplate":"{\"rule\": <aws.events.rule-name>, \"arn\": \"<aws.events.rule-arn>\", \"at\": <aws.events.event.ingestion-time>}"}})") ==
      R"({"rule": "r", "arn": "arn:aws:events:us-east-1:123456789012:rule/r", "at": "2026-11-21T10:00:00.000Z"})");
  CHECK(text_for(R"({"InputTransformer":{"InputTemplate":"<aws.events.event.json>"}})") == kEvent);
  CHECK(text_for(R"({"InputTransformer":{"InputTemplate":"<aws.events.event>"}})") ==
        R"({"version":"0","id":"e-1","detail-type":"Order","source":"shop"})");
}

TEST_CASE("target input: what is wrong is named") {
  CHECK(input_problem(R"({"Id":"t","Input":"{","InputPath":"$"})") ==
        "Only one of Input, InputPath, or InputTransformer must be provided for target t.");
  CHECK(input_problem(R"({"Id":"t","Input":"{"})").find("JSON syntax error in input for target t") == 0);
  CHECK(input_problem(R"({"Id":"t","InputPath":"detail"})").find("is no JSONPath") != std::string::npos);
  CHECK(input_problem(R"({"Id":"t","InputTransformer":{"InputTemplate":"{\"a\": <x>}"}})")
            .find("<x> is not in InputPathsMap") != std::string::npos);
  CHECK(input_problem(R"({"Id":"t","InputTransformer":{"InputTemplate":"{\"a\": }"}})")
            .find("Invalid InputTemplate for target t") == 0);
}
