#pragma once
// Tokens of an expression, one at a time, as the parser asks: whether `/` divides or begins a regular
// expression depends on what stands before it. Source: docs.jsonata.org and the reference's behaviour.

#include <cstdint>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

namespace millrace::definitions::jsonata {

enum class TokenKind : std::uint8_t { End, Name, Variable, Operator, String, Number, Value, Regex };

struct Token {
  TokenKind kind = TokenKind::End;
  std::string_view text;   // operator; name, variable without $, literal as written; pattern of a regex
  std::string characters;  // of a string, escapes resolved
  std::string_view flags;  // of a regex
  double number = 0;
  std::size_t position = 0;  // the byte behind it
};

// What is wrong with the text, where: byte offsets.
struct SyntaxError {
  std::string code;
  std::size_t position = 0;
  std::string token = {};
  std::string value = {};
  bool literal = false;  // the token is a number, true, false or null: shown without quotes
};

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}
  // The next token. `after_operand`: a `/` divides here.
  tl::expected<Token, SyntaxError> next(bool after_operand);

 private:
  char at(std::size_t i) const { return i < text_.size() ? text_[i] : '\0'; }
  tl::expected<void, SyntaxError> skip();
  tl::expected<Token, SyntaxError> string();
  tl::expected<Token, SyntaxError> number();
  tl::expected<Token, SyntaxError> quoted_name();
  tl::expected<Token, SyntaxError> regex();
  Token word();
  tl::expected<void, SyntaxError> escape(std::string& out);
  Token token(TokenKind kind, std::string_view text) const;

  std::string_view text_;
  std::size_t position_ = 0;
};

}  // namespace millrace::definitions::jsonata
