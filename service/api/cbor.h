#pragma once
// CBOR as AWS's clients use it, to and from JSON documents: maps, arrays, texts, numbers, booleans, null;
// times are tag 1, in seconds with a fraction (smithy's rpc-v2-cbor) or in whole milliseconds (Kinesis's
// application/x-amz-cbor-1.1). Byte strings become base64, as JSON has them. Pure. Source: RFC 8949;
// smithy.io "Smithy RPC v2 CBOR"; what the AWS SDKs for Java were seen to send.

#include <string>
#include <string_view>

#include "base/payload.h"

namespace millrace::api {

// What a service's names mean that CBOR tells apart and JSON does not.
struct CborForm {
  bool (*is_time)(std::string_view name);  // of a member (of a list's for its elements): numbers are times,
                                           // seconds since 1970
  bool (*is_blob)(std::string_view name) = nullptr;  // its texts are base64 of bytes; null: none are
  int time_units = 1;                                // of a second, in times on the wire: 1 or 1000
};

// InvalidArgument with the place of what is wrong: what is cut off or follows the end, what nests deeper than
// 64, numbers JSON has not, map keys that are no texts.
Result<Payload> read_cbor(std::string_view bytes, int time_units = 1);
std::string write_cbor(JsonView value, const CborForm& form);

}  // namespace millrace::api
