#include "tasks/features/feature_group.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>

#include "base/random.h"
#include "tasks/arguments.h"
#include "tasks/jobs/entities.h"

namespace millrace::tasks {
namespace {

constexpr std::int64_t kLifetimeMax = 253'402'300'800'000;  // milliseconds

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
  const std::int64_t one = *value_of_word(kTtlUnitWords, unit);
  if (value < 1 || value > kLifetimeMax / one)
    return arguments.wrong("Value", "must be from 1 to " + std::to_string(kLifetimeMax / one));
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

}  // namespace millrace::tasks
