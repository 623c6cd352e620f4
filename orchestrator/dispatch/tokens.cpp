#include "orchestrator/dispatch/tokens.h"

#include "base/encoding.h"

namespace millrace::orchestrator {
namespace {

// Version, execution, frame, visit, attempt, little-endian; then the first bytes of the MAC over them.
constexpr char kVersion = 1;
constexpr std::size_t kKeyBytes = 1 + 8 + 8 + 8 + 4;
constexpr std::size_t kMacBytes = 31;  // with the key a multiple of 3: no padding

void put(std::string& out, std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i));
}

std::uint64_t take(std::string_view& in, int bytes) {
  std::uint64_t value = 0;
  for (int i = 0; i < bytes; ++i) {
    value |= std::uint64_t{static_cast<unsigned char>(in[static_cast<std::size_t>(i)])} << (8 * i);
  }
  in.remove_prefix(static_cast<std::size_t>(bytes));
  return value;
}

}  // namespace

std::string TaskTokens::mint(const TaskKey& key) const {
  std::string bytes(1, kVersion);
  put(bytes, key.execution.value, 8);
  put(bytes, key.frame.value, 8);
  put(bytes, key.visit, 8);
  put(bytes, key.attempt, 4);
  bytes += hmac_sha256(secret_, bytes).substr(0, kMacBytes);
  return base64_encode(bytes);
}

Result<TaskKey> TaskTokens::open(std::string_view token) const {
  const auto invalid_token = [] {
    return invalid("Invalid Token: 'Invalid token'", "pass the token as the task received it");
  };
  const auto bytes = base64_decode(token);
  if (!bytes || bytes->size() != kKeyBytes + kMacBytes || bytes->front() != kVersion) return invalid_token();
  const std::string_view signed_part = std::string_view(*bytes).substr(0, kKeyBytes);
  const std::string mac = hmac_sha256(secret_, signed_part).substr(0, kMacBytes);
  if (!equal_in_constant_time(mac, std::string_view(*bytes).substr(kKeyBytes))) return invalid_token();
  std::string_view rest = signed_part.substr(1);
  TaskKey key;
  key.execution = ExecutionId{take(rest, 8)};
  key.frame = FrameId{take(rest, 8)};
  key.visit = take(rest, 8);
  key.attempt = static_cast<std::uint32_t>(take(rest, 4));
  return key;
}

}  // namespace millrace::orchestrator
