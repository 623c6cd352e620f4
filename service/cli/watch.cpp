#include "service/cli/watch.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "base/utf8.h"
#include "service/cli/render_graph.h"

namespace millrace::cli {
namespace {

constexpr Millis kDrawEvery{80};
constexpr Millis kSayEvery{2000};
constexpr std::size_t kRowsMax = 60;  // on a tall screen
constexpr std::size_t kNameColumns = 34;

std::string trimmed_number(double value, int digits) {
  char buffer[40];
  std::snprintf(buffer, sizeof buffer, "%.*f", digits, value);
  return buffer;
}

std::string bar(double fraction) {
  static constexpr int kWidth = 16;
  const int full = std::clamp(static_cast<int>(fraction * kWidth + 0.5), 0, kWidth);
  std::string out;
  for (int i = 0; i < kWidth; ++i) out += i < full ? "█" : "░";
  return out;
}

}  // namespace

std::string describe_progress(const Payload& progress) {
  const JsonView p = progress.view();
  std::string out;
  const auto add = [&](const std::string& part) {
    if (!out.empty()) out += " · ";
    out += part;
  };
  const auto number = [&](std::string_view name) {
    return p.find(name) && p.find(name).is_number() ? std::optional(p.find(name).number()) : std::nullopt;
  };
  if (const JsonView phase = p.find("phase"); phase && phase.is_string() && !phase.equals(""))
    out = phase.string();
  if (const auto fraction = number("fraction"))
    out += (out.empty() ? "" : " ") + trimmed_number(*fraction * 100, 0) + " %";
  const auto round = number("round"), rounds = number("rounds");
  if (round) add("round " + trimmed_number(*round, 0) + (rounds ? "/" + trimmed_number(*rounds, 0) : ""));
  if (const auto rows = number("rows")) add(trimmed_number(*rows, 0) + " rows");
  if (const auto rate = number("rowsPerSecond")) add(trimmed_number(*rate, 0) + " rows/s");
  if (const JsonView metric = p.find("metric"); metric && metric.is_string() && !metric.equals("")) {
    if (const auto value = number("value")) add(metric.string() + " " + trimmed_number(*value, 4));
  }
  if (const auto eta = number("etaSeconds")) add(trimmed_number(*eta, *eta < 10 ? 1 : 0) + " s left");
  return out;
}

namespace {

struct Mark {
  const char* sign;
  const char* colour;
};
Mark mark_of(StateRow::Status status) {
  switch (status) {
    case StateRow::Status::Succeeded:
      return {"✓", "32"};
    case StateRow::Status::Failed:
      return {"✗", "31"};
    case StateRow::Status::Aborted:
      return {"⊘", "31"};
    case StateRow::Status::Caught:
      return {"↷", "33"};
    case StateRow::Status::Waiting:
      return {"…", "33"};
    case StateRow::Status::Running:
      return {"●", "36"};
  }
  return {" ", "0"};
}

std::string coloured(std::string_view text, const char* colour, bool colours) {
  if (!colours || text.empty()) return std::string(text);
  return std::string("\x1b[") + colour + "m" + std::string(text) + "\x1b[0m";
}

// Causes of several lines on one, tabs and control characters as blanks.
std::string on_one_line(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  }
  return text;
}

std::string padded(std::string text, std::size_t columns) {
  const std::size_t width = count_code_points(text);
  return width < columns ? text + std::string(columns - width, ' ') : text;
}

}  // namespace

std::string tree_line(const StateRow& row, Instant now, std::size_t columns, bool colours) {
  const std::size_t indent = row.depth * 2;
  const std::size_t width = kNameColumns > indent + 8 ? kNameColumns - indent : 8;
  std::string name = on_one_line(row.name);
  if (row.visits > 1) name += " ×" + std::to_string(row.visits);
  name = padded(shorten(name, columns > indent + 2 ? columns - indent - 2 : 1), width);
  std::string time = format_duration((row.over() ? row.left : now) - row.entered);
  time.insert(0, time.size() < 10 ? 10 - time.size() : 0, ' ');
  const std::size_t used = indent + 2 + count_code_points(name) + time.size();
  const Mark mark = mark_of(row.status);
  std::string line = std::string(indent, ' ') + coloured(mark.sign, mark.colour, colours) + " " + name;
  if (used <= columns) line += time;
  const std::string note = on_one_line(row.note.empty() && !row.over() ? row.kind : row.note);
  if (!note.empty() && used + 6 < columns)
    line += "  " + coloured(shorten(note, columns - used - 2), "2", colours);
  return line;
}

Display::Style Display::style(bool asked, bool quiet) {
  if (quiet) return Style::None;
  if (isatty(STDERR_FILENO)) return Style::Tree;
  return asked ? Style::Lines : Style::None;
}

void Watch::on_events(ExecutionId id, const states::Execution&, std::span<const states::Event> events) {
  // A start is seen here before its caller knows the id.
  const bool begins = !events.empty() && events.front().type == states::EventType::ExecutionStarted;
  if (id_.value == 0 && begins) id_ = id;
  if (id != id_ || (!seen_ && !begins)) return;
  seen_ = true;
  for (const states::Event& event : events) {
    const StateRow* row = tree_.apply(event);
    if (!row) continue;
    if (std::holds_alternative<states::detail::RetryScheduled>(event.details))
      display_.retried(*row);
    else if (states::name_of(event.type).ends_with("StateEntered") || row->over() ||
             row->status == StateRow::Status::Waiting)
      display_.changed(*row);
  }
  display_.draw(tree_, false);
}

void Watch::on_progress(ExecutionId id, FrameId frame, const std::string&, const Payload& progress) {
  if (display_.style() == Style::None || id != id_) return;
  StateRow* row = tree_.current(frame);
  const std::string text = describe_progress(progress);
  if (!row || row->over() || text.empty()) return;
  row->note = text;
  if (display_.style() == Style::Lines) {
    const Instant now = clock_.now();
    const auto [said, first] = said_.try_emplace(frame, now);
    if (!first && now - said->second < kSayEvery) return;
    said->second = now;
    return display_.progressed(*row);
  }
  const JsonView fraction = progress.view().find("fraction");
  if (fraction && fraction.is_number() && fraction.number() >= 0)
    row->note = bar(fraction.number()) + " " + text;
  display_.draw(tree_, false);
}

void Display::changed(const StateRow& row) {
  say(row, row.status == StateRow::Status::Running ? "▶" : mark_of(row.status).sign);
}
void Display::retried(const StateRow& row) {
  say(row, "↻");
}
void Display::progressed(const StateRow& row) {
  say(row, "·");
}

void Display::say(const StateRow& row, std::string_view what) {
  if (style_ != Style::Lines) return;
  std::string line = format_rfc3339(clock_.now()).substr(11, 8) + " " + std::string(row.depth * 2, ' ') +
                     std::string(what) + " " + on_one_line(row.name);
  if (row.over()) line += "  " + format_duration(row.left - row.entered);
  const std::string& note = row.note.empty() && !row.over() ? row.kind : row.note;
  if (!note.empty()) line += "  " + on_one_line(note);
  std::fprintf(stderr, "%s\n", shorten(line, 400).c_str());
}

void Display::draw(const StateRows& tree, bool last) {
  if (style_ != Style::Tree) return;
  const Instant now = clock_.now();
  if (!last && drawn_at_ != Instant::min() && now - drawn_at_ < kDrawEvery) return;
  drawn_at_ = now;
  winsize size{};
  const bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 4;
  const std::size_t columns = known ? size.ws_col : 100;
  const std::size_t height =
      std::min(kRowsMax, known ? static_cast<std::size_t>(size.ws_row) - 2 : std::size_t{22});
  const bool colours = std::getenv("NO_COLOR") == nullptr;
  const auto rows = tree.shown(last ? 0 : height);
  std::string out;
  if (drawn_ > 0) out += "\x1b[" + std::to_string(drawn_) + "A";
  drawn_ = 0;
  const auto put = [&](const std::string& line) {
    out += "\r\x1b[2K" + line + "\n";
    ++drawn_;
  };
  for (const StateRow* row : rows) put(tree_line(*row, now, columns - 1, colours));
  if (!last && !tree.over()) {
    for (const std::string& name : tree.not_entered()) {
      if (static_cast<std::size_t>(drawn_) >= height) break;
      put(coloured("○ " + shorten(on_one_line(name), columns - 3), "2", colours));
    }
  }
  out += "\x1b[J";
  std::fwrite(out.data(), 1, out.size(), stderr);
  std::fflush(stderr);
}

void Watch::tick() {
  if (seen_) display_.draw(tree_, false);
}

void Watch::finish() {
  if (seen_) display_.draw(tree_, true);
}

}  // namespace millrace::cli
