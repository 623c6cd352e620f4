#pragma once
// Reference Paths: name one node by members and indices only. ResultPath writes through one.
// Source: Amazon States Language, "Reference Paths".

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/failure.h"
#include "base/result.h"

namespace millrace::definitions {

class ReferencePath {
 public:
  using Step = std::variant<std::string, std::size_t>;  // member or index

  // InvalidArgument when the path can name anything but one node of the input.
  static Result<ReferencePath> parse(std::string_view source);

  const std::string& source() const { return source_; }
  bool whole() const { return steps_.empty(); }
  // `into` with `value` put at the path: missing objects are made, what is there is replaced, order is kept.
  // Failure: States.ResultPathMatchFailure when it can't apply.
  Outcome put(const Payload& into, const Payload& value) const;

 private:
  std::string source_;
  std::vector<Step> steps_;
};

}  // namespace millrace::definitions
