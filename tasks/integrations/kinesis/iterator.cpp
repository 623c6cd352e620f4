#include "tasks/integrations/kinesis/iterator.h"

#include "base/encoding.h"

namespace millrace::tasks::kinesis {
namespace {

constexpr std::size_t kTokenBytesMax = 1024, kSignBytes = 16;
constexpr char kIteratorVersion = 1, kPageVersion = 2;

void put_number(std::string& out, std::int64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8)
    out += static_cast<char>(static_cast<std::uint64_t>(value) >> shift & 0xFF);
}

std::int64_t take_number(std::string_view& bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8; ++i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  bytes.remove_prefix(8);
  return static_cast<std::int64_t>(value);
}

std::string signed_token(std::string bytes, std::string_view secret) {
  bytes += hmac_sha256(secret, bytes).substr(0, kSignBytes);
  return base64_encode(bytes);
}

// The bytes before the signature; nothing when it is another's.
std::optional<std::string> checked_token(std::string_view token, std::string_view secret) {
  if (token.size() > kTokenBytesMax) return std::nullopt;
  auto bytes = base64_decode(token);
  if (!bytes || bytes->size() <= kSignBytes) return std::nullopt;
  const std::string sign = bytes->substr(bytes->size() - kSignBytes);
  bytes->resize(bytes->size() - kSignBytes);
  if (!equal_in_constant_time(hmac_sha256(secret, *bytes).substr(0, kSignBytes), sign)) return std::nullopt;
  return bytes;
}

}  // namespace

std::string token_of(const ShardIterator& iterator, std::string_view secret) {
  std::string bytes(1, kIteratorVersion);
  put_number(bytes, iterator.shard);
  put_number(bytes, iterator.position);
  put_number(bytes, to_millis(iterator.issued));
  return signed_token(bytes + iterator.stream, secret);
}

std::optional<ShardIterator> parse_iterator(std::string_view token, std::string_view secret) {
  const auto bytes = checked_token(token, secret);
  if (!bytes || bytes->size() < 25 || (*bytes)[0] != kIteratorVersion) return std::nullopt;
  std::string_view rest = std::string_view(*bytes).substr(1);
  ShardIterator iterator;
  iterator.shard = take_number(rest);
  iterator.position = take_number(rest);
  iterator.issued = from_millis(take_number(rest));
  iterator.stream = rest;
  return iterator;
}

std::string page_token(std::string_view purpose, std::string_view position, std::string_view secret) {
  return signed_token(kPageVersion + std::string(purpose) + '\n' + std::string(position), secret);
}

std::optional<std::string> parse_page_token(std::string_view purpose, std::string_view token,
                                            std::string_view secret) {
  const auto bytes = checked_token(token, secret);
  const std::string begin = kPageVersion + std::string(purpose) + '\n';
  if (!bytes || !bytes->starts_with(begin)) return std::nullopt;
  return bytes->substr(begin.size());
}

}  // namespace millrace::tasks::kinesis
