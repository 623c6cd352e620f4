#pragma once
// Text to tree, as written: operator precedence parsing. Nesting is limited (kNestingMax), so that no text
// overflows the stack. Source: docs.jsonata.org; precedence and errors are the reference's.

#include <string_view>

#include "definitions/jsonata/ast.h"
#include "definitions/jsonata/lexer.h"

namespace millrace::definitions::jsonata {

inline constexpr int kNestingMax = 500;      // brackets, conditions, functions inside each other
inline constexpr int kTreeDepthMax = 3'000;  // operators in one chain count too

// Parses compiled.text; the nodes are compiled's. `??` and `?:` only where the dialect has them.
tl::expected<Node*, SyntaxError> parse(Jsonata::Compiled& compiled);

// Turns the tree of parse() into what is evaluated, and fills names, slots and marks.
tl::expected<Node*, SyntaxError> resolve(Jsonata::Compiled& compiled, Node* root);

// Finds the free variables; refuses what the States Language refuses. Last step of compile().
tl::expected<void, SyntaxError> check_references(Jsonata::Compiled& compiled);

template <class Visit>
void for_each_child(Node& node, Visit visit) {
  for (Node* child : {node.a, node.b, node.c, node.group})
    if (child) visit(*child);
  for (Node* child : node.items) visit(*child);
  for (const Pair& pair : node.pairs) {
    visit(*pair.key);
    visit(*pair.value);
  }
  for (const Term& term : node.terms) visit(*term.expression);
  for (const Stage& stage : node.stages)
    if (stage.filter) visit(*stage.filter);
  for (const Stage& stage : node.predicates)
    if (stage.filter) visit(*stage.filter);
}

}  // namespace millrace::definitions::jsonata
