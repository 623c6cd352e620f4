#pragma once
// A delivery stream's object: its name and its bytes. Pure.

#include <string>
#include <string_view>

#include "base/result.h"
#include "service/streams/plan.h"

namespace millrace::streams {

// "data/2026/11/21/19/name-…": where a batch of a delivery stream goes. `!{timestamp:yyyy/MM/dd/HH}`,
// `!{firehose:random-string}` and `!{firehose:error-output-type}` in the prefix are replaced; without
// `!{timestamp:` UTC yyyy/MM/dd/HH/ follows it. Pure.
std::string object_key(const ObjectPlan& plan, const std::string& name, const std::string& key,
                       Instant first);

// The same bytes for the same text. Source: RFC 1952.
Result<std::string> gzip_of(std::string_view bytes);

}  // namespace millrace::streams
