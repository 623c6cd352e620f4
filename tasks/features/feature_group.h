#pragma once
// FeatureGroup: what a feature group's record says, as a value: its features and their types, which of them
// names a record and which tells its time, where records are kept. And records that fit it: checked, with
// their texts for the online store and the offline store. Pure; any thread. Source: SageMaker developer
// guide, "Feature Store"; Feature Store Runtime API reference, 2020-07-01.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "base/time.h"

namespace millrace::tasks {

enum class FeatureType { Integral, Fractional, String };
enum class CollectionType { None, List, Set, Vector };

struct Feature {
  std::string name;
  FeatureType type = FeatureType::String;
  CollectionType collection = CollectionType::None;
  std::int64_t dimension = 0;  // of a Vector
};

inline constexpr std::size_t kFeaturesMax = 2500;               // of one group
inline constexpr std::size_t kFeatureValueBytesMax = 358'400;   // of one value, as the API's model has it
inline constexpr std::size_t kFeatureRecordBytesMax = 358'400;  // of one record
// What the offline store adds to each record.
inline constexpr std::string_view kWriteTime = "write_time", kInvocationTime = "api_invocation_time",
                                  kIsDeleted = "is_deleted";

struct FeatureGroup {
  std::string name;
  std::int64_t number = 0;  // names its rows; a group that is made again under the same name has another
  std::vector<Feature> features;
  std::size_t identifier = 0, event_time = 0;  // places in `features`
  bool online = false;
  std::string offline_uri;         // where its files go; empty: it has no offline store
  std::optional<Millis> lifetime;  // of records online, from their event time

  const Feature& identifier_feature() const { return features[identifier]; }
  const Feature& event_time_feature() const { return features[event_time]; }
  std::optional<std::size_t> place_of(std::string_view feature) const;

  // The group of a record that CreateFeatureGroup made. DataLoss: the record is none.
  static Result<FeatureGroup> of(const Json& record);

 private:
  std::unordered_map<std::string, std::size_t> places_;
};
using FeatureGroupPtr = std::shared_ptr<const FeatureGroup>;

// Features as a request defines them. InvalidArgument in the service's words.
Result<std::vector<Feature>> read_features(const Json& definitions, std::string_view member);
// {"Unit": "Hours", "Value": 2}. InvalidArgument.
Result<Millis> read_ttl(const Json& duration);
// Letters, digits, '-' and '_' between them, at most 64, as groups and features are called.
bool is_feature_name(std::string_view name);

// Event times are microseconds since 1970: a feature of type Fractional has seconds, one of type String
// ISO-8601 in UTC. InvalidArgument for any other text and for times before 1970 or behind 9999.
Result<std::int64_t> read_event_time(const Feature& feature, std::string_view text);

// What names a record: of a number its shortest text, so that 7 and 007 are the same.
std::string record_id(const FeatureGroup& group, std::string_view value);

// A record that fits its group.
struct FeatureRecord {
  std::string id;  // record_id of its value
  std::int64_t time_us = 0;
  bool deleted = false;
  std::string answer;  // what GetRecord answers: [{"FeatureName": …, "ValueAsString": …}, …]; empty: deleted
  std::string line;  // members of its line in the offline store, of every feature: "a":1,"b":null
};
// `record`: the Record of PutRecord. InvalidArgument in the service's words.
Result<FeatureRecord> read_record(const FeatureGroup& group, JsonView record);
// The marker of a deletion: the identifier and the time, everything else null.
Result<FeatureRecord> deletion_of(const FeatureGroup& group, std::string_view id, std::string_view time);
// The record of a row of texts by feature, those without a value missing; as read_record.
Result<FeatureRecord> record_of_row(const FeatureGroup& group,
                                    std::span<const std::pair<std::string_view, std::string_view>> cells);

}  // namespace millrace::tasks
