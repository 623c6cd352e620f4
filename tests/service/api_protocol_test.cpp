#include <doctest/doctest.h>

#include <set>

#include "service/api/errors.h"
#include "service/api/json_words.h"
#include "service/api/operations.h"
#include "service/api/pagination.h"

using namespace millrace;
using namespace millrace::api;

namespace {

std::string refused(std::string_view operation, std::string_view input) {
  const OperationRow* row = find_operation(operation);
  REQUIRE(row);
  const Payload document = Payload::literal(input);
  const auto error = check_input(document.view(), row->input);
  return error ? error->code + ": " + error->message : "";
}

}  // namespace

TEST_CASE("api: the table of operations is sorted, each once") {
  std::string_view last;
  for (const OperationRow& row : operations()) {
    CHECK(last < row.name);
    last = row.name;
    std::set<std::string_view> names;
    for (const Member& member : row.input) CHECK(names.insert(member.name).second);
  }
  CHECK(find_operation("CreateEverything") == nullptr);
}

TEST_CASE("api: broken constraints in AWS's words") {
  CHECK(refused("ListExecutions", R"({"maxResults": 1000})") == "");
  CHECK(refused("ListExecutions", R"({"unknown": 1, "maxResults": null})") == "");
  CHECK(refused("DescribeExecution", "{}") ==
        "ValidationException: 1 validation error detected: Value null at 'executionArn' failed to satisfy "
        "constraint: "
        "Member must not be null");
  CHECK(refused("CreateStateMachineAlias", R"({"name": "42", "routingConfiguration": [{"weight": 101}]})") ==
        "ValidationException: 3 validation errors detected: Value '42' at 'name' failed to satisfy "
        "constraint: Member "
        "must satisfy regular expression pattern: ^(?=.*[a-zA-Z_\\-\\.])[a-zA-Z0-9_\\-\\.]+$; Value null at "
        "'routingConfiguration.1.member.stateMachineVersionArn' failed to satisfy constraint: Member must "
        "not be null; "
        "Value '101' at 'routingConfiguration.1.member.weight' failed to satisfy constraint: Member must "
        "have value less "
        "than or equal to 100");
  const std::string cause(32'769, 'x');
  CHECK(refused("StopExecution", R"({"executionArn": "a", "cause": ")" + cause + "\"}") ==
        "ValidationException: 1 validation error detected: Value at 'cause' failed to satisfy constraint: "
        "Member must have "
        "length less than or equal to 32768");
}

TEST_CASE("api: lengths count characters, not bytes") {
  std::string name;
  for (int i = 0; i < 80; ++i) name += "ä";
  CHECK(refused("CreateActivity", "{\"name\": \"" + name + "\"}") == "");
  CHECK(refused("CreateActivity", "{\"name\": \"" + name + "ä\"}") != "");
}

TEST_CASE("api: wrong types do not get as far as constraints") {
  CHECK(refused("ListExecutions", R"({"maxResults": "1"})") ==
        "SerializationException: STRING_VALUE can not be converted to an Integer");
  CHECK(refused("StartExecution", R"({"stateMachineArn": 5})") ==
        "SerializationException: NUMBER_VALUE can not be converted to a String");
  CHECK(refused("TagResource", R"({"resourceArn": "a", "tags": [[]]})") ==
        "SerializationException: START_ARRAY can not be converted to a Structure");
  CHECK(refused("GetExecutionHistory", R"({"executionArn": "a", "reverseOrder": 1})") ==
        "SerializationException: NUMBER_VALUE can not be converted to a Boolean");
}

TEST_CASE("api: page tokens come back as the position they hold, for what they were made for") {
  const auto input = [](const std::string& token) {
    JsonWriter out;
    out.begin_object().key("nextToken").string(token).end_object();
    return out.finish();
  };
  for (const std::string position : {"", "7", "a name: with colons", "ü"}) {
    const Payload with = input(page_token("List a", position));
    CHECK(page_position(with.view(), "List a").value() == position);
    CHECK(page_position(with.view(), "List b").error().code == "InvalidToken");
  }
  CHECK(page_number(input(page_token("s", "12")).view(), "s").value() == 12);
  CHECK(page_number(input(page_token("s", "x")).view(), "s").error().code == "InvalidToken");
  CHECK(page_number(Payload::empty_object().view(), "s").value() == 0);
  std::string token = page_token("s", "12345");
  for (std::size_t i = 0; i < token.size(); ++i) {
    std::string changed = token;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    if (changed != token) CHECK_FALSE(page_number(input(changed).view(), "s"));
  }
  CHECK(page_size(Payload::literal(R"({"maxResults":0})").view()) == 100);
  CHECK(page_size(Payload::literal(R"({"maxResults":7})").view()) == 7);
}

TEST_CASE("api: errors of the engine have AWS's names") {
  CHECK(api_error({ErrorCode::NotFound, "State Machine Does Not Exist: 'x'"}, kExecutionErrors).code ==
        "StateMachineDoesNotExist");
  CHECK(api_error({ErrorCode::NotFound, "gone"}, kExecutionErrors).code == "ExecutionDoesNotExist");
  CHECK(api_error({ErrorCode::InvalidArgument, "Invalid Arn: 'x'"}, kMachineErrors).code == "InvalidArn");
  CHECK(api_error({ErrorCode::OutOfSpace, "disk full"}, kMachineErrors).status == 503);
  CHECK(api_error({ErrorCode::Unavailable, "busy"}, kMachineErrors).status == 503);
}

TEST_CASE("api: what is no JSON is told in the parser's words") {
  const auto words = [](const std::string& text) {
    const auto parsed = Payload::parse(text);
    REQUIRE_FALSE(parsed);
    return parser_words(text, parsed.error());
  };
  CHECK(words("{\n  \"ü\": nix}") ==
        "Unrecognized token 'nix': was expecting (JSON String, Number, Array, Object or "
        "token 'null', 'true' or 'false')");
  CHECK(words("{\"a\":1 \"b\":2}") ==
        "Unexpected character ('\"' (code 34)): was expecting comma to separate Object entries");
  CHECK(words("[1,]") ==
        "Unexpected character (']' (code 93)): expected a valid value (JSON String, Number, Array, Object "
        "or token 'null', 'true' or 'false')");
  CHECK(words("{\"a\":[1") == "Unexpected end-of-input: expected close marker for Array");
  CHECK(words("\"abc") == "Unexpected end-of-input in VALUE_STRING");
  CHECK(
      words("ä") ==
      "Unexpected character ('ä' (code 228)): expected a valid value (JSON String, Number, Array, Object or "
      "token 'null', 'true' or 'false')");
}
