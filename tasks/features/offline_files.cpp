#include "tasks/features/offline_files.h"

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "base/encoding.h"
#include "base/random.h"

namespace millrace::tasks {
namespace {

constexpr std::int64_t kHourUs = 3'600'000'000;

// Sixteen letters and digits, as SageMaker's files have.
std::string file_code(std::string_view name, std::int64_t hour, std::size_t part) {
  constexpr std::string_view kLetters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  std::uint64_t bits = hash64(name, mix(static_cast<std::uint64_t>(hour), part));
  std::uint64_t more = mix(bits, 1);
  std::string code;
  for (int i = 0; i < 16; ++i) {
    std::uint64_t& from = i < 8 ? bits : more;
    code += kLetters[from % kLetters.size()];
    from /= kLetters.size();
  }
  return code;
}

// "2026-11-21T06:59:16.123456Z"
std::string format_micros(std::int64_t micros) {
  std::string text = format_rfc3339(from_millis(micros / 1000));
  text.pop_back();
  return text + std::to_string(1000 + micros % 1000).substr(1) + "Z";
}

// A time among the members of a line, in microseconds.
std::optional<std::int64_t> time_member(JsonView line, std::string_view name) {
  const JsonView value = line.find(name);
  const std::string text = value && value.is_string() ? value.string() : "";
  const auto time = parse_rfc3339(text);
  if (!time) return std::nullopt;
  std::int64_t micros = 0;
  for (std::size_t i = text.find('.') == std::string::npos ? text.size() : text.find('.') + 4, unit = 100;
       i < text.size() && text[i] >= '0' && text[i] <= '9'; ++i, unit /= 10)
    micros += static_cast<std::int64_t>(unit) * (text[i] - '0');
  return to_millis(*time) * 1000 + micros;
}

std::string cell_of(JsonView value) {
  if (!value || value.is_null()) return {};
  return value.is_string() ? value.string() : std::string(value.text());
}

Result<OfflineRecord> record_in(const FeatureGroup& group, JsonView line) {
  if (!line.is_object()) return invalid("no object: " + std::string(line.text().substr(0, 40)));
  OfflineRecord record;
  record.line = line;
  record.id = record_id(group, cell_of(line.find(group.identifier_feature().name)));
  MR_TRY(time,
         read_event_time(group.event_time_feature(), cell_of(line.find(group.event_time_feature().name))));
  record.time_us = time;
  const auto invoked = time_member(line, kInvocationTime), written = time_member(line, kWriteTime);
  if (!invoked || !written) return invalid("no time: " + std::string(invoked ? kWriteTime : kInvocationTime));
  record.invoked_us = *invoked, record.written_ms = *written / 1000;
  const JsonView deleted = line.find(kIsDeleted);
  record.deleted = deleted && deleted.is_boolean() && deleted.boolean();
  return record;
}

// The hour that a key's partition names; nothing when it has none.
std::optional<std::string_view> partition_in(std::string_view key) {
  const std::size_t at = key.rfind("/year=");
  const std::size_t end = key.rfind('/');
  if (at == std::string_view::npos || end <= at) return std::nullopt;
  return key.substr(at + 1, end - at - 1);
}

}  // namespace

std::string offline_place(std::string_view s3_uri, std::string_view account, std::string_view region,
                          std::string_view uid) {
  return join_uri(s3_uri, std::string(account) + "/sagemaker/" + std::string(region) + "/offline-store/" +
                              std::string(uid) + "/data");
}

std::string time_in_name(Instant time) {
  std::string text = format_rfc3339(time).substr(0, 19) + "Z";
  std::erase_if(text, [](char c) { return c == '-' || c == ':'; });
  return text;
}

std::string partition_of(std::int64_t time_us) {
  using namespace std::chrono;
  const sys_time<microseconds> time{microseconds(time_us)};
  const auto day = floor<days>(time);
  const year_month_day date(day);
  char text[64];
  std::snprintf(text, sizeof text, "year=%04d/month=%02u/day=%02u/hour=%02d", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>((time - day) / hours(1)));
  return text;
}

Status OfflineWriter::add(const OfflineRow& row) {
  const std::int64_t hour = row.time_us / kHourUs;
  if (hour != hour_ || text_.size() >= file_bytes_max_) {
    MR_DO(finish());
    part_ = hour == hour_ ? part_ + 1 : 0;
    hour_ = hour;
  }
  text_ += "{" + row.line + ",\"" + std::string(kWriteTime) + "\":\"" + format_rfc3339(written_) + "\",\"" +
           std::string(kInvocationTime) + "\":\"" + format_micros(row.invoked_us) + "\",\"" +
           std::string(kIsDeleted) + "\":" + (row.deleted ? "true" : "false") + "}\n";
  return {};
}

Status OfflineWriter::finish() {
  if (text_.empty()) return {};
  const std::string name = begin_ + "_" + file_code(name_, hour_, part_) + ".jsonl";
  MR_DO(objects_.write(join_uri(join_uri(uri_, partition_of(hour_ * kHourUs)), name), text_));
  text_.clear();
  ++files_;
  return {};
}

Status read_offline(const ObjectStore& objects, const FeatureGroup& group, const OfflineSpan& span,
                    const std::function<bool()>& cancelled,
                    const std::function<Status(const OfflineRecord&)>& take) {
  MR_TRY(place, parse_s3_uri(group.offline_uri));
  const auto files = objects.list(join_uri(group.offline_uri, ""));
  if (!files && files.error().code == ErrorCode::NotFound) return {};
  if (!files) return fail(files.error());
  const std::string from = span.from_us ? partition_of(std::max<std::int64_t>(*span.from_us, 0)) : "";
  const std::string to = span.to_us ? partition_of(std::max<std::int64_t>(*span.to_us, 0)) : "z";
  for (const ObjectInfo& file : *files) {
    const auto partition = partition_in(file.key);
    if (!file.key.ends_with(".jsonl") || !partition || *partition < from || *partition > to) continue;
    const std::string uri = "s3://" + place.bucket + "/" + file.key;
    MR_TRY(text, objects.read(uri));
    std::size_t number = 0;
    for (std::size_t at = 0; at < text.size(); ++number) {
      const std::size_t end = std::min(text.find('\n', at), text.size());
      const std::string_view line = std::string_view(text).substr(at, end - at);
      at = end + 1;
      if (line.empty()) continue;
      if (number % 1000 == 0 && cancelled && cancelled()) return fail(ErrorCode::Cancelled, "cancelled");
      const auto named = [&](const Error& error) {
        return invalid(uri + ":" + std::to_string(number + 1) + ": " + error.message);
      };
      const auto document = Payload::parse(line);
      if (!document) return named(document.error());
      const auto record = record_in(group, document->view());
      if (!record) return named(record.error());
      MR_DO(take(*record));
    }
  }
  return {};
}

std::string answer_of_line(const FeatureGroup& group, JsonView line) {
  JsonWriter out;
  out.begin_array();
  for (const Feature& feature : group.features) {
    const JsonView value = line.find(feature.name);
    if (!value || value.is_null()) continue;
    out.begin_object().key("FeatureName").string(feature.name);
    if (value.is_array()) {
      out.key("ValueAsStringList").begin_array();
      for (const JsonView one : value.elements()) out.string(cell_of(one));
      out.end_array();
    } else {
      out.key("ValueAsString").string(cell_of(value));
    }
    out.end_object();
  }
  return std::string(out.end_array().finish().text());
}

}  // namespace millrace::tasks
