#pragma once
// Json: the general purpose document (nlohmann, key order kept), for code that builds or reads JSON at
// leisure: tasks, the command line, API shapes. Documents that flow through workflows are Payloads
// (base/payload.h), which keep numbers and key order exactly as written. Headers include this one; sources
// that touch Json include <nlohmann/json.hpp> (precompiled where it is used much).

#include <nlohmann/json_fwd.hpp>

#include "base/payload.h"

namespace millrace {

using Json = nlohmann::ordered_json;

// The document as Json. Numbers become int64, uint64 or double; order is kept.
Json to_json(JsonView view);
// Json as a compact document. Strings that are not UTF-8 get U+FFFD in place of bad bytes.
Payload to_payload(const Json& json);

}  // namespace millrace
