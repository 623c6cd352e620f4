#pragma once
// The texts of JSONata's errors, one for each code, with {{token}}, {{value}} and other places to fill.
// Source: the reference's wording, which users know and the Step Functions service shows.

#include <string>
#include <string_view>

namespace millrace::definitions::jsonata {

// What the places stand for. A token is shown in quotes, as JSON, but for {{{token}}}; values are JSON
// already; `raw` is plain text, for messages that the expression gives itself and, in quotes, for values.
struct MessageParts {
  std::string_view token = {}, value = {}, value2 = {}, index = {}, raw = {};
  bool token_known = true;     // false: the place stays, for fill_token
  bool token_literal = false;  // a number, true, false or null: no quotes
};
// The text of `code`; the code itself where none is known.
std::string message_of(std::string_view code, const MessageParts& parts);
void fill_token(std::string& message, std::string_view token);
// As JSON.stringify quotes it.
void append_quoted(std::string& out, std::string_view characters);

}  // namespace millrace::definitions::jsonata
