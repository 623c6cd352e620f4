#include "orchestrator/maps/parquet_format.h"

#include <algorithm>
#include <optional>

#include "base/result.h"

namespace millrace::orchestrator::parquet {
namespace {

constexpr int kDepthMax = 32;

// The field types of the compact protocol.
enum Wire {
  kStop = 0,
  kTrue = 1,
  kFalse = 2,
  kByte = 3,
  kI16 = 4,
  kI32 = 5,
  kI64 = 6,
  kDouble = 7,
  kBinary = 8,
  kList = 9,
  kSet = 10,
  kMap = 11,
  kStruct = 12
};

class Thrift {
 public:
  explicit Thrift(std::string_view bytes) : bytes_(bytes) {}

  bool cut_off() const { return cut_off_; }  // it goes on behind the bytes
  bool failed() const { return failed_ || cut_off_; }
  std::size_t position() const { return at_; }

  // field(id, wire type) reads the value and answers true, or answers false for it to be passed over.
  template <class Field>
  void fields(const Field& field) {
    if (++depth_ > kDepthMax) failed_ = true;
    std::int64_t id = 0;
    while (!failed()) {
      const int head = byte();
      const int wire = head & 0xF;
      if (failed() || wire == kStop) break;
      const int delta = head >> 4;
      id = delta != 0 ? id + delta : whole();
      if (id < 0 || id > INT16_MAX) failed_ = true;
      if (failed()) break;
      if (!field(static_cast<int>(id), wire)) skip(wire);
    }
    --depth_;
  }
  template <class Element>
  void list(const Element& element) {
    const int head = byte();
    std::uint64_t count = static_cast<std::uint64_t>(head) >> 4;
    if (count == 15) count = varint();
    const int wire = head & 0xF;
    for (; count > 0 && !failed(); --count) element(wire);
  }
  std::int64_t whole() {
    const std::uint64_t coded = varint();
    return static_cast<std::int64_t>(coded >> 1) ^ -static_cast<std::int64_t>(coded & 1);
  }
  std::int32_t small() {
    const std::int64_t value = whole();
    if (value < INT32_MIN || value > INT32_MAX) failed_ = true;
    return static_cast<std::int32_t>(value);
  }
  std::string_view text() {
    const std::uint64_t size = varint();
    if (size > bytes_.size() - at_) cut_off_ = true;
    if (failed()) return {};
    at_ += static_cast<std::size_t>(size);
    return bytes_.substr(at_ - static_cast<std::size_t>(size), static_cast<std::size_t>(size));
  }
  int byte() {
    if (at_ >= bytes_.size()) cut_off_ = true;
    return failed() ? 0 : static_cast<unsigned char>(bytes_[at_++]);
  }
  void skip(int wire) {
    switch (wire) {
      case kTrue:
      case kFalse:
        return;
      case kByte:
        byte();
        return;
      case kI16:
      case kI32:
      case kI64:
        varint();
        return;
      case kDouble:
        for (int i = 0; i < 8; ++i) byte();
        return;
      case kBinary:
        text();
        return;
      case kList:
      case kSet:
        list([&](int element) { skip_element(element); });
        return;
      case kMap: {
        std::uint64_t count = varint();
        const int kinds = count > 0 ? byte() : 0;
        for (; count > 0 && !failed(); --count) {
          skip_element(kinds >> 4);
          skip_element(kinds & 0xF);
        }
        return;
      }
      case kStruct:
        fields([](int, int) { return false; });
        return;
      default:
        failed_ = true;
    }
  }

 private:
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto part = static_cast<std::uint64_t>(byte());
      value |= (part & 0x7F) << shift;
      if ((part & 0x80) == 0) return value;
    }
    failed_ = true;
    return 0;
  }
  void skip_element(int wire) {
    if (wire == kTrue || wire == kFalse) {
      byte();
    } else if (++depth_ > kDepthMax) {
      failed_ = true;
    } else {
      skip(wire);
      --depth_;
    }
  }

  std::string_view bytes_;
  std::size_t at_ = 0;
  int depth_ = 0;
  bool failed_ = false, cut_off_ = false;
};

// ---- the schema

constexpr std::int32_t kMapType = 1, kMapEntriesType = 2,
                       kListType = 3;  // of groups, as older files have them

struct Element {
  std::optional<std::int32_t> type, repetition, children, converted;
  std::int32_t length = 0, scale = 0;
  std::string name;
  Meaning logical = Meaning::Plain;
  bool has_logical = false;
  std::int32_t logical_scale = 0;
  bool with_zone = true;
};

// TIME and TIMESTAMP: {1: isAdjustedToUTC, 2: unit}, the unit one of three empty structs.
void read_time(Thrift& in, Element& element) {
  in.fields([&](int id, int wire) {
    if (id == 1 && (wire == kTrue || wire == kFalse)) {
      element.with_zone = wire == kTrue;
      return true;
    }
    if (id != 2 || wire != kStruct) return false;
    in.fields([&](int unit, int kind) {
      element.logical_scale = unit * 3;
      in.skip(kind);
      return true;
    });
    return true;
  });
}

void read_logical_type(Thrift& in, Element& element) {
  in.fields([&](int id, int wire) {
    if (wire != kStruct) return false;
    element.has_logical = true;
    switch (id) {
      case 1:   // STRING
      case 4:   // ENUM
      case 12:  // JSON
        element.logical = Meaning::Text;
        return false;
      case 2:
      case 3:
        element.converted = id == 2 ? kMapType : kListType;
        return false;
      case 5:
        element.logical = Meaning::Decimal;
        in.fields([&](int field, int) {
          if (field == 1) element.logical_scale = in.small();
          return field == 1;
        });
        return true;
      case 6:
        element.logical = Meaning::Date;
        return false;
      case 7:
      case 8:
        element.logical = id == 7 ? Meaning::Time : Meaning::Timestamp;
        read_time(in, element);
        return true;
      case 10:
        in.fields([&](int field, int kind) {
          if (field == 2 && kind == kFalse) element.logical = Meaning::Unsigned;
          return false;
        });
        return true;
      case 14:
        element.logical = Meaning::Uuid;
        return false;
      default:
        return false;
    }
  });
}

Element read_element(Thrift& in) {
  Element element;
  in.fields([&](int id, int wire) {
    if (id == 4 && wire == kBinary) {
      element.name = in.text();
    } else if (id == 10 && wire == kStruct) {
      read_logical_type(in, element);
    } else if (wire != kI32) {
      return false;
    } else if (id == 1) {
      element.type = in.small();
    } else if (id == 2) {
      element.length = in.small();
    } else if (id == 3) {
      element.repetition = in.small();
    } else if (id == 5) {
      element.children = in.small();
    } else if (id == 6) {
      element.converted = in.small();
    } else if (id == 7) {
      element.scale = in.small();
    } else {
      return false;
    }
    return true;
  });
  return element;
}

// What older files have instead of a logical type.
void read_converted_type(Element& element) {
  if (element.has_logical || !element.converted) return;
  struct Known {
    std::int32_t number;
    Meaning meaning;
    std::int32_t scale;
  };
  static constexpr Known kKnown[] = {
      {0, Meaning::Text, 0},       {4, Meaning::Text, 0},      {6, Meaning::Date, 0},
      {7, Meaning::Time, 3},       {8, Meaning::Time, 6},      {9, Meaning::Timestamp, 3},
      {10, Meaning::Timestamp, 6}, {11, Meaning::Unsigned, 0}, {12, Meaning::Unsigned, 0},
      {13, Meaning::Unsigned, 0},  {14, Meaning::Unsigned, 0}, {19, Meaning::Text, 0}};
  for (const Known& known : kKnown) {
    if (known.number != *element.converted) continue;
    element.logical = known.meaning;
    element.logical_scale = known.scale;
  }
  if (*element.converted == 5) {
    element.logical = Meaning::Decimal;
    element.logical_scale = element.scale;
  }
}

// Whether values of the type can mean that.
bool fits(const Column& column) {
  constexpr std::int32_t kDecimalBytesMax = 16, kDecimalDigitsMax = 38;
  const bool whole = column.type == Type::Int32 || column.type == Type::Int64;
  const bool bytes = column.type == Type::Bytes || column.type == Type::FixedBytes;
  switch (column.meaning) {
    case Meaning::Plain:
      return true;
    case Meaning::Text:
      return bytes;
    case Meaning::Date:
      return column.type == Type::Int32;
    case Meaning::Time:
    case Meaning::Timestamp:
      return whole && column.scale >= 3 && column.scale <= 9;
    case Meaning::Unsigned:
      return whole;
    case Meaning::Uuid:
      return column.type == Type::FixedBytes && column.length == 16;
    case Meaning::Decimal:
      return (whole || bytes) && column.length <= kDecimalBytesMax && column.scale >= 0 &&
             column.scale <= kDecimalDigitsMax;
  }
  return false;
}

Parsed<Column> column_of(Element element, std::string name) {
  const std::string named = "the column '" + name + "'";
  if (*element.type < 0 || *element.type > static_cast<std::int32_t>(Type::FixedBytes))
    return tl::unexpected<std::string>(named + " is of an unknown type");
  read_converted_type(element);
  Column column;
  column.name = std::move(name);
  column.type = static_cast<Type>(*element.type);
  column.meaning = element.logical;
  column.scale = element.logical_scale;
  column.with_zone = element.with_zone;
  if (column.type == Type::FixedBytes) column.length = element.length;
  if (column.type == Type::FixedBytes && column.length <= 0)
    return tl::unexpected<std::string>(named + " has values of no length");
  if (!fits(column)) column.meaning = Meaning::Plain;
  return column;
}

// The tree of fields, of the flat list in which each group is followed by what is inside. Source:
// parquet-format, LogicalTypes.md, "Lists", "Maps" and their rules for older files; Dremel's levels.
class SchemaReader {
 public:
  explicit SchemaReader(std::vector<Element> schema) : schema_(std::move(schema)) {}

  Parsed<bool> read(File& file) {
    if (schema_.empty()) return damaged("it has no schema");
    const std::int32_t fields = schema_[0].children.value_or(0);
    at_ = 1;
    for (std::int32_t i = 0; i < fields; ++i) {
      MR_TRY(field, read_field({}, {}));
      file.fields.push_back(std::move(field));
    }
    if (at_ != schema_.size()) return damaged("the schema's columns are not as many as it says");
    file.columns = std::move(columns_);
    return true;
  }

 private:
  struct Levels {
    int definition = 0, repetition = 0, depth = 0;
    Levels deeper(int more_definition, int more_repetition) const {
      return {definition + more_definition, repetition + more_repetition, depth + 1};
    }
  };

  static tl::unexpected<std::string> damaged(const std::string& why) {
    return tl::unexpected<std::string>("the footer is damaged: " + why);
  }
  std::string path_of(const std::string& outer, const std::string& name) const {
    return outer.empty() ? name : outer + "." + name;
  }
  bool is_repeated(std::size_t at) const {
    return at < schema_.size() && schema_[at].repetition.value_or(0) == 2;
  }
  bool is_group(std::size_t at) const { return at < schema_.size() && schema_[at].children.value_or(0) > 0; }

  // The field that begins here. One that is repeated by itself is a list that is never null.
  Parsed<Field> read_field(const std::string& outer, Levels levels) {
    if (at_ >= schema_.size()) return damaged("the schema's columns are not as many as it says");
    if (levels.depth > kDepthMax)
      return tl::unexpected<std::string>("its columns are inside each other more than " +
                                         std::to_string(kDepthMax) + " deep");
    const std::int32_t how = schema_[at_].repetition.value_or(0);
    if (how < 0 || how > 2) return damaged("the schema has a field of an unknown repetition");
    if (how == 2)
      return list_of(schema_[at_].name, levels, [&] { return read_body(outer, levels.deeper(1, 1)); });
    return read_body(outer, levels.deeper(how, 0));
  }

  template <class ReadElement>
  Parsed<Field> list_of(std::string name, Levels levels, const ReadElement& read_element) {
    Field list;
    list.kind = Field::Kind::List;
    list.name = std::move(name);
    list.first = columns_.size();
    list.definition = static_cast<std::uint8_t>(levels.definition);
    list.repetition = static_cast<std::uint8_t>(levels.repetition + 1);
    MR_TRY(element, read_element());
    list.children.push_back(std::move(element));
    list.columns = columns_.size() - list.first;
    return list;
  }

  // What is here, whether or not it may be missing or comes several times: `levels` are those of one that is
  // there.
  Parsed<Field> read_body(const std::string& outer, Levels levels) {
    const std::size_t here = at_;
    const std::string path = path_of(outer, schema_[here].name);
    if (!is_group(here)) return read_value(path, levels);
    const std::int32_t kind = schema_[here].converted.value_or(-1);
    const bool alone = *schema_[here].children == 1 && is_repeated(here + 1);
    if (kind == kListType && alone) return read_list(path, levels);
    const bool entries = alone && is_group(here + 1) && *schema_[here + 1].children == 2;
    if ((kind == kMapType || kind == kMapEntriesType) && entries) return read_map(path, levels);
    ++at_;
    return read_members(Field::Kind::Object, schema_[here].name, *schema_[here].children, path, levels);
  }

  Parsed<Field> read_value(const std::string& path, Levels levels) {
    if (!schema_[at_].type) return damaged("the column '" + path + "' has no type");
    Field field;
    field.name = schema_[at_].name;
    field.definition = static_cast<std::uint8_t>(levels.definition);
    field.first = columns_.size();
    MR_TRY(column, column_of(std::move(schema_[at_]), path));
    ++at_;
    column.definition = static_cast<std::uint8_t>(levels.definition);
    column.repetition = static_cast<std::uint8_t>(levels.repetition);
    columns_.push_back(std::move(column));
    return field;
  }

  Parsed<Field> read_members(Field::Kind kind, std::string name, std::int32_t count, const std::string& path,
                             Levels levels) {
    Field field;
    field.kind = kind;
    field.name = std::move(name);
    field.definition = static_cast<std::uint8_t>(levels.definition);
    field.first = columns_.size();
    for (std::int32_t i = 0; i < count; ++i) {
      MR_TRY(member, read_field(path, levels));
      field.children.push_back(std::move(member));
    }
    field.columns = columns_.size() - field.first;
    return field;
  }

  // A group with a repeated field inside: its elements are what is in that field, if this has one member and
  // no name that older writers gave to elements themselves.
  Parsed<Field> read_list(const std::string& path, Levels levels) {
    const std::string name = schema_[at_].name;
    const Element& inner = schema_[++at_];
    const bool itself = inner.children.value_or(0) != 1 || inner.name == "array" ||
                        inner.name == name + "_tuple" || inner.converted.value_or(-1) == kListType ||
                        inner.converted.value_or(-1) == kMapType || is_repeated(at_ + 1);
    return list_of(name, levels, [&]() -> Parsed<Field> {
      if (itself) return read_body(path, levels.deeper(1, 1));
      const std::string below = path_of(path, schema_[at_++].name);
      return read_field(below, levels.deeper(1, 1));
    });
  }

  Parsed<Field> read_map(const std::string& path, Levels levels) {
    const std::string name = schema_[at_].name, below = path_of(path, schema_[at_ + 1].name);
    at_ += 2;
    MR_TRY(map, read_members(Field::Kind::Map, name, 2, below, levels.deeper(1, 1)));
    map.definition = static_cast<std::uint8_t>(levels.definition);
    map.repetition = static_cast<std::uint8_t>(levels.repetition + 1);
    return map;
  }

  std::vector<Element> schema_;
  std::size_t at_ = 0;
  std::vector<Column> columns_;
};

// ---- row groups

struct StoredChunk {
  Chunk chunk;
  std::optional<std::int64_t> data, dictionary;
  std::int64_t bytes = -1;
  bool elsewhere = false, encrypted = false;
};

void read_chunk_data(Thrift& in, StoredChunk& stored) {
  in.fields([&](int id, int wire) {
    if (id == 4 && wire == kI32) {
      stored.chunk.codec = in.small();
    } else if (wire != kI64) {
      return false;
    } else if (id == 5) {
      stored.chunk.values = in.whole();
    } else if (id == 7) {
      stored.bytes = in.whole();
    } else if (id == 9) {
      stored.data = in.whole();
    } else if (id == 11) {
      stored.dictionary = in.whole();
    } else {
      return false;
    }
    return true;
  });
}

StoredChunk read_chunk(Thrift& in) {
  StoredChunk stored;
  in.fields([&](int id, int wire) {
    if (id == 1) stored.elsewhere = true;
    if (id == 8 || id == 9) stored.encrypted = true;
    if (id != 3 || wire != kStruct) return false;
    read_chunk_data(in, stored);
    return true;
  });
  return stored;
}

Parsed<Chunk> chunk_of(const StoredChunk& stored, std::uint64_t file_bytes) {
  if (stored.encrypted) return tl::unexpected<std::string>("the file is encrypted, which is not supported");
  if (stored.elsewhere)
    return tl::unexpected<std::string>("its columns stand in other files, which is not supported");
  Chunk chunk = stored.chunk;
  std::int64_t begin = stored.data.value_or(-1);
  if (stored.dictionary && *stored.dictionary > 0) begin = std::min(begin, *stored.dictionary);
  if (begin < 0 || stored.bytes < 0 || chunk.values < 0 || static_cast<std::uint64_t>(begin) > file_bytes ||
      static_cast<std::uint64_t>(stored.bytes) > file_bytes - static_cast<std::uint64_t>(begin))
    return tl::unexpected<std::string>("the footer is damaged: a column stands outside of the file");
  chunk.offset = static_cast<std::uint64_t>(begin);
  chunk.bytes = static_cast<std::uint64_t>(stored.bytes);
  return chunk;
}

struct StoredGroup {
  std::int64_t rows = 0;
  std::vector<StoredChunk> chunks;
};

StoredGroup read_group(Thrift& in) {
  StoredGroup group;
  in.fields([&](int id, int wire) {
    if (id == 3 && wire == kI64) {
      group.rows = in.whole();
      return true;
    }
    if (id != 1 || wire != kList) return false;
    in.list([&](int element) {
      if (element == kStruct) return group.chunks.push_back(read_chunk(in));
      in.skip(element);
    });
    return true;
  });
  return group;
}

}  // namespace

Parsed<File> parse_footer(std::string_view bytes, std::uint64_t file_bytes) {
  Thrift in(bytes);
  std::vector<Element> schema;
  std::vector<StoredGroup> groups;
  in.fields([&](int id, int wire) {
    if (wire != kList || (id != 2 && id != 4)) return false;
    in.list([&](int element) {
      if (element != kStruct) return in.skip(element);
      if (id == 2) {
        schema.push_back(read_element(in));
      } else {
        groups.push_back(read_group(in));
      }
    });
    return true;
  });
  if (in.failed()) return tl::unexpected<std::string>("the footer is damaged");
  File file;
  MR_DO(SchemaReader(std::move(schema)).read(file));
  for (const StoredGroup& stored : groups) {
    RowGroup group;
    group.rows = stored.rows;
    if (stored.rows < 0 || stored.chunks.size() != file.columns.size())
      return tl::unexpected<std::string>("the footer is damaged: a row group lacks columns");
    for (const StoredChunk& one : stored.chunks) {
      auto chunk = chunk_of(one, file_bytes);
      if (!chunk) return tl::unexpected<std::string>(chunk.error());
      const bool listed = file.columns[group.chunks.size()].repetition > 0;
      if (!listed && chunk->values != group.rows)
        return tl::unexpected<std::string>(
            "the footer is damaged: a column has another number of values than rows");
      group.chunks.push_back(*chunk);
    }
    file.groups.push_back(std::move(group));
  }
  return file;
}

Parsed<bool> parse_page_header(std::string_view bytes, PageHeader& header) {
  header = {};
  Thrift in(bytes);
  std::int32_t kind = -1, plain = -1, stored = -1;
  std::int64_t definition_bytes = 0, repetition_bytes = 0;
  const auto details = [&](int id, int wire) {  // of a page of any kind
    const bool second = kind == static_cast<std::int32_t>(PageKind::DataV2);
    if (second && id == 7 && (wire == kTrue || wire == kFalse)) {
      header.compressed = wire == kTrue;
      return true;
    }
    if (wire != kI32) return false;
    const std::int32_t value = in.small();
    if (id == 1) header.values = value;
    if (id == (second ? 4 : 2)) header.encoding = value;
    if (!second && id == 3) header.level_encoding = value;
    if (!second && id == 4) header.repetition_encoding = value;
    if (second && id == 5) definition_bytes = value;
    if (second && id == 6) repetition_bytes = value;
    return true;
  };
  in.fields([&](int id, int wire) {
    if (wire == kI32 && id >= 1 && id <= 3) {
      (id == 1 ? kind : id == 2 ? plain : stored) = in.small();
      return true;
    }
    if (wire != kStruct || (id != 5 && id != 7 && id != 8)) return false;
    in.fields(details);
    return true;
  });
  if (in.cut_off()) return false;
  if (in.failed() || kind < 0 || kind > 3 || plain < 0 || stored < 0 || header.values < 0 ||
      definition_bytes < 0 || repetition_bytes < 0 ||
      definition_bytes + repetition_bytes > std::min(plain, stored))
    return tl::unexpected<std::string>("the header of a page is damaged");
  header.kind = static_cast<PageKind>(kind);
  header.header_bytes = in.position();
  header.plain_bytes = static_cast<std::size_t>(plain);
  header.stored_bytes = static_cast<std::size_t>(stored);
  header.level_bytes = static_cast<std::size_t>(definition_bytes + repetition_bytes);
  header.repetition_bytes = static_cast<std::size_t>(repetition_bytes);
  return true;
}

}  // namespace millrace::orchestrator::parquet
