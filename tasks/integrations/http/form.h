#pragma once
// Percent-encoding of what goes into URLs and forms. Pure; any thread. Source: RFC 3986; the ArrayFormat
// options of HTTP tasks (Step Functions developer guide, "Call HTTPS APIs").

#include <optional>
#include <string>
#include <string_view>

#include "base/payload.h"

namespace millrace::tasks {

// How an array looks: a[0]=x&a[1]=y, a=x&a=y, a=x,y, a[]=x&a[]=y.
enum class ArrayFormat { Indices, Repeat, Commas, Brackets };
std::optional<ArrayFormat> array_format(std::string_view name);  // "INDICES", "REPEAT", "COMMAS", "BRACKETS"

// An object as a form: members of inner objects are a[b]=…, null is empty. What is no object is nothing.
std::string encode_form(JsonView object, ArrayFormat format);
// A scalar as it stands in a URL, a form or a header: a string's characters, else its JSON text.
std::string plain_text(JsonView value);

}  // namespace millrace::tasks
