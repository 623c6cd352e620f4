#pragma once
// Forms of AWS's Query protocol: names with dots, "Attribute.1.Name=x", as a tree. What the tree means is
// each service's own matter. Pure. Source: smithy.io "AWS Query protocol".

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"

namespace millrace::api {

// The members of an application/x-www-form-urlencoded text, decoded; of equal names the last one.
std::map<std::string, std::string> parse_form(std::string_view text);

// "2" before "10", and numbers as they count.
struct ByNumber {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const;
};

// A name's part: what stands at it, and the parts behind its dots.
struct FormNode {
  std::string value;
  std::map<std::string, FormNode, ByNumber> children;

  const FormNode* child(std::string_view name) const;  // null: there is none
  std::string text_at(std::string_view name) const;    // the child's value, or empty
};

// InvalidArgument for a name of more than nine parts.
Result<FormNode> form_tree(const std::map<std::string, std::string>& form);

}  // namespace millrace::api
