#pragma once
// The texts of JSONata's errors, one for each code, with {{token}}, {{value}} and other places to fill.
// Source: the reference's wording, which users know and the Step Functions service shows.

#include <string>
#include <string_view>

namespace millrace::definitions::jsonata {

// What the places stand for; `value` is JSON text.
struct MessageParts {
  std::string_view token, value, value2, index;
};
// The text of `code`; the code itself where none is known.
std::string message_of(std::string_view code, const MessageParts& parts);

}  // namespace millrace::definitions::jsonata
