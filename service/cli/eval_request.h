#pragma once
// One expression on one document, for `millrace eval`: JSONata, JSONPath or an intrinsic function. Pure: time
// and randomness come with the environment.

#include <optional>
#include <string>
#include <string_view>

#include "base/environment.h"
#include "base/payload.h"
#include "definitions/jsonata/jsonata.h"

namespace millrace::cli {

enum class Language { Jsonata, JsonPath, Intrinsic };

struct EvalRequest {
  std::string expression;
  std::optional<Payload> data;  // `$` at the top; nothing: undefined for JSONata, null for the others
  Payload bindings = Payload::empty_object();  // variables by name, without `$`
  Payload context = Payload::empty_object();   // `$$` of JSONPath and intrinsic functions
};

struct EvalAnswer {
  enum class Kind { Result, Undefined, NoMatch, Error } kind = Kind::Undefined;
  Payload result;
  std::string code, message;  // of an Error
  std::string token;          // what stood at the place of the error; may be empty
  int position = -1;          // of an Error in the expression, in UTF-16 units; -1: unknown
  bool refused = false;       // the Error is in the expression itself: it can never be evaluated
};

// {"expr":…, "data":… (or "input"), "bindings":{…}, "context":{…}}. InvalidArgument names what is wrong.
Result<EvalRequest> parse_eval_request(std::string_view line);

EvalAnswer evaluate(const EvalRequest& request, Language language, definitions::JsonataDialect dialect,
                    const Environment& environment);

// {"result":…}, {"undefined":true}, {"noMatch":true} or {"error":{"code","message","position","token"}}.
Payload answer_json(const EvalAnswer& answer);

}  // namespace millrace::cli
