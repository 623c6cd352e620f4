// Reading documents: one pass from text to compact text and index.

#include <charconv>
#include <cmath>
#include <cstring>
#include <unordered_map>

#include "base/check.h"
#include "base/json_text.h"
#include "base/payload.h"

namespace millrace {

class JsonParser {
 public:
  JsonParser(std::string_view text, const JsonParseOptions& options) : text_(text), options_(options) {
    out_.document_->text.reserve(text.size());
    out_.document_->nodes.reserve(text.size() / 12 + 4);
  }

  Result<Payload> run() {
    if (text_.size() >= ~std::uint32_t{0}) return invalid("the document is larger than 4 GiB");
    skip_space();
    if (!value(0)) return error();
    skip_space();
    if (at_ != text_.size()) {
      wrong("unexpected text behind the end of the document");
      return error();
    }
    if (duplicates_) drop_duplicates();
    return out_.finish();
  }

 private:
  bool wrong(std::string_view what) {
    if (message_.empty()) message_ = what;
    return false;
  }
  tl::unexpected<Error> error() const {
    const JsonPosition p = position_of(text_, at_);
    return invalid("invalid JSON: " + message_ + " at line " + std::to_string(p.line) + ", column " +
                   std::to_string(p.column));
  }
  void skip_space() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c != ' ' && c != '\n' && c != '\t' && c != '\r') break;
      ++at_;
    }
  }
  bool next_is(char c) const { return at_ < text_.size() && text_[at_] == c; }
  void note_offset() {
    if (options_.offsets) options_.offsets->push_back(static_cast<std::uint32_t>(at_));
  }

  bool value(int depth) {
    if (at_ == text_.size()) return wrong("unexpected end of text, expected a value");
    note_offset();
    switch (text_[at_]) {
      case '{':
        return object(depth);
      case '[':
        return array(depth);
      case '"':
        out_.before_value();
        return string();
      case 't':
        return word("true") && (out_.boolean(true), true);
      case 'f':
        return word("false") && (out_.boolean(false), true);
      case 'n':
        return word("null") && (out_.null(), true);
      default:
        return number();
    }
  }

  bool word(std::string_view expected) {
    if (text_.substr(at_, expected.size()) != expected) return unexpected_character();
    at_ += expected.size();
    return true;
  }

  bool unexpected_character() {
    char32_t c = 0;
    if (decode_utf8(text_.substr(at_), c) == 0) return wrong("a byte that is not UTF-8");
    if (c < 0x20) return wrong("unexpected control character, expected a value");
    std::string shown;
    append_utf8(shown, c);
    return wrong("unexpected '" + shown + "', expected a value");
  }

  bool object(int depth) {
    if (depth >= options_.depth_max)
      return wrong("nested deeper than " + std::to_string(options_.depth_max) + " levels");
    out_.begin_object();
    const std::uint32_t self = out_.stack_.back();
    ++at_;
    skip_space();
    if (next_is('}')) {
      ++at_;
      out_.end_object();
      return true;
    }
    for (;;) {
      if (!next_is('"')) return wrong("expected a member name in double quotes");
      note_offset();
      out_.before_value();
      if (!string()) return false;
      out_.document_->text += ':';
      out_.after_key_ = true;
      skip_space();
      if (!next_is(':')) return wrong("expected ':' behind a member name");
      ++at_;
      skip_space();
      if (!value(depth + 1)) return false;
      skip_space();
      if (next_is(',')) {
        ++at_;
        skip_space();
        if (next_is('}')) return wrong("a comma before '}'");
        continue;
      }
      if (!next_is('}'))
        return wrong(at_ == text_.size() ? "unexpected end of text inside an object" : "expected ',' or '}'");
      ++at_;
      out_.end_object();
      find_duplicates(self);
      return true;
    }
  }

  bool array(int depth) {
    if (depth >= options_.depth_max)
      return wrong("nested deeper than " + std::to_string(options_.depth_max) + " levels");
    out_.begin_array();
    ++at_;
    skip_space();
    if (next_is(']')) {
      ++at_;
      out_.end_array();
      return true;
    }
    for (;;) {
      if (!value(depth + 1)) return false;
      skip_space();
      if (next_is(',')) {
        ++at_;
        skip_space();
        if (next_is(']')) return wrong("a comma before ']'");
        continue;
      }
      if (!next_is(']'))
        return wrong(at_ == text_.size() ? "unexpected end of text inside an array" : "expected ',' or ']'");
      ++at_;
      out_.end_array();
      return true;
    }
  }

  bool string() {
    std::string& out = out_.document_->text;
    const std::uint32_t index = out_.open(JsonKind::String);
    out += '"';
    ++at_;
    for (;;) {
      std::size_t run = at_;
      while (run < text_.size() && plain(static_cast<unsigned char>(text_[run]))) ++run;
      out.append(text_, at_, run - at_);
      at_ = run;
      if (at_ == text_.size()) return wrong("unexpected end of text inside a string");
      const auto c = static_cast<unsigned char>(text_[at_]);
      if (c == '"') break;
      if (c == '\\') {
        if (!escape(out)) return false;
      } else if (c < 0x20) {
        return wrong("a control character inside a string; write it as an escape");
      } else {
        char32_t ignored = 0;
        const std::size_t n = decode_utf8(text_.substr(at_), ignored);
        if (n == 0) return wrong("a byte that is not UTF-8");
        out.append(text_, at_, n);
        at_ += n;
      }
    }
    ++at_;
    out += '"';
    JsonNode& node = out_.document_->nodes[index];
    node.end = static_cast<std::uint32_t>(out.size());
    node.escaped = std::memchr(out.data() + node.begin, '\\', node.end - node.begin) != nullptr;
    return true;
  }

  bool hex4(char32_t& c) {
    if (text_.size() - at_ < 4) return wrong("a cut \\u escape");
    c = 0;
    for (int i = 0; i < 4; ++i) {
      const int digit = hex_digit(text_[at_]);
      if (digit < 0) return wrong("a \\u escape needs four hexadecimal digits");
      c = (c << 4) | static_cast<char32_t>(digit);
      ++at_;
    }
    return true;
  }

  bool escape(std::string& out) {
    ++at_;
    if (at_ == text_.size()) return wrong("unexpected end of text inside a string");
    const char c = text_[at_++];
    switch (c) {
      case '"':
      case '\\':
        append_escaped(out, static_cast<char32_t>(c));
        return true;
      case '/':
        out += '/';
        return true;
      case 'b':
        out += "\\b";
        return true;
      case 'f':
        out += "\\f";
        return true;
      case 'n':
        out += "\\n";
        return true;
      case 'r':
        out += "\\r";
        return true;
      case 't':
        out += "\\t";
        return true;
      case 'u':
        break;
      default:
        --at_;
        return wrong("an escape that JSON does not know");
    }
    char32_t unit = 0;
    if (!hex4(unit)) return false;
    if (unit >= 0xD800 && unit <= 0xDBFF && text_.substr(at_, 2) == "\\u") {
      const std::size_t back = at_;
      char32_t low = 0;
      at_ += 2;
      if (!hex4(low)) return false;
      if (low >= 0xDC00 && low <= 0xDFFF) {
        append_utf8(out, 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00));
        return true;
      }
      at_ = back;
    }
    append_escaped(out, unit);
    return true;
  }

  bool number() {
    const std::size_t start = at_;
    const auto digits = [&] {
      const std::size_t before = at_;
      while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
      return at_ > before;
    };
    if (next_is('-')) ++at_;
    if (next_is('0')) {
      ++at_;
      if (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9')
        return wrong("a number with a leading zero");
    } else if (!digits()) {
      return at_ > start ? wrong("a '-' without digits") : unexpected_character();
    }
    if (next_is('.')) {
      ++at_;
      if (!digits()) return wrong("a number without digits behind the decimal point");
    }
    if (next_is('e') || next_is('E')) {
      ++at_;
      if (next_is('+') || next_is('-')) ++at_;
      if (!digits()) return wrong("a number without digits in its exponent");
    }
    out_.number_text(text_.substr(start, at_ - start));
    return true;
  }

  std::string_view raw(std::uint32_t node) const {
    const JsonNode& n = out_.document_->nodes[node];
    return std::string_view(out_.document_->text).substr(n.begin, n.end - n.begin);
  }

  void find_duplicates(std::uint32_t object) {
    const auto& nodes = out_.document_->nodes;
    const std::uint32_t end = nodes[object].next;
    const std::uint32_t count = nodes[object].count;
    const auto note = [&](std::uint32_t key) {
      duplicates_ = true;
      if (options_.duplicates && options_.offsets) options_.duplicates->push_back((*options_.offsets)[key]);
    };
    if (count <= 12) {
      for (std::uint32_t k = object + 1; k < end; k = nodes[k + 1].next) {
        for (std::uint32_t later = nodes[k + 1].next; later < end; later = nodes[later + 1].next) {
          if (raw(k) == raw(later)) {
            note(k);
            break;
          }
        }
      }
      return;
    }
    std::unordered_map<std::string_view, std::uint32_t> seen;
    seen.reserve(count);
    for (std::uint32_t k = object + 1; k < end; k = nodes[k + 1].next) {
      const auto [it, fresh] = seen.emplace(raw(k), k);
      if (!fresh) {
        note(it->second);
        it->second = k;
      }
    }
  }

  // Writes the document again without overridden members: a key keeps its first place and takes its last
  // value.
  void drop_duplicates() {
    JsonWriter clean;
    std::vector<std::uint32_t> offsets;
    copy_clean(clean, {out_.document_, 0}, offsets);
    std::swap(out_.document_, clean.document_);
    if (options_.offsets) *options_.offsets = std::move(offsets);
  }

  void copy_clean(JsonWriter& to, JsonView from, std::vector<std::uint32_t>& offsets) {
    const auto keep_offset = [&](JsonView v) {
      if (options_.offsets) offsets.push_back((*options_.offsets)[v.index()]);
    };
    keep_offset(from);
    if (from.is_array()) {
      to.begin_array();
      for (const JsonView element : from.elements()) copy_clean(to, element, offsets);
      to.end_array();
    } else if (from.is_object()) {
      std::unordered_map<std::string_view, JsonView> last;
      for (const auto [key, value] : from.members()) last[key.text()] = value;
      to.begin_object();
      for (const auto [key, value] : from.members()) {
        const auto it = last.find(key.text());
        if (it == last.end()) continue;
        keep_offset(key);
        to.key(key);
        copy_clean(to, it->second, offsets);
        last.erase(it);
      }
      to.end_object();
    } else {
      to.value(from);
    }
  }

  std::string_view text_;
  const JsonParseOptions& options_;
  std::size_t at_ = 0;
  std::string message_;
  bool duplicates_ = false;
  JsonWriter out_;
};
Result<Payload> Payload::parse(std::string_view text, const JsonParseOptions& options) {
  return JsonParser(text, options).run();
}

}  // namespace millrace
