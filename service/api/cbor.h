#pragma once
// CBOR as Kinesis's clients speak it (application/x-amz-cbor-1.1): documents of AWS JSON both ways. Byte
// strings are the protocol's blobs, Base64 in JSON; times are tag 1 with milliseconds, seconds in JSON. Pure.
// Source: RFC 8949; what the AWS SDKs for Java were seen to send.

#include <string>
#include <string_view>

#include "base/payload.h"

namespace millrace::api {

// InvalidArgument: it is no CBOR, or of a kind that JSON has not.
Result<Payload> parse_cbor(std::string_view bytes);
// Strings of members called Data become blobs, numbers of members whose name ends in Timestamp become times.
std::string cbor_of(JsonView document);

}  // namespace millrace::api
