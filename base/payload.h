#pragma once
// Payload: an immutable JSON document as it flows through a workflow, shared by reference.
//
// A document is its compact text plus an index of its nodes (begin, end, next sibling), made once when it is
// parsed or written. Everything else is a view into it: following a path allocates nothing, cutting a part
// out copies a slice of text, and putting documents together copies slices and shifts their index. Numbers,
// key order and Unicode therefore come through exactly as written (1.10 stays 1.10, 12345678901234567890123
// keeps its digits). Why not a tree of nlohmann nodes: docs/decisions/0001-payload-is-text-and-index.md.
//
// Any thread: immutable, the reference count is atomic. A JsonView borrows from the Payload it came from.

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace millrace {

enum class JsonKind : std::uint8_t { Null, False, True, Number, String, Array, Object };
// "null", "boolean", "number", "string", "array", "object"
std::string_view name_of(JsonKind kind);

struct JsonNode {
  std::uint32_t begin = 0;  // bytes of the text; a string's include its quotes
  std::uint32_t end = 0;
  std::uint32_t next = 0;   // index of the node behind this one's subtree
  std::uint32_t count = 0;  // elements of an array, members of an object
  JsonKind kind = JsonKind::Null;
  bool escaped = false;  // a string with a backslash in it
};

// Text and nodes of one document. In an object each member is a String node (the key) followed by the
// value's.
struct JsonDocument {
  std::string text;
  std::vector<JsonNode> nodes;
  mutable std::atomic<std::uint32_t> references{0};
};

// One value inside a document; false when there is none. Trivially copyable, borrowed.
class JsonView {
 public:
  JsonView() = default;
  JsonView(const JsonDocument* document, std::uint32_t index) : document_(document), index_(index) {}

  explicit operator bool() const { return document_ != nullptr; }
  JsonKind kind() const { return node().kind; }
  bool is_null() const { return kind() == JsonKind::Null; }
  bool is_boolean() const { return kind() == JsonKind::True || kind() == JsonKind::False; }
  bool is_number() const { return kind() == JsonKind::Number; }
  bool is_string() const { return kind() == JsonKind::String; }
  bool is_array() const { return kind() == JsonKind::Array; }
  bool is_object() const { return kind() == JsonKind::Object; }

  // The value's compact JSON text.
  std::string_view text() const {
    return std::string_view(document_->text).substr(node().begin, node().end - node().begin);
  }
  bool boolean() const { return kind() == JsonKind::True; }
  // A string's characters, escapes resolved; UTF-8. Only for strings.
  std::string string() const;
  // True if this is a string with exactly these characters.
  bool equals(std::string_view characters) const;
  // A number as a double, and as an integer if it is written as one or has an integral value in range.
  double number() const;
  std::optional<std::int64_t> integer() const;

  std::uint32_t size() const { return node().count; }  // elements or members
  JsonView find(std::string_view key) const;           // member of an object; none: false
  JsonView find_key(std::string_view key) const;       // the key's own node, the value's is the next one
  JsonView at(std::uint32_t position) const;           // element of an array; O(position)

  struct Member;
  class Elements;
  class Members;
  Elements elements() const;
  Members members() const;

  const JsonDocument* document() const { return document_; }
  std::uint32_t index() const { return index_; }
  const JsonNode& node() const { return document_->nodes[index_]; }

 private:
  const JsonDocument* document_ = nullptr;
  std::uint32_t index_ = 0;
};

// for (JsonView element : view.elements())
class JsonView::Elements {
 public:
  struct Iterator {
    const JsonDocument* document;
    std::uint32_t index;
    JsonView operator*() const { return {document, index}; }
    Iterator& operator++() {
      index = document->nodes[index].next;
      return *this;
    }
    bool operator!=(const Iterator& other) const { return index != other.index; }
  };
  Elements(const JsonDocument* document, std::uint32_t index) : document_(document), index_(index) {}
  Iterator begin() const { return {document_, index_ + 1}; }
  Iterator end() const { return {document_, document_->nodes[index_].next}; }

 private:
  const JsonDocument* document_;
  std::uint32_t index_;
};

// for (auto [key, value] : view.members()); both are views, key is a string
struct JsonView::Member {
  JsonView key, value;
};
class JsonView::Members {
 public:
  struct Iterator {
    const JsonDocument* document;
    std::uint32_t index;
    Member operator*() const { return {JsonView(document, index), JsonView(document, index + 1)}; }
    Iterator& operator++() {
      index = document->nodes[index + 1].next;
      return *this;
    }
    bool operator!=(const Iterator& other) const { return index != other.index; }
  };
  Members(const JsonDocument* document, std::uint32_t index) : document_(document), index_(index) {}
  Iterator begin() const { return {document_, index_ + 1}; }
  Iterator end() const { return {document_, document_->nodes[index_].next}; }

 private:
  const JsonDocument* document_;
  std::uint32_t index_;
};

inline JsonView::Elements JsonView::elements() const {
  return {document_, index_};
}
inline JsonView::Members JsonView::members() const {
  return {document_, index_};
}

// Equal as JSON: numbers by value, objects without regard to order.
bool equal(JsonView a, JsonView b);

struct JsonPosition {
  std::uint32_t line = 1, column = 1;  // from 1; column counts code points
  bool operator==(const JsonPosition&) const = default;
};
JsonPosition position_of(std::string_view text, std::size_t offset);

struct JsonParseOptions {
  int depth_max = 1000;                           // nested arrays and objects
  std::vector<std::uint32_t>* offsets = nullptr;  // when given: where each node begins in the parsed text
  std::vector<std::uint32_t>* duplicates =
      nullptr;  // when given: offsets of keys that a later equal key overrides
};

class Payload {
 public:
  Payload();  // null
  Payload(const Payload& other) noexcept : document_(other.document_) { retain(); }
  Payload(Payload&& other) noexcept : document_(other.document_) { other.document_ = nullptr; }
  Payload& operator=(Payload other) noexcept {
    std::swap(document_, other.document_);
    return *this;
  }
  ~Payload() { release(); }

  // Strict RFC 8259. The text kept is compact, escapes are resolved where JSON allows, and of duplicate keys
  // the last wins. Error: InvalidArgument, "… at line L, column C".
  static Result<Payload> parse(std::string_view text, const JsonParseOptions& options = {});
  // For text in the program itself, e.g. literals and tests; must be valid.
  static Payload literal(std::string_view text);
  static Payload string(std::string_view characters);
  static const Payload& empty_object();  // {}
  // The part as a document of its own; the whole document is shared, not copied.
  static Payload of(JsonView view);
  static Payload adopt(JsonDocument* document);  // takes over; used by JsonWriter

  JsonView view() const { return {document_, 0}; }
  std::string_view text() const { return document_->text; }
  std::size_t size() const { return document_->text.size(); }  // bytes of UTF-8 text, what limits count
  bool same_as(const Payload& other) const { return document_ == other.document_; }
  const JsonDocument* document() const { return document_; }
  bool operator==(const Payload& other) const { return same_as(other) || equal(view(), other.view()); }

 private:
  explicit Payload(const JsonDocument* document) : document_(document) { retain(); }
  void retain() const noexcept {
    if (document_) document_->references.fetch_add(1, std::memory_order_relaxed);
  }
  void release() noexcept;
  const JsonDocument* document_ = nullptr;  // null only after being moved from
};

// Writes one compact document; commas are its business, balance is the caller's (checked).
class JsonWriter {
 public:
  JsonWriter();
  ~JsonWriter();
  JsonWriter(const JsonWriter&) = delete;
  JsonWriter& operator=(const JsonWriter&) = delete;

  JsonWriter& begin_object();
  JsonWriter& end_object();
  JsonWriter& begin_array();
  JsonWriter& end_array();
  JsonWriter& key(std::string_view characters);
  JsonWriter& key(JsonView string_node);  // copies the text of a key or string
  JsonWriter& value(JsonView view);       // copies a subtree
  JsonWriter& value(const Payload& payload) { return value(payload.view()); }
  // Copies `count` neighbouring elements or members (with their keys) of `container` at once: the nodes from
  // `first` up to `end`, which are indices of the container's document.
  JsonWriter& run(JsonView container, std::uint32_t first, std::uint32_t end, std::uint32_t count);
  // Makes room for what will be written.
  JsonWriter& reserve(std::size_t text_bytes, std::size_t nodes);
  JsonWriter& string(std::string_view characters);  // UTF-8; bad bytes become U+FFFD
  JsonWriter& number(std::int64_t n);
  JsonWriter& number(double n);                    // shortest text that reads back the same; 3.0 is "3.0"
  JsonWriter& number_text(std::string_view text);  // a valid JSON number, as it stands
  JsonWriter& boolean(bool b);
  JsonWriter& null();
  // The document; the writer is empty afterwards.
  Payload finish();

 private:
  friend class JsonParser;
  std::uint32_t open(JsonKind kind);
  void before_value();
  void count_value();
  void quote(std::string_view characters);
  void copy_nodes(const JsonDocument& source, std::uint32_t first, std::uint32_t end, std::uint32_t shift);

  JsonDocument* document_;  // null between finish() and the next value
  std::vector<std::uint32_t> stack_;
  bool after_key_ = false;
};

}  // namespace millrace
