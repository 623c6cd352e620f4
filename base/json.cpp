#include "base/json.h"

#include <cmath>
#include <nlohmann/json.hpp>

namespace millrace {

Json to_json(JsonView view) {
  // The text is valid by construction, so this can't throw; it keeps one reader of JSON numbers for both
  // forms.
  return Json::parse(view.text());
}

namespace {

void write(JsonWriter& out, const Json& json) {
  switch (json.type()) {
    case Json::value_t::object:
      out.begin_object();
      for (const auto& [key, value] : json.items()) {
        out.key(key);
        write(out, value);
      }
      out.end_object();
      return;
    case Json::value_t::array:
      out.begin_array();
      for (const Json& element : json) write(out, element);
      out.end_array();
      return;
    case Json::value_t::string:
      out.string(json.get_ref<const std::string&>());
      return;
    case Json::value_t::boolean:
      out.boolean(json.get<bool>());
      return;
    case Json::value_t::number_integer:
      out.number(json.get<std::int64_t>());
      return;
    case Json::value_t::number_unsigned:
      out.number_text(std::to_string(json.get<std::uint64_t>()));
      return;
    case Json::value_t::number_float:
      out.number(json.get<double>());
      return;
    case Json::value_t::null:
    case Json::value_t::binary:
    case Json::value_t::discarded:
      out.null();
      return;
  }
}

}  // namespace

Payload to_payload(const Json& json) {
  JsonWriter writer;
  write(writer, json);
  return writer.finish();
}

}  // namespace millrace
