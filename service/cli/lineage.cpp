// `millrace lineage`: what something came from and what came of it, as a tree, a document or a picture.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "service/cli/command.h"
#include "service/cli/connect.h"
#include "service/cli/render_graph.h"
#include "service/cli/sagemaker.h"

namespace millrace::cli {
namespace {

struct LineageOptions {
  std::string name, svg, direction = "both";
  int depth = 20;
};

constexpr int kPageVertices = 20'000;

struct Found {
  std::map<std::string, Json> vertices;  // by ARN
  std::vector<std::string> order;        // nearest first
  Json edges = Json::array();
};

std::string vertex_text(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Result<Found> query(client::Access& access, const LineageOptions& options, const char* direction) {
  Found found;
  Json input = {{"StartArns", {options.name}},
                {"Direction", direction},
                {"MaxDepth", options.depth},
                {"MaxResults", kPageVertices}};
  for (;;) {
    MR_TRY(page, ask_sagemaker(access, "QueryLineage", input));
    for (const Json& vertex : page["Vertices"]) {
      const std::string arn = vertex_text(vertex, "Arn");
      if (found.vertices.emplace(arn, vertex).second) found.order.push_back(arn);
    }
    for (const Json& edge : page["Edges"]) found.edges.push_back(edge);
    if (!page.contains("NextToken")) return found;
    input["NextToken"] = page["NextToken"];
  }
}

// "Model  s3://…  sha256 12ab34cd", "SageMakerTrainingJob fraud-train  Completed  (execution …)".
std::string vertex_line(const Json& vertex) {
  const std::string type = vertex_text(vertex, "Type"), name = vertex_text(vertex, "Name"),
                    source = vertex_text(vertex, "SourceUri"), hash = vertex_text(vertex, "Sha256"),
                    status = vertex_text(vertex, "Status"), note = vertex_text(vertex, "Note");
  std::string line = type + "  " + (source.starts_with("s3://") || name.empty() ? source : name);
  if (!hash.empty()) line += "  sha256 " + hash.substr(0, 8);
  if (!status.empty()) line += "  " + status;
  if (!note.empty()) line += "  (" + note + ")";
  return line;
}

// The neighbours of each vertex: in the direction of the data, or against it.
using Neighbours = std::map<std::string, std::vector<std::string>>;
Neighbours neighbours_of(const Found& found, bool against) {
  Neighbours out;
  for (const Json& edge : found.edges) {
    const std::string from = vertex_text(edge, "SourceArn"), to = vertex_text(edge, "DestinationArn");
    if (found.vertices.contains(from) && found.vertices.contains(to))
      out[against ? to : from].push_back(against ? from : to);
  }
  return out;
}

// What was shown above is not opened again.
void print_branch(const Found& found, const Neighbours& next, const std::string& arn,
                  const std::string& indent, std::set<std::string>& shown) {
  const auto branches = next.find(arn);
  if (branches == next.end()) return;
  for (std::size_t i = 0; i < branches->second.size(); ++i) {
    const std::string& other = branches->second[i];
    const bool last = i + 1 == branches->second.size(), fresh = shown.insert(other).second;
    const bool opened = !fresh && next.contains(other);
    print_line(indent + (last ? "└─ " : "├─ ") + vertex_line(found.vertices.at(other)) +
               (opened ? "  (see above)" : ""));
    if (fresh) print_branch(found, next, other, indent + (last ? "   " : "│  "), shown);
  }
}

std::vector<std::string> starts_of(const Found& found) {
  std::vector<std::string> starts;
  for (const std::string& arn : found.order)
    if (found.vertices.at(arn).contains("Start")) starts.push_back(arn);
  return starts;
}

std::size_t colour_of(const Json& vertex) {
  const std::string kind = vertex_text(vertex, "LineageType");
  return kind == "TrialComponent" ? 1 : kind == "Action" ? 3 : kind == "Context" ? 4 : 6;
}

// Of a long place its end, which tells more than its beginning.
std::string place_title(std::string_view place) {
  if (place.size() <= kNameCharacters) return std::string(place);
  place.remove_prefix(place.size() - (kNameCharacters - 1));
  while (!place.empty() && (static_cast<unsigned char>(place.front()) & 0xC0) == 0x80) place.remove_prefix(1);
  return "…" + std::string(place);
}

Status write_picture(const Found& found, const LineageOptions& options) {
  std::vector<PlainBox> boxes;
  std::map<std::string, std::size_t> places;
  for (const std::string& arn : found.order) {
    const Json& vertex = found.vertices.at(arn);
    const std::string name = vertex_text(vertex, "Name"), source = vertex_text(vertex, "SourceUri");
    places[arn] = boxes.size();
    boxes.push_back({source.starts_with("s3://") ? place_title(source.substr(5)) : name,
                     vertex_text(vertex, "Type"), vertex_line(vertex) + "\n" + arn, colour_of(vertex)});
  }
  std::vector<PlainWay> ways;
  std::set<std::pair<std::size_t, std::size_t>> known;
  for (const Json& edge : found.edges) {
    const auto from = places.find(vertex_text(edge, "SourceArn")),
               to = places.find(vertex_text(edge, "DestinationArn"));
    if (from == places.end() || to == places.end()) continue;
    if (known.insert({from->second, to->second}).second) ways.push_back({from->second, to->second});
  }
  const std::string picture = render_boxes(boxes, ways, "Lineage of " + options.name);
  if (options.svg == "-") {
    std::fwrite(picture.data(), 1, picture.size(), stdout);
    return {};
  }
  std::ofstream out(options.svg, std::ios::binary);
  if (!(out << picture) || !out.flush())
    return invalid("can't write " + options.svg, "check the path and the disk");
  return {};
}

Status show_lineage(const LineageOptions& options, const Shared& shared) {
  const bool up = options.direction != "down", down = options.direction != "up";
  MR_TRY(access, connect(shared, client::Use::Look));
  if (shared.json || !options.svg.empty()) {
    MR_TRY(found, query(*access, options, up && down ? "Both" : up ? "Ascendants" : "Descendants"));
    if (!options.svg.empty()) return write_picture(found, options);
    Json vertices = Json::array();
    for (const std::string& arn : found.order) vertices.push_back(found.vertices.at(arn));
    print_json(Json{{"Vertices", vertices}, {"Edges", found.edges}});
    return {};
  }
  Found above, below;
  if (up) {
    MR_TRY(found, query(*access, options, "Ascendants"));
    above = std::move(found);
  }
  if (down) {
    MR_TRY(found, query(*access, options, "Descendants"));
    below = std::move(found);
  }
  const Neighbours sources = neighbours_of(above, true), results = neighbours_of(below, false);
  for (const std::string& start : starts_of(up ? above : below)) {
    print_line(vertex_line(up ? above.vertices.at(start) : below.vertices.at(start)));
    std::set<std::string> shown = {start};
    if (up) {
      print_line(sources.contains(start) ? "  came from" : "  came from nothing that is known");
      print_branch(above, sources, start, "  ", shown);
    }
    shown = {start};
    if (down) {
      print_line(results.contains(start) ? "  led to" : "  led to nothing yet");
      print_branch(below, results, start, "  ", shown);
    }
  }
  return {};
}

}  // namespace

void add_lineage(CLI::App& app, const Shared& shared, int& exit_code) {
  CLI::App* command = app.add_subcommand("lineage", "Show what something came from and what came of it");
  command->fallthrough();
  auto options = std::make_shared<LineageOptions>();
  command
      ->add_option("NAME", options->name,
                   "endpoint/NAME, model/NAME, model-package/GROUP/VERSION, training-job/NAME, "
                   "processing-job/NAME, s3://bucket/key, or an ARN")
      ->required();
  command->add_option("--direction", options->direction, "up, down or both")
      ->check(CLI::IsMember({"up", "down", "both"}))
      ->capture_default_str();
  command->add_option("--depth", options->depth, "steps in each direction")
      ->check(CLI::Range(0, 1000))
      ->capture_default_str();
  command->add_option("--svg", options->svg, "write a picture: a file, or '-'");
  command->footer(
      "Examples:\n"
      "  millrace lineage endpoint/fraud-live\n"
      "  millrace lineage s3://fraud/raw/train/data.csv --direction down\n"
      "  millrace lineage model-package/fraud/3 --svg fraud-3.svg");
  command->callback([options, &shared, &exit_code] {
    const Status done = show_lineage(*options, shared);
    exit_code = done ? kSucceeded : report(done.error(), shared);
  });
}

}  // namespace millrace::cli
