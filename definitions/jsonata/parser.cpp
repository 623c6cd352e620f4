#include "definitions/jsonata/parser.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "definitions/jsonata/regex.h"

namespace millrace::definitions::jsonata {
namespace {

struct OperatorRow {
  std::string_view text;
  int power;  // of binding to what stands before; 0: does not follow an operand
  Operator op;
};
constexpr OperatorRow kOperators[] = {
    {".", 75, Operator::Dot},        {"[", 80, Operator::Predicate}, {"{", 70, Operator::Group},
    {"(", 80, Operator::None},       {"@", 80, Operator::Focus},     {"#", 80, Operator::Index},
    {"?", 20, Operator::None},       {"^", 40, Operator::OrderBy},   {":=", 10, Operator::Assign},
    {"~>", 40, Operator::Chain},     {"+", 50, Operator::Add},       {"-", 50, Operator::Subtract},
    {"*", 60, Operator::Multiply},   {"/", 60, Operator::Divide},    {"%", 60, Operator::Modulo},
    {"=", 40, Operator::Equal},      {"!=", 40, Operator::NotEqual}, {"<", 40, Operator::Less},
    {"<=", 40, Operator::LessEqual}, {">", 40, Operator::Greater},   {">=", 40, Operator::GreaterEqual},
    {"&", 50, Operator::Concat},     {"and", 30, Operator::And},     {"or", 25, Operator::Or},
    {"in", 40, Operator::In},        {"??", 40, Operator::Coalesce}, {"?:", 40, Operator::Default},
    {"]", 0, Operator::None},        {"}", 0, Operator::None},       {")", 0, Operator::None},
    {",", 0, Operator::None},        {";", 0, Operator::None},       {":", 0, Operator::None},
    {"|", 0, Operator::None},        {"**", 0, Operator::None},      {"..", 0, Operator::None},
};

const OperatorRow* row_of(std::string_view text) {
  for (const OperatorRow& row : kOperators)
    if (row.text == text) return &row;
  return nullptr;
}

// What a token shows as its value in messages.
std::string shown(const Token& token) {
  return token.kind == TokenKind::String ? token.characters : std::string(token.text);
}

class Parser {
 public:
  explicit Parser(Jsonata::Compiled& compiled) : compiled_(compiled), lexer_(compiled.text) {}

  Node* parse() {
    if (!advance(false)) return nullptr;
    Node* const root = expression(0);
    if (root && token_.kind != TokenKind::End) return fail_at_token("S0201");
    return root;
  }
  SyntaxError error;

 private:
  Node* fail(std::string code, std::size_t position, std::string token = {}, std::string value = {}) {
    if (error.code.empty()) error = {std::move(code), position, std::move(token), std::move(value)};
    return nullptr;
  }

  Node* fail_at_token(std::string code, std::string value = {}) {
    fail(std::move(code), token_.position, shown(token_), std::move(value));
    error.literal = token_.kind == TokenKind::Number || token_.kind == TokenKind::Value;
    return nullptr;
  }

  bool advance(bool after_operand) {
    auto next = lexer_.next(after_operand);
    if (!next) {
      error = next.error();
      return false;
    }
    token_ = std::move(*next);
    row_ = token_.kind == TokenKind::Operator ? row_of(token_.text) : nullptr;
    if (compiled_.dialect == JsonataDialect::StatesLanguage && row_ &&
        (row_->op == Operator::Coalesce || row_->op == Operator::Default)) {
      // The language of 2.0.6 reads a second `?` or a `:` where an operand should stand.
      fail("S0211", token_.position, std::string(token_.text.substr(1)));
      return false;
    }
    if (token_.kind == TokenKind::Operator && !row_) {
      fail("S0204", token_.position, std::string(token_.text));
      return false;
    }
    return true;
  }
  bool is(std::string_view op) const { return token_.kind == TokenKind::Operator && token_.text == op; }
  bool expect(std::string_view op, bool after_operand = false) {
    if (is(op)) return advance(after_operand);
    fail_at_token(token_.kind == TokenKind::End ? "S0203" : "S0202", '"' + std::string(op) + '"');
    return false;
  }

  Node* make(NodeKind kind, std::size_t position) {
    Node& node = compiled_.nodes.emplace_back();
    node.kind = kind;
    node.position = static_cast<std::uint32_t>(position);
    return &node;
  }
  // After its operands are known: how deep the tree is there.
  Node* finish(Node* node) {
    int depth = 0;
    for_each_child(*node, [&](Node& child) { depth = std::max<int>(depth, child.depth); });
    node->depth = static_cast<std::uint16_t>(depth + 1);
    return depth >= kTreeDepthMax ? fail("U1001", node->position) : node;
  }

  Node* expression(int power);
  Node* operand(const Token& token, const OperatorRow* row);
  Node* prefix(const Token& token);
  Node* infix(Node* left, const Token& token, const OperatorRow& row);
  Node* block(Node* node);
  Node* array(Node* node);
  Node* transform(Node* node);
  bool pairs(Node* node);
  Node* call(Node* left, Node* node);
  Node* lambda(Node* node);
  Node* predicate(Node* left, Node* node);
  Node* order_by(Node* left, Node* node);
  Node* bind(Node* left, Node* node, const OperatorRow& row);
  Node* condition(Node* left, Node* node);

  Jsonata::Compiled& compiled_;
  Lexer lexer_;
  Token token_;
  const OperatorRow* row_ = nullptr;  // of token_, if it is an operator
  int nesting_ = 0;
};

Node* Parser::expression(int power) {
  if (++nesting_ > kNestingMax) return fail("U1001", token_.position);
  const Token first = token_;
  const OperatorRow* const row = row_;
  // Behind the end there is nothing to read.
  if (first.kind != TokenKind::End && !advance(true)) return nullptr;
  Node* left = operand(first, row);
  while (left && row_ && power < row_->power) {
    const Token token = token_;
    const OperatorRow& next = *row_;
    if (!advance(false)) return nullptr;
    left = infix(left, token, next);
    if (left) left = finish(left);
  }
  --nesting_;
  return left;
}

Node* Parser::operand(const Token& token, const OperatorRow* row) {
  static constexpr std::pair<TokenKind, NodeKind> kKinds[] = {
      {TokenKind::End, NodeKind::End},           {TokenKind::Name, NodeKind::Name},
      {TokenKind::Variable, NodeKind::Variable}, {TokenKind::String, NodeKind::String},
      {TokenKind::Number, NodeKind::Number},     {TokenKind::Value, NodeKind::Literal},
      {TokenKind::Regex, NodeKind::Regex}};
  if (row && (row->op == Operator::And || row->op == Operator::Or || row->op == Operator::In)) {
    Node* const word = make(NodeKind::Word, token.position);
    word->text = token.text;
    return word;
  }
  if (token.kind == TokenKind::Operator) return prefix(token);
  NodeKind kind = NodeKind::End;
  for (const auto& [from, to] : kKinds)
    if (from == token.kind) kind = to;
  Node* const node = make(kind, token.position);
  node->text = token.kind == TokenKind::String ? compiled_.keep(token.characters) : token.text;
  node->number = token.number;
  node->truth = token.text == "true";
  node->null = token.text == "null";
  if (kind == NodeKind::Name || kind == NodeKind::Variable) node->name = compiled_.number_of(node->text);
  if (kind == NodeKind::Regex) {
    auto regex = JsRegex::compile(token.text, token.flags);
    if (!regex) return fail("S0303", token.position, std::string(token.text), regex.error().message);
    node->regex = std::make_shared<const JsRegex>(std::move(*regex));
  }
  return node;
}

Node* Parser::prefix(const Token& token) {
  const std::string_view op = token.text;
  const auto node = [&](NodeKind kind) { return make(kind, token.position); };
  if (op == "-") {
    Node* const negate = node(NodeKind::Negate);
    negate->op = Operator::Subtract;
    negate->a = expression(70);
    return negate->a ? finish(negate) : nullptr;
  }
  if (op == "(") return block(node(NodeKind::Block));
  if (op == "[") return array(node(NodeKind::Array));
  if (op == "{") {
    Node* const object = node(NodeKind::Object);
    return pairs(object) ? finish(object) : nullptr;
  }
  if (op == "|") return transform(node(NodeKind::Transform));
  if (op == "*") return node(NodeKind::Wildcard);
  if (op == "**") return node(NodeKind::Descendant);
  if (op == "%") return node(NodeKind::Parent);
  return fail("S0211", token.position, std::string(op));
}

Node* Parser::block(Node* node) {
  while (!is(")")) {
    Node* const part = expression(0);
    if (!part) return nullptr;
    node->items.push_back(part);
    if (!is(";")) break;
    if (!advance(false)) return nullptr;
  }
  return expect(")", true) ? finish(node) : nullptr;
}

Node* Parser::array(Node* node) {
  while (!is("]")) {
    Node* item = expression(0);
    if (!item) return nullptr;
    if (is("..")) {
      Node* const range = make(NodeKind::Binary, token_.position);
      range->op = Operator::Range;
      range->a = item;
      if (!advance(false) || !(range->b = expression(0))) return nullptr;
      item = finish(range);
      if (!item) return nullptr;
    }
    node->items.push_back(item);
    if (!is(",")) break;
    if (!advance(false)) return nullptr;
    if (is("]")) return fail("S0211", token_.position, "]");
  }
  return expect("]", true) ? finish(node) : nullptr;
}

Node* Parser::transform(Node* node) {
  if (!(node->a = expression(0)) || !expect("|") || !(node->b = expression(0))) return nullptr;
  if (is(",") && (!advance(false) || !(node->c = expression(0)))) return nullptr;
  return expect("|", true) ? finish(node) : nullptr;
}

bool Parser::pairs(Node* node) {
  while (!is("}")) {
    Node* const key = expression(0);
    if (!key || !expect(":")) return false;
    Node* const value = expression(0);
    if (!value) return false;
    node->pairs.push_back({key, value});
    if (!is(",")) break;
    if (!advance(false)) return false;
    if (is("}")) return fail("S0211", token_.position, "}") != nullptr;
  }
  return expect("}", true);
}

Node* Parser::infix(Node* left, const Token& token, const OperatorRow& row) {
  Node* const node = make(NodeKind::Binary, token.position);
  node->op = row.op;
  if (row.text == "(") return call(left, node);
  if (row.text == "?") return condition(left, node);
  switch (row.op) {
    case Operator::Predicate:
      return predicate(left, node);
    case Operator::OrderBy:
      return order_by(left, node);
    case Operator::Assign:
    case Operator::Focus:
    case Operator::Index:
      return bind(left, node, row);
    case Operator::Group:
      node->a = left;
      return pairs(node) ? node : nullptr;
    case Operator::Coalesce:
    case Operator::Default:
      node->a = left;
      node->b = expression(0);  // all that follows, like the else of a condition
      return node->b ? node : nullptr;
    default:
      node->a = left;
      node->b = expression(row.power);
      return node->b ? node : nullptr;
  }
}

Node* Parser::call(Node* left, Node* node) {
  node->kind = NodeKind::Call;
  node->a = left;
  while (!is(")")) {
    if (is("?")) {
      node->kind = NodeKind::Partial;
      node->items.push_back(make(NodeKind::Placeholder, token_.position));
      if (!advance(false)) return nullptr;
    } else {
      Node* const argument = expression(0);
      if (!argument) return nullptr;
      node->items.push_back(argument);
    }
    if (!is(",")) break;
    if (!advance(false)) return nullptr;
    if (is(")")) return fail("S0211", token_.position, ")");
  }
  if (!expect(")", true)) return nullptr;
  return left->kind == NodeKind::Name && (left->text == "function" || left->text == "λ") ? lambda(node)
                                                                                         : node;
}

Node* Parser::lambda(Node* node) {
  for (std::size_t i = 0; i < node->items.size(); ++i) {
    const Node& parameter = *node->items[i];
    if (parameter.kind != NodeKind::Variable)
      return fail("S0208", parameter.position, std::string(parameter.text), std::to_string(i + 1));
  }
  node->kind = NodeKind::Lambda;
  node->a = nullptr;
  if (is("<")) {
    const std::size_t begin = token_.position;
    std::string text = "<";
    for (int depth = 1; depth > 0 && !is("{") && token_.kind != TokenKind::End;) {
      if (!advance(false)) return nullptr;
      depth += is("<") ? 1 : is(">") ? -1 : 0;
      text += shown(token_);
    }
    if (!expect(">")) return nullptr;
    auto signature = parse_signature(text);
    if (!signature)
      return fail(signature.error().code, begin + signature.error().offset, {}, signature.error().value);
    node->signature = std::make_unique<Signature>(std::move(*signature));
  }
  if (!expect("{") || !(node->b = expression(0)) || !expect("}", true)) return nullptr;
  return node;
}

Node* Parser::predicate(Node* left, Node* node) {
  if (is("]")) {
    Node* step = left;
    while (step->kind == NodeKind::Binary && step->op == Operator::Predicate) step = step->a;
    step->keep_array = true;
    return advance(true) ? left : nullptr;
  }
  node->a = left;
  node->b = expression(0);
  return node->b && expect("]", true) ? node : nullptr;
}

Node* Parser::order_by(Node* left, Node* node) {
  if (!expect("(")) return nullptr;
  for (;;) {
    const bool descending = is(">");
    if ((descending || is("<")) && !advance(false)) return nullptr;
    Node* const term = expression(0);
    if (!term) return nullptr;
    node->terms.push_back({term, descending});
    if (!is(",")) break;
    if (!advance(false)) return nullptr;
  }
  node->a = left;
  return expect(")", true) ? node : nullptr;
}

Node* Parser::bind(Node* left, Node* node, const OperatorRow& row) {
  if (row.op == Operator::Assign && left->kind != NodeKind::Variable)
    return fail("S0212", left->position, std::string(left->text));
  node->a = left;
  node->b = expression(row.op == Operator::Assign ? row.power - 1 : row.power);
  if (!node->b) return nullptr;
  if (row.op != Operator::Assign && node->b->kind != NodeKind::Variable)
    return fail("S0214", node->b->position, std::string(row.text));
  return node;
}

Node* Parser::condition(Node* left, Node* node) {
  node->kind = NodeKind::Condition;
  node->a = left;
  if (!(node->b = expression(0))) return nullptr;
  if (is(":") && (!advance(false) || !(node->c = expression(0)))) return nullptr;
  return node;
}

}  // namespace

std::string_view name_of(NodeKind kind) {
  constexpr std::string_view kNames[] = {
      "end",      "name",       "variable",  "operator",  "operator", "string", "number", "value", "regex",
      "wildcard", "descendant", "parent",    "path",      "binary",   "unary",  "unary",  "unary", "function",
      "partial",  "lambda",     "condition", "transform", "block",    "bind",   "apply",  "sort"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::string_view text_of(Operator op) {
  for (const OperatorRow& row : kOperators)
    if (row.op == op && op != Operator::None) return row.text;
  return op == Operator::Range ? ".." : "";
}

tl::expected<Node*, SyntaxError> parse(Jsonata::Compiled& compiled) {
  Parser parser(compiled);
  Node* const root = parser.parse();
  if (!root) return tl::unexpected(std::move(parser.error));
  return root;
}

}  // namespace millrace::definitions::jsonata
