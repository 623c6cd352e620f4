#include "service/api/pagination.h"

#include <charconv>

#include "base/encoding.h"
#include "base/random.h"

namespace millrace::api {
namespace {

constexpr std::uint64_t kTokenSeed = 0x6d72'7061'6765'0001;  // another format of tokens: another number

std::string checksum(std::string_view scope, std::string_view position) {
  return std::to_string(hash64(position, mix(kTokenSeed, hash64(scope))));
}

tl::unexpected<ApiError> invalid_token() {
  return refuse("InvalidToken", "Invalid Token: 'Invalid token'");
}

}  // namespace

std::string page_token(std::string_view scope, std::string_view position) {
  return base64_encode(checksum(scope, position) + ":" + std::string(position));
}

tl::expected<std::string, ApiError> page_position(JsonView input, std::string_view scope) {
  const std::string token = text_of(input, "nextToken");
  if (token.empty()) return std::string();
  const auto bytes = base64_decode(token);
  if (!bytes) return invalid_token();
  const std::size_t colon = bytes->find(':');
  if (colon == std::string::npos) return invalid_token();
  std::string position = bytes->substr(colon + 1);
  if (checksum(scope, position) != bytes->substr(0, colon)) return invalid_token();
  return position;
}

tl::expected<std::uint64_t, ApiError> page_number(JsonView input, std::string_view scope) {
  const auto position = page_position(input, scope);
  if (!position) return tl::unexpected<ApiError>(position.error());
  std::uint64_t number = 0;
  if (position->empty()) return number;
  const auto [end, error] = std::from_chars(position->data(), position->data() + position->size(), number);
  if (error != std::errc() || end != position->data() + position->size()) return invalid_token();
  return number;
}

std::size_t page_size(JsonView input) {
  const std::int64_t asked = whole_of(input, "maxResults", 0);
  return asked == 0 ? kPageSize : static_cast<std::size_t>(asked);
}

}  // namespace millrace::api
