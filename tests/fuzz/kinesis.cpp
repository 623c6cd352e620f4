// Kinesis: CBOR is read or refused, and what was read can be written and read again; nobody makes a token
// without the secret; a sequence number that is read is written the same.

#include "service/api/cbor.h"
#include "tasks/integrations/kinesis/iterator.h"
#include "tasks/integrations/kinesis/numbers.h"
#include "tests/fuzz/input.h"

using namespace millrace;
using namespace millrace::tasks::kinesis;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  const api::CborForm form{[](std::string_view name) { return name.ends_with("Timestamp"); },
                           [](std::string_view name) { return name == "Data"; }, 1000};
  if (const auto document = api::read_cbor(text, form.time_units)) {
    const auto again = api::read_cbor(api::write_cbor(document->view(), form), form.time_units);
    MR_CHECK(again, "what was read can be written");
    const auto third = api::read_cbor(api::write_cbor(again->view(), form), form.time_units);
    MR_CHECK(third && third->text() == again->text(), "and then stays the same");
  }
  MR_CHECK(!parse_iterator(text, "a secret that no input knows"), "tokens are signed");
  MR_CHECK(!parse_page_token("ListShards", text, "a secret that no input knows"), "tokens are signed");
  if (const auto number = parse_sequence_number(text))
    MR_CHECK(parse_sequence_number(text_of(*number)) == number, "a number is read as it is written");
  if (const auto key = parse_hash_key(text)) MR_CHECK(decimal_of(*key) == text, "a hash key is its decimal");
  if (const auto shard = parse_shard_name(text)) MR_CHECK(shard_name(*shard) == text, "a shard is its name");
  return 0;
}
