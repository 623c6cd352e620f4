#pragma once
// AddressRules: which addresses requests of workflows may be sent to. A workflow's author or its input names
// a URL; the machine that runs Millrace can reach more than they should: the metadata service of a cloud
// hands out credentials. The rules are asked about the address that is being connected to, after every
// look-up of a name, so a name that changes its address between look-ups gains nothing. Pure; any thread.
// Source: RFC 6890 and the registries it founded; the addresses of the clouds' metadata services.

#include <set>
#include <string>
#include <string_view>

#include "base/result.h"

struct sockaddr;

namespace millrace::tasks {

enum class AddressClass { Public, Private, Loopback, LinkLocal, Metadata, Unspecified, Multicast, Reserved };
std::string_view name_of(AddressClass address_class);  // "public", "private", "loopback", "link-local", …

// Of an IPv4 or IPv6 address. An IPv4 address in an IPv6 one (mapped, NAT64, 6to4, Teredo) counts as what it
// is. Others, e.g. Unix sockets, are Reserved.
AddressClass classify(const sockaddr& address);
std::string text_of(const sockaddr& address);  // "169.254.169.254", "fe80::1"

class AddressRules {
 public:
  // Refused at first: link-local, metadata, unspecified, multicast, reserved. A service on the same machine
  // or in the same network is what most people self-host for, so loopback and private are allowed.
  AddressRules();
  // By name; InvalidArgument for a class that does not exist.
  Status allow(std::string_view class_name);
  Status deny(std::string_view class_name);
  bool allows(const sockaddr& address) const { return !denied_.contains(classify(address)); }

 private:
  std::set<AddressClass> denied_;
};

}  // namespace millrace::tasks
