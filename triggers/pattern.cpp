#include "triggers/pattern.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <set>

#include "definitions/jsonata/case_mapping.h"
#include "triggers/rule_index.h"

namespace millrace::triggers {
namespace {

using definitions::jsonata::to_lower;

constexpr double kNumberMax = 5e9;  // of what AWS compares

// Reads one pattern; the first error wins.
class PatternReader {
 public:
  PatternReader(std::string_view text, const Payload& document, const std::vector<std::uint32_t>& offsets)
      : text_(text), document_(document), offsets_(offsets) {}

  Result<Pattern> read() {
    const JsonView root = document_.view();
    if (!root.is_object()) return wrong(root, "Filter is not an object");
    Pattern pattern;
    MR_TRY(alternatives, object(root, ""));
    pattern.alternatives = std::move(alternatives);
    return pattern;
  }

 private:
  using Alternatives = std::vector<Conjunction>;

  tl::unexpected<Error> wrong(JsonView at, std::string_view reason) const {
    const std::uint32_t offset = at.index() < offsets_.size() ? offsets_[at.index()] : 0;
    const JsonPosition place = position_of(text_, offset);
    return invalid("Event pattern is not valid. Reason: " + std::string(reason) + " at [line: " +
                   std::to_string(place.line) + ", column: " + std::to_string(place.column) + "]");
  }

  static std::string joined(const std::string& path, const std::string& name) {
    return path.empty() ? name : path + "." + name;
  }

  // Every alternative of one with every alternative of the other.
  Result<Alternatives> both(JsonView at, Alternatives one, Alternatives other) const {
    if (one.size() * other.size() > kAlternativesMax)
      return wrong(at, "Rule is too complex - the $or relationships come to more than " +
                           std::to_string(kAlternativesMax) + " combinations");
    Alternatives result;
    for (const Conjunction& left : one) {
      for (const Conjunction& right : other) {
        Conjunction joint = left;
        joint.insert(joint.end(), right.begin(), right.end());
        result.push_back(std::move(joint));
      }
    }
    return result;
  }

  Result<Alternatives> object(JsonView object, const std::string& path) {
    if (object.size() == 0) return wrong(object, "Empty objects are not allowed");
    Alternatives result(1);
    for (const auto [key, value] : object.members()) {
      const std::string name = key.string();
      MR_TRY(found, member(key, value, name, path));
      MR_TRY(joint, both(key, std::move(result), std::move(found)));
      result = std::move(joint);
    }
    return result;
  }

  Result<Alternatives> member(JsonView key, JsonView value, const std::string& name,
                              const std::string& path) {
    if (name == "$or" && value.is_array()) return either(key, value, path);
    const std::string inner = joined(path, name);
    if (value.is_object()) return object(value, inner);
    if (!value.is_array()) return wrong(value, "\"" + name + "\" must be an object or an array");
    if (value.size() == 0) return wrong(value, "Empty arrays are not allowed");
    PatternLeaf leaf{inner, {}};
    for (const JsonView element : value.elements()) {
      MR_TRY(read, match_value(element));
      leaf.any_of.push_back(std::move(read));
    }
    return Alternatives{{std::move(leaf)}};
  }

  Result<Alternatives> either(JsonView key, JsonView list, const std::string& path) {
    if (list.size() < 2) return wrong(key, "There must have at least 2 Objects in $or relationship.");
    Alternatives result;
    for (const JsonView element : list.elements()) {
      if (!element.is_object()) return wrong(element, "Only Objects are allowed in $or relationship.");
      MR_TRY(found, object(element, path));
      result.insert(result.end(), found.begin(), found.end());
      if (result.size() > kAlternativesMax)
        return wrong(key, "Rule is too complex - the $or relationships come to more than " +
                              std::to_string(kAlternativesMax) + " combinations");
    }
    return result;
  }

  static condition::Equals equals(JsonView value) {
    condition::Equals made{std::string(value.text())};
    made.number = value.is_number();
    if (made.number) made.value = value.number();
    return made;
  }

  Result<Condition> match_value(JsonView value) {
    if (value.is_array()) return wrong(value, "Match value must be String, number, true, false, or null");
    if (!value.is_object()) return Condition(equals(value));
    if (value.size() == 0) return wrong(value, "Empty objects are not allowed");
    if (value.size() > 1) return wrong(value, "Only one key allowed in match expression");
    const auto [key, given] = *value.members().begin();
    return expression(key, given);
  }

  using Reader = Result<Condition> (PatternReader::*)(JsonView given);
  Result<Condition> expression(JsonView key, JsonView given) {
    static constexpr std::pair<std::string_view, Reader> kReaders[] = {
        {"prefix", &PatternReader::prefix},
        {"suffix", &PatternReader::suffix},
        {"equals-ignore-case", &PatternReader::ignoring_case},
        {"wildcard", &PatternReader::wildcard},
        {"anything-but", &PatternReader::anything_but},
        {"numeric", &PatternReader::numeric},
        {"cidr", &PatternReader::cidr},
        {"exists", &PatternReader::exists},
    };
    for (const auto& [name, reader] : kReaders)
      if (key.equals(name)) return (this->*reader)(given);
    return wrong(key, "Unrecognized match type " + key.string());
  }

  Result<Condition> affix(JsonView given, condition::Part part, std::string_view name) {
    if (given.is_string()) return Condition(condition::Text{part, given.string(), false});
    if (given.is_object() && given.size() == 1) {
      const auto [key, folded] = *given.members().begin();
      if (key.equals("equals-ignore-case") && folded.is_string())
        return Condition(condition::Text{part, to_lower(folded.string()), true});
    }
    return wrong(given, std::string(name) + " match pattern must be a string");
  }
  Result<Condition> prefix(JsonView given) { return affix(given, condition::Part::Prefix, "prefix"); }
  Result<Condition> suffix(JsonView given) { return affix(given, condition::Part::Suffix, "suffix"); }

  Result<Condition> ignoring_case(JsonView given) {
    if (!given.is_string()) return wrong(given, "equals-ignore-case match pattern must be a string");
    return Condition(condition::Text{condition::Part::Whole, to_lower(given.string()), true});
  }

  Result<Condition> wildcard(JsonView given) {
    MR_TRY(read, read_wildcard(given));
    return Condition(std::move(read));
  }
  Result<condition::Wildcard> read_wildcard(JsonView given) {
    if (!given.is_string()) return wrong(given, "wildcard match pattern must be a string");
    const std::string text = given.string();
    condition::Wildcard made{{""}};
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '\\') {
        if (i + 1 >= text.size() || (text[i + 1] != '*' && text[i + 1] != '\\'))
          return wrong(given, "Invalid escape character at pos " + std::to_string(i));
        made.pieces.back() += text[++i];
      } else if (text[i] == '*') {
        if (i > 0 && text[i - 1] == '*' && made.pieces.back().empty())
          return wrong(given, "Consecutive wildcard characters at pos " + std::to_string(i - 1));
        made.pieces.emplace_back();
      } else {
        made.pieces.back() += text[i];
      }
    }
    if (made.pieces.size() > static_cast<std::size_t>(kWildcardsMax) + 1)
      return wrong(given,
                   "Rule is too complex - try using fewer wildcard characters or fewer repeating character "
                   "sequences after a wildcard character");
    return made;
  }

  Result<Condition> anything_but(JsonView given) {
    condition::AnythingBut made;
    if (given.is_object()) {
      MR_DO(anything_but_expression(given, made));
    } else if (given.is_array()) {
      if (given.size() == 0) return wrong(given, "Empty arrays are not allowed");
      const bool numbers = given.at(0).is_number();
      for (const JsonView element : given.elements()) {
        if (!element.is_number() && !element.is_string())
          return wrong(element, "Inside anything but list, start|null|boolean is not supported.");
        if (element.is_number() != numbers)
          return wrong(element,
                       "Inside anything but list, either all values are number or string, mixed type is not "
                       "supported");
        made.these.push_back(equals(element));
      }
    } else if (given.is_string() || given.is_number()) {
      made.these.push_back(equals(given));
    } else {
      return wrong(given, "Value of anything-but must be an array or single string/number value.");
    }
    return Condition(std::move(made));
  }

  // {"prefix": "a"} or {"prefix": ["a", "b"]}, and the like.
  Status anything_but_expression(JsonView given, condition::AnythingBut& made) {
    if (given.size() != 1) return wrong(given, "Only one key allowed in match expression");
    const auto [key, value] = *given.members().begin();
    static constexpr std::string_view kKinds[] = {"prefix", "suffix", "equals-ignore-case", "wildcard"};
    const auto* kind = std::find_if(std::begin(kKinds), std::end(kKinds),
                                    [k = key](std::string_view n) { return k.equals(n); });
    if (kind == std::end(kKinds)) return wrong(key, "Unsupported anything-but pattern: " + key.string());
    if (value.is_array() && value.size() == 0) return wrong(value, "Empty arrays are not allowed");
    const auto one = [&](JsonView element) -> Status {
      if (!element.is_string())
        return wrong(element, "Inside anything-but/" + std::string(*kind) +
                                  " list, number|start|null|boolean is not supported.");
      const std::string text = element.string();
      const bool affixes = *kind == "prefix" || *kind == "suffix";
      if (affixes && text.empty()) return wrong(element, "Null prefix/suffix not allowed");
      if (*kind == "wildcard") {
        MR_TRY(read, read_wildcard(element));
        made.these.push_back(std::move(read));
      } else if (*kind == "equals-ignore-case") {
        made.these.push_back(condition::Text{condition::Part::Whole, to_lower(text), true});
      } else {
        made.these.push_back(condition::Text{
            *kind == "prefix" ? condition::Part::Prefix : condition::Part::Suffix, text, false});
      }
      return {};
    };
    if (!value.is_array()) return one(value);
    for (const JsonView element : value.elements()) MR_DO(one(element));
    return {};
  }

  // One comparison of a numeric condition.
  Status bound(JsonView sign, JsonView number, condition::Numeric& made) {
    if (!sign.is_string()) return wrong(sign, "Invalid member in numeric match: " + std::string(sign.text()));
    const std::string name = sign.string();
    if (!number || !number.is_number())
      return wrong(number ? number : sign, "Value of " + name + " must be numeric");
    const double value = number.number();
    if (std::abs(value) > kNumberMax)
      return wrong(number, "Value must be between " + std::to_string(-kNumberMax) + " and " +
                               std::to_string(kNumberMax) + ", inclusive");
    const bool low = name == ">" || name == ">=" || name == "=";
    const bool high = name == "<" || name == "<=" || name == "=";
    if (!low && !high) return wrong(sign, "Unrecognized numeric range operator: " + name);
    if ((low && made.has_low) || (high && made.has_high) || (low && made.has_high))
      return wrong(sign, "Bad numeric range operator: " + name);
    if (low) {
      made.low = value;
      made.has_low = true;
      made.low_open = name == ">";
    }
    if (high) {
      made.high = value;
      made.has_high = true;
      made.high_open = name == "<";
    }
    return {};
  }

  Result<Condition> numeric(JsonView given) {
    if (!given.is_array()) return wrong(given, "Value of numeric must be an array.");
    if (given.size() == 0) return wrong(given, "Invalid member in numeric match: ]");
    if (given.size() > 4) return wrong(given, "Too many terms in numeric range expression");
    condition::Numeric made;
    for (std::uint32_t i = 0; i < given.size(); i += 2) {
      if (i > 0 && given.at(0).equals("=")) return wrong(given, "Too many terms in numeric range expression");
      MR_DO(bound(given.at(i), i + 1 < given.size() ? given.at(i + 1) : JsonView(), made));
    }
    const bool empty = made.has_low && made.has_high &&
                       (made.low > made.high || (made.low == made.high && (made.low_open || made.high_open)));
    if (empty) return wrong(given, "Bottom must be less than top");
    return Condition(made);
  }

  Result<Condition> cidr(JsonView given) {
    if (!given.is_string()) return wrong(given, "prefix match pattern must be a string");
    const std::string text = given.string();
    const std::size_t slash = text.find('/');
    condition::Network made;
    const std::string address = text.substr(0, slash);
    if (slash == std::string::npos) return wrong(given, "Malformed CIDR, one '/' required");
    made.v6 = address.find(':') != std::string::npos;
    unsigned char* into = made.address.data() + (made.v6 ? 0 : 12);
    if (inet_pton(made.v6 ? AF_INET6 : AF_INET, address.c_str(), into) != 1)
      return wrong(given, "Nonstandard IP address: " + address);
    const char* begin = text.data() + slash + 1;
    const char* end = text.data() + text.size();
    const auto [stop, code] = std::from_chars(begin, end, made.bits);
    if (code != std::errc() || stop != end || begin == end)
      return wrong(given, "Malformed CIDR, mask bits must be an integer");
    if (made.bits < 0 || made.bits > (made.v6 ? 128 : 32))
      return wrong(given, made.v6 ? "IPv6 mask bits must not be greater than 128"
                                  : "IPv4 mask bits must not be greater than 32");
    return Condition(made);
  }

  Result<Condition> exists(JsonView given) {
    if (!given.is_boolean()) return wrong(given, "exists match pattern must be either true or false.");
    return Condition(condition::Exists{given.boolean()});
  }

  const std::string_view text_;
  const Payload& document_;
  const std::vector<std::uint32_t>& offsets_;
};

// ---- Conditions on one value

bool holds(const condition::Equals& wanted, JsonView value) {
  if (value.text() == wanted.text) return true;
  // Beyond 2^53 doubles no longer tell numbers apart: there only the same digits are the same.
  constexpr double kExact = 9007199254740992.0;
  return wanted.number && value.is_number() && std::abs(wanted.value) < kExact &&
         value.number() == wanted.value;
}

bool holds(const condition::Text& wanted, JsonView value) {
  if (!value.is_string()) return false;
  std::string text = value.string();
  if (wanted.folded) text = to_lower(text);
  switch (wanted.part) {
    case condition::Part::Prefix:
      return text.starts_with(wanted.text);
    case condition::Part::Suffix:
      return text.ends_with(wanted.text);
    case condition::Part::Whole:
      break;
  }
  return text == wanted.text;
}

// The first piece stands at the beginning, the last at the end, the others in order between them.
bool holds(const condition::Wildcard& wanted, JsonView value) {
  if (!value.is_string()) return false;
  const std::string whole = value.string();
  const std::vector<std::string>& pieces = wanted.pieces;
  if (pieces.size() == 1) return whole == pieces[0];
  std::string_view rest = whole;
  if (rest.size() < pieces.front().size() + pieces.back().size()) return false;
  if (!rest.starts_with(pieces.front()) || !rest.ends_with(pieces.back())) return false;
  rest.remove_suffix(pieces.back().size());
  rest.remove_prefix(pieces.front().size());
  for (std::size_t i = 1; i + 1 < pieces.size(); ++i) {
    const std::size_t at = rest.find(pieces[i]);
    if (at == std::string_view::npos) return false;
    rest.remove_prefix(at + pieces[i].size());
  }
  return true;
}

bool holds(const condition::Numeric& wanted, JsonView value) {
  if (!value.is_number()) return false;
  const double number = value.number();
  if (wanted.has_low && (wanted.low_open ? number <= wanted.low : number < wanted.low)) return false;
  return !(wanted.has_high && (wanted.high_open ? number >= wanted.high : number > wanted.high));
}

bool holds(const condition::Network& wanted, JsonView value) {
  if (!value.is_string()) return false;
  const std::string text = value.string();
  std::array<unsigned char, 16> address = {};
  unsigned char* into = address.data() + (wanted.v6 ? 0 : 12);
  if (inet_pton(wanted.v6 ? AF_INET6 : AF_INET, text.c_str(), into) != 1) return false;
  const unsigned char* network = wanted.address.data() + (wanted.v6 ? 0 : 12);
  const int whole = wanted.bits / 8, rest = wanted.bits % 8;
  if (std::memcmp(into, network, static_cast<std::size_t>(whole)) != 0) return false;
  if (rest == 0) return true;
  const int mask = 0xFF << (8 - rest);
  return (into[whole] & mask) == (network[whole] & mask);
}

bool holds(const condition::Exists& wanted, JsonView) {
  return wanted.there;
}

bool holds(const condition::AnythingBut& wanted, JsonView value) {
  return std::none_of(wanted.these.begin(), wanted.these.end(), [&](const condition::Simple& simple) {
    return std::visit([&](const auto& one) { return holds(one, value); }, simple);
  });
}

}  // namespace

Result<Pattern> compile_pattern(std::string_view text) {
  if (text.size() > kPatternBytesMax)
    return invalid("Event pattern is not valid. Reason: the pattern has more than " +
                   std::to_string(kPatternBytesMax) + " bytes");
  std::vector<std::uint32_t> offsets;
  JsonParseOptions options;
  options.depth_max = 100;
  options.offsets = &offsets;
  const auto document = Payload::parse(text, options);
  if (!document) return invalid("Event pattern is not valid. Reason: " + document.error().message);
  return PatternReader(text, *document, offsets).read();
}

bool meets(const Condition& condition, JsonView value) {
  return std::visit([&](const auto& one) { return holds(one, value); }, condition);
}

bool matches(const Pattern& pattern, JsonView event) {
  const RuleIndex index({&pattern});
  std::vector<std::uint32_t> found;
  index.match(event, found);
  return !found.empty();
}

}  // namespace millrace::triggers
