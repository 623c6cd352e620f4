#pragma once
// CBOR as smithy's rpc-v2-cbor uses it, to and from JSON documents: maps, arrays, texts, numbers, booleans,
// null; times are tag 1. Byte strings become base64, as JSON has them. Pure. Source: RFC 8949; smithy.io
// "Smithy RPC v2 CBOR".

#include <string>
#include <string_view>

#include "base/payload.h"

namespace millrace::api {

// InvalidArgument with the place of what is wrong: what is cut off or follows the end, what nests deeper than
// 64, numbers JSON has not, map keys that are no texts.
Result<Payload> read_cbor(std::string_view bytes);

// `is_time`: of a member's name (of a list's for its elements): whether its numbers are times, seconds since
// 1970.
std::string write_cbor(JsonView value, bool (*is_time)(std::string_view name));

}  // namespace millrace::api
