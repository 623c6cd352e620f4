#include "tasks/integrations/http/addresses.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <utility>

namespace millrace::tasks {
namespace {

constexpr std::pair<AddressClass, std::string_view> kClassNames[] = {
    {AddressClass::Public, "public"},       {AddressClass::Private, "private"},
    {AddressClass::Loopback, "loopback"},   {AddressClass::LinkLocal, "link-local"},
    {AddressClass::Metadata, "metadata"},   {AddressClass::Unspecified, "unspecified"},
    {AddressClass::Multicast, "multicast"}, {AddressClass::Reserved, "reserved"},
};

// The first row that holds the address decides.
struct Range4 {
  std::uint32_t base;
  int bits;
  AddressClass address_class;
};
constexpr std::uint32_t quad(unsigned a, unsigned b, unsigned c, unsigned d) {
  return (a << 24) | (b << 16) | (c << 8) | d;
}
constexpr Range4 kRanges4[] = {
    {quad(169, 254, 169, 254), 32, AddressClass::Metadata},  // AWS, Google, Azure, OpenStack, DigitalOcean
    {quad(169, 254, 170, 2), 32, AddressClass::Metadata},    // credentials of containers at AWS
    {quad(169, 254, 170, 23), 32, AddressClass::Metadata},   // of pods there
    {quad(100, 100, 100, 200), 32, AddressClass::Metadata},  // Alibaba
    {quad(192, 0, 0, 192), 32, AddressClass::Metadata},      // Oracle
    {quad(168, 63, 129, 16), 32, AddressClass::Metadata},    // Azure's platform
    {quad(0, 0, 0, 0), 8, AddressClass::Unspecified},       {quad(10, 0, 0, 0), 8, AddressClass::Private},
    {quad(100, 64, 0, 0), 10, AddressClass::Private},       {quad(127, 0, 0, 0), 8, AddressClass::Loopback},
    {quad(169, 254, 0, 0), 16, AddressClass::LinkLocal},    {quad(172, 16, 0, 0), 12, AddressClass::Private},
    {quad(192, 0, 0, 0), 24, AddressClass::Reserved},       {quad(192, 168, 0, 0), 16, AddressClass::Private},
    {quad(198, 18, 0, 0), 15, AddressClass::Private},       {quad(224, 0, 0, 0), 4, AddressClass::Multicast},
    {quad(240, 0, 0, 0), 4, AddressClass::Reserved},
};

AddressClass classify4(std::uint32_t address) {
  for (const Range4& range : kRanges4) {
    const std::uint32_t mask = ~std::uint32_t{0} << (32 - range.bits);
    if ((address & mask) == range.base) return range.address_class;
  }
  return AddressClass::Public;
}

using Bytes16 = std::array<std::uint8_t, 16>;

struct Range6 {
  Bytes16 base;
  int bits;
  AddressClass address_class;
};
constexpr Range6 kRanges6[] = {
    {{0xfd, 0x00, 0x0e, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54}, 128, AddressClass::Metadata},  // AWS
    {{0xfd, 0x00, 0x0e, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x00, 0x23},
     128,
     AddressClass::Metadata},  // its pods
    {{0xfd, 0x20, 0x00, 0xce, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54},
     128,
     AddressClass::Metadata},  // Google
    {{}, 128, AddressClass::Unspecified},
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 128, AddressClass::Loopback},
    {{0xfe, 0x80}, 10, AddressClass::LinkLocal},
    {{0xfe, 0xc0}, 10, AddressClass::Private},  // site-local, of old
    {{0xfc, 0x00}, 7, AddressClass::Private},
    {{0xff, 0x00}, 8, AddressClass::Multicast},
};

// Where an IPv6 address of that prefix carries an IPv4 address; Teredo has its bits turned round.
struct Carrier {
  Bytes16 base;
  int bits;
  std::size_t at;
  bool inverted;
};
constexpr Carrier kCarriers[] = {
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96, 12, false},  // mapped
    {{0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96, 12, false},        // translated
    {{0x00, 0x64, 0xff, 0x9b}, 96, 12, false},                    // NAT64
    {{0x00, 0x64, 0xff, 0x9b, 0x00, 0x01}, 48, 12, false},        // NAT64, local
    {{0x20, 0x02}, 16, 2, false},                                 // 6to4
    {{0x20, 0x01, 0x00, 0x00}, 32, 12, true},                     // Teredo
    {{}, 96, 12, false},                                          // compatible, of old
};

bool within(const Bytes16& address, const Bytes16& base, int bits) {
  for (std::size_t i = 0; i < address.size() && bits > 0; ++i, bits -= 8) {
    const int mask = bits >= 8 ? 0xff : (0xff << (8 - bits)) & 0xff;
    if ((address[i] & mask) != (base[i] & mask)) return false;
  }
  return true;
}

AddressClass classify6(const Bytes16& address) {
  for (const Range6& range : kRanges6)
    if (within(address, range.base, range.bits)) return range.address_class;
  for (const Carrier& carrier : kCarriers) {
    if (!within(address, carrier.base, carrier.bits)) continue;
    std::uint32_t inner = 0;
    for (std::size_t i = 0; i < 4; ++i) inner = (inner << 8) | address[carrier.at + i];
    return classify4(carrier.inverted ? ~inner : inner);
  }
  return AddressClass::Public;
}

Result<AddressClass> class_named(std::string_view name) {
  std::string known;
  for (const auto& [address_class, class_name] : kClassNames) {
    if (class_name == name) return address_class;
    known += (known.empty() ? "" : ", ") + std::string(class_name);
  }
  return invalid("\"" + std::string(name) + "\" is no class of addresses", "the classes are " + known);
}

}  // namespace

std::string_view name_of(AddressClass address_class) {
  for (const auto& [known, name] : kClassNames)
    if (known == address_class) return name;
  return "";
}

AddressClass classify(const sockaddr& address) {
  if (address.sa_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &address, sizeof v4);
    return classify4(ntohl(v4.sin_addr.s_addr));
  }
  if (address.sa_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &address, sizeof v6);
    Bytes16 bytes{};
    std::memcpy(bytes.data(), &v6.sin6_addr, bytes.size());
    return classify6(bytes);
  }
  return AddressClass::Reserved;
}

std::string text_of(const sockaddr& address) {
  char text[INET6_ADDRSTRLEN] = {};
  if (address.sa_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &address, sizeof v4);
    ::inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
  } else if (address.sa_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &address, sizeof v6);
    ::inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
  }
  return text;
}

AddressRules::AddressRules()
    : denied_{AddressClass::LinkLocal, AddressClass::Metadata, AddressClass::Unspecified,
              AddressClass::Multicast, AddressClass::Reserved} {}

Status AddressRules::allow(std::string_view class_name) {
  MR_TRY(address_class, class_named(class_name));
  denied_.erase(address_class);
  return {};
}

Status AddressRules::deny(std::string_view class_name) {
  MR_TRY(address_class, class_named(class_name));
  denied_.insert(address_class);
  return {};
}

}  // namespace millrace::tasks
