#include "service/cli/render_graph.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "base/random.h"
#include "service/cli/graph_layout.h"

using namespace millrace;
using namespace millrace::cli;
using namespace millrace::definitions;

namespace {

Node pass(std::string name, NodeIndex next) {
  Node node;
  node.name = std::move(name);
  node.next = next;
  return node;
}

// Forward and backward ways, catchers, choices, ends, and sometimes a Parallel with a program of its own
// inside.
Program random_program(Random& random, int depth) {
  Program program;
  const std::size_t count = 1 + random.below(9);
  const auto any = [&] { return static_cast<NodeIndex>(random.below(count)); };
  for (std::size_t i = 0; i < count; ++i) {
    Node node =
        pass("state " + std::to_string(depth) + "." + std::to_string(i), random.below(4) == 0 ? kEnd : any());
    if (random.below(4) == 0) node.errors.catchers.push_back({{"States.ALL"}, any(), {}});
    if (random.below(5) == 0) {
      Choice choice;
      for (std::uint64_t k = 1 + random.below(4); k > 0; --k)
        choice.branches.push_back({{}, any(), "$.x = 1"});
      choice.default_next = any();
      node.kind = std::move(choice);
    } else if (depth < 2 && random.below(5) == 0) {
      Parallel parallel;
      for (std::uint64_t k = 1 + random.below(3); k > 0; --k) {
        parallel.branches.push_back(std::make_shared<const Program>(random_program(random, depth + 1)));
      }
      node.kind = std::move(parallel);
    }
    program.nodes.push_back(std::move(node));
  }
  return program;
}

bool overlap(const Box& a, const Box& b) {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

bool inside(const Box& box, Point p) {
  return p.x > box.x + 1 && p.x < box.x + box.width - 1 && p.y > box.y + 1 && p.y < box.y + box.height - 1;
}

void check_layout(const Layout& layout) {
  for (std::size_t i = 0; i < layout.boxes.size(); ++i) {
    const Box& box = layout.boxes[i];
    CHECK(box.x >= 0);
    CHECK(box.y >= 0);
    CHECK(box.x + box.width <= layout.width);
    CHECK(box.y + box.height <= layout.height);
    for (std::size_t k = i + 1; k < layout.boxes.size(); ++k) CHECK_FALSE(overlap(box, layout.boxes[k]));
    for (const Layout& scope : box.scopes) {
      CHECK(scope.x + scope.width <= box.width);
      CHECK(scope.y + scope.height <= box.height);
      check_layout(scope);
    }
  }
  for (const Way& way : layout.ways) {
    REQUIRE(way.points.size() >= 2);
    for (std::size_t k = 0; k + 1 < way.points.size(); ++k) {
      const Point a = way.points[k], b = way.points[k + 1];
      if (a.x != b.x && a.y != b.y) continue;  // curves stay in the gap between two layers
      for (int step = 1; step < 10; ++step) {
        const Point p{a.x + (b.x - a.x) * step / 10, a.y + (b.y - a.y) * step / 10};
        CHECK(std::none_of(layout.boxes.begin(), layout.boxes.end(),
                           [&](const Box& box) { return inside(box, p); }));
        CHECK(p.x <= layout.width);
        CHECK(p.y <= layout.height);
        CHECK(p.y >= 0);
      }
    }
  }
}

std::size_t count_of(std::string_view text, std::string_view part) {
  std::size_t n = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string_view::npos; at += part.size()) ++n;
  return n;
}

}  // namespace

TEST_CASE("Graph pictures: boxes do not overlap, stay inside their frames, and no way runs through one") {
  Random random(7);
  for (int round = 0; round < 200; ++round) {
    CAPTURE(round);
    check_layout(layout_of(random_program(random, 0)));
  }
}

TEST_CASE("Graph pictures: a straight line of states is drawn straight") {
  Program program;
  program.nodes = {pass("A", 1), pass("a much longer name", 2), pass("C", kEnd)};
  const Layout layout = layout_of(program);
  REQUIRE(layout.ways.size() == 4);
  for (const Way& way : layout.ways) {
    CHECK(way.points.front().x == doctest::Approx(way.points.back().x));
    CHECK(way.points.front().y < way.points.back().y);
  }
}

TEST_CASE("Graph pictures: a way back is drawn beside the states") {
  Program program;
  program.nodes = {pass("Wait", 1), pass("Look", 0)};
  program.nodes[1].errors.catchers.push_back({{"E"}, 2, {}});
  program.nodes.push_back(pass("Stop", kEnd));
  const Layout layout = layout_of(program);
  const auto back =
      std::find_if(layout.ways.begin(), layout.ways.end(), [](const Way& way) { return way.back; });
  REQUIRE(back != layout.ways.end());
  for (const Box& box : layout.boxes) CHECK(back->points[2].x > box.x + box.width);
  CHECK(back->points.back().y == doctest::Approx(layout.boxes[0].y));
}

TEST_CASE("Graph pictures: names are escaped, colours and dashes tell types and ways") {
  Program program;
  program.comment = "a & b";
  program.nodes = {pass("<A & \"B\"\x01>", 1), pass("F", kEnd)};
  program.nodes[0].errors.catchers.push_back({{"E"}, 1, {}});
  Fail fail;
  fail.error.value = std::string("Broken");
  program.nodes[1].kind = fail;
  const std::string svg = render_graph(program, GraphFormat::Svg);
  CHECK(svg.find("<title>a &amp; b</title>") != std::string::npos);
  CHECK(svg.find("&lt;A &amp; &quot;B&quot;\xEF\xBF\xBD&gt;") != std::string::npos);
  CHECK(svg.find('\x01') == std::string::npos);
  CHECK(svg.find("Fail · Broken") != std::string::npos);
  CHECK(count_of(svg, "class=\"way catch\"") == 1);
  CHECK(svg == render_graph(program, GraphFormat::Svg));
  CHECK(render_graph(program, GraphFormat::Dot).find("[label=\"<A & \\\"B\\\" >\\nPass\"]") !=
        std::string::npos);
  CHECK(render_graph(program, GraphFormat::Mermaid).find("[\"#lt;A & #quot;B#quot; #gt;<br/>Pass\"]") !=
        std::string::npos);
}

TEST_CASE("Graph pictures: every state of every scope is in all three formats") {
  Program inner;
  inner.nodes = {pass("Inside", kEnd)};
  Program program;
  program.nodes = {pass("Each", kEnd)};
  Map map;
  map.distributed = true;
  map.processor = std::make_shared<const Program>(inner);
  program.nodes[0].kind = std::move(map);
  for (const GraphFormat format : {GraphFormat::Svg, GraphFormat::Dot, GraphFormat::Mermaid}) {
    const std::string text = render_graph(program, format);
    CHECK(text.find("Inside") != std::string::npos);
    CHECK(text.find("Map · distributed") != std::string::npos);
  }
  CHECK(graph_format("svg") == GraphFormat::Svg);
  CHECK(graph_format("dot") == GraphFormat::Dot);
  CHECK(graph_format("mermaid") == GraphFormat::Mermaid);
  CHECK_FALSE(graph_format("png").has_value());
}

TEST_CASE("Graph pictures: two thousand states with a way to one failure are drawn") {
  Program program;
  constexpr NodeIndex kCount = 2000;
  for (NodeIndex i = 0; i < kCount; ++i) {
    program.nodes.push_back(pass("s" + std::to_string(i), i + 1 < kCount ? i + 1 : kEnd));
    program.nodes.back().errors.catchers.push_back({{"States.ALL"}, kCount, {}});
  }
  program.nodes.push_back(pass("Failed", kEnd));
  CHECK(count_of(render_graph(program, GraphFormat::Svg), "class=\"name\"") == kCount + 1);
}
