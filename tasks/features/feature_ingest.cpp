#include "tasks/features/feature_ingest.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "tasks/arguments.h"
#include "tasks/features/as_of_join.h"
#include "tasks/features/feature_store.h"
#include "tasks/features/offline_files.h"
#include "tasks/processing/channels.h"
#include "tasks/processing/stream_channel.h"

namespace millrace::tasks {
namespace {

constexpr std::size_t kOnlineAtOnce = 1000;  // records in one transaction
constexpr std::size_t kIngestFileBytes = std::size_t{64} << 20;

struct IngestSettings {
  std::string group;
  std::map<std::string, std::string> columns;  // an empty feature: left out
  bool online = true, offline = true;          // where the group has them
  bool chosen = false;
};

Result<IngestSettings> read_ingest_settings(const Json& json) {
  MR_DO(check_setting_names(json, {"group", "columns", "target_stores"}, "feature-ingest"));
  const Arguments arguments(json);
  IngestSettings settings;
  MR_TRY(group, arguments.text("group"));
  settings.group = std::move(group);
  MR_TRY(columns, arguments.object_or_empty("columns"));
  for (const auto& [column, feature] : columns.json().items()) {
    if (!feature.is_string() && !feature.is_null())
      return arguments.wrong("columns", "\"" + column + "\" must be the name of a feature, or null");
    settings.columns[column] = feature.is_null() ? "" : feature.get<std::string>();
  }
  MR_TRY(stores, arguments.texts("target_stores"));
  if (stores.empty()) return settings;
  settings.online = settings.offline = false, settings.chosen = true;
  for (const std::string& store : stores) {
    MR_DO(arguments.one_of("target_stores", store, "OnlineStore|OfflineStore"));
    (store == "OnlineStore" ? settings.online : settings.offline) = true;
  }
  return settings;
}

// Puts records into the online store, many in one transaction.
class OnlinePuts {
 public:
  OnlinePuts(FeatureStore& store, FeatureGroupPtr group) : store_(store), group_(std::move(group)) {}
  Status add(FeatureRecord record) {
    records_.push_back(std::move(record));
    return records_.size() < kOnlineAtOnce ? Status() : finish();
  }
  Status finish() {
    if (records_.empty()) return {};
    return store_.put_online(group_, std::exchange(records_, {}));
  }

 private:
  FeatureStore& store_;
  const FeatureGroupPtr group_;
  std::vector<FeatureRecord> records_;
};

// What is ingested on its way: online at once, offline by way of a sort, so that each hour is one file.
struct Ingest {
  const FeatureGroup& group;
  const IngestSettings& settings;
  OnlinePuts& online;
  AsOfJoin& sorted;
  bool to_online, to_offline;
  std::int64_t now_us;
  std::size_t rows = 0;

  Status take(const Table& piece) {
    std::vector<std::string> features;
    for (const Column& column : piece.columns) {
      const auto mapped = settings.columns.find(column.name);
      features.push_back(mapped == settings.columns.end() ? column.name : mapped->second);
      if (!features.back().empty() && !group.place_of(features.back()))
        return invalid("feature group \"" + group.name + "\" has no feature \"" + features.back() + "\"",
                       "columns maps a column to its feature, or to null to leave it out");
    }
    std::vector<std::pair<std::string_view, std::string_view>> cells;
    for (std::size_t row = 0; row < piece.rows; ++row, ++rows) {
      cells.clear();
      for (std::size_t c = 0; c < piece.columns.size(); ++c)
        if (!features[c].empty() && !is_missing(piece.columns[c], row))
          cells.emplace_back(features[c], piece.columns[c].texts[row]);
      auto record = record_of_row(group, cells);
      if (!record) return invalid("row " + std::to_string(rows + 1) + ": " + record.error().message);
      // One identifier for all: newest_first() then gives them in the order of their hours.
      if (to_offline)
        MR_DO(sorted.add_record(
            0, {"", record->time_us, now_us + static_cast<std::int64_t>(rows), 0, false, record->line}));
      if (to_online) MR_DO(online.add(*std::move(record)));
    }
    return {};
  }
};

Result<FeatureGroupPtr> ingested_group(FeatureStore& store, const IngestSettings& settings) {
  MR_TRY(group, store.group(settings.group));
  if (settings.chosen &&
      ((settings.online && !group->online) || (settings.offline && group->offline_uri.empty())))
    return invalid("target_stores: feature group \"" + group->name + "\" has no such store");
  return group;
}

}  // namespace

Status check_feature_ingest(const ProcessingInputs& inputs) {
  MR_DO(read_ingest_settings(inputs.settings));
  MR_DO(dataset_input(inputs, "feature-ingest"));
  return {};
}

Result<Json> run_feature_ingest(const ProcessingInputs& inputs, TaskContext& context) {
  MR_TRY(settings, read_ingest_settings(inputs.settings));
  MR_TRY(input, dataset_input(inputs, "feature-ingest"));
  MR_TRY(store, context.features());
  MR_TRY(group, ingested_group(*store, settings));
  MR_TRY(sorted, AsOfJoin::open(1, [&] { return context.cancelled(); }));
  OnlinePuts online(*store, group);
  const Instant now = context.clock().now();
  Ingest ingest{*group,
                settings,
                online,
                *sorted,
                settings.online && group->online,
                settings.offline && !group->offline_uri.empty(),
                to_millis(now) * 1000};
  MR_DO(stream_channel(*input, context, 0.6, {}, [&](const Table& piece) { return ingest.take(piece); }));
  MR_DO(online.finish());
  // Named by the job: done again, it writes the same files.
  const std::string job = std::to_string(context.seed());
  OfflineWriter writer(context.objects(), group->offline_uri, "ingest", job, now, kIngestFileBytes);
  const auto write = [&](const AsOfRecord& record) -> Result<bool> {
    MR_DO(writer.add({record.time_us, record.invoked_us, false, std::string(record.cells)}));
    return true;
  };
  MR_DO(sorted->newest_first(0, write));
  MR_DO(writer.finish());
  context.log(std::to_string(ingest.rows) + " records for " + group->name);
  return Json{{"records", ingest.rows},
              {"online", ingest.to_online},
              {"offline_files", writer.files()},
              {"offline_store", group->offline_uri}};
}

Status check_feature_materialize(const ProcessingInputs& inputs) {
  MR_DO(check_setting_names(inputs.settings, {"group"}, "feature-materialize"));
  MR_DO(Arguments(inputs.settings).text("group"));
  return {};
}

Result<Json> run_feature_materialize(const ProcessingInputs& inputs, TaskContext& context) {
  MR_DO(check_feature_materialize(inputs));
  MR_TRY(name, Arguments(inputs.settings).text("group"));
  MR_TRY(store, context.features());
  MR_TRY(group, store->group(name));
  if (!group->online || group->offline_uri.empty())
    return invalid("feature group \"" + name + "\" needs an online store and an offline store");
  MR_DO(store->flush());
  const auto cancelled = [&] { return context.cancelled(); };
  MR_TRY(sorted, AsOfJoin::open(1, cancelled));
  std::size_t records = 0, newest = 0;
  MR_DO(read_offline(context.objects(), *group, {}, cancelled, [&](const OfflineRecord& record) {
    ++records;
    return sorted->add_record(0, {record.id, record.time_us, record.invoked_us, record.written_ms,
                                  record.deleted, record.line.text()});
  }));
  report(context, "Writing", 0.6, static_cast<std::int64_t>(records));
  OnlinePuts online(*store, group);
  const auto put_newest = [&](const AsOfRecord& record) -> Result<bool> {
    FeatureRecord put;
    put.id = record.id, put.time_us = record.time_us, put.deleted = record.deleted;
    if (!record.deleted) {
      MR_TRY(line, Payload::parse(record.cells));
      put.answer = answer_of_line(*group, line.view());
      ++newest;
    }
    MR_DO(online.add(std::move(put)));
    return false;
  };
  MR_DO(sorted->newest_first(0, put_newest));
  MR_DO(online.finish());
  return Json{{"records_read", records}, {"records_online", newest}};
}

}  // namespace millrace::tasks
