#pragma once
// The numbers of a stream: hash keys of 128 bits, sequence numbers as AWS's look, ids of shards. Pure.
//
// A sequence number is a number of 186 bits, written in decimal (56 digits, "49…"): from the top a mark, the
// second its shard was made, the record's position, the second it came, its shard's number, a mark. So they
// grow within a shard, and from a shard to those it was split or merged into. Source: Kinesis Data Streams
// API reference, PutRecord; what its numbers were seen to be made of.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace millrace::tasks::kinesis {

__extension__ typedef unsigned __int128 HashKey;
inline constexpr HashKey kHashKeyMax = ~HashKey{0};

HashKey hash_of(std::string_view partition_key);  // its MD5
std::string decimal_of(HashKey key);
std::optional<HashKey> parse_hash_key(std::string_view text);  // nothing: no number up to 2^128 - 1

struct SequenceNumber {
  std::int64_t shard_seconds = 0;  // when its shard was made
  std::int64_t position = 0;       // in its shard; from 1
  std::int64_t seconds = 0;        // when it came
  std::uint32_t shard = 0;         // number in its stream
  bool operator==(const SequenceNumber&) const = default;
};
std::string text_of(const SequenceNumber& number);
std::optional<SequenceNumber> parse_sequence_number(std::string_view text);  // nothing: it is none of ours

std::string shard_name(std::uint32_t number);  // "shardId-000000000001"
std::optional<std::uint32_t> parse_shard_name(std::string_view name);

}  // namespace millrace::tasks::kinesis
