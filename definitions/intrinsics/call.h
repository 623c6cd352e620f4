#pragma once
// The compiled form of an intrinsic call, and the table of functions. For intrinsics/ only.

#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/random.h"
#include "definitions/intrinsics/intrinsic.h"
#include "definitions/jsonpath/path.h"

namespace millrace::definitions::intrinsics {

struct Call;
using Argument = std::variant<Payload, Path, std::shared_ptr<const Call>>;

// What a function may see besides its arguments.
struct Evaluation {
  const Scope& scope;
  // A seed of this very call: two calls of one decision never draw the same.
  std::uint64_t draw() const { return mix(scope.environment.seed, ++scope.environment.draws); }
};

struct Function {
  std::string_view name;  // without "States."
  std::size_t arguments_min = 0, arguments_max = 0;
  Outcome (*run)(std::span<const Payload> arguments, const Evaluation& evaluation);
};
std::span<const Function> functions();

struct Call {
  const Function* function = nullptr;
  std::vector<Argument> arguments;
};

inline tl::unexpected<Failure> intrinsic_failure(std::string cause) {
  return failed(error_names::kIntrinsicFailure, std::move(cause));
}

}  // namespace millrace::definitions::intrinsics
