#pragma once
// The XML of S3's answers, written, and of its requests, read: elements and their texts. Attributes, but for
// the namespace, comments and processing instructions are passed over; a document type is refused, and with
// it every entity. expat does the reading, in base/xml.cpp only. Pure; any thread.

#include <string>
#include <string_view>
#include <vector>

#include "base/xml.h"

namespace millrace::api {

class XmlWriter {
 public:
  // `root` with S3's namespace.
  explicit XmlWriter(std::string_view root);
  XmlWriter& open(std::string_view name);
  XmlWriter& close();
  XmlWriter& text(std::string_view name, std::string_view value);
  XmlWriter& number(std::string_view name, std::uint64_t value);
  std::string finish();  // closes what is open

 private:
  std::string out_;
  std::vector<std::string> open_;
};

using millrace::XmlNode;

// A request's XML; InvalidArgument in S3's words.
Result<XmlNode> parse_request_xml(std::string_view text);

}  // namespace millrace::api
