#include "tasks/training/model_texts.h"

#include <cstdint>
#include <cstring>

namespace millrace::tasks {

void put_texts(ModelWriter& writer, std::span<const std::string> texts) {
  std::vector<std::uint32_t> lengths;
  std::string all;
  for (const std::string& text : texts) {
    lengths.push_back(static_cast<std::uint32_t>(text.size()));
    all += text;
  }
  std::vector<std::uint32_t> packed((all.size() + 3) / 4);
  if (!all.empty()) std::memcpy(packed.data(), all.data(), all.size());
  writer.put(std::span<const std::uint32_t>(lengths)).put(std::span<const std::uint32_t>(packed));
}

std::vector<std::string> read_texts(ModelReader& reader, bool& whole) {
  const std::vector<std::uint32_t> lengths = reader.u32s(), packed = reader.u32s();
  std::uint64_t total = 0;
  for (const std::uint32_t length : lengths) total += length;
  if ((total + 3) / 4 != packed.size()) {
    whole = false;
    return {};
  }
  std::vector<std::string> texts;
  texts.reserve(lengths.size());
  std::size_t at = 0;
  for (const std::uint32_t length : lengths) {
    texts.emplace_back(reinterpret_cast<const char*>(packed.data()) + at, length);
    at += length;
  }
  return texts;
}

}  // namespace millrace::tasks
