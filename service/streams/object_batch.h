#pragma once
// The bytes of a delivery stream's object. Pure.

#include <string>
#include <string_view>

#include "base/result.h"

namespace millrace::streams {

// The same bytes for the same text. Source: RFC 1952.
Result<std::string> gzip_of(std::string_view bytes);

}  // namespace millrace::streams
