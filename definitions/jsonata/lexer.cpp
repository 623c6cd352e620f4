#include "definitions/jsonata/lexer.h"

#include <charconv>
#include <cmath>
#include <optional>
#include <utility>

#include "base/utf8.h"

namespace millrace::definitions::jsonata {
namespace {

using Unexpected = tl::unexpected<SyntaxError>;

constexpr std::string_view kPairs[] = {"..", ":=", "!=", ">=", "<=", "**", "~>", "?:", "??"};
constexpr std::string_view kSingles = ".[]{}(),@#;:?+-*/%|=<>^&!~";

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v';
}
bool is_decimal(char c) {
  return c >= '0' && c <= '9';
}
int hex_value(char c) {
  if (is_decimal(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

std::optional<unsigned> four_hex_digits(std::string_view text) {
  if (text.size() < 4) return std::nullopt;
  unsigned value = 0;
  for (const char c : text.substr(0, 4)) {
    const int digit = hex_value(c);
    if (digit < 0) return std::nullopt;
    value = value * 16 + static_cast<unsigned>(digit);
  }
  return value;
}

// A lone surrogate is kept as its three bytes, so that functions can refuse it; what is written as a result
// has U+FFFD there.
void append_unit(std::string& out, unsigned unit) {
  if (unit < 0xD800 || unit > 0xDFFF) return append_utf8(out, unit);
  out += static_cast<char>(0xE0 | (unit >> 12));
  out += static_cast<char>(0x80 | ((unit >> 6) & 0x3F));
  out += static_cast<char>(0x80 | (unit & 0x3F));
}

// Whole text of a number: -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?, without the sign.
std::size_t number_length(std::string_view t) {
  std::size_t i = 0;
  if (t.empty() || !is_decimal(t[0])) return 0;
  if (t[0] == '0') {
    i = 1;
  } else {
    while (i < t.size() && is_decimal(t[i])) ++i;
  }
  if (i + 1 < t.size() && t[i] == '.' && is_decimal(t[i + 1])) {
    ++i;
    while (i < t.size() && is_decimal(t[i])) ++i;
  }
  std::size_t e = i;
  if (e < t.size() && (t[e] == 'e' || t[e] == 'E')) {
    ++e;
    if (e < t.size() && (t[e] == '+' || t[e] == '-')) ++e;
    if (e < t.size() && is_decimal(t[e])) {
      while (e < t.size() && is_decimal(t[e])) ++e;
      i = e;
    }
  }
  return i;
}

}  // namespace

Token Lexer::token(TokenKind kind, std::string_view text) const {
  Token made;
  made.kind = kind;
  made.text = text;
  made.position = position_;
  return made;
}

tl::expected<void, SyntaxError> Lexer::skip() {
  for (;;) {
    while (position_ < text_.size() && is_blank(text_[position_])) ++position_;
    if (at(position_) != '/' || at(position_ + 1) != '*') return {};
    const std::size_t end = text_.find("*/", position_ + 2);
    if (end == std::string_view::npos) return Unexpected(SyntaxError{"S0106", position_});
    position_ = end + 2;
  }
}

tl::expected<Token, SyntaxError> Lexer::next(bool after_operand) {
  if (auto skipped = skip(); !skipped) return Unexpected(skipped.error());
  if (position_ >= text_.size()) return token(TokenKind::End, "(end)");
  const char c = text_[position_];
  if (c == '/' && !after_operand) return regex();
  for (const std::string_view pair : kPairs) {
    if (!text_.substr(position_).starts_with(pair)) continue;
    position_ += 2;
    return token(TokenKind::Operator, pair);
  }
  if (const std::size_t single = kSingles.find(c); single != std::string_view::npos) {
    ++position_;
    return token(TokenKind::Operator, kSingles.substr(single, 1));
  }
  if (c == '"' || c == '\'') return string();
  if (is_decimal(c)) return number();
  if (c == '`') return quoted_name();
  return word();
}

tl::expected<void, SyntaxError> Lexer::escape(std::string& out) {
  constexpr std::string_view kLetters = "\"\\/bfnrt", kMeanings = "\"\\/\b\f\n\r\t";
  const char c = at(position_);
  if (const std::size_t i = kLetters.find(c); c != '\0' && i != std::string_view::npos) {
    out += kMeanings[i];
    ++position_;
    return {};
  }
  if (c != 'u') {
    char32_t point = 0;
    const std::size_t length = decode_utf8(text_.substr(position_), point);
    return Unexpected(SyntaxError{"S0103", position_, std::string(text_.substr(position_, length))});
  }
  auto unit = four_hex_digits(text_.substr(position_ + 1));
  if (!unit) return Unexpected(SyntaxError{"S0104", position_});
  position_ += 5;
  if (*unit >= 0xD800 && *unit < 0xDC00 && at(position_) == '\\' && at(position_ + 1) == 'u') {
    const auto low = four_hex_digits(text_.substr(position_ + 2));
    if (low && *low >= 0xDC00 && *low < 0xE000) {
      append_utf8(out, 0x10000 + ((*unit - 0xD800) << 10) + (*low - 0xDC00));
      position_ += 6;
      return {};
    }
  }
  append_unit(out, *unit);
  return {};
}

tl::expected<Token, SyntaxError> Lexer::string() {
  const char quote = text_[position_++];
  std::string characters;
  while (position_ < text_.size()) {
    const char c = text_[position_];
    if (c == quote) {
      ++position_;
      Token made = token(TokenKind::String, {});
      made.characters = std::move(characters);
      return made;
    }
    ++position_;
    if (c != '\\') {
      characters += c;
    } else if (auto done = escape(characters); !done) {
      return Unexpected(done.error());
    }
  }
  return Unexpected(SyntaxError{"S0101", position_});
}

tl::expected<Token, SyntaxError> Lexer::number() {
  const std::string_view written = text_.substr(position_, number_length(text_.substr(position_)));
  double value = 0;
  const auto read = std::from_chars(written.data(), written.data() + written.size(), value);
  if (read.ec == std::errc::result_out_of_range) {
    const std::size_t e = written.find_first_of("eE");
    const bool tiny = e != std::string_view::npos ? written[e + 1] == '-' : written.starts_with("0.");
    if (!tiny) return Unexpected(SyntaxError{"S0102", position_, std::string(written)});
    value = 0;
  }
  position_ += written.size();
  Token made = token(TokenKind::Number, written);
  made.number = value;
  return made;
}

tl::expected<Token, SyntaxError> Lexer::quoted_name() {
  const std::size_t begin = position_ + 1, end = text_.find('`', begin);
  if (end == std::string_view::npos) return Unexpected(SyntaxError{"S0105", text_.size()});
  position_ = end + 1;
  return token(TokenKind::Name, text_.substr(begin, end - begin));
}

Token Lexer::word() {
  std::size_t end = position_;
  while (end < text_.size() && !is_blank(text_[end]) && kSingles.find(text_[end]) == std::string_view::npos)
    ++end;
  const std::string_view name = text_.substr(position_, end - position_);
  position_ = end;
  if (name.starts_with('$')) return token(TokenKind::Variable, name.substr(1));
  if (name == "and" || name == "or" || name == "in") return token(TokenKind::Operator, name);
  if (name == "true" || name == "false" || name == "null") return token(TokenKind::Value, name);
  return token(TokenKind::Name, name);
}

tl::expected<Token, SyntaxError> Lexer::regex() {
  const std::size_t begin = ++position_;
  int depth = 0;
  for (; position_ < text_.size(); ++position_) {
    const char c = text_[position_];
    if (c == '/' && depth == 0) {
      std::size_t backslashes = 0;
      while (backslashes < position_ && text_[position_ - backslashes - 1] == '\\') ++backslashes;
      if (backslashes % 2 == 0) {
        const std::string_view pattern = text_.substr(begin, position_ - begin);
        if (pattern.empty()) return Unexpected(SyntaxError{"S0301", position_});
        const std::size_t flags = ++position_;
        while (at(position_) == 'i' || at(position_) == 'm') ++position_;
        Token made = token(TokenKind::Regex, pattern);
        made.flags = text_.substr(flags, position_ - flags);
        return made;
      }
    }
    const bool escaped = position_ > 0 && text_[position_ - 1] == '\\';
    if ((c == '(' || c == '[' || c == '{') && !escaped) ++depth;
    if ((c == ')' || c == ']' || c == '}') && !escaped) --depth;
  }
  return Unexpected(SyntaxError{"S0302", position_});
}

}  // namespace millrace::definitions::jsonata
