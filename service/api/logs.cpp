#include "service/api/logs.h"

#include <algorithm>
#include <cctype>
#include <charconv>

#include "service/api/errors.h"
#include "service/api/log_filter.h"
#include "service/api/pagination.h"

namespace millrace::api {
namespace {

using Kind = Shape::Kind;
using service::LogEvent;
using service::LogGroup;
using service::LogPlace;
using service::LogQuery;
using service::LogStream;

constexpr std::string_view kLogsContentType = "application/x-amz-json-1.1";
constexpr ErrorNames kErrors = {"InvalidParameterException", "ResourceNotFoundException",
                                "ResourceAlreadyExistsException", "OperationAbortedException",
                                "LimitExceededException"};
constexpr std::size_t kPage = 50;                 // of groups and streams
constexpr std::size_t kEventsPage = 10'000;       // of events
constexpr std::size_t kAnswerBytesMax = 1 << 20;  // of events in one answer
constexpr std::size_t kBatchBytesMax = 1 << 20, kBatchOverhead = 26;
constexpr std::size_t kScanMax = 20'000;  // events that one FilterLogEvents looks at; then it gives a token
constexpr Millis kFutureMax = std::chrono::hours(2), kSpanMax = std::chrono::hours(24);
constexpr Millis kAgeMax = std::chrono::days(14);

bool is_group_name(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 ||
           std::string_view("._-/#").find(static_cast<char>(c)) != std::string_view::npos;
  });
}
bool is_stream_name(std::string_view text) {
  return text.find_first_of(":*") == std::string_view::npos;
}

constexpr Shape kGroupName{
    .min = 1, .max = 512, .pattern = R"([\.\-_/#A-Za-z0-9]+)", .matches = is_group_name};
constexpr Shape kIdentifier{.min = 1, .max = 2048};
constexpr Shape kStreamName{.min = 1, .max = 512, .pattern = "[^:*]*", .matches = is_stream_name};
constexpr Shape kLogsText{}, kLogsFlag{.kind = Kind::Boolean};
constexpr Shape kLimit{.kind = Kind::Integer, .min = 1, .max = 50};
constexpr Shape kEventsLimit{.kind = Kind::Integer, .min = 1, .max = 10'000};
constexpr Shape kTime{.kind = Kind::Integer, .min = 0};
constexpr Shape kMessage{.min = 1};
constexpr Shape kPattern{.min = 0, .max = 1024};
constexpr Shape kDays{.kind = Kind::Integer};
constexpr Shape kTagMap{.kind = Kind::Structure, .name = "Tags"};
constexpr std::string_view kOrders[] = {"LogStreamName", "LastEventTime"};
constexpr Shape kOrder{.values = kOrders};
constexpr Shape kStreamNames{.kind = Kind::List, .min = 1, .max = 100, .element = &kStreamName};
constexpr Shape kLogsTagKeys{.kind = Kind::List, .element = &kLogsText};
constexpr Member kEventMembers[] = {{"timestamp", &kTime, true}, {"message", &kMessage, true}};
constexpr Shape kEvent{.kind = Kind::Structure, .name = "InputLogEvent", .members = kEventMembers};
constexpr Shape kEvents{.kind = Kind::List, .min = 1, .max = 10'000, .element = &kEvent};

constexpr Member kCreateGroup[] = {
    {"logGroupName", &kGroupName, true}, {"tags", &kTagMap}, {"logGroupClass", &kLogsText}};
constexpr Member kGroup[] = {{"logGroupName", &kGroupName, true}};
constexpr Member kDescribeGroups[] = {{"logGroupNamePrefix", &kGroupName},
                                      {"logGroupNamePattern", &kLogsText},
                                      {"limit", &kLimit},
                                      {"nextToken", &kLogsText}};
constexpr Member kStream[] = {{"logGroupName", &kGroupName, true}, {"logStreamName", &kStreamName, true}};
constexpr Member kDescribeStreams[] = {{"logGroupName", &kGroupName},
                                       {"logGroupIdentifier", &kIdentifier},
                                       {"logStreamNamePrefix", &kStreamName},
                                       {"orderBy", &kOrder},
                                       {"descending", &kLogsFlag},
                                       {"limit", &kLimit},
                                       {"nextToken", &kLogsText}};
constexpr Member kPut[] = {{"logGroupName", &kGroupName, true},
                           {"logStreamName", &kStreamName, true},
                           {"logEvents", &kEvents, true},
                           {"sequenceToken", &kLogsText}};
constexpr Member kGet[] = {{"logGroupName", &kGroupName},
                           {"logGroupIdentifier", &kIdentifier},
                           {"logStreamName", &kStreamName, true},
                           {"startTime", &kTime},
                           {"endTime", &kTime},
                           {"limit", &kEventsLimit},
                           {"startFromHead", &kLogsFlag},
                           {"nextToken", &kLogsText}};
constexpr Member kFilter[] = {{"logGroupName", &kGroupName},
                              {"logGroupIdentifier", &kIdentifier},
                              {"logStreamNames", &kStreamNames},
                              {"logStreamNamePrefix", &kStreamName},
                              {"startTime", &kTime},
                              {"endTime", &kTime},
                              {"filterPattern", &kPattern},
                              {"limit", &kEventsLimit},
                              {"interleaved", &kLogsFlag},
                              {"nextToken", &kLogsText}};
constexpr Member kRetention[] = {{"logGroupName", &kGroupName, true}, {"retentionInDays", &kDays, true}};
constexpr Member kTagGroup[] = {{"logGroupName", &kGroupName, true}, {"tags", &kTagMap, true}};
constexpr Member kUntagGroup[] = {{"logGroupName", &kGroupName, true}, {"tags", &kLogsTagKeys, true}};
constexpr Member kLogsTagResource[] = {{"resourceArn", &kIdentifier, true}, {"tags", &kTagMap, true}};
constexpr Member kLogsUntagResource[] = {{"resourceArn", &kIdentifier, true},
                                         {"tagKeys", &kLogsTagKeys, true}};
constexpr Member kListTags[] = {{"resourceArn", &kIdentifier, true}};

tl::unexpected<ApiError> wrong(std::string message) {
  return refuse("InvalidParameterException", std::move(message));
}

Answer done(const Status& status) {
  if (!status) return refuse(status.error(), kErrors);
  return empty_answer();
}

// By logGroupName or logGroupIdentifier; exactly one of them.
tl::expected<std::string, ApiError> group_of(JsonView input) {
  const std::string name = text_of(input, "logGroupName"), identifier = text_of(input, "logGroupIdentifier");
  if (name.empty() == identifier.empty())
    return wrong(
        "LogGroup name and LogGroup ARN are mutually exclusive parameters, and one of them must be there.");
  return name.empty() ? log_group_name(identifier) : name;
}

std::string group_arn(const LogsPlace& place, std::string_view name) {
  return "arn:aws:logs:" + place.region + ":" + place.account + ":log-group:" + std::string(name);
}

void write_millis(JsonWriter& out, std::string_view name, std::optional<Instant> time) {
  if (time) out.key(name).number(to_millis(*time));
}

Answer create_group(const LogsCall& call) {
  const std::string name = text_of(call.input, "logGroupName");
  if (const Status made = call.store.create_group(name, call.now); !made)
    return refuse(made.error(), kErrors);
  if (const JsonView tags = member(call.input, "tags")) {
    for (const auto [key, value] : tags.members()) {
      if (const Status set = call.store.set_tag(name, key.string(), value.is_string() ? value.string() : "");
          !set)
        return refuse(set.error(), kErrors);
    }
  }
  return empty_answer();
}

Answer delete_group(const LogsCall& call) {
  return done(call.store.delete_group(text_of(call.input, "logGroupName")));
}

Answer describe_groups(const LogsCall& call) {
  const std::string prefix = text_of(call.input, "logGroupNamePrefix");
  const std::string part = text_of(call.input, "logGroupNamePattern");
  if (!prefix.empty() && !part.empty())
    return wrong("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.");
  const std::string scope = "DescribeLogGroups " + prefix + " " + part;
  const auto after = page_position(call.input, scope);
  if (!after) return tl::unexpected<ApiError>(after.error());
  const auto limit = static_cast<std::size_t>(whole_of(call.input, "limit", kPage));
  const auto groups = call.store.groups(prefix, part, *after, limit);
  if (!groups) return refuse(groups.error(), kErrors);
  JsonWriter out;
  out.begin_object().key("logGroups").begin_array();
  for (const LogGroup& group : *groups) {
    const std::string arn = group_arn(call.place, group.name);
    out.begin_object().key("logGroupName").string(group.name);
    write_millis(out, "creationTime", group.created);
    if (group.retention_days > 0) out.key("retentionInDays").number(group.retention_days);
    out.key("metricFilterCount").number(std::int64_t{0}).key("arn").string(arn + ":*");
    out.key("storedBytes").number(group.bytes).key("logGroupClass").string("STANDARD");
    out.key("logGroupArn").string(arn).end_object();
  }
  out.end_array();
  if (groups->size() == limit) out.key("nextToken").string(page_token(scope, groups->back().name));
  out.end_object();
  return out.finish();
}

Answer create_stream(const LogsCall& call) {
  return done(call.store.create_stream(text_of(call.input, "logGroupName"),
                                       text_of(call.input, "logStreamName"), call.now));
}

Answer delete_stream(const LogsCall& call) {
  return done(
      call.store.delete_stream(text_of(call.input, "logGroupName"), text_of(call.input, "logStreamName")));
}

Answer describe_streams(const LogsCall& call) {
  const auto group = group_of(call.input);
  if (!group) return tl::unexpected<ApiError>(group.error());
  const bool by_time = text_of(call.input, "orderBy") == "LastEventTime";
  const bool descending = flag_of(call.input, "descending");
  const std::string prefix = text_of(call.input, "logStreamNamePrefix");
  if (by_time && !prefix.empty()) return wrong("Cannot order by LastEventTime with a logStreamNamePrefix.");
  const std::string scope =
      "DescribeLogStreams " + *group + " " + prefix + (by_time ? " time" : "") + (descending ? " down" : "");
  const auto skip = page_number(call.input, scope);
  if (!skip) return tl::unexpected<ApiError>(skip.error());
  const auto limit = static_cast<std::size_t>(whole_of(call.input, "limit", kPage));
  const auto streams = call.store.streams(*group, prefix, by_time, descending, *skip, limit);
  if (!streams) return refuse(streams.error(), kErrors);
  JsonWriter out;
  out.begin_object().key("logStreams").begin_array();
  for (const LogStream& stream : *streams) {
    out.begin_object().key("logStreamName").string(stream.name);
    write_millis(out, "creationTime", stream.created);
    write_millis(out, "firstEventTimestamp", stream.first_event);
    write_millis(out, "lastEventTimestamp", stream.last_event);
    write_millis(out, "lastIngestionTime", stream.last_ingestion);
    out.key("uploadSequenceToken").string("0");
    out.key("arn").string(group_arn(call.place, *group) + ":log-stream:" + stream.name);
    out.key("storedBytes").number(std::int64_t{0}).end_object();  // AWS: always 0 since 2019
  }
  out.end_array();
  if (streams->size() == limit)
    out.key("nextToken").string(page_token(scope, std::to_string(*skip + streams->size())));
  out.end_object();
  return out.finish();
}

// What of a batch is kept: events too new or too old are left out, and said to be.
struct Batch {
  std::vector<LogEvent> kept;
  std::optional<std::size_t> too_new_from, too_old_until, expired_until;
};

tl::expected<Batch, ApiError> read_batch(const LogsCall& call, std::int64_t retention_days) {
  Batch batch;
  std::size_t bytes = 0, index = 0;
  Instant first{}, last{};
  for (const JsonView given : member(call.input, "logEvents").elements()) {
    LogEvent event;
    event.time = from_millis(whole_of(given, "timestamp", 0));
    event.message = text_of(given, "message");
    bytes += event.message.size() + kBatchOverhead;
    if (index == 0) first = last = event.time;
    if (event.time < last)
      return wrong("Log events in a single PutLogEvents request must be in chronological order.");
    last = event.time;
    if (event.time > call.now + kFutureMax) {
      if (!batch.too_new_from) batch.too_new_from = index;
    } else if (event.time < call.now - kAgeMax) {
      batch.too_old_until = index + 1;
    } else if (retention_days > 0 && event.time < call.now - std::chrono::days(retention_days)) {
      batch.expired_until = index + 1;
    } else {
      batch.kept.push_back(std::move(event));
    }
    ++index;
  }
  if (bytes > kBatchBytesMax)
    return wrong("Upload too large: " + std::to_string(bytes) + " bytes exceeds limit of " +
                 std::to_string(kBatchBytesMax));
  if (last - first > kSpanMax)
    return wrong("The batch of log events in a single PutLogEvents request cannot span more than 24 hours.");
  return batch;
}

Answer put_events(const LogsCall& call) {
  const std::string group_name = text_of(call.input, "logGroupName"),
                    stream = text_of(call.input, "logStreamName");
  const auto group = call.store.group(group_name);
  if (!group) return refuse(group.error(), kErrors);
  const auto batch = read_batch(call, group->retention_days);
  if (!batch) return tl::unexpected<ApiError>(batch.error());
  if (const Status put = call.store.put(group_name, stream, batch->kept, call.now); !put)
    return refuse(put.error(), kErrors);
  JsonWriter out;
  out.begin_object().key("nextSequenceToken").string("0");
  if (batch->too_new_from || batch->too_old_until || batch->expired_until) {
    const auto index = [&](const char* name, const std::optional<std::size_t>& value) {
      if (value) out.key(name).number(static_cast<std::int64_t>(*value));
    };
    out.key("rejectedLogEventsInfo").begin_object();
    index("tooNewLogEventStartIndex", batch->too_new_from);
    index("tooOldLogEventEndIndex", batch->too_old_until);
    index("expiredLogEventEndIndex", batch->expired_until);
    out.end_object();
  }
  out.end_object();
  return out.finish();
}

std::string place_token(char direction, const LogPlace& place) {
  return std::string(1, direction) + "/" + std::to_string(place.time) + "." + std::to_string(place.id);
}

std::optional<LogPlace> place_of(std::string_view text) {
  LogPlace place;
  const char* end = text.data() + text.size();
  const auto time = std::from_chars(text.data(), end, place.time);
  if (time.ec != std::errc() || time.ptr == end || *time.ptr != '.') return std::nullopt;
  const auto id = std::from_chars(time.ptr + 1, end, place.id);
  if (id.ec != std::errc() || id.ptr != end) return std::nullopt;
  return place;
}

// Leaves of the events what fits into one answer; the ends in order are the first kept.
std::size_t that_fit(const std::vector<LogEvent>& events) {
  std::size_t bytes = 0, count = 0;
  while (count < events.size() && (count == 0 || bytes + events[count].message.size() < kAnswerBytesMax))
    bytes += events[count++].message.size() + kBatchOverhead;
  return count;
}

LogQuery range_of(JsonView input) {
  LogQuery query;
  query.from = whole_of(input, "startTime", 0);
  query.until = whole_of(input, "endTime", query.until);
  return query;
}

// Tokens name a place and a direction; at an end, the same token comes back.
Answer get_events(const LogsCall& call) {
  const auto group_name = group_of(call.input);
  if (!group_name) return tl::unexpected<ApiError>(group_name.error());
  const auto group = call.store.group(*group_name);
  if (!group) return refuse(group.error(), kErrors);
  const auto stream = call.store.stream(*group_name, text_of(call.input, "logStreamName"));
  if (!stream) return refuse(stream.error(), kErrors);
  LogQuery query = range_of(call.input);
  query.streams = {stream->id};
  query.limit = static_cast<std::size_t>(whole_of(call.input, "limit", kEventsPage));
  query.newest_first = !flag_of(call.input, "startFromHead");
  const std::string token = text_of(call.input, "nextToken");
  if (!token.empty()) {
    query.place =
        token.size() > 2 && token[1] == '/' ? place_of(std::string_view(token).substr(2)) : std::nullopt;
    if (!query.place || (token[0] != 'f' && token[0] != 'b'))
      return wrong("The specified nextToken is invalid.");
    query.newest_first = token[0] == 'b';
  }
  auto events = call.store.events(query);
  if (!events) return refuse(events.error(), kErrors);
  events->resize(that_fit(*events));
  if (query.newest_first) std::reverse(events->begin(), events->end());
  LogPlace first = query.place.value_or(LogPlace{query.from, 0}), last = first;
  if (!events->empty()) {
    first = {to_millis(events->front().time), events->front().id};
    last = {to_millis(events->back().time), events->back().id};
  }
  JsonWriter out;
  out.begin_object().key("events").begin_array();
  for (const LogEvent& event : *events) {
    out.begin_object().key("timestamp").number(to_millis(event.time)).key("message").string(event.message);
    out.key("ingestionTime").number(to_millis(event.ingested)).end_object();
  }
  out.end_array().key("nextForwardToken").string(place_token('f', last));
  out.key("nextBackwardToken").string(place_token('b', first)).end_object();
  return out.finish();
}

// The streams that FilterLogEvents is asked to look at; nothing: there are none of that name.
tl::expected<std::optional<std::vector<std::int64_t>>, ApiError> streams_of(const LogsCall& call,
                                                                            const std::string& group) {
  std::vector<std::int64_t> ids;
  const JsonView names = member(call.input, "logStreamNames");
  const std::string prefix = text_of(call.input, "logStreamNamePrefix");
  if (names && !prefix.empty())
    return wrong("logStreamNamePrefix and logStreamNames are mutually exclusive parameters.");
  if (names) {
    for (const JsonView name : names.elements()) {
      const auto stream = call.store.stream(group, name.string());
      if (!stream) return refuse(stream.error(), kErrors);
      ids.push_back(stream->id);
    }
  } else if (!prefix.empty()) {
    const auto streams = call.store.streams(group, prefix, false, false, 0, kEventsPage);
    if (!streams) return refuse(streams.error(), kErrors);
    for (const LogStream& stream : *streams) ids.push_back(stream.id);
    if (ids.empty()) return std::nullopt;
  }
  return ids;
}

Answer filter_events(const LogsCall& call) {
  const auto group_name = group_of(call.input);
  if (!group_name) return tl::unexpected<ApiError>(group_name.error());
  const auto filter = LogFilter::parse(text_of(call.input, "filterPattern"));
  if (!filter) return wrong(filter.error().message);
  const auto group = call.store.group(*group_name);
  if (!group) return refuse(group.error(), kErrors);
  const auto streams = streams_of(call, *group_name);
  if (!streams) return tl::unexpected<ApiError>(streams.error());
  LogQuery query = range_of(call.input);
  query.group = group->id;
  if (member(call.input, "endTime")) ++query.until;  // here it is included, unlike in GetLogEvents
  const auto limit = static_cast<std::size_t>(whole_of(call.input, "limit", kEventsPage));
  const std::string scope = "FilterLogEvents " + *group_name + " " + text_of(call.input, "filterPattern");
  const auto position = page_position(call.input, scope);
  if (!position) return tl::unexpected<ApiError>(position.error());
  if (!position->empty()) {
    query.place = place_of(*position);
    if (!query.place) return wrong("The specified nextToken is invalid.");
  }
  JsonWriter out;
  out.begin_object().key("events").begin_array();
  std::size_t found = 0, looked = 0, bytes = 0;
  bool more = streams->has_value();
  if (more) query.streams = **streams;
  query.limit = 1000;
  while (more && found < limit && looked < kScanMax && bytes < kAnswerBytesMax) {
    const auto events = call.store.events(query);
    if (!events) return refuse(events.error(), kErrors);
    more = events->size() == query.limit;
    for (const LogEvent& event : *events) {
      if (found == limit || bytes >= kAnswerBytesMax) {
        more = true;
        break;
      }
      ++looked;
      query.place = LogPlace{to_millis(event.time), event.id};
      if (!filter->matches(event.message)) continue;
      ++found;
      bytes += event.message.size() + kBatchOverhead;
      out.begin_object().key("logStreamName").string(event.stream);
      out.key("timestamp").number(to_millis(event.time)).key("message").string(event.message);
      out.key("ingestionTime").number(to_millis(event.ingested));
      out.key("eventId").string(std::to_string(event.id)).end_object();
    }
  }
  out.end_array().key("searchedLogStreams").begin_array().end_array();
  if (more && query.place)
    out.key("nextToken")
        .string(page_token(scope, std::to_string(query.place->time) + "." + std::to_string(query.place->id)));
  out.end_object();
  return out.finish();
}

Answer put_retention(const LogsCall& call) {
  static constexpr std::int64_t kAllowed[] = {1,   3,   5,   7,   14,   30,   60,   90,   120,  150,  180,
                                              365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653};
  const std::int64_t days = whole_of(call.input, "retentionInDays", 0);
  if (std::find(std::begin(kAllowed), std::end(kAllowed), days) == std::end(kAllowed)) {
    std::string list;
    for (const std::int64_t allowed : kAllowed) list += (list.empty() ? "" : ", ") + std::to_string(allowed);
    return wrong(
        "1 validation error detected: Value '" + std::to_string(days) +
        "' at 'retentionInDays' failed to satisfy constraint: Member must satisfy enum value set: [" + list +
        "]");
  }
  return done(call.store.set_retention(text_of(call.input, "logGroupName"), days));
}

Answer delete_retention(const LogsCall& call) {
  return done(call.store.set_retention(text_of(call.input, "logGroupName"), 0));
}

Answer list_tags_of(const LogsCall& call, const std::string& group) {
  const auto tags = call.store.tags(group);
  if (!tags) return refuse(tags.error(), kErrors);
  JsonWriter out;
  out.begin_object().key("tags").begin_object();
  for (const auto& [key, value] : *tags) out.key(key).string(value);
  out.end_object().end_object();
  return out.finish();
}

Answer tag(const LogsCall& call, const std::string& group) {
  for (const auto [key, value] : member(call.input, "tags").members()) {
    if (const Status set = call.store.set_tag(group, key.string(), value.is_string() ? value.string() : "");
        !set)
      return refuse(set.error(), kErrors);
  }
  return empty_answer();
}

Answer untag(const LogsCall& call, const std::string& group, std::string_view keys) {
  for (const JsonView key : member(call.input, keys).elements()) {
    if (const Status removed = call.store.remove_tag(group, key.string()); !removed)
      return refuse(removed.error(), kErrors);
  }
  return empty_answer();
}

std::string group_by_name(const LogsCall& call) {
  return text_of(call.input, "logGroupName");
}
std::string group_by_arn(const LogsCall& call) {
  return log_group_name(text_of(call.input, "resourceArn"));
}

constexpr LogsOperation kLogsOperations[] = {
    {"CreateLogGroup", create_group, kCreateGroup},
    {"CreateLogStream", create_stream, kStream},
    {"DeleteLogGroup", delete_group, kGroup},
    {"DeleteLogStream", delete_stream, kStream},
    {"DeleteRetentionPolicy", delete_retention, kGroup},
    {"DescribeLogGroups", describe_groups, kDescribeGroups},
    {"DescribeLogStreams", describe_streams, kDescribeStreams},
    {"FilterLogEvents", filter_events, kFilter},
    {"GetLogEvents", get_events, kGet},
    {"ListTagsForResource", [](const LogsCall& c) { return list_tags_of(c, group_by_arn(c)); }, kListTags},
    {"ListTagsLogGroup", [](const LogsCall& c) { return list_tags_of(c, group_by_name(c)); }, kGroup},
    {"PutLogEvents", put_events, kPut},
    {"PutRetentionPolicy", put_retention, kRetention},
    {"TagLogGroup", [](const LogsCall& c) { return tag(c, group_by_name(c)); }, kTagGroup},
    {"TagResource", [](const LogsCall& c) { return tag(c, group_by_arn(c)); }, kLogsTagResource},
    {"UntagLogGroup", [](const LogsCall& c) { return untag(c, group_by_name(c), "tags"); }, kUntagGroup},
    {"UntagResource", [](const LogsCall& c) { return untag(c, group_by_arn(c), "tagKeys"); },
     kLogsUntagResource},
};

http::Response logs_response(const Answer& answer, std::string request_id) {
  http::Response response;
  response.content_type = kLogsContentType;
  response.headers.push_back({"x-amzn-RequestId", std::move(request_id)});
  if (answer) {
    response.body = answer->text();
    return response;
  }
  response.status = answer.error().status;
  response.headers.push_back({"x-amzn-ErrorType", answer.error().code});
  JsonWriter body;
  body.begin_object().key("__type").string(answer.error().code);
  body.key("message").string(answer.error().message).end_object();
  response.body = body.finish().text();
  return response;
}

}  // namespace

std::span<const LogsOperation> logs_operations() {
  return kLogsOperations;
}

std::string log_group_name(std::string_view identifier) {
  constexpr std::string_view kMark = ":log-group:";
  const std::size_t at = identifier.find(kMark);
  if (!identifier.starts_with("arn:") || at == std::string_view::npos) return std::string(identifier);
  const std::string_view rest = identifier.substr(at + kMark.size());
  return std::string(rest.substr(0, rest.find(':')));
}

void LogsApi::call(std::string_view name, Payload input, std::function<void(Answer)> reply) {
  const auto* operation = std::find_if(std::begin(kLogsOperations), std::end(kLogsOperations),
                                       [&](const LogsOperation& o) { return o.name == name; });
  if (operation == std::end(kLogsOperations))
    return reply(refuse("UnknownOperationException",
                        "CloudWatch Logs has no operation '" + std::string(name) + "' here"));
  if (auto bad = check_input(input.view(), operation->input)) {
    if (bad->code == "ValidationException") bad->code = "InvalidParameterException";
    return reply(tl::unexpected<ApiError>(*std::move(bad)));
  }
  writer_.run([operation, input = std::move(input), reply = std::move(reply),
               this](service::LogStore& store) mutable {
    auto answer = operation->run({store, input.view(), place_, clock_.now()});
    // Moved on: what waits for the answer lives and dies on the loop.
    post_([reply = std::move(reply), answer = std::move(answer)] { reply(answer); });
  });
}

void LogsApi::handle(http::ExchangePtr exchange) {
  const http::Request& request = exchange->request();
  const std::string_view operation = request.header("x-amz-target").substr(kTarget.size());
  std::string id = uuid_v4(random_);
  const auto reply = [exchange, id](const Answer& answer) { exchange->respond(logs_response(answer, id)); };
  const bool empty = request.body.find_first_not_of(" \t\r\n") == std::string::npos;
  auto input = empty ? Result<Payload>(Payload::empty_object()) : Payload::parse(request.body);
  if (!input || !input->view().is_object())
    return reply(refuse("SerializationException", "the request is no JSON object"));
  call(operation, *std::move(input), reply);
}

}  // namespace millrace::api
