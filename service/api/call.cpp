#include "service/api/call.h"

#include <cstdio>

namespace millrace::api {

JsonView member(JsonView input, std::string_view name) {
  const JsonView found = input.find(name);
  return found && !found.is_null() ? found : JsonView();
}

std::string text_of(JsonView input, std::string_view name) {
  const JsonView found = member(input, name);
  return found ? found.string() : std::string();
}

bool flag_of(JsonView input, std::string_view name) {
  const JsonView found = member(input, name);
  return found && found.boolean();
}

std::int64_t whole_of(JsonView input, std::string_view name, std::int64_t otherwise) {
  const JsonView found = member(input, name);
  return found ? found.integer().value_or(otherwise) : otherwise;
}

void write_time(JsonWriter& out, std::string_view name, Instant time) {
  const std::int64_t ms = to_millis(time);
  char text[32];
  const int length = std::snprintf(text, sizeof text, "%lld.%03d", static_cast<long long>(ms / 1000),
                                   static_cast<int>(ms % 1000));
  out.key(name).number_text({text, static_cast<std::size_t>(length)});
}

Payload empty_answer() {
  return Payload::empty_object();
}

}  // namespace millrace::api
