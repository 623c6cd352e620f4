#pragma once
// The tree of a compiled expression. The parser makes it as written; resolve() then turns it into what is
// evaluated: chains of `.` become paths with steps, predicates become stages of their step, `%` finds the
// step whose input it means, tail calls are marked. Source: docs.jsonata.org, "Path Operators" and
// "Programming".

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "definitions/jsonata/date_time.h"
#include "definitions/jsonata/jsonata.h"
#include "definitions/jsonata/signature.h"

namespace millrace::definitions::jsonata {

class JsRegex;

enum class NodeKind : std::uint8_t {
  End,  // the text ended where an expression should stand
  Name,
  Variable,
  Word,         // and, or, in where a name should stand
  Placeholder,  // the ? of a partial application
  String,
  Number,
  Literal,  // true, false, null
  Regex,
  Wildcard,
  Descendant,
  Parent,
  Path,
  Binary,
  Negate,
  Array,
  Object,
  Call,
  Partial,
  Lambda,
  Condition,
  Transform,
  Block,
  Bind,
  Apply,
  Sort,
};
// The reference's word for it, shown as the token of some errors.
std::string_view name_of(NodeKind kind);

enum class Operator : std::uint8_t {
  None,
  Dot,
  Predicate,
  Group,
  OrderBy,
  Assign,
  Focus,
  Index,
  Chain,
  Add,
  Subtract,
  Multiply,
  Divide,
  Modulo,
  Equal,
  NotEqual,
  Less,
  LessEqual,
  Greater,
  GreaterEqual,
  Concat,
  Range,
  And,
  Or,
  In,
  Coalesce,  // ??
  Default,   // ?:
};
std::string_view text_of(Operator op);

struct Node;

struct Stage {
  Node* filter = nullptr;   // a predicate, or null:
  std::uint32_t index = 0;  // a variable that counts the items (#$i behind a predicate)
};
struct Pair {
  Node* key;
  Node* value;
};
struct Term {
  Node* expression;
  bool descending;
};
// What a `%` looks for: the input of the step `level` steps before it, which gets the variable `label`.
struct Slot {
  std::uint32_t label = 0;
  int level = 1;
};

struct Node {
  NodeKind kind = NodeKind::End;
  Operator op = Operator::None;
  bool keep_array = false;      // [] behind it
  bool keep_singleton = false;  // a path with a step that has []
  bool constructed = false;     // an array at the start or the end of a path
  bool tuple = false;           // a step that makes tuples, or a path whose tuples are wanted
  bool tail = false;            // a call in tail position of a lambda
  bool has_frame = false;       // a block that binds variables itself
  bool plain = false;           // nothing to do behind the evaluation proper: no predicate, group, keep_array
  bool literal_keys = false;    // an object whose keys are different string literals
  bool truth = false, null = false;  // Literal
  std::uint16_t depth = 1;
  std::uint32_t position = 0;  // byte behind the token, as the reference counts
  std::uint32_t name = 0;      // Variable, Bind, Name: its number in Compiled::names
  double number = 0;
  std::string_view text;  // characters of a name, variable or string
  Node *a = nullptr, *b = nullptr,
       *c = nullptr;         // operands; callee; condition, then, else; pattern, update, delete
  std::vector<Node*> items;  // steps, elements, arguments, parameters, expressions
  std::vector<Pair> pairs;   // of an object, and of a group
  std::vector<Term> terms;
  std::vector<Stage> stages;      // of a step in a path
  std::vector<Stage> predicates;  // of anything else
  Node* group = nullptr;
  std::uint32_t focus = 0, index = 0;  // variables of @ and #; 0: none
  Slot* slot = nullptr;                // of a Parent
  Slot* ancestor = nullptr;            // of a step that a % means
  std::vector<Slot*> seeking;
  std::unique_ptr<Signature> signature;
  std::shared_ptr<const JsRegex> regex;
};

struct NameEntry {
  std::string_view text;
  bool bound = false;  // something in the expression binds it: not surely a global
};

}  // namespace millrace::definitions::jsonata

namespace millrace::definitions {

// Everything of an expression that does not change between evaluations. Name 0 is "" and means none.
struct Jsonata::Compiled {
  std::string text;
  JsonataDialect dialect = JsonataDialect::StatesLanguage;
  std::deque<jsonata::Node> nodes;
  std::deque<jsonata::Slot> slots;
  std::deque<std::string> strings;
  std::vector<jsonata::NameEntry> names;
  std::unordered_map<std::string_view, std::uint32_t> name_numbers;
  jsonata::Node* root = nullptr;
  std::vector<JsonataReference> references;
  std::vector<std::string> functions;  // that it names
  // Pictures that calls of $fromMillis, $now and $toMillis name literally.
  jsonata::KnownPictures<std::vector<jsonata::DatePart>> pictures;
  jsonata::KnownPictures<jsonata::DateReader> readers;

  std::string_view keep(std::string characters) { return strings.emplace_back(std::move(characters)); }
  std::uint32_t number_of(std::string_view name);
  // UTF-16 units before a byte of the text.
  int position_of(std::size_t byte) const;
};

}  // namespace millrace::definitions
