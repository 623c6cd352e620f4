#include "service/api/log_filter.h"

#include <cctype>
#include <charconv>
#include <optional>
#include <vector>

#include "base/payload.h"

namespace millrace::api {

namespace {
enum class Compare {
  Equal,
  NotEqual,
  Less,
  Greater,
  LessEqual,
  GreaterEqual,
  Null,
  True,
  False,
  Exists,
  Missing
};
constexpr int kNestingMax = 50;
}  // namespace

struct LogFilter::Node {
  enum class Kind { And, Or, Leaf } kind = Kind::Leaf;
  std::shared_ptr<const Node> left, right;
  // Of a leaf:
  struct Step {
    std::string member;
    std::optional<std::uint32_t> index;
  };
  std::vector<Step> path;
  Compare compare = Compare::Equal;
  std::string text;
  std::optional<double> number;
};

namespace {

using Node = LogFilter::Node;
using NodePtr = std::shared_ptr<const Node>;

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

// Text with * for any characters; linear, without going back more than to the last star.
bool wildcard(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0, star = std::string_view::npos, mark = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      mark = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++mark;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

class JsonPattern {
 public:
  explicit JsonPattern(std::string_view text) : text_(text) {}

  Result<NodePtr> parse() {
    expect('{');
    NodePtr node = either(0);
    expect('}');
    blanks();
    if (at_ < text_.size()) wrong("nothing may follow the closing brace");
    if (!problem_.empty())
      return invalid("Invalid filter pattern: " + problem_ + " (at character " + std::to_string(place_ + 1) +
                     ")");
    return node;
  }

 private:
  NodePtr either(int depth) { return chain(depth, "||", Node::Kind::Or); }
  NodePtr chain(int depth, std::string_view sign, Node::Kind kind) {
    const auto next = [&] {
      return kind == Node::Kind::Or ? chain(depth, "&&", Node::Kind::And) : term(depth);
    };
    NodePtr left = next();
    while (problem_.empty() && accept(sign)) {
      auto node = std::make_shared<Node>();
      node->kind = kind;
      node->left = std::move(left);
      node->right = next();
      left = std::move(node);
    }
    return left;
  }
  NodePtr term(int depth) {
    if (depth > kNestingMax) wrong("too many parentheses inside each other");
    if (problem_.empty() && accept("(")) {
      NodePtr inner = either(depth + 1);
      expect(')');
      return inner;
    }
    return leaf();
  }
  NodePtr leaf() {
    auto node = std::make_shared<Node>();
    if (!accept("$")) wrong("a selector begins with $.");
    selector(*node);
    if (accept_word("IS")) {
      if (accept_word("NULL")) {
        node->compare = Compare::Null;
      } else if (accept_word("TRUE")) {
        node->compare = Compare::True;
      } else if (accept_word("FALSE")) {
        node->compare = Compare::False;
      } else {
        wrong("IS is followed by NULL, TRUE or FALSE");
      }
      return node;
    }
    if (accept_word("EXISTS")) return set(node, Compare::Exists);
    if (accept_word("NOT")) {
      if (!accept_word("EXISTS")) wrong("NOT is followed by EXISTS");
      return set(node, Compare::Missing);
    }
    static constexpr std::pair<std::string_view, Compare> kSigns[] = {
        {"!=", Compare::NotEqual}, {"<=", Compare::LessEqual}, {">=", Compare::GreaterEqual},
        {"=", Compare::Equal},     {"<", Compare::Less},       {">", Compare::Greater}};
    for (const auto& [sign, compare] : kSigns) {
      if (!accept(sign)) continue;
      node->compare = compare;
      value(*node);
      return node;
    }
    wrong("an operator is missing: = != < > <= >= IS EXISTS NOT EXISTS");
    return node;
  }
  static NodePtr set(const std::shared_ptr<Node>& node, Compare compare) {
    node->compare = compare;
    return node;
  }
  void selector(Node& node) {
    while (problem_.empty() && at_ < text_.size()) {
      if (text_[at_] == '.') {
        ++at_;
        const std::size_t from = at_;
        while (at_ < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[at_])) != 0 ||
                                      text_[at_] == '_' || text_[at_] == '-' || text_[at_] == '@'))
          ++at_;
        if (at_ == from) return wrong("a member's name is missing");
        node.path.push_back({std::string(text_.substr(from, at_ - from)), {}});
      } else if (text_[at_] == '[') {
        std::uint32_t index = 0;
        const char* begin = text_.data() + at_ + 1;
        const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), index);
        if (error != std::errc() || end == text_.data() + text_.size() || *end != ']')
          return wrong("an index is a number in brackets");
        at_ = static_cast<std::size_t>(end - text_.data()) + 1;
        node.path.push_back({{}, index});
      } else {
        break;
      }
    }
    if (node.path.empty()) wrong("a selector names a member: $.name");
  }
  void value(Node& node) {
    blanks();
    if (at_ < text_.size() && text_[at_] == '%') return wrong("regular expressions are not served");
    if (at_ < text_.size() && text_[at_] == '"') {
      for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) {
        if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
        node.text += text_[at_];
      }
      if (at_ == text_.size()) return wrong("a quote is not closed");
      ++at_;
    } else {
      const std::size_t from = at_;
      while (at_ < text_.size() && !is_blank(text_[at_]) &&
             std::string_view("(){}&|").find(text_[at_]) == std::string_view::npos)
        ++at_;
      node.text = text_.substr(from, at_ - from);
      if (node.text.empty()) return wrong("a value is missing");
      double number = 0;
      const auto [end, error] =
          std::from_chars(node.text.data(), node.text.data() + node.text.size(), number);
      if (error == std::errc() && end == node.text.data() + node.text.size()) node.number = number;
    }
    const bool ordered = node.compare != Compare::Equal && node.compare != Compare::NotEqual;
    if (ordered && !node.number) wrong("< and > compare numbers");
  }

  void blanks() {
    while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
  }
  bool accept(std::string_view sign) {
    blanks();
    if (!text_.substr(at_).starts_with(sign)) return false;
    at_ += sign.size();
    return true;
  }
  bool accept_word(std::string_view word) {
    blanks();
    if (!text_.substr(at_).starts_with(word)) return false;
    const std::size_t end = at_ + word.size();
    if (end < text_.size() && std::isalnum(static_cast<unsigned char>(text_[end])) != 0) return false;
    at_ = end;
    return true;
  }
  void expect(char sign) {
    if (!accept({&sign, 1})) wrong(std::string("'") + sign + "' is missing");
  }
  void wrong(std::string what) {
    if (!problem_.empty()) return;
    problem_ = std::move(what);
    place_ = at_;
  }

  const std::string_view text_;
  std::size_t at_ = 0, place_ = 0;
  std::string problem_;
};

JsonView follow(JsonView view, const Node& node) {
  for (const Node::Step& step : node.path) {
    if (!view) return {};
    if (step.index) {
      view = view.is_array() && *step.index < view.size() ? view.at(*step.index) : JsonView();
    } else {
      view = view.is_object() ? view.find(step.member) : JsonView();
    }
  }
  return view;
}

bool compare_leaf(JsonView value, const Node& node) {
  if (node.compare == Compare::Missing) return !value;
  if (!value) return false;
  const bool number = value.is_number() && node.number.has_value();
  const auto equal = [&] {
    if (number) return value.number() == *node.number;
    if (value.is_string()) return wildcard(node.text, value.string());
    return !value.is_object() && !value.is_array() && value.text() == node.text;
  };
  switch (node.compare) {
    case Compare::Equal:
      return equal();
    case Compare::NotEqual:
      return !equal();
    case Compare::Less:
      return number && value.number() < *node.number;
    case Compare::Greater:
      return number && value.number() > *node.number;
    case Compare::LessEqual:
      return number && value.number() <= *node.number;
    case Compare::GreaterEqual:
      return number && value.number() >= *node.number;
    case Compare::Null:
      return value.is_null();
    case Compare::True:
      return value.kind() == JsonKind::True;
    case Compare::False:
      return value.kind() == JsonKind::False;
    case Compare::Exists:
      return true;
    case Compare::Missing:
      break;
  }
  return false;
}

bool holds(JsonView document, const Node& node) {
  if (node.kind == Node::Kind::And) return holds(document, *node.left) && holds(document, *node.right);
  if (node.kind == Node::Kind::Or) return holds(document, *node.left) || holds(document, *node.right);
  return compare_leaf(follow(document, node), node);
}

}  // namespace

Result<LogFilter> LogFilter::parse(std::string_view pattern) {
  LogFilter filter;
  std::size_t at = 0;
  const auto skip_blanks = [&] {
    while (at < pattern.size() && is_blank(pattern[at])) ++at;
  };
  skip_blanks();
  if (at < pattern.size() && pattern[at] == '{') {
    MR_TRY(node, JsonPattern(pattern).parse());
    filter.json_ = std::move(node);
    return filter;
  }
  if (at < pattern.size() && (pattern[at] == '[' || pattern[at] == '%'))
    return invalid("Invalid filter pattern: fields in brackets and regular expressions are not served");
  for (; at < pattern.size(); skip_blanks()) {
    std::vector<std::string>* into = &filter.all_;
    if (pattern[at] == '-' || pattern[at] == '?') into = pattern[at++] == '-' ? &filter.none_ : &filter.any_;
    std::string term;
    if (at < pattern.size() && pattern[at] == '"') {
      const std::size_t quote = at;
      for (++at; at < pattern.size() && pattern[at] != '"'; ++at) {
        if (pattern[at] == '\\' && at + 1 < pattern.size()) ++at;
        term += pattern[at];
      }
      if (at++ >= pattern.size())
        return invalid("Invalid filter pattern: a quote is not closed (at character " +
                       std::to_string(quote + 1) + ")");
    } else {
      while (at < pattern.size() && !is_blank(pattern[at])) term += pattern[at++];
    }
    if (!term.empty()) into->push_back(std::move(term));
  }
  if (!filter.all_.empty() || !filter.none_.empty()) filter.any_.clear();
  return filter;
}

bool LogFilter::matches(const std::string& message) const {
  if (json_) {
    const auto document = Payload::parse(message);
    return document && document->view().is_object() && holds(document->view(), *json_);
  }
  const auto is_in = [&](const std::string& term) { return message.find(term) != std::string::npos; };
  for (const std::string& term : all_) {
    if (!is_in(term)) return false;
  }
  for (const std::string& term : none_) {
    if (is_in(term)) return false;
  }
  for (const std::string& term : any_) {
    if (is_in(term)) return true;
  }
  return any_.empty();
}

}  // namespace millrace::api
