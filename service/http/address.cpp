#include <charconv>

#include "service/http/server.h"

namespace millrace::http {

Result<Address> parse_address(const std::string& text) {
  const auto wrong = [&] {
    return invalid("'" + text + "' is no address to listen on", "write HOST:PORT, e.g. 127.0.0.1:8083");
  };
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos) return wrong();
  Address address{text.substr(0, colon), 0};
  const std::string_view digits = std::string_view(text).substr(colon + 1);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), address.port);
  if (error != std::errc() || end != digits.data() + digits.size() || address.port < 0 ||
      address.port > 65535)
    return wrong();
  std::string& host = address.host;
  if (host.empty() || host == "localhost") host = "127.0.0.1";
  if (host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  if (host.find_first_not_of("0123456789abcdefABCDEF.:") != std::string::npos) return wrong();
  return address;
}

bool is_loopback(const Address& address) {
  return address.host.starts_with("127.") || address.host == "::1";
}

}  // namespace millrace::http
