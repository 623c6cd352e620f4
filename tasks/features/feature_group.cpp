#include "tasks/features/feature_group.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "base/random.h"
#include "tasks/arguments.h"
#include "tasks/jobs/entities.h"
#include "tasks/table/table.h"

namespace millrace::tasks {
namespace {

constexpr std::int64_t kTimeMax = 253'402'300'800'000'000;  // the year 10000, in microseconds

template <class T, std::size_t n>
using Words = std::array<std::pair<std::string_view, T>, n>;
constexpr Words<FeatureType, 3> kFeatureTypeWords{{{"Integral", FeatureType::Integral},
                                                   {"Fractional", FeatureType::Fractional},
                                                   {"String", FeatureType::String}}};
constexpr Words<CollectionType, 3> kCollectionWords{
    {{"List", CollectionType::List}, {"Set", CollectionType::Set}, {"Vector", CollectionType::Vector}}};
constexpr Words<std::int64_t, 5> kTtlUnitWords{{{"Seconds", 1'000},
                                                {"Minutes", 60'000},
                                                {"Hours", 3'600'000},
                                                {"Days", 86'400'000},
                                                {"Weeks", 604'800'000}}};

template <class T, std::size_t n>
std::optional<T> value_of_word(const Words<T, n>& words, std::string_view word) {
  for (const auto& [name, value] : words)
    if (name == word) return value;
  return std::nullopt;
}

Result<Feature> read_feature_definition(const Arguments& definition) {
  Feature feature;
  MR_TRY(name, definition.text("FeatureName"));
  if (!is_feature_name(name))
    return definition.wrong("FeatureName", "\"" + name +
                                               "\" may have letters, digits, '-' and '_' between them, "
                                               "at most 64");
  for (const std::string_view taken : {kWriteTime, kInvocationTime, kIsDeleted})
    if (name == taken)
      return definition.wrong("FeatureName", "\"" + name + "\" is reserved for the offline store");
  feature.name = std::move(name);
  MR_TRY(type, definition.text("FeatureType"));
  MR_DO(definition.one_of("FeatureType", type, "Integral|Fractional|String"));
  feature.type = *value_of_word(kFeatureTypeWords, type);
  MR_TRY(collection, definition.text_or("CollectionType", ""));
  if (collection.empty()) return feature;
  MR_DO(definition.one_of("CollectionType", collection, "List|Set|Vector"));
  feature.collection = *value_of_word(kCollectionWords, collection);
  if (feature.collection != CollectionType::Vector) return feature;
  MR_TRY(config, definition.object("CollectionConfig"));
  MR_TRY(vector, config.object("VectorConfig"));
  MR_TRY(dimension, vector.integer_or("Dimension", 0));
  if (dimension < 1 || dimension > 8192) return vector.wrong("Dimension", "must be from 1 to 8192");
  if (feature.type != FeatureType::Fractional)
    return definition.wrong("FeatureType", "of a Vector must be Fractional");
  feature.dimension = dimension;
  return feature;
}

// A number as JSON writes it: "1", "-0.5", "1e3"; not "+1", ".5", "01".
bool is_json_number(std::string_view text) {
  const auto digits = [&] {
    const std::size_t n = std::min(text.find_first_not_of("0123456789"), text.size());
    text.remove_prefix(n);
    return n;
  };
  if (text.starts_with('-')) text.remove_prefix(1);
  const bool zero = text.starts_with('0');
  const std::size_t whole = digits();
  if (whole == 0 || (zero && whole > 1)) return false;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    if (digits() == 0) return false;
  }
  if (text.starts_with('e') || text.starts_with('E')) {
    text.remove_prefix(1);
    if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
    if (digits() == 0) return false;
  }
  return text.empty();
}

template <class T>
std::optional<T> number_in(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

std::string quoted_value(std::string_view text) {
  return "\"" + std::string(text.substr(0, 80)) + (text.size() > 80 ? "…" : "") + "\"";
}

// One value of the feature's type, as a JSON value.
Status write_value(const Feature& feature, std::string_view text, JsonWriter& out) {
  if (text.size() > kFeatureValueBytesMax)
    return invalid("Validation Error: the value of feature '" + feature.name +
                   "' has more than 358400 bytes");
  switch (feature.type) {
    case FeatureType::String:
      out.string(text);
      return {};
    case FeatureType::Integral: {
      const auto value = number_in<std::int64_t>(text);
      if (!value)
        return invalid("Validation Error: " + quoted_value(text) +
                       " is not an Integral, the type of feature '" + feature.name + "'");
      out.number(*value);
      return {};
    }
    case FeatureType::Fractional: {
      const auto value = number_in<double>(text);
      if (!value || !std::isfinite(*value))
        return invalid("Validation Error: " + quoted_value(text) +
                       " is not a Fractional, the type of feature '" + feature.name + "'");
      is_json_number(text) ? void(out.number_text(text)) : void(out.number(*value));
      return {};
    }
  }
  return {};
}

Status write_collection(const Feature& feature, JsonView list, JsonWriter& out) {
  std::set<std::string> seen;
  out.begin_array();
  for (const JsonView element : list.elements()) {
    if (!element.is_string())
      return invalid("Validation Error: feature '" + feature.name + "' has an element that is no text");
    const std::string text = element.string();
    if (feature.collection == CollectionType::Set && !seen.insert(text).second)
      return invalid("Validation Error: feature '" + feature.name + "' is a Set and has " +
                     quoted_value(text) + " twice");
    MR_DO(write_value(feature, text, out));
  }
  out.end_array();
  if (feature.collection == CollectionType::Vector &&
      list.size() != static_cast<std::uint64_t>(feature.dimension))
    return invalid("Validation Error: feature '" + feature.name + "' is a Vector of dimension " +
                   std::to_string(feature.dimension) + ", got " + std::to_string(list.size()) + " values");
  return {};
}

// The values of a record, by the places of their features; none: missing.
using Slots = std::vector<JsonView>;

Result<Slots> slots_of(const FeatureGroup& group, JsonView record) {
  Slots slots(group.features.size());
  if (!record || !record.is_array() || record.size() == 0)
    return invalid("Validation Error: Record must have at least one FeatureValue");
  for (const JsonView value : record.elements()) {
    const JsonView name = value.is_object() ? value.find("FeatureName") : JsonView();
    if (!name || !name.is_string())
      return invalid("Validation Error: each FeatureValue of Record needs a FeatureName");
    const std::string called = name.string();
    const auto place = group.place_of(called);
    if (!place)
      return invalid("Validation Error: FeatureGroup '" + group.name + "' has no feature '" + called + "'");
    if (slots[*place]) return invalid("Validation Error: feature '" + called + "' comes twice in Record");
    slots[*place] = value;
  }
  return slots;
}

// ValueAsString or ValueAsStringList, whichever the feature has; none: missing.
Result<JsonView> value_in(const Feature& feature, JsonView slot) {
  if (!slot) return JsonView();
  const bool list = feature.collection != CollectionType::None;
  const JsonView value = slot.find(list ? "ValueAsStringList" : "ValueAsString");
  const JsonView other = slot.find(list ? "ValueAsString" : "ValueAsStringList");
  if (other && !other.is_null())
    return invalid("Validation Error: feature '" + feature.name + "' takes " +
                   (list ? "ValueAsStringList: it is a collection" : "ValueAsString: it is no collection"));
  if (!value || value.is_null()) return JsonView();
  if (list ? !value.is_array() : !value.is_string())
    return invalid("Validation Error: the value of feature '" + feature.name + "' must be " +
                   (list ? "a list of texts" : "a text"));
  return value;
}

Status check_record_keys(const FeatureGroup& group, const FeatureRecord& record, bool has_time) {
  if (record.id.empty())
    return invalid("Validation Error: the record identifier feature '" + group.identifier_feature().name +
                   "' needs a value");
  if (!has_time)
    return invalid("Validation Error: the event time feature '" + group.event_time_feature().name +
                   "' needs a value");
  return {};
}

// The texts between the braces of an object.
std::string members_of(JsonWriter& writer) {
  const Payload object = writer.finish();
  return std::string(object.text().substr(1, object.size() - 2));
}

Result<std::int64_t> seconds_to_micros(std::string_view text) {
  const std::size_t point = std::min(text.find('.'), text.size());
  const auto whole = number_in<std::int64_t>(text.substr(0, point));
  std::string fraction(text.substr(std::min(point + 1, text.size())));
  const bool plain = whole && *whole >= 0 && *whole < kTimeMax / 1'000'000 && !text.starts_with('+') &&
                     fraction.find_first_not_of("0123456789") == std::string::npos;
  if (plain) {
    fraction.resize(6, '0');
    return *whole * 1'000'000 + *number_in<std::int64_t>(fraction);
  }
  const auto value = number_in<double>(text);  // 1.7e9
  if (!value || !(*value >= 0) || *value >= static_cast<double>(kTimeMax) / 1e6)
    return invalid("Validation Error: " + quoted_value(text) + " is no time in seconds since 1970");
  return std::llround(*value * 1e6);
}

}  // namespace

bool is_feature_name(std::string_view name) {
  const auto letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  return !name.empty() && name.size() <= 64 && letter(name.front()) && letter(name.back()) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return letter(c) || c == '-' || c == '_'; });
}

Result<std::vector<Feature>> read_features(const Json& request, std::string_view member) {
  const Arguments arguments(request);
  MR_TRY(list, arguments.list(member));
  std::vector<Feature> features;
  std::set<std::string> names;
  for (const Arguments& definition : list) {
    MR_TRY(feature, read_feature_definition(definition));
    if (!names.insert(feature.name).second)
      return definition.wrong("FeatureName", "two features are named \"" + feature.name + "\"");
    features.push_back(std::move(feature));
  }
  if (features.size() > kFeaturesMax)
    return arguments.wrong(member, "has " + std::to_string(features.size()) + " features, at most " +
                                       std::to_string(kFeaturesMax) + " are allowed");
  return features;
}

Result<Millis> read_ttl(const Json& duration) {
  const Arguments arguments(duration, "TtlDuration");
  MR_TRY(unit, arguments.text("Unit"));
  MR_DO(arguments.one_of("Unit", unit, "Seconds|Minutes|Hours|Days|Weeks"));
  MR_TRY(value, arguments.integer_or("Value", 0));
  constexpr std::int64_t kMost = kTimeMax / 1000;
  const std::int64_t one = *value_of_word(kTtlUnitWords, unit);
  if (value < 1 || value > kMost / one)
    return arguments.wrong("Value", "must be from 1 to " + std::to_string(kMost / one));
  return Millis(value * one);
}

std::optional<std::size_t> FeatureGroup::place_of(std::string_view feature) const {
  const auto found = places_.find(std::string(feature));
  if (found == places_.end()) return std::nullopt;
  return found->second;
}

Result<FeatureGroup> FeatureGroup::of(const Json& record) {
  FeatureGroup group;
  group.name = text_in(record, "FeatureGroupName");
  group.number = static_cast<std::int64_t>(hash64(text_at(record, {kNotes, "Uid"})));
  MR_TRY(features, read_features(record, "FeatureDefinitions"));
  group.features = std::move(features);
  for (std::size_t i = 0; i < group.features.size(); ++i) group.places_[group.features[i].name] = i;
  const auto identifier = group.place_of(text_in(record, "RecordIdentifierFeatureName"));
  const auto time = group.place_of(text_in(record, "EventTimeFeatureName"));
  if (!identifier || !time)
    return fail(ErrorCode::DataLoss, "the record of feature group \"" + group.name + "\" can't be read");
  group.identifier = *identifier, group.event_time = *time;
  const Arguments arguments(record);
  MR_TRY(online, arguments.object_or_empty("OnlineStoreConfig"));
  MR_TRY(enabled, online.boolean_or("EnableOnlineStore", false));
  group.online = enabled;
  if (online.has("TtlDuration")) {
    MR_TRY(ttl, read_ttl(online.json()["TtlDuration"]));
    group.lifetime = ttl;
  }
  group.offline_uri = text_at(record, {"OfflineStoreConfig", "S3StorageConfig", "ResolvedOutputS3Uri"});
  return group;
}

Result<std::int64_t> read_event_time(const Feature& feature, std::string_view text) {
  if (feature.type == FeatureType::Fractional) return seconds_to_micros(text);
  const auto time = parse_rfc3339(text);
  if (!time || to_millis(*time) < 0)
    return invalid("Validation Error: " + quoted_value(text) + " is no event time: expected ISO-8601 as in " +
                   "2026-11-21T06:59:16Z");
  return to_millis(*time) * 1000;
}

std::string format_event_time(const Feature& feature, std::int64_t micros) {
  if (feature.type == FeatureType::String) return format_rfc3339(from_millis(micros / 1000));
  std::string fraction = std::to_string(1'000'000 + micros % 1'000'000).substr(1);
  fraction.erase(fraction.find_last_not_of('0') + 1);
  return std::to_string(micros / 1'000'000) + (fraction.empty() ? "" : "." + fraction);
}

std::string record_id(const FeatureGroup& group, std::string_view value) {
  if (group.identifier_feature().type == FeatureType::String) return std::string(value);
  if (const auto whole = number_in<std::int64_t>(value)) return std::to_string(*whole);
  const auto number = number_in<double>(value);
  return number ? format_number(*number) : std::string(value);
}

Result<FeatureRecord> read_record(const FeatureGroup& group, JsonView record) {
  MR_TRY(slots, slots_of(group, record));
  FeatureRecord out;
  bool has_time = false;
  JsonWriter line, answer;
  line.begin_object();
  answer.begin_array();
  for (std::size_t i = 0; i < slots.size(); ++i) {
    const Feature& feature = group.features[i];
    MR_TRY(value, value_in(feature, slots[i]));
    line.key(feature.name);
    if (!value) {
      line.null();
      continue;
    }
    if (value.is_array())
      MR_DO(write_collection(feature, value, line));
    else
      MR_DO(write_value(feature, value.string(), line));
    answer.begin_object().key("FeatureName").string(feature.name);
    answer.key(value.is_array() ? "ValueAsStringList" : "ValueAsString").value(value).end_object();
    if (i == group.identifier) out.id = record_id(group, value.string());
    if (i != group.event_time) continue;
    MR_TRY(time, read_event_time(feature, value.string()));
    out.time_us = time, has_time = true;
  }
  MR_DO(check_record_keys(group, out, has_time));
  out.line = members_of(line.end_object());
  out.answer = answer.end_array().finish().text();
  if (out.answer.size() > 2 * kFeatureRecordBytesMax)
    return invalid("Validation Error: the record is larger than 350 KB");
  return out;
}

Result<FeatureRecord> deletion_of(const FeatureGroup& group, std::string_view id, std::string_view time) {
  const std::pair<std::string_view, std::string_view> cells[] = {{group.identifier_feature().name, id},
                                                                 {group.event_time_feature().name, time}};
  MR_TRY(record, record_of_row(group, cells));
  record.deleted = true;
  record.answer.clear();
  return record;
}

Result<FeatureRecord> record_of_row(const FeatureGroup& group,
                                    std::span<const std::pair<std::string_view, std::string_view>> cells) {
  JsonWriter record;
  record.begin_array();
  for (const auto& [name, value] : cells) {
    const auto place = group.place_of(name);
    record.begin_object().key("FeatureName").string(name);
    if (place && group.features[*place].collection != CollectionType::None) {
      auto list = Payload::parse(value);
      if (!list || !list->view().is_array())
        return invalid("Validation Error: feature '" + std::string(name) +
                       "' is a collection: expected a JSON list");
      record.key("ValueAsStringList").begin_array();
      for (const JsonView one : list->view().elements())
        record.string(one.is_string() ? one.string() : std::string(one.text()));
      record.end_array();
    } else {
      record.key("ValueAsString").string(value);
    }
    record.end_object();
  }
  return read_record(group, record.end_array().finish().view());
}

}  // namespace millrace::tasks
