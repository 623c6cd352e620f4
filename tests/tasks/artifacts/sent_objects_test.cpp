#include "tasks/artifacts/sent_objects.h"

#include <doctest/doctest.h>

using namespace millrace::tasks;

namespace {

std::string names_since(const SentObjects& sent, std::uint64_t mark, const std::string& uri) {
  const auto found = sent.since(mark, uri);
  if (!found) return "forgotten";
  std::string out;
  for (const SentObject& object : *found) out += object.uri.substr(5) + "=" + object.sha256 + " ";
  return out;
}

}  // namespace

TEST_CASE("sent objects: what lies below a place, as it was sent last, since a mark") {
  SentObjects sent;
  CHECK(names_since(sent, 0, "s3://b").empty());
  sent.add({"s3://b/x/2", "h2", 1});
  sent.add({"s3://b/x/1", "h1", 1});
  const std::uint64_t mark = sent.count();
  sent.add({"s3://b/x/2", "h3", 1});
  sent.add({"s3://b/xy", "h4", 1});
  CHECK(names_since(sent, 0, "s3://b/x/") == "b/x/1=h1 b/x/2=h3 ");
  CHECK(names_since(sent, mark, "s3://b/x") == "b/x/2=h3 ");
  CHECK(names_since(sent, 0, "s3://b/xy") == "b/xy=h4 ");
  CHECK(names_since(sent, sent.count(), "s3://b/x").empty());
}

TEST_CASE("sent objects: of too many the oldest are forgotten, and that is said") {
  SentObjects sent;
  for (std::size_t k = 0; k <= SentObjects::kSentObjectsKept; ++k)
    sent.add({"s3://b/same", std::to_string(k), 1});
  CHECK(names_since(sent, 0, "s3://b") == "forgotten");
  CHECK(names_since(sent, 1, "s3://b") == "b/same=" + std::to_string(SentObjects::kSentObjectsKept) + " ");
}
