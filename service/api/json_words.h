#pragma once
// What AWS says of text that is no JSON: the words of its parser (Jackson), where they are known. Pure.

#include <string>
#include <string_view>

#include "base/result.h"

namespace millrace::api {

// `error` is what Payload::parse said of `text`; ours is kept where the parser's words are not known.
std::string parser_words(std::string_view text, const Error& error);

}  // namespace millrace::api
