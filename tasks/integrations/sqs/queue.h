#pragma once
// Queue: a queue's attributes, read and checked as SQS does. Pure. Source: Amazon SQS API reference,
// CreateQueue.

#include <map>
#include <optional>
#include <string>

#include "base/time.h"
#include "tasks/integrations/service_answer.h"

namespace millrace::tasks::sqs {

using Texts = std::map<std::string, std::string>;

struct Redrive {
  std::string dead_letter_arn;
  std::int64_t receives_max = 0;
};

struct Queue {
  std::int64_t id = 0;
  std::string name;
  Instant created, modified;
  Texts attributes;  // what was set
  Texts tags;

  bool fifo() const { return name.ends_with(".fifo"); }
  std::string attribute(const std::string& wanted) const;  // with its default
  std::int64_t number(const std::string& wanted) const;
  bool flag(const std::string& wanted) const { return attribute(wanted) == "true"; }
  std::optional<Redrive> redrive() const;
};

// InvalidAttributeName, InvalidAttributeValue.
Checked<bool> check_attributes(const Texts& attributes, bool fifo);
Checked<bool> check_name(const std::string& name, bool fifo);
// The name of the queue that a URL, an ARN or a name means.
std::string name_of_queue(std::string_view url);
tl::unexpected<ServiceError> no_such_queue();
tl::unexpected<ServiceError> wrong_value(std::string message);  // InvalidParameterValue

}  // namespace millrace::tasks::sqs
