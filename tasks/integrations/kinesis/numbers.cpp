#include "tasks/integrations/kinesis/numbers.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/encoding.h"

namespace millrace::tasks::kinesis {
namespace {

constexpr std::string_view kShardPrefix = "shardId-";
constexpr std::size_t kShardDigits = 12;

// 192 bits, the lowest limb first.
using Limbs = std::array<std::uint32_t, 6>;

// Where the parts of a sequence number begin and how wide they are.
struct BitField {
  int at, width;
};
constexpr BitField kTopMark{184, 4}, kShardSeconds{148, 36}, kGapHigh{144, 4}, kPosition{80, 64},
    kGapLow{72, 8}, kSeconds{36, 36}, kShardNumber{4, 32}, kEndMark{0, 4};
constexpr std::uint64_t kMark = 2;

void set_bits(Limbs& limbs, BitField field, std::uint64_t value) {
  for (int i = 0; i < field.width; ++i)
    if (value >> i & 1)
      limbs[static_cast<std::size_t>((field.at + i) / 32)] |= std::uint32_t{1} << ((field.at + i) % 32);
}

std::uint64_t bits_of(const Limbs& limbs, BitField field) {
  std::uint64_t value = 0;
  for (int i = field.width - 1; i >= 0; --i)
    value = value << 1 | (limbs[static_cast<std::size_t>((field.at + i) / 32)] >> ((field.at + i) % 32) & 1);
  return value;
}

bool all_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

HashKey hash_of(std::string_view partition_key) {
  HashKey key = 0;
  for (const char c : digest(Digest::Md5, partition_key)) key = key << 8 | static_cast<unsigned char>(c);
  return key;
}

std::string decimal_of(HashKey key) {
  std::string text;
  do {
    text += static_cast<char>('0' + static_cast<int>(key % 10));
    key /= 10;
  } while (key > 0);
  std::reverse(text.begin(), text.end());
  return text;
}

std::optional<HashKey> parse_hash_key(std::string_view text) {
  if (!all_digits(text) || text.size() > 39 || (text.size() > 1 && text[0] == '0')) return std::nullopt;
  HashKey key = 0;
  for (const char c : text) {
    const auto digit = static_cast<unsigned>(c - '0');
    if (key > (kHashKeyMax - digit) / 10) return std::nullopt;
    key = key * 10 + digit;
  }
  return key;
}

std::string text_of(const SequenceNumber& number) {
  Limbs limbs{};
  set_bits(limbs, kTopMark, kMark);
  set_bits(limbs, kShardSeconds, static_cast<std::uint64_t>(number.shard_seconds));
  set_bits(limbs, kPosition, static_cast<std::uint64_t>(number.position));
  set_bits(limbs, kSeconds, static_cast<std::uint64_t>(number.seconds));
  set_bits(limbs, kShardNumber, number.shard);
  set_bits(limbs, kEndMark, kMark);
  constexpr std::uint32_t kGroup = 1'000'000'000;  // nine digits at a time
  std::string text;
  while (std::any_of(limbs.begin(), limbs.end(), [](std::uint32_t limb) { return limb != 0; })) {
    std::uint64_t rest = 0;
    for (std::size_t i = limbs.size(); i-- > 0;) {
      rest = rest << 32 | limbs[i];
      limbs[i] = static_cast<std::uint32_t>(rest / kGroup);
      rest %= kGroup;
    }
    for (int digit = 0; digit < 9; ++digit, rest /= 10) text += static_cast<char>('0' + rest % 10);
  }
  while (text.size() > 1 && text.back() == '0') text.pop_back();
  std::reverse(text.begin(), text.end());
  return text;
}

std::optional<SequenceNumber> parse_sequence_number(std::string_view text) {
  if (!all_digits(text) || text.size() > 57 || text[0] == '0') return std::nullopt;
  Limbs limbs{};
  for (const char c : text) {
    std::uint64_t carry = static_cast<std::uint64_t>(c - '0');
    for (std::uint32_t& limb : limbs) {
      carry += std::uint64_t{limb} * 10;
      limb = static_cast<std::uint32_t>(carry);
      carry >>= 32;
    }
    if (carry != 0) return std::nullopt;
  }
  SequenceNumber number;
  const std::uint64_t position = bits_of(limbs, kPosition);
  if (bits_of(limbs, kTopMark) != kMark || bits_of(limbs, kEndMark) != kMark || bits_of(limbs, kGapHigh) ||
      bits_of(limbs, kGapLow) || limbs[5] >> 28 || position > INT64_MAX)
    return std::nullopt;
  number.shard_seconds = static_cast<std::int64_t>(bits_of(limbs, kShardSeconds));
  number.position = static_cast<std::int64_t>(position);
  number.seconds = static_cast<std::int64_t>(bits_of(limbs, kSeconds));
  number.shard = static_cast<std::uint32_t>(bits_of(limbs, kShardNumber));
  return number;
}

std::string shard_name(std::uint32_t number) {
  const std::string digits = std::to_string(number);
  return std::string(kShardPrefix) + std::string(kShardDigits - digits.size(), '0') + digits;
}

std::optional<std::uint32_t> parse_shard_name(std::string_view name) {
  if (!name.starts_with(kShardPrefix)) return std::nullopt;
  name.remove_prefix(kShardPrefix.size());
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (name.size() != kShardDigits || error != std::errc() || end != name.data() + name.size())
    return std::nullopt;
  return number;
}

}  // namespace millrace::tasks::kinesis
