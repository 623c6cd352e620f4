// What ranks say, line by line: through one pipe, among lines of others, damaged.

#include "tasks/ranks/rank_line.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace millrace;
using namespace millrace::tasks;

namespace {

using MessageKind = RankMessage::Kind;

std::vector<RankMessage> said_of(const std::string& bytes) {
  std::vector<RankMessage> said;
  say_object(2, "s3://b/model", bytes, [&](const RankMessage& message) {
    const std::string line = rank_line(message);
    CHECK(line.size() <= 4096);  // what a pipe takes at once
    CHECK(line.find('\n') == line.size() - 1);
    const auto parsed = parse_rank_line(std::string_view(line).substr(0, line.size() - 1));
    REQUIRE(parsed);
    said.push_back(*parsed);
  });
  return said;
}

Result<std::optional<ObjectParts::Object>> heard(const std::vector<RankMessage>& said) {
  ObjectParts parts;
  for (std::size_t k = 0; k + 1 < said.size(); ++k) {
    auto some = parts.take(said[k]);
    if (!some || *some) return some;
  }
  return parts.take(said.back());
}

}  // namespace

TEST_CASE("rank lines: an object arrives as it was, or not at all") {
  std::string bytes;
  for (int i = 0; i < 10'000; ++i) bytes.push_back(static_cast<char>(i * 37));
  for (const std::string& object : {std::string(), std::string("\n\0x", 3), bytes}) {
    const auto said = said_of(object);
    const auto whole = heard(said);
    REQUIRE(whole);
    REQUIRE(*whole);
    CHECK((*whole)->name == "s3://b/model");
    CHECK((*whole)->bytes == object);
  }
  const auto said = said_of(bytes);
  for (const std::size_t lost : {std::size_t{0}, std::size_t{2}}) {
    auto fewer = said;
    fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(lost));
    const auto damaged = heard(fewer);
    REQUIRE(!damaged);
    CHECK(damaged.error().code == ErrorCode::DataLoss);
  }
  auto changed = said;
  changed[1].text[100] ^= 1;
  CHECK(!heard(changed));
}

TEST_CASE("rank lines: lines of others are none") {
  for (const char* line :
       {"", "@millrace", "@millrace x log text", "@millrace -1 log text", "@millrace 1 shout text",
        "@millrace 1", "mpirun: host not found", " @millrace 1 log text"})
    CHECK(!parse_rank_line(line));
  const auto log = parse_rank_line("@millrace 3 log two  spaces ");
  REQUIRE(log);
  CHECK(log->rank == 3);
  CHECK(log->kind == MessageKind::Log);
  CHECK(log->text == "two  spaces ");
  CHECK(rank_line({1, MessageKind::Log, "a\nb"}) == "@millrace 1 log a b\n");
}

TEST_CASE("rank lines: progress and errors come through whole") {
  Progress progress;
  progress.phase = "Training", progress.fraction = 0.1, progress.round = 7, progress.rounds = 70;
  progress.metric = "train:rmse", progress.value = 1.0 / 3, progress.eta_s = 12.5;
  const Progress back = rank_progress_of(to_text(progress));
  CHECK(back.phase == progress.phase);
  CHECK(back.fraction == progress.fraction);
  CHECK(back.round == 7);
  CHECK(back.rounds == 70);
  CHECK(back.rows == -1);
  CHECK(back.metric == progress.metric);
  CHECK(back.value == progress.value);
  CHECK(back.eta_s == progress.eta_s);
  const Error error = rank_error_of(to_text(Error{ErrorCode::DataLoss, "it is \"gone\"\nfor good", "look"}));
  CHECK(error.code == ErrorCode::DataLoss);
  CHECK(error.message == "it is \"gone\"\nfor good");
  CHECK(error.hint == "look");
  CHECK(rank_error_of("no JSON").message == "no JSON");
  CHECK(rank_progress_of("no JSON").round == -1);
}
