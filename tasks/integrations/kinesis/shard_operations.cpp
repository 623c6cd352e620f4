#include <algorithm>

#include "tasks/integrations/kinesis/iterator.h"
#include "tasks/integrations/kinesis/operations.h"

namespace millrace::tasks::kinesis {
namespace {

constexpr std::int64_t kListShardsMax = 10'000;

std::string in_stream(const Session& session, const Stream& stream) {
  return " in stream " + stream.name + " under account " + session.place.account;
}

Checked<const Shard*> shard_in(const Session& session, const Stream& stream, JsonView input,
                               std::string_view name) {
  MR_TRY(id, text_in(input, name, 1, 128));
  const auto number = parse_shard_name(id);
  const Shard* shard = number ? stream.shard(*number) : nullptr;
  if (!shard) return no_such_shard(session, stream, id);
  return shard;
}

Checked<const Shard*> open_shard_in(const Session& session, const Stream& stream, JsonView input,
                                    std::string_view name) {
  MR_TRY(shard, shard_in(session, stream, input, name));
  if (shard->closed)
    return invalid_argument("Shard " + shard_name(shard->number) + in_stream(session, stream) +
                            " has already been merged or split, and thus is not eligible for merging or "
                            "splitting.");
  return shard;
}

Checked<bool> check_room(const Stream& stream) {
  if (stream.shards.size() + 2 <= 100 * kShardsMax) return true;
  return service_error("LimitExceededException", "stream " + stream.name + " had too many shards");
}

// ---- Iterators

struct IteratorRequest {
  Session& session;
  const Stream& stream;
  const Shard& shard;
  JsonView input;
};
using Position = Checked<std::int64_t>;

Position by_sequence(IteratorRequest& request, std::int64_t more) {
  MR_TRY(text, text_in(request.input, "StartingSequenceNumber", 1, 128));
  if (text == "0" && more == 0) return request.shard.first;
  const auto number = parse_sequence_number(text);
  if (!number)
    return not_a_valid("1 validation error detected: Value '" + text.substr(0, 100) +
                       "' at 'startingSequenceNumber' failed to satisfy constraint: Member must satisfy "
                       "regular expression pattern: 0|([1-9]\\d{0,128})");
  const Shard& shard = request.shard;
  if (number->shard != shard.number || number->shard_seconds != to_millis(shard.created) / 1000 ||
      number->position < shard.first || number->position > shard.next)
    return invalid_argument("StartingSequenceNumber " + text + " used in GetShardIterator on shard " +
                            shard_name(shard.number) + in_stream(request.session, request.stream) +
                            " is invalid because it did not come from this shard.");
  return number->position + more;
}

struct IteratorType {
  std::string_view name;
  Position (*position)(IteratorRequest& request);
};
constexpr IteratorType kIteratorTypes[] = {
    {"AFTER_SEQUENCE_NUMBER", [](IteratorRequest& r) { return by_sequence(r, 1); }},
    {"AT_SEQUENCE_NUMBER", [](IteratorRequest& r) { return by_sequence(r, 0); }},
    {"AT_TIMESTAMP",
     [](IteratorRequest& r) -> Position {
       const auto time = time_in(r.input, "Timestamp");
       if (!time)
         return invalid_argument(
             "Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP.");
       MR_TRY(position, r.session.store.position_at(r.shard, *time));
       return position;
     }},
    {"LATEST", [](IteratorRequest& r) -> Position { return r.shard.next; }},
    {"TRIM_HORIZON", [](IteratorRequest& r) -> Position { return r.shard.first; }},
};

std::vector<Shard> even_shards(std::uint32_t count) {
  std::vector<Shard> made;
  const HashKey width = kHashKeyMax / count;
  for (std::uint32_t i = 0; i < count; ++i) {
    Shard shard;
    shard.low = i == 0 ? HashKey{0} : made.back().high + 1;
    shard.high = i + 1 == count ? kHashKeyMax : width * (i + 1);
    made.push_back(shard);
  }
  return made;
}

}  // namespace

tl::unexpected<ServiceError> no_such_shard(const Session& session, const Stream& stream,
                                           std::string_view id) {
  return service_error("ResourceNotFoundException",
                       "Could not find shard " + std::string(id) + in_stream(session, stream) + ".");
}

void write_shard(JsonWriter& out, const Shard& shard) {
  out.begin_object().key("ShardId").string(shard_name(shard.number));
  if (shard.parent) out.key("ParentShardId").string(shard_name(*shard.parent));
  if (shard.adjacent) out.key("AdjacentParentShardId").string(shard_name(*shard.adjacent));
  out.key("HashKeyRange").begin_object();
  out.key("StartingHashKey").string(decimal_of(shard.low));
  out.key("EndingHashKey").string(decimal_of(shard.high)).end_object();
  out.key("SequenceNumberRange").begin_object();
  out.key("StartingSequenceNumber").string(text_of(shard.sequence(shard.first, shard.created)));
  if (shard.closed)
    out.key("EndingSequenceNumber").string(text_of(shard.sequence(shard.next, *shard.closed)));
  out.end_object().end_object();
}

ServiceAnswer list_shards(Session& session, JsonView input) {
  std::size_t next = 0;
  std::string filter;
  JsonWriter named;
  JsonView by = input;
  Payload of_token;
  if (const std::string token = text_of(input, "NextToken"); !token.empty()) {
    if (member(input, "StreamName") || member(input, "ExclusiveStartShardId"))
      return invalid_argument("NextToken and StreamName cannot be provided together.");
    const auto position = parse_page_token("ListShards", token, session.secret);
    const std::size_t space = position ? position->find(' ') : std::string::npos;
    if (space == std::string::npos)
      return service_error("ExpiredNextTokenException", "NextToken is not valid.");
    next = static_cast<std::size_t>(std::stoull(position->substr(0, space)));
    named.begin_object().key("StreamName").string(position->substr(space + 1)).end_object();
    of_token = named.finish();
    by = of_token.view();
  }
  MR_TRY(stream, stream_in(session, by));
  MR_TRY(limit, whole_in(input, "MaxResults", 1, kListShardsMax));
  if (const std::string after = text_of(input, "ExclusiveStartShardId"); !after.empty()) {
    const auto number = parse_shard_name(after);
    if (!number) return invalid_argument("Invalid shard id: " + after);
    next = std::size_t{*number} + 1;
  }
  const JsonView given = member(input, "ShardFilter");
  std::optional<Instant> at;
  if (given && given.is_object()) {
    filter = text_of(given, "Type");
    at = time_in(given, "Timestamp");
    if (filter == "AFTER_SHARD_ID") {
      const auto number = parse_shard_name(text_of(given, "ShardId"));
      if (!number) return invalid_argument("ShardFilter of type AFTER_SHARD_ID needs a ShardId.");
      next = std::max(next, std::size_t{*number} + 1);
    } else if (filter == "AT_TIMESTAMP" || filter == "FROM_TIMESTAMP") {
      if (!at) return invalid_argument("ShardFilter of type " + filter + " needs a Timestamp.");
    } else if (filter != "AT_LATEST" && filter != "AT_TRIM_HORIZON" && filter != "FROM_TRIM_HORIZON") {
      return not_a_valid("ShardFilter.Type '" + filter + "' is none of AFTER_SHARD_ID, AT_TRIM_HORIZON, " +
                         "FROM_TRIM_HORIZON, AT_LATEST, AT_TIMESTAMP, FROM_TIMESTAMP");
    }
  }
  const Instant horizon = session.now - std::chrono::hours(stream->retention_hours);
  const auto wanted = [&](const Shard& shard) {
    if (filter == "AT_LATEST") return !shard.closed;
    if (filter == "AT_TIMESTAMP") return shard.created <= *at && (!shard.closed || *shard.closed > *at);
    if (filter == "FROM_TIMESTAMP") return !shard.closed || *shard.closed >= *at;
    if (filter == "AT_TRIM_HORIZON")
      return (shard.created <= horizon || !shard.parent) && (!shard.closed || *shard.closed > horizon);
    if (filter == "FROM_TRIM_HORIZON") return !shard.closed || *shard.closed >= horizon;
    return true;
  };
  JsonWriter out;
  out.begin_object().key("Shards").begin_array();
  std::int64_t left = limit.value_or(1000);
  for (; next < stream->shards.size() && left > 0; ++next) {
    if (!wanted(stream->shards[next])) continue;
    write_shard(out, stream->shards[next]);
    --left;
  }
  out.end_array();
  if (next < stream->shards.size())
    out.key("NextToken")
        .string(page_token("ListShards", std::to_string(next) + " " + stream->name, session.secret));
  out.end_object();
  return out.finish();
}

ServiceAnswer split_shard(Session& session, JsonView input) {
  MR_TRY(stream, stream_in(session, input));
  MR_TRY(shard, open_shard_in(session, *stream, input, "ShardToSplit"));
  MR_TRY(text, text_in(input, "NewStartingHashKey", 1, 128));
  const auto key = parse_hash_key(text);
  if (!key || *key <= shard->low + 1 || *key >= shard->high)
    return invalid_argument(
        "NewStartingHashKey " + text + " used in SplitShard() on shard " + shard_name(shard->number) +
        in_stream(session, *stream) + " is not both greater than one plus the shard's StartingHashKey " +
        decimal_of(shard->low) + " and less than the shard's EndingHashKey " + decimal_of(shard->high) + ".");
  MR_TRY(room, check_room(*stream));
  (void)room;
  std::vector<Shard> made(2);
  made[0].low = shard->low, made[0].high = *key - 1;
  made[1].low = *key, made[1].high = shard->high;
  for (Shard& one : made) one.parent = shard->number;
  MR_DO(session.store.replace(*stream, {shard->number}, std::move(made), session.now));
  return Payload::empty_object();
}

ServiceAnswer merge_shards(Session& session, JsonView input) {
  MR_TRY(stream, stream_in(session, input));
  MR_TRY(first, open_shard_in(session, *stream, input, "ShardToMerge"));
  MR_TRY(second, open_shard_in(session, *stream, input, "AdjacentShardToMerge"));
  const auto before = [](const Shard& a, const Shard& b) {
    return a.high != kHashKeyMax && a.high + 1 == b.low;
  };
  if (!before(*first, *second) && !before(*second, *first))
    return invalid_argument("Shards " + shard_name(first->number) + " and " + shard_name(second->number) +
                            in_stream(session, *stream) +
                            " are not an adjacent pair of shards eligible for "
                            "merging.");
  MR_TRY(room, check_room(*stream));
  (void)room;
  std::vector<Shard> made(1);
  made[0].low = std::min(first->low, second->low), made[0].high = std::max(first->high, second->high);
  made[0].parent = first->number, made[0].adjacent = second->number;
  MR_DO(session.store.replace(*stream, {first->number, second->number}, std::move(made), session.now));
  return Payload::empty_object();
}

// All open shards are closed, and even ones come behind them. The API can tell two parents of each: those
// that its range begins and ends in. Who reads in order goes by the ranges.
ServiceAnswer update_shard_count(Session& session, JsonView input) {
  MR_TRY(stream, stream_in(session, input));
  MR_TRY(target, whole_in(input, "TargetShardCount", 1, INT32_MAX));
  if (!target) return not_a_valid("TargetShardCount is missing");
  if (text_of(input, "ScalingType") != "UNIFORM_SCALING")
    return not_a_valid("ScalingType must be UNIFORM_SCALING");
  if (stream->on_demand) return not_a_valid("UpdateShardCount is for streams in PROVISIONED mode.");
  const std::vector<const Shard*> open = stream->open_shards();
  const auto before = static_cast<std::int64_t>(open.size());
  if (*target > 2 * before)
    return service_error("LimitExceededException",
                         "UpdateShardCount cannot scale up over double your current open "
                         "shard count. Current open shard count: " +
                             std::to_string(before));
  if (2 * *target < before)
    return service_error("LimitExceededException",
                         "UpdateShardCount cannot scale down below half your current open "
                         "shard count. Current open shard count: " +
                             std::to_string(before));
  if (*target > static_cast<std::int64_t>(kShardsMax))
    return service_error("LimitExceededException",
                         "a stream has at most " + std::to_string(kShardsMax) + " open shards");
  if (*target == before)
    return invalid_argument("UpdateShardCount: there are " + std::to_string(before) + " open shards already");
  std::vector<Shard> made = even_shards(static_cast<std::uint32_t>(*target));
  const auto holder = [&](HashKey key) {
    const auto above = std::upper_bound(open.begin(), open.end(), key,
                                        [](HashKey k, const Shard* shard) { return k < shard->low; });
    return (*(above - 1))->number;
  };
  for (Shard& shard : made) {
    shard.parent = holder(shard.low);
    if (const std::uint32_t last = holder(shard.high); last != *shard.parent) shard.adjacent = last;
  }
  std::vector<std::uint32_t> closed;
  for (const Shard* shard : open) closed.push_back(shard->number);
  MR_DO(session.store.replace(*stream, closed, std::move(made), session.now));
  JsonWriter out;
  out.begin_object().key("StreamName").string(stream->name);
  out.key("CurrentShardCount").number(before).key("TargetShardCount").number(*target);
  out.key("StreamARN").string(stream_arn(session.place, stream->name)).end_object();
  return out.finish();
}

ServiceAnswer get_shard_iterator(Session& session, JsonView input) {
  MR_TRY(stream, stream_in(session, input));
  MR_TRY(shard, shard_in(session, *stream, input, "ShardId"));
  MR_TRY(name, text_in(input, "ShardIteratorType", 1, 64));
  const auto type = std::find_if(std::begin(kIteratorTypes), std::end(kIteratorTypes),
                                 [&](const IteratorType& one) { return one.name == name; });
  if (type == std::end(kIteratorTypes))
    return not_a_valid(
        "1 validation error detected: Value '" + name +
        "' at 'shardIteratorType' failed to satisfy constraint: Member must satisfy enum value "
        "set: [AFTER_SEQUENCE_NUMBER, LATEST, AT_TIMESTAMP, AT_SEQUENCE_NUMBER, TRIM_HORIZON]");
  IteratorRequest request{session, *stream, *shard, input};
  MR_TRY(position, type->position(request));
  JsonWriter out;
  out.begin_object().key("ShardIterator");
  out.string(token_of({shard->id, position, session.now, stream->name}, session.secret)).end_object();
  return out.finish();
}

}  // namespace millrace::tasks::kinesis
