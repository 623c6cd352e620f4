#include "service/api/s3/xml.h"

#include "base/encoding.h"

namespace millrace::api {

XmlWriter::XmlWriter(std::string_view root) {
  out_ = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<" + std::string(root) +
         " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
  open_.emplace_back(root);
}

XmlWriter& XmlWriter::open(std::string_view name) {
  out_.append("<").append(name).append(">");
  open_.emplace_back(name);
  return *this;
}

XmlWriter& XmlWriter::close() {
  out_.append("</").append(open_.back()).append(">");
  open_.pop_back();
  return *this;
}

XmlWriter& XmlWriter::text(std::string_view name, std::string_view value) {
  out_.append("<").append(name).append(">").append(escape_xml(value)).append("</").append(name).append(">");
  return *this;
}

XmlWriter& XmlWriter::number(std::string_view name, std::uint64_t value) {
  return text(name, std::to_string(value));
}

std::string XmlWriter::finish() {
  while (!open_.empty()) close();
  return std::move(out_);
}

Result<XmlNode> parse_request_xml(std::string_view text) {
  if (auto parsed = parse_xml(text)) return parsed;
  return invalid("The XML you provided was not well-formed or did not validate against our published schema");
}

}  // namespace millrace::api
