#pragma once
// The shapes of requests as tables, and their check: types, required members, lengths, ranges, patterns and
// enumerations, with the messages that AWS's services give. Pure.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "service/api/call.h"

namespace millrace::api {

struct Member;

struct Shape {
  enum class Kind { String, Integer, Number, Boolean, Structure, List };
  Kind kind = Kind::String;
  std::int64_t min = -1, max = -1;  // length, elements or value; -1: none
  std::string_view pattern = {};    // as the message shows it; `matches` checks it
  bool (*matches)(std::string_view) = nullptr;
  std::span<const std::string_view> values = {};  // enumeration, in the order of AWS's message
  std::string_view name = {};                     // of a structure, as messages show it
  std::span<const Member> members = {};           // of a structure
  const Shape* element = nullptr;                 // of a list
  bool sensitive = false;                         // messages do not show the value
};

struct Member {
  std::string_view name;
  const Shape* shape;
  bool required = false;
};

// How messages write the members on a path: as they are, or as services do whose members begin large
// ("trainingJobName" for TrainingJobName).
enum class PathStyle { AsIs, LowerFirst };
// SerializationException for a wrong type, ValidationException that lists every broken constraint.
std::optional<ApiError> check_input(JsonView input, std::span<const Member> members,
                                    PathStyle style = PathStyle::AsIs);

}  // namespace millrace::api
