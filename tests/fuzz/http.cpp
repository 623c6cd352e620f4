// HTTP: what the parser makes of bytes does not depend on how they are cut; a request it takes can be
// answered.

#include "service/http/parser.h"
#include "tests/fuzz/input.h"

using namespace millrace;
using namespace millrace::http;

namespace {

struct Seen {
  std::string text;      // of all requests, in order
  bool refused = false;  // then nothing more is read
};

void show(const Request& request, std::string& out) {
  out += request.method + " " + request.path + " ? " + request.query + "\n";
  for (const Header& header : request.headers) out += header.name + ": " + header.value + "\n";
  out += request.body + (request.keep_alive ? "\nkept\n" : "\nclosed\n");
}

// As a connection reads: what was not consumed comes again with more behind it.
Seen read(std::string_view bytes, std::size_t piece, bool streamed) {
  ParserLimits limits;
  limits.body_bytes_max = limits.streamed_bytes_max = 1024;
  RequestParser parser(limits, [streamed](const Request&) { return streamed; });
  Seen seen;
  std::optional<Request> open;  // whose body comes in pieces
  std::string input;
  while (!seen.refused) {
    std::size_t consumed = 0;
    const RequestParser::State state =
        input.empty() ? RequestParser::State::NeedMore : parser.feed(input, consumed);
    MR_CHECK(consumed <= input.size(), "only what was given is consumed");
    input.erase(0, consumed);
    if (open) open->body += parser.take_body();
    if (state == RequestParser::State::Head) {
      MR_CHECK(streamed && !open, "a body follows where it is asked for, once");
      open = parser.take();
      continue;
    }
    if (state == RequestParser::State::Done) {
      MR_CHECK(!parser.wants_continue(), "a complete request waits for nothing");
      const Request request = open ? *open : parser.take();
      if (open) parser.finish_body();
      open.reset();
      MR_CHECK(!request.method.empty() && !request.path.empty(), "a request has a method and a path");
      MR_CHECK(request.body.size() <= limits.body_bytes_max, "bodies keep to the limit");
      for (const Header& header : request.headers)
        MR_CHECK((header.name + header.value).find_first_of("\r\n") == std::string::npos,
                 "headers are lines");
      show(request, seen.text);
      if (!request.keep_alive) return seen;
      continue;
    }
    if (state == RequestParser::State::Refused) {
      MR_CHECK(!parser.refusal().reason.empty() && parser.refusal().status >= 400, "a refusal says why");
      seen.refused = true;
      break;
    }
    if (bytes.empty()) break;
    input += bytes.substr(0, piece);
    bytes.remove_prefix(std::min(piece, bytes.size()));
  }
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes = fuzz::text_of(data + 1, size - 1);
  // Fields behind a body that is streamed come too late for the request, so both are streamed or neither is.
  const bool streamed = data[0] >= 128;
  const Seen whole = read(bytes, size, streamed), cut = read(bytes, data[0] % 64 + 1u, streamed);
  // A wrong first line is refused as soon as it is seen whole, or with the end of its header: only which
  // requests are taken must not depend on the cuts.
  MR_CHECK(whole.text == cut.text, "cuts change nothing");
  const std::string answer = serialize({200, "text/plain", {}, whole.text}, imf_date(data[0]), true, false);
  MR_CHECK(answer.ends_with(whole.text), "an answer ends with its body");
  return 0;
}
