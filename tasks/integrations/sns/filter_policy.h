#pragma once
// FilterPolicy: which messages of a topic a subscription wants, by their attributes or their body. Pure; any
// thread. Source: Amazon SNS developer guide, "Message filtering".

#include <string>

#include "base/json.h"
#include "base/result.h"

namespace millrace::tasks {

// A policy is {"name": [conditions]}; a value must meet one condition of each name: "text", 3, true, null,
// {"prefix": "a"}, {"suffix": "z"}, {"equals-ignore-case": "A"}, {"anything-but": …}, {"numeric": [">", 1,
// "<=", 5]},
// {"exists": false}. Of a body, names may hold policies in turn. InvalidArgument names what is wrong.
Status check_filter_policy(const Json& policy, bool of_body);

// `attributes`: MessageAttributes as Publish has them.
bool matches_attributes(const Json& policy, const Json& attributes);
// `message`: the body; one that is no JSON object matches no policy.
bool matches_body(const Json& policy, const std::string& message);

}  // namespace millrace::tasks
