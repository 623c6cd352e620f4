// The reader of JSONPath texts: the Jayway dialect, and the roots that the Amazon States Language adds.

#include <algorithm>
#include <charconv>

#include "base/utf8.h"
#include "definitions/jsonpath/compiled.h"

namespace millrace::definitions {
namespace jsonpath {
namespace {

constexpr std::size_t kNestingMax = 64;  // filters inside filters, paths inside calls
constexpr std::size_t kStepsMax = 1000;  // deeper than any document

// Where a path stands, and what else ends a name without brackets there; '.', brackets, '(', blanks and
// control characters always do. So the library has it: && without a blank before it belongs to the name.
enum class Place { Definition, Filter, Argument };
constexpr std::string_view kEnds[] = {"", "<>=~!)", ",)"};

bool ends_name(char c, Place place) {
  return static_cast<unsigned char>(c) <= ' ' || std::string_view(".[](").find(c) != std::string_view::npos ||
         kEnds[static_cast<std::size_t>(place)].find(c) != std::string_view::npos;
}

bool is_name_byte(char c) {
  const auto b = static_cast<unsigned char>(c);
  return b >= 0x80 || (b >= '0' && b <= '9') || (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') ||
         b == '_' || b == '-' || b == '$';
}

class Reader {
 public:
  Reader(std::string_view text, std::size_t at, std::size_t depth = 0)
      : text_(text), at_(at), depth_(depth) {}

  // Steps up to the end of the text, or inside a filter or a call up to what can't belong to a path. Behind a
  // bracket the dot before a name may be missing.
  Result<std::vector<Step>> steps(Place place) {
    std::vector<Step> out;
    while (at_ < text_.size()) {
      if (text_[at_] == '.') {
        ++at_;
        if (next_is('.')) {
          ++at_;
          out.push_back(step::Descend{});
          if (at_ == text_.size()) return wrong("a path must not end in '..'");
          if (next_is('[')) continue;
        }
        if (next_is('[')) continue;
        MR_DO(dotted(out, place));
      } else if (text_[at_] == '[') {
        MR_DO(bracket(out));
      } else if (!out.empty() && !ends_name(text_[at_], place)) {
        MR_DO(dotted(out, place));
      } else if (place != Place::Definition) {
        break;
      } else {
        return wrong("expected '.' or '['");
      }
    }
    if (out.size() > kStepsMax)
      return wrong("the path has more than " + std::to_string(kStepsMax) + " steps");
    invert(out);
    return out;
  }

  const std::string& unknown_function() const { return unknown_function_; }

 private:
  tl::unexpected<Error> wrong(std::string_view what) const {
    return invalid(std::string(what) + " at column " + std::to_string(at_ + 1) + " of '" +
                   std::string(text_) + "'");
  }
  bool next_is(char c) const { return at_ < text_.size() && text_[at_] == c; }
  void skip_blanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
  }
  bool take(std::string_view token) {
    if (text_.substr(at_, token.size()) != token) return false;
    at_ += token.size();
    return true;
  }

  Status dotted(std::vector<Step>& out, Place place) {
    if (next_is('*')) {
      ++at_;
      out.push_back(step::Wildcard{});
      return {};
    }
    const std::size_t start = at_;
    std::string name;
    while (at_ < text_.size()) {
      // A backslash makes any character part of the name: $.store\.book is the member "store.book".
      if (text_[at_] == '\\' && at_ + 1 < text_.size())
        ++at_;
      else if (ends_name(text_[at_], place))
        break;
      name += text_[at_++];
    }
    if (at_ == start) return wrong("expected a name");
    if (next_is('(')) return call(name, out);
    out.push_back(step::Member{name});
    return {};
  }

  Status call(const std::string& name, std::vector<Step>& out) {
    if (!out.empty() && std::holds_alternative<step::Descend>(out.back()))
      return wrong("a function must not stand behind '..'");
    if (depth_ >= kNestingMax) return wrong("paths are nested too deeply");
    auto made = std::make_shared<step::Call>();
    made->function = name;
    ++at_;
    if (!is_function(name)) {
      // Only who follows the path that far learns that there is none, as with the library.
      if (unknown_function_.empty()) unknown_function_ = name;
      MR_DO(skip_arguments());
      out.push_back(std::move(made));
      return {};
    }
    for (skip_blanks(); !next_is(')'); skip_blanks()) {
      ++depth_;
      MR_TRY(argument, operand(Place::Argument));
      --depth_;
      if (argument.regex || argument.on_current) return wrong("expected a value or a path from '$'");
      if (argument.literal)
        made->arguments.emplace_back(std::move(*argument.literal));
      else
        made->arguments.emplace_back(std::move(argument.path));
      skip_blanks();
      if (next_is(','))
        ++at_;
      else if (!next_is(')'))
        return wrong("expected ',' or ')'");
    }
    ++at_;
    count_children(*made);
    out.push_back(std::move(made));
    return {};
  }

  // To behind the parenthesis that closes the one before.
  Status skip_arguments() {
    for (int open = 1; open > 0; ++at_) {
      if (at_ == text_.size()) return wrong("expected ')'");
      open += next_is('(');
      open -= next_is(')');
    }
    return {};
  }

  // length($.a) counts what is below its argument.
  static void count_children(step::Call& call) {
    if ((call.function != "length" && call.function != "size") || call.arguments.empty()) return;
    auto* path = std::get_if<std::vector<Step>>(&call.arguments[0]);
    if (path && !path->empty() && !std::holds_alternative<CallStep>(path->back()))
      path->push_back(step::Wildcard{});
  }

  // $..price.sum() means $.sum($..price): the function takes all that the scan finds.
  static void invert(std::vector<Step>& steps) {
    if (steps.empty() || !std::holds_alternative<step::Descend>(steps[0])) return;
    if (!std::holds_alternative<CallStep>(steps.back())) return;
    const auto first = std::find_if(steps.begin(), steps.end(),
                                    [](const Step& s) { return std::holds_alternative<CallStep>(s); });
    auto made = std::make_shared<step::Call>();
    made->function = std::get<CallStep>(*first)->function;
    made->arguments.emplace_back(std::vector<Step>(steps.begin(), first));
    count_children(*made);
    steps.erase(steps.begin(), first + 1);
    steps.insert(steps.begin(), Step(CallStep(std::move(made))));
  }

  Status bracket(std::vector<Step>& out) {
    ++at_;
    skip_blanks();
    if (at_ == text_.size()) return wrong("expected ']'");
    if (next_is('*')) {
      ++at_;
      out.push_back(step::Wildcard{});
    } else if (next_is('?')) {
      MR_DO(filter_step(out));
    } else if (next_is('\'') || next_is('"')) {
      MR_DO(names(out));
    } else {
      MR_DO(positions(out));
    }
    skip_blanks();
    if (!next_is(']')) return wrong("expected ']'");
    ++at_;
    return {};
  }

  // Escapes are those of JSON, and the quote; before any other character a backslash is part of the name (as
  // the service was recorded).
  Result<std::string> quoted() {
    const char quote = text_[at_++];
    std::string name;
    while (at_ < text_.size() && text_[at_] != quote) {
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) {
        if (escape(name, text_[at_ + 1], quote)) continue;
        const auto digits = text_.substr(at_ + 2, 4);
        if (text_[at_ + 1] == 'u' && digits.find_first_not_of("0123456789abcdefABCDEF") != digits.npos)
          return wrong("\\u wants four hexadecimal digits");
      }
      name += text_[at_++];
    }
    if (at_ == text_.size()) return wrong("expected a closing quote");
    ++at_;
    return name;
  }

  // Reads one escape into `out`; false when there is none.
  bool escape(std::string& out, char next, char quote) {
    static constexpr std::string_view kLetters = "bfnrt", kMeanings = "\b\f\n\r\t";
    if (next == 'u') {
      // One unit, or two of a pair: JSON knows how to read them.
      std::size_t length = 6;
      const bool high = text_.size() - at_ > 6 && (text_[at_ + 2] | 0x20) == 'd' &&
                        std::string_view("89abAB").find(text_[at_ + 3]) != std::string_view::npos;
      if (high && text_.substr(at_ + 6, 2) == "\\u") length = 12;
      const auto read = Payload::parse("\"" + std::string(text_.substr(at_, length)) + "\"");
      if (!read) return false;
      out += read->view().string();
      at_ += length;
      return true;
    }
    const std::size_t letter = kLetters.find(next);
    if (letter == std::string_view::npos && next != quote && next != '\\' && next != '/') return false;
    out += letter == std::string_view::npos ? next : kMeanings[letter];
    at_ += 2;
    return true;
  }

  Status names(std::vector<Step>& out) {
    std::vector<std::string> all;
    for (;;) {
      if (!next_is('\'') && !next_is('"')) return wrong("expected a quoted name");
      MR_TRY(name, quoted());
      all.push_back(std::move(name));
      skip_blanks();
      if (!next_is(',')) break;
      ++at_;
      skip_blanks();
    }
    if (all.size() == 1)
      out.push_back(step::Member{std::move(all[0])});
    else
      out.push_back(step::Members{std::move(all)});
    return {};
  }

  Result<std::optional<std::int64_t>> integer() {
    skip_blanks();
    const std::size_t start = at_;
    if (next_is('-')) ++at_;
    while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
    if (at_ == start) return std::optional<std::int64_t>();
    std::int32_t value = 0;
    const auto [end, error] = std::from_chars(text_.data() + start, text_.data() + at_, value);
    if (error != std::errc() || end != text_.data() + at_) return wrong("expected a whole number");
    skip_blanks();
    return std::optional<std::int64_t>(value);
  }

  Status positions(std::vector<Step>& out) {
    MR_TRY(first, integer());
    if (next_is(':')) {
      ++at_;
      MR_TRY(last, integer());
      // The library reads a step and passes over it.
      while (at_ < text_.size() &&
             std::string_view(":-0123456789 ").find(text_[at_]) != std::string_view::npos)
        ++at_;
      if (!first && !last) return wrong("a slice needs a beginning or an end");
      out.push_back(step::Slice{first, last});
      return {};
    }
    if (!first) return wrong("expected an index, a slice, '*', '?' or a quoted name");
    std::vector<std::int64_t> all{*first};
    while (next_is(',')) {
      ++at_;
      MR_TRY(next, integer());
      if (!next) return wrong("expected an index");
      all.push_back(*next);
    }
    if (all.size() == 1)
      out.push_back(step::Index{all[0]});
    else
      out.push_back(step::Indices{std::move(all)});
    return {};
  }

  Status filter_step(std::vector<Step>& out) {
    ++at_;
    skip_blanks();
    if (!next_is('(')) return wrong("expected '(' behind '?'");
    ++at_;
    if (depth_ >= kNestingMax) return wrong("filters are nested too deeply");
    ++depth_;
    MR_TRY(filter, disjunction());
    --depth_;
    skip_blanks();
    if (!next_is(')')) return wrong("expected ')'");
    ++at_;
    out.push_back(step::Select{std::make_shared<const Filter>(std::move(filter))});
    return {};
  }

  Result<Filter> disjunction() { return chain("||", Filter::Kind::Or, &Reader::conjunction); }
  Result<Filter> conjunction() { return chain("&&", Filter::Kind::And, &Reader::term); }

  Result<Filter> chain(std::string_view op, Filter::Kind kind, Result<Filter> (Reader::*part)()) {
    MR_TRY(first, (this->*part)());
    Filter all;
    all.kind = kind;
    all.parts.push_back(std::move(first));
    for (skip_blanks(); take(op); skip_blanks()) {
      MR_TRY(next, (this->*part)());
      all.parts.push_back(std::move(next));
    }
    if (all.parts.size() == 1) return std::move(all.parts[0]);
    return all;
  }

  Result<Filter> term() {
    skip_blanks();
    if (++depth_ > kNestingMax) return wrong("filters are nested too deeply");
    struct Leave {
      std::size_t& depth;
      ~Leave() { --depth; }
    } leave{depth_};
    if (next_is('!') && text_.substr(at_, 2) != "!=") {
      ++at_;
      MR_TRY(inner, term());
      Filter negated;
      negated.kind = Filter::Kind::Not;
      negated.parts.push_back(std::move(inner));
      return negated;
    }
    if (next_is('(')) {
      ++at_;
      MR_TRY(inner, disjunction());
      skip_blanks();
      if (!next_is(')')) return wrong("expected ')'");
      ++at_;
      return inner;
    }
    Filter made;
    MR_TRY(left, operand(Place::Filter));
    made.left = std::move(left);
    skip_blanks();
    made.op = comparison();
    if (made.op.empty()) {
      if (made.left.literal || made.left.regex) return wrong("expected a comparison");
      return made;
    }
    made.kind = Filter::Kind::Compare;
    skip_blanks();
    MR_TRY(right, operand(Place::Filter));
    made.right = std::move(right);
    return made;
  }

  std::string comparison() {
    static constexpr std::string_view kSigns[] = {"===", "!==", "==", "!=", "<=", ">=", "=~", "<", ">"};
    for (const std::string_view sign : kSigns) {
      if (take(sign)) return std::string(sign);
    }
    static constexpr std::string_view kWords[] = {"nin", "in",       "subsetof", "anyof", "noneof",
                                                  "all", "contains", "size",     "empty"};
    for (const std::string_view word : kWords) {
      std::string_view here = text_.substr(at_, word.size());
      const bool same =
          here.size() == word.size() &&
          std::equal(here.begin(), here.end(), word.begin(), [](char a, char b) { return (a | 0x20) == b; });
      const bool ends = at_ + word.size() >= text_.size() || !is_name_byte(text_[at_ + word.size()]);
      if (same && ends) {
        at_ += word.size();
        return std::string(word);
      }
    }
    return {};
  }

  // /pattern/flags, where \/ is a slash of the pattern.
  Result<Regex> regex() {
    const std::size_t start = ++at_;
    while (at_ < text_.size() && text_[at_] != '/') at_ += text_[at_] == '\\' ? 2 : 1;
    if (at_ >= text_.size()) return wrong("expected a closing '/'");
    const std::string_view pattern = text_.substr(start, at_ - start);
    const std::size_t flags = ++at_;
    while (at_ < text_.size() && is_name_byte(text_[at_])) ++at_;
    auto compiled = Regex::compile(pattern, text_.substr(flags, at_ - flags));
    if (!compiled) return wrong(compiled.error().message);
    return compiled;
  }

  Result<Operand> operand(Place place) {
    Operand made;
    if (at_ == text_.size()) return wrong("expected a value");
    const char c = text_[at_];
    if (c == '@' || c == '$') {
      ++at_;
      made.on_current = c == '@';
      MR_TRY(path, steps(place));
      made.path = std::move(path);
      return made;
    }
    if (c == '\'' || c == '"') {
      MR_TRY(characters, quoted());
      made.literal = Payload::string(characters);
      return made;
    }
    if (c == '/') {
      MR_TRY(compiled, regex());
      made.regex = std::move(compiled);
      return made;
    }
    const std::size_t start = at_;
    if (c == '[' || c == '{') {
      int open = 0;
      std::string json;
      do {
        const char now = text_[at_];
        if (now == '\'' || now == '"') {
          MR_TRY(characters, quoted());
          json += Payload::string(characters).text();
        } else {
          open += now == '[' || now == '{';
          open -= now == ']' || now == '}';
          json += now;
          ++at_;
        }
      } while (open > 0 && at_ < text_.size());
      auto parsed = Payload::parse(json);
      if (!parsed) return wrong("expected a JSON value");
      made.literal = std::move(*parsed);
      return made;
    }
    while (at_ < text_.size() && (is_name_byte(text_[at_]) || text_[at_] == '.')) ++at_;
    auto parsed = Payload::parse(text_.substr(start, at_ - start));
    if (!parsed) {
      at_ = start;
      return wrong("expected a value");
    }
    made.literal = std::move(*parsed);
    return made;
  }

  std::string_view text_;
  std::size_t at_;
  std::size_t depth_;
  std::string unknown_function_;
};

}  // namespace

bool definite(const Step& step, bool last) {
  return std::holds_alternative<step::Member>(step) || std::holds_alternative<step::Index>(step) ||
         std::holds_alternative<CallStep>(step) || (last && std::holds_alternative<step::Members>(step));
}

bool definite(const std::vector<Step>& steps) {
  return std::all_of(steps.begin(), steps.end(),
                     [&](const Step& s) { return definite(s, &s == &steps.back()); });
}

static std::string bracketed(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "['" : ",'") + name + "'";
  return out + "]";
}

std::string normalised(const std::vector<Step>& steps, std::size_t count) {
  std::string out = "$";
  for (std::size_t i = 0; i < count && i < steps.size(); ++i) {
    if (const auto* member = std::get_if<step::Member>(&steps[i]))
      out += "['" + member->name + "']";
    else if (const auto* index = std::get_if<step::Index>(&steps[i]))
      out += "[" + std::to_string(index->position) + "]";
    else if (const auto* call = std::get_if<CallStep>(&steps[i]))
      out += "." + (*call)->function + "()";
    else if (const auto* members = std::get_if<step::Members>(&steps[i]))
      out += bracketed(members->names);
    else if (std::holds_alternative<step::Wildcard>(steps[i]))
      out += "[*]";
    else if (std::holds_alternative<step::Descend>(steps[i]))
      out += "..";
    else
      out += "[…]";
  }
  return out;
}

}  // namespace jsonpath

namespace {

// The end of a variable's name: letters, digits, '_' and everything beyond ASCII.
std::size_t name_end(std::string_view source, std::size_t at) {
  while (at < source.size()) {
    const auto b = static_cast<unsigned char>(source[at]);
    if (b < 0x80 && !(b >= '0' && b <= '9') && !(b >= 'a' && b <= 'z') && !(b >= 'A' && b <= 'Z') && b != '_')
      break;
    ++at;
  }
  return at;
}

}  // namespace

Result<Path> Path::parse(std::string_view source) {
  if (source.empty() || source[0] != '$')
    return invalid("a path begins with '$', '" + std::string(source) + "' does not");
  Path path;
  path.source_ = std::string(source);
  while (source.ends_with(' ')) source.remove_suffix(1);  // Jayway trims, and people leave blanks behind
  std::size_t at = 1;
  if (source.starts_with("$$")) {
    path.root_ = Root::Context;
    at = 2;
  } else if (const std::size_t end = name_end(source, 1); end > 1) {
    path.root_ = Root::Variable;
    path.variable_ = std::string(source.substr(1, end - 1));
    at = end;
  }
  jsonpath::Reader reader(source, at);
  MR_TRY(steps, reader.steps(jsonpath::Place::Definition));
  auto compiled = std::make_shared<Compiled>();
  compiled->unknown_function = reader.unknown_function();
  compiled->definite = jsonpath::definite(steps);
  compiled->steps = std::move(steps);
  path.compiled_ = std::move(compiled);
  return path;
}

bool Path::whole() const {
  return compiled_->steps.empty();
}
bool Path::definite() const {
  return compiled_->definite;
}
const std::string& Path::unknown_function() const {
  return compiled_->unknown_function;
}
std::string Path::unknown_function_message() const {
  return "no function is called '" + unknown_function() + "': '" + source_ +
         "' will fail where it gets there";
}

}  // namespace millrace::definitions
