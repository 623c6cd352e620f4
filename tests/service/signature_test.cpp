// Signatures against AWS's published example (the user guide's ListUsers and the get-vanilla family of its
// test suite, which share one key, day and scope), and against every single changed byte.

#include "service/auth/signature.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "base/encoding.h"
#include "service/auth/verify.h"
#include "service/http/parser.h"

using namespace millrace;
using namespace millrace::auth;

namespace {

constexpr std::string_view kSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
constexpr std::string_view kEmptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const Instant kThen = *parse_basic_time("20150830T123600Z");

http::Request read(std::string_view bytes) {
  http::RequestParser parser({});
  std::size_t consumed = 0;
  REQUIRE(parser.feed(bytes, consumed) == http::RequestParser::State::Done);
  return parser.take();
}

// The claim of the example's scope over these headers.
SignedClaim claim_over(std::vector<std::string> headers, std::string service = "service") {
  SignedClaim claim;
  claim.key_id = "AKIDEXAMPLE";
  claim.date = "20150830", claim.region = "us-east-1", claim.service = std::move(service);
  claim.headers = std::move(headers);
  claim.time = "20150830T123600Z", claim.at = kThen;
  return claim;
}

// Signs what a request line and headers (without Authorization) say, as a client would.
std::string authorization(const http::Request& request, std::string service, bool s3 = false,
                          std::string_view hash = {}) {
  std::vector<std::string> names;
  for (const http::Header& header : request.headers) {
    if (header.name != "content-length" && header.name != "user-agent") names.push_back(header.name);
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  SignedClaim claim = claim_over(names, std::move(service));
  const std::string payload(hash.empty() ? digest_hex(Digest::Sha256, request.body) : hash);
  const std::string to_sign = string_to_sign(claim, canonical_request(request, claim, payload, s3));
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ";") + name;
  return "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/" + claim.scope() + ", SignedHeaders=" + list +
         ", Signature=" +
         signature_of(signing_key(kSecret, claim.date, claim.region, claim.service), to_sign);
}

VerifyRules rules(std::string_view service, Instant now = kThen, Millis skew = std::chrono::minutes(5)) {
  return {service, now, skew};
}

// "" when it is let in, else the refusal's message.
std::string refused(const http::Request& request, const VerifyRules& how) {
  const auto claim = read_claim(request);
  if (!claim) return claim.error().message;
  if (claim->key_id != "AKIDEXAMPLE") return "another key";
  const auto refusal = verify(request, *claim, kSecret, how);
  return refusal ? refusal->message : "";
}

// A signed call of Step Functions, as bytes.
std::string signed_call(std::string_view service = "states", std::string path = "/") {
  const std::string body = R"({"stateMachineArn":"arn:aws:states:us-east-1:123456789012:stateMachine:a"})";
  const std::string start = "POST " + path + " HTTP/1.1\r\n";
  const std::string headers =
      "Host: localhost:8083\r\nX-Amz-Target: AWSStepFunctions.StartExecution\r\n"
      "Content-Type: application/x-amz-json-1.0\r\nX-Amz-Date: 20150830T123600Z\r\nContent-Length: " +
      std::to_string(body.size()) + "\r\n";
  const http::Request plain = read(start + headers + "\r\n" + body);
  return start + headers + "Authorization: " + authorization(plain, std::string(service)) + "\r\n\r\n" + body;
}

}  // namespace

TEST_CASE("signatures: the key that AWS's guide derives") {
  CHECK(hex_encode(signing_key(kSecret, "20150830", "us-east-1", "iam")) ==
        "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9");
}

TEST_CASE("signatures: ListUsers of AWS's guide") {
  const http::Request request = read(
      "GET /?Action=ListUsers&Version=2010-05-08 HTTP/1.1\r\nHost: iam.amazonaws.com\r\nContent-Type: "
      "application/x-www-form-urlencoded; charset=utf-8\r\nX-Amz-Date: 20150830T123600Z\r\n\r\n");
  const SignedClaim claim = claim_over({"content-type", "host", "x-amz-date"}, "iam");
  const std::string canonical = canonical_request(request, claim, kEmptyHash, false);
  CHECK(
      canonical ==
      "GET\n/\nAction=ListUsers&Version=2010-05-08\ncontent-type:application/x-www-form-urlencoded; "
      "charset=utf-8\nhost:iam.amazonaws.com\nx-amz-date:20150830T123600Z\n\ncontent-type;host;x-amz-date\n" +
          std::string(kEmptyHash));
  CHECK(digest_hex(Digest::Sha256, canonical) ==
        "f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59");
  const std::string key = signing_key(kSecret, "20150830", "us-east-1", "iam");
  CHECK(signature_of(key, string_to_sign(claim, canonical)) ==
        "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7");
}

TEST_CASE("signatures: the get-vanilla family of AWS's test suite") {
  const struct {
    std::string_view target, signature;
  } cases[] = {
      {"/", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
      {"/?Param2=value2&Param1=value1", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
      {"/example/..", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
      {"/example1/example2/../..", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
      {"/./", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
      {"//", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
  };
  const std::string key = signing_key(kSecret, "20150830", "us-east-1", "service");
  const SignedClaim claim = claim_over({"host", "x-amz-date"});
  for (const auto& one : cases) {
    CAPTURE(one.target);
    const http::Request request = read("GET " + std::string(one.target) +
                                       " HTTP/1.1\r\nHost: example.amazonaws.com\r\nX-Amz-Date: "
                                       "20150830T123600Z\r\n\r\n");
    CHECK(signature_of(key, string_to_sign(claim, canonical_request(request, claim, kEmptyHash, false))) ==
          one.signature);
  }
  // post-vanilla, and the header form as a whole.
  const std::string bytes =
      "POST / HTTP/1.1\r\nHost: example.amazonaws.com\r\nX-Amz-Date: 20150830T123600Z\r\nAuthorization: "
      "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
      "SignedHeaders=host;x-amz-date, "
      "Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b\r\nContent-Length: "
      "0\r\n\r\n";
  CHECK(refused(read(bytes), rules("service")) == "");
}

TEST_CASE("signatures: GetObject of S3's reference, signed and presigned") {
  const http::Request header = read(
      "GET /test.txt HTTP/1.1\r\nHost: examplebucket.s3.amazonaws.com\r\nRange: bytes=0-9\r\n"
      "x-amz-content-sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\r\n"
      "x-amz-date: 20130524T000000Z\r\nAuthorization: AWS4-HMAC-SHA256 "
      "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/"
      "aws4_request,SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
      "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41\r\n\r\n");
  const auto claim = read_claim(header);
  REQUIRE(claim);
  const std::string_view secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
  const Instant then = *parse_basic_time("20130524T000000Z");
  CHECK(!verify(header, *claim, secret, rules("s3", then)));
  const auto presigned = [](std::string_view signature) {
    return read(
        "GET /test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2F"
        "us-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders="
        "host"
        "&X-Amz-Signature=" +
        std::string(signature) + " HTTP/1.1\r\nHost: examplebucket.s3.amazonaws.com\r\n\r\n");
  };
  const http::Request url = presigned("aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
  const auto query_claim = read_claim(url);
  REQUIRE(query_claim);
  CHECK(query_claim->presigned);
  CHECK(!verify(url, *query_claim, secret, rules("s3", then)));
  CHECK(!verify(url, *query_claim, secret, rules("s3", then + std::chrono::hours(24))));
  CHECK(
      verify(url, *query_claim, secret, rules("s3", then + std::chrono::hours(24) + std::chrono::seconds(1)))
          ->kind == auth::Refusal::Kind::OutOfTime);
  CHECK(verify(url, *query_claim, secret, rules("s3", then - std::chrono::minutes(6)))->kind ==
        auth::Refusal::Kind::OutOfTime);
  const http::Request other = presigned("beeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
  CHECK(verify(other, *read_claim(other), secret, rules("s3", then))->kind ==
        auth::Refusal::Kind::WrongSignature);
  // PUT Object of the same page: a name with '$', which the wire has as it is and S3's form as %24.
  const http::Request put = read(
      "PUT /test$file.text HTTP/1.1\r\nHost: examplebucket.s3.amazonaws.com\r\nDate: Fri, 24 May 2013 "
      "00:00:00 "
      "GMT\r\nx-amz-date: 20130524T000000Z\r\nx-amz-storage-class: REDUCED_REDUNDANCY\r\n"
      "x-amz-content-sha256: 44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072\r\n"
      "Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
      "SignedHeaders=date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class,"
      "Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd\r\nContent-Length: "
      "21\r\n\r\nWelcome to Amazon S3.");
  CHECK(!verify(put, *read_claim(put), secret, rules("s3", then)));
}

TEST_CASE("signatures: chunked uploads are let in by their seed signature, for S3 alone") {
  // "Signature calculations: transferring payload in multiple chunks", PUT chunkObject.txt.
  const std::string bytes =
      "PUT /examplebucket/chunkObject.txt HTTP/1.1\r\nHost: s3.amazonaws.com\r\nx-amz-date: "
      "20130524T000000Z\r\n"
      "x-amz-storage-class: REDUCED_REDUNDANCY\r\nAuthorization: AWS4-HMAC-SHA256 "
      "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=content-encoding;"
      "content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class,"
      "Signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9\r\nx-amz-content-sha256: "
      "STREAMING-AWS4-HMAC-SHA256-PAYLOAD\r\nContent-Encoding: aws-chunked\r\nx-amz-decoded-content-length: "
      "66560\r\nContent-Length: 66824\r\n\r\n" +
      std::string(66824, 'a');
  const http::Request request = read(bytes);
  const std::string_view secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
  const Instant then = *parse_basic_time("20130524T000000Z");
  const auto claim = read_claim(request);
  REQUIRE(claim);
  CHECK(!verify(request, *claim, secret, rules("s3", then)));
  for (const std::string hash : {"UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"}) {
    http::Request other = read(
        "POST / HTTP/1.1\r\nHost: a\r\nX-Amz-Date: 20150830T123600Z\r\n"
        "X-Amz-Content-Sha256: " +
        hash + "\r\nContent-Length: 2\r\n\r\n{}");
    const std::string unsigned_body = authorization(other, "states", false, hash);
    other.headers.push_back({"authorization", unsigned_body});
    CHECK(refused(other, rules("states")).find("x-amz-content-sha256") != std::string::npos);
  }
}

TEST_CASE("signatures: S3's path is encoded once, the others' twice; a %2F in a name is no slash") {
  const SignedClaim claim = claim_over({"host"});
  const auto path = [&](std::string_view target, bool s3) {
    const std::string canonical = canonical_request(
        read("GET " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n\r\n"), claim, kEmptyHash, s3);
    return canonical.substr(4, canonical.find('\n', 4) - 4);
  };
  CHECK(path("/a%20b/c%2Fd", true) == "/a%20b/c%2Fd");
  CHECK(path("/a%20b/c%2Fd", false) == "/a%2520b/c%252Fd");
  CHECK(path("//a//../b/", true) == "//a//../b/");
  CHECK(path("//a//../b/", false) == "/b/");
  CHECK(path("/", true) == "/");
  CHECK(path("/%e1%88%b4", true) == "/%E1%88%B4");
}

TEST_CASE("signatures: queries are sorted by their encoded names, then values") {
  const SignedClaim claim = claim_over({"host"});
  const auto query = [&](std::string_view text) {
    const std::string canonical = canonical_request(
        read("GET /?" + std::string(text) + " HTTP/1.1\r\nHost: a\r\n\r\n"), claim, kEmptyHash, false);
    return canonical.substr(6, canonical.find('\n', 6) - 6);
  };
  CHECK(query("b=2&a=1&b=1&A=&c") == "A=&a=1&b=1&b=2&c=");
  CHECK(query("a=%7e%2b%20&%c3%bc=1") == "%C3%BC=1&a=~%2B%20");
  CHECK(query("a=x=y&&b") == "a=x%3Dy&b=");
  CHECK(query("X-Amz-Signature=1") == "X-Amz-Signature=1");
}

TEST_CASE("signatures: values of headers are trimmed, runs of blanks one, repeated headers joined") {
  http::Request request = read("GET / HTTP/1.1\r\nHost: a\r\nX: \t a   b \t c\r\nY: 1\r\nX: 2\r\n\r\n");
  const std::string canonical = canonical_request(request, claim_over({"host", "x", "y"}), kEmptyHash, false);
  CHECK(canonical == "GET\n/\n\nhost:a\nx:a b c,2\ny:1\n\nhost;x;y\n" + std::string(kEmptyHash));
}

TEST_CASE("signatures: a good request with any one byte changed is refused") {
  const std::string good = signed_call();
  CHECK(refused(read(good), rules("states")) == "");
  std::size_t tried = 0, equal = 0;
  for (std::size_t i = 0; i < good.size(); ++i) {
    for (const int flip : {0x01, 0x02, 0x20, 0x40}) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ flip);
      http::RequestParser parser({});
      std::size_t consumed = 0;
      if (parser.feed(bad, consumed) != http::RequestParser::State::Done || consumed != bad.size()) continue;
      const http::Request request = parser.take();
      ++tried;
      if (refused(request, rules("states")) != "") continue;
      // What HTTP itself does not tell apart: the case of a header's name, and the protocol's version.
      const http::Request original = read(good);
      const auto same = [](const http::Header& a, const http::Header& b) {
        return a.name == b.name && a.value == b.value;
      };
      const bool unchanged = request.method == original.method && request.path == original.path &&
                             request.query == original.query && request.body == original.body &&
                             std::equal(request.headers.begin(), request.headers.end(),
                                        original.headers.begin(), original.headers.end(), same);
      CAPTURE(i);
      CAPTURE(flip);
      CHECK(unchanged);
      ++equal;
    }
  }
  CHECK(tried > 1500);
  CHECK(equal < 120);
}

TEST_CASE("signatures: a byte more or less anywhere is refused, too") {
  const std::string good = signed_call();
  for (std::size_t i = 0; i < good.size(); ++i) {
    for (const bool more : {false, true}) {
      std::string bad = good;
      if (more)
        bad.insert(i, 1, 'x');
      else
        bad.erase(i, 1);
      http::RequestParser parser({});
      std::size_t consumed = 0;
      if (parser.feed(bad, consumed) != http::RequestParser::State::Done || consumed != bad.size()) continue;
      const http::Request request = parser.take();
      const bool blank = refused(request, rules("states")) == "";
      // Blanks around a header's value belong to nobody.
      if (blank) CHECK((!more && (good[i] == ' ' || good[i] == '\r')));
    }
  }
}

TEST_CASE("signatures: for another service, on another day, over fewer headers") {
  CHECK(refused(read(signed_call()), rules("lambda")) ==
        "Credential should be scoped to correct service: 'lambda'.");
  CHECK(refused(read(signed_call("s3")), rules("states")) ==
        "Credential should be scoped to correct service: 'states'.");
  const auto with = [](std::string_view what, std::string_view replacement) {
    std::string text = signed_call();
    text.replace(text.find(what), what.size(), replacement);
    return refused(read(text), rules("states"));
  };
  CHECK(with("/20150830/", "/20150831/") ==
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
        "'20150831' != "
        "'20150830', from '20150830T123600Z'.");
  CHECK(with("aws4_request", "aws5_request") ==
        "Credential should be scoped with a valid terminator: 'aws4_request', not 'aws5_request'.");
  CHECK(with(";x-amz-target", "") == "'x-amz-target' must be a 'SignedHeader' in the request");
  CHECK(with("SignedHeaders=content-type;", "SignedHeaders=") ==
        "'content-type' must be a 'SignedHeader' in the request");
  CHECK(with(";host;", ";") == "'Host' must be a 'SignedHeader' in the request");
  CHECK(with(";x-amz-target", ";x-amz-target;x-other") ==
        "The signed header 'x-other' is not in the request");
  CHECK(with("\r\n\r\n", "\r\nX-Amz-Meta: 1\r\n\r\n") ==
        "'x-amz-meta' must be a 'SignedHeader' in the request");
}

TEST_CASE("signatures: headers that are none, in the words of AWS") {
  const auto refusal = [](std::string authorization, std::string date = "20150830T123600Z") {
    http::Request request;
    request.method = "POST", request.path = "/";
    request.headers.push_back({"host", "a"});
    if (!date.empty()) request.headers.push_back({"x-amz-date", date});
    if (!authorization.empty()) request.headers.push_back({"authorization", authorization});
    const auto claim = read_claim(request);
    REQUIRE(!claim);
    return claim.error();
  };
  using Kind = auth::Refusal::Kind;
  CHECK(refusal("").kind == Kind::Missing);
  CHECK(refusal("AWS4-HMAC-SHA256").message ==
        "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' "
        "parameter. Authorization header requires 'SignedHeaders' parameter.");
  CHECK(refusal("AWS4-HMAC-SHA256 Credential=a/20150830/r/s/aws4_request, SignedHeaders=host", "").message ==
        "Authorization header requires 'Signature' parameter. Authorization header requires existence of "
        "either "
        "a 'X-Amz-Date' or a 'Date' header.");
  const std::string good_signature = ", SignedHeaders=host, Signature=" + std::string(64, 'a');
  for (const std::string& text : {
           std::string("Bearer abc"),
           std::string("AWS AKID:c2ln"),
           std::string("AWS4-HMAC-SHA1 Credential=a"),
           "AWS4-HMAC-SHA256 Credential=a/b/c/d" + good_signature,
           "AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request/f" + good_signature,
           "AWS4-HMAC-SHA256 Credential=/20150830/c/d/aws4_request" + good_signature,
           "AWS4-HMAC-SHA256 Credential=a/20150830/c/d/aws4_request" + good_signature + ", Signature=b",
           "AWS4-HMAC-SHA256 Credential=a/20150830/c/d/aws4_request" + good_signature + ", Extra=b",
           "AWS4-HMAC-SHA256 Credential=a/20150830/c/d/aws4_request" + good_signature + ",",
           "AWS4-HMAC-SHA256 Credential=a/20150830/c/d/aws4_request, SignedHeaders=host, Signature=" +
               std::string(64, 'A'),
           "AWS4-HMAC-SHA256 Credential=a/20150830/c/d/aws4_request, SignedHeaders=host;host, Signature=" +
               std::string(64, 'a'),
           "AWS4-HMAC-SHA256 Credential=a/20150830/c/d/aws4_request, SignedHeaders=Host, Signature=" +
               std::string(64, 'a'),
           "AWS4-HMAC-SHA256 Credential=a/20150830/c/d/aws4_request, SignedHeaders=, Signature=" +
               std::string(64, 'a'),
       }) {
    CAPTURE(text);
    CHECK(refusal(text).kind == Kind::Incomplete);
  }
  for (const std::string date : {"20150830T123600", "2015-08-30T12:36:00Z", "20150832T123600Z",
                                 "20150830T126600Z", "20150830 123600Z"}) {
    CAPTURE(date);
    CHECK(refusal("AWS4-HMAC-SHA256 Credential=a/20150830/c/d/aws4_request" + good_signature, date).message ==
          "Date must be in ISO-8601 'basic format'. Got '" + date +
              "'. See http://en.wikipedia.org/wiki/ISO_8601");
  }
  // Two at once: whichever was checked, the other might be believed.
  http::Request both = read(signed_call());
  both.headers.push_back({"authorization", "Bearer x"});
  CHECK(read_claim(both).error().message.starts_with("Only one authentication is allowed"));
  both = read(signed_call());
  both.query = "X-Amz-Credential=AKID";
  CHECK(read_claim(both).error().message.starts_with("Only one authentication is allowed"));
  both.headers.clear();
  both.query = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a&X-Amz-Credential=b";
  CHECK(read_claim(both).error().message ==
        "The parameter 'X-Amz-Credential' stands in the query more than once");
}

TEST_CASE("signatures: five minutes each way, to the second; S3 has fifteen") {
  const http::Request request = read(signed_call());
  const auto at = [&](std::chrono::seconds later, Millis skew = std::chrono::minutes(5)) {
    return refused(request, rules("states", kThen + later, skew));
  };
  using std::chrono::seconds;
  CHECK(at(seconds(300)) == "");
  CHECK(at(seconds(-300)) == "");
  CHECK(
      at(seconds(301)) ==
      "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T124101Z - 5 min.)");
  CHECK(at(seconds(-301)) ==
        "Signature not yet current: 20150830T123600Z is still later than 20150830T123559Z (20150830T123059Z "
        "+ 5 "
        "min.)");
  CHECK(at(seconds(900), std::chrono::minutes(15)) == "");
  CHECK(at(seconds(901), std::chrono::minutes(15)) != "");
}

TEST_CASE("signatures: what does not match is shown, the secret is not") {
  std::string text = signed_call();
  text[text.size() - 3] = 'b';  // the state machine's name
  const std::string message = refused(read(text), rules("states"));
  CHECK(
      message.starts_with("The request signature we calculated does not match the signature you provided."));
  CHECK(message.find("The Canonical String for this request should have been\n'POST\n/\n\ncontent-type:") !=
        std::string::npos);
  CHECK(message.find(
            "The String-to-Sign should have been\n'AWS4-HMAC-SHA256\n20150830T123600Z\n20150830/us-east-1/"
            "states/aws4_request\n") != std::string::npos);
  CHECK(message.find(kSecret) == std::string::npos);
  const std::string right = signed_call();
  const std::string signature = right.substr(right.find("Signature=") + 10, 64);
  CHECK(message.find(signature) == std::string::npos);
}

TEST_CASE("signatures: paths that are the same only to the signature are refused") {
  CHECK(refused(read(signed_call("states", "/a/b")), rules("states")) == "");
  for (const std::string path : {"/a/./b", "/x/../a/b", "//a/b", "/a//b"})
    CHECK(refused(read(signed_call("states", path)), rules("states"))
              .starts_with("The path is not in its normal"));
}
