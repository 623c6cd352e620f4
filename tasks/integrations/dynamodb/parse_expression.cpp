#include <algorithm>
#include <charconv>

#include "tasks/integrations/dynamodb/expression.h"
#include "tasks/integrations/dynamodb/lexer.h"
#include "tasks/integrations/dynamodb/reserved_words.h"

namespace millrace::tasks::dynamodb {
namespace {

using ConditionKind = Condition::Kind;

struct FunctionRow {
  std::string_view name;
  ConditionKind kind;
  std::size_t operands;
};
constexpr FunctionRow kFunctions[] = {
    {"attribute_exists", ConditionKind::Exists, 1}, {"attribute_not_exists", ConditionKind::NotExists, 1},
    {"attribute_type", ConditionKind::TypeIs, 2},   {"begins_with", ConditionKind::BeginsWith, 2},
    {"contains", ConditionKind::Contains, 2},
};
constexpr std::pair<std::string_view, ConditionKind> kComparators[] = {
    {"=", ConditionKind::Equal},      {"<>", ConditionKind::NotEqual}, {"<", ConditionKind::Less},
    {"<=", ConditionKind::LessEqual}, {">", ConditionKind::Greater},   {">=", ConditionKind::GreaterEqual},
};
constexpr std::pair<std::string_view, Action::Kind> kSections[] = {
    {"SET", Action::Kind::Set},
    {"REMOVE", Action::Kind::Remove},
    {"ADD", Action::Kind::Add},
    {"DELETE", Action::Kind::Delete},
};

class Parser {
 public:
  Parser(std::string_view what, std::string_view text, Placeholders& placeholders)
      : what_(what), text_(text), placeholders_(placeholders) {}

  Checked<bool> begin() {
    if (text_.find_first_not_of(" \t\r\n") == std::string_view::npos)
      return refused("The expression can not be empty;");
    if (text_.size() > kExpressionBytesMax)
      return refused("Expression size has exceeded the maximum allowed size; expression size: " +
                     std::to_string(text_.size()));
    MR_TRY(tokens, tokens_of(what_, text_));
    tokens_ = std::move(tokens);
    return true;
  }
  Checked<bool> end() const {
    if (now().kind == Token::Kind::End) return true;
    return unexpected_token();
  }

  Checked<Condition> condition() {
    MR_TRY(first, conjunction());
    if (!is_word(now(), "OR")) return first;
    Condition any;
    any.kind = ConditionKind::Or;
    any.parts.push_back(std::move(first));
    while (is_word(now(), "OR")) {
      MR_DO(operator_step());
      MR_TRY(part, conjunction());
      any.parts.push_back(std::move(part));
    }
    return any;
  }

  Checked<Path> path() {
    Path path;
    MR_TRY(name, path_name());
    path.push_back({std::move(name)});
    for (;;) {
      if (take(".")) {
        MR_TRY(member, path_name());
        path.push_back({std::move(member)});
      } else if (take("[")) {
        std::int64_t index = 0;
        const std::string_view digits = now().text;
        if (now().kind != Token::Kind::Number) return unexpected_token();
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), index);
        if (error != std::errc())
          return refused("List index is not within the allowable range; index: [" + std::string(digits) +
                         "]");
        ++at_;
        MR_DO(expect("]"));
        path.push_back({{}, index});
      } else {
        return path;
      }
      if (path.size() > kDepthMax)
        return refused("The document path has too many nesting elements; nesting levels: " +
                       std::to_string(path.size()));
    }
  }

  Checked<Update> update() {
    Update update;
    std::vector<std::string_view> seen;
    while (now().kind != Token::Kind::End) {
      const auto* section = std::find_if(std::begin(kSections), std::end(kSections),
                                         [&](const auto& row) { return is_word(now(), row.first); });
      if (section == std::end(kSections)) return unexpected_token();
      if (std::find(seen.begin(), seen.end(), section->first) != seen.end())
        return refused("The \"" + std::string(section->first) +
                       "\" section can only be used once in an update expression;");
      seen.push_back(section->first);
      ++at_;
      do {
        MR_TRY(one, action(section->second));
        update.push_back(std::move(one));
      } while (take(","));
    }
    return update;
  }

  bool take(std::string_view symbol) {
    if (now().kind != Token::Kind::Symbol || now().text != symbol) return false;
    ++at_;
    return true;
  }

  tl::unexpected<ServiceError> refused(const std::string& why) const {
    return validation("Invalid " + std::string(what_) + ": " + why);
  }

 private:
  const Token& now() const { return tokens_[at_]; }
  const Token& next() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  tl::unexpected<ServiceError> unexpected_token() const { return syntax_error(what_, text_, tokens_, at_); }
  Checked<bool> expect(std::string_view symbol) {
    if (take(symbol)) return true;
    return unexpected_token();
  }
  bool opens() const { return now().kind == Token::Kind::Symbol && now().text == "("; }

  // Counts what makes an expression large or deep; undone when the scope is left.
  struct Deeper {
    int& depth;
    explicit Deeper(int& d) : depth(d) { ++depth; }
    ~Deeper() { --depth; }
  };
  Checked<bool> check_depth() const {
    if (depth_ <= kExpressionDepthMax) return true;
    return refused("The expression is nested too deeply; levels: " + std::to_string(depth_));
  }
  Checked<bool> operator_step() {
    ++at_;
    if (++operators_ <= kOperatorsMax) return true;
    return refused("The expression contains too many operators; operator count: " +
                   std::to_string(operators_));
  }

  Checked<Condition> conjunction() {
    MR_TRY(first, negation());
    if (!is_word(now(), "AND")) return first;
    Condition all;
    all.kind = ConditionKind::And;
    all.parts.push_back(std::move(first));
    while (is_word(now(), "AND")) {
      MR_DO(operator_step());
      MR_TRY(part, negation());
      all.parts.push_back(std::move(part));
    }
    return all;
  }

  Checked<Condition> negation() {
    const Deeper deeper(depth_);
    MR_DO(check_depth());
    if (!is_word(now(), "NOT")) return primary();
    MR_DO(operator_step());
    MR_TRY(inner, negation());
    Condition none;
    none.kind = ConditionKind::Not;
    none.parts.push_back(std::move(inner));
    return none;
  }

  Checked<Condition> primary() {
    if (opens()) {
      const std::size_t opened = at_++;
      const bool twice = opens();
      MR_TRY(inner, condition());
      MR_DO(expect(")"));
      // ((a = b)): the inner pair was all there was.
      if (twice && closes_at_once(opened)) return refused("The expression has redundant parentheses;");
      return inner;
    }
    if (now().kind == Token::Kind::Name && next().text == "(" && !is_size(now())) return function();
    MR_TRY(left, operand());
    return comparison(std::move(left));
  }

  // Whether the parenthesis behind `opened` is closed right before the one that was closed last.
  bool closes_at_once(std::size_t opened) const {
    int depth = 0;
    for (std::size_t i = opened + 1; i + 1 < at_; ++i) {
      if (tokens_[i].text == "(") ++depth;
      if (tokens_[i].text == ")" && --depth == 0) return i + 2 == at_;
    }
    return false;
  }

  static bool is_size(const Token& token) { return token.text == "size"; }

  Checked<Condition> comparison(Operand left) {
    Condition condition;
    condition.operands.push_back(std::move(left));
    if (is_word(now(), "BETWEEN")) {
      MR_DO(operator_step());
      condition.kind = ConditionKind::Between;
      MR_TRY(low, operand());
      if (!is_word(now(), "AND")) return unexpected_token();
      ++at_;
      MR_TRY(high, operand());
      condition.operands.push_back(std::move(low));
      condition.operands.push_back(std::move(high));
      MR_DO(check_bounds(condition));
      return condition;
    }
    if (is_word(now(), "IN")) {
      MR_DO(operator_step());
      condition.kind = ConditionKind::In;
      MR_DO(expect("("));
      do {
        MR_TRY(one, operand());
        condition.operands.push_back(std::move(one));
      } while (take(","));
      MR_DO(expect(")"));
      if (condition.operands.size() > kInOperandsMax + 1)
        return refused(
            "Incorrect number of operands for operator or function; operator or function: IN, number of "
            "operands: " +
            std::to_string(condition.operands.size()));
      return condition;
    }
    for (const auto& [symbol, kind] : kComparators) {
      if (now().kind != Token::Kind::Symbol || now().text != symbol) continue;
      MR_DO(operator_step());
      condition.kind = kind;
      MR_TRY(right, operand());
      condition.operands.push_back(std::move(right));
      return check_same(std::move(condition), symbol);
    }
    return unexpected_token();
  }

  Checked<Condition> check_same(Condition condition, std::string_view symbol) {
    const Operand &a = condition.operands[0], &b = condition.operands[1];
    if (a.kind == Operand::Kind::Attribute && b.kind == Operand::Kind::Attribute && a.path == b.path)
      return refused(
          "The first operand must be distinct from the remaining operands for this operator or function; "
          "operator: " +
          std::string(symbol) + ", first operand: " + text_of(a.path));
    const bool ordered = condition.kind != ConditionKind::Equal && condition.kind != ConditionKind::NotEqual;
    for (const Operand& one : condition.operands)
      if (ordered && one.kind == Operand::Kind::Literal && !has_order(one.literal))
        return wrong_type(symbol, one.literal);
    return condition;
  }

  Checked<bool> check_bounds(const Condition& between) {
    const Operand &low = between.operands[1], &high = between.operands[2];
    for (const Operand& one : between.operands)
      if (one.kind == Operand::Kind::Literal && !has_order(one.literal))
        return wrong_type("BETWEEN", one.literal);
    if (low.kind != Operand::Kind::Literal || high.kind != Operand::Kind::Literal) return true;
    const auto order = compare(low.literal, high.literal);
    if (!order)
      return refused(
          "The BETWEEN operator requires same data type for lower and upper bounds; lower bound operand: "
          "AttributeValue: " +
          shown(low.literal) + ", upper bound operand: AttributeValue: " + shown(high.literal));
    if (*order > 0)
      return refused(
          "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound "
          "operand: AttributeValue: " +
          shown(low.literal) + ", upper bound operand: AttributeValue: " + shown(high.literal));
    return true;
  }
  static std::string shown(const Value& value) {
    return "{" + std::string(name_of(value.type)) + ":" + value.text + "}";
  }
  static bool has_order(const Value& value) {
    return value.type == Type::S || value.type == Type::N || value.type == Type::B;
  }
  tl::unexpected<ServiceError> wrong_type(std::string_view function, const Value& value) const {
    return refused("Incorrect operand type for operator or function; operator or function: " +
                   std::string(function) + ", operand type: " + std::string(name_of(value.type)));
  }

  Checked<Condition> function() {
    const std::string name(now().text);
    const auto* row = std::find_if(std::begin(kFunctions), std::end(kFunctions),
                                   [&](const FunctionRow& f) { return f.name == name; });
    if (row == std::end(kFunctions)) {
      if (name == "if_not_exists" || name == "list_append") return not_allowed(name);
      return refused("Invalid function name; function: " + name);
    }
    MR_DO(operator_step());
    MR_DO(expect("("));
    Condition condition;
    condition.kind = row->kind;
    do {
      MR_TRY(one, operand());
      condition.operands.push_back(std::move(one));
    } while (take(","));
    MR_DO(expect(")"));
    if (condition.operands.size() != row->operands) return wrong_count(name, condition.operands.size());
    MR_DO(check_function(*row, condition));
    return condition;
  }

  Checked<bool> check_function(const FunctionRow& row, const Condition& condition) {
    const Operand& first = condition.operands[0];
    if (row.operands == 1 || row.kind == ConditionKind::TypeIs) {
      if (first.kind != Operand::Kind::Attribute)
        return refused("Operator or function requires a document path; operator or function: " +
                       std::string(row.name));
    }
    if (row.operands == 1) return true;
    const Operand& second = condition.operands[1];
    if (first.kind == Operand::Kind::Attribute && second.kind == Operand::Kind::Attribute &&
        first.path == second.path)
      return refused(
          "The first operand must be distinct from the remaining operands for this operator or function; "
          "operator: " +
          std::string(row.name) + ", first operand: " + text_of(first.path));
    if (row.kind == ConditionKind::TypeIs) {
      if (second.kind != Operand::Kind::Literal || second.literal.type != Type::S)
        return refused(
            "Incorrect operand type for operator or function; operator or function: attribute_type, operand "
            "type: " +
            std::string(second.kind == Operand::Kind::Literal ? name_of(second.literal.type) : "PATH"));
      if (!type_of(second.literal.text))
        return refused("Invalid attribute type name found; type: " + second.literal.text +
                       ", valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}");
    }
    if (row.kind == ConditionKind::BeginsWith) {
      for (const Operand& one : condition.operands)
        if (one.kind == Operand::Kind::Literal && one.literal.type != Type::S && one.literal.type != Type::B)
          return wrong_type(row.name, one.literal);
    }
    return true;
  }

  tl::unexpected<ServiceError> wrong_count(std::string_view name, std::size_t count) const {
    return refused("Incorrect number of operands for operator or function; operator or function: " +
                   std::string(name) + ", number of operands: " + std::to_string(count));
  }
  tl::unexpected<ServiceError> not_allowed(std::string_view name) const {
    return refused("The function is not allowed to be used this way in an expression; function: " +
                   std::string(name));
  }

  Checked<Value> literal() {
    const Value* value = placeholders_.value(now().text);
    if (!value)
      return refused("An expression attribute value used in expression is not defined; attribute value: " +
                     std::string(now().text));
    ++at_;
    return *value;
  }

  Checked<Operand> operand() {
    Operand operand;
    if (now().kind == Token::Kind::ValueRef) {
      operand.kind = Operand::Kind::Literal;
      MR_TRY(value, literal());
      operand.literal = std::move(value);
      return operand;
    }
    if (is_size(now()) && next().text == "(") {
      operand.kind = Operand::Kind::Size;
      at_ += 2;
      if (now().kind == Token::Kind::ValueRef) {
        MR_TRY(value, literal());
        return wrong_type("size", value);
      }
      MR_TRY(of, path());
      operand.path = std::move(of);
      MR_DO(expect(")"));
      return operand;
    }
    if (now().kind == Token::Kind::Name && next().text == "(") return not_allowed(now().text);
    MR_TRY(of, path());
    operand.path = std::move(of);
    return operand;
  }

  Checked<std::string> path_name() {
    const Token token = now();
    if (token.kind == Token::Kind::Name) {
      if (is_reserved_word(token.text))
        return refused("Attribute name is a reserved keyword; reserved keyword: " + std::string(token.text));
      ++at_;
      return std::string(token.text);
    }
    if (token.kind != Token::Kind::NameRef) return unexpected_token();
    const std::string* name = placeholders_.name(token.text);
    if (!name)
      return refused(
          "An expression attribute name used in the document path is not defined; attribute name: " +
          std::string(token.text));
    ++at_;
    return *name;
  }

  Checked<Action> action(Action::Kind kind) {
    Action action;
    action.kind = kind;
    MR_TRY(target, path());
    action.path = std::move(target);
    if (kind == Action::Kind::Remove) return action;
    if (kind != Action::Kind::Set) {
      if (now().kind != Token::Kind::ValueRef) return unexpected_token();
      MR_TRY(value, literal());
      const bool fits = value.is_set() || (kind == Action::Kind::Add && value.type == Type::N);
      if (!fits)
        return refused(
            "Incorrect operand type for operator or function; operator: " +
            std::string(kind == Action::Kind::Add ? "ADD" : "DELETE") +
            ", operand type: " + std::string(word_of(value.type)) + ", typeSet: " +
            (kind == Action::Kind::Add ? "ALLOWED_FOR_ADD_OPERAND" : "ALLOWED_FOR_DELETE_OPERAND"));
      action.value = std::move(value);
      return action;
    }
    MR_DO(expect("="));
    MR_TRY(first, parenthesised_term());
    action.terms.push_back(std::move(first));
    for (const char sign : {'+', '-'}) {
      if (!take(std::string_view(&sign, 1))) continue;
      MR_TRY(second, parenthesised_term());
      action.sign = sign;
      action.terms.push_back(std::move(second));
      for (const Term& term : action.terms)
        if (term.kind == Term::Kind::Literal && term.literal.type != Type::N)
          return refused("Incorrect operand type for operator or function; operator or function: " +
                         std::string(1, sign) + ", operand type: " + std::string(name_of(term.literal.type)));
      break;
    }
    return action;
  }

  Checked<Term> parenthesised_term() {
    const Deeper deeper(depth_);
    MR_DO(check_depth());
    if (!take("(")) return term();
    MR_TRY(inner, parenthesised_term());
    MR_DO(expect(")"));
    return inner;
  }

  Checked<Term> term() {
    Term term;
    if (now().kind == Token::Kind::ValueRef) {
      term.kind = Term::Kind::Literal;
      MR_TRY(value, literal());
      term.literal = std::move(value);
      return term;
    }
    if (now().kind == Token::Kind::Name && next().text == "(") return update_function();
    MR_TRY(of, path());
    term.path = std::move(of);
    return term;
  }

  Checked<Term> update_function() {
    const std::string name(now().text);
    const bool otherwise = name == "if_not_exists";
    if (!otherwise && name != "list_append") {
      const bool known = is_size(now()) || std::any_of(std::begin(kFunctions), std::end(kFunctions),
                                                       [&](const FunctionRow& f) { return f.name == name; });
      return known ? not_allowed(name) : refused("Invalid function name; function: " + name);
    }
    MR_DO(operator_step());
    MR_DO(expect("("));
    std::vector<Term> operands;
    do {
      MR_TRY(one, parenthesised_term());
      operands.push_back(std::move(one));
    } while (take(","));
    MR_DO(expect(")"));
    if (operands.size() != 2) return wrong_count(name, operands.size());
    Term term;
    if (!otherwise) {
      for (const Term& one : operands)
        if (one.kind == Term::Kind::Literal && one.literal.type != Type::L)
          return wrong_type(name, one.literal);
      term.kind = Term::Kind::ListAppend;
      term.parts = std::move(operands);
      return term;
    }
    if (operands[0].kind != Term::Kind::Attribute)
      return refused("Operator or function requires a document path; operator or function: if_not_exists");
    term.kind = Term::Kind::IfNotExists;
    term.path = std::move(operands[0].path);
    term.parts.push_back(std::move(operands[1]));
    return term;
  }

  std::string_view what_, text_;
  Placeholders& placeholders_;
  std::vector<Token> tokens_;
  std::size_t at_ = 0, operators_ = 0;
  int depth_ = 0;
};

// Whether one of two paths leads to or through the other; `conflict`: they take the same thing for a map and
// a list.
enum class Meeting { None, Overlap, Conflict };
Meeting meeting_of(const Path& a, const Path& b) {
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    if (a[i] == b[i]) continue;
    return (a[i].index >= 0) != (b[i].index >= 0) ? Meeting::Conflict : Meeting::None;
  }
  return Meeting::Overlap;
}

Checked<bool> check_apart(std::string_view what, const std::vector<const Path*>& paths) {
  for (std::size_t i = 0; i < paths.size(); ++i) {
    for (std::size_t j = i + 1; j < paths.size(); ++j) {
      const Meeting meeting = meeting_of(*paths[i], *paths[j]);
      if (meeting == Meeting::None) continue;
      return validation("Invalid " + std::string(what) + ": Two document paths " +
                        (meeting == Meeting::Overlap ? "overlap" : "conflict") +
                        " with each other; must remove or rewrite one of these paths; path one: " +
                        text_of(*paths[i]) + ", path two: " + text_of(*paths[j]));
    }
  }
  return true;
}

}  // namespace

std::string text_of(const Path& path) {
  std::string out = "[";
  for (const Step& step : path) {
    if (out.size() > 1) out += ", ";
    out += step.index >= 0 ? "[" + std::to_string(step.index) + "]" : step.name;
  }
  return out + "]";
}

Checked<Placeholders> Placeholders::read(JsonView names, JsonView values) {
  Placeholders out;
  const auto valid = [](std::string_view key, char mark) {
    return key.size() > 1 && key.size() <= 255 && key[0] == mark &&
           std::all_of(key.begin() + 1, key.end(),
                       [](char c) { return c == '_' || std::isalnum(static_cast<unsigned char>(c)); });
  };
  if (names && !names.is_null()) {
    if (!names.is_object()) return service_error("SerializationException", "Unexpected field type");
    if (names.size() == 0) return validation("ExpressionAttributeNames must not be empty");
    for (const auto [key, value] : names.members()) {
      const std::string placeholder = key.string();
      if (!valid(placeholder, '#'))
        return validation("ExpressionAttributeNames contains invalid key: Syntax error; key: \"" +
                          placeholder + "\"");
      if (!value.is_string() || value.string().empty())
        return validation("ExpressionAttributeNames contains invalid value: Empty attribute name; key: " +
                          placeholder);
      out.names_[placeholder] = value.string();
    }
  }
  if (values && !values.is_null()) {
    if (!values.is_object()) return service_error("SerializationException", "Unexpected field type");
    if (values.size() == 0) return validation("ExpressionAttributeValues must not be empty");
    for (const auto [key, value] : values.members()) {
      const std::string placeholder = key.string();
      if (!valid(placeholder, ':'))
        return validation("ExpressionAttributeValues contains invalid key: Syntax error; key: \"" +
                          placeholder + "\"");
      auto parsed = parse_value(value);
      if (!parsed && parsed.error().code == "ValidationException")
        return validation("ExpressionAttributeValues contains invalid value: " + parsed.error().message +
                          " for key " + placeholder);
      if (!parsed) return tl::unexpected<ServiceError>(parsed.error());
      out.values_[placeholder] = std::move(*parsed);
    }
  }
  return out;
}

const std::string* Placeholders::name(std::string_view placeholder) {
  const auto found = names_.find(placeholder);
  if (found == names_.end()) return nullptr;
  used_.insert(found->first);
  return &found->second;
}

const Value* Placeholders::value(std::string_view placeholder) {
  const auto found = values_.find(placeholder);
  if (found == values_.end()) return nullptr;
  used_.insert(found->first);
  return &found->second;
}

Checked<bool> Placeholders::check_all_used() const {
  const auto unused = [&](const auto& all) {
    std::string out;
    for (const auto& [key, value] : all)
      if (!used_.count(key)) out += (out.empty() ? "" : ", ") + key;
    return out;
  };
  if (const std::string left = unused(names_); !left.empty())
    return validation("Value provided in ExpressionAttributeNames unused in expressions: keys: {" + left +
                      "}");
  if (const std::string left = unused(values_); !left.empty())
    return validation("Value provided in ExpressionAttributeValues unused in expressions: keys: {" + left +
                      "}");
  return true;
}

Checked<Condition> parse_condition(std::string_view what, std::string_view text, Placeholders& placeholders) {
  Parser parser(what, text, placeholders);
  MR_DO(parser.begin());
  MR_TRY(condition, parser.condition());
  MR_DO(parser.end());
  return condition;
}

Checked<Update> parse_update(std::string_view text, Placeholders& placeholders) {
  Parser parser("UpdateExpression", text, placeholders);
  MR_DO(parser.begin());
  MR_TRY(update, parser.update());
  std::vector<const Path*> paths;
  for (const Action& action : update) paths.push_back(&action.path);
  MR_DO(check_apart("UpdateExpression", paths));
  return update;
}

Checked<std::vector<Path>> parse_projection(std::string_view text, Placeholders& placeholders) {
  Parser parser("ProjectionExpression", text, placeholders);
  MR_DO(parser.begin());
  std::vector<Path> projection;
  do {
    MR_TRY(path, parser.path());
    projection.push_back(std::move(path));
  } while (parser.take(","));
  MR_DO(parser.end());
  std::vector<const Path*> paths;
  for (const Path& path : projection) paths.push_back(&path);
  MR_DO(check_apart("ProjectionExpression", paths));
  return projection;
}

}  // namespace millrace::tasks::dynamodb
