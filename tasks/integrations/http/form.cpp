#include "tasks/integrations/http/form.h"

#include <utility>

#include "base/encoding.h"

namespace millrace::tasks {
namespace {

class FormEncoder {
 public:
  explicit FormEncoder(ArrayFormat format) : format_(format) {}

  void members(JsonView object, const std::string& prefix) {
    for (const auto& [key, value] : object.members()) {
      const std::string name = percent_encode(key.string());
      add(prefix.empty() ? name : prefix + "%5B" + name + "%5D", value);
    }
  }
  std::string finish() { return std::move(out_); }

 private:
  void add(const std::string& name, JsonView value) {
    if (value.is_object()) return members(value, name);
    if (!value.is_array()) return pair(name, percent_encode(plain_text(value)));
    if (format_ == ArrayFormat::Commas && all_scalars(value)) {
      std::string joined;
      for (const JsonView element : value.elements())
        joined += (joined.empty() ? "" : ",") + percent_encode(plain_text(element));
      return pair(name, joined);
    }
    std::size_t index = 0;
    for (const JsonView element : value.elements()) {
      const bool scalar = !element.is_array() && !element.is_object();
      if (scalar && format_ == ArrayFormat::Repeat)
        add(name, element);
      else if (scalar && format_ == ArrayFormat::Brackets)
        add(name + "%5B%5D", element);
      else
        add(name + "%5B" + std::to_string(index) + "%5D", element);
      ++index;
    }
  }
  static bool all_scalars(JsonView array) {
    for (const JsonView element : array.elements())
      if (element.is_array() || element.is_object()) return false;
    return true;
  }
  void pair(const std::string& name, const std::string& value) {
    if (!out_.empty()) out_ += '&';
    out_ += name + "=" + value;
  }

  const ArrayFormat format_;
  std::string out_;
};

}  // namespace

std::optional<ArrayFormat> array_format(std::string_view name) {
  constexpr std::pair<std::string_view, ArrayFormat> kFormats[] = {{"INDICES", ArrayFormat::Indices},
                                                                   {"REPEAT", ArrayFormat::Repeat},
                                                                   {"COMMAS", ArrayFormat::Commas},
                                                                   {"BRACKETS", ArrayFormat::Brackets}};
  for (const auto& [known, format] : kFormats)
    if (known == name) return format;
  return std::nullopt;
}

std::string encode_form(JsonView object, ArrayFormat format) {
  FormEncoder encoder(format);
  if (object.is_object()) encoder.members(object, "");
  return encoder.finish();
}

std::string plain_text(JsonView value) {
  if (value.is_null()) return {};
  return value.is_string() ? value.string() : std::string(value.text());
}

}  // namespace millrace::tasks
