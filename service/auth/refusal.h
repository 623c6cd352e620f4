#pragma once
// Refusal: why a request is not let in. The protocols have their own names for each kind
// (service/api/refusals.h). A value; any thread.

#include <string>

namespace millrace::auth {

struct Refusal {
  enum class Kind {
    Missing,     // no credential at all
    Incomplete,  // one that can't be read
    UnknownKey,  // of a key that is not there
    WrongScope,  // for another day or service
    WrongSignature,
    OutOfTime,     // too old, or not yet
    WrongPayload,  // the body is not the one that was signed
    NotAllowed,    // known, and without the right
  };
  Kind kind;
  std::string message;  // for the caller; never holds a secret
};

}  // namespace millrace::auth
