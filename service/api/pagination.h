#pragma once
// Pagination tokens: opaque to clients, a checked position to us. They hold the place in the order (not an
// offset), so that they stay right while things are added, and survive a restart. Pure.

#include <cstdint>
#include <string>
#include <string_view>

#include "service/api/call.h"

namespace millrace::api {

inline constexpr std::size_t kPageSize = 100;  // of maxResults 0 and absent

// `scope`: the operation and what it lists; a token of another scope is refused.
std::string page_token(std::string_view scope, std::string_view position);
// The position of input's nextToken; empty when there is none. InvalidToken.
tl::expected<std::string, ApiError> page_position(JsonView input, std::string_view scope);
// The same for positions that are numbers; 0 when there is none.
tl::expected<std::uint64_t, ApiError> page_number(JsonView input, std::string_view scope);
std::size_t page_size(JsonView input);  // of input's maxResults

}  // namespace millrace::api
