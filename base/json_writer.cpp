// Writing documents.

#include <charconv>
#include <cmath>
#include <cstring>

#include "base/check.h"
#include "base/json_text.h"
#include "base/payload.h"

namespace millrace {

JsonWriter::JsonWriter() : document_(new JsonDocument) {}
JsonWriter::~JsonWriter() {
  delete document_;
}

void JsonWriter::before_value() {
  if (!document_) document_ = new JsonDocument;
  if (after_key_) {
    after_key_ = false;
    return;
  }
  if (stack_.empty()) return;
  JsonNode& parent = document_->nodes[stack_.back()];
  if (parent.count > 0) document_->text += ',';
  ++parent.count;
}

std::uint32_t JsonWriter::open(JsonKind kind) {
  const auto index = static_cast<std::uint32_t>(document_->nodes.size());
  JsonNode node;
  node.begin = static_cast<std::uint32_t>(document_->text.size());
  node.next = index + 1;
  node.kind = kind;
  document_->nodes.push_back(node);
  return index;
}

JsonWriter& JsonWriter::begin_object() {
  before_value();
  stack_.push_back(open(JsonKind::Object));
  document_->text += '{';
  return *this;
}

JsonWriter& JsonWriter::begin_array() {
  before_value();
  stack_.push_back(open(JsonKind::Array));
  document_->text += '[';
  return *this;
}

JsonWriter& JsonWriter::end_object() {
  MR_CHECK(!stack_.empty() && !after_key_, "JsonWriter: end without begin, or a key without a value");
  JsonNode& node = document_->nodes[stack_.back()];
  document_->text += node.kind == JsonKind::Object ? '}' : ']';
  node.end = static_cast<std::uint32_t>(document_->text.size());
  node.next = static_cast<std::uint32_t>(document_->nodes.size());
  stack_.pop_back();
  return *this;
}

JsonWriter& JsonWriter::end_array() {
  return end_object();
}

void JsonWriter::quote(std::string_view characters) {
  std::string& out = document_->text;
  const std::uint32_t index = open(JsonKind::String);
  out += '"';
  std::size_t i = 0;
  while (i < characters.size()) {
    std::size_t run = i;
    while (run < characters.size() && plain(static_cast<unsigned char>(characters[run]))) ++run;
    out.append(characters, i, run - i);
    i = run;
    if (i == characters.size()) break;
    char32_t c = 0;
    const std::size_t length = decode_utf8(characters.substr(i), c);
    append_escaped(out, length == 0 ? char32_t{0xFFFD} : c);
    i += length == 0 ? 1 : length;
  }
  out += '"';
  JsonNode& node = document_->nodes[index];
  node.end = static_cast<std::uint32_t>(out.size());
  node.escaped = out.find('\\', node.begin) != std::string::npos;
}

JsonWriter& JsonWriter::key(std::string_view characters) {
  before_value();
  quote(characters);
  document_->text += ':';
  after_key_ = true;
  return *this;
}

JsonWriter& JsonWriter::key(JsonView string_node) {
  value(string_node);
  document_->text += ':';
  after_key_ = true;
  return *this;
}

JsonWriter& JsonWriter::value(JsonView view) {
  before_value();
  const JsonDocument& source = *view.document();
  const JsonNode& root = view.node();
  const auto start = static_cast<std::uint32_t>(document_->text.size());
  document_->text.append(source.text, root.begin, root.end - root.begin);
  copy_nodes(source, view.index(), root.next, start - root.begin);
  return *this;
}

JsonWriter& JsonWriter::run(JsonView container, std::uint32_t first, std::uint32_t end, std::uint32_t count) {
  if (count == 0) return *this;
  before_value();  // counts one of them
  document_->nodes[stack_.back()].count += count - 1;
  const JsonDocument& source = *container.document();
  const std::uint32_t from = source.nodes[first].begin;
  // Up to the comma before the next neighbour, or the container's closing bracket.
  const std::uint32_t to =
      (end == container.node().next ? container.node().end : source.nodes[end].begin) - 1;
  const auto start = static_cast<std::uint32_t>(document_->text.size());
  document_->text.append(source.text, from, to - from);
  copy_nodes(source, first, end, start - from);
  return *this;
}

// Nodes from `first` up to `end`, whose text stands `shift` bytes further on here. Differences wrap when they
// are negative, and wrap back when added.
void JsonWriter::copy_nodes(const JsonDocument& source, std::uint32_t first, std::uint32_t end,
                            std::uint32_t shift) {
  std::vector<JsonNode>& nodes = document_->nodes;
  const std::size_t here = nodes.size();
  const std::uint32_t shift_index = static_cast<std::uint32_t>(here) - first;
  nodes.insert(nodes.end(), source.nodes.begin() + first, source.nodes.begin() + end);
  if (shift == 0 && shift_index == 0) return;  // the beginning of a document, copied to the beginning
  for (std::size_t i = here; i < nodes.size(); ++i) {
    nodes[i].begin += shift;
    nodes[i].end += shift;
    nodes[i].next += shift_index;
  }
}

JsonWriter& JsonWriter::reserve(std::size_t text_bytes, std::size_t nodes) {
  if (!document_) document_ = new JsonDocument;
  document_->text.reserve(document_->text.size() + text_bytes);
  document_->nodes.reserve(document_->nodes.size() + nodes);
  return *this;
}

JsonWriter& JsonWriter::string(std::string_view characters) {
  before_value();
  quote(characters);
  return *this;
}

JsonWriter& JsonWriter::number_text(std::string_view text) {
  before_value();
  const std::uint32_t index = open(JsonKind::Number);
  document_->text += text;
  document_->nodes[index].end = static_cast<std::uint32_t>(document_->text.size());
  return *this;
}

JsonWriter& JsonWriter::number(std::int64_t n) {
  char buffer[24];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, n).ptr;
  return number_text({buffer, static_cast<std::size_t>(end - buffer)});
}

JsonWriter& JsonWriter::number(double n) {
  if (!std::isfinite(n)) return null();  // JSON has no infinities and no NaN
  char buffer[40];
  auto end = std::to_chars(buffer, buffer + sizeof buffer - 2, n).ptr;
  std::string_view text(buffer, static_cast<std::size_t>(end - buffer));
  if (text.find_first_of(".e") == std::string_view::npos) {
    *end++ = '.';
    *end++ = '0';
    text = {buffer, text.size() + 2};
  }
  return number_text(text);
}

JsonWriter& JsonWriter::boolean(bool b) {
  before_value();
  const std::uint32_t index = open(b ? JsonKind::True : JsonKind::False);
  document_->text += b ? "true" : "false";
  document_->nodes[index].end = static_cast<std::uint32_t>(document_->text.size());
  return *this;
}

JsonWriter& JsonWriter::null() {
  before_value();
  const std::uint32_t index = open(JsonKind::Null);
  document_->text += "null";
  document_->nodes[index].end = static_cast<std::uint32_t>(document_->text.size());
  return *this;
}

Payload JsonWriter::finish() {
  MR_CHECK(stack_.empty() && document_ && !document_->nodes.empty() && !after_key_,
           "JsonWriter: document not complete");
  JsonDocument* done = document_;
  document_ = nullptr;
  return Payload::adopt(done);
}

}  // namespace millrace
