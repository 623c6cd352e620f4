#include "tasks/integrations/sqs/queue.h"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace millrace::tasks::sqs {
namespace {

struct AttributeRow {
  std::string_view name;
  std::string_view otherwise;      // when it was not set; empty: it has no value then
  std::int64_t min = 0, max = -1;  // a number in these bounds; max < min: something else
  bool fifo_only = false;
};
constexpr AttributeRow kAttributes[] = {
    {"ContentBasedDeduplication", "false", 0, -1, true},
    {"DeduplicationScope", "", 0, -1, true},
    {"DelaySeconds", "0", 0, 900},
    {"FifoQueue", "", 0, -1, true},
    {"FifoThroughputLimit", "", 0, -1, true},
    {"KmsDataKeyReusePeriodSeconds", "", 60, 86'400},
    {"KmsMasterKeyId", ""},
    {"MaximumMessageSize", "1048576", 1024, 1'048'576},
    {"MessageRetentionPeriod", "345600", 60, 1'209'600},
    {"Policy", ""},
    {"ReceiveMessageWaitTimeSeconds", "0", 0, 20},
    {"RedriveAllowPolicy", ""},
    {"RedrivePolicy", ""},
    {"SqsManagedSseEnabled", "true"},
    {"VisibilityTimeout", "30", 0, 43'200},
};

const AttributeRow* row_of(std::string_view name) {
  const auto* found = std::find_if(std::begin(kAttributes), std::end(kAttributes),
                                   [&](const AttributeRow& row) { return row.name == name; });
  return found == std::end(kAttributes) ? nullptr : found;
}

std::optional<std::int64_t> whole(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// {"deadLetterTargetArn":"…","maxReceiveCount":3}; the count may be a text.
std::optional<Redrive> parse_redrive(std::string_view text) {
  const auto policy = Payload::parse(text);
  if (!policy || !policy->view().is_object()) return std::nullopt;
  const JsonView arn = policy->view().find("deadLetterTargetArn"),
                 count = policy->view().find("maxReceiveCount");
  if (!arn || !arn.is_string() || !count) return std::nullopt;
  const auto max =
      count.is_string() ? whole(count.string()) : (count.is_number() ? count.integer() : std::nullopt);
  if (!max || *max < 1 || *max > 1000) return std::nullopt;
  return Redrive{arn.string(), *max};
}

}  // namespace

std::string Queue::attribute(const std::string& wanted) const {
  if (const auto found = attributes.find(wanted); found != attributes.end()) return found->second;
  const AttributeRow* row = row_of(wanted);
  return row && (!row->fifo_only || fifo()) ? std::string(row->otherwise) : "";
}

std::int64_t Queue::number(const std::string& wanted) const {
  return whole(attribute(wanted)).value_or(0);
}

std::optional<Redrive> Queue::redrive() const {
  const auto found = attributes.find("RedrivePolicy");
  return found == attributes.end() ? std::nullopt : parse_redrive(found->second);
}

Checked<bool> check_attributes(const Texts& attributes, bool fifo) {
  for (const auto& [name, value] : attributes) {
    const AttributeRow* row = row_of(name);
    if (!row || (row->fifo_only && !fifo && value == "true"))
      return service_error("InvalidAttributeName", "Unknown Attribute " + name + ".");
    const bool emptied =
        value.empty() && (name == "RedrivePolicy" || name == "Policy" || name == "RedriveAllowPolicy");
    bool good = true;
    if (row->max > row->min) {
      const auto number = whole(value);
      good = number && *number >= row->min && *number <= row->max;
    } else if (name == "RedrivePolicy" && !emptied) {
      good = parse_redrive(value).has_value();
    }
    if (!good) return service_error("InvalidAttributeValue", "Invalid value for the parameter " + name + ".");
  }
  return true;
}

Checked<bool> check_name(const std::string& name, bool fifo) {
  const std::string_view base = fifo && name.ends_with(".fifo")
                                    ? std::string_view(name).substr(0, name.size() - 5)
                                    : std::string_view(name);
  const bool good = !base.empty() && name.size() <= 80 && std::all_of(base.begin(), base.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_';
  });
  if (fifo && (!good || !name.ends_with(".fifo")))
    return wrong_value(
        "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must "
        "end with .fifo "
        "suffix and be 1 to 80 in length.");
  if (!good)
    return wrong_value(
        "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length");
  return true;
}

std::string name_of_queue(std::string_view url) {
  while (url.ends_with('/')) url.remove_suffix(1);
  const std::size_t at = url.find_last_of(url.starts_with("arn:") ? ":" : "/");
  return std::string(at == std::string_view::npos ? url : url.substr(at + 1));
}

tl::unexpected<ServiceError> no_such_queue() {
  return service_error("QueueDoesNotExist", "The specified queue does not exist.");
}
tl::unexpected<ServiceError> wrong_value(std::string message) {
  return service_error("InvalidParameterValue", std::move(message));
}

}  // namespace millrace::tasks::sqs
