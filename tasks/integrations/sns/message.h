#pragma once
// A message of a topic: what Publish may say, and what each kind of subscriber gets to see. A message is the
// document {MessageId, TopicArn, Subject, Message, MessageStructure, MessageAttributes, Timestamp}. Pure; any
// thread. Source: Amazon SNS API reference, Publish; developer guide, "Parsing message formats".

#include <string>

#include "base/json.h"
#include "base/result.h"
#include "base/time.h"

namespace millrace::tasks {

// The message of a Publish request, without its id, topic and time; Message may be any JSON, as Step
// Functions takes it. InvalidArgument in SNS's words.
Result<Json> read_message(const Json& request);

// What subscribers of that protocol get: with MessageStructure json the entry of the protocol, else the
// default one.
std::string text_for(const Json& message, const std::string& protocol);
// {"Type": "Notification", …} as webhooks, queues and files get it. Not signed: there is no certificate to
// sign with.
Json notification(const Json& message, const std::string& protocol);
// The event of a function: {"Records": [{"EventSource": "aws:sns", …}]}.
Json function_event(const Json& message, const std::string& subscription_arn);
// Headers and body, lines ending in CR LF. `domain`: of the Message-ID.
std::string mail_text(const Json& message, const std::string& protocol, const std::string& from,
                      const std::string& to, Instant now);

bool is_mail_address(std::string_view text);  // a@b, without blanks, brackets and control characters

}  // namespace millrace::tasks
