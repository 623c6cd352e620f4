#include "orchestrator/maps/parquet_pages.h"

#include <snappy.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/result.h"

namespace millrace::orchestrator::parquet {
namespace {

static_assert(std::endian::native == std::endian::little, "Parquet's numbers are read as they stand");

tl::unexpected<std::string> wrong(std::string words) {
  return tl::unexpected<std::string>(std::move(words));
}

template <class T>
T number_at(std::string_view bytes) {
  T value;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

std::string codec_name(std::int32_t codec) {
  static constexpr std::string_view kNames[] = {"UNCOMPRESSED", "SNAPPY", "GZIP", "LZO",
                                                "BROTLI",       "LZ4",    "ZSTD", "LZ4_RAW"};
  if (codec < 0 || codec >= static_cast<std::int32_t>(std::size(kNames))) return std::to_string(codec);
  return std::string(kNames[codec]);
}

std::string encoding_name(std::int32_t encoding) {
  static constexpr std::string_view kNames[] = {"PLAIN",
                                                "",
                                                "PLAIN_DICTIONARY",
                                                "RLE",
                                                "BIT_PACKED",
                                                "DELTA_BINARY_PACKED",
                                                "DELTA_LENGTH_BYTE_ARRAY",
                                                "DELTA_BYTE_ARRAY",
                                                "RLE_DICTIONARY",
                                                "BYTE_STREAM_SPLIT"};
  if (encoding < 0 || encoding >= static_cast<std::int32_t>(std::size(kNames)))
    return std::to_string(encoding);
  return std::string(kNames[encoding]);
}

bool inflate_all(std::string_view stored, std::string& out) {
  z_stream stream{};
  if (inflateInit2(&stream, 15 + 32) != Z_OK) return false;  // gzip or zlib
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(stored.data()));
  stream.avail_in = static_cast<uInt>(stored.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  int code = inflate(&stream, Z_FINISH);
  while (code == Z_STREAM_END && stream.avail_in > 0 && stream.avail_out > 0) {  // another member follows
    if (inflateReset(&stream) != Z_OK) break;
    code = inflate(&stream, Z_FINISH);
  }
  const bool whole = code == Z_STREAM_END && stream.avail_out == 0;
  inflateEnd(&stream);
  return whole;
}

bool unsnap(std::string_view stored, std::string& out) {
  std::size_t bytes = 0;
  return snappy::GetUncompressedLength(stored.data(), stored.size(), &bytes) && bytes == out.size() &&
         snappy::RawUncompress(stored.data(), stored.size(), out.data());
}

constexpr std::int64_t kDictionaryValuesMax = 1 << 22;
constexpr std::int32_t kPlain = 0, kPlainDictionary = 2, kRle = 3, kRleDictionary = 8;

// A length of four bytes, and so many bytes.
Parsed<std::string_view> take_measured(std::string_view& bytes) {
  if (bytes.size() < 4) return wrong("a page is cut off");
  const auto size = number_at<std::uint32_t>(bytes);
  bytes.remove_prefix(4);
  if (size > bytes.size()) return wrong("a page is cut off");
  const std::string_view taken = bytes.substr(0, size);
  bytes.remove_prefix(size);
  return taken;
}

}  // namespace

Parsed<std::string> unpacked(std::int32_t codec, std::string_view stored, std::size_t plain_bytes) {
  if (plain_bytes > kPageBytesMax || stored.size() > kPageBytesMax)
    return wrong("a page has more than " + std::to_string(kPageBytesMax >> 20) + " MiB");
  if (codec == 0) return std::string(stored);
  std::string out(plain_bytes, '\0');
  bool good = plain_bytes == 0;
  switch (codec) {
    case 1:
      good = good || unsnap(stored, out);
      break;
    case 2:
      good = good || inflate_all(stored, out);
      break;
    case 6:
      good = good || ZSTD_decompress(out.data(), out.size(), stored.data(), stored.size()) == out.size();
      break;
    default:
      return wrong("the compression " + codec_name(codec) +
                   " is not supported; UNCOMPRESSED, SNAPPY, GZIP and ZSTD are");
  }
  if (!good) return wrong("a compressed page is damaged");
  return out;
}

Parsed<std::string_view> PlainValues::take(std::size_t bytes) {
  if (bytes > bytes_.size()) return wrong("a page is cut off");
  const std::string_view taken = bytes_.substr(0, bytes);
  bytes_.remove_prefix(bytes);
  return taken;
}

Parsed<Cell> PlainValues::next() {
  switch (type_) {
    case Type::Boolean: {
      if (bytes_.empty()) return wrong("a page is cut off");
      const bool value = (static_cast<unsigned char>(bytes_.front()) >> bit_ & 1) != 0;
      if (++bit_ == 8) {
        bit_ = 0;
        bytes_.remove_prefix(1);
      }
      return Cell(value);
    }
    case Type::Int32: {
      MR_TRY(bytes, take(4));
      return Cell(std::int64_t{number_at<std::int32_t>(bytes)});
    }
    case Type::Int64: {
      MR_TRY(bytes, take(8));
      return Cell(number_at<std::int64_t>(bytes));
    }
    case Type::Float: {
      MR_TRY(bytes, take(4));
      return Cell(number_at<float>(bytes));
    }
    case Type::Double: {
      MR_TRY(bytes, take(8));
      return Cell(number_at<double>(bytes));
    }
    case Type::Int96: {
      MR_TRY(bytes, take(12));
      return Cell(bytes);
    }
    case Type::FixedBytes: {
      MR_TRY(bytes, take(static_cast<std::size_t>(length_)));
      return Cell(bytes);
    }
    case Type::Bytes: {
      MR_TRY(bytes, take_measured(bytes_));
      return Cell(bytes);
    }
  }
  return wrong("a column is of an unknown type");
}

Parsed<bool> Runs::begin_run() {
  std::uint64_t head = 0;
  for (int shift = 0;; shift += 7) {
    if (bytes_.empty() || shift > 56) return wrong("a page is cut off");
    const auto part = static_cast<unsigned char>(bytes_.front());
    bytes_.remove_prefix(1);
    head |= static_cast<std::uint64_t>(part & 0x7F) << shift;
    if ((part & 0x80) == 0) break;
  }
  packed_ = (head & 1) != 0;
  left_ = head >> 1;
  if (packed_) {
    if (left_ > kPageBytesMax) return wrong("a page is cut off");
    const std::uint64_t wanted = left_ * static_cast<std::uint64_t>(width_);  // groups of eight
    left_ *= 8;
    const auto bytes = static_cast<std::size_t>(std::min<std::uint64_t>(wanted, bytes_.size()));
    bits_ = bytes_.substr(0, bytes);  // the last group may be cut short
    bit_ = 0;
    bytes_.remove_prefix(bytes);
    return true;
  }
  const auto bytes = static_cast<std::size_t>((width_ + 7) / 8);
  if (bytes_.size() < bytes) return wrong("a page is cut off");
  value_ = 0;
  for (std::size_t i = 0; i < bytes; ++i)
    value_ |= static_cast<std::uint32_t>(static_cast<unsigned char>(bytes_[i])) << (8 * i);
  bytes_.remove_prefix(bytes);
  return true;
}

Parsed<std::uint32_t> Runs::next() {
  if (width_ == 0) return 0u;
  while (left_ == 0) MR_DO(begin_run());
  --left_;
  if (!packed_) return value_;
  std::uint32_t value = 0;
  for (int i = 0; i < width_; ++i, ++bit_) {
    const auto byte = static_cast<std::size_t>(bit_ / 8);
    if (byte >= bits_.size()) return wrong("a page is cut off");
    value |= static_cast<std::uint32_t>(static_cast<unsigned char>(bits_[byte]) >> (bit_ % 8) & 1) << i;
  }
  return value;
}

Parsed<std::vector<Cell>> dictionary_values(const Column& column, const PageHeader& header,
                                            std::string_view bytes) {
  if (header.encoding != kPlain && header.encoding != kPlainDictionary)
    return wrong("the encoding " + encoding_name(header.encoding) + " of a dictionary is not supported");
  if (column.type == Type::Boolean) return wrong("a dictionary of booleans is not supported");
  if (header.values > kDictionaryValuesMax)
    return wrong("a dictionary has more than " + std::to_string(kDictionaryValuesMax) + " values");
  std::vector<Cell> values;
  PlainValues plain(column, bytes);
  for (std::int64_t i = 0; i < header.values; ++i) {
    MR_TRY(value, plain.next());
    values.push_back(value);
  }
  return values;
}

static Parsed<std::string_view> take_levels(std::int32_t encoding, std::string_view& bytes) {
  if (encoding != kRle)
    return wrong("levels of the encoding " + encoding_name(encoding) + " are not supported");
  return take_measured(bytes);
}

Parsed<Page> Page::open(const Column& column, const PageHeader& header, std::string_view bytes,
                        const std::vector<Cell>& dictionary) {
  Page page;
  page.dictionary_ = &dictionary;
  page.definition_ = column.definition;
  const int repetition_width = std::bit_width(column.repetition),
            definition_width = std::bit_width(column.definition);
  if (header.kind == PageKind::DataV2) {
    if (header.level_bytes > bytes.size()) return wrong("a page is cut off");
    if (header.repetition_bytes > 0 && column.repetition == 0)
      return wrong("a page of a column without lists has levels of repetition");
    const std::string_view levels = bytes.substr(0, header.level_bytes);
    page.repetitions_ = Runs(levels.substr(0, header.repetition_bytes), repetition_width);
    page.definitions_ = Runs(levels.substr(header.repetition_bytes), definition_width);
    bytes.remove_prefix(header.level_bytes);
  } else {
    if (column.repetition > 0) {
      MR_TRY(levels, take_levels(header.repetition_encoding, bytes));
      page.repetitions_ = Runs(levels, repetition_width);
    }
    if (column.definition > 0) {
      MR_TRY(levels, take_levels(header.level_encoding, bytes));
      page.definitions_ = Runs(levels, definition_width);
    }
  }
  if (header.encoding == kPlain) {
    page.plain_ = PlainValues(column, bytes);
  } else if (header.encoding == kPlainDictionary || header.encoding == kRleDictionary) {
    page.how_ = Values::Dictionary;
    if (!bytes.empty()) {  // a page of nulls alone may have none
      const int width = static_cast<unsigned char>(bytes.front());
      if (width > 32) return wrong("a page is damaged: its numbers have more than 32 bits");
      page.runs_ = Runs(bytes.substr(1), width);
    }
  } else if (header.encoding == kRle && column.type == Type::Boolean) {
    page.how_ = Values::Booleans;
    MR_TRY(runs, take_measured(bytes));
    page.runs_ = Runs(runs, 1);
  } else {
    return wrong(
        "the encoding " + encoding_name(header.encoding) +
        " is not supported; PLAIN and dictionaries are (write the file with dictionaries, or without "
        "delta encodings)");
  }
  return page;
}

Parsed<Entry> Page::next() {
  MR_TRY(repetition, repetitions_.next());
  MR_TRY(definition, definitions_.next());
  if (definition > definition_) return wrong("a page is damaged: its levels are too high");
  Entry entry{repetition, definition};
  if (definition == definition_) {
    MR_TRY(cell, value());
    entry.cell = cell;
  }
  return entry;
}

Parsed<Cell> Page::value() {
  if (how_ == Values::Plain) return plain_.next();
  MR_TRY(number, runs_.next());
  if (how_ == Values::Booleans) return Cell(number != 0);
  if (number >= dictionary_->size()) return wrong("a page names a value that its dictionary lacks");
  return (*dictionary_)[number];
}

}  // namespace millrace::orchestrator::parquet
