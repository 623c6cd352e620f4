#include "service/auth/keys.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "base/encoding.h"
#include "service/auth/gate.h"
#include "service/auth/signature.h"
#include "tests/support/paths.h"

using namespace millrace;
using namespace millrace::auth;
namespace fs = std::filesystem;

namespace {

struct KeyHome {
  const std::string path = fs::path(binary_path()) / "keys_test_home";
  KeyHome() { fs::remove_all(path); }
  ~KeyHome() { fs::remove_all(path); }
};

struct StoppedClock final : Clock {
  Instant time = from_millis(1'700'000'000'000);
  Instant now() const override { return time; }
  Millis uptime() const override { return time.time_since_epoch(); }
};

const Instant kNow = from_millis(1'700'000'000'123);

// A request of Step Functions that the key signed.
http::Request signed_by(const std::string& id, const std::string& secret, Instant at) {
  http::Request request;
  request.method = "POST", request.path = "/";
  request.headers = {{"host", "engine"}, {"x-amz-date", format_basic_time(at)}};
  SignedClaim claim;
  claim.time = format_basic_time(at);
  claim.date = claim.time.substr(0, 8), claim.region = "eu-west-1", claim.service = "states";
  claim.headers = {"host", "x-amz-date"};
  const std::string to_sign =
      string_to_sign(claim, canonical_request(request, claim, digest_hex(Digest::Sha256, ""), false));
  request.headers.push_back(
      {"authorization",
       "AWS4-HMAC-SHA256 Credential=" + id + "/" + claim.scope() +
           ", SignedHeaders=host;x-amz-date, Signature=" +
           signature_of(signing_key(secret, claim.date, claim.region, claim.service), to_sign)});
  return request;
}

}  // namespace

TEST_CASE("keys: made, kept, found, given policies, deleted") {
  const KeyHome home;
  CHECK(load_keys(home.path)->empty());
  const auto ada = create_key(home.path, "ada", "", kNow);
  REQUIRE(ada);
  CHECK(ada->id.size() == 20);
  CHECK(ada->id.starts_with("AKIA"));
  CHECK(ada->secret.size() == 40);
  const std::string policy = R"({"Statement":[{"Effect":"Allow","Action":"states:*","Resource":"*"}]})";
  REQUIRE(create_key(home.path, "worker", policy, kNow));
  CHECK(create_key(home.path, "ada", "", kNow).error().code == ErrorCode::AlreadyExists);
  CHECK(create_key(home.path, "a b", "", kNow).error().code == ErrorCode::InvalidArgument);
  CHECK(create_key(home.path, "c", "{}", kNow).error().message.starts_with("MalformedPolicyDocument"));
  auto keys = load_keys(home.path);
  REQUIRE(keys);
  REQUIRE(keys->size() == 2);
  CHECK((*keys)[0].secret == ada->secret);
  CHECK((*keys)[0].created == kNow);
  CHECK(!(*keys)[0].rights);
  CHECK((*keys)[1].policy == policy);
  CHECK((*keys)[1].rights->decide({"lambda:InvokeFunction", "*"}) == Verdict::NotAllowed);
  REQUIRE(set_key_policy(home.path, ada->id, policy));
  REQUIRE(set_key_policy(home.path, "worker", ""));
  keys = load_keys(home.path);
  CHECK((*keys)[0].rights);
  CHECK(!(*keys)[1].rights);
  REQUIRE(delete_key(home.path, "ada"));
  CHECK(delete_key(home.path, "ada").error().code == ErrorCode::NotFound);
  CHECK(load_keys(home.path)->size() == 1);
}

TEST_CASE("keys: the file is its owner's alone, and one that is not is refused") {
  const KeyHome home;
  REQUIRE(create_key(home.path, "ada", "", kNow));
  struct stat about {};
  REQUIRE(::stat(keys_path(home.path).c_str(), &about) == 0);
  CHECK((about.st_mode & 0777) == 0600);
  for (const mode_t mode : {0640, 0604, 0620, 0602}) {
    REQUIRE(::chmod(keys_path(home.path).c_str(), mode) == 0);
    const auto keys = load_keys(home.path);
    REQUIRE(!keys);
    CHECK(keys.error().hint.starts_with("chmod 600 "));
    CHECK(!create_key(home.path, "eve", "", kNow));
  }
  fs::remove(keys_path(home.path));
  fs::create_symlink("/etc/passwd", keys_path(home.path));
  CHECK(!load_keys(home.path));
}

TEST_CASE("keys: a damaged file is told, not taken for none") {
  const KeyHome home;
  REQUIRE(create_key(home.path, "ada", "", kNow));
  std::string whole;
  {
    std::ifstream in(keys_path(home.path));
    whole.assign(std::istreambuf_iterator<char>(in), {});
  }
  for (std::size_t size = 0; size + 2 < whole.size(); ++size) {
    std::ofstream(keys_path(home.path), std::ios::trunc) << whole.substr(0, size);
    CHECK(load_keys(home.path).error().code == ErrorCode::DataLoss);
  }
}

TEST_CASE("keys: many at once are all kept") {
  const KeyHome home;
  std::atomic<int> failed = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 10; ++i)
        failed += !create_key(home.path, "k" + std::to_string(t) + "-" + std::to_string(i), "", kNow);
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(failed == 0);
  const auto keys = load_keys(home.path);
  REQUIRE(keys);
  CHECK(keys->size() == 40);
  std::set<std::string> ids, secrets;
  for (const Key& key : *keys) {
    ids.insert(key.id);
    secrets.insert(key.secret);
  }
  CHECK(ids.size() == 40);
  CHECK(secrets.size() == 40);
}

TEST_CASE(
    "gate: without keys everybody, with keys who signs; changes are seen at once; it never opens again") {
  const KeyHome home;
  StoppedClock clock;
  LiveKeys keys(home.path);
  Gate gate(keys, clock, {});
  http::Request plain;
  plain.method = "POST", plain.path = "/";
  auto caller = gate.admit(plain, "states");
  REQUIRE(caller);
  CHECK(caller->arn() == "arn:aws:iam::123456789012:root");
  const Key ada = *create_key(home.path, "ada", "", clock.time);
  CHECK(gate.admit(plain, "states").error().kind == auth::Refusal::Kind::Missing);
  caller = gate.admit(signed_by(ada.id, ada.secret, clock.time), "states");
  REQUIRE(caller);
  CHECK(caller->arn() == "arn:aws:iam::123456789012:user/ada");
  CHECK(gate.admit(signed_by(ada.id, "wrong", clock.time), "states").error().kind ==
        auth::Refusal::Kind::WrongSignature);
  CHECK(gate.admit(signed_by("AKIANOBODY", ada.secret, clock.time), "states").error().kind ==
        auth::Refusal::Kind::UnknownKey);
  // Whoever knows what an unknown key is compared with gains nothing by it.
  CHECK(gate.admit(signed_by("AKIANOBODY", "nobody's", clock.time), "states").error().kind ==
        auth::Refusal::Kind::UnknownKey);
  CHECK(gate.admit(signed_by(ada.id, ada.secret, clock.time - std::chrono::minutes(6)), "states")
            .error()
            .kind == auth::Refusal::Kind::OutOfTime);
  REQUIRE(set_key_policy(home.path, "ada", R"({"Statement": []})"));
  CHECK(gate.admit(signed_by(ada.id, ada.secret, clock.time), "states")->rights);
  // A file that can't be read changes nothing.
  REQUIRE(::chmod(keys_path(home.path).c_str(), 0644) == 0);
  CHECK(gate.admit(signed_by(ada.id, ada.secret, clock.time), "states"));
  CHECK(!gate.admit(plain, "states"));
  REQUIRE(::chmod(keys_path(home.path).c_str(), 0600) == 0);
  REQUIRE(delete_key(home.path, "ada"));
  CHECK(gate.admit(signed_by(ada.id, ada.secret, clock.time), "states").error().kind ==
        auth::Refusal::Kind::UnknownKey);
  CHECK(gate.admit(plain, "states").error().kind == auth::Refusal::Kind::Missing);
  fs::remove(keys_path(home.path));
  CHECK(gate.admit(plain, "states").error().kind == auth::Refusal::Kind::Missing);
}

TEST_CASE("gate: web pages do not reach a server without keys") {
  const auto why = [](std::vector<http::Header> headers) {
    http::Request request;
    request.method = "GET", request.path = "/";
    request.headers = std::move(headers);
    return suspicion(request, {"millrace.example.org"});
  };
  for (const std::string host :
       {"127.0.0.1:8083", "localhost:8083", "[::1]:8083", "engine", "sync-engine:80", "states.internal",
        "sync-127.0.0.1:8083", "a.localhost", "millrace.example.org"}) {
    CAPTURE(host);
    CHECK(why({{"host", host}}) == "");
    CHECK(why({{"host", host}, {"origin", "http://" + host}, {"sec-fetch-site", "same-origin"}}) == "");
    CHECK(why({{"host", host}, {"origin", "https://evil.example"}}) != "");
    CHECK(why({{"host", host}, {"origin", "null"}}) != "");
    CHECK(why({{"host", host}, {"origin", "http://evil" + host}}) != "");
    CHECK(why({{"host", host}, {"sec-fetch-site", "cross-site"}}) != "");
  }
  // A name in the public name space that was made to point here.
  for (const std::string host :
       {"evil.example.com:8083", "example.com", "127.0.0.1.evil.com", "localhost.evil.com"}) {
    CAPTURE(host);
    CHECK(why({{"host", host}}) != "");
  }
  CHECK(why({}) == "");
}
