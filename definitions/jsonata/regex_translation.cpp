#include "definitions/jsonata/regex_translation.h"

#include <algorithm>
#include <map>
#include <optional>
#include <vector>

#include "definitions/jsonata/unit_set.h"
#include "definitions/jsonata/utf16.h"

namespace millrace::definitions::jsonata {
namespace {

constexpr unsigned kRepeatMax = 65535;  // PCRE2's own limit
constexpr int kGroupDepthMax = 200;     // PCRE2's is 250

bool is_digit(char16_t c) {
  return c >= u'0' && c <= u'9';
}
bool is_letter(char16_t c) {
  return (c >= u'a' && c <= u'z') || (c >= u'A' && c <= u'Z');
}
int hex_value(char16_t c) {
  if (is_digit(c)) return c - u'0';
  if (c >= u'a' && c <= u'f') return c - u'a' + 10;
  return c >= u'A' && c <= u'F' ? c - u'A' + 10 : -1;
}

struct Repeat {
  unsigned least = 0;
  std::optional<unsigned> most;
};

// One element of a class: a unit, which may begin or end a range, or a set, which may not.
struct ClassAtom {
  char16_t unit = 0;
  std::optional<UnitSet> set;
};

class Translator {
 public:
  Translator(std::u16string_view text, bool ignore_case, bool multiline)
      : text_(text), ignore_case_(ignore_case), multiline_(multiline) {}

  Result<std::string> run() {
    MR_DO(count_groups());
    while (!at_end()) MR_DO(term());
    if (open_ > 0) return wrong("Unterminated group");
    return std::move(out_);
  }

 private:
  bool at_end() const { return at_ >= text_.size(); }
  char16_t peek(std::size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : u'\0';
  }
  bool accept(std::u16string_view what) {
    if (text_.substr(at_, what.size()) != what) return false;
    at_ += what.size();
    return true;
  }
  tl::unexpected<Error> wrong(const char* what) const {
    return invalid("Invalid regular expression: /" + utf8_of(text_) + "/: " + what,
                   "see its column " + std::to_string(at_ + 1));
  }

  // Groups are counted ahead: `\3` is a reference only if there are three.
  Status count_groups() {
    bool in_class = false;
    for (std::size_t i = 0; i < text_.size(); ++i) {
      if (text_[i] == u'\\') {
        ++i;
      } else if (in_class || text_[i] == u'[') {
        in_class = text_[i] != u']';
      } else if (text_[i] == u'(') {
        const auto rest = text_.substr(i + 1);
        const bool named = rest.starts_with(u"?<") && !rest.starts_with(u"?<=") && !rest.starts_with(u"?<!");
        if (rest.starts_with(u"?") && !named) continue;
        ++groups_;
        if (!named) continue;
        const auto name = rest.substr(2, rest.find(u'>') == rest.npos ? 0 : rest.find(u'>') - 2);
        if (!is_name(name)) return wrong("Invalid capture group name");
        if (!names_.emplace(name, groups_).second) return wrong("Duplicate capture group name");
      }
    }
    return {};
  }

  static bool is_name(std::u16string_view name) {
    const auto allowed = [](char16_t c) {
      return is_letter(c) || is_digit(c) || c == u'_' || c == u'$' || c >= 0x80;
    };
    return !name.empty() && !is_digit(name[0]) && std::all_of(name.begin(), name.end(), allowed);
  }

  // A term: an assertion, or an atom and how often.
  Status term() {
    const char16_t c = peek();
    switch (c) {
      case u'|':
        ++at_;
        out_ += '|';
        return {};
      case u'^':
        ++at_;
        out_ += multiline_ ? "(?:\\A|(?<=" + UnitSet::line_terminators().pattern() + "))" : "\\A";
        return not_repeated();
      case u'$':
        ++at_;
        out_ += multiline_ ? "(?=" + UnitSet::line_terminators().pattern() + "|\\z)" : "\\z";
        return not_repeated();
      case u'(':
        return open_group();
      case u')':
        return close_group();
      case u'*':
      case u'+':
      case u'?':
        return wrong("Nothing to repeat");
      case u'{':
        if (repeat_ahead()) return wrong("Nothing to repeat");
        break;
      case u'\\':
        return escape();
      case u'[':
        return char_class();
      case u'.':
        ++at_;
        out_ += UnitSet::line_terminators().complement().pattern();
        return repeat();
      default:
        break;
    }
    ++at_;
    unit(c);
    return repeat();
  }

  void unit(char16_t c) {
    UnitSet one;
    one.add(c, c);
    out_ += (ignore_case_ ? one.without_case() : one).pattern();
  }

  void set(const UnitSet& units) { out_ += (ignore_case_ ? units.without_case() : units).pattern(); }

  Status open_group() {
    static constexpr std::pair<std::u16string_view, const char*> kKinds[] = {
        {u"(?:", "(?:"}, {u"(?=", "(?="}, {u"(?!", "(?!"}, {u"(?<=", "(?<="}, {u"(?<!", "(?<!"}};
    if (++open_ > kGroupDepthMax) return wrong("groups are nested too deep");
    for (const auto& [written, meant] : kKinds) {
      if (!accept(written)) continue;
      out_ += meant;
      repeatable_.push_back(!written.starts_with(u"(?<"));
      return {};
    }
    if (accept(u"(?<")) {
      at_ = text_.find(u'>', at_) + 1;  // names_ has it
    } else if (peek(1) == u'?') {
      return wrong("Invalid group");
    } else {
      ++at_;
    }
    out_ += '(';
    repeatable_.push_back(true);
    return {};
  }

  Status close_group() {
    if (open_ == 0) return wrong("Unmatched ')'");
    --open_;
    ++at_;
    out_ += ')';
    const bool repeatable = repeatable_.back();
    repeatable_.pop_back();
    return repeatable ? repeat() : not_repeated();
  }

  std::optional<unsigned> number() {
    if (!is_digit(peek())) return std::nullopt;
    unsigned value = 0;
    for (; is_digit(peek()); ++at_) value = std::min(value * 10 + (peek() - u'0'), 1'000'000u);
    return value;
  }

  // The `*`, `+`, `?`, `{2,3}` at this place, and nothing consumed where there is none: a lone brace is a
  // brace.
  std::optional<Repeat> repeat_ahead() {
    if (accept(u"*")) return Repeat{0, std::nullopt};
    if (accept(u"+")) return Repeat{1, std::nullopt};
    if (accept(u"?")) return Repeat{0, 1};
    const std::size_t start = at_;
    if (accept(u"{")) {
      if (const auto least = number()) {
        Repeat found{*least, *least};
        if (accept(u",")) found.most = number();
        if (accept(u"}")) return found;
      }
    }
    at_ = start;
    return std::nullopt;
  }

  Status repeat() {
    const auto found = repeat_ahead();
    if (!found) return {};
    if (found->most && *found->most < found->least) return wrong("numbers out of order in {} quantifier");
    if (found->least > kRepeatMax) return wrong("{} quantifier is too large");
    const bool bounded = found->most && *found->most <= kRepeatMax;
    out_ += "{" + std::to_string(found->least) + "," + (bounded ? std::to_string(*found->most) : "") + "}";
    if (accept(u"?")) out_ += '?';
    return not_repeated();
  }

  Status not_repeated() {
    if (repeat_ahead()) return wrong("Nothing to repeat");
    return {};
  }

  // An escape outside a class.
  Status escape() {
    if (at_ + 1 >= text_.size()) return wrong("\\ at end of pattern");
    const char16_t c = peek(1);
    if (c == u'b' || c == u'B') {
      at_ += 2;
      const std::string word = UnitSet::word().pattern();
      out_ += c == u'b' ? "(?:(?<=" + word + ")(?!" + word + ")|(?<!" + word + ")(?=" + word + "))"
                        : "(?:(?<=" + word + ")(?=" + word + ")|(?<!" + word + ")(?!" + word + "))";
      return not_repeated();
    }
    if (c >= u'1' && c <= u'9') {
      const std::size_t start = at_++;
      if (const auto group = number(); *group <= groups_) {
        reference(*group);
        return repeat();
      }
      at_ = start;
    }
    if (c == u'k' && !names_.empty()) {
      const auto end = text_.find(u'>', at_);
      if (peek(2) != u'<' || end == text_.npos) return wrong("Invalid named reference");
      const auto group = names_.find(std::u16string(text_.substr(at_ + 3, end - at_ - 3)));
      if (group == names_.end()) return wrong("Invalid named capture referenced");
      at_ = end + 1;
      reference(group->second);
      return repeat();
    }
    ++at_;
    const ClassAtom atom = escaped(false);
    if (atom.set) {
      set(*atom.set);
    } else {
      unit(atom.unit);
    }
    return repeat();
  }

  void reference(unsigned group) {
    out_ += (ignore_case_ ? "(?i:\\g{" : "(?:\\g{") + std::to_string(group) + "})";
  }

  // What stands behind a backslash, inside and outside of classes.
  ClassAtom escaped(bool in_class) {
    const char16_t c = text_[at_++];
    switch (c) {
      case u'd':
        return {0, UnitSet::digits()};
      case u'D':
        return {0, UnitSet::digits().complement()};
      case u'w':
        return {0, UnitSet::word()};
      case u'W':
        return {0, UnitSet::word().complement()};
      case u's':
        return {0, UnitSet::white_space()};
      case u'S':
        return {0, UnitSet::white_space().complement()};
      case u't':
        return {u'\t', {}};
      case u'n':
        return {u'\n', {}};
      case u'v':
        return {u'\v', {}};
      case u'f':
        return {u'\f', {}};
      case u'r':
        return {u'\r', {}};
      case u'b':
        return {in_class ? u'\b' : c, {}};
      case u'c':
        if (is_letter(peek()) || (in_class && (is_digit(peek()) || peek() == u'_'))) {
          return {static_cast<char16_t>(text_[at_++] % 32), {}};
        }
        --at_;  // `\c` without a letter is a backslash; the c comes next
        return {u'\\', {}};
      case u'x':
        return {hexadecimal(2).value_or(c), {}};
      case u'u':
        return {hexadecimal(4).value_or(c), {}};
      default:
        return {c >= u'0' && c <= u'7' ? octal(c) : c, {}};
    }
  }

  std::optional<char16_t> hexadecimal(std::size_t digits) {
    int value = 0;
    for (std::size_t i = 0; i < digits; ++i) {
      if (hex_value(peek(i)) < 0) return std::nullopt;
      value = value * 16 + hex_value(peek(i));
    }
    at_ += digits;
    return static_cast<char16_t>(value);
  }

  // Up to three octal digits, at most \377; `first` is consumed already.
  char16_t octal(char16_t first) {
    int value = first - u'0';
    for (int i = 0; i < 2 && peek() >= u'0' && peek() <= u'7' && value * 8 + (peek() - u'0') <= 0377; ++i) {
      value = value * 8 + (text_[at_++] - u'0');
    }
    return static_cast<char16_t>(value);
  }

  Result<ClassAtom> class_atom() {
    if (at_end()) return wrong("Unterminated character class");
    if (!accept(u"\\")) return ClassAtom{text_[at_++], {}};
    if (at_end()) return wrong("\\ at end of pattern");
    return escaped(true);
  }

  Status char_class() {
    ++at_;
    const bool negated = accept(u"^");
    UnitSet units;
    while (!accept(u"]")) {
      MR_TRY(first, class_atom());
      if (peek() != u'-' || peek(1) == u']' || at_ + 1 >= text_.size()) {
        add(units, first);
        continue;
      }
      ++at_;
      MR_TRY(last, class_atom());
      if (first.set || last.set) {  // `[\w-x]`: the hyphen is itself
        add(units, first);
        add(units, {u'-', {}});
        add(units, last);
      } else if (first.unit > last.unit) {
        return wrong("Range out of order in character class");
      } else {
        units.add(first.unit, last.unit);
      }
    }
    if (ignore_case_) units = units.without_case();
    out_ += (negated ? units.complement() : units).pattern();
    return repeat();
  }

  static void add(UnitSet& units, const ClassAtom& atom) {
    if (atom.set) {
      units.add(*atom.set);
    } else {
      units.add(atom.unit, atom.unit);
    }
  }

  std::u16string_view text_;
  bool ignore_case_;
  bool multiline_;
  std::size_t at_ = 0;
  int open_ = 0;
  std::vector<bool> repeatable_;  // of the groups that are open
  unsigned groups_ = 0;
  std::map<std::u16string, unsigned> names_;
  std::string out_;
};

}  // namespace

Result<std::string> translate_regex(std::u16string_view pattern, bool ignore_case, bool multiline) {
  return Translator(pattern, ignore_case, multiline).run();
}

}  // namespace millrace::definitions::jsonata
