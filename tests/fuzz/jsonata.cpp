// JSONata: an expression, a newline, the data. The first character of the expression may choose the dialect.

#include "definitions/jsonata/jsonata.h"

#include "tests/fuzz/input.h"

using namespace millrace;
using namespace millrace::definitions;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto [source, document] = fuzz::parts_of(data, size);
  const bool states = source.starts_with('!');
  if (states) source.remove_prefix(1);
  const auto compiled =
      Jsonata::compile(source, states ? JsonataDialect::StatesLanguage : JsonataDialect::Jsonata);
  if (!compiled) {
    MR_CHECK(!compiled.error().code.empty(), "an error has a code");
    return 0;
  }
  const auto input = Payload::parse(document);
  const fuzz::World world(input ? *input : Payload());
  const JsonView view = input ? input->view() : JsonView();
  const auto result = compiled->evaluate(view, {{"states", world.input().view()}}, world.environment());
  if (result.kind == JsonataResult::Kind::Value)
    MR_CHECK(Payload::parse(result.value.text()).has_value(), "what an expression answers is JSON");
  if (result.kind == JsonataResult::Kind::Error) MR_CHECK(!result.error.code.empty(), "an error has a code");
  return 0;
}
