#include "base/crc.h"

#include <doctest/doctest.h>

#include "base/encoding.h"

using namespace millrace;

TEST_CASE("crc: the check values of the catalogues, however the bytes are cut") {
  const std::string digits = "123456789";
  const std::pair<Crc::Kind, std::uint64_t> kChecks[] = {{Crc::Kind::Crc32, 0xCBF43926},
                                                         {Crc::Kind::Crc32c, 0xE3069283},
                                                         {Crc::Kind::Crc64Nvme, 0xAE8B14860A799888}};
  for (const auto& [kind, check] : kChecks) {
    for (std::size_t cut = 0; cut <= digits.size(); ++cut) {
      Crc crc(kind);
      crc.update(digits.substr(0, cut));
      crc.update(digits.substr(cut));
      CHECK(crc.value() == check);
    }
  }
  Crc empty(Crc::Kind::Crc32);
  CHECK(base64_encode(empty.bytes()) == "AAAAAA==");
  std::string long_text;
  for (int i = 0; i < 1000; ++i) long_text += static_cast<char>(i * 7);
  Crc whole(Crc::Kind::Crc32c), cut(Crc::Kind::Crc32c);
  whole.update(long_text);
  for (std::size_t at = 0; at < long_text.size(); at += 13) cut.update(long_text.substr(at, 13));
  CHECK(whole.bytes() == cut.bytes());
}

TEST_CASE("hasher: pieces are as good as the whole") {
  Hasher md5(Digest::Md5);
  md5.update("hel");
  md5.update("lo");
  CHECK(md5.finish_hex() == digest_hex(Digest::Md5, "hello"));
  CHECK(percent_encode("a/b c~ü", true) == "a/b%20c~%C3%BC");
  CHECK(percent_encode("a/b") == "a%2Fb");
}
