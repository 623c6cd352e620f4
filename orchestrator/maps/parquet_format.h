#pragma once
// What a Parquet file says of itself: its footer and the headers of its pages, in Thrift's compact protocol.
// Inside the reader of Parquet items only. Pure; bytes may be anything, what is wrong or not supported is
// told in words. Source: apache/parquet-format, parquet.thrift and README; Thrift, "Compact protocol
// encoding".

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace millrace::orchestrator::parquet {

template <class T>
using Parsed = tl::expected<T, std::string>;  // or why not

enum class Type : std::uint8_t { Boolean, Int32, Int64, Int96, Float, Double, Bytes, FixedBytes };
// What the values of a column mean, beyond their type.
enum class Meaning : std::uint8_t { Plain, Text, Date, Time, Timestamp, Decimal, Unsigned, Uuid };

struct Column {
  std::string name;  // of a column inside others with theirs: "who.name"
  Type type = Type::Boolean;
  std::int32_t length = 0;  // of FixedBytes
  // The levels of a value that is there: how many of the fields on its way could be missing or are lists, and
  // how many are lists.
  std::uint8_t definition = 0, repetition = 0;
  Meaning meaning = Meaning::Plain;
  std::int32_t scale = 0;  // Decimal: digits behind the point; Time, Timestamp: 3, 6 or 9 of the second
  bool with_zone = true;   // Timestamp: in UTC, not a local time
};

// A field of a row, or of an object in it.
struct Field {
  enum class Kind { Value, Object, List, Map };
  Kind kind = Kind::Value;
  std::string name;
  std::uint8_t definition = 0;         // the level of a field that is not null; elements have one more
  std::uint8_t repetition = 0;         // List, Map: that of their elements
  std::size_t first = 0, columns = 1;  // the columns below it
  std::vector<Field> children;         // Object: its members; List: the element; Map: key and value
};

// Where the values of a column in a row group stand.
struct Chunk {
  std::uint64_t offset = 0, bytes = 0;
  std::int64_t values = 0;  // with nulls and empty lists
  std::int32_t codec = 0;
};
struct RowGroup {
  std::int64_t rows = 0;
  std::vector<Chunk> chunks;  // in the order of the columns
};
struct File {
  std::vector<Field> fields;
  std::vector<Column> columns;  // all values below the fields, in their order
  std::vector<RowGroup> groups;
};
// `bytes`: the footer; `file_bytes`: of the whole file.
Parsed<File> parse_footer(std::string_view bytes, std::uint64_t file_bytes);

enum class PageKind : std::uint8_t { Data, Index, Dictionary, DataV2 };
struct PageHeader {
  PageKind kind = PageKind::Data;
  std::size_t header_bytes = 0;  // of this header; the page follows
  std::size_t plain_bytes = 0, stored_bytes = 0;
  std::int64_t values = 0;
  std::int32_t encoding = 0, level_encoding = 0, repetition_encoding = 0;
  std::size_t repetition_bytes = 0;  // DataV2: of the levels of repetition, which come first
  std::size_t level_bytes = 0;       // DataV2: of all levels before the values, never compressed
  bool compressed = true;            // DataV2: the values are
};
// The header at the beginning of `bytes`. Nothing: it goes on behind them.
Parsed<bool> parse_page_header(std::string_view bytes, PageHeader& header);

}  // namespace millrace::orchestrator::parquet
