#pragma once
// Bodies that clients compress: gzip. Pure. Source: RFC 1952.

#include <string>
#include <string_view>

#include "base/result.h"

namespace millrace::api {

// InvalidArgument: it is no gzip, is cut off, or becomes larger than `bytes_max`.
Result<std::string> inflate_body(std::string_view gzip, std::size_t bytes_max);

}  // namespace millrace::api
