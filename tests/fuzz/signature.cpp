// Signatures: nothing that was not made with the secret is let in; what was made with it, over what the claim
// says, is never a wrong signature. Input: the Authorization header, the target, then a header a line.

#include "service/auth/verify.h"
#include "tests/fuzz/input.h"

using namespace millrace;
using namespace millrace::auth;

namespace {

constexpr std::string_view kSecret = "a secret that no input holds";

http::Request request_of(fuzz::Parts parts) {
  http::Request request;
  request.method = "POST";
  if (!parts.first.empty()) request.headers.push_back({"authorization", std::string(parts.first)});
  std::string_view rest = parts.second;
  for (bool target = true; !rest.empty(); target = false) {
    const std::size_t end = rest.find('\n');
    const std::string_view line = rest.substr(0, end);
    rest = end == rest.npos ? std::string_view() : rest.substr(end + 1);
    const std::size_t cut = line.find(target ? "?" : ": ");
    const std::string name(line.substr(0, cut)),
        value(cut == line.npos ? "" : line.substr(cut + (target ? 1 : 2)));
    if (target)
      request.path = "/" + name, request.query = value;
    else
      request.headers.push_back({name, value});
  }
  if (request.path.empty()) request.path = "/";
  return request;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // libFuzzer learns the words it sees us search for.
  if (fuzz::text_of(data, size).find(kSecret) != std::string_view::npos) return 0;
  http::Request request = request_of(fuzz::parts_of(data, size));
  auto claim = read_claim(request);
  if (!claim) {
    MR_CHECK(!claim.error().message.empty(), "a refusal says why");
    return 0;
  }
  MR_CHECK(
      claim->signature.size() == 64 && !claim->headers.empty() && format_basic_time(claim->at) == claim->time,
      "a claim is whole");
  const VerifyRules rules{claim->service, claim->at, std::chrono::minutes(5)};
  const auto refusal = verify(request, *claim, kSecret, rules);
  MR_CHECK(refusal && refusal->message.find(kSecret) == std::string::npos, "nobody signs without the secret");
  if (refusal->kind != Refusal::Kind::WrongSignature) return 0;
  // The message shows the string to sign: signed, it must pass; a presigned one's is made without the
  // signature.
  const std::string_view message = refusal->message;
  const std::string_view mark = "The String-to-Sign should have been\n'";
  const std::size_t at = message.rfind(mark);
  MR_CHECK(at != message.npos && message.ends_with("'\n"), "the string to sign is shown");
  const std::string_view to_sign = message.substr(at + mark.size(), message.size() - at - mark.size() - 2);
  claim->signature = signature_of(signing_key(kSecret, claim->date, claim->region, claim->service), to_sign);
  MR_CHECK(!verify(request, *claim, kSecret, rules), "the right signature is let in");
  request.method = "GET";
  MR_CHECK(verify(request, *claim, kSecret, rules), "and for nothing else");
  return 0;
}
