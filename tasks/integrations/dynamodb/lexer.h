#pragma once
// The words of DynamoDB's expressions, with their places in the text for errors. Pure.

#include <string>
#include <string_view>
#include <vector>

#include "tasks/integrations/service_answer.h"

namespace millrace::tasks::dynamodb {

struct Token {
  enum class Kind { Name, NameRef, ValueRef, Number, Symbol, End } kind = Kind::End;
  std::string_view text;  // into the expression
  std::size_t begin = 0;
};

// All tokens, the last one is End. `what` is the parameter, for errors.
Checked<std::vector<Token>> tokens_of(std::string_view what, std::string_view text);
// `Invalid ConditionExpression: Syntax error; token: "b", near: "a b c"`.
tl::unexpected<ServiceError> syntax_error(std::string_view what, std::string_view text,
                                          const std::vector<Token>& tokens, std::size_t at);
bool is_word(const Token& token, std::string_view upper_case);  // a Name, in any case

}  // namespace millrace::tasks::dynamodb
