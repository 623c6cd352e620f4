#pragma once
// The code of the built-in functions, by subject. Each gets its arguments as its signature in functions.cpp
// says. Source: docs.jsonata.org, the function library; for the last group the Step Functions developer
// guide.

#include <span>

#include "definitions/jsonata/value.h"

namespace millrace::definitions::jsonata {

class Evaluation;

namespace natives {

using Arguments = std::span<const Value>;
#define MR_NATIVE(name) Value name(Evaluation& evaluation, Arguments arguments)

// strings.cpp
MR_NATIVE(string);
MR_NATIVE(length);
MR_NATIVE(substring);
MR_NATIVE(substring_before);
MR_NATIVE(substring_after);
MR_NATIVE(lowercase);
MR_NATIVE(uppercase);
MR_NATIVE(trim);
MR_NATIVE(pad);
MR_NATIVE(join);
// patterns.cpp
MR_NATIVE(contains);
MR_NATIVE(split);
MR_NATIVE(match);
MR_NATIVE(replace);
// encodings.cpp
MR_NATIVE(base64_encode);
MR_NATIVE(base64_decode);
MR_NATIVE(encode_url_component);
MR_NATIVE(encode_url);
MR_NATIVE(decode_url_component);
MR_NATIVE(decode_url);
// numbers.cpp
MR_NATIVE(number);
MR_NATIVE(abs);
MR_NATIVE(floor);
MR_NATIVE(ceil);
MR_NATIVE(round);
MR_NATIVE(power);
MR_NATIVE(sqrt);
MR_NATIVE(random);
MR_NATIVE(format_number);
MR_NATIVE(format_base);
MR_NATIVE(format_integer);
MR_NATIVE(parse_integer);
MR_NATIVE(sum);
MR_NATIVE(max);
MR_NATIVE(min);
MR_NATIVE(average);
// times.cpp
MR_NATIVE(from_millis);
MR_NATIVE(to_millis);
MR_NATIVE(now);
MR_NATIVE(millis);
// logic.cpp
MR_NATIVE(boolean);
MR_NATIVE(negation);
MR_NATIVE(exists);
MR_NATIVE(type);
MR_NATIVE(error);
MR_NATIVE(assertion);
// arrays.cpp
MR_NATIVE(count);
MR_NATIVE(append);
MR_NATIVE(reverse);
MR_NATIVE(shuffle);
MR_NATIVE(distinct);
MR_NATIVE(zip);
MR_NATIVE(sort);
// objects.cpp
MR_NATIVE(keys);
MR_NATIVE(lookup);
MR_NATIVE(spread);
MR_NATIVE(merge);
MR_NATIVE(clone);
// higher_order.cpp
MR_NATIVE(map);
MR_NATIVE(filter);
MR_NATIVE(single);
MR_NATIVE(reduce);
MR_NATIVE(sift);
MR_NATIVE(each);
// states_language.cpp
MR_NATIVE(partition);
MR_NATIVE(range);
MR_NATIVE(hash);
MR_NATIVE(seeded_random);
MR_NATIVE(uuid);
MR_NATIVE(parse);

#undef MR_NATIVE
}  // namespace natives
}  // namespace millrace::definitions::jsonata
