#include "base/xml.h"

#include <expat.h>

#include <memory>
#include <type_traits>

namespace millrace {
namespace {

constexpr std::size_t kXmlLevelsMax = 32, kXmlElementsMax = 200'000;
constexpr std::string_view kXmlBlanks = " \t\r\n";

struct ParserCloser {
  void operator()(XML_ParserStruct* parser) const noexcept { XML_ParserFree(parser); }
};

// What is being read: the way from the root to the open element.
struct XmlReading {
  XML_Parser parser = nullptr;
  XmlNode root;
  std::vector<XmlNode> path;
  std::size_t elements = 0;
  bool refused = false;

  void refuse() {
    refused = true;
    XML_StopParser(parser, XML_FALSE);
  }
};

void on_start(void* data, const char* name, const char**) {
  auto& reading = *static_cast<XmlReading*>(data);
  if (reading.path.size() == kXmlLevelsMax || ++reading.elements > kXmlElementsMax) return reading.refuse();
  const std::string_view full = name, local = full.substr(full.rfind(':') + 1);
  if (local.empty()) return reading.refuse();  // a prefix and nothing behind it
  reading.path.push_back({std::string(local), {}, {}});
}

void on_end(void* data, const char*) {
  auto& reading = *static_cast<XmlReading*>(data);
  if (reading.path.empty()) return;
  XmlNode node = std::move(reading.path.back());
  reading.path.pop_back();
  const std::size_t first = node.text.find_first_not_of(kXmlBlanks);
  node.text = first == std::string::npos
                  ? ""
                  : node.text.substr(first, node.text.find_last_not_of(kXmlBlanks) - first + 1);
  if (reading.path.empty())
    reading.root = std::move(node);
  else
    reading.path.back().children.push_back(std::move(node));
}

void on_text(void* data, const char* text, int size) {
  auto& reading = *static_cast<XmlReading*>(data);
  if (!reading.path.empty()) reading.path.back().text.append(text, static_cast<std::size_t>(size));
}

void on_doctype(void* data, const char*, const char*, const char*, int) {
  static_cast<XmlReading*>(data)->refuse();
}

}  // namespace

const XmlNode* XmlNode::child(std::string_view wanted) const {
  for (const XmlNode& node : children) {
    if (node.name == wanted) return &node;
  }
  return nullptr;
}

std::string_view XmlNode::text_of(std::string_view wanted) const {
  const XmlNode* node = child(wanted);
  return node ? std::string_view(node->text) : std::string_view();
}

Result<XmlNode> parse_xml(std::string_view text) {
  const std::unique_ptr<std::remove_pointer_t<XML_Parser>, ParserCloser> parser(XML_ParserCreate("UTF-8"));
  XmlReading reading;
  reading.parser = parser.get();
  XML_SetUserData(parser.get(), &reading);
  XML_SetElementHandler(parser.get(), on_start, on_end);
  XML_SetCharacterDataHandler(parser.get(), on_text);
  XML_SetStartDoctypeDeclHandler(parser.get(), on_doctype);
  const auto size = static_cast<int>(std::min<std::size_t>(text.size(), 1u << 30));
  const auto status = XML_Parse(parser.get(), text.data(), size, XML_TRUE);
  if (status != XML_STATUS_OK || reading.refused || static_cast<std::size_t>(size) != text.size())
    return invalid("The XML is not well-formed");
  return std::move(reading.root);
}

}  // namespace millrace
