// QueryLineage and associations; see lineage_operations.h.

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/encoding.h"
#include "base/time.h"
#include "tasks/arguments.h"
#include "tasks/jobs/entities.h"
#include "tasks/jobs/listing.h"
#include "tasks/lineage/lineage_graph.h"
#include "tasks/lineage/lineage_operations.h"

namespace millrace::tasks {
namespace {

constexpr std::int64_t kDepthUsual = 10, kVerticesUsual = 1000, kVerticesMax = 20'000;  // of one page
constexpr std::size_t kStartsMax = 100;

struct VertexFilter {
  std::vector<std::string> types, lineage_types;
  std::optional<std::int64_t> created_after, created_before, modified_after, modified_before;
  std::map<std::string, std::string> properties;

  static Result<VertexFilter> read(const Arguments& arguments) {
    VertexFilter filter;
    MR_TRY(types, arguments.texts("Types"));
    MR_TRY(lineage_types, arguments.texts("LineageTypes"));
    for (const std::string& type : lineage_types)
      MR_DO(arguments.one_of("LineageTypes", type, "TrialComponent|Artifact|Context|Action"));
    filter.types = std::move(types), filter.lineage_types = std::move(lineage_types);
    MR_TRY(created_after, time_argument(arguments, "CreatedAfter"));
    MR_TRY(created_before, time_argument(arguments, "CreatedBefore"));
    MR_TRY(modified_after, time_argument(arguments, "ModifiedAfter"));
    MR_TRY(modified_before, time_argument(arguments, "ModifiedBefore"));
    filter.created_after = created_after, filter.created_before = created_before;
    filter.modified_after = modified_after, filter.modified_before = modified_before;
    MR_TRY(properties, arguments.text_map("Properties"));
    filter.properties = std::move(properties);
    return filter;
  }

  bool fits(const LineageVertex& v) const {
    const auto among = [](const std::vector<std::string>& list, std::string_view text) {
      return list.empty() || std::find(list.begin(), list.end(), text) != list.end();
    };
    const auto within = [](std::int64_t time, const auto& after, const auto& before) {
      return (!after || time >= *after) && (!before || time <= *before);
    };
    return among(types, v.type) && among(lineage_types, lineage_type_name(v.kind)) &&
           within(v.created_ms, created_after, created_before) &&
           within(v.modified_ms, modified_after, modified_before) &&
           std::all_of(properties.begin(), properties.end(), [&](const auto& wanted) {
             const auto found = v.properties.find(wanted.first);
             return found != v.properties.end() && found->second == wanted.second;
           });
  }
};

Json vertex_document(const LineageVertex& v) {
  Json document = {{"Arn", v.arn}, {"Type", v.type}, {"LineageType", lineage_type_name(v.kind)}};
  document["Name"] = v.name;
  if (!v.source_uri.empty()) document["SourceUri"] = v.source_uri;
  if (!v.sha256.empty()) document["Sha256"] = v.sha256;
  if (!v.status.empty()) document["Status"] = v.status;
  if (!v.note.empty()) document["Note"] = v.note;
  document["CreationTime"] = v.created_ms;
  return document;
}

Result<LineageGraph::Direction> direction_in(const Arguments& arguments) {
  MR_TRY(text, arguments.text_or("Direction", "Both"));
  MR_DO(arguments.one_of("Direction", text, "Both|Ascendants|Descendants"));
  using Direction = LineageGraph::Direction;
  return text == "Both"         ? Direction::Both
         : text == "Ascendants" ? Direction::Ascendants
                                : Direction::Descendants;
}

Result<std::vector<std::size_t>> starts_in(const Arguments& arguments, const LineageGraph& graph) {
  MR_TRY(names, arguments.texts("StartArns"));
  if (names.empty()) return arguments.wrong("StartArns", "needs at least one");
  if (names.size() > kStartsMax) return arguments.wrong("StartArns", "has more than 100");
  std::vector<std::size_t> starts;
  for (const std::string& name : names) {
    const auto found = graph.named(name);
    if (found.empty())
      return fail(ErrorCode::NotFound, "nothing in the lineage of this home is \"" + name + "\"",
                  "an ARN, s3://bucket/key, endpoint/NAME, model/NAME, training-job/NAME, "
                  "model-package/GROUP/VERSION, …");
    starts.insert(starts.end(), found.begin(), found.end());
  }
  return starts;
}

// The page begins behind so many vertices of the same question.
Result<std::size_t> vertices_before(const Arguments& arguments) {
  MR_TRY(token, arguments.text_or("NextToken", ""));
  if (token.empty()) return std::size_t{0};
  const Json read = Json::parse(base64_decode(token).value_or(""), nullptr, false);
  if (!read.is_number_unsigned())
    return arguments.wrong("NextToken", "is not of this list", "give the token of the page before");
  return read.get<std::size_t>();
}

Result<Json> lineage_answer(const TaskCall& call) {
  const Arguments arguments(call.arguments);
  MR_TRY(direction, direction_in(arguments));
  MR_TRY(with_edges, arguments.boolean_or("IncludeEdges", true));
  MR_TRY(depth, arguments.integer_or("MaxDepth", kDepthUsual));
  if (depth < 0 || depth > 1000) return arguments.wrong("MaxDepth", "must be from 0 to 1000");
  MR_TRY(limit, arguments.integer_or("MaxResults", kVerticesUsual));
  if (limit < 1 || limit > kVerticesMax) return arguments.wrong("MaxResults", "must be from 1 to 20000");
  MR_TRY(given, arguments.object_or_empty("Filters"));
  MR_TRY(filter, VertexFilter::read(given));
  MR_TRY(place, vertices_before(arguments));
  MR_TRY(graph, build_lineage(call.context.jobs()));
  MR_TRY(starts, starts_in(arguments, graph));
  std::vector<std::size_t> found = graph.reach(starts, direction, static_cast<int>(depth));
  std::erase_if(found, [&](std::size_t i) { return !filter.fits(graph.vertices()[i]); });
  Json answer = {{"Vertices", Json::array()}, {"Edges", Json::array()}};
  std::set<std::size_t> shown;
  const std::size_t end = std::min(found.size(), place + static_cast<std::size_t>(limit));
  for (std::size_t i = place; i < end; ++i) {
    shown.insert(found[i]);
    answer["Vertices"].push_back(vertex_document(graph.vertices()[found[i]]));
    if (std::find(starts.begin(), starts.end(), found[i]) != starts.end())
      answer["Vertices"].back()["Start"] = true;
  }
  if (end < found.size()) answer["NextToken"] = base64_encode(std::to_string(end));
  // An edge is told with the later of its two ends.
  const std::set<std::size_t> before(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(end));
  for (const LineageEdge& edge : graph.edges()) {
    const bool both = before.contains(edge.from) && before.contains(edge.to);
    if (!with_edges || !both || (!shown.contains(edge.from) && !shown.contains(edge.to))) continue;
    answer["Edges"].push_back({{"SourceArn", graph.vertices()[edge.from].arn},
                               {"DestinationArn", graph.vertices()[edge.to].arn},
                               {"AssociationType", edge.type}});
  }
  return answer;
}

std::string association_name(const std::string& from, const std::string& to) {
  return from + "|" + to;
}

Result<Json> associated(const TaskCall& call) {
  const Arguments arguments(call.arguments);
  MR_TRY(from, arguments.text("SourceArn"));
  MR_TRY(to, arguments.text("DestinationArn"));
  MR_TRY(type, arguments.text_or("AssociationType", "AssociatedWith"));
  MR_DO(
      arguments.one_of("AssociationType", type, "ContributedTo|AssociatedWith|DerivedFrom|Produced|SameAs"));
  if (from == to) return arguments.wrong("DestinationArn", "is the SourceArn, too");
  MR_TRY(graph, build_lineage(call.context.jobs()));
  for (const std::string& arn : {from, to})
    if (!graph.find(arn)) return fail(ErrorCode::NotFound, "there is no lineage entity " + arn);
  const Json record = {{"SourceArn", from},
                       {"DestinationArn", to},
                       {"AssociationType", type},
                       {"CreationTime", to_millis(call.context.clock().now())}};
  const Status made = call.context.jobs().create(kAssociationKind, association_name(from, to), record);
  if (!made && made.error().code != ErrorCode::AlreadyExists) return fail(made.error());
  return Json{{"SourceArn", from}, {"DestinationArn", to}};
}

Result<Json> parted(const TaskCall& call) {
  const Arguments arguments(call.arguments);
  MR_TRY(from, arguments.text("SourceArn"));
  MR_TRY(to, arguments.text("DestinationArn"));
  const Status gone = call.context.jobs().remove(kAssociationKind, association_name(from, to));
  if (!gone && gone.error().code == ErrorCode::NotFound)
    return fail(ErrorCode::NotFound, "there is no association from " + from + " to " + to +
                                         " that somebody made; those that follow from records stay");
  if (!gone) return fail(gone.error());
  return Json{{"SourceArn", from}, {"DestinationArn", to}};
}

Result<Json> listed_associations(const TaskCall& call) {
  const Arguments arguments(call.arguments);
  std::map<std::string, std::string> wanted;
  for (const char* key :
       {"SourceArn", "DestinationArn", "SourceType", "DestinationType", "AssociationType"}) {
    MR_TRY(text, arguments.text_or(key, ""));
    if (!text.empty()) wanted[key] = text;
  }
  MR_TRY(after, time_argument(arguments, "CreatedAfter"));
  MR_TRY(before, time_argument(arguments, "CreatedBefore"));
  MR_TRY(graph, build_lineage(call.context.jobs()));
  std::vector<Jobs::Record> hits;
  std::int64_t number = 0;
  for (const LineageEdge& edge : graph.edges()) {
    const LineageVertex &from = graph.vertices()[edge.from], &to = graph.vertices()[edge.to];
    Json summary = {{"SourceArn", from.arn},      {"DestinationArn", to.arn},       {"SourceType", from.type},
                    {"DestinationType", to.type}, {"AssociationType", edge.type},   {"SourceName", from.name},
                    {"DestinationName", to.name}, {"CreationTime", edge.created_ms}};
    const bool fits =
        std::all_of(wanted.begin(), wanted.end(),
                    [&](const auto& one) { return text_in(summary, one.first) == one.second; }) &&
        (!after || edge.created_ms >= *after) && (!before || edge.created_ms <= *before);
    ++number;
    if (fits) hits.push_back({number, std::move(summary)});
  }
  const std::vector<SortKey> keys = {{"CreationTime", "CreationTime"},
                                     {"SourceArn", "SourceArn"},
                                     {"DestinationArn", "DestinationArn"},
                                     {"SourceType", "SourceType"},
                                     {"DestinationType", "DestinationType"}};
  MR_TRY(page, page_of(std::move(hits), arguments, keys));
  return page_answer("AssociationSummaries", page, [](const Json& summary) { return summary; });
}

Outcome lineage_outcome(const Result<Json>& answer) {
  if (!answer) return entity_failure(kArtifact, answer.error());
  return to_payload(*answer);
}

}  // namespace

Outcome query_lineage(TaskCall& call) {
  return lineage_outcome(lineage_answer(call));
}
Outcome add_association(TaskCall& call) {
  return lineage_outcome(associated(call));
}
Outcome delete_association(TaskCall& call) {
  return lineage_outcome(parted(call));
}
Outcome list_associations(TaskCall& call) {
  return lineage_outcome(listed_associations(call));
}

}  // namespace millrace::tasks
