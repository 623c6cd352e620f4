#include "service/cli/render_graph.h"

#include <cstdio>

#include "base/encoding.h"
#include "base/utf8.h"
#include "definitions/graph.h"
#include "service/cli/graph_layout.h"

namespace millrace::cli {
namespace {

using namespace definitions;

// ---- SVG
// ---------------------------------------------------------------------------------------------------------

// Colours by StateType: of the stripe and the type's text. Dark enough on white, light enough on black.
constexpr std::string_view kColours[] = {"#64748b", "#2563eb", "#b45309", "#7c3aed",
                                         "#0e7490", "#0f766e", "#15803d", "#b91c1c"};

constexpr std::string_view kStyle =
    "<style>"
    "text{font-family:system-ui,'Segoe UI',Roboto,'DejaVu Sans',sans-serif}"
    ".page{fill:#fff}.box{fill:#fff;stroke:#cbd5e1}.frame{fill:#f8fafc;stroke:#94a3b8}.scope{fill:#fff;"
    "stroke:#e2e8f0}"
    ".name{fill:#0f172a;font-size:13px;font-weight:600}.type{font-size:10px}.mark{fill:#334155}"
    ".way{fill:none;stroke:#64748b;stroke-width:1.4}.catch{stroke:#b91c1c;stroke-dasharray:5 "
    "3}.default{stroke-dasharray:2 3}"
    ".label{font-size:11px;fill:#334155;text-anchor:middle}"
    "@media(prefers-color-scheme:dark){.page{fill:#0b1120}.box{fill:#111827;stroke:#475569}"
    ".frame{fill:#0f172a;stroke:#64748b}.scope{fill:#0b1120;stroke:#334155}.name{fill:#e2e8f0}.mark{fill:#"
    "cbd5e1}"
    ".way{stroke:#94a3b8}.catch{stroke:#f87171}.label{fill:#cbd5e1}}"
    "</style>"
    "<defs><marker id=\"head\" viewBox=\"0 0 8 8\" refX=\"7.5\" refY=\"4\" markerWidth=\"7\" "
    "markerHeight=\"7\" "
    "orient=\"auto\"><path d=\"M0 0.5 8 4 0 7.5z\" fill=\"#64748b\"/></marker>"
    "<marker id=\"red\" viewBox=\"0 0 8 8\" refX=\"7.5\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" "
    "orient=\"auto\"><path d=\"M0 0.5 8 4 0 7.5z\" fill=\"#b91c1c\"/></marker></defs>\n";

std::string num(double value) {
  char buffer[32];
  const int n = std::snprintf(buffer, sizeof buffer, "%.1f", value);
  return {buffer, static_cast<std::size_t>(n)};
}

void draw_way(std::string& out, const Way& way, double dx, double dy) {
  std::string d = "M" + num(way.points[0].x + dx) + " " + num(way.points[0].y + dy);
  for (std::size_t k = 1; k < way.points.size(); ++k) {
    const Point a = way.points[k - 1], b = way.points[k];
    const bool straight = a.x == b.x || a.y == b.y;
    const double middle = (a.y + b.y) / 2 + dy;
    if (straight)
      d += "L";
    else
      d += "C" + num(a.x + dx) + " " + num(middle) + " " + num(b.x + dx) + " " + num(middle) + " ";
    d += num(b.x + dx) + " " + num(b.y + dy);
  }
  const bool caught = way.kind == GraphEdge::Kind::Catch;
  out += "<path class=\"way" +
         std::string(caught                                 ? " catch"
                     : way.kind == GraphEdge::Kind::Default ? " default"
                                                            : "") +
         "\" d=\"" + d + "\" stroke-linejoin=\"round\" marker-end=\"url(#" + (caught ? "red" : "head") +
         ")\"/>\n";
}

void draw_label(std::string& out, const Way& way, double dx, double dy) {
  if (way.label.empty()) return;
  const std::string shown = shorten(way.label, kLabelCharacters);
  const double width = text_width(shown, 11) + 6;
  out += "<rect class=\"page\" x=\"" + num(way.label_at.x + dx - width / 2) + "\" y=\"" +
         num(way.label_at.y + dy - 7) + "\" width=\"" + num(width) +
         "\" height=\"14\" rx=\"3\"/><text class=\"label\" x=\"" + num(way.label_at.x + dx) + "\" y=\"" +
         num(way.label_at.y + dy + 4) + "\">" + escape_xml(shown) + "<title>" + escape_xml(way.label) +
         "</title></text>\n";
}

void draw_scope(std::string& out, const Layout& layout, double dx, double dy);

void draw_box(std::string& out, const Box& box, double dx, double dy) {
  const double x = box.x + dx, y = box.y + dy;
  if (box.kind == BoxKind::Start || box.kind == BoxKind::End) {
    const std::string cx = num(x + box.width / 2), cy = num(y + box.height / 2);
    const bool end = box.kind == BoxKind::End;
    if (end) out += "<circle class=\"way\" cx=\"" + cx + "\" cy=\"" + cy + "\" r=\"8.5\"/>";
    out += "<circle class=\"mark\" cx=\"" + cx + "\" cy=\"" + cy + "\" r=\"" + (end ? "5" : "8") +
           "\"><title>" + (end ? "End" : "Start") + "</title></circle>\n";
    return;
  }
  const bool state = box.node != nullptr;
  const std::string name = state ? box.node->name : box.plain->title;
  const std::string type = state ? describe(*box.node) : box.plain->subtitle;
  const std::string whole =
      !state ? box.plain->whole : name + (box.node->comment.empty() ? "" : ": " + box.node->comment);
  const std::string colour(kColours[(state ? static_cast<std::size_t>(box.node->type()) : box.plain->colour) %
                                    std::size(kColours)]);
  out += "<g><title>" + escape_xml(whole) + "</title><rect class=\"" +
         (box.kind == BoxKind::Frame ? "frame" : "box") + "\" x=\"" + num(x) + "\" y=\"" + num(y) +
         "\" width=\"" + num(box.width) + "\" height=\"" + num(box.height) + "\" rx=\"8\"/><rect x=\"" +
         num(x) + "\" y=\"" + num(y + 8) + "\" width=\"4\" height=\"" +
         num(box.kind == BoxKind::Frame ? kHeaderHeight - 14 : box.height - 16) + "\" rx=\"2\" fill=\"" +
         colour + "\"/><text class=\"name\" x=\"" + num(x + 14) + "\" y=\"" + num(y + 20) + "\">" +
         escape_xml(shorten(name, kNameCharacters)) + "</text><text class=\"type\" x=\"" + num(x + 14) +
         "\" y=\"" + num(y + 34) + "\" fill=\"" + colour + "\">" +
         escape_xml(shorten(type, kTypeCharacters)) + "</text></g>\n";
  for (const Layout& scope : box.scopes) {
    out += "<rect class=\"scope\" x=\"" + num(x + scope.x) + "\" y=\"" + num(y + scope.y) + "\" width=\"" +
           num(scope.width) + "\" height=\"" + num(scope.height) + "\" rx=\"6\"/>\n";
    draw_scope(out, scope, x + scope.x, y + scope.y);
  }
}

void draw_scope(std::string& out, const Layout& layout, double dx, double dy) {
  for (const Way& way : layout.ways) draw_way(out, way, dx, dy);
  for (const Box& box : layout.boxes) draw_box(out, box, dx, dy);
  for (const Way& way : layout.ways) draw_label(out, way, dx, dy);
}

std::string svg_of(const Layout& layout, const std::string& title) {
  const std::string width = num(layout.width), height = num(layout.height);
  std::string out = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + width + "\" height=\"" + height +
                    "\" viewBox=\"0 0 " + width + " " + height + "\" role=\"img\">\n";
  if (!title.empty()) out += "<title>" + escape_xml(title) + "</title>\n";
  out += kStyle;
  out += "<rect class=\"page\" width=\"" + width + "\" height=\"" + height + "\"/>\n";
  draw_scope(out, layout, 0, 0);
  return out + "</svg>\n";
}

// ---- Graphviz and Mermaid
// ----------------------------------------------------------------------------------------

std::string dot_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out + "\"";
}

// Mermaid ends a text at a quotation mark, reads # as an entity and < as HTML.
std::string mermaid_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"')
      out += "#quot;";
    else if (c == '#')
      out += "#35;";
    else if (c == '<')
      out += "#lt;";
    else if (c == '>')
      out += "#gt;";
    else
      out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out + "\"";
}

// One writer for both: what differs is how a state, a frame and a way are written.
class TextGraph {
 public:
  explicit TextGraph(bool dot) : dot_(dot) {}

  std::string write(const Program& program) {
    if (dot_) {
      out_ =
          "digraph workflow {\n  compound=true;\n  node [shape=box, style=rounded, "
          "fontname=\"sans-serif\"];\n"
          "  start [shape=circle, label=\"\", style=filled, width=0.2];\n"
          "  end [shape=doublecircle, label=\"\", style=filled, width=0.15];\n";
    } else {
      out_ = "flowchart TD\n  start((start))\n  end_((end))\n";
    }
    const int first = scope(program, "  ", true);
    way("start", id(first + static_cast<int>(program.start)), GraphEdge::Kind::Next, "");
    return out_ + ways_ + (dot_ ? "}\n" : "");
  }

 private:
  static std::string id(int number) { return "s" + std::to_string(number); }

  // Writes the states of a scope; the number of its first one.
  int scope(const Program& program, const std::string& indent, bool outermost) {
    const int first = next_;
    next_ += static_cast<int>(program.nodes.size());
    for (std::size_t i = 0; i < program.nodes.size(); ++i)
      state(program.nodes[i], first + static_cast<int>(i), indent);
    for (const GraphEdge& edge : edges_of(program)) {
      if (edge.to == kEnd && !outermost) continue;
      way(id(first + static_cast<int>(edge.from)),
          edge.to == kEnd ? (dot_ ? "end" : "end_") : id(first + static_cast<int>(edge.to)), edge.kind,
          edge.label);
    }
    return first;
  }

  void state(const Node& node, int number, const std::string& indent) {
    if (dot_) {
      std::string label = dot_text(node.name);
      label.insert(label.size() - 1,
                   "\\n" + dot_text(describe(node)).substr(1, dot_text(describe(node)).size() - 2));
      out_ += indent + id(number) + " [label=" + label + "];\n";
    } else {
      const bool choice = node.type() == StateType::Choice;
      out_ += indent + id(number) + (choice ? "{" : "[") +
              mermaid_text(node.name).substr(0, mermaid_text(node.name).size() - 1) + "<br/>" +
              mermaid_text(describe(node)).substr(1) + (choice ? "}" : "]") + "\n";
    }
    if (const auto* parallel = std::get_if<Parallel>(&node.kind)) {
      for (std::size_t k = 0; k < parallel->branches.size(); ++k) {
        frame(parallel->branches[k].get(), number, node.name + ", branch " + std::to_string(k + 1), indent);
      }
    } else if (const auto* map = std::get_if<Map>(&node.kind)) {
      frame(map->processor.get(), number, node.name + ", each item", indent);
    }
  }

  void frame(const Program* program, int owner, const std::string& title, const std::string& indent) {
    if (!program) return;
    const std::string name = "cluster_" + std::to_string(next_);
    out_ += dot_ ? indent + "subgraph " + name + " {\n" + indent + "  label=" + dot_text(title) + ";\n"
                 : indent + "subgraph " + name + "[" + mermaid_text(title) + "]\n";
    const int first = scope(*program, indent + "  ", false);
    out_ += indent + (dot_ ? "}\n" : "end\n");
    way(id(owner), id(first + static_cast<int>(program->start)), GraphEdge::Kind::Default, "");
  }

  void way(const std::string& from, const std::string& to, GraphEdge::Kind kind, const std::string& label) {
    const bool dashed = kind == GraphEdge::Kind::Catch || kind == GraphEdge::Kind::Default;
    if (dot_) {
      ways_ += "  " + from + " -> " + to + " [" + (dashed ? "style=dashed" : "style=solid") +
               (kind == GraphEdge::Kind::Catch ? ", color=red" : "") +
               (label.empty() ? "" : ", label=" + dot_text(label)) + "];\n";
    } else {
      ways_ += "  " + from + (dashed ? " -.->" : " -->") +
               (label.empty() ? " " : "|" + mermaid_text(label) + "| ") + to + "\n";
    }
  }

  bool dot_;
  int next_ = 0;
  std::string out_, ways_;
};

std::string wait_words(const Wait& wait) {
  if (wait.seconds) return std::to_string(*wait.seconds) + " s";
  if (wait.timestamp) return "until " + format_rfc3339(*wait.timestamp);
  if (wait.seconds_path) return wait.seconds_path->source() + " s";
  return wait.timestamp_path ? "until " + wait.timestamp_path->source() : "";
}

}  // namespace

std::string shorten(std::string_view text, std::size_t characters) {
  if (count_code_points(text) <= characters) return std::string(text);
  return std::string(first_code_points(text, characters - 1)) + "…";
}

std::string describe(const Node& node) {
  std::string detail;
  if (const auto* task = std::get_if<Task>(&node.kind)) {
    const Resource& resource = task->resource;
    const bool service = resource.family == TaskFamily::Service;
    const std::string_view kind = resource.family == TaskFamily::Lambda ? "function:" : "activity:";
    detail = service ? resource.resource_type + ":" + resource.resource
                     : resource.arn.substr(resource.arn.find(kind) + kind.size());
  } else if (const auto* wait = std::get_if<Wait>(&node.kind)) {
    detail = wait_words(*wait);
  } else if (const auto* map = std::get_if<Map>(&node.kind)) {
    if (map->distributed) detail = "distributed";
  } else if (const auto* fail = std::get_if<Fail>(&node.kind)) {
    if (const auto* error = std::get_if<std::string>(&fail->error.value)) detail = *error;
  }
  return std::string(name_of(node.type())) + (detail.empty() ? "" : " · " + detail);
}

std::optional<GraphFormat> graph_format(std::string_view name) {
  if (name == "svg") return GraphFormat::Svg;
  if (name == "dot") return GraphFormat::Dot;
  if (name == "mermaid") return GraphFormat::Mermaid;
  return std::nullopt;
}

std::string render_boxes(const std::vector<PlainBox>& boxes, const std::vector<PlainWay>& ways,
                         std::string_view title) {
  return svg_of(layout_of(boxes, ways), std::string(title));
}

std::string render_graph(const Program& program, GraphFormat format) {
  if (format == GraphFormat::Svg) return svg_of(layout_of(program), program.comment);
  return TextGraph(format == GraphFormat::Dot).write(program);
}

}  // namespace millrace::cli
