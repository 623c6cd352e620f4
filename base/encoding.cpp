#include "base/encoding.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>

#include "base/check.h"
#include "base/utf8.h"

namespace millrace {
namespace {

const EVP_MD* method(Digest algorithm) {
  switch (algorithm) {
    case Digest::Md5:
      return EVP_md5();
    case Digest::Sha1:
      return EVP_sha1();
    case Digest::Sha256:
      return EVP_sha256();
    case Digest::Sha384:
      return EVP_sha384();
    case Digest::Sha512:
      return EVP_sha512();
  }
  return EVP_sha256();
}

constexpr char kBase64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// The value of each character; 64: it is none.
constexpr std::array<unsigned char, 256> base64_values() {
  std::array<unsigned char, 256> values{};
  for (unsigned char& value : values) value = 64;
  for (unsigned char i = 0; i < 64; ++i) values[static_cast<unsigned char>(kBase64[i])] = i;
  return values;
}
constexpr std::array<unsigned char, 256> kBase64Values = base64_values();

}  // namespace

std::string base64_encode(std::string_view bytes) {
  std::string out((bytes.size() + 2) / 3 * 4, '=');
  const auto byte = [&](std::size_t i) { return unsigned{static_cast<unsigned char>(bytes[i])}; };
  std::size_t i = 0, at = 0;
  for (; i + 3 <= bytes.size(); i += 3, at += 4) {
    const unsigned group = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
    for (std::size_t k = 0; k < 4; ++k) out[at + k] = kBase64[(group >> (18 - 6 * k)) & 63];
  }
  if (const std::size_t left = bytes.size() - i; left > 0) {
    const unsigned group = byte(i) << 16 | (left == 2 ? byte(i + 1) << 8 : 0u);
    for (std::size_t k = 0; k <= left; ++k) out[at + k] = kBase64[(group >> (18 - 6 * k)) & 63];
  }
  return out;
}

std::optional<std::string> base64_decode(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  std::string out(text.size() / 4 * 3, '\0');
  const auto value = [&](std::size_t i) {
    return unsigned{kBase64Values[static_cast<unsigned char>(text[i])]};
  };
  unsigned wrong = 0;
  for (std::size_t i = 0, at = 0; i < text.size(); i += 4, at += 3) {
    const bool last = i + 4 == text.size();
    const unsigned a = value(i), b = value(i + 1);
    const unsigned c = last && padding == 2 ? 0 : value(i + 2), d = last && padding > 0 ? 0 : value(i + 3);
    wrong |= a | b | c | d;
    const unsigned group = a << 18 | b << 12 | c << 6 | d;
    out[at] = static_cast<char>(group >> 16 & 0xFF);
    out[at + 1] = static_cast<char>(group >> 8 & 0xFF);
    out[at + 2] = static_cast<char>(group & 0xFF);
  }
  if (wrong > 63) return std::nullopt;
  out.resize(out.size() - padding);
  return out;
}

std::string hex_encode(std::string_view bytes) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    out += kHex[static_cast<unsigned char>(c) >> 4];
    out += kHex[static_cast<unsigned char>(c) & 0xF];
  }
  return out;
}

std::string digest(Digest algorithm, std::string_view bytes) {
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  const int ok = EVP_Digest(bytes.data(), bytes.size(), out, &size, method(algorithm), nullptr);
  MR_CHECK(ok == 1, "a message digest could not be computed");
  return std::string(reinterpret_cast<const char*>(out), size);
}

std::string digest_hex(Digest algorithm, std::string_view bytes) {
  return hex_encode(digest(algorithm, bytes));
}

std::string hmac_sha256(std::string_view key, std::string_view bytes) {
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  const auto* made = HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
                          reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), out, &size);
  MR_CHECK(made != nullptr, "HMAC failed");
  return std::string(reinterpret_cast<const char*>(out), size);
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

Hasher::Hasher(Digest algorithm) : context_(EVP_MD_CTX_new()) {
  MR_CHECK(context_ && EVP_DigestInit_ex(static_cast<EVP_MD_CTX*>(context_), method(algorithm), nullptr) == 1,
           "a message digest could not be started");
}
Hasher::~Hasher() {
  EVP_MD_CTX_free(static_cast<EVP_MD_CTX*>(context_));
}

void Hasher::update(std::string_view bytes) {
  MR_CHECK(EVP_DigestUpdate(static_cast<EVP_MD_CTX*>(context_), bytes.data(), bytes.size()) == 1,
           "a message digest failed");
}

std::string Hasher::finish() {
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  MR_CHECK(EVP_DigestFinal_ex(static_cast<EVP_MD_CTX*>(context_), out, &size) == 1,
           "a message digest failed");
  return std::string(reinterpret_cast<const char*>(out), size);
}

std::string percent_decode(std::string_view text) {
  std::string out;
  const auto digit = [](char c) {
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && digit(text[i + 1]) >= 0 && digit(text[i + 2]) >= 0) {
      out += static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2]));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string percent_encode(std::string_view text, bool keep_slash) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.' || c == '_' || c == '~' || (keep_slash && c == '/');
    if (plain)
      out += c;
    else
      (out += '%').append({kDigits[byte >> 4], kDigits[byte & 0xF]});
  }
  return out;
}

std::string escape_xml(std::string_view words) {
  std::string out;
  out.reserve(words.size());
  while (!words.empty()) {
    char32_t point = 0;
    const std::size_t bytes = decode_utf8(words, point);
    const bool allowed = bytes > 0 && (point >= 0x20 || point == '\t' || point == '\n' || point == '\r') &&
                         (point & 0xFFFE) != 0xFFFE;
    if (!allowed) {
      out += "\xEF\xBF\xBD";
    } else if (point == '&') {
      out += "&amp;";
    } else if (point == '<') {
      out += "&lt;";
    } else if (point == '>') {
      out += "&gt;";
    } else if (point == '"') {
      out += "&quot;";
    } else if (point == '\r') {
      out += "&#13;";  // a bare one is read as a line feed
    } else if (point == '\'') {
      out += "&#39;";
    } else {
      out += words.substr(0, bytes);
    }
    words.remove_prefix(std::max<std::size_t>(bytes, 1));
  }
  return out;
}

}  // namespace millrace
