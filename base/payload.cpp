#include "base/payload.h"

#include "base/check.h"

namespace millrace {

Payload::Payload() {
  static const Payload kNull = [] {
    JsonWriter writer;
    writer.null();
    return writer.finish();
  }();
  *this = kNull;
}

void Payload::release() noexcept {
  if (document_ && document_->references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete document_;
}
Payload Payload::literal(std::string_view text) {
  auto parsed = parse(text);
  MR_CHECK(parsed.has_value(), "Payload::literal: not valid JSON");
  return *parsed;
}

Payload Payload::string(std::string_view characters) {
  JsonWriter writer;
  writer.string(characters);
  return writer.finish();
}

const Payload& Payload::empty_object() {
  static const Payload kEmpty = literal("{}");
  return kEmpty;
}

Payload Payload::adopt(JsonDocument* document) {
  return Payload(document);
}

Payload Payload::of(JsonView view) {
  if (view.index() == 0) return Payload(view.document());
  JsonWriter writer;
  writer.value(view);
  return writer.finish();
}

}  // namespace millrace
