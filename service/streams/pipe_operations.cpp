#include <algorithm>
#include <nlohmann/json.hpp>

#include "service/streams/operations.h"
#include "service/streams/plan.h"

namespace millrace::streams {
namespace {

using api::Member;
using api::Shape;
using bus::BusAnswer;
using bus::OperationCall;
using Kind = Shape::Kind;

constexpr std::size_t kPipesMax = 1'000;
constexpr std::string_view kWishes[] = {"RUNNING", "STOPPED"};

bool is_pipe_name(std::string_view name) {
  return bus::good_name(name, 64);
}

constexpr Shape kPipeName{.min = 1, .max = 64, .pattern = R"([\.\-_A-Za-z0-9]+)", .matches = is_pipe_name};
constexpr Shape kPipeArn{.min = 1, .max = 1600}, kPipeText{.max = 512}, kWish{.values = kWishes},
    kPipeParts{.kind = Kind::Structure, .name = "Structure"}, kPipeToken{.min = 1, .max = 2048},
    kPipeLimit{.kind = Kind::Integer, .min = 1, .max = 100}, kEnrichmentArn{.max = 1600};
constexpr Member kCreatePipe[] = {{"Name", &kPipeName, true},
                                  {"Source", &kPipeArn, true},
                                  {"Target", &kPipeArn, true},
                                  {"Enrichment", &kEnrichmentArn},
                                  {"RoleArn", &kPipeArn},
                                  {"Description", &kPipeText},
                                  {"DesiredState", &kWish},
                                  {"SourceParameters", &kPipeParts},
                                  {"EnrichmentParameters", &kPipeParts},
                                  {"TargetParameters", &kPipeParts}};
constexpr Member kUpdatePipe[] = {{"Name", &kPipeName, true},        {"Target", &kPipeArn},
                                  {"Enrichment", &kEnrichmentArn},   {"RoleArn", &kPipeArn},
                                  {"Description", &kPipeText},       {"DesiredState", &kWish},
                                  {"SourceParameters", &kPipeParts}, {"EnrichmentParameters", &kPipeParts},
                                  {"TargetParameters", &kPipeParts}};
constexpr Member kOnePipe[] = {{"Name", &kPipeName, true}};
constexpr Member kListPipes[] = {{"NamePrefix", &kPipeName},  {"NextToken", &kPipeToken},
                                 {"Limit", &kPipeLimit},      {"DesiredState", &kWish},
                                 {"SourcePrefix", &kPipeArn}, {"TargetPrefix", &kPipeArn}};

tl::unexpected<api::ApiError> no_pipe(const std::string& name) {
  return api::refuse("NotFoundException", "Pipe " + name + " does not exist.", 404);
}

std::optional<std::string> refuse_pipe_target(const std::string& arn) {
  if (service_of_arn(arn) == "kinesis") return std::nullopt;
  return bus::refuse_target_arn(arn);
}

Json summary_of(const OperationCall& call, const Json& record, const char* changing = nullptr) {
  const std::string wish = record.value("DesiredState", "RUNNING");
  Json shown = {{"Arn", call.place.arn("pipes", "pipe/" + record.value("Name", ""))},
                {"Name", record.value("Name", "")},
                {"DesiredState", wish},
                {"CurrentState", changing ? std::string(changing) : wish}};
  for (const auto& [from, to] :
       {std::pair("Created", "CreationTime"), std::pair("Modified", "LastModifiedTime")})
    shown[to] = static_cast<double>(record.value(from, std::int64_t{0})) / 1000;
  return shown;
}

BusAnswer keep_pipe(OperationCall& call, Json record, const char* changing) {
  const std::string name = record.value("Name", "");
  if (const auto wrong = refuse_pipe_target(record.value("Target", "")))
    return bus::invalid_request("Target: " + *wrong);
  const auto plan = compile_plan(kind::kPipe, name, record, call.place);
  if (!plan) return bus::invalid_request(plan.error().message);
  if (!plan->enrichment.empty() && service_of_arn(plan->enrichment) != "lambda")
    return bus::invalid_request("Enrichment: " + plan->enrichment + " is neither a function nor " +
                                std::string(kForestArn));
  record["Modified"] = to_millis(call.now);
  call.records.put(kind::kPipe, name, record);
  return summary_of(call, record, changing);
}

void copy_pipe(Json& record, JsonView input) {
  bus::copy_members(record, input,
                    {"Source", "Target", "Enrichment", "RoleArn", "Description", "DesiredState",
                     "SourceParameters", "EnrichmentParameters", "TargetParameters"});
}

BusAnswer create_pipe(OperationCall& call) {
  const std::string name = bus::text(call.input, "Name");
  if (call.records.has(kind::kPipe, name))
    return api::refuse("ConflictException", "Pipe " + name + " already exists.", 409);
  if (call.records.all(kind::kPipe).size() >= kPipesMax)
    return api::refuse("ServiceQuotaExceededException", "there are " + std::to_string(kPipesMax) + " pipes",
                       402);
  Json record = {{"Name", name}, {"Created", to_millis(call.now)}, {"DesiredState", "RUNNING"}};
  copy_pipe(record, call.input);
  return keep_pipe(call, std::move(record), "CREATING");
}

// What it reads stays what it was; the starting position, too.
BusAnswer update_pipe(OperationCall& call) {
  const std::string name = bus::text(call.input, "Name");
  Json record = call.records.find(kind::kPipe, name);
  if (!record.is_object()) return no_pipe(name);
  const Json before =
      record.value("SourceParameters", Json::object()).value("KinesisStreamParameters", Json::object());
  const std::string source = record.value("Source", "");
  copy_pipe(record, call.input);
  record["Source"] = source;
  for (const char* kept : {"StartingPosition", "StartingPositionTimestamp"})
    if (before.contains(kept)) record["SourceParameters"]["KinesisStreamParameters"][kept] = before[kept];
  return keep_pipe(call, std::move(record), "UPDATING");
}

BusAnswer describe_pipe(OperationCall& call) {
  const std::string name = bus::text(call.input, "Name");
  const Json record = call.records.find(kind::kPipe, name);
  if (!record.is_object()) return no_pipe(name);
  Json shown = summary_of(call, record);
  for (const auto& [key, value] : record.items())
    if (key != "Created" && key != "Modified") shown[key] = value;
  return shown;
}

BusAnswer delete_pipe(OperationCall& call) {
  const std::string name = bus::text(call.input, "Name");
  const Json record = call.records.find(kind::kPipe, name);
  if (!record.is_object()) return no_pipe(name);
  call.records.erase(kind::kPipe, name);
  erase_places(call.records, "pipe/" + name);
  return summary_of(call, record, "DELETING");
}

BusAnswer wish_pipe(OperationCall& call, const char* wish, const char* changing) {
  const std::string name = bus::text(call.input, "Name");
  Json record = call.records.find(kind::kPipe, name);
  if (!record.is_object()) return no_pipe(name);
  record["DesiredState"] = wish;
  return keep_pipe(call, std::move(record), changing);
}

BusAnswer start_pipe(OperationCall& call) {
  return wish_pipe(call, "RUNNING", "STARTING");
}
BusAnswer stop_pipe(OperationCall& call) {
  return wish_pipe(call, "STOPPED", "STOPPING");
}

BusAnswer list_pipes(OperationCall& call) {
  const std::string wish = bus::text(call.input, "DesiredState");
  return bus::page_of(call, kind::kPipe, "Pipes", "Limit", bus::text(call.input, "NamePrefix"),
                      [&](const std::string&, const Json& record) -> std::optional<Json> {
                        if (!record.value("Source", "").starts_with(bus::text(call.input, "SourcePrefix")) ||
                            !record.value("Target", "").starts_with(bus::text(call.input, "TargetPrefix")) ||
                            (!wish.empty() && record.value("DesiredState", "") != wish))
                          return std::nullopt;
                        Json shown = summary_of(call, record);
                        for (const char* name : {"Source", "Target", "Enrichment"})
                          if (record.contains(name)) shown[name] = record[name];
                        return shown;
                      });
}

constexpr bus::BusOperation kPipeOperations[] = {
    {"CreatePipe", kCreatePipe, create_pipe},  {"DeletePipe", kOnePipe, delete_pipe},
    {"DescribePipe", kOnePipe, describe_pipe}, {"ListPipes", kListPipes, list_pipes},
    {"StartPipe", kOnePipe, start_pipe},       {"StopPipe", kOnePipe, stop_pipe},
    {"UpdatePipe", kUpdatePipe, update_pipe},
};

}  // namespace

std::span<const bus::BusOperation> pipe_operations() {
  return kPipeOperations;
}

}  // namespace millrace::streams
