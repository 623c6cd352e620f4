#include <algorithm>

#include "tasks/integrations/kinesis/iterator.h"
#include "tasks/integrations/kinesis/operations.h"

namespace millrace::tasks::kinesis {
namespace {

constexpr std::int64_t kRetentionMin = 24, kRetentionMax = 8760;
constexpr std::size_t kStreamTagsMax = 50, kStreamNameMax = 128;

constexpr OperationRow kStreamOperations[] = {
    {"AddTagsToStream", add_tags_to_stream, true},
    {"CreateStream", create_stream, true},
    {"DecreaseStreamRetentionPeriod", decrease_retention, true},
    {"DeleteStream", delete_stream, true},
    {"DescribeLimits", describe_limits},
    {"DescribeStream", describe_stream},
    {"DescribeStreamSummary", describe_stream_summary},
    {"GetShardIterator", get_shard_iterator},
    {"IncreaseStreamRetentionPeriod", increase_retention, true},
    {"ListShards", list_shards},
    {"ListStreams", list_streams},
    {"ListTagsForResource", list_tags_for_resource},
    {"ListTagsForStream", list_tags_for_stream},
    {"MergeShards", merge_shards, true},
    {"PutRecord", put_record, true},
    {"PutRecords", put_records, true},
    {"RemoveTagsFromStream", remove_tags_from_stream, true},
    {"SplitShard", split_shard, true},
    {"TagResource", add_tags_to_stream, true},
    {"UntagResource", remove_tags_from_stream, true},
    {"UpdateShardCount", update_shard_count, true},
    {"UpdateStreamMode", update_stream_mode, true},
};

bool good_stream_name(std::string_view name) {
  return !name.empty() && name.size() <= kStreamNameMax &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return (c < 0x80 && std::isalnum(c)) || c == '.' || c == '-' || c == '_';
         });
}

Checked<bool> mode_in(JsonView input) {  // on demand?
  const JsonView details = member(input, "StreamModeDetails");
  if (!details) return false;
  const std::string mode = details.is_object() ? text_of(details, "StreamMode") : "";
  if (mode == "ON_DEMAND") return true;
  if (mode == "PROVISIONED") return false;
  return not_a_valid("1 validation error detected: Value '" + mode +
                     "' at 'streamModeDetails.streamMode' failed to satisfy constraint: Member must satisfy "
                     "enum value set: [PROVISIONED, ON_DEMAND]");
}

// What DescribeStream and its summary have in common.
void write_stream(JsonWriter& out, const Session& session, const Stream& stream) {
  out.key("StreamName").string(stream.name);
  out.key("StreamARN").string(stream_arn(session.place, stream.name));
  out.key("StreamStatus").string("ACTIVE");
  out.key("StreamModeDetails").begin_object();
  out.key("StreamMode").string(stream.on_demand ? "ON_DEMAND" : "PROVISIONED").end_object();
  out.key("RetentionPeriodHours").number(stream.retention_hours);
  write_seconds(out, "StreamCreationTimestamp", stream.created);
  out.key("EnhancedMonitoring").begin_array().begin_object();
  out.key("ShardLevelMetrics").begin_array().end_array().end_object().end_array();
  out.key("EncryptionType").string("NONE");
}

ServiceAnswer change_retention(Session& session, JsonView input, bool longer) {
  MR_TRY(stream, stream_in(session, input));
  MR_TRY(hours, whole_in(input, "RetentionPeriodHours", INT32_MIN, INT32_MAX));
  if (!hours) return not_a_valid("RetentionPeriodHours is missing");
  if (*hours < kRetentionMin || *hours > kRetentionMax)
    return invalid_argument((longer ? std::string("Maximum allowed retention period is 8760 hours. ")
                                    : std::string("Minimum allowed retention period is 24 hours. ")) +
                            "Requested retention period (" + std::to_string(*hours) + " hours) is " +
                            (*hours < kRetentionMin ? "too short." : "too long."));
  const std::string wish = "Requested retention period (" + std::to_string(*hours) + " hours) for stream " +
                           stream->name + " can not be ";
  const std::string now =
      " than existing retention period (" + std::to_string(stream->retention_hours) + " hours). ";
  if (longer && *hours < stream->retention_hours)
    return invalid_argument(wish + "shorter" + now + "Use DecreaseRetentionPeriod API.");
  if (!longer && *hours > stream->retention_hours)
    return invalid_argument(wish + "longer" + now + "Use IncreaseRetentionPeriod API.");
  Stream changed = *stream;
  changed.retention_hours = *hours;
  MR_DO(session.store.update(changed));
  *stream = std::move(changed);
  return Payload::empty_object();
}

}  // namespace

const OperationRow* find_operation(std::string_view name) {
  for (const OperationRow& row : kStreamOperations)
    if (row.name == name) return &row;
  return nullptr;
}

JsonView member(JsonView input, std::string_view name) {
  const JsonView found = input.find(name);
  return found && !found.is_null() ? found : JsonView();
}

std::string text_of(JsonView input, std::string_view name) {
  const JsonView found = member(input, name);
  return found && found.is_string() ? found.string() : "";
}

tl::unexpected<ServiceError> invalid_argument(std::string message) {
  return service_error("InvalidArgumentException", std::move(message));
}
tl::unexpected<ServiceError> not_a_valid(std::string message) {
  return service_error("ValidationException", std::move(message));
}

Checked<std::string> text_in(JsonView input, std::string_view name, std::size_t min, std::size_t max) {
  const JsonView found = member(input, name);
  if (!found) return not_a_valid("The parameter " + std::string(name) + " is missing");
  if (!found.is_string())
    return service_error("SerializationException", std::string(name) + " must be a string");
  std::string text = found.string();
  if (text.size() < min || text.size() > max)
    return not_a_valid("1 validation error detected: Value '" + text.substr(0, 100) + "' at '" +
                       std::string(name) + "' failed to satisfy constraint: Member must have length " +
                       (text.size() < min ? "greater than or equal to " + std::to_string(min)
                                          : "less than or equal to " + std::to_string(max)));
  return text;
}

Checked<std::optional<std::int64_t>> whole_in(JsonView input, std::string_view name, std::int64_t min,
                                              std::int64_t max) {
  const JsonView found = member(input, name);
  if (!found) return std::optional<std::int64_t>();
  const auto value = found.is_number() ? found.integer() : std::nullopt;
  if (!value) return service_error("SerializationException", std::string(name) + " must be a whole number");
  if (*value < min || *value > max)
    return not_a_valid("1 validation error detected: Value '" + std::to_string(*value) + "' at '" +
                       std::string(name) + "' failed to satisfy constraint: Member must have value " +
                       (*value < min ? "greater than or equal to " + std::to_string(min)
                                     : "less than or equal to " + std::to_string(max)));
  return value;
}

std::optional<Instant> time_in(JsonView input, std::string_view name) {
  const JsonView found = member(input, name);
  if (!found || !found.is_number() || !(found.number() >= 0 && found.number() < 1e11)) return std::nullopt;
  return from_millis(static_cast<std::int64_t>(found.number() * 1000 + 0.5));
}

std::string stream_arn(const ServicePlace& place, std::string_view name) {
  return "arn:aws:kinesis:" + place.region + ":" + place.account + ":stream/" + std::string(name);
}

Checked<Stream*> stream_in(Session& session, JsonView input) {
  std::string name = text_of(input, "StreamName");
  std::string arn = text_of(input, "StreamARN");
  if (arn.empty()) arn = text_of(input, "ResourceARN");
  if (name.empty() && arn.empty())
    return invalid_argument("Either StreamName or StreamARN must be specified.");
  if (name.empty()) {
    const std::size_t at = arn.find(":stream/");
    if (!arn.starts_with("arn:") || at == std::string::npos)
      return invalid_argument("Invalid StreamARN: " + arn);
    name = arn.substr(at + 8);
  }
  Stream* stream = session.store.find(name);
  if (!stream || name.find('/') != std::string::npos)
    return service_error("ResourceNotFoundException",
                         "Stream " + name + " under account " + session.place.account + " not found.");
  return stream;
}

void write_seconds(JsonWriter& out, std::string_view name, Instant time) {
  out.key(name).number(static_cast<double>(to_millis(time)) / 1000);
}

ServiceAnswer create_stream(Session& session, JsonView input) {
  MR_TRY(name, text_in(input, "StreamName", 1, kStreamNameMax));
  if (!good_stream_name(name))
    return not_a_valid("1 validation error detected: Value '" + name +
                       "' at 'streamName' failed to satisfy constraint: Member must satisfy regular "
                       "expression pattern: [a-zA-Z0-9_.-]+");
  MR_TRY(count, whole_in(input, "ShardCount", 1, INT32_MAX));
  MR_TRY(on_demand, mode_in(input));
  if (on_demand && count) return not_a_valid("ShardCount cannot be specified in ON_DEMAND mode.");
  if (session.store.find(name))
    return service_error("ResourceInUseException",
                         "Stream " + name + " under account " + session.place.account + " already exists.");
  // Nothing said: AWS asks for a count; a stream of one shard is what most mean.
  const std::int64_t shards = count.value_or(on_demand ? kOnDemandShards : 1);
  if (shards > static_cast<std::int64_t>(kShardsMax))
    return service_error("LimitExceededException", "This request would exceed the limit of " +
                                                       std::to_string(kShardsMax) + " shards a stream.");
  if (session.store.all().size() >= kStreamsMax)
    return service_error("LimitExceededException",
                         "There are " + std::to_string(kStreamsMax) + " streams: no more can be made.");
  Stream stream;
  stream.name = name;
  stream.created = session.now;
  stream.on_demand = on_demand;
  if (const JsonView tags = member(input, "Tags"); tags && tags.is_object())
    for (const auto [key, value] : tags.members())
      if (value.is_string()) stream.tags[key.string()] = value.string();
  MR_DO(session.store.create(std::move(stream), static_cast<std::uint32_t>(shards)));
  return Payload::empty_object();
}

ServiceAnswer delete_stream(Session& session, JsonView input) {
  MR_TRY(stream, stream_in(session, input));
  MR_DO(session.store.drop(stream->name));
  return Payload::empty_object();
}

ServiceAnswer describe_limits(Session& session, JsonView) {
  std::int64_t open = 0, on_demand = 0;
  for (const auto& [name, stream] : session.store.all()) {
    open += static_cast<std::int64_t>(stream.open_shards().size());
    on_demand += stream.on_demand;
  }
  JsonWriter out;
  out.begin_object().key("ShardLimit").number(static_cast<std::int64_t>(kShardsMax * kStreamsMax));
  out.key("OpenShardCount").number(open).key("OnDemandStreamCount").number(on_demand);
  out.key("OnDemandStreamCountLimit").number(static_cast<std::int64_t>(kStreamsMax)).end_object();
  return out.finish();
}

ServiceAnswer describe_stream(Session& session, JsonView input) {
  MR_TRY(stream, stream_in(session, input));
  MR_TRY(limit, whole_in(input, "Limit", 1, 10'000));
  const auto most = static_cast<std::size_t>(std::min<std::int64_t>(limit.value_or(100), 100));
  std::size_t next = 0;
  if (const std::string after = text_of(input, "ExclusiveStartShardId"); !after.empty()) {
    const auto number = parse_shard_name(after);
    if (!number) return invalid_argument("Invalid shard id: " + after);
    next = std::size_t{*number} + 1;
  }
  JsonWriter out;
  out.begin_object().key("StreamDescription").begin_object();
  write_stream(out, session, *stream);
  out.key("Shards").begin_array();
  const std::size_t end = std::min(stream->shards.size(), next + most);
  for (; next < end; ++next) write_shard(out, stream->shards[next]);
  out.end_array().key("HasMoreShards").boolean(end < stream->shards.size()).end_object().end_object();
  return out.finish();
}

ServiceAnswer describe_stream_summary(Session& session, JsonView input) {
  MR_TRY(stream, stream_in(session, input));
  JsonWriter out;
  out.begin_object().key("StreamDescriptionSummary").begin_object();
  write_stream(out, session, *stream);
  out.key("OpenShardCount").number(static_cast<std::int64_t>(stream->open_shards().size()));
  out.key("ConsumerCount").number(std::int64_t{0}).end_object().end_object();
  return out.finish();
}

ServiceAnswer list_streams(Session& session, JsonView input) {
  MR_TRY(limit, whole_in(input, "Limit", 1, 10'000));
  const auto most = static_cast<std::size_t>(limit.value_or(100));
  std::string after = text_of(input, "ExclusiveStartStreamName");
  if (const std::string token = text_of(input, "NextToken"); !token.empty()) {
    const auto position = parse_page_token("ListStreams", token, session.secret);
    if (!position) return service_error("ExpiredNextTokenException", "The NextToken is not valid.");
    after = *position;
  }
  std::vector<const Stream*> page;
  bool more = false;
  for (auto it = session.store.all().upper_bound(after); it != session.store.all().end(); ++it) {
    if (it->first.find('/') != std::string::npos) continue;  // a delivery stream's own
    if (more = page.size() == most; more) break;
    page.push_back(&it->second);
  }
  JsonWriter out;
  out.begin_object().key("StreamNames").begin_array();
  for (const Stream* stream : page) out.string(stream->name);
  out.end_array().key("HasMoreStreams").boolean(more);
  if (more) out.key("NextToken").string(page_token("ListStreams", page.back()->name, session.secret));
  out.key("StreamSummaries").begin_array();
  for (const Stream* stream : page) {
    out.begin_object().key("StreamName").string(stream->name);
    out.key("StreamARN").string(stream_arn(session.place, stream->name));
    out.key("StreamStatus").string("ACTIVE").key("StreamModeDetails").begin_object();
    out.key("StreamMode").string(stream->on_demand ? "ON_DEMAND" : "PROVISIONED").end_object();
    write_seconds(out, "StreamCreationTimestamp", stream->created);
    out.end_object();
  }
  out.end_array().end_object();
  return out.finish();
}

ServiceAnswer increase_retention(Session& session, JsonView input) {
  return change_retention(session, input, true);
}
ServiceAnswer decrease_retention(Session& session, JsonView input) {
  return change_retention(session, input, false);
}

ServiceAnswer update_stream_mode(Session& session, JsonView input) {
  MR_TRY(stream, stream_in(session, input));
  MR_TRY(on_demand, mode_in(input));
  Stream changed = *stream;
  changed.on_demand = on_demand;
  MR_DO(session.store.update(changed));
  *stream = std::move(changed);
  return Payload::empty_object();
}

ServiceAnswer add_tags_to_stream(Session& session, JsonView input) {
  MR_TRY(stream, stream_in(session, input));
  Stream changed = *stream;
  if (const JsonView tags = member(input, "Tags"); tags && tags.is_object()) {
    for (const auto [key, value] : tags.members()) {
      const std::string name = key.string();
      if (name.empty() || name.size() > 128 || !value.is_string() || value.string().size() > 256)
        return invalid_argument("the tag '" + name + "': keys have 1 to 128, values up to 256 characters");
      changed.tags[name] = value.string();
    }
  }
  if (changed.tags.size() > kStreamTagsMax)
    return invalid_argument("Failed to add tags to stream " + stream->name +
                            ": a stream has at most 50 tags.");
  MR_DO(session.store.update(changed));
  *stream = std::move(changed);
  return Payload::empty_object();
}

ServiceAnswer remove_tags_from_stream(Session& session, JsonView input) {
  MR_TRY(stream, stream_in(session, input));
  Stream changed = *stream;
  if (const JsonView keys = member(input, "TagKeys"); keys && keys.is_array())
    for (const JsonView key : keys.elements())
      if (key.is_string()) changed.tags.erase(key.string());
  MR_DO(session.store.update(changed));
  *stream = std::move(changed);
  return Payload::empty_object();
}

ServiceAnswer list_tags_for_stream(Session& session, JsonView input) {
  MR_TRY(stream, stream_in(session, input));
  MR_TRY(limit, whole_in(input, "Limit", 1, 50));
  const std::string after = text_of(input, "ExclusiveStartTagKey");
  JsonWriter out;
  out.begin_object().key("Tags").begin_array();
  std::int64_t left = limit.value_or(50);
  auto it = after.empty() ? stream->tags.begin() : stream->tags.upper_bound(after);
  for (; it != stream->tags.end() && left > 0; ++it, --left)
    out.begin_object().key("Key").string(it->first).key("Value").string(it->second).end_object();
  out.end_array().key("HasMoreTags").boolean(it != stream->tags.end()).end_object();
  return out.finish();
}

ServiceAnswer list_tags_for_resource(Session& session, JsonView input) {
  MR_TRY(stream, stream_in(session, input));
  JsonWriter out;
  out.begin_object().key("Tags").begin_array();
  for (const auto& [key, value] : stream->tags)
    out.begin_object().key("Key").string(key).key("Value").string(value).end_object();
  out.end_array().end_object();
  return out.finish();
}

}  // namespace millrace::tasks::kinesis
