#pragma once
// SQS's older protocol: requests as forms, answers as XML, from and to the documents of its JSON protocol.
// Pure. Source: Amazon SQS API reference, "AWS Query protocol"; what boto3 and the AWS CLI of Debian 12 send.

#include <map>
#include <string>
#include <string_view>

#include "service/api/form.h"
#include "tasks/integrations/service_answer.h"

namespace millrace::api {

// "Attribute.1.Name" and the like as the request's document; Action, Version and what signs the request are
// left out. InvalidArgument for what is nested too deeply.
Result<Payload> sqs_input_of_form(std::map<std::string, std::string> form);
// <SendMessageResponse>…
std::string sqs_answer_xml(std::string_view operation, const Payload& answer, std::string_view request_id);
std::string sqs_error_xml(std::string_view code, std::string_view message, bool sender,
                          std::string_view request_id);
// "AWS.SimpleQueueService.NonExistentQueue" of "QueueDoesNotExist": the name of an error in this protocol,
// which the clients of both go by.
std::string sqs_query_code(std::string_view code);

}  // namespace millrace::api
