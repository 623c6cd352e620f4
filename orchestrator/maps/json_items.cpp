// JSON without holding the file: the text of one item at a time is cut out by its brackets and quotes, and
// parsed by itself.

#include <cctype>

#include "orchestrator/maps/item_formats.h"

namespace millrace::orchestrator {
namespace {

bool is_space(int c) {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

// The parts of a JSON pointer, "~1" and "~0" resolved.
std::vector<std::string> parts_of(std::string_view pointer) {
  std::vector<std::string> parts;
  while (!pointer.empty()) {
    pointer.remove_prefix(1);
    const std::string_view raw = pointer.substr(0, pointer.find('/'));
    std::string part;
    for (std::size_t i = 0; i < raw.size(); ++i) {
      if (raw[i] == '~' && i + 1 < raw.size() && (raw[i + 1] == '0' || raw[i + 1] == '1')) {
        part += raw[++i] == '0' ? '~' : '/';
      } else {
        part += raw[i];
      }
    }
    parts.push_back(std::move(part));
    pointer.remove_prefix(raw.size());
  }
  return parts;
}

class JsonItems final : public ItemReader {
 public:
  JsonItems(ByteStream bytes, std::string pointer, std::size_t item_bytes_max)
      : bytes_(std::move(bytes)), pointer_(std::move(pointer)), item_bytes_max_(item_bytes_max) {}

  tl::expected<std::optional<Item>, Failure> next() override {
    if (closing_ == 0) MR_DO(open());
    skip_space();
    if (bytes_.peek() == closing_ && !after_comma_) {
      bytes_.take();
      closing_ = ByteStream::kEnd;
      ended_ = true;
    }
    if (ended_) return std::optional<Item>();
    Item item;
    if (closing_ == '}') {
      MR_TRY(key, text_member());
      item.key = std::move(key);
    }
    MR_TRY(text, value_text(true));
    auto value = Payload::parse(text);
    if (!value) return wrong(value.error().message);
    item.value = std::move(*value);
    skip_space();
    after_comma_ = bytes_.peek() == ',';
    if (after_comma_) {
      bytes_.take();
    } else if (bytes_.peek() != closing_) {
      return wrong("',' or the end is expected between items");
    }
    return std::optional<Item>(std::move(item));
  }

 private:
  tl::unexpected<Failure> wrong(const std::string& what) {
    if (bytes_.error()) return reader_failed("The file can't be read: " + bytes_.error()->message);
    return reader_failed("The file is not valid JSON near byte " + std::to_string(bytes_.position()) + ": " +
                         what);
  }

  void skip_space() {
    while (is_space(bytes_.peek())) bytes_.take();
  }

  // To the first item.
  tl::expected<void, Failure> open() {
    bytes_.skip_byte_order_mark();
    for (const std::string& part : parts_of(pointer_)) MR_DO(descend(part));
    skip_space();
    const int first = bytes_.peek();
    if (first == '[' || (first == '{' && !pointer_.empty())) {
      bytes_.take();
      closing_ = first == '[' ? ']' : '}';
      return {};
    }
    if (first == ByteStream::kEnd) return wrong("there is nothing");
    return reader_failed("Attempting to map over non-iterable node.");
  }

  tl::unexpected<Failure> nothing_there() {
    return reader_failed("The ItemsPointer '" + pointer_ + "' names nothing in the file.");
  }

  // Up to the value of a member, or to an element.
  tl::expected<void, Failure> descend(const std::string& part) {
    skip_space();
    const int first = bytes_.take();
    if (first != '{' && first != '[') return nothing_there();
    for (std::size_t index = 0;; ++index) {
      skip_space();
      if (bytes_.peek() == '}' || bytes_.peek() == ']') return nothing_there();
      bool found = first == '[' && std::to_string(index) == part;
      if (first == '{') {
        MR_TRY(key, text_member());
        found = key == part;
      }
      if (found) return {};
      MR_DO(value_text(false));
      skip_space();
      if (bytes_.peek() != ',')
        return bytes_.peek() == ByteStream::kEnd ? wrong("it is cut off") : nothing_there();
      bytes_.take();
    }
  }

  // A key and its colon.
  tl::expected<std::string, Failure> text_member() {
    skip_space();
    if (bytes_.peek() != '"') return wrong("a key is expected");
    MR_TRY(text, value_text(true));
    auto key = Payload::parse(text);
    if (!key) return wrong(key.error().message);
    skip_space();
    if (bytes_.take() != ':') return wrong("':' is expected");
    return key->view().string();
  }

  // The text of the value that begins here, cut at its end; whether it is JSON is for the parser to say.
  // Empty when it is not to be kept.
  tl::expected<std::string, Failure> value_text(bool keep) {
    skip_space();
    std::string text;
    std::size_t depth = 0;
    bool quoted = false, escaped = false;
    for (;;) {
      const std::string_view ahead = bytes_.ahead();
      if (ahead.empty()) {
        if (depth == 0 && !quoted && !text.empty()) return text;
        return wrong("it is cut off");
      }
      bool complete = false;
      std::size_t n = 0;
      for (; n < ahead.size() && !complete; ++n) {
        const char c = ahead[n];
        if (quoted) {
          if (escaped) {
            escaped = false;
          } else if (c == '\\') {
            escaped = true;
          } else if (c == '"') {
            quoted = false;
            complete = depth == 0;
          }
        } else if (c == '"') {
          quoted = true;
        } else if (c == '{' || c == '[') {
          ++depth;
        } else if (c == '}' || c == ']') {
          if (depth == 0) break;  // the end of what is around: a number or a word ended before it
          complete = --depth == 0;
        } else if (depth == 0 && (c == ',' || is_space(c))) {
          break;
        }
      }
      if (keep) text.append(ahead.substr(0, n));
      const bool at_end = complete || n < ahead.size();
      bytes_.skip(n);
      if (text.size() > item_bytes_max_) {
        return reader_failed("An item of the file is longer than " + std::to_string(item_bytes_max_) +
                             " bytes.");
      }
      if (at_end) return text;
    }
  }

  ByteStream bytes_;
  std::string pointer_;
  std::size_t item_bytes_max_;
  int closing_ = 0;  // ']' or '}' once inside
  bool after_comma_ = false, ended_ = false;
};

class JsonLines final : public ItemReader {
 public:
  JsonLines(ByteStream bytes, std::size_t item_bytes_max)
      : bytes_(std::move(bytes)), item_bytes_max_(item_bytes_max) {}

  tl::expected<std::optional<Item>, Failure> next() override {
    if (line_ == 0) bytes_.skip_byte_order_mark();
    for (;;) {
      std::string text;
      MR_TRY(there, read_line(text));
      if (!there) return std::optional<Item>();
      ++line_;
      if (text.find_first_not_of(" \t\r") == std::string::npos) continue;
      auto value = Payload::parse(text);
      if (!value)
        return reader_failed("Line " + std::to_string(line_) +
                             " of the file is not valid JSON: " + value.error().message);
      return std::optional<Item>(Item{std::move(*value)});
    }
  }

 private:
  tl::expected<bool, Failure> read_line(std::string& text) {
    for (;;) {
      const std::string_view ahead = bytes_.ahead();
      if (ahead.empty()) {
        if (bytes_.error()) return reader_failed("The file can't be read: " + bytes_.error()->message);
        return !text.empty();
      }
      const std::size_t end = ahead.find('\n');
      text.append(ahead.substr(0, end));
      bytes_.skip(end == std::string_view::npos ? ahead.size() : end + 1);
      if (text.size() > item_bytes_max_) {
        return reader_failed("Line " + std::to_string(line_ + 1) + " of the file is longer than " +
                             std::to_string(item_bytes_max_) + " bytes.");
      }
      if (end != std::string_view::npos) return true;
    }
  }

  ByteStream bytes_;
  std::size_t item_bytes_max_;
  std::uint64_t line_ = 0;
};

}  // namespace

std::unique_ptr<ItemReader> read_json(ByteStream bytes, std::string pointer, std::size_t item_bytes_max) {
  return std::make_unique<JsonItems>(std::move(bytes), std::move(pointer), item_bytes_max);
}

std::unique_ptr<ItemReader> read_json_lines(ByteStream bytes, std::size_t item_bytes_max) {
  return std::make_unique<JsonLines>(std::move(bytes), item_bytes_max);
}

}  // namespace millrace::orchestrator
