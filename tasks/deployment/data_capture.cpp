#include "tasks/deployment/data_capture.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/encoding.h"
#include "base/log.h"
#include "base/time.h"
#include "tasks/arguments.h"

namespace millrace::tasks {
namespace {

bool listed(const std::vector<std::string>& types, std::string_view content_type) {
  const std::string_view type = content_type.substr(0, content_type.find_first_of("; "));
  return std::find(types.begin(), types.end(), type) != types.end();
}

void write_data(JsonWriter& out, std::string_view name, std::string_view mode, std::string_view data,
                std::string_view type, const CaptureConfig& config) {
  const bool csv = listed(config.csv_types, type), json = listed(config.json_types, type);
  out.key(name).begin_object().key("observedContentType").string(type).key("mode").string(mode);
  out.key("data").string(csv || json ? std::string(data) : base64_encode(data));
  out.key("encoding").string(csv ? "CSV" : json ? "JSON" : "BASE64").end_object();
}

std::string capture_line(const CaptureConfig& config, const Captured& captured, const std::string& id,
                         Instant now) {
  JsonWriter out;
  out.begin_object().key("captureData").begin_object();
  if (config.input) write_data(out, "endpointInput", "INPUT", captured.input, captured.input_type, config);
  if (config.output)
    write_data(out, "endpointOutput", "OUTPUT", captured.output, captured.output_type, config);
  out.end_object().key("eventMetadata").begin_object().key("eventId").string(id);
  if (!captured.custom_attributes.empty())
    out.key("customAttributes").begin_array().string(captured.custom_attributes).end_array();
  if (!captured.inference_id.empty()) out.key("inferenceId").string(captured.inference_id);
  out.key("inferenceTime").string(format_rfc3339(now).substr(0, 19) + "Z");
  out.end_object().key("eventVersion").string("0").end_object();
  return std::string(out.finish().text());
}

// "2026/11/21/10" of 2026-11-21T10:…
std::string hour_path(Instant now) {
  std::string path = format_rfc3339(now).substr(0, 13);
  for (char& c : path)
    if (c == '-' || c == 'T') c = '/';
  return path;
}

std::string object_name(Instant now, const std::string& id) {
  std::string name = format_rfc3339(now).substr(14, 9);  // "MM:SS.mmm"
  for (char& c : name)
    if (c == ':' || c == '.') c = '-';
  return name + "-" + id + ".jsonl";
}

}  // namespace

Result<CaptureConfig> CaptureConfig::read(const Json& config) {
  CaptureConfig capture;
  if (config.is_null()) return capture;
  if (!config.is_object()) return invalid("DataCaptureConfig: expected an object");
  const Arguments arguments(config, "DataCaptureConfig");
  MR_TRY(enabled, arguments.boolean_or("EnableCapture", false));
  MR_TRY(percentage, arguments.integer_or("InitialSamplingPercentage", 100));
  if (percentage < 0 || percentage > 100)
    return arguments.wrong("InitialSamplingPercentage", "must be from 0 to 100");
  MR_TRY(destination, arguments.text("DestinationS3Uri"));
  MR_DO(parse_s3_uri(destination));
  MR_TRY(options, arguments.list("CaptureOptions"));
  if (options.empty()) return arguments.wrong("CaptureOptions", "needs Input, Output or both");
  for (const Arguments& option : options) {
    MR_TRY(mode, option.text("CaptureMode"));
    MR_DO(option.one_of("CaptureMode", mode, "Input|Output|InputAndOutput"));
    capture.input = capture.input || mode != "Output";
    capture.output = capture.output || mode != "Input";
  }
  MR_TRY(types, arguments.object_or_empty("CaptureContentTypeHeader"));
  MR_TRY(csv, types.texts("CsvContentTypes"));
  MR_TRY(json, types.texts("JsonContentTypes"));
  capture.enabled = enabled && percentage > 0;
  capture.percentage = percentage;
  capture.destination = std::move(destination);
  capture.csv_types = std::move(csv), capture.json_types = std::move(json);
  return capture;
}

DataCapture::DataCapture(const ObjectStore& objects, const Clock& clock, metrics::Registry* registry,
                         Settings settings)
    : objects_(objects), clock_(clock), settings_(settings), random_(settings.seed) {
  if (registry) {
    written_ =
        &registry->counter("millrace_endpoint_captured_total", "Exchanges with endpoints that were captured");
    dropped_ = &registry->counter("millrace_endpoint_captures_dropped_total",
                                  "Captures that were lost: too many waited, or the disk was full");
  }
  thread_ = std::jthread([this] { work(); });
}

DataCapture::~DataCapture() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void DataCapture::add(const CaptureConfig& config, const Captured& captured) {
  const Instant now = clock_.now();
  std::string id;
  {
    const std::lock_guard lock(mutex_);
    id = uuid_v4(random_);
  }
  const std::string line = capture_line(config, captured, id, now) + "\n";
  const std::string prefix =
      join_uri(config.destination, captured.endpoint + "/" + captured.variant + "/" + hour_path(now));
  bool full = false;
  {
    const std::lock_guard lock(mutex_);
    if (bytes_ + line.size() > settings_.queue_bytes_max) {
      if (dropped_) dropped_->add();
      return;
    }
    std::string& lines = lines_[prefix];
    lines += line;
    bytes_ += line.size();
    full = lines.size() >= settings_.object_bytes_max;
  }
  if (full) wake_.notify_one();
}

void DataCapture::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait_for(lock, settings_.interval, [this] {
      return stopping_ || std::any_of(lines_.begin(), lines_.end(), [this](const auto& entry) {
               return entry.second.size() >= settings_.object_bytes_max;
             });
    });
    const bool last = stopping_;
    std::map<std::string, std::string> lines = std::exchange(lines_, {});
    bytes_ = 0;
    lock.unlock();
    write_out(lines);
    lock.lock();
    if (last) return;
  }
}

void DataCapture::write_out(std::map<std::string, std::string>& lines) {
  for (const auto& [prefix, text] : lines) {
    std::string id;
    {
      const std::lock_guard lock(mutex_);
      id = uuid_v4(random_);
    }
    const std::string uri = join_uri(prefix, object_name(clock_.now(), id));
    const Status written = objects_.write(uri, text);
    metrics::Counter* counter = written ? written_ : dropped_;
    if (counter) counter->add(static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '\n')));
    if (!written)
      log::error("captured requests can't be written", {{"object", uri}, {"why", written.error().message}});
  }
}

}  // namespace millrace::tasks
