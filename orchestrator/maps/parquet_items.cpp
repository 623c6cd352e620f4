// The rows of a Parquet file as items: an object a row, in the order of the columns.

#include <charconv>
#include <cmath>
#include <cstring>

#include "base/encoding.h"
#include "base/time.h"
#include "orchestrator/maps/item_formats.h"
#include "orchestrator/maps/parquet_pages.h"

namespace millrace::orchestrator {
namespace {

using namespace parquet;

constexpr std::size_t kFooterBytesMax = std::size_t{16} << 20;
constexpr std::size_t kPageHeaderBytes = 1 << 12, kPageHeaderBytesMax = std::size_t{1} << 22;
constexpr std::size_t kColumnsMax = 2'000;
constexpr std::size_t kHeldBytesMax = std::size_t{512} << 20;  // pages and dictionaries at a time
constexpr std::string_view kMagic = "PAR1", kEncryptedMagic = "PARE";

tl::unexpected<std::string> wrong_file(std::string words) {
  return tl::unexpected<std::string>(std::move(words));
}

// ---- values as JSON

std::string padded(std::int64_t value, std::size_t digits) {
  std::string text = std::to_string(value);
  return text.size() < digits ? std::string(digits - text.size(), '0') + text : text;
}

std::int64_t floor_divide(std::int64_t value, std::int64_t by) {
  return value / by - (value % by < 0 ? 1 : 0);
}

std::int64_t rest_of_floor(std::int64_t value, std::int64_t by) {
  return (value % by + by) % by;
}

std::int64_t power_of_ten(int exponent) {
  std::int64_t power = 1;
  for (; exponent > 0; --exponent) power *= 10;
  return power;
}

// Seconds since 1970 and a fraction of `digits` digits: "2024-02-29T12:00:00.5" with as many digits.
std::string time_text(std::int64_t seconds, std::int64_t fraction, int digits, bool with_zone) {
  constexpr std::int64_t kSecondsMax = 253'402'300'799, kSecondsMin = -62'167'219'200;  // years 0 to 9999
  if (seconds < kSecondsMin || seconds > kSecondsMax) return {};
  std::string text = format_rfc3339(from_millis(seconds * 1000));
  text.resize(text.find('.') + 1);
  text += padded(fraction, static_cast<std::size_t>(digits));
  if (with_zone) text += 'Z';
  return text;
}

void write_timestamp(JsonWriter& out, std::int64_t value, int digits, bool with_zone) {
  const std::int64_t unit = power_of_ten(digits), seconds = floor_divide(value, unit);
  const std::string text = time_text(seconds, rest_of_floor(value, unit), digits, with_zone);
  if (text.empty()) {
    out.number(value);  // beyond the years 0 to 9999
  } else {
    out.string(text);
  }
}

void write_time_of_day(JsonWriter& out, std::int64_t value, int digits) {
  constexpr std::int64_t kDaySeconds = 86'400;
  const std::int64_t unit = power_of_ten(digits);
  if (value < 0 || value / unit >= kDaySeconds) return void(out.number(value));
  const std::string text = time_text(value / unit, value % unit, digits, false);
  out.string(text.substr(text.find('T') + 1));
}

void write_date(JsonWriter& out, std::int64_t days) {
  const std::string text = time_text(days * 86'400, 0, 3, false);
  if (text.empty()) return void(out.number(days));
  out.string(text.substr(0, text.find('T')));
}

// Old timestamps: nanoseconds of the day, and the Julian day.
void write_int96(JsonWriter& out, std::string_view bytes) {
  constexpr std::int64_t kJulianDay1970 = 2'440'588, kDaySeconds = 86'400, kNanos = 1'000'000'000;
  std::int64_t nanos = 0;
  std::int32_t day = 0;
  std::memcpy(&nanos, bytes.data(), sizeof nanos);
  std::memcpy(&day, bytes.data() + sizeof nanos, sizeof day);
  const std::int64_t in_day = floor_divide(nanos, kNanos);
  const std::string text =
      time_text((day - kJulianDay1970) * kDaySeconds + in_day, rest_of_floor(nanos, kNanos), 9, true);
  if (text.empty()) return void(out.null());
  out.string(text);
}

__extension__ using Whole128 = __int128;

void write_decimal(JsonWriter& out, Whole128 value, std::int32_t scale) {
  const bool negative = value < 0;
  std::string digits;
  for (Whole128 rest = value; rest != 0; rest /= 10) {
    const int digit = static_cast<int>(rest % 10);
    digits.insert(digits.begin(), static_cast<char>('0' + (digit < 0 ? -digit : digit)));
  }
  const auto behind = static_cast<std::size_t>(scale);
  if (digits.size() <= behind) digits.insert(0, behind + 1 - digits.size(), '0');
  if (behind > 0) digits.insert(digits.size() - behind, ".");
  out.number_text(negative ? "-" + digits : digits);
}

Whole128 big_endian(std::string_view bytes) {
  Whole128 value = !bytes.empty() && (bytes.front() & 0x80) != 0 ? -1 : 0;
  for (const char c : bytes) value = value * 256 + static_cast<unsigned char>(c);
  return value;
}

void write_uuid(JsonWriter& out, std::string_view bytes) {
  std::string text = hex_encode(bytes);
  for (const std::size_t at : {20, 16, 12, 8}) text.insert(at, "-");
  out.string(text);
}

void write_whole(JsonWriter& out, const Column& column, std::int64_t value) {
  switch (column.meaning) {
    case Meaning::Date:
      return write_date(out, value);
    case Meaning::Time:
      return write_time_of_day(out, value, column.scale);
    case Meaning::Timestamp:
      return write_timestamp(out, value, column.scale, column.with_zone);
    case Meaning::Decimal:
      return write_decimal(out, value, column.scale);
    case Meaning::Unsigned:
      out.number_text(std::to_string(column.type == Type::Int32
                                         ? static_cast<std::uint64_t>(static_cast<std::uint32_t>(value))
                                         : static_cast<std::uint64_t>(value)));
      return;
    default:
      out.number(value);
  }
}

void write_bytes(JsonWriter& out, const Column& column, std::string_view bytes) {
  constexpr std::size_t kDecimalBytesMax = 16;
  if (column.type == Type::Int96) return write_int96(out, bytes);
  if (column.meaning == Meaning::Text) return void(out.string(bytes));
  if (column.meaning == Meaning::Uuid) return write_uuid(out, bytes);
  if (column.meaning == Meaning::Decimal && bytes.size() <= kDecimalBytesMax)
    return write_decimal(out, big_endian(bytes), column.scale);
  out.string(base64_encode(bytes));
}

// The shortest text that reads back as the same float.
void write_float(JsonWriter& out, float value) {
  if (!std::isfinite(value)) return void(out.null());  // JSON has none
  char text[32];
  std::string digits(text, std::to_chars(text, text + sizeof text, value).ptr);
  if (digits.find_first_of(".e") == std::string::npos) digits += ".0";
  out.number_text(digits);
}

void write_cell(JsonWriter& out, const Column& column, const Cell& cell) {
  if (const auto* truth = std::get_if<bool>(&cell)) return void(out.boolean(*truth));
  if (const auto* whole = std::get_if<std::int64_t>(&cell)) return write_whole(out, column, *whole);
  if (const auto* bytes = std::get_if<std::string_view>(&cell)) return write_bytes(out, column, *bytes);
  if (const auto* single = std::get_if<float>(&cell)) return write_float(out, *single);
  const auto* real = std::get_if<double>(&cell);
  if (real && std::isfinite(*real)) return void(out.number(*real));
  out.null();
}

// ---- the file

// Bytes at any place of a file.
class Bytes {
 public:
  explicit Bytes(std::unique_ptr<ByteReader> reader) : reader_(std::move(reader)) {}
  Parsed<std::uint64_t> size() {
    auto size = reader_->size();
    if (!size) return wrong_file(size.error().message);
    return *size;
  }
  Parsed<std::string> at(std::uint64_t offset, std::size_t count) {
    if (auto moved = reader_->seek(offset); !moved) return wrong_file(moved.error().message);
    std::string bytes(count, '\0');
    for (std::size_t got = 0; got < count;) {
      const auto part = reader_->read(bytes.data() + got, count - got);
      if (!part) return wrong_file(part.error().message);
      if (*part == 0) return wrong_file("the file is cut off");
      got += *part;
    }
    return bytes;
  }

 private:
  std::unique_ptr<ByteReader> reader_;
};

Parsed<File> read_file(Bytes& bytes) {
  constexpr std::size_t kTail = 8;  // the footer's length, and the mark
  MR_TRY(size, bytes.size());
  if (size < kMagic.size() + kTail) return wrong_file("it is too short");
  MR_TRY(tail, bytes.at(size - kTail, kTail));
  if (tail.ends_with(kEncryptedMagic)) return wrong_file("the file is encrypted, which is not supported");
  if (!tail.ends_with(kMagic)) return wrong_file("it does not end in PAR1");
  std::uint32_t footer_bytes = 0;
  std::memcpy(&footer_bytes, tail.data(), sizeof footer_bytes);
  if (footer_bytes > size - kTail) return wrong_file("the footer is damaged");
  if (footer_bytes > kFooterBytesMax)
    return wrong_file("the footer has more than " + std::to_string(kFooterBytesMax >> 20) + " MiB");
  MR_TRY(footer, bytes.at(size - kTail - footer_bytes, footer_bytes));
  MR_TRY(file, parse_footer(footer, size));
  if (file.columns.size() > kColumnsMax)
    return wrong_file("it has more than " + std::to_string(kColumnsMax) + " columns");
  return file;
}

// One column of a row group, a page at a time.
class ColumnCursor {
 public:
  // `held`: what all cursors of a row group keep in memory.
  ColumnCursor(const Column& column, const Chunk& chunk, std::size_t& held)
      : column_(column),
        chunk_(chunk),
        all_held_(held),
        at_(chunk.offset),
        end_(chunk.offset + chunk.bytes) {}

  // The next entry; it stays valid until one after it is asked for. Null behind the last one.
  Parsed<const Entry*> peek(Bytes& bytes) {
    if (!known_) {
      while (left_ == 0) {
        if (at_ >= end_) return nullptr;
        MR_DO(read_page(bytes));
      }
      --left_;
      MR_TRY(entry, page_.next());
      entry_ = entry;
      known_ = true;
    }
    return &entry_;
  }
  void take() { known_ = false; }
  const Column& column() const { return column_; }

 private:
  Parsed<PageHeader> read_header(Bytes& bytes) {
    for (std::size_t most = kPageHeaderBytes; most <= kPageHeaderBytesMax; most *= 4) {
      const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(most, end_ - at_));
      MR_TRY(head, bytes.at(at_, count));
      PageHeader header;
      MR_TRY(whole, parse_page_header(head, header));
      if (whole) return header;
      if (count == end_ - at_) break;
    }
    return wrong_file("the pages of the column '" + column_.name + "' are damaged");
  }
  Parsed<bool> read_page(Bytes& bytes) {
    MR_TRY(header, read_header(bytes));
    at_ += header.header_bytes;
    if (header.stored_bytes > end_ - at_)
      return wrong_file("the pages of the column '" + column_.name + "' are damaged");
    if (header.stored_bytes > kPageBytesMax)
      return wrong_file("a page of the column '" + column_.name + "' has more than " +
                        std::to_string(kPageBytesMax >> 20) + " MiB");
    MR_TRY(stored, bytes.at(at_, header.stored_bytes));
    at_ += header.stored_bytes;
    if (header.kind == PageKind::Index) return true;
    if (header.kind == PageKind::Dictionary) return read_dictionary(header, stored);
    MR_TRY(text, unpack(header, stored));
    text_ = std::move(text);
    MR_TRY(page, Page::open(column_, header, text_, dictionary_.values));
    page_ = std::move(page);
    left_ = header.values;
    return count_held();
  }
  Parsed<bool> read_dictionary(const PageHeader& header, const std::string& stored) {
    MR_TRY(text, unpacked(chunk_.codec, stored, header.plain_bytes));
    dictionary_.bytes = std::move(text);
    MR_TRY(values, dictionary_values(column_, header, dictionary_.bytes));
    dictionary_.values = std::move(values);
    return count_held();
  }
  Parsed<bool> count_held() {
    const std::size_t now =
        text_.size() + dictionary_.bytes.size() + dictionary_.values.size() * sizeof(Cell);
    all_held_ = all_held_ - held_ + now;
    held_ = now;
    if (all_held_ <= kHeldBytesMax) return true;
    return wrong_file("its pages have more than " + std::to_string(kHeldBytesMax >> 20) + " MiB together");
  }
  Parsed<std::string> unpack(const PageHeader& header, const std::string& stored) const {
    if (header.kind != PageKind::DataV2) return unpacked(chunk_.codec, stored, header.plain_bytes);
    const std::string_view values = std::string_view(stored).substr(header.level_bytes);
    MR_TRY(plain,
           unpacked(header.compressed ? chunk_.codec : 0, values, header.plain_bytes - header.level_bytes));
    return stored.substr(0, header.level_bytes) + plain;
  }

  const Column& column_;
  const Chunk chunk_;
  std::size_t& all_held_;
  std::size_t held_ = 0;  // of all_held_, by this one
  std::uint64_t at_, end_;
  std::int64_t left_ = 0;  // values of the page
  std::string text_;
  Dictionary dictionary_;
  Page page_;
  Entry entry_;
  bool known_ = false;
};

// Puts rows together from the entries of their columns (Dremel): a field's first column says what is there of
// it.
class RowWriter {
 public:
  // `row_bytes_max`: about; a few bytes of a file can stand for any number of nulls, or of long texts.
  RowWriter(Bytes& bytes, std::vector<ColumnCursor>& cursors, std::size_t row_bytes_max)
      : bytes_(bytes), cursors_(cursors), row_bytes_max_(row_bytes_max) {}

  Parsed<bool> write(const std::vector<Field>& fields, JsonWriter& out) {
    left_ = row_bytes_max_;
    out.begin_object();
    for (const Field& field : fields) {
      out.key(field.name);
      MR_DO(write_field(field, out));
    }
    out.end_object();
    for (ColumnCursor& cursor : cursors_) {
      if (cursor.column().repetition == 0) continue;
      MR_TRY(next, cursor.peek(bytes_));
      if (next && next->repetition > 0)
        return wrong_file("the column '" + cursor.column().name +
                          "' is damaged: its lists are longer than others");
    }
    return true;
  }

 private:
  Parsed<const Entry*> entry(std::size_t column) {
    MR_TRY(found, cursors_[column].peek(bytes_));
    if (!found)
      return wrong_file("the column '" + cursors_[column].column().name + "' has fewer values than rows");
    return found;
  }
  Parsed<bool> count(std::size_t bytes) {
    if (bytes > left_) return wrong_file("a row has more than " + std::to_string(row_bytes_max_) + " bytes");
    left_ -= bytes;
    return true;
  }
  Parsed<bool> take(std::size_t column) {
    MR_TRY(taken, entry(column));
    const auto* text = std::get_if<std::string_view>(&taken->cell);
    MR_DO(count(text ? text->size() + 1 : 1));
    cursors_[column].take();
    return true;
  }
  // One entry of each column below the field stands for what is not there.
  Parsed<bool> pass_over(const Field& field) {
    for (std::size_t i = field.first; i < field.first + field.columns; ++i) {
      MR_DO(entry(i));
      cursors_[i].take();
    }
    return count(1);
  }

  Parsed<bool> write_field(const Field& field, JsonWriter& out) {
    MR_TRY(first, entry(field.first));
    if (field.kind == Field::Kind::Value) {
      if (first->definition < field.definition)
        out.null();
      else
        write_cell(out, cursors_[field.first].column(), first->cell);
      return take(field.first);
    }
    if (first->definition < field.definition) {
      out.null();
      return pass_over(field);
    }
    if (field.kind == Field::Kind::Object) return write_object(field, out);
    const bool object = field.kind == Field::Kind::Map &&
                        cursors_[field.first].column().meaning == Meaning::Text &&
                        field.children[0].kind == Field::Kind::Value;
    const bool empty = first->definition == field.definition;
    object ? out.begin_object() : out.begin_array();
    if (empty) {
      MR_DO(pass_over(field));
    } else {
      for (bool more = true; more;) {
        MR_DO(field.kind == Field::Kind::List ? write_field(field.children[0], out)
                                              : write_entry(field, object, out));
        MR_TRY(next, cursors_[field.first].peek(bytes_));
        more = next && next->repetition == field.repetition;
      }
    }
    object ? out.end_object() : out.end_array();
    return true;
  }
  Parsed<bool> write_object(const Field& field, JsonWriter& out) {
    out.begin_object();
    for (const Field& member : field.children) {
      out.key(member.name);
      MR_DO(write_field(member, out));
    }
    out.end_object();
    return true;
  }
  // Of a map: a member named by its key, or {"key", "value"} where keys are no texts.
  Parsed<bool> write_entry(const Field& map, bool object, JsonWriter& out) {
    if (!object) return write_object(map, out);
    MR_TRY(key, entry(map.first));
    const auto* text = std::get_if<std::string_view>(&key->cell);
    out.key(text ? *text : std::string_view());
    MR_DO(take(map.first));
    return write_field(map.children[1], out);
  }

  Bytes& bytes_;
  std::vector<ColumnCursor>& cursors_;
  const std::size_t row_bytes_max_;
  std::size_t left_ = 0;
};

class ParquetItems final : public ItemReader {
 public:
  ParquetItems(std::unique_ptr<ByteReader> reader, std::string name, std::size_t item_bytes_max)
      : bytes_(std::move(reader)), name_(std::move(name)), item_bytes_max_(item_bytes_max) {}

  tl::expected<std::optional<Item>, Failure> next() override {
    auto row = next_row();
    if (!row) return reader_failed("The Parquet file " + name_ + " can't be read: " + row.error() + ".");
    return std::move(*row);
  }

 private:
  Parsed<std::optional<Item>> next_row() {
    if (!file_) {
      MR_TRY(file, read_file(bytes_));
      file_ = std::move(file);
    }
    while (rows_left_ == 0) {
      if (group_ == file_->groups.size()) return std::optional<Item>();
      begin_group(file_->groups[group_++]);
    }
    --rows_left_;
    JsonWriter out;
    MR_DO(RowWriter(bytes_, cursors_, item_bytes_max_).write(file_->fields, out));
    Payload item = out.finish();
    if (item.size() > item_bytes_max_)
      return wrong_file("a row has more than " + std::to_string(item_bytes_max_) + " bytes");
    return std::optional<Item>(Item{std::move(item)});
  }
  void begin_group(const RowGroup& group) {
    rows_left_ = group.rows;
    cursors_.clear();
    held_ = 0;
    for (std::size_t i = 0; i < file_->columns.size(); ++i)
      cursors_.emplace_back(file_->columns[i], group.chunks[i], held_);
  }

  Bytes bytes_;
  const std::string name_;
  const std::size_t item_bytes_max_;
  std::optional<File> file_;
  std::size_t group_ = 0;
  std::int64_t rows_left_ = 0;
  std::size_t held_ = 0;  // bytes of pages and dictionaries
  std::vector<ColumnCursor> cursors_;
};

}  // namespace

std::unique_ptr<ItemReader> read_parquet(std::unique_ptr<ByteReader> reader, std::string name,
                                         std::size_t item_bytes_max) {
  return std::make_unique<ParquetItems>(std::move(reader), std::move(name), item_bytes_max);
}

}  // namespace millrace::orchestrator
