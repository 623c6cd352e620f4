#pragma once
// A scope for expressions in tests: documents given as JSON, a fixed time and seed.

#include "base/json.h"
#include "definitions/expression.h"

namespace millrace::tests {

struct GivenContext : definitions::Context {
  Payload document = Payload::empty_object();
  const Payload& object() const override { return document; }
};

// Owns what a Scope borrows.
struct GivenScope {
  Payload input;
  GivenContext context;
  definitions::VariableTable variables;
  Limits limits;
  Environment environment{from_millis(1'700'000'000'000), 42, &limits};
  definitions::Scope scope() const { return {input, context, variables, environment}; }
};

}  // namespace millrace::tests
