#pragma once
// The values of one Parquet page, one after the other. Inside the reader of Parquet items only. Pure; bytes
// may be anything. Source: apache/parquet-format, Encodings.md and Compression.md.

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "orchestrator/maps/parquet_format.h"

namespace millrace::orchestrator::parquet {

// Null, or a value of the column's type; INT96 and bytes as they stand, views into what they were read from.
using Cell = std::variant<std::monostate, bool, std::int64_t, float, double, std::string_view>;

inline constexpr std::size_t kPageBytesMax = std::size_t{64} << 20;

// The page's bytes as they were before they were compressed. In words: a codec that is not supported, damage.
Parsed<std::string> unpacked(std::int32_t codec, std::string_view stored, std::size_t plain_bytes);

// Values as they stand (PLAIN), one behind the other.
class PlainValues {
 public:
  PlainValues() = default;
  PlainValues(const Column& column, std::string_view bytes)
      : type_(column.type), length_(column.length), bytes_(bytes) {}
  Parsed<Cell> next();

 private:
  Parsed<std::string_view> take(std::size_t bytes);
  Type type_ = Type::Boolean;
  std::int32_t length_ = 0;
  std::string_view bytes_;
  int bit_ = 0;
};

// Small numbers in runs and packed bits (RLE / bit-packing hybrid).
class Runs {
 public:
  Runs() = default;
  Runs(std::string_view bytes, int width) : bytes_(bytes), width_(width) {}
  Parsed<std::uint32_t> next();

 private:
  Parsed<bool> begin_run();
  std::string_view bytes_;
  int width_ = 0;
  std::uint64_t left_ = 0;  // of the run
  bool packed_ = false;
  std::uint32_t value_ = 0;
  std::string_view bits_;
  std::uint64_t bit_ = 0;
};

// The dictionary of a column in a row group; its values are views into `bytes`.
struct Dictionary {
  std::string bytes;
  std::vector<Cell> values;
};
Parsed<std::vector<Cell>> dictionary_values(const Column& column, const PageHeader& header,
                                            std::string_view bytes);

// What stands in a column for one place of a row: a value or a null, and where it belongs.
struct Entry {
  std::uint32_t repetition = 0;  // 0: a new row begins; else it goes on in the list of that level
  std::uint32_t definition = 0;  // how much of its way is there; the value, where it is the column's own
  Cell cell = {};
};

class Page {
 public:
  // `bytes`: the whole page, unpacked (of DataV2 the levels first), borrowed like `dictionary`.
  static Parsed<Page> open(const Column& column, const PageHeader& header, std::string_view bytes,
                           const std::vector<Cell>& dictionary);
  Parsed<Entry> next();

 private:
  Parsed<Cell> value();
  enum class Values { Plain, Dictionary, Booleans };
  const std::vector<Cell>* dictionary_ = nullptr;
  std::uint32_t definition_ = 0;  // of a value that is there
  Values how_ = Values::Plain;
  Runs repetitions_, definitions_, runs_;
  PlainValues plain_;
};

}  // namespace millrace::orchestrator::parquet
