#include "tasks/training/model_bytes.h"

#include <bit>
#include <cstring>

#include "base/encoding.h"

namespace millrace::tasks {

namespace {

static_assert(std::endian::native == std::endian::little, "numbers are copied as they stand");
constexpr std::size_t kChecksumBytes = 32;

tl::unexpected<Error> unusable(const std::string& algorithm, const char* why) {
  return fail(ErrorCode::DataLoss, "not a usable " + algorithm + " model: " + why);
}

template <class T>
void append_raw(std::string& bytes, const T* values, std::size_t count) {
  if (count > 0) bytes.append(reinterpret_cast<const char*>(values), count * sizeof(T));
}

}  // namespace

ModelWriter& ModelWriter::put(std::uint64_t value) {
  append_raw(bytes_, &value, 1);
  return *this;
}

ModelWriter& ModelWriter::put(double value) {
  append_raw(bytes_, &value, 1);
  return *this;
}

ModelWriter& ModelWriter::put(std::string_view text) {
  put(std::uint64_t{text.size()});
  bytes_ += text;
  return *this;
}

ModelWriter& ModelWriter::put(std::span<const double> values) {
  put(std::uint64_t{values.size()});
  append_raw(bytes_, values.data(), values.size());
  return *this;
}

ModelWriter& ModelWriter::put(std::span<const float> values) {
  put(std::uint64_t{values.size()});
  append_raw(bytes_, values.data(), values.size());
  return *this;
}

ModelWriter& ModelWriter::put(std::span<const std::uint32_t> values) {
  put(std::uint64_t{values.size()});
  append_raw(bytes_, values.data(), values.size());
  return *this;
}

std::string ModelWriter::finish() && {
  bytes_ += digest(Digest::Sha256, bytes_);
  return std::move(bytes_);
}

Result<ModelReader> ModelReader::open(std::string_view algorithm, std::string_view magic,
                                      std::uint8_t version, std::string_view bytes) {
  const std::string name(algorithm);
  if (bytes.size() < magic.size() + 1 + kChecksumBytes || !bytes.starts_with(magic))
    return unusable(name, "it does not begin as one");
  if (static_cast<std::uint8_t>(bytes[magic.size()]) != version)
    return unusable(name, "it is of a version that this program does not know");
  const std::string_view body = bytes.substr(0, bytes.size() - kChecksumBytes);
  if (digest(Digest::Sha256, body) != bytes.substr(body.size()))
    return unusable(name, "its checksum is wrong");
  return ModelReader(name, body.substr(magic.size() + 1));
}

std::uint64_t ModelReader::u64() {
  std::uint64_t value = 0;
  if (rest_.size() < sizeof value) {
    whole_ = false;
    return 0;
  }
  std::memcpy(&value, rest_.data(), sizeof value);
  rest_.remove_prefix(sizeof value);
  return value;
}

double ModelReader::real() {
  return std::bit_cast<double>(u64());
}

template <class T>
std::vector<T> ModelReader::vector_of() {
  const std::uint64_t count = u64();
  if (count > rest_.size() / sizeof(T)) {
    whole_ = false;
    return {};
  }
  std::vector<T> values(count);
  if (count > 0) std::memcpy(values.data(), rest_.data(), count * sizeof(T));
  rest_.remove_prefix(count * sizeof(T));
  return values;
}

std::string ModelReader::text() {
  const std::vector<char> characters = vector_of<char>();
  return {characters.begin(), characters.end()};
}

std::vector<double> ModelReader::reals() {
  return vector_of<double>();
}
std::vector<float> ModelReader::floats() {
  return vector_of<float>();
}
std::vector<std::uint32_t> ModelReader::u32s() {
  return vector_of<std::uint32_t>();
}

Status ModelReader::finish(bool consistent) const {
  if (!whole_ || !rest_.empty()) return unusable(algorithm_, "its length is wrong");
  if (!consistent) return unusable(algorithm_, "its shape or a number in it is wrong");
  return {};
}

}  // namespace millrace::tasks
