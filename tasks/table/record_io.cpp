#include "tasks/table/record_io.h"

#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>

#include "tasks/table/record_lines.h"

namespace millrace::tasks {
namespace {

constexpr std::uint32_t kFrameMagic = 0xced7230a;
constexpr std::size_t kFrameAlign = 4;

template <class T>
T little_endian(std::string_view bytes) {
  static_assert(std::endian::native == std::endian::little);
  T value;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

// The records of a file: parts are put together, as a record that holds the magic number is cut there.
class Frames {
 public:
  explicit Frames(std::string_view bytes) : rest_(bytes) {}

  // False at the end; nothing: the bytes are no frame.
  std::optional<bool> next(std::string& record) {
    if (rest_.empty()) return false;
    record.clear();
    for (bool more = false;;) {
      if (rest_.size() < 8 || little_endian<std::uint32_t>(rest_) != kFrameMagic) return std::nullopt;
      const auto head = little_endian<std::uint32_t>(rest_.substr(4));
      const std::uint32_t part = head >> 29;  // 0 whole, 1 first, 2 middle, 3 last
      const std::size_t length = head & 0x1fffffff;
      rest_.remove_prefix(8);
      if (length > rest_.size() || more != (part == 2 || part == 3) || part > 3) return std::nullopt;
      if (more) record.append(reinterpret_cast<const char*>(&kFrameMagic), sizeof kFrameMagic);
      record.append(rest_.substr(0, length));
      const std::size_t padded = (length + kFrameAlign - 1) / kFrameAlign * kFrameAlign;
      rest_.remove_prefix(std::min(padded, rest_.size()));
      more = part == 1 || part == 2;
      if (!more) return true;
    }
  }

 private:
  std::string_view rest_;
};

// The fields of a protobuf message.
class Fields {
 public:
  explicit Fields(std::string_view message) : rest_(message) {}

  enum Wire : std::uint8_t { Varint = 0, Eight = 1, Bytes = 2, Four = 5 };
  struct Field {
    std::uint64_t number = 0;
    Wire wire = Varint;
    std::string_view bytes;  // of all but Varint
    std::uint64_t value = 0;
  };
  // Nothing at the end, and when broken() says so.
  std::optional<Field> next() {
    if (rest_.empty() || broken_) return std::nullopt;
    const auto tag = varint();
    if (!tag) return std::nullopt;
    Field field;
    field.number = *tag >> 3;
    switch (*tag & 7) {
      case Varint: {
        const auto value = varint();
        if (!value) return std::nullopt;
        field.value = *value;
        return field;
      }
      case Eight:
        field.wire = Eight;
        return take(field, 8);
      case Bytes: {
        field.wire = Bytes;
        const auto length = varint();
        if (!length) return std::nullopt;
        return take(field, *length);
      }
      case Four:
        field.wire = Four;
        return take(field, 4);
      default:
        broken_ = true;
        return std::nullopt;
    }
  }
  bool broken() const { return broken_; }

  // A number of a packed list of them, too.
  std::optional<std::uint64_t> varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (rest_.empty()) break;
      const auto byte = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      value |= std::uint64_t{byte & 0x7fu} << shift;
      if (byte < 0x80) return value;
    }
    broken_ = true;
    return std::nullopt;
  }
  bool empty() const { return rest_.empty(); }

 private:
  std::optional<Field> take(Field field, std::uint64_t length) {
    if (length > rest_.size()) {
      broken_ = true;
      return std::nullopt;
    }
    field.bytes = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return field;
  }
  std::string_view rest_;
  bool broken_ = false;
};

enum class Element { Float32, Float64, Int32 };

struct Tensor {
  std::vector<double> values;
  std::vector<std::uint64_t> keys, shape;
};

bool add_whole_numbers(const Fields::Field& field, std::vector<std::uint64_t>& out) {
  if (field.wire == Fields::Varint) {
    out.push_back(field.value);
    return true;
  }
  if (field.wire != Fields::Bytes) return false;
  Fields packed(field.bytes);
  while (!packed.empty()) {
    const auto value = packed.varint();
    if (!value) return false;
    out.push_back(*value);
  }
  return true;
}

// `field` is one number, or packed ones.
bool add_numbers(const Fields::Field& field, Element element, std::vector<double>& out) {
  if (element == Element::Int32) {
    std::vector<std::uint64_t> whole;
    if (!add_whole_numbers(field, whole)) return false;
    for (const std::uint64_t value : whole) out.push_back(static_cast<std::int32_t>(value));
    return true;
  }
  const std::size_t width = element == Element::Float32 ? 4 : 8;
  if (field.wire == Fields::Varint || field.bytes.size() % width != 0) return false;
  for (std::size_t at = 0; at < field.bytes.size(); at += width) {
    const std::string_view bytes = field.bytes.substr(at, width);
    out.push_back(width == 4 ? static_cast<double>(little_endian<float>(bytes))
                             : little_endian<double>(bytes));
  }
  return true;
}

std::optional<Tensor> read_tensor(std::string_view message, Element element) {
  Tensor tensor;
  Fields fields(message);
  while (const auto field = fields.next()) {
    const bool good = field->number == 1   ? add_numbers(*field, element, tensor.values)
                      : field->number == 2 ? add_whole_numbers(*field, tensor.keys)
                      : field->number == 3 ? add_whole_numbers(*field, tensor.shape)
                                           : true;
    if (!good) return std::nullopt;
  }
  if (fields.broken()) return std::nullopt;
  return tensor;
}

// An entry of the maps `features` and `label`: its name and its tensor.
struct Entry {
  std::string_view name;
  std::optional<Tensor> tensor;  // nothing: bytes, such as a picture
};

std::optional<Entry> read_entry(std::string_view message) {
  Entry entry;
  Fields fields(message);
  while (const auto field = fields.next()) {
    if (field->number == 1 && field->wire == Fields::Bytes) entry.name = field->bytes;
    if (field->number != 2 || field->wire != Fields::Bytes) continue;
    Fields value(field->bytes);
    while (const auto one = value.next()) {
      if (one->wire != Fields::Bytes || (one->number != 2 && one->number != 3 && one->number != 7)) continue;
      entry.tensor = read_tensor(one->bytes, one->number == 2   ? Element::Float32
                                             : one->number == 3 ? Element::Float64
                                                                : Element::Int32);
      if (!entry.tensor) return std::nullopt;
    }
    if (value.broken()) return std::nullopt;
  }
  if (fields.broken()) return std::nullopt;
  return entry;
}

class RecordReader {
 public:
  RecordReader(std::string_view name, RecordIoRows& rows) : name_(name), rows_(rows) {}

  Status add(std::string_view message, std::size_t number) {
    number_ = number;
    std::optional<Tensor> features, label;
    Fields fields(message);
    while (const auto field = fields.next()) {
      if (field->wire != Fields::Bytes || (field->number != 1 && field->number != 2)) continue;
      auto entry = read_entry(field->bytes);
      if (!entry) return no_message();
      if (entry->name != "values")
        return invalid(place() + "a " + (field->number == 1 ? "feature" : "label") + " is named \"" +
                           std::string(entry->name.substr(0, 60)) + "\"",
                       "rows of numbers are one tensor named \"values\"");
      (field->number == 1 ? features : label) = std::move(entry->tensor);
    }
    if (fields.broken()) return no_message();
    if (!features) return invalid(place() + "it has no tensor of features");
    MR_DO(add_features(*features));
    return add_label(label);
  }

 private:
  std::string place() const { return std::string(name_) + ": record " + std::to_string(number_) + ": "; }
  tl::unexpected<Error> no_message() const {
    return fail(ErrorCode::DataLoss, place() + "it is no protobuf message of SageMaker's records");
  }

  Status add_features(const Tensor& tensor) {
    const bool sparse = !tensor.keys.empty() || (tensor.values.empty() && !tensor.shape.empty());
    std::uint64_t width = tensor.values.size();
    if (sparse) {
      if (tensor.keys.size() != tensor.values.size() || tensor.shape.empty())
        return invalid(place() + "a sparse row needs a key for each value, and its shape");
      width = tensor.shape.back();
      if (tensor.shape.size() > 1 && (tensor.shape.size() > 2 || tensor.shape[0] != 1))
        return invalid(place() + "its features are no row: their shape has several dimensions");
    }
    if (width > kLibsvmColumnsMax)
      return fail(ErrorCode::LimitExceeded, place() + "it has more than 65536 features");
    if (rows_.rows == 0) rows_.features = width;
    if (width != rows_.features || width == 0)
      return invalid(place() + "it has " + std::to_string(width) + " features" +
                     (width == 0 ? "" : ", the first " + std::to_string(rows_.features)));
    if (!sparse) {
      rows_.values.insert(rows_.values.end(), tensor.values.begin(), tensor.values.end());
    } else {
      const std::size_t begin = rows_.values.size();
      rows_.values.resize(begin + width, 0.0);
      for (std::size_t i = 0; i < tensor.keys.size(); ++i) {
        if (tensor.keys[i] >= width)
          return invalid(place() + "key " + std::to_string(tensor.keys[i]) + " is beyond its " +
                         std::to_string(width) + " features");
        rows_.values[begin + tensor.keys[i]] = tensor.values[i];
      }
    }
    ++rows_.rows;
    return {};
  }

  Status add_label(const std::optional<Tensor>& label) {
    const bool expected = rows_.rows == 1 || !rows_.labels.empty();
    if (!label) {
      if (!rows_.labels.empty()) return invalid(place() + "it has no label, the first has one");
      return {};
    }
    if (!expected) return invalid(place() + "it has a label, the first has none");
    if (label->values.size() != 1)
      return invalid(place() + "its label has " + std::to_string(label->values.size()) + " numbers, not one");
    rows_.labels.push_back(label->values[0]);
    return {};
  }

  const std::string_view name_;
  RecordIoRows& rows_;
  std::size_t number_ = 0;
};

}  // namespace

Status parse_record_io(std::string_view bytes, std::string_view name, RecordIoRows& rows,
                       const std::function<bool()>& cancelled) {
  RecordReader reader(name, rows);
  Frames frames(bytes);
  std::string record;
  for (std::size_t number = 1;; ++number) {
    if (number % 4096 == 0 && cancelled && cancelled()) return fail(ErrorCode::Cancelled, "stopped");
    const auto more = frames.next(record);
    if (!more)
      return fail(ErrorCode::DataLoss,
                  std::string(name) + ": record " + std::to_string(number) +
                      (number == 1 ? ": it is no RecordIO file" : ": it is cut or damaged"));
    if (!*more) return {};
    MR_DO(reader.add(record, number));
  }
}

Table record_io_table(const RecordIoRows& rows) {
  Table table;
  table.rows = rows.rows;
  if (!rows.labels.empty()) {
    Column target;
    target.name = "target";
    target.numbers = rows.labels;
    table.columns.push_back(std::move(target));
  }
  for (std::size_t j = 0; j < rows.features; ++j) {
    Column column;
    column.name = "f" + std::to_string(j);
    column.numbers.resize(rows.rows);
    for (std::size_t i = 0; i < rows.rows; ++i) column.numbers[i] = rows.values[i * rows.features + j];
    table.columns.push_back(std::move(column));
  }
  return table;
}

}  // namespace millrace::tasks
