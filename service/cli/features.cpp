// `millrace features`: feature groups from the command line: what there is, a record, rows of a CSV file as
// records, a join as of the time of each row.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "service/cli/command.h"
#include "service/cli/connect.h"
#include "tasks/table/csv.h"

namespace millrace::cli {
namespace {

constexpr std::size_t kRowsPut = 500;  // in one request
constexpr Millis kJoinLookedAt{250};

Result<Json> ask_service(client::Access& access, const client::AwsService& service,
                         std::string_view operation, const Json& input) {
  MR_TRY(answer, access.call(service, operation, to_payload(input)));
  return to_json(answer.view());
}

std::string shown_text(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return {};
  return found->is_string() ? found->get<std::string>() : found->dump();
}

Result<std::vector<Json>> all_groups(client::Access& access) {
  std::vector<Json> groups;
  Json request = {{"SortBy", "Name"}, {"SortOrder", "Ascending"}, {"MaxResults", 100}};
  for (;;) {
    MR_TRY(page, ask_service(access, client::kSageMaker, "ListFeatureGroups", request));
    for (const Json& summary : page["FeatureGroupSummaries"]) {
      MR_TRY(group, ask_service(access, client::kSageMaker, "DescribeFeatureGroup",
                                {{"FeatureGroupName", summary["FeatureGroupName"]}}));
      groups.push_back(std::move(group));
    }
    if (!page.contains("NextToken")) return groups;
    request["NextToken"] = page["NextToken"];
  }
}

void print_group(const Json& group) {
  const bool online = group.value("OnlineStoreConfig", Json::object()).value("EnableOnlineStore", false);
  const bool offline = group.contains("OfflineStoreConfig");
  std::printf("%s  %s, by %s as of %s\n", shown_text(group, "FeatureGroupName").c_str(),
              online && offline ? "online and offline"
              : online          ? "online"
                                : "offline",
              shown_text(group, "RecordIdentifierFeatureName").c_str(),
              shown_text(group, "EventTimeFeatureName").c_str());
  for (const Json& feature : group["FeatureDefinitions"]) {
    const std::string collection = shown_text(feature, "CollectionType");
    std::printf("  %-32s %s%s%s\n", shown_text(feature, "FeatureName").c_str(),
                shown_text(feature, "FeatureType").c_str(), collection.empty() ? "" : ", ",
                collection.c_str());
  }
}

Result<int> list_features(const Shared& shared) {
  MR_TRY(access, connect_existing(shared));
  MR_TRY(groups, all_groups(*access));
  if (shared.json) {
    print_json(Json{{"FeatureGroups", groups}});
    return kSucceeded;
  }
  for (const Json& group : groups) print_group(group);
  if (groups.empty()) std::fprintf(stderr, "there are no feature groups in %s\n", access->where().c_str());
  return kSucceeded;
}

struct GetOptions {
  std::string group, id;
  std::vector<std::string> features;
};

Result<int> get_features(const GetOptions& options, const Shared& shared) {
  MR_TRY(access, connect_existing(shared));
  Json request = {{"FeatureGroupName", options.group},
                  {"RecordIdentifierValueAsString", options.id},
                  {"ExpirationTimeResponse", "Enabled"}};
  if (!options.features.empty()) request["FeatureNames"] = options.features;
  MR_TRY(answer, ask_service(*access, client::kFeatureStore, "GetRecord", request));
  if (!answer.contains("Record"))
    return fail(ErrorCode::NotFound, options.group + " has no record of \"" + options.id + "\" online",
                "it was never put, was deleted, or has expired");
  if (shared.json) {
    print_json(answer);
    return kSucceeded;
  }
  for (const Json& value : answer["Record"])
    std::printf("%-32s %s\n", shown_text(value, "FeatureName").c_str(),
                value.contains("ValueAsString") ? shown_text(value, "ValueAsString").c_str()
                                                : shown_text(value, "ValueAsStringList").c_str());
  if (answer.contains("ExpiresAt")) std::printf("expires %s\n", shown_text(answer, "ExpiresAt").c_str());
  return kSucceeded;
}

struct PutOptions {
  std::string group, file;
  bool online = false, offline = false;
};

// The cells that a row has, as a Record.
Json record_of(const tasks::Table& table, std::size_t row, const std::vector<bool>& lists) {
  Json record = Json::array();
  for (std::size_t c = 0; c < table.columns.size(); ++c) {
    const tasks::Column& column = table.columns[c];
    if (tasks::is_missing(column, row)) continue;
    Json value = {{"FeatureName", column.name}};
    const Json list = lists[c] ? Json::parse(column.texts[row], nullptr, false) : Json();
    if (list.is_array()) {
      value["ValueAsStringList"] = Json::array();
      for (const Json& one : list)
        value["ValueAsStringList"].push_back(one.is_string() ? one : Json(one.dump()));
    } else {
      value["ValueAsString"] = column.texts[row];
    }
    record.push_back(std::move(value));
  }
  return record;
}

Result<int> put_features(const PutOptions& options, const Shared& shared) {
  MR_TRY(text, read_input(options.file));
  tasks::CsvOptions csv;
  csv.keep_spelling = true;
  MR_TRY(table, tasks::parse_csv(text, options.file, csv));
  MR_TRY(access, connect_existing(shared));
  MR_TRY(group, ask_service(*access, client::kSageMaker, "DescribeFeatureGroup",
                            {{"FeatureGroupName", options.group}}));
  std::vector<bool> lists(table.columns.size());
  for (std::size_t c = 0; c < table.columns.size(); ++c)
    for (const Json& feature : group["FeatureDefinitions"])
      if (feature["FeatureName"] == table.columns[c].name) lists[c] = feature.contains("CollectionType");
  Json request = {{"FeatureGroupName", options.group}};
  if (options.online != options.offline)
    request["TargetStores"] = {options.online ? "OnlineStore" : "OfflineStore"};
  for (std::size_t first = 0; first < table.rows; first += kRowsPut) {
    request["Records"] = Json::array();
    const std::size_t end = std::min(first + kRowsPut, table.rows);
    for (std::size_t row = first; row < end; ++row)
      request["Records"].push_back(record_of(table, row, lists));
    const auto answer = ask_service(*access, client::kFeatureStore, "PutRecords", request);
    if (answer) continue;
    Error error = answer.error();
    if (first > 0)
      error.hint = "the first " + std::to_string(first) + " rows were put; putting them again does no harm";
    else if (error.hint.empty())
      error.hint = "Records[0] is the first row of the file";
    return fail(std::move(error));
  }
  if (shared.json)
    print_json(Json{{"FeatureGroupName", options.group}, {"RecordCount", table.rows}});
  else
    print_line("put " + std::to_string(table.rows) + " records into " + options.group);
  return kSucceeded;
}

struct JoinOptions {
  std::string spine, output, event_time, identifier, max_age, job;
  std::vector<std::string> groups;
  bool latest = false;
};

Result<int> join_features(const JoinOptions& options, const Shared& shared) {
  MR_TRY(access, connect_existing(shared));
  Json settings = {{"groups", Json::array()}};
  for (const std::string& group : options.groups) {
    Json joined = {{"group", group}};
    if (!options.max_age.empty()) joined["max_age"] = options.max_age;
    settings["groups"].push_back(std::move(joined));
  }
  if (!options.event_time.empty()) settings["event_time"] = options.event_time;
  if (!options.identifier.empty()) settings["record_identifier"] = options.identifier;
  if (options.latest) settings["point_in_time_accurate_join"] = false;
  const std::string name =
      options.job.empty() ? "features-join-" + std::to_string(to_millis(access->clock().now())) : options.job;
  const Json request = {
      {"ProcessingJobName", name},
      {"AppSpecification", {{"ImageUri", "feature-join"}}},
      {"Environment", {{"SETTINGS", settings.dump()}}},
      {"ProcessingInputs", {{{"InputName", "spine"}, {"S3Input", {{"S3Uri", options.spine}}}}}},
      {"ProcessingOutputConfig",
       {{"Outputs", {{{"OutputName", "joined"}, {"S3Output", {{"S3Uri", options.output}}}}}}}}};
  MR_DO(ask_service(*access, client::kSageMaker, "CreateProcessingJob", request));
  for (;;) {
    MR_TRY(job,
           ask_service(*access, client::kSageMaker, "DescribeProcessingJob", {{"ProcessingJobName", name}}));
    const std::string status = shown_text(job, "ProcessingJobStatus");
    if (status == "Completed") {
      const Json summary = job.value("Summary", Json::object());
      if (shared.json)
        print_json(summary);
      else
        print_line("joined " + shown_text(summary, "rows") + " rows with " + shown_text(summary, "columns") +
                   " columns at " + options.output);
      return kSucceeded;
    }
    if (status != "InProgress") {
      const std::string reason = shown_text(job, "FailureReason");
      return invalid("job " + name + ": " + (reason.empty() ? status : reason));
    }
    access->pause(kJoinLookedAt);
  }
}

template <class Options, class Run>
void on_call(CLI::App* command, std::shared_ptr<Options> options, const Shared& shared, int& exit_code,
             Run run) {
  command->fallthrough();
  command->callback([options, &shared, &exit_code, run] {
    const auto code = run(*options, shared);
    exit_code = code ? *code : report(code.error(), shared);
  });
}

}  // namespace

void add_features(CLI::App& app, const Shared& shared, int& exit_code) {
  CLI::App* command =
      app.add_subcommand("features", "Feature groups: list, get, put rows, join as of a time");
  command->fallthrough();
  command->require_subcommand(1);
  command->footer(
      "Examples:\n"
      "  millrace features list\n"
      "  millrace features put balances balances.csv\n"
      "  millrace features get balances 17\n"
      "  millrace features join s3://shop/orders.csv s3://shop/joined --event-time when --group balances");
  struct None {};
  on_call(command->add_subcommand("list", "Show the feature groups and their features"),
          std::make_shared<None>(), shared, exit_code,
          [](const None&, const Shared& s) { return list_features(s); });

  CLI::App* get = command->add_subcommand("get", "Show the newest record of an identifier");
  auto got = std::make_shared<GetOptions>();
  get->add_option("GROUP", got->group, "name or ARN")->required();
  get->add_option("ID", got->id, "what identifies the record")->required();
  get->add_option("--feature", got->features, "only these; may be repeated");
  on_call(get, got, shared, exit_code, get_features);

  CLI::App* put = command->add_subcommand("put", "Put the rows of a CSV file as records");
  auto what = std::make_shared<PutOptions>();
  put->add_option("GROUP", what->group, "name or ARN")->required();
  put->add_option("FILE", what->file, "CSV whose columns are features; - is standard input")->required();
  put->add_flag("--online", what->online, "into the online store alone");
  put->add_flag("--offline", what->offline, "into the offline store alone");
  on_call(put, what, shared, exit_code, put_features);

  CLI::App* join =
      command->add_subcommand("join", "Join rows with the features that were known at their time");
  auto joined = std::make_shared<JoinOptions>();
  join->add_option("SPINE", joined->spine, "s3://… of CSV rows with an identifier and a time")->required();
  join->add_option("OUTPUT", joined->output, "s3://… prefix for the result, data.csv")->required();
  join->add_option("--group", joined->groups, "a feature group; may be repeated")->required();
  join->add_option("--event-time", joined->event_time, "the column with the time of a row");
  join->add_option("--id", joined->identifier,
                   "the column with the identifier, when groups call it otherwise");
  join->add_option("--max-age", joined->max_age, "older records don't count: 30d, 12h");
  join->add_flag("--latest", joined->latest, "the newest values of all times instead");
  join->add_option("--job", joined->job, "the name of the processing job");
  on_call(join, joined, shared, exit_code, join_features);
}

}  // namespace millrace::cli
