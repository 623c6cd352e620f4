// Tokens that clients give back: of pages and of tasks. What was made is read as what it was made of, and in
// no other list; nothing else is let in. Input: a list's name, then the token, or what one is made of.

#include "orchestrator/dispatch/tokens.h"
#include "base/encoding.h"
#include "base/random.h"
#include "service/api/pagination.h"
#include "tests/fuzz/input.h"

using namespace millrace;

namespace {

auto page(std::string_view token, std::string_view scope) {
  JsonWriter input;
  input.begin_object().key("nextToken").string(token).end_object();
  const Payload document = input.finish();
  const auto number = api::page_number(document.view(), scope);
  MR_CHECK(number || number.error().code == "InvalidToken", "a refusal is AWS's");
  return api::page_position(document.view(), scope);
}

void check_page(std::string_view scope, std::string_view text) {
  const auto guessed = page(text, scope);
  MR_CHECK(guessed || guessed.error().code == "InvalidToken", "a refusal is AWS's");
  if (guessed && !text.empty())
    MR_CHECK(base64_decode(text) == base64_decode(api::page_token(scope, *guessed)), "it was made here");
  const std::string made = api::page_token(scope, text);
  const auto read = page(made, scope);
  MR_CHECK(read && *read == text, "a page's token is read back");
  MR_CHECK(!page(made, std::string(scope) + "x"), "and for no other list");
}

orchestrator::TaskKey key_of(std::string_view text) {
  const std::uint64_t seed = hash64(text);
  return {ExecutionId{seed}, FrameId{mix(seed, 1)}, mix(seed, 2), static_cast<std::uint32_t>(mix(seed, 3))};
}

void check_task(std::string_view text) {
  static const orchestrator::TaskTokens tokens("a secret that no input holds"),
      others("another secret of theirs");
  MR_CHECK(!tokens.open(text), "nobody guesses a token");
  const orchestrator::TaskKey key = key_of(text);
  std::string token = tokens.mint(key);
  const auto opened = tokens.open(token);
  MR_CHECK(opened && *opened == key, "a task's token is read back");
  MR_CHECK(!others.open(token), "and only where it was made");
  char& letter = token[key.visit % token.size()];
  letter = letter == 'A' ? 'B' : 'A';
  MR_CHECK(!tokens.open(token), "a changed one is refused");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::Parts parts = fuzz::parts_of(data, size);
  check_page(parts.first, parts.second);
  check_task(parts.second);
  return 0;
}
