#pragma once
// XML read: elements and their texts. Attributes, comments and processing instructions are passed over; a
// document type is refused, and with it every entity. expat does the reading, in xml.cpp only. Pure; any
// thread.

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace millrace {

struct XmlNode {
  std::string name;  // without its prefix
  std::string text;  // its own characters, blanks around them cut
  std::vector<XmlNode> children;
  const XmlNode* child(std::string_view wanted) const;      // the first; null: none
  std::string_view text_of(std::string_view wanted) const;  // of the first; empty: none
};

// InvalidArgument: it is no XML, or has more than 32 levels or 200,000 elements.
Result<XmlNode> parse_xml(std::string_view text);

}  // namespace millrace
