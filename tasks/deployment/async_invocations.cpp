#include "tasks/deployment/async_invocations.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/log.h"
#include "base/time.h"
#include "tasks/arguments.h"
#include "tasks/deployment/endpoint_host.h"
#include "tasks/jobs/entities.h"

namespace millrace::tasks {
namespace {

constexpr const char* kAsyncKind = "AsyncInvocation";
constexpr Millis kAsyncAgain{1'000};  // after a failure of the disk, or when too much waited

struct AsyncPaths {
  std::string output, failure, success_topic, error_topic;
};

Result<AsyncPaths> async_paths(const Json& config) {
  const Arguments arguments(config, "AsyncInferenceConfig");
  MR_TRY(output, arguments.object("OutputConfig"));
  MR_TRY(output_path, output.text("S3OutputPath"));
  MR_DO(parse_s3_uri(output_path));
  MR_TRY(failure_path, output.text_or("S3FailurePath", ""));
  if (!failure_path.empty()) MR_DO(parse_s3_uri(failure_path));
  MR_TRY(notices, output.object_or_empty("NotificationConfig"));
  MR_TRY(success, notices.text_or("SuccessTopic", ""));
  MR_TRY(error, notices.text_or("ErrorTopic", ""));
  return AsyncPaths{output_path,
                    failure_path.empty() ? join_uri(output_path, "async-endpoint-failures") : failure_path,
                    success, error};
}

// The message that a topic gets.
Json async_notice(const Json& record, const std::string& problem, const std::string& content_type,
                  Instant now, const std::string& region) {
  Json message = {{"awsRegion", region},
                  {"eventTime", format_rfc3339(now)},
                  {"receivedTime", format_rfc3339(from_millis(record.value("Received", std::int64_t{0})))},
                  {"invocationStatus", problem.empty() ? "Completed" : "Failed"},
                  {"requestParameters",
                   {{"accept", record["Accept"]},
                    {"contentType", record["ContentType"]},
                    {"customAttributes", record["CustomAttributes"]},
                    {"endpointName", record["EndpointName"]},
                    {"inputLocation", record["InputLocation"]}}},
                  {"inferenceId", record["InferenceId"]},
                  {"eventVersion", "1.0"},
                  {"eventSource", "aws:sagemaker"},
                  {"eventName", "InferenceResult"}};
  if (problem.empty())
    message["responseParameters"] = {{"contentType", content_type},
                                     {"outputLocation", record["OutputLocation"]}};
  else
    message["failureReason"] = problem, message["failureLocation"] = record["FailureLocation"];
  return message;
}

}  // namespace

Status check_async_config(const Json& config) {
  if (config.is_null()) return {};
  if (!config.is_object()) return invalid("AsyncInferenceConfig: expected an object");
  MR_DO(async_paths(config));
  return {};
}

AsyncInvocations::AsyncInvocations(Jobs& jobs, EndpointHost& host, const ObjectStore& objects,
                                   const Clock& clock, Publish publish, Settings settings)
    : jobs_(jobs),
      host_(host),
      objects_(objects),
      clock_(clock),
      publish_(std::move(publish)),
      settings_(std::move(settings)),
      random_(settings_.seed),
      pool_(std::make_unique<WorkerPool>(std::max(1, settings_.threads), settings_.waiting_max)) {}

AsyncInvocations::~AsyncInvocations() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
  pool_.reset();
}

void AsyncInvocations::begin() {
  if (const auto left = jobs_.records(kAsyncKind, {}, settings_.waiting_max)) waiting_ = left->size();
  thread_ = std::jthread([this] { work(); });
}

Result<AsyncInvocations::Accepted> AsyncInvocations::accept(const Request& request) {
  const auto endpoint = jobs_.find(kEndpoint.kind, request.endpoint);
  if (!endpoint && endpoint.error().code == ErrorCode::NotFound)
    return invalid("Endpoint " + request.endpoint + " of account " + settings_.account + " not found.");
  if (!endpoint) return fail(endpoint.error());
  if (!endpoint->contains("AsyncInferenceConfig"))
    return invalid("Endpoint " + request.endpoint +
                   " takes no asynchronous requests: its configuration has no AsyncInferenceConfig");
  MR_DO(parse_s3_uri(request.input));
  MR_TRY(paths, async_paths(endpoint->at("AsyncInferenceConfig")));
  if (waiting_ >= settings_.waiting_max)
    return fail(ErrorCode::Unavailable, "too many asynchronous requests wait; try again later");
  Accepted accepted;
  {
    const std::lock_guard lock(mutex_);
    accepted.id = uuid_v4(random_);
  }
  accepted.inference_id = request.inference_id.empty() ? accepted.id : request.inference_id;
  accepted.output = join_uri(paths.output, accepted.id + ".out");
  accepted.failure = join_uri(paths.failure, accepted.id + "-error.out");
  const Json record = {{"EndpointName", request.endpoint},
                       {"InputLocation", request.input},
                       {"ContentType", request.content_type},
                       {"Accept", request.accept},
                       {"CustomAttributes", request.custom_attributes},
                       {"InferenceId", accepted.inference_id},
                       {"OutputLocation", accepted.output},
                       {"FailureLocation", accepted.failure},
                       {"SuccessTopic", paths.success_topic},
                       {"ErrorTopic", paths.error_topic},
                       {"Received", to_millis(clock_.now())}};
  MR_DO(jobs_.create(kAsyncKind, accepted.id, record));
  ++waiting_;
  {
    const std::lock_guard lock(mutex_);
    woken_ = true;
  }
  wake_.notify_one();
  return accepted;
}

void AsyncInvocations::work() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    wake_.wait(lock, [this] { return woken_ || failed_ || stopping_; });
    if (failed_) wake_.wait_for(lock, kAsyncAgain, [this] { return stopping_; });
    if (stopping_) return;
    woken_ = failed_ = false;
    lock.unlock();
    look();
    lock.lock();
  }
}

// Hands what nobody works on to the threads, the oldest first.
void AsyncInvocations::look() {
  const auto records = jobs_.records(kAsyncKind, {}, settings_.waiting_max);
  if (!records) log::error("asynchronous requests can't be listed", {{"why", records.error().message}});
  const std::lock_guard lock(mutex_);
  failed_ = failed_ || !records;
  if (!records) return;
  for (auto record = records->rbegin(); record != records->rend(); ++record) {
    const std::string output = text_in(record->document, "OutputLocation");
    const std::size_t slash = output.rfind('/') + 1;
    const std::string id = output.substr(slash, output.size() - slash - 4);  // ID.out
    if (!busy_.insert(id).second) continue;
    if (pool_->submit([this, id] { answer(id); })) continue;
    busy_.erase(id);
    failed_ = true;
    return;
  }
}

void AsyncInvocations::answer(const std::string& id) {
  const auto record = jobs_.find(kAsyncKind, id);
  const Status done = record ? finish(id, *record) : Status();
  if (!done)
    log::error("an asynchronous request can't be answered now; it is tried again",
               {{"id", id}, {"why", done.error().message}});
  const std::lock_guard lock(mutex_);
  busy_.erase(id);
  if (done || stopping_) return;
  failed_ = true;
  wake_.notify_one();
}

Status AsyncInvocations::finish(const std::string& id, const Json& record) {
  const std::string endpoint = text_in(record, "EndpointName"), type = text_in(record, "ContentType");
  const std::string accept = text_in(record, "Accept"), attributes = text_in(record, "CustomAttributes");
  const std::string inference_id = text_in(record, "InferenceId");
  std::string problem, content_type;
  const auto input = objects_.read(text_in(record, "InputLocation"));
  if (!input) {
    problem = input.error().message;
  } else {
    const InvokeResult result = host_.invoke({endpoint, type, accept, *input, {}, inference_id, attributes});
    if (!result && result.error().kind == InvokeFailure::Kind::Busy)
      return fail(ErrorCode::Unavailable, result.error().message);
    if (!result && result.error().kind == InvokeFailure::Kind::Throttled)
      return fail(ErrorCode::Unavailable, result.error().message);
    if (result) {
      content_type = result->content_type;
      MR_DO(objects_.write(text_in(record, "OutputLocation"), result->body));
    } else {
      problem = result.error().message;
    }
  }
  if (!problem.empty()) MR_DO(objects_.write(text_in(record, "FailureLocation"), problem + "\n"));
  const std::string topic = text_in(record, problem.empty() ? "SuccessTopic" : "ErrorTopic");
  if (!topic.empty()) {
    const Json message = async_notice(record, problem, content_type, clock_.now(), settings_.region);
    const Status told = publish_(
        {{"TopicArn", topic}, {"Message", message.dump(-1, ' ', false, Json::error_handler_t::replace)}},
        "async invocation " + id);
    // A topic that is gone must not keep the request for ever.
    if (!told && told.error().code != ErrorCode::NotFound && told.error().code != ErrorCode::InvalidArgument)
      return told;
    if (!told)
      log::error("a notice of an asynchronous request was refused",
                 {{"topic", topic}, {"why", told.error().message}});
  }
  MR_DO(jobs_.remove(kAsyncKind, id));
  if (waiting_ > 0) --waiting_;
  return {};
}

}  // namespace millrace::tasks
