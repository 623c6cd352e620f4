#include "base/encoding.h"

#include <doctest/doctest.h>

using namespace millrace;

TEST_CASE("base64: the vectors of RFC 4648") {
  const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, coded] : vectors) {
    CHECK(base64_encode(plain) == coded);
    CHECK(base64_decode(coded) == std::string(plain));
  }
  for (const char* wrong : {"Zg", "Zg=", "Z===", "Zm9v!A==", "Zg==Zg==", "====", "Zm 9v"}) {
    CAPTURE(wrong);
    CHECK(!base64_decode(wrong));
  }
}

TEST_CASE("percent signs: two digits behind them are a byte, everything else stays") {
  CHECK(percent_decode("a%2Fb%3a%41") == "a/b:A");
  CHECK(percent_decode("100% %4 %zz %") == "100% %4 %zz %");
  CHECK(percent_decode("") == "");
}

TEST_CASE("XML: text that can't end what it stands in") {
  CHECK(escape_xml("a<b>&\"'\xff\n\x01\r") == "a&lt;b&gt;&amp;&quot;&#39;\xEF\xBF\xBD\n\xEF\xBF\xBD&#13;");
}

TEST_CASE("digests: of \"abc\", from RFC 1321 and FIPS 180-4") {
  CHECK(digest_hex(Digest::Md5, "abc") == "900150983cd24fb0d6963f7d28e17f72");
  CHECK(digest_hex(Digest::Sha1, "abc") == "a9993e364706816aba3e25717850c26c9cd0d89d");
  CHECK(digest_hex(Digest::Sha256, "abc") ==
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(digest_hex(Digest::Sha384, "abc").starts_with("cb00753f45a35e8bb5a03d699ac65007"));
  CHECK(digest_hex(Digest::Sha512, "abc").starts_with("ddaf35a193617abacc417349ae204131"));
  Sha256 pieces;
  pieces.update("a");
  pieces.update("bc");
  CHECK(pieces.finish_hex() == digest_hex(Digest::Sha256, "abc"));
}
