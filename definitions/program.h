#pragma once
// Program: a definition, compiled. Immutable and shared; any thread.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "definitions/nodes.h"

namespace millrace::definitions {

class Program {
 public:
  std::vector<Node> nodes;
  NodeIndex start = 0;
  QueryLanguage language = QueryLanguage::JsonPath;
  std::string comment;
  std::optional<std::int64_t> timeout_seconds;  // of the whole execution; outermost program only
  std::string text;                             // the definition as it was given; outermost program only
  std::string hash;                             // SHA-256 of `text` in hex; outermost program only

  const Node& node(NodeIndex index) const { return nodes[index]; }
  const Node* find(std::string_view name) const;  // in this scope only; null when there is none
};

}  // namespace millrace::definitions
