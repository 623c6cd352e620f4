#pragma once
// Base64 (RFC 4648, padded), hexadecimal, text of XML, and message digests.

#include <optional>
#include <string>
#include <string_view>

namespace millrace {

std::string base64_encode(std::string_view bytes);
// Nothing if the text is not Base64: foreign characters, wrong length or padding.
std::optional<std::string> base64_decode(std::string_view text);
std::string hex_encode(std::string_view bytes);
// %41 is A; a '%' that no two hexadecimal digits follow stays as it is.
std::string percent_decode(std::string_view text);
// What is not a letter, a digit or one of "-._~" as %XX; '/' too, unless it is to be kept.
std::string percent_encode(std::string_view text, bool keep_slash = false);
// &, <, >, quotes and carriage returns as entities; what XML 1.0 can't hold and bad UTF-8 become U+FFFD.
std::string escape_xml(std::string_view text);

enum class Digest { Md5, Sha1, Sha256, Sha384, Sha512 };
std::string digest(Digest algorithm, std::string_view bytes);      // raw bytes
std::string digest_hex(Digest algorithm, std::string_view bytes);  // lower case

std::string hmac_sha256(std::string_view key, std::string_view bytes);  // 32 raw bytes; RFC 2104
// True if the bytes are the same, in a time that does not tell where they differ.
bool equal_in_constant_time(std::string_view a, std::string_view b);

// A digest of bytes that come in pieces.
class Hasher {
 public:
  explicit Hasher(Digest algorithm);
  ~Hasher();
  Hasher(const Hasher&) = delete;
  Hasher& operator=(const Hasher&) = delete;
  void update(std::string_view bytes);
  std::string finish();  // raw bytes; once, this one or the next
  std::string finish_hex() { return hex_encode(finish()); }

 private:
  void* context_;
};
class Sha256 final : public Hasher {
 public:
  Sha256() : Hasher(Digest::Sha256) {}
};

}  // namespace millrace
