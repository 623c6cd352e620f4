#pragma once
// A layered layout of a program's states: layers by the longest way from the start, order inside a layer by
// the middle of the neighbours, places by least squares. Ways over several layers run straight between the
// states of the layers they pass; ways back run in lanes on the right. Pure; any thread. Source: Sugiyama,
// Tagawa, Toda (1981); places by pooling adjacent violators.

#include <string>
#include <vector>

#include "definitions/graph.h"
#include "definitions/program.h"

namespace millrace::cli {

struct Point {
  double x = 0, y = 0;
};
// A box of a picture that is not of states.
struct PlainBox {
  std::string title, subtitle, whole;  // `whole`: shown when the pointer rests on it
  std::size_t colour = 0;
};
struct PlainWay {
  std::size_t from = 0, to = 0;  // boxes
  std::string label = {};
};
enum class BoxKind { State, Frame, Start, End };  // Frame: Parallel and Map, with scopes inside
struct Layout;
struct Box {
  BoxKind kind = BoxKind::State;
  const definitions::Node* node = nullptr;     // of State and Frame
  const PlainBox* plain = nullptr;             // instead of a node
  double x = 0, y = 0, width = 0, height = 0;  // upper left corner, in its scope
  std::vector<Layout> scopes;                  // of a Frame
};
struct Way {
  definitions::GraphEdge::Kind kind = definitions::GraphEdge::Kind::Next;
  // Straight where two points share x or y, else a curve that leaves and arrives vertically. The last point
  // is the arrow's head.
  std::vector<Point> points;
  bool back = false;
  std::string label;  // whole; shortened for the picture
  Point label_at;     // its middle
};
struct Layout {
  double x = 0, y = 0;  // in the frame around it
  double width = 0, height = 0;
  std::vector<Box> boxes;
  std::vector<Way> ways;
};

inline constexpr double kHeaderHeight = 40;  // of a frame: name and type
inline constexpr std::size_t kLabelCharacters = 26, kNameCharacters = 30, kTypeCharacters = 40;
double text_width(std::string_view text, double font_size);  // about

// `outermost`: with a start and an end mark.
Layout layout_of(const definitions::Program& program, bool outermost = true);
// Of any graph, in the same layers; `boxes` are borrowed. Ways on a cycle may go back.
Layout layout_of(const std::vector<PlainBox>& boxes, const std::vector<PlainWay>& ways);

}  // namespace millrace::cli
