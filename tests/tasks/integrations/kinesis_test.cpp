// Streams: numbers, the order of records of a key over splits and merges, what lasts over a restart.

#include <doctest/doctest.h>

#include <algorithm>
#include <future>
#include <map>
#include <set>

#include "base/encoding.h"
#include "base/random.h"
#include "tasks/integrations/kinesis/iterator.h"
#include "tasks/integrations/kinesis/streams.h"
#include "tests/tasks/integrations/manual_clock.h"
#include "tests/tasks/jobs/temporary_home.h"

using namespace millrace;
using namespace millrace::tasks;
using namespace millrace::tasks::kinesis;

namespace {

Payload asked(Streams& streams, const std::string& operation, const std::string& request) {
  std::promise<ServiceAnswer> promise;
  auto answer = promise.get_future();
  streams.call({operation, *Payload::parse(request)},
               [&promise](ServiceAnswer given) { promise.set_value(std::move(given)); });
  const ServiceAnswer given = answer.get();
  REQUIRE_MESSAGE(given, operation << " " << request << ": " << (given ? "" : given.error().message));
  return *given;
}

std::string put_request(const std::vector<std::pair<std::string, std::string>>& records) {
  JsonWriter out;
  out.begin_object().key("StreamName").string("s").key("Records").begin_array();
  for (const auto& [key, data] : records)
    out.begin_object().key("PartitionKey").string(key).key("Data").string(base64_encode(data)).end_object();
  out.end_array().end_object();
  return std::string(out.finish().text());
}

std::string iterator_of(Streams& streams, const std::string& shard) {
  return asked(streams, "GetShardIterator",
               R"({"StreamName":"s","ShardIteratorType":"TRIM_HORIZON","ShardId":")" + shard + "\"}")
      .view()
      .find("ShardIterator")
      .string();
}

struct Seen {
  std::string sequence, key, data;
};

// All of one shard, a few records at a time.
std::vector<Seen> all_of(Streams& streams, const std::string& shard) {
  std::vector<Seen> seen;
  std::string iterator = iterator_of(streams, shard);
  for (int rounds = 0; rounds < 1000; ++rounds) {
    const Payload got = asked(streams, "GetRecords", R"({"Limit":7,"ShardIterator":")" + iterator + "\"}");
    for (const JsonView record : got.view().find("Records").elements())
      seen.push_back({record.find("SequenceNumber").string(), record.find("PartitionKey").string(),
                      *base64_decode(record.find("Data").string())});
    const JsonView next = got.view().find("NextShardIterator");
    if (!next ||
        (got.view().find("Records").size() == 0 && got.view().find("MillisBehindLatest").number() == 0))
      return seen;
    iterator = next.string();
  }
  FAIL("a shard without an end");
  return seen;
}

bool less_number(const std::string& a, const std::string& b) {
  return a.size() != b.size() ? a.size() < b.size() : a < b;
}

}  // namespace

TEST_CASE("Kinesis: a sequence number is 56 digits, and says what it was made of") {
  Random random(1);
  for (int i = 0; i < 1000; ++i) {
    SequenceNumber number;
    number.shard_seconds = static_cast<std::int64_t>(random.below(1ull << 36));
    number.position = static_cast<std::int64_t>(random.next() >> 1);
    number.seconds = static_cast<std::int64_t>(random.below(1ull << 36));
    number.shard = static_cast<std::uint32_t>(random.next());
    const std::string text = text_of(number);
    CHECK(text.size() == 56);
    CHECK(parse_sequence_number(text) == number);
    SequenceNumber later = number;
    ++later.position;
    later.seconds = 0;
    if (number.position < INT64_MAX) CHECK(less_number(text, text_of(later)));
  }
  for (const char* wrong :
       {"", "0", "12", "-1", "x", "49590338271490256608559692538361571095921575989136588898000"})
    CHECK_MESSAGE(!parse_sequence_number(wrong), wrong);
}

TEST_CASE("Kinesis: hash keys are decimals of 128 bits, and those of keys are MD5's") {
  CHECK(decimal_of(kHashKeyMax) == "340282366920938463463374607431768211455");
  CHECK(parse_hash_key("340282366920938463463374607431768211455") == kHashKeyMax);
  CHECK(!parse_hash_key("340282366920938463463374607431768211456"));
  CHECK(!parse_hash_key("01"));
  CHECK(!parse_hash_key(""));
  // md5("a") is 0cc175b9c0f1b6a831c399e269772661
  CHECK(decimal_of(hash_of("a")) == "16955237001963240173058271559858726497");
  CHECK(decimal_of(0) == "0");
}

TEST_CASE("Kinesis: an iterator is good for its home alone") {
  const ShardIterator iterator{7, 123456789, from_millis(1'763'730'000'000), "stream"};
  const std::string token = token_of(iterator, "secret");
  CHECK(parse_iterator(token, "secret") == iterator);
  CHECK(!parse_iterator(token, "another"));
  for (std::size_t i = 0; i < token.size(); ++i) {
    std::string changed = token;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    if (changed != token) CHECK(!parse_iterator(changed, "secret"));
  }
  CHECK(!parse_iterator(page_token("ListShards", "1 s", "secret"), "secret"));
  CHECK(parse_page_token("ListShards", page_token("ListShards", "1 s", "secret"), "secret") == "1 s");
  CHECK(!parse_page_token("ListStreams", page_token("ListShards", "1 s", "secret"), "secret"));
}

TEST_CASE("Kinesis: records of a key keep their order over splits, merges and restarts") {
  TemporaryHome home;
  ManualClock clock;
  const auto open = [&] {
    auto opened = Streams::open(home.path("streams.db"), {}, clock, 7);
    REQUIRE_MESSAGE(opened, (opened ? "" : opened.error().message));
    return std::move(*opened);
  };
  auto streams = open();
  asked(*streams, "CreateStream", R"({"StreamName":"s","ShardCount":2})");
  std::map<std::string, std::int64_t> last;
  std::int64_t total = 0;
  Random random(3);
  const auto put = [&] {
    std::vector<std::pair<std::string, std::string>> records;
    for (std::uint64_t n = 1 + random.below(40); n-- > 0; ++total) {
      const std::string key = "k" + std::to_string(random.below(30));
      records.push_back({key, std::to_string(last[key]++)});
    }
    asked(*streams, "PutRecords", put_request(records));
    clock.advance(Millis(static_cast<std::int64_t>(random.below(1500))));
  };
  const char* const changes[] = {
      R"(SplitShard {"StreamName":"s","ShardToSplit":"shardId-000000000000","NewStartingHashKey":"70000000000000000000000000000000000000"})",
      R"(MergeShards {"StreamName":"s","ShardToMerge":"shardId-000000000003","AdjacentShardToMerge":"shardId-000000000001"})",
      R"(UpdateShardCount {"StreamName":"s","TargetShardCount":4,"ScalingType":"UNIFORM_SCALING"})",
      R"(UpdateShardCount {"StreamName":"s","TargetShardCount":2,"ScalingType":"UNIFORM_SCALING"})"};
  for (const char* change : changes) {
    for (int i = 0; i < 5; ++i) put();
    const std::string_view text(change);
    asked(*streams, std::string(text.substr(0, text.find(' '))),
          std::string(text.substr(text.find(' ') + 1)));
    streams.reset();
    streams = open();
  }
  for (int i = 0; i < 5; ++i) put();

  // Shards by their numbers are parents before children; so read, each key counts up.
  std::map<std::string, std::int64_t> next;
  std::map<std::string, std::string> newest;
  std::int64_t seen = 0;
  const Payload shards = asked(*streams, "ListShards", R"({"StreamName":"s"})");
  for (const JsonView shard : shards.view().find("Shards").elements()) {
    for (const Seen& one : all_of(*streams, shard.find("ShardId").string())) {
      CHECK(one.data == std::to_string(next[one.key]++));
      CHECK_MESSAGE(less_number(newest[one.key], one.sequence), one.key);
      newest[one.key] = one.sequence;
      ++seen;
    }
  }
  CHECK(seen == total);
  CHECK(next == last);
}

TEST_CASE("Kinesis: what is put is read after a restart, by an iterator from before it") {
  TemporaryHome home;
  ManualClock clock;
  std::string iterator;
  {
    auto streams = Streams::open(home.path("streams.db"), {}, clock, 7);
    REQUIRE(streams);
    asked(**streams, "CreateStream", R"({"StreamName":"s","ShardCount":1})");
    iterator = iterator_of(**streams, "shardId-000000000000");
    asked(**streams, "PutRecords", put_request({{"a", std::string("\0\xff binary", 9)}, {"b", ""}}));
  }
  auto streams = Streams::open(home.path("streams.db"), {}, clock, 8);
  REQUIRE(streams);
  const Payload got = asked(**streams, "GetRecords", R"({"ShardIterator":")" + iterator + "\"}");
  REQUIRE(got.view().find("Records").size() == 2);
  CHECK(base64_decode(got.view().find("Records").at(0).find("Data").string()) ==
        std::string("\0\xff binary", 9));
  CHECK(got.view().find("Records").at(1).find("Data").equals(""));
}

TEST_CASE("Kinesis: GetRecords keeps to 10 MB, and hands out a larger record alone") {
  TemporaryHome home;
  ManualClock clock;
  auto streams = Streams::open(home.path("streams.db"), {}, clock, 7);
  REQUIRE(streams);
  asked(**streams, "CreateStream", R"({"StreamName":"s","ShardCount":1})");
  const std::string megabytes(4 << 20, 'x');
  for (int i = 0; i < 3; ++i) asked(**streams, "PutRecords", put_request({{"k", megabytes}, {"k", "small"}}));
  std::string iterator = iterator_of(**streams, "shardId-000000000000");
  std::vector<std::uint32_t> sizes;
  for (int i = 0; i < 2; ++i) {
    const Payload got = asked(**streams, "GetRecords", R"({"ShardIterator":")" + iterator + "\"}");
    sizes.push_back(got.view().find("Records").size());
    iterator = got.view().find("NextShardIterator").string();
  }
  CHECK(sizes == std::vector<std::uint32_t>{4, 2});
}

TEST_CASE("Kinesis: notes are kept with the records, or neither") {
  TemporaryHome home;
  ManualClock clock;
  auto streams = Streams::open(home.path("streams.db"), {}, clock, 7);
  REQUIRE(streams);
  asked(**streams, "CreateStream", R"({"StreamName":"s","ShardCount":1})");
  const auto put = [&](Streams::Put what) {
    std::promise<Status> kept;
    (*streams)->put(std::move(what), [&](Status status) { kept.set_value(std::move(status)); });
    return kept.get_future().get();
  };
  const auto note = [&](const std::string& key) {
    std::promise<std::optional<std::string>> found;
    (*streams)->note(key, [&](Result<std::optional<std::string>> given) { found.set_value(*given); });
    return found.get_future().get();
  };
  CHECK(put({"s", {{"k", "one"}}, "place", "1"}));
  CHECK(note("place") == "1");
  const Status refused = put({"no", {{"k", "two"}}, "place", "2"});
  REQUIRE(!refused);
  CHECK(refused.error().code == ErrorCode::NotFound);
  CHECK(note("place") == "1");
  CHECK(all_of(**streams, "shardId-000000000000").size() == 1);
}
