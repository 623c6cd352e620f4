#pragma once
// DynamoDB's expressions as data: conditions (also of keys and filters), updates, projections; parsed by
// recursive descent within named limits. Errors are ValidationExceptions as AWS words them. Pure. Source:
// Amazon DynamoDB developer guide, "Expressions"; what real clients were seen to be told.

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tasks/integrations/dynamodb/value.h"

namespace millrace::tasks::dynamodb {

constexpr std::size_t kExpressionBytesMax = 4096;
constexpr int kExpressionDepthMax = 64;     // of parentheses, NOTs and functions
constexpr std::size_t kOperatorsMax = 300;  // of one expression
constexpr std::size_t kInOperandsMax = 100;

// A member's name, or a place in a list.
struct Step {
  std::string name;
  std::int64_t index = -1;  // >= 0: of a list
  bool operator==(const Step&) const = default;
};
using Path = std::vector<Step>;         // never empty; the first is a name
std::string text_of(const Path& path);  // "[a, b, [0]]", as errors show paths

struct Operand {
  enum class Kind { Attribute, Literal, Size } kind = Kind::Attribute;
  Path path;      // Attribute, Size
  Value literal;  // Literal
};

struct Condition {
  enum class Kind {
    And,
    Or,
    Not,  // parts
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Between,
    In,  // operands
    Exists,
    NotExists,
    TypeIs,
    BeginsWith,
    Contains,
  };
  Kind kind = Kind::And;
  std::vector<Condition> parts;
  std::vector<Operand> operands;
};

// What SET assigns: one or two terms with + or - between them.
struct Term {
  enum class Kind { Attribute, Literal, IfNotExists, ListAppend } kind = Kind::Attribute;
  Path path;                // Attribute, IfNotExists
  Value literal;            // Literal
  std::vector<Term> parts;  // IfNotExists: what otherwise; ListAppend: both
};
struct Action {
  enum class Kind { Set, Remove, Add, Delete } kind = Kind::Set;
  Path path;
  std::vector<Term> terms;  // Set: one or two
  char sign = 0;            // between two terms: '+' or '-'
  Value value;              // Add, Delete
};
using Update = std::vector<Action>;

// ExpressionAttributeNames and …Values of a request, and which of them its expressions used.
class Placeholders {
 public:
  // Absent members may be null views. Errors: what is no name or value.
  static Checked<Placeholders> read(JsonView names, JsonView values);
  const std::string* name(std::string_view placeholder);
  const Value* value(std::string_view placeholder);
  bool has_names() const { return !names_.empty(); }
  bool has_values() const { return !values_.empty(); }
  // An error when some are left.
  Checked<bool> check_all_used() const;

 private:
  std::map<std::string, std::string, std::less<>> names_;
  Item values_;
  std::set<std::string, std::less<>> used_;
};

// `what` is the parameter, for errors: "ConditionExpression", "FilterExpression", "KeyConditionExpression".
Checked<Condition> parse_condition(std::string_view what, std::string_view text, Placeholders& placeholders);
Checked<Update> parse_update(std::string_view text, Placeholders& placeholders);
Checked<std::vector<Path>> parse_projection(std::string_view text, Placeholders& placeholders);

}  // namespace millrace::tasks::dynamodb
