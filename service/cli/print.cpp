#include "service/cli/print.h"

#include <algorithm>

namespace millrace::cli {
namespace {

constexpr std::size_t kLineMax = 100;

bool on_one_line(JsonView view) {
  if (view.text().size() > kLineMax) return false;
  for (const JsonView element : view.elements()) {
    if ((element.is_array() || element.is_object()) && element.size() > 0) return false;
  }
  return true;
}

void write(JsonView view, std::size_t level, std::string& out) {
  const auto line = [&](std::size_t at) {
    out += '\n';
    out.append(at * 2, ' ');
  };
  if ((!view.is_array() && !view.is_object()) || view.size() == 0) {
    out += view.text();
    return;
  }
  bool first = true;
  if (view.is_array()) {
    const bool flat = on_one_line(view);
    out += '[';
    for (const JsonView element : view.elements()) {
      if (!first) out += flat ? ", " : ",";
      first = false;
      if (!flat) line(level + 1);
      write(element, level + 1, out);
    }
    if (!flat) line(level);
    out += ']';
    return;
  }
  out += '{';
  for (const auto& [key, value] : view.members()) {
    if (!first) out += ',';
    first = false;
    line(level + 1);
    out.append(key.text()).append(": ");
    write(value, level + 1, out);
  }
  line(level);
  out += '}';
}

}  // namespace

std::string pretty(JsonView view) {
  std::string out;
  write(view, 0, out);
  return out;
}

}  // namespace millrace::cli
