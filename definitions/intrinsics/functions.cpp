// The eighteen intrinsic functions, one row each.

#include <algorithm>
#include <bit>
#include <cmath>
#include <unordered_map>

#include "base/encoding.h"
#include "base/random.h"
#include "base/utf8.h"
#include "definitions/intrinsics/call.h"

namespace millrace::definitions::intrinsics {
namespace {

using Values = std::span<const Payload>;

std::string shown(const Payload& value) {
  return std::string(value.text());
}

tl::unexpected<Failure> wrong_type(std::string_view function, std::string_view expected, const Payload& got) {
  return intrinsic_failure("Invalid arguments in States." + std::string(function) + ": expected " +
                           std::string(expected) + " but was " + shown(got));
}

// Fractions are rounded to the nearest, halves up.
std::optional<std::int64_t> rounded(const Payload& value) {
  if (!value.view().is_number()) return std::nullopt;
  const double d = std::floor(value.view().number() + 0.5);
  if (!(std::fabs(d) < 9e15)) return std::nullopt;
  return static_cast<std::int64_t>(d);
}

Payload number(std::int64_t n) {
  JsonWriter out;
  out.number(n);
  return out.finish();
}

Payload boolean(bool b) {
  JsonWriter out;
  out.boolean(b);
  return out.finish();
}

// Objects and arrays inside a formatted text appear in Java's notation: {a=1, b=[]}.
std::string java_text(JsonView v) {
  if (v.is_string()) return v.string();
  std::string out;
  if (v.is_array()) {
    out = "[";
    for (const JsonView e : v.elements()) out += (out.size() > 1 ? ", " : "") + java_text(e);
    return out + "]";
  }
  if (v.is_object()) {
    out = "{";
    for (const auto [key, e] : v.members())
      out += (out.size() > 1 ? ", " : "") + key.string() + "=" + java_text(e);
    return out + "}";
  }
  return std::string(v.text());
}

Outcome format(Values a, const Evaluation&) {
  if (!a[0].view().is_string()) return wrong_type("Format", "a string", a[0]);
  const std::string text = a[0].view().string();
  std::string out;
  std::size_t next = 1;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) {
      out += text[++i];
    } else if (text[i] == '{' && i + 1 < text.size() && text[i + 1] == '}') {
      if (next >= a.size())
        return intrinsic_failure(
            "Invalid arguments in States.Format: fewer arguments than occurrences of {}");
      out += java_text(a[next++].view());
      ++i;
    } else {
      out += text[i];
    }
  }
  if (next != a.size())
    return intrinsic_failure("Invalid arguments in States.Format: more arguments than occurrences of {}");
  return Payload::string(out);
}

Outcome string_to_json(Values a, const Evaluation&) {
  if (!a[0].view().is_string()) return wrong_type("StringToJson", "a string", a[0]);
  const std::string text = a[0].view().string();
  if (text.find_first_not_of(" \t\r\n") == std::string::npos) return Payload();
  if (text == "-0") return number(0);
  auto parsed = Payload::parse(text);
  if (!parsed)
    return intrinsic_failure("Invalid arguments in States.StringToJson: " + parsed.error().message);
  return *parsed;
}

Outcome json_to_string(Values a, const Evaluation&) {
  return Payload::string(a[0].text());
}

Outcome array(Values a, const Evaluation&) {
  JsonWriter out;
  out.begin_array();
  for (const Payload& v : a) out.value(v);
  out.end_array();
  return out.finish();
}

Outcome array_partition(Values a, const Evaluation&) {
  if (!a[0].view().is_array()) return wrong_type("ArrayPartition", "an array", a[0]);
  const auto size = rounded(a[1]);
  if (!size || *size <= 0) return wrong_type("ArrayPartition", "a positive integer", a[1]);
  JsonWriter out;
  out.begin_array();
  std::int64_t in_chunk = 0;
  for (const JsonView v : a[0].view().elements()) {
    if (in_chunk == 0) out.begin_array();
    out.value(v);
    if (++in_chunk == *size) {
      out.end_array();
      in_chunk = 0;
    }
  }
  if (in_chunk > 0) out.end_array();
  out.end_array();
  return out.finish();
}

Outcome array_contains(Values a, const Evaluation&) {
  if (!a[0].view().is_array()) return wrong_type("ArrayContains", "an array", a[0]);
  for (const JsonView v : a[0].view().elements()) {
    if (equal(v, a[1].view())) return boolean(true);
  }
  return boolean(false);
}

Outcome array_range(Values a, const Evaluation& e) {
  const auto first = rounded(a[0]), last = rounded(a[1]), step = rounded(a[2]);
  if (!first || !last || !step)
    return intrinsic_failure("Invalid arguments in States.ArrayRange: expected three numbers");
  if (*step == 0) return intrinsic_failure("Invalid arguments in States.ArrayRange: the step must not be 0");
  const std::int64_t most = e.scope.environment.limits->array_range_elements_max;
  JsonWriter out;
  out.begin_array();
  std::int64_t count = 0;
  for (std::int64_t n = *first; *step > 0 ? n <= *last : n >= *last; n += *step) {
    if (++count > most) {
      return intrinsic_failure("Invalid arguments in States.ArrayRange: the range has more than " +
                               std::to_string(most) + " elements");
    }
    out.number(n);
  }
  out.end_array();
  return out.finish();
}

Outcome array_get_item(Values a, const Evaluation&) {
  if (!a[0].view().is_array()) return wrong_type("ArrayGetItem", "an array", a[0]);
  const auto index = rounded(a[1]);
  if (!index || *index < 0 || *index >= static_cast<std::int64_t>(a[0].view().size())) {
    return intrinsic_failure("Invalid arguments in States.ArrayGetItem: the index " + shown(a[1]) +
                             " is out of range");
  }
  return Payload::of(a[0].view().at(static_cast<std::uint32_t>(*index)));
}

Outcome array_length(Values a, const Evaluation&) {
  if (!a[0].view().is_array()) return wrong_type("ArrayLength", "an array", a[0]);
  return number(a[0].view().size());
}

// Equal values have equal hashes: numbers by value, members in any order.
std::uint64_t hash_of(JsonView v) {
  const auto kind = static_cast<std::uint64_t>(v.kind());
  if (v.is_number()) return mix(kind, std::bit_cast<std::uint64_t>(v.number() + 0.0));  // -0 becomes 0
  if (v.is_string()) return hash64(v.text(), kind);
  std::uint64_t hash = kind;
  if (v.is_array()) {
    for (const JsonView e : v.elements()) hash = mix(hash, hash_of(e));
  } else if (v.is_object()) {
    for (const auto [key, e] : v.members()) hash += mix(hash_of(key), hash_of(e));
  }
  return hash;
}

Outcome array_unique(Values a, const Evaluation&) {
  if (!a[0].view().is_array()) return wrong_type("ArrayUnique", "an array", a[0]);
  std::unordered_map<std::uint64_t, std::vector<JsonView>> kept;
  JsonWriter out;
  out.begin_array();
  for (const JsonView v : a[0].view().elements()) {
    std::vector<JsonView>& alike = kept[hash_of(v)];
    if (std::any_of(alike.begin(), alike.end(), [&](JsonView k) { return equal(k, v); })) continue;
    alike.push_back(v);
    out.value(v);
  }
  out.end_array();
  return out.finish();
}

// A text within the limit of the encoding and hashing functions.
tl::expected<std::string, Failure> short_text(std::string_view function, const Payload& value,
                                              const Evaluation& e) {
  const std::string text = value.view().is_string() ? value.view().string() : std::string(value.text());
  if (count_code_points(text) > e.scope.environment.limits->intrinsic_text_characters_max) {
    return intrinsic_failure(
        "Invalid arguments in States." + std::string(function) + ": the text is longer than " +
        std::to_string(e.scope.environment.limits->intrinsic_text_characters_max) + " characters");
  }
  return text;
}

Outcome base64_encode_text(Values a, const Evaluation& e) {
  if (!a[0].view().is_string()) return wrong_type("Base64Encode", "a string", a[0]);
  const auto text = short_text("Base64Encode", a[0], e);
  if (!text) return tl::unexpected<Failure>(text.error());
  return Payload::string(base64_encode(*text));
}

Outcome base64_decode_text(Values a, const Evaluation& e) {
  if (!a[0].view().is_string()) return wrong_type("Base64Decode", "a string", a[0]);
  const auto text = short_text("Base64Decode", a[0], e);
  if (!text) return tl::unexpected<Failure>(text.error());
  const auto bytes = base64_decode(*text);
  if (!bytes) return intrinsic_failure("Invalid arguments in States.Base64Decode: not Base64");
  return Payload::string(*bytes);
}

Outcome hash(Values a, const Evaluation& e) {
  static constexpr std::pair<std::string_view, Digest> kAlgorithms[] = {{"MD5", Digest::Md5},
                                                                        {"SHA-1", Digest::Sha1},
                                                                        {"SHA-256", Digest::Sha256},
                                                                        {"SHA-384", Digest::Sha384},
                                                                        {"SHA-512", Digest::Sha512}};
  const auto text = short_text("Hash", a[0], e);
  if (!text) return tl::unexpected<Failure>(text.error());
  for (const auto& [name, algorithm] : kAlgorithms) {
    if (a[1].view().equals(name)) return Payload::string(digest_hex(algorithm, *text));
  }
  return wrong_type("Hash", "one of MD5, SHA-1, SHA-256, SHA-384, SHA-512", a[1]);
}

Outcome json_merge(Values a, const Evaluation&) {
  if (!a[0].view().is_object()) return wrong_type("JsonMerge", "an object", a[0]);
  if (!a[1].view().is_object()) return wrong_type("JsonMerge", "an object", a[1]);
  if (a[2].text() != "false")
    return intrinsic_failure(
        "Invalid arguments in States.JsonMerge: only shallow merging is supported, the third argument must "
        "be false");
  std::unordered_map<std::string_view, JsonView>
      second;  // by the keys' own text, which is the same for equal keys
  for (const auto [key, value] : a[1].view().members()) second.emplace(key.text(), value);
  JsonWriter out;
  out.begin_object();
  for (const auto [key, value] : a[0].view().members()) {
    const auto other = second.find(key.text());
    out.key(key).value(other == second.end() ? value : other->second);
    if (other != second.end()) second.erase(other);
  }
  for (const auto [key, value] : a[1].view().members()) {
    if (second.contains(key.text())) out.key(key).value(value);
  }
  out.end_object();
  return out.finish();
}

Outcome math_random(Values a, const Evaluation& e) {
  const auto first = rounded(a[0]), last = rounded(a[1]);
  if (!first || !last) return intrinsic_failure("Invalid arguments in States.MathRandom: expected numbers");
  if (*first >= *last)
    return intrinsic_failure("Invalid arguments in States.MathRandom: the start must be less than the end");
  const auto given = a.size() == 3 ? rounded(a[2]) : std::nullopt;
  if (a.size() == 3 && !given) return wrong_type("MathRandom", "an integer as seed", a[2]);
  Random random(given ? static_cast<std::uint64_t>(*given) : e.draw());
  return number(*first + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(*last - *first))));
}

Outcome math_add(Values a, const Evaluation&) {
  const auto x = rounded(a[0]), y = rounded(a[1]);
  if (!x || !y) return intrinsic_failure("Invalid arguments in States.MathAdd: expected two numbers");
  const auto fits = [](std::int64_t n) { return n >= -2147483648LL && n <= 2147483647LL; };
  if (!fits(*x) || !fits(*y) || !fits(*x + *y))
    return intrinsic_failure("Invalid arguments in States.MathAdd: a number is beyond 32 bits");
  return number(*x + *y);
}

Outcome string_split(Values a, const Evaluation&) {
  if (!a[0].view().is_string()) return wrong_type("StringSplit", "a string", a[0]);
  if (!a[1].view().is_string()) return wrong_type("StringSplit", "a string", a[1]);
  const std::string text = a[0].view().string(), delimiters = a[1].view().string();
  const auto is_delimiter = [&](std::string_view character) {
    return delimiters.find(character) != std::string::npos;
  };
  JsonWriter out;
  out.begin_array();
  std::string part;
  for (std::string_view rest = text; !rest.empty();) {
    char32_t ignored = 0;
    const std::string_view character = rest.substr(0, std::max<std::size_t>(1, decode_utf8(rest, ignored)));
    rest.remove_prefix(character.size());
    if (!is_delimiter(character)) {
      part += character;
    } else if (!part.empty()) {
      out.string(part);
      part.clear();
    }
  }
  if (!part.empty()) out.string(part);
  out.end_array();
  return out.finish();
}

Outcome uuid(Values, const Evaluation& e) {
  Random random(e.draw());
  return Payload::string(uuid_v4(random));
}

constexpr std::size_t kMany = 1000;
constexpr Function kFunctions[] = {
    {"Array", 0, kMany, array},
    {"ArrayContains", 2, 2, array_contains},
    {"ArrayGetItem", 2, 2, array_get_item},
    {"ArrayLength", 1, 1, array_length},
    {"ArrayPartition", 2, 2, array_partition},
    {"ArrayRange", 3, 3, array_range},
    {"ArrayUnique", 1, 1, array_unique},
    {"Base64Decode", 1, 1, base64_decode_text},
    {"Base64Encode", 1, 1, base64_encode_text},
    {"Format", 1, kMany, format},
    {"Hash", 2, 2, hash},
    {"JsonMerge", 3, 3, json_merge},
    {"JsonToString", 1, 1, json_to_string},
    {"MathAdd", 2, 2, math_add},
    {"MathRandom", 2, 3, math_random},
    {"StringSplit", 2, 2, string_split},
    {"StringToJson", 1, 1, string_to_json},
    {"UUID", 0, 0, uuid},
};

}  // namespace

std::span<const Function> functions() {
  return kFunctions;
}

}  // namespace millrace::definitions::intrinsics
