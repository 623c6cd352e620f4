#include "tasks/metrics/metric_math.h"

#include <algorithm>
#include <cctype>
#include <charconv>

#include "tasks/metrics/math_node.h"

namespace millrace::tasks {
namespace {

struct OpSign {
  std::string_view sign;
  MathOp op;
  int level;  // binds the tighter the higher
};
// Longer signs first.
constexpr OpSign kOpSigns[] = {
    {"||", MathOp::Or, 0},           {"&&", MathOp::And, 1},     {"<=", MathOp::LessEqual, 2},
    {">=", MathOp::GreaterEqual, 2}, {"==", MathOp::Equal, 2},   {"!=", MathOp::NotEqual, 2},
    {"<", MathOp::Less, 2},          {">", MathOp::Greater, 2},  {"+", MathOp::Add, 3},
    {"-", MathOp::Subtract, 3},      {"*", MathOp::Multiply, 4}, {"/", MathOp::Divide, 4},
    {"^", MathOp::Power, 5},
};
constexpr int kOpLevels = 6;

bool is_name_character(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '_';
}

class MathParser {
 public:
  explicit MathParser(std::string_view text) : text_(text) {}

  Result<MathNodePtr> parse() {
    MR_TRY(root, binary(0, 0));
    skip();
    if (at_ < text_.size()) return wrong("an operator or the end of the expression");
    return root;
  }
  std::vector<std::string> ids;

 private:
  tl::unexpected<Error> wrong(std::string_view expected) const {
    const std::string found = at_ < text_.size() ? "'" + std::string(text_.substr(at_, 20)) + "'" : "its end";
    return invalid("expected " + std::string(expected) + " at position " + std::to_string(at_ + 1) +
                   " of the expression, but there is " + found);
  }
  void skip() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
  }
  bool sign(char c) {
    skip();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  std::string_view name_here() const {
    std::size_t end = at_;
    while (end < text_.size() && is_name_character(text_[end])) ++end;
    return text_.substr(at_, end - at_);
  }
  const OpSign* operator_here() {
    skip();
    const std::string_view name = name_here();
    static constexpr OpSign kOr{"OR", MathOp::Or, 0}, kAnd{"AND", MathOp::And, 1};
    if (name == "OR") return &kOr;
    if (name == "AND") return &kAnd;
    for (const OpSign& one : kOpSigns)
      if (text_.substr(at_).starts_with(one.sign)) return &one;
    return nullptr;
  }

  Result<MathNodePtr> binary(int level, int depth) {
    if (depth >= MetricMath::kDepthMax)
      return invalid("the expression is nested deeper than " + std::to_string(MetricMath::kDepthMax) +
                     " levels");
    if (level == kOpLevels) return unary(depth);
    MR_TRY(left, binary(level + 1, depth));
    for (int chained = 0;; ++chained) {
      const OpSign* op = operator_here();
      if (!op || op->level != level) return left;
      if (chained >= kChainMax)
        return invalid("the expression has more than " + std::to_string(kChainMax) + " operators in a row");
      at_ += op->sign.size();
      // Powers are taken from the right.
      MR_TRY(right, binary(op->op == MathOp::Power ? level : level + 1, depth + 1));
      MathNode node;
      node.kind = MathNode::Kind::Binary;
      node.op = op->op;
      node.inner = {left, right};
      left = std::make_shared<MathNode>(std::move(node));
    }
  }

  Result<MathNodePtr> unary(int depth) {
    skip();
    for (const auto& [c, kind] : {std::pair('-', MathNode::Kind::Negate), {'!', MathNode::Kind::Not}}) {
      if (!sign(c)) continue;
      MR_TRY(inner, binary(kOpLevels - 1, depth + 1));
      MathNode node;
      node.kind = kind;
      node.inner = {inner};
      return std::make_shared<MathNode>(std::move(node));
    }
    return primary(depth);
  }

  Result<MathNodePtr> primary(int depth) {
    skip();
    if (at_ >= text_.size()) return wrong("a number, an id, a function or '('");
    const char c = text_[at_];
    if (sign('(')) {
      MR_TRY(inner, binary(0, depth + 1));
      if (!sign(')')) return wrong("')'");
      return inner;
    }
    MathNode node;
    if (sign('[')) {
      node.kind = MathNode::Kind::Array;
      MR_DO(list(']', depth, node));
      return std::make_shared<MathNode>(std::move(node));
    }
    if (std::isdigit(static_cast<unsigned char>(c)) || c == '.') {
      const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), node.number);
      if (error != std::errc()) return wrong("a number");
      at_ = static_cast<std::size_t>(end - text_.data());
      return std::make_shared<MathNode>(std::move(node));
    }
    if (c == '"' || c == '\'') return quoted(c);
    return named(depth);
  }

  Result<MathNodePtr> quoted(char quote) {
    MathNode node;
    node.kind = MathNode::Kind::Text;
    const std::size_t end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos) return wrong("the end of the text");
    node.text = text_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    return std::make_shared<MathNode>(std::move(node));
  }

  Result<MathNodePtr> named(int depth) {
    const std::string name(name_here());
    if (name.empty()) return wrong("a number, an id, a function or '('");
    MathNode node;
    node.text = name;
    const bool of_id = std::islower(static_cast<unsigned char>(name[0])) != 0;
    const std::size_t begin = at_;
    at_ += name.size();
    if (of_id) {
      node.kind = MathNode::Kind::Id;
      if (std::find(ids.begin(), ids.end(), name) == ids.end()) ids.push_back(name);
      return std::make_shared<MathNode>(std::move(node));
    }
    if (!sign('(')) {  // REPEAT, LINEAR
      node.kind = MathNode::Kind::Text;
      return std::make_shared<MathNode>(std::move(node));
    }
    node.kind = MathNode::Kind::Call;
    node.function = find_math_function(name);
    if (!node.function)
      return invalid("the function " + name + " at position " + std::to_string(begin + 1) +
                         " of the expression is not served here",
                     "there are " + math_function_names());
    MR_DO(list(')', depth, node));
    const std::size_t given = node.inner.size();
    if (given < node.function->arguments_min || given > node.function->arguments_max)
      return invalid("the function " + name + " takes " + std::to_string(node.function->arguments_min) +
                     (node.function->arguments_max > node.function->arguments_min
                          ? " to " + std::to_string(node.function->arguments_max)
                          : "") +
                     " arguments, " + std::to_string(given) + " are given");
    return std::make_shared<MathNode>(std::move(node));
  }

  Status list(char close, int depth, MathNode& node) {
    if (sign(close)) return {};
    do {
      MR_TRY(inner, binary(0, depth + 1));
      node.inner.push_back(inner);
      if (node.inner.size() > 100) return invalid("the expression has a list of more than 100 elements");
    } while (sign(','));
    if (!sign(close)) return wrong("',' or '" + std::string(1, close) + "'");
    return {};
  }

  static constexpr int kChainMax = 500;
  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

Result<MetricMath> MetricMath::parse(std::string_view text) {
  if (text.size() > kTextMax)
    return invalid("the expression has more than " + std::to_string(kTextMax) + " characters");
  MathParser parser(text);
  MR_TRY(root, parser.parse());
  MetricMath math;
  math.root_ = std::move(root);
  math.ids_ = std::move(parser.ids);
  return math;
}

Result<MathValue> MetricMath::evaluate(const MathEnvironment& environment) const {
  return evaluate_node(*root_, environment);
}

}  // namespace millrace::tasks
