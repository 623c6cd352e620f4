#include "tasks/integrations/dynamodb/lexer.h"

#include <algorithm>
#include <cctype>

#include "tasks/integrations/dynamodb/value.h"

namespace millrace::tasks::dynamodb {
namespace {

bool is_letter(char c) {
  return std::isalpha(static_cast<unsigned char>(c)) || c == '_';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_part(char c) {
  return is_letter(c) || is_digit(c);
}
bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

// The token at `begin`; its kind is End when no token begins there.
Token token_at(std::string_view text, std::size_t begin) {
  const auto run = [&](std::size_t from, auto accepts) {
    while (from < text.size() && accepts(text[from])) ++from;
    return from;
  };
  const auto token = [&](Token::Kind kind, std::size_t end) {
    return Token{kind, text.substr(begin, end - begin), begin};
  };
  const char c = text[begin];
  if (is_letter(c)) return token(Token::Kind::Name, run(begin, is_part));
  if (is_digit(c)) return token(Token::Kind::Number, run(begin, is_digit));
  if (c == '#' || c == ':') {
    const std::size_t end = run(begin + 1, is_part);
    if (end > begin + 1) return token(c == '#' ? Token::Kind::NameRef : Token::Kind::ValueRef, end);
    return {Token::Kind::End, text.substr(begin, 1), begin};
  }
  const std::string_view two = text.substr(begin, 2);
  if (two == "<>" || two == "<=" || two == ">=") return token(Token::Kind::Symbol, begin + 2);
  if (std::string_view("=<>()[].,+-").find(c) != std::string_view::npos)
    return token(Token::Kind::Symbol, begin + 1);
  return {Token::Kind::End, text.substr(begin, 1), begin};
}

}  // namespace

bool is_word(const Token& token, std::string_view upper_case) {
  return token.kind == Token::Kind::Name && token.text.size() == upper_case.size() &&
         std::equal(token.text.begin(), token.text.end(), upper_case.begin(),
                    [](char a, char b) { return std::toupper(static_cast<unsigned char>(a)) == b; });
}

tl::unexpected<ServiceError> syntax_error(std::string_view what, std::string_view text,
                                          const std::vector<Token>& tokens, std::size_t at) {
  const Token& token = tokens[at];
  const std::size_t first = at > 0 ? tokens[at - 1].begin : token.begin;
  const Token& next = at + 1 < tokens.size() ? tokens[at + 1] : token;
  const std::size_t end = next.kind == Token::Kind::End ? std::max(token.begin + token.text.size(), first)
                                                        : next.begin + next.text.size();
  const std::string shown =
      token.kind == Token::Kind::End && token.text.empty() ? "<EOF>" : std::string(token.text);
  return validation("Invalid " + std::string(what) + ": Syntax error; token: \"" + shown + "\", near: \"" +
                    std::string(text.substr(first, end - first)) + "\"");
}

Checked<std::vector<Token>> tokens_of(std::string_view what, std::string_view text) {
  std::vector<Token> tokens;
  for (std::size_t i = 0; i < text.size();) {
    if (is_space(text[i])) {
      ++i;
      continue;
    }
    tokens.push_back(token_at(text, i));
    if (tokens.back().kind == Token::Kind::End) return syntax_error(what, text, tokens, tokens.size() - 1);
    i += tokens.back().text.size();
  }
  tokens.push_back({Token::Kind::End, text.substr(text.size()), text.size()});
  return tokens;
}

}  // namespace millrace::tasks::dynamodb
