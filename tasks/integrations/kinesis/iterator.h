#pragma once
// Shard iterators: where somebody reads on, as a token that only this home can make: signed, good for five
// minutes, also across a restart. Pure.

#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"

namespace millrace::tasks::kinesis {

inline constexpr Millis kIteratorLife{300'000};

struct ShardIterator {
  std::int64_t shard = 0, position = 0;  // id; the first record that is wanted
  Instant issued;
  std::string stream;  // name
  bool operator==(const ShardIterator&) const = default;
};
std::string token_of(const ShardIterator& iterator, std::string_view secret);
// Nothing: it is no token of ours.
std::optional<ShardIterator> parse_iterator(std::string_view token, std::string_view secret);

// The same for positions in lists: a text under a purpose.
std::string page_token(std::string_view purpose, std::string_view position, std::string_view secret);
std::optional<std::string> parse_page_token(std::string_view purpose, std::string_view token,
                                            std::string_view secret);

}  // namespace millrace::tasks::kinesis
