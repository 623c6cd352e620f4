// JSON: what is read is written so that it reads back as the same text and as an equal document.

#include "base/payload.h"

#include "tests/fuzz/input.h"

using namespace millrace;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto read = Payload::parse(fuzz::text_of(data, size));
  if (!read) {
    MR_CHECK(!read.error().message.empty(), "a refusal says why");
    return 0;
  }
  const auto again = Payload::parse(read->text());
  MR_CHECK(again && again->text() == read->text() && *again == *read, "compact JSON reads back as it is");
  const Payload copy = JsonWriter().value(*read).finish();
  MR_CHECK(copy.text() == read->text(), "a copy has the same text");
  for (JsonView view = read->view(); view;) {
    if (view.is_string()) MR_CHECK(view.equals(view.string()), "a string equals itself");
    if (view.is_number()) (void)view.integer();
    view = view.is_array()                       ? view.at(0)
           : view.is_object() && view.size() > 0 ? (*view.members().begin()).value
                                                 : JsonView();
  }
  return 0;
}
