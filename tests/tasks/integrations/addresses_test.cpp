// Which addresses requests of workflows may go to.

#include "tasks/integrations/http/addresses.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>

using namespace millrace::tasks;

namespace {

sockaddr_storage address_of(const std::string& text) {
  sockaddr_storage storage{};
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  if (::inet_pton(AF_INET, text.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    std::memcpy(&storage, &v4, sizeof v4);
  } else if (::inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    std::memcpy(&storage, &v6, sizeof v6);
  } else {
    FAIL("no address: " << text);
  }
  return storage;
}

const sockaddr& plain(const sockaddr_storage& storage) {
  return reinterpret_cast<const sockaddr&>(storage);
}

std::string class_of(const std::string& text) {
  const sockaddr_storage storage = address_of(text);
  return std::string(name_of(classify(plain(storage))));
}

}  // namespace

TEST_CASE("Addresses: each belongs to one class, whatever it is wrapped in") {
  const std::pair<const char*, const char*> kCases[] = {
      {"8.8.8.8", "public"},
      {"1.1.1.1", "public"},
      {"172.15.255.255", "public"},
      {"172.32.0.0", "public"},
      {"192.167.255.255", "public"},
      {"100.63.255.255", "public"},
      {"100.128.0.0", "public"},
      {"126.255.255.255", "public"},
      {"128.0.0.0", "public"},
      {"169.253.255.255", "public"},
      {"169.255.0.0", "public"},
      {"223.255.255.255", "public"},
      {"10.0.0.0", "private"},
      {"10.255.255.255", "private"},
      {"172.16.0.1", "private"},
      {"172.31.255.255", "private"},
      {"192.168.0.1", "private"},
      {"100.64.0.1", "private"},
      {"198.18.0.1", "private"},
      {"127.0.0.1", "loopback"},
      {"127.255.255.254", "loopback"},
      {"169.254.0.1", "link-local"},
      {"169.254.255.255", "link-local"},
      {"169.254.169.254", "metadata"},
      {"169.254.170.2", "metadata"},
      {"100.100.100.200", "metadata"},
      {"192.0.0.192", "metadata"},
      {"168.63.129.16", "metadata"},
      {"0.0.0.0", "unspecified"},
      {"0.1.2.3", "unspecified"},
      {"224.0.0.1", "multicast"},
      {"239.255.255.255", "multicast"},
      {"240.0.0.1", "reserved"},
      {"255.255.255.255", "reserved"},
      {"2606:4700:4700::1111", "public"},
      {"2a00::1", "public"},
      {"::1", "loopback"},
      {"::", "unspecified"},
      {"fe80::1", "link-local"},
      {"febf::1", "link-local"},
      {"fc00::1", "private"},
      {"fdff::1", "private"},
      {"fec0::1", "private"},
      {"ff02::1", "multicast"},
      {"fd00:ec2::254", "metadata"},
      {"fd20:ce::254", "metadata"},
      {"::ffff:169.254.169.254", "metadata"},
      {"::ffff:127.0.0.1", "loopback"},
      {"::ffff:8.8.8.8", "public"},
      {"::ffff:0:169.254.169.254", "metadata"},
      {"::169.254.169.254", "metadata"},
      {"64:ff9b::169.254.169.254", "metadata"},
      {"64:ff9b:1::169.254.169.254", "metadata"},
      {"64:ff9b::8.8.8.8", "public"},
      {"2002:a9fe:a9fe::1", "metadata"},
      {"2002:7f00:1::", "loopback"},
      {"2001:0:0:0:0:0:5601:5601", "metadata"},  // Teredo: 169.254.169.254 with its bits turned round
      {"2001:db8::1", "public"},
  };
  for (const auto& [text, expected] : kCases) {
    CAPTURE(text);
    CHECK(class_of(text) == expected);
  }
  const sockaddr_storage link = address_of("fe80::1");
  CHECK(text_of(plain(link)) == "fe80::1");
}

TEST_CASE("Addresses: the rules refuse what hands out credentials, and what they are told to") {
  AddressRules rules;
  const auto allows = [&](const std::string& text) {
    const sockaddr_storage storage = address_of(text);
    return rules.allows(plain(storage));
  };
  for (const char* text : {"8.8.8.8", "127.0.0.1", "10.0.0.1", "::1", "fd12::1"}) CHECK(allows(text));
  for (const char* text : {"169.254.169.254", "169.254.1.1", "fd00:ec2::254", "fe80::1", "0.0.0.0",
                           "::", "224.0.0.1", "::ffff:0.0.0.0"})
    CHECK_FALSE(allows(text));
  CHECK(rules.allow("link-local"));
  CHECK(allows("169.254.1.1"));
  CHECK_FALSE(allows("169.254.169.254"));
  CHECK(rules.deny("private"));
  CHECK(rules.deny("loopback"));
  CHECK_FALSE(allows("10.0.0.1"));
  CHECK_FALSE(allows("127.0.0.1"));
  const auto unknown = rules.allow("local");
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().message == "\"local\" is no class of addresses");
  CHECK(unknown.error().hint.find("link-local, metadata") != std::string::npos);
  sockaddr unix_socket{};
  unix_socket.sa_family = AF_UNIX;
  CHECK_FALSE(rules.allows(unix_socket));
}
