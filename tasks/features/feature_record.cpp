// Records of feature groups; see feature_group.h.

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include "tasks/features/feature_group.h"
#include "tasks/table/table.h"

namespace millrace::tasks {
namespace {

constexpr std::int64_t kEventTimeMax = 253'402'300'800'000'000;  // the year 10000, in microseconds

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
  const bool plain = whole && *whole >= 0 && *whole < kEventTimeMax / 1'000'000 && !text.starts_with('+') &&
                     fraction.find_first_not_of("0123456789") == std::string::npos;
  if (plain) {
    fraction.resize(6, '0');
    return *whole * 1'000'000 + *number_in<std::int64_t>(fraction);
  }
  const auto value = number_in<double>(text);  // 1.7e9
  if (!value || !(*value >= 0) || *value >= static_cast<double>(kEventTimeMax) / 1e6)
    return invalid("Validation Error: " + quoted_value(text) + " is no time in seconds since 1970");
  return std::llround(*value * 1e6);
}

}  // namespace

Result<std::int64_t> read_event_time(const Feature& feature, std::string_view text) {
  if (feature.type == FeatureType::Fractional) return seconds_to_micros(text);
  const auto time = parse_rfc3339(text);
  if (!time || to_millis(*time) < 0)
    return invalid("Validation Error: " + quoted_value(text) + " is no event time: expected ISO-8601 as in " +
                   "2026-11-21T06:59:16Z");
  return to_millis(*time) * 1000;
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
