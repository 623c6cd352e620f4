#pragma once
// The operations of EventBridge and of its Scheduler on the bus's records: two tables, and what their
// functions share. Store thread. Source: EventBridge and EventBridge Scheduler API references.

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "service/bus/bus_store.h"

namespace millrace::bus {

std::span<const BusOperation>
event_operations();  // buses, rules, targets, tags, archives, replays, destinations
std::span<const BusOperation> scheduler_operations();  // schedules and their groups
const BusOperation* find_operation(std::span<const BusOperation> table, std::string_view name);  // null: none

inline constexpr std::string_view kDefaultBus = "default", kDefaultGroup = "default";

// ---- What they share

inline tl::unexpected<api::ApiError> invalid_request(std::string message) {
  return api::refuse("ValidationException", std::move(message));
}
tl::unexpected<api::ApiError> not_found(std::string message);

std::string text(JsonView input, std::string_view name);  // empty: absent
// A document without its null members, which count as absent.
Json plain_json(JsonView view);
// Copies what the input has of these members.
void copy_members(Json& into, JsonView input, std::initializer_list<std::string_view> names);
double seconds_of(Instant time);
// A time of a request: seconds since 1970 or RFC 3339; nothing: absent or neither.
std::optional<Instant> time_in(JsonView input, std::string_view name);
std::optional<Instant> millis_in(const Json& record, std::string_view name);

// The bus a request names, by name or ARN; the default one when it names none. ResourceNotFoundException.
tl::expected<std::string, api::ApiError> bus_in(const OperationCall& call, std::string_view member);
bool good_name(std::string_view name, std::size_t max);  // letters, digits and .-_

// One page of a kind: `show` makes an entry of a key and its record, or nothing. `list` is the answer's
// member.
using ShowRecord = std::function<std::optional<Json>(const std::string& key, const Json& record)>;
BusAnswer page_of(const OperationCall& call, std::string_view kind, std::string_view list,
                  std::string_view limit_member, const std::string& key_prefix, const ShowRecord& show);

// Tags: kept by ARN.
void put_tags(OperationCall& call, const std::string& arn, JsonView tags);
BusAnswer list_tags(OperationCall& call, const std::string& arn);
BusAnswer remove_tags(OperationCall& call, const std::string& arn);

// Whether events can be handed to such a target; what is wrong otherwise.
std::optional<std::string> refuse_target_arn(std::string_view arn);

}  // namespace millrace::bus
