#include "orchestrator/store/codec.h"

#include <doctest/doctest.h>

#include <cstring>

#include "tests/support/sample_events.h"

using namespace millrace;
using namespace millrace::orchestrator;

namespace {

void check_round_trip(const std::vector<states::Event>& events) {
  const std::string row = encode_events(events);
  const auto back = decode_events(row);
  REQUIRE_MESSAGE(back, (back ? "" : back.error().message));
  REQUIRE(back->size() == events.size());
  CHECK(*back == events);
  CHECK(encode_events(*back) == row);  // texts too, not only values
}

}  // namespace

TEST_CASE("codec: every kind of event comes back as it was written") {
  check_round_trip({});
  check_round_trip(samples::chain(10, 1000));
  for (std::uint64_t seed = 0; seed < 200; ++seed) check_round_trip(samples::assorted(seed, 1 + seed * 3));
}

TEST_CASE("codec: a document that grows by a field costs little more than the field") {
  const std::string row = encode_events(samples::chain(10, 1000));
  MESSAGE("22 events with ten growing 1 KB documents: " << row.size() << " bytes");
  CHECK(row.size() <= 2000);
}

TEST_CASE("codec: equal documents and names are written once") {
  std::vector<states::Event> events;
  for (int i = 0; i < 50; ++i) {
    events.push_back(
        {states::EventType::PassStateEntered, 1, 0, Instant(), FrameId{1}, 0,
         states::detail::StateEntered{"TheStateThatComesAgain", samples::growing_document(2000, 3)}});
  }
  CHECK(encode_events(events).size() < 2000 + 200 + 50 * 12);
}

TEST_CASE("codec: many documents of one length, told apart in the middle only, come back") {
  std::vector<states::Event> events;
  for (int i = 1000; i < 4000; ++i) {
    events.push_back({states::EventType::PassStateEntered, 1, 0, Instant(), FrameId{1}, 0,
                      states::detail::StateEntered{
                          "S", Payload::literal("{\"a\":\"" + std::string(90, 'x') + std::to_string(i) +
                                                std::string(107, 'y') + "\"}")}});
  }
  check_round_trip(events);
}

TEST_CASE("codec: each changed byte and each cut is noticed") {
  const std::string row = encode_events(samples::assorted(7, 40));
  for (std::size_t i = 0; i < row.size(); ++i) {
    std::string bad = row;
    bad[i] = static_cast<char>(bad[i] ^ (1 << (i % 8)));
    const auto back = decode_events(bad);
    REQUIRE(!back);
    CHECK(back.error().code == ErrorCode::DataLoss);
    CHECK(!decode_events(row.substr(0, i)));
  }
  CHECK(!decode_events(row + "x"));
}

namespace millrace::orchestrator::internal {
std::uint64_t row_checksum(std::string_view bytes);
}

TEST_CASE("codec: rows of version 1, whose executions know no version or alias, are read") {
  states::ExecutionIdentity identity{"arn", "name", "machine-arn", "machine", "the-role"};
  const std::vector<states::Event> events = {
      {states::EventType::ExecutionStarted, 1, 0, Instant(), FrameId{0}, 0,
       states::detail::ExecutionStarted{identity, Payload::literal("{\"a\":1}")}}};
  std::string row = encode_events(events);
  // The two empty names behind the role: the sixth name, of no characters, and the same again.
  const std::size_t at = row.find("the-role") + 8;
  REQUIRE(row.substr(at, 3) == std::string("\5\0\5", 3));
  row.erase(at, 3);
  row[0] = 1;
  const std::uint64_t sum = internal::row_checksum(std::string_view(row).substr(9));
  std::memcpy(row.data() + 1, &sum, 8);
  const auto back = decode_events(row);
  REQUIRE_MESSAGE(back, (back ? "" : back.error().message));
  CHECK(*back == events);
}

TEST_CASE("codec: rows of version 2, whose redrives know no client token, are read") {
  const std::vector<states::Event> events = {{states::EventType::ExecutionRedriven, 1, 0, Instant(),
                                              FrameId{0}, 0, states::detail::ExecutionRedriven{3, ""}}};
  std::string row = encode_events(events);
  // The empty token is the last of the row: the first name, of no characters.
  REQUIRE(row.ends_with(std::string("\0\0", 2)));
  row.resize(row.size() - 2);
  row[0] = 2;
  const std::uint64_t sum = internal::row_checksum(std::string_view(row).substr(9));
  std::memcpy(row.data() + 1, &sum, 8);
  const auto back = decode_events(row);
  REQUIRE_MESSAGE(back, (back ? "" : back.error().message));
  CHECK(*back == events);
}

TEST_CASE("codec: hostile rows with a right checksum are refused or read, never worse") {
  Random random(11);
  int read = 0, refused = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string row = encode_events(samples::assorted(random.below(50), 1 + random.below(40)));
    const std::size_t header = 9;
    for (std::uint64_t n = 1 + random.below(6); n > 0 && row.size() > header; --n) {
      const std::size_t at = header + random.below(row.size() - header);
      switch (random.below(4)) {
        case 0:
          row[at] = static_cast<char>(random.next());
          break;
        case 1:
          row.erase(at, 1 + random.below(9));
          break;
        case 2:
          row.insert(at, std::string(1 + random.below(9), static_cast<char>(random.next())));
          break;
        default:
          row[at] = static_cast<char>(row[at] | 0x80);
          break;
      }
    }
    const std::uint64_t sum = internal::row_checksum(std::string_view(row).substr(header));
    std::memcpy(row.data() + 1, &sum, 8);
    const auto back = decode_events(row);
    if (back) {
      ++read;
    } else {
      ++refused;
      REQUIRE(back.error().code == ErrorCode::DataLoss);
    }
  }
  MESSAGE("hostile rows: " << read << " read, " << refused << " refused");
  CHECK(refused > 1000);
}
