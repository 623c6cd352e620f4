#include "tasks/features/feature_join.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "tasks/arguments.h"
#include "tasks/features/as_of_join.h"
#include "tasks/features/feature_store.h"
#include "tasks/features/offline_files.h"
#include "tasks/features/table_parts.h"
#include "tasks/processing/channels.h"
#include "tasks/processing/stream_channel.h"

namespace millrace::tasks {
namespace {

constexpr std::size_t kJoinedMax = 100;  // groups

struct JoinedGroup {
  std::string name, identifier, prefix;  // `identifier`: a column of the spine; empty: as the group calls it
  std::vector<std::string> features;     // empty: all but identifier and time
  std::optional<std::int64_t> max_age_us;
  FeatureGroupPtr group = {};  // once it is known
};

struct JoinSettings {
  std::vector<JoinedGroup> groups;
  std::string identifier, event_time, base;
  bool accurate = true, duplicated = false, deleted = false;
  std::optional<std::int64_t> as_of_ms;
};

Result<JoinedGroup> read_joined(const Json& entry, const std::string& where) {
  JoinedGroup joined;
  if (entry.is_string()) {
    joined.name = entry.get<std::string>();
    return joined;
  }
  if (!entry.is_object()) return invalid(where + ": expected the name of a feature group or an object");
  MR_DO(check_setting_names(entry, {"group", "features", "record_identifier", "max_age", "prefix"}, where));
  const Arguments arguments(entry, where);
  MR_TRY(name, arguments.text("group"));
  MR_TRY(features, arguments.texts("features"));
  MR_TRY(identifier, arguments.text_or("record_identifier", ""));
  MR_TRY(prefix, arguments.text_or("prefix", ""));
  joined.name = std::move(name), joined.features = std::move(features);
  joined.identifier = std::move(identifier), joined.prefix = std::move(prefix);
  if (!arguments.has("max_age")) return joined;
  const Json& age = entry["max_age"];
  const auto read = read_age(age.is_string() ? age.get<std::string>() : age.dump());
  if (!read) return arguments.wrong("max_age", read.error().message);
  joined.max_age_us = *read;
  return joined;
}

Result<JoinSettings> read_join_settings(const Json& json) {
  MR_DO(check_setting_names(
      json,
      {"groups", "record_identifier", "event_time", "base_feature_group", "point_in_time_accurate_join",
       "include_duplicated_records", "include_deleted_records", "as_of"},
      "feature-join"));
  const Arguments arguments(json);
  JoinSettings settings;
  const Json list = json.value("groups", Json::array());
  if (!list.is_array() || list.size() > kJoinedMax)
    return arguments.wrong("groups",
                           "must be a list of at most " + std::to_string(kJoinedMax) + " feature groups");
  for (std::size_t i = 0; i < list.size(); ++i) {
    MR_TRY(joined, read_joined(list[i], "groups[" + std::to_string(i) + "]"));
    settings.groups.push_back(std::move(joined));
  }
  MR_TRY(identifier, arguments.text_or("record_identifier", ""));
  MR_TRY(event_time, arguments.text_or("event_time", ""));
  MR_TRY(base, arguments.text_or("base_feature_group", ""));
  MR_TRY(accurate, arguments.boolean_or("point_in_time_accurate_join", true));
  MR_TRY(duplicated, arguments.boolean_or("include_duplicated_records", false));
  MR_TRY(deleted, arguments.boolean_or("include_deleted_records", false));
  MR_TRY(as_of, arguments.text_or("as_of", ""));
  settings.identifier = std::move(identifier), settings.event_time = std::move(event_time);
  settings.base = std::move(base);
  settings.accurate = accurate, settings.duplicated = duplicated, settings.deleted = deleted;
  if (settings.groups.empty() && settings.base.empty())
    return arguments.wrong("groups", "needs at least one feature group to join");
  if ((duplicated || deleted) && settings.base.empty())
    return invalid(
        "include_duplicated_records and include_deleted_records are about the records of a "
        "base_feature_group, and there is none");
  if (as_of.empty()) return settings;
  const auto time = read_table_time(as_of);
  if (!time) return arguments.wrong("as_of", time.error().message);
  settings.as_of_ms = *time / 1000;
  return settings;
}

// The join at work.
class FeatureJoin {
 public:
  FeatureJoin(JoinSettings settings, const ProcessingInputs& inputs, TaskContext& context)
      : settings_(std::move(settings)), inputs_(inputs), context_(context) {}
  Result<Json> run();

 private:
  Status find_groups();
  Status read_spine();
  Status read_base();
  Status read_groups();
  Status name_columns(const std::vector<std::string>& spine);
  Status take_piece(const Table& piece);
  Status add_group_record(std::size_t place, const JoinedGroup& joined, const OfflineRecord& record);
  Result<Json> write();
  std::function<bool()> cancelled() {
    return [this] { return context_.cancelled(); };
  }

  const JoinSettings settings_;
  const ProcessingInputs& inputs_;
  TaskContext& context_;
  std::vector<JoinedGroup> groups_;
  FeatureGroupPtr base_;
  std::unique_ptr<AsOfJoin> join_;
  std::vector<std::string> columns_;  // of the result; those of the spine first
  std::size_t spine_columns_ = 0, rows_ = 0;
  std::vector<std::size_t> matched_;
  std::int64_t first_us_ = std::numeric_limits<std::int64_t>::max(), last_us_ = 0;
};

Status FeatureJoin::find_groups() {
  MR_TRY(store, context_.features());
  MR_DO(store->flush());  // what was acknowledged until now is joined
  const auto find = [&](const std::string& name) -> Result<FeatureGroupPtr> {
    MR_TRY(group, store->group(name));
    if (group->offline_uri.empty())
      return invalid("feature group \"" + name + "\" has no offline store", "its history is not kept");
    return group;
  };
  groups_ = settings_.groups;
  for (JoinedGroup& joined : groups_) {
    MR_TRY(group, find(joined.name));
    joined.group = group;
    if (joined.identifier.empty())
      joined.identifier =
          settings_.identifier.empty() ? group->identifier_feature().name : settings_.identifier;
    for (const std::string& feature : joined.features)
      if (!group->place_of(feature))
        return invalid("feature group \"" + joined.name + "\" has no feature \"" + feature + "\"");
    if (!joined.features.empty()) continue;
    for (std::size_t i = 0; i < group->features.size(); ++i)
      if (i != group->identifier && i != group->event_time)
        joined.features.push_back(group->features[i].name);
  }
  if (settings_.base.empty()) return {};
  MR_TRY(base, find(settings_.base));
  base_ = base;
  return {};
}

Status FeatureJoin::name_columns(const std::vector<std::string>& spine) {
  columns_ = spine;
  spine_columns_ = spine.size();
  std::set<std::string> names(spine.begin(), spine.end());
  for (const JoinedGroup& joined : groups_)
    for (const std::string& feature : joined.features) {
      columns_.push_back(joined.prefix + feature);
      if (!names.insert(columns_.back()).second)
        return invalid("two columns would be called \"" + columns_.back() + "\"",
                       "give the group " + joined.name + " a \"prefix\", or choose its \"features\"");
    }
  return {};
}

// Cells of a row as a JSON list of texts, null where there is none.
std::string cells_of_row(const Table& piece, std::size_t row) {
  JsonWriter out;
  out.begin_array();
  for (const Column& column : piece.columns)
    is_missing(column, row) ? out.null() : out.string(column.texts[row]);
  return std::string(out.end_array().finish().text());
}

Status FeatureJoin::take_piece(const Table& piece) {
  if (columns_.empty()) MR_DO(name_columns(piece.names()));
  const Column* time = settings_.event_time.empty() ? nullptr : piece.find(settings_.event_time);
  if (settings_.accurate && !time)
    return invalid("the spine has no column \"" + settings_.event_time + "\"",
                   "event_time names the column with the time of each row");
  std::vector<const Column*> keys;
  for (const JoinedGroup& joined : groups_) {
    keys.push_back(piece.find(joined.identifier));
    if (!keys.back())
      return invalid(
          "the spine has no column \"" + joined.identifier + "\" that identifies records of " + joined.name,
          "record_identifier names it");
  }
  std::vector<std::optional<std::string>> ids(groups_.size());
  for (std::size_t row = 0; row < piece.rows; ++row) {
    std::int64_t at = 0;
    if (time) {
      if (settings_.accurate && is_missing(*time, row))
        return invalid("row " + std::to_string(rows_ + 1) + " of the spine has no \"" + settings_.event_time +
                       "\"");
      const auto read = is_missing(*time, row) ? Result<std::int64_t>(0) : read_table_time(time->texts[row]);
      if (!read)
        return invalid("row " + std::to_string(rows_ + 1) + " of the spine: " + read.error().message);
      at = *read;
    }
    for (std::size_t g = 0; g < groups_.size(); ++g) {
      ids[g].reset();
      if (!is_missing(*keys[g], row)) ids[g] = record_id(*groups_[g].group, keys[g]->texts[row]);
    }
    MR_DO(join_->add_row(cells_of_row(piece, row), ids, at));
    first_us_ = std::min(first_us_, at), last_us_ = std::max(last_us_, at);
    ++rows_;
  }
  return {};
}

Status FeatureJoin::read_spine() {
  MR_TRY(input, dataset_input(inputs_, "feature-join"));
  return stream_channel(*input, context_, 0.3, {}, [this](const Table& piece) { return take_piece(piece); });
}

// The records of the base group are the rows. As DatasetBuilder has it, an identifier that was deleted has
// none of before, and of records of one time the last one counts, unless they are included.
Status FeatureJoin::read_base() {
  MR_TRY(sorted, AsOfJoin::open(1, cancelled()));
  std::vector<std::string> names;
  for (const Feature& feature : base_->features) names.push_back(feature.name);
  if (settings_.deleted) names.emplace_back(kIsDeleted);
  MR_DO(name_columns(names));
  MR_DO(read_offline(context_.objects(), *base_, {}, cancelled(), [&](const OfflineRecord& record) -> Status {
    if (settings_.as_of_ms && record.written_ms > *settings_.as_of_ms) return {};
    return sorted->add_record(0, {record.id, record.time_us, record.invoked_us, record.written_ms,
                                  record.deleted, record.line.text()});
  }));
  std::string id;
  std::optional<std::int64_t> time;
  return sorted->newest_first(0, [&](const AsOfRecord& record) -> Result<bool> {
    if (record.deleted && !settings_.deleted) return false;
    if (record.id != id) id = record.id, time.reset();
    if (!settings_.duplicated && time == record.time_us) return true;
    time = record.time_us;
    MR_TRY(line, Payload::parse(record.cells));
    JsonWriter cells;
    cells.begin_array();
    for (const std::string& name : names) write_cell(cells, line.view().find(name));
    cells.end_array();
    std::vector<std::optional<std::string>> ids;
    for (const JoinedGroup& joined : groups_) {
      const JsonView value = line.view().find(joined.identifier);
      if (!value)
        return invalid("the base feature group has no feature \"" + joined.identifier +
                           "\" that identifies records of " + joined.name,
                       "record_identifier names it");
      ids.push_back(value.is_null() ? std::nullopt
                                    : std::optional(record_id(*joined.group, text_of_cell(value))));
    }
    MR_DO(join_->add_row(cells.finish().text(), ids, record.time_us));
    first_us_ = std::min(first_us_, record.time_us), last_us_ = std::max(last_us_, record.time_us);
    ++rows_;
    return true;
  });
}

Status FeatureJoin::add_group_record(std::size_t place, const JoinedGroup& joined,
                                     const OfflineRecord& record) {
  if (settings_.as_of_ms && record.written_ms > *settings_.as_of_ms) return {};
  JsonWriter cells;
  cells.begin_array();
  for (const std::string& feature : joined.features) write_cell(cells, record.line.find(feature));
  cells.end_array();
  return join_->add_record(place, {record.id, record.time_us, record.invoked_us, record.written_ms,
                                   record.deleted, cells.finish().text()});
}

Status FeatureJoin::read_groups() {
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    const JoinedGroup& joined = groups_[g];
    OfflineSpan span;
    if (settings_.accurate) span.to_us = last_us_;
    if (settings_.accurate && joined.max_age_us) span.from_us = first_us_ - *joined.max_age_us;
    MR_DO(read_offline(context_.objects(), *joined.group, span, cancelled(),
                       [&](const OfflineRecord& record) { return add_group_record(g, joined, record); }));
    MR_DO(join_->merge(g, {settings_.accurate, joined.max_age_us}));
    report(context_, "Joining", 0.3 + 0.5 * static_cast<double>(g + 1) / static_cast<double>(groups_.size()),
           static_cast<std::int64_t>(rows_));
  }
  return {};
}

Result<Json> FeatureJoin::write() {
  MR_TRY(uri, inputs_.output_for("joined"));
  TableParts parts(context_.objects(), uri, columns_);
  matched_.assign(groups_.size(), 0);
  const auto write_row = [&](std::string_view cells,
                             std::span<const std::optional<std::string_view>> found) -> Status {
    MR_DO(parts.add(cells));
    for (std::size_t g = 0; g < found.size(); ++g) {
      matched_[g] += found[g].has_value();
      if (found[g])
        MR_DO(parts.add(*found[g]));
      else
        parts.add_missing(groups_[g].features.size());
    }
    return parts.end_row();
  };
  MR_DO(join_->rows(write_row));
  MR_DO(parts.finish());
  Json groups = Json::object();
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    groups[groups_[g].name] = {{"rows_with_a_record", matched_[g]}};
    context_.log(groups_[g].name + ": a record for " + std::to_string(matched_[g]) + " of " +
                 std::to_string(rows_) + " rows");
  }
  return Json{{"rows", rows_}, {"columns", columns_.size()}, {"groups", std::move(groups)}, {"output", uri}};
}

Result<Json> FeatureJoin::run() {
  MR_DO(find_groups());
  MR_TRY(join, AsOfJoin::open(groups_.size(), cancelled()));
  join_ = std::move(join);
  MR_DO(base_ ? read_base() : read_spine());
  MR_DO(read_groups());
  return write();
}

template <class T>
std::optional<T> all_of(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

}  // namespace

Result<std::int64_t> read_table_time(std::string_view text) {
  static const Feature kSeconds{"time", FeatureType::Fractional};
  std::string iso(text);
  if (iso.size() == 10 && iso[4] == '-') iso += "T00:00:00Z";
  if (iso.size() > 10 && iso[10] == ' ') iso[10] = 'T';
  if (iso.size() == 19 && iso[10] == 'T') iso += 'Z';
  if (const auto time = parse_rfc3339(iso)) return to_millis(*time) * 1000;
  if (auto seconds = read_event_time(kSeconds, text)) return *seconds;
  return invalid("\"" + std::string(text.substr(0, 80)) +
                 "\" is no time: expected seconds since 1970, 2026-11-21 or 2026-11-21T06:59:16Z");
}

Result<std::int64_t> read_age(std::string_view text) {
  constexpr std::pair<char, std::int64_t> kAges[] = {
      {'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86'400}, {'w', 604'800}};
  std::int64_t unit = 1;
  std::string_view digits = text;
  for (const auto& [letter, seconds] : kAges)
    if (text.ends_with(letter)) unit = seconds, digits = text.substr(0, text.size() - 1);
  const auto count = all_of<std::int64_t>(digits);
  if (!count || *count < 0 || *count > 253'402'300'800 / unit)
    return invalid("\"" + std::string(text.substr(0, 40)) +
                   "\" is no age: expected seconds, or 15m, 12h, 30d, 4w");
  return *count * unit * 1'000'000;
}

Status check_feature_join(const ProcessingInputs& inputs) {
  MR_TRY(settings, read_join_settings(inputs.settings));
  MR_DO(inputs.output_for("joined"));
  if (!settings.base.empty()) return {};
  MR_DO(dataset_input(inputs, "feature-join"));
  if (settings.accurate && settings.event_time.empty())
    return Arguments(inputs.settings)
        .wrong("event_time", "is required: the column of the spine with the time of each row");
  return {};
}

Result<Json> run_feature_join(const ProcessingInputs& inputs, TaskContext& context) {
  MR_DO(check_feature_join(inputs));
  MR_TRY(settings, read_join_settings(inputs.settings));
  return FeatureJoin(std::move(settings), inputs, context).run();
}

}  // namespace millrace::tasks
