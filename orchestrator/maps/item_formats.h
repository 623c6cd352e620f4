#pragma once
// Items of one file, by its format. Inside the item reader only.

#include <memory>
#include <string>
#include <vector>

#include "orchestrator/maps/byte_stream.h"
#include "orchestrator/maps/item_reader.h"

namespace millrace::orchestrator {

inline tl::unexpected<Failure> reader_failed(std::string cause) {
  return failed(error_names::kItemReaderFailed, std::move(cause));
}

// The elements of the array that `pointer` (RFC 6901) names; of an object its members, but not of a whole
// file that is one: AWS refuses that. Items longer than `item_bytes_max` are an error.
std::unique_ptr<ItemReader> read_json(ByteStream bytes, std::string pointer, std::size_t item_bytes_max);
// One document a line; empty lines are none.
std::unique_ptr<ItemReader> read_json_lines(ByteStream bytes, std::size_t item_bytes_max);

// Rows of RFC 4180, as long as there are any.
class CsvRows {
 public:
  CsvRows(ByteStream bytes, char delimiter, std::size_t row_bytes_max)
      : bytes_(std::move(bytes)), delimiter_(delimiter), row_bytes_max_(row_bytes_max) {}
  // False at the end. Empty lines are passed over.
  tl::expected<bool, Failure> next(std::vector<std::string>& cells);

 private:
  tl::expected<bool, Failure> row(std::vector<std::string>& cells);
  ByteStream bytes_;
  char delimiter_;
  std::size_t row_bytes_max_;
  bool first_ = true;
};
// An object of texts by header a row. Without given headers the first row is it. Cells beyond the headers are
// dropped, missing ones are "".
std::unique_ptr<ItemReader> read_csv(ByteStream bytes, char delimiter,
                                     std::optional<std::vector<std::string>> headers,
                                     std::size_t item_bytes_max);

// An object a row of a Parquet file, `name`d in errors: flat columns, plain or with dictionaries,
// uncompressed or by Snappy, gzip or Zstandard. Texts, numbers and booleans are themselves; dates and times
// texts of RFC 3339, decimals exact numbers, other bytes Base64, what JSON has no number for null. A page of
// each column is held.
std::unique_ptr<ItemReader> read_parquet(std::unique_ptr<ByteReader> reader, std::string name,
                                         std::size_t item_bytes_max);

}  // namespace millrace::orchestrator
