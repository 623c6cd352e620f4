#include <set>

#include "orchestrator/maps/item_formats.h"

namespace millrace::orchestrator {
namespace {

class CsvItems final : public ItemReader {
 public:
  CsvItems(ByteStream bytes, char delimiter, std::optional<std::vector<std::string>> headers,
           std::size_t item_bytes_max)
      : rows_(std::move(bytes), delimiter, item_bytes_max), headers_(std::move(headers)) {}

  tl::expected<std::optional<Item>, Failure> next() override {
    if (!checked_) MR_DO(check_headers());
    MR_TRY(there, rows_.next(cells_));
    if (!there) return std::optional<Item>();
    JsonWriter out;
    out.begin_object();
    for (std::size_t i = 0; i < headers_->size(); ++i)
      out.key((*headers_)[i]).string(i < cells_.size() ? std::string_view(cells_[i]) : std::string_view());
    out.end_object();
    return std::optional<Item>(Item{out.finish()});
  }

 private:
  tl::expected<void, Failure> check_headers() {
    if (!headers_) {
      headers_.emplace();
      MR_DO(rows_.next(*headers_));
    }
    std::set<std::string_view> seen;
    for (const std::string& header : *headers_) {
      if (!seen.insert(header).second) return reader_failed("CSV headers cannot contain duplicates.");
    }
    checked_ = true;
    return {};
  }

  CsvRows rows_;
  std::optional<std::vector<std::string>> headers_;
  std::vector<std::string> cells_;
  bool checked_ = false;
};

}  // namespace

tl::expected<bool, Failure> CsvRows::next(std::vector<std::string>& cells) {
  if (first_) bytes_.skip_byte_order_mark();
  first_ = false;
  for (;;) {
    const int c = bytes_.peek();
    if (c == ByteStream::kEnd) {
      if (bytes_.error()) return reader_failed("The file can't be read: " + bytes_.error()->message);
      return false;
    }
    if (c != '\n' && c != '\r') return row(cells);
    bytes_.take();
  }
}

tl::expected<bool, Failure> CsvRows::row(std::vector<std::string>& cells) {
  cells.assign(1, {});
  std::size_t size = 0;
  bool quoted = false, fresh = true;  // fresh: nothing of the cell has been read
  for (;;) {
    const int c = bytes_.take();
    if (c == ByteStream::kEnd) {
      if (bytes_.error()) return reader_failed("The file can't be read: " + bytes_.error()->message);
      if (quoted) return reader_failed("A quoted cell of the file has no end.");
      return true;
    }
    if (++size > row_bytes_max_)
      return reader_failed("A row of the file is longer than " + std::to_string(row_bytes_max_) + " bytes.");
    if (quoted) {
      if (c != '"') {
        cells.back() += static_cast<char>(c);
      } else if (bytes_.peek() == '"') {
        bytes_.take();
        cells.back() += '"';
      } else {
        quoted = false;
      }
      continue;
    }
    if (c == '"' && fresh) {
      quoted = true;
      fresh = false;
    } else if (c == delimiter_) {
      cells.emplace_back();
      fresh = true;
    } else if (c == '\n') {
      return true;
    } else if (c == '\r' && bytes_.peek() == '\n') {
      continue;
    } else {
      cells.back() += static_cast<char>(c);
      fresh = false;
    }
  }
}

std::unique_ptr<ItemReader> read_csv(ByteStream bytes, char delimiter,
                                     std::optional<std::vector<std::string>> headers,
                                     std::size_t item_bytes_max) {
  return std::make_unique<CsvItems>(std::move(bytes), delimiter, std::move(headers), item_bytes_max);
}

}  // namespace millrace::orchestrator
