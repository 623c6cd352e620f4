#include "service/auth/conditions.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstring>

#include "service/auth/policy.h"

namespace millrace::auth {
namespace {

enum class Kind { Text, Ip, Bool, Date };
enum class Compare { Same, SameIgnoringCase, Like, Within, Before, BeforeOrAt, After, AtOrAfter };

struct OperatorRow {
  std::string_view name;
  Kind kind;
  Compare compare;
  bool negated = false;
};
constexpr OperatorRow kOperators[] = {
    {"StringEquals", Kind::Text, Compare::Same},
    {"StringNotEquals", Kind::Text, Compare::Same, true},
    {"StringEqualsIgnoreCase", Kind::Text, Compare::SameIgnoringCase},
    {"StringNotEqualsIgnoreCase", Kind::Text, Compare::SameIgnoringCase, true},
    {"StringLike", Kind::Text, Compare::Like},
    {"StringNotLike", Kind::Text, Compare::Like, true},
    {"ArnEquals", Kind::Text, Compare::Like},
    {"ArnNotEquals", Kind::Text, Compare::Like, true},
    {"ArnLike", Kind::Text, Compare::Like},
    {"ArnNotLike", Kind::Text, Compare::Like, true},
    {"IpAddress", Kind::Ip, Compare::Within},
    {"NotIpAddress", Kind::Ip, Compare::Within, true},
    {"Bool", Kind::Bool, Compare::SameIgnoringCase},
    {"DateLessThan", Kind::Date, Compare::Before},
    {"DateLessThanEquals", Kind::Date, Compare::BeforeOrAt},
    {"DateGreaterThan", Kind::Date, Compare::After},
    {"DateGreaterThanEquals", Kind::Date, Compare::AtOrAfter},
};

struct KeyRow {
  std::string_view name;  // compared without regard to case
  Kind kind;
  std::string (*text)(const Circumstances&);  // null: of times
};
constexpr KeyRow kKeys[] = {
    {"aws:SourceIp", Kind::Ip, [](const Circumstances& c) { return c.source_ip; }},
    {"aws:PrincipalArn", Kind::Text, [](const Circumstances& c) { return c.principal_arn; }},
    {"aws:username", Kind::Text, [](const Circumstances& c) { return c.user_name; }},
    {"aws:SecureTransport", Kind::Bool,
     [](const Circumstances& c) { return std::string(c.secure ? "true" : "false"); }},
    {"aws:CurrentTime", Kind::Date, nullptr},
};

std::string small(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

template <class Rows>
std::string names_of(const Rows& rows) {
  std::string out;
  for (const auto& row : rows) out.append(out.empty() ? "" : ", ").append(row.name);
  return out;
}

// The address of a source can be compared as text, too.
bool goes_with(const OperatorRow& op, const KeyRow& key) {
  return op.kind == key.kind || (op.kind == Kind::Text && key.kind == Kind::Ip);
}

bool compare_texts(Compare how, const std::string& wanted, const std::string& found) {
  if (how == Compare::Like) return covers(wanted, found);
  return how == Compare::SameIgnoringCase ? small(wanted) == small(found) : wanted == found;
}

bool compare_times(Compare how, Instant wanted, Instant now) {
  if (how == Compare::Before) return now < wanted;
  if (how == Compare::BeforeOrAt) return now <= wanted;
  return how == Compare::After ? now > wanted : now >= wanted;
}

std::optional<std::string> value_text(JsonView value) {
  if (value.is_string()) return value.string();
  if (value.is_boolean()) return std::string(value.boolean() ? "true" : "false");
  return std::nullopt;
}

}  // namespace

tl::unexpected<Error> malformed_policy(const std::string& what) {
  return invalid("MalformedPolicyDocument: " + what,
                 R"(e.g. {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "states:*", )"
                 R"("Resource": "*"}]})");
}

std::optional<Network> Network::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const std::string address(text.substr(0, slash));
  Network made;
  int width = 128;
  if (::inet_pton(AF_INET6, address.c_str(), made.bytes.data()) != 1) {
    width = 32;
    made.bytes = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
    if (::inet_pton(AF_INET, address.c_str(), made.bytes.data() + 12) != 1) return std::nullopt;
  }
  int bits = width;
  if (slash != std::string_view::npos) {
    const std::string_view tail = text.substr(slash + 1);
    const auto [end, error] = std::from_chars(tail.data(), tail.data() + tail.size(), bits);
    if (error != std::errc() || end != tail.data() + tail.size() || bits < 0 || bits > width)
      return std::nullopt;
  }
  made.bits = bits + 128 - width;
  return made;
}

bool Network::holds(const Network& address) const {
  const auto whole = static_cast<std::size_t>(bits / 8);
  if (std::memcmp(bytes.data(), address.bytes.data(), whole) != 0) return false;
  if (bits % 8 == 0) return true;
  const int mask = 0xFF << (8 - bits % 8) & 0xFF;
  return (bytes[whole] & mask) == (address.bytes[whole] & mask);
}

Result<Conditions> Conditions::parse(JsonView view, const std::string& where) {
  if (!view.is_object()) return malformed_policy(where + ": Condition is no object");
  Conditions made;
  for (const auto& [op_name, keys] : view.members()) {
    const std::string at = where + ": Condition." + op_name.string();
    const auto* op =
        std::find_if(std::begin(kOperators), std::end(kOperators),
                     [&, name = op_name.string()](const OperatorRow& row) { return row.name == name; });
    if (op == std::end(kOperators))
      return malformed_policy(at + " is not evaluated here; operators are " + names_of(kOperators));
    if (!keys.is_object()) return malformed_policy(at + " is no object of keys and values");
    for (const auto& [key_name, values] : keys.members()) {
      const auto* key = std::find_if(
          std::begin(kKeys), std::end(kKeys),
          [name = small(key_name.string())](const KeyRow& row) { return small(row.name) == name; });
      if (key == std::end(kKeys))
        return malformed_policy(at + "." + key_name.string() + " is not known here; keys are " +
                                names_of(kKeys));
      if (!goes_with(*op, *key)) return malformed_policy(at + " does not go with " + std::string(key->name));
      Test test;
      test.op = static_cast<int>(op - std::begin(kOperators));
      test.key = static_cast<int>(key - std::begin(kKeys));
      const auto add = [&](JsonView value) -> Status {
        const auto text = value_text(value);
        const auto wrong = [&](const std::string& what) {
          return malformed_policy(at + "." + std::string(key->name) + ": " + std::string(value.text()) +
                                  what);
        };
        if (!text) return wrong(" is no text");
        if (text->find("${") != std::string::npos)
          return wrong(" has a policy variable: those are not evaluated here");
        if (op->kind == Kind::Ip) {
          const auto network = Network::parse(*text);
          if (!network) return wrong(" is no address, like 203.0.113.7, 203.0.113.0/24 or 2001:db8::/32");
          test.networks.push_back(*network);
        } else if (op->kind == Kind::Date) {
          const auto time = parse_rfc3339(*text);
          if (!time) return wrong(" is no time, like 2026-01-31T12:00:00Z");
          test.times.push_back(*time);
        } else if (op->kind == Kind::Bool && small(*text) != "true" && small(*text) != "false") {
          return wrong(" is neither true nor false");
        }
        test.values.push_back(*text);
        return {};
      };
      if (values.is_array()) {
        for (const JsonView value : values.elements()) MR_DO(add(value));
      } else {
        MR_DO(add(values));
      }
      if (test.values.empty())
        return malformed_policy(at + "." + std::string(key->name) + " must not be empty");
      made.tests_.push_back(std::move(test));
    }
  }
  return made;
}

bool Conditions::holds(const Test& test, const Circumstances& circumstances) {
  const OperatorRow& op = kOperators[test.op];
  const KeyRow& key = kKeys[test.key];
  bool any = false;
  if (op.kind == Kind::Date) {
    any = std::any_of(test.times.begin(), test.times.end(),
                      [&](Instant time) { return compare_times(op.compare, time, circumstances.now); });
  } else if (op.kind == Kind::Ip) {
    const auto address = Network::parse(key.text(circumstances));
    any = address && std::any_of(test.networks.begin(), test.networks.end(),
                                 [&](const Network& network) { return network.holds(*address); });
  } else {
    const std::string found = key.text(circumstances);
    any = std::any_of(test.values.begin(), test.values.end(),
                      [&](const std::string& wanted) { return compare_texts(op.compare, wanted, found); });
  }
  return any != op.negated;
}

bool Conditions::hold(const Circumstances& circumstances) const {
  return std::all_of(tests_.begin(), tests_.end(),
                     [&](const Test& test) { return holds(test, circumstances); });
}

}  // namespace millrace::auth
