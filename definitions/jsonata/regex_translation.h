#pragma once
// Regular expressions of JavaScript, written as PCRE2 reads them in 16-bit mode. What the two understand
// differently is spelled out: classes and dots as sets of units, anchors as look-arounds, names as numbers,
// case as sets. Pure. Source: ECMAScript 2024, "RegExp (Regular Expression) Objects" with annex B, no flag u.

#include <string>
#include <string_view>

#include "base/result.h"

namespace millrace::definitions::jsonata {

// InvalidArgument names what is wrong, and the column, in the words of JavaScript.
Result<std::string> translate_regex(std::u16string_view pattern, bool ignore_case, bool multiline);

}  // namespace millrace::definitions::jsonata
