#pragma once
// Pictures of a definition: SVG with a layout of our own (layered, states of Parallel and Map inside their
// frames), or text for Graphviz and Mermaid. Pure; any thread.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "definitions/program.h"
#include "service/cli/graph_layout.h"

namespace millrace::cli {

enum class GraphFormat { Svg, Dot, Mermaid };
// "svg", "dot", "mermaid".
std::optional<GraphFormat> graph_format(std::string_view name);

// The picture as a text; the same program gives the same bytes.
std::string render_graph(const definitions::Program& program, GraphFormat format);

// A picture (SVG) of any graph, in the same style.
std::string render_boxes(const std::vector<PlainBox>& boxes, const std::vector<PlainWay>& ways,
                         std::string_view title);

// What stands under a state's name: "Task · sagemaker:createTrainingJob.sync", "Wait · 60 s".
std::string describe(const definitions::Node& node);
// At most `characters` of a text, the last one "…" if it was longer.
std::string shorten(std::string_view text, std::size_t characters);

}  // namespace millrace::cli
