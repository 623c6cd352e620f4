// The JSONata suite beside the project, where it is: what the reference answers to 4,000 expressions, and
// what Step Functions adds. Every case must agree but those named here, each with its reason.

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <set>

#include "tests/definitions/jsonata_support.h"

using namespace millrace;
using namespace millrace::definitions;

namespace {

// name: why it differs
const std::map<std::string, std::string> kDifferent = {
#ifdef __SANITIZE_ADDRESS__
    {"x-scale/case001",
     "the frames of a build with sanitizers are too large for 1000 calls inside each other"},
#endif
};

bool has_tag(const Json& c, const char* tag) {
  const Json tags = c.value("tags", Json::array());
  return std::find(tags.begin(), tags.end(), tag) != tags.end();
}

void run_suite(const std::string& file, JsonataDialect dialect) {
  const auto path = tests::shared("conformance/jsonata/" + file);
  if (!path) {
    MESSAGE("skipped: " << file << " is not there");
    return;
  }
  std::map<std::string, Payload> datasets;
  int count = 0, agree = 0;
  std::map<std::string, int> skipped;
  for (const Json& c : tests::lines_of(*path)) {
    const auto name = c["name"].get<std::string>();
    const char* skip = nullptr;
    for (const char* tag : {"no-asl", "reference-quirk", "integer-keys"})
      if (!skip && has_tag(c, tag)) skip = tag;
    if (skip) {
      ++skipped[skip];
      continue;
    }
    Payload input;
    bool has_input = false;
    if (c.contains("dataset")) {
      const auto dataset = c["dataset"].get<std::string>();
      if (!datasets.contains(dataset)) {
        auto parsed =
            Payload::parse(tests::read_file(path->parent_path() / "datasets" / (dataset + ".json")));
        REQUIRE_MESSAGE(parsed, dataset);
        datasets[dataset] = *parsed;
      }
      input = datasets[dataset];
      has_input = true;
    } else if (c.contains("data")) {
      input = to_payload(c["data"]);
      has_input = true;
    }
    const auto answer = tests::run_jsonata(c["expr"].get<std::string>(), has_input ? &input : nullptr,
                                           c.value("bindings", Json::object()), dialect);
    const std::string different = tests::jsonata_difference(
        c["expect"], answer, has_tag(c, "float-tolerance") ? 1e-12 : 0, c.value("unordered", false));
    ++count;
    agree += different.empty();
    const bool known = kDifferent.contains(name);
    CHECK_MESSAGE((different.empty() || known), name << " " << c["expr"].dump().substr(0, 300) << " "
                                                     << c["expect"].dump().substr(0, 300) << "\n  "
                                                     << different.substr(0, 300));
    CHECK_MESSAGE((!different.empty() || !known), name << " agrees by now");
  }
  for (const auto& [tag, n] : skipped) MESSAGE(file << ": " << n << " skipped, " << tag);
  MESSAGE(file << ": " << agree << " of " << count << " agree");
}

}  // namespace

TEST_CASE("JSONata suite: answers of the reference") {
  run_suite("cases.jsonl", JsonataDialect::Jsonata);
}

TEST_CASE("JSONata suite: what Step Functions adds and takes away") {
  run_suite("asl-cases.jsonl", JsonataDialect::StatesLanguage);
}

TEST_CASE("JSONata cases of our own") {
  for (const Json& c : tests::cases_of("jsonata")) {
    const bool states = c.value("dialect", "Jsonata") == "StatesLanguage";
    Payload input;
    const bool has_input = c.contains("data") && !c.contains("no_data");
    if (has_input) input = to_payload(c["data"]);
    const auto answer = tests::run_jsonata(c["expr"].get<std::string>(), has_input ? &input : nullptr,
                                           c.value("bindings", Json::object()),
                                           states ? JsonataDialect::StatesLanguage : JsonataDialect::Jsonata);
    const std::string different = tests::jsonata_difference(c, answer, c.value("tolerance", 0.0), false);
    CHECK_MESSAGE(different.empty(), c["name"].get<std::string>()
                                         << " " << c["expr"].dump() << "\n  " << different);
    if (c.contains("position"))
      CHECK_MESSAGE(answer.error.position == c["position"].get<int>(), c["name"].get<std::string>()
                                                                           << " " << c["expr"].dump());
    if (c.contains("message"))
      CHECK_MESSAGE(answer.error.message == c["message"].get<std::string>(), c["name"].get<std::string>()
                                                                                 << " " << c["expr"].dump());
  }
}
