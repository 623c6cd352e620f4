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
constexpr std::size_t kRowsMax = 60;

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

Watch::Row* Watch::row_of(FrameId frame) {
  const auto it = current_.find(frame);
  return it == current_.end() ? nullptr : &rows_[it->second];
}

int Watch::depth_of(FrameId frame) const {
  int depth = 0;
  for (auto it = shadow_.frames.find(frame); it != shadow_.frames.end() && it->second.parent.value != 0;
       it = shadow_.frames.find(it->second.parent)) {
    ++depth;
  }
  return depth;
}

void Watch::on_events(ExecutionId id, const states::Execution&, std::span<const states::Event> events) {
  if (style_ == Style::None) return;
  // A start is seen here before its caller knows the id.
  const bool begins = !events.empty() && events.front().type == states::EventType::ExecutionStarted;
  if (id_.value == 0 && begins) id_ = id;
  if (id != id_) return;
  for (const states::Event& event : events) {
    states::evolve(shadow_, *program_, event);
    apply(event);
  }
  if (style_ == Style::Tree) draw(false);
}

void Watch::apply(const states::Event& event) {
  using states::EventType;
  const std::string_view type = states::name_of(event.type);
  if (type.ends_with("StateEntered")) {
    Row row;
    row.frame = event.frame;
    row.name = std::get<states::detail::StateEntered>(event.details).name;
    row.type = std::string(type.substr(0, type.size() - std::string_view("StateEntered").size()));
    row.depth = depth_of(event.frame);
    row.entered = event.time;
    const auto frame = shadow_.frames.find(event.frame);
    if (frame != shadow_.frames.end()) {
      row.note = frame->second.program->node(event.node).type() == definitions::StateType::Task
                     ? cli::describe(frame->second.program->node(event.node))
                     : row.type;
      const auto parent = shadow_.frames.find(frame->second.parent);
      if (parent != shadow_.frames.end() &&
          std::holds_alternative<states::waiting::ForItems>(parent->second.waiting)) {
        row.name = "[" + std::to_string(frame->second.index) + "] " + row.name;
      }
    }
    current_[event.frame] = rows_.size();
    rows_.push_back(std::move(row));
    say(rows_.back(), "▶");
    return;
  }
  Row* row = row_of(event.frame);
  if (!row) return;
  if (type.ends_with("StateExited")) {
    row->left = event.time;
    if (row->state != Row::State::Failed)
      row->state = Row::State::Succeeded;
    else
      row->state = Row::State::Caught;
    say(*row, row->state == Row::State::Caught ? "↷" : "✓");
  } else if (const auto* failed = std::get_if<states::detail::TaskFailed>(&event.details)) {
    row->state = Row::State::Failed;
    row->left = event.time;
    row->note = failed->failure.error + (failed->failure.cause.empty() ? "" : ": " + failed->failure.cause);
    say(*row, "✗");
  } else if (type.ends_with("StateFailed")) {
    row->state = Row::State::Failed;
    row->left = event.time;
  } else if (type.ends_with("Aborted")) {
    row->state = Row::State::Failed;
    row->left = event.time;
    row->note = "aborted";
  } else if (const auto* retry = std::get_if<states::detail::RetryScheduled>(&event.details)) {
    row->state = Row::State::Waiting;
    row->note += " · tries again in " + format_duration(retry->due - event.time);
    say(*row, "↻");
  } else if (const auto* wait = std::get_if<states::detail::WaitScheduled>(&event.details)) {
    row->state = Row::State::Waiting;
    row->note = "until " + format_rfc3339(wait->due);
    say(*row, "…");
  } else if (type.ends_with("Scheduled")) {
    row->state = Row::State::Running;
  }
}

void Watch::on_progress(ExecutionId id, FrameId frame, const std::string& state_name,
                        const Payload& progress) {
  if (style_ == Style::None || id != id_) return;
  Row* row = row_of(frame);
  if (!row) return;
  const JsonView fraction = progress.view().find("fraction");
  const std::string text = describe_progress(progress);
  if (text.empty()) return;
  row->note = text;
  const Instant now = clock_.now();
  if (style_ == Style::Lines) {
    Instant& said = said_.try_emplace(state_name, Instant::min()).first->second;
    if (said != Instant::min() && now - said < kSayEvery) return;
    said = now;
    say(*row, "·");
  } else {
    if (fraction && fraction.is_number() && fraction.number() >= 0)
      row->note = bar(fraction.number()) + " " + text;
    draw(false);
  }
}

void Watch::say(const Row& row, std::string_view what) {
  if (style_ != Style::Lines) return;
  const std::string time = format_rfc3339(clock_.now()).substr(11, 8);
  std::string line = time + " " + std::string(static_cast<std::size_t>(row.depth) * 2, ' ') +
                     std::string(what) + " " + row.name;
  const bool over = what == "✓" || what == "✗" || what == "↷";
  if (over) line += "  " + format_duration(row.left - row.entered);
  if (what != "✓" && !row.note.empty()) line += "  " + row.note;
  std::fprintf(stderr, "%s\n", shorten(line, 400).c_str());
}

std::string Watch::line_of(const Row& row, std::size_t columns) const {
  const char* mark = row.state == Row::State::Succeeded ? "\x1b[32m✓\x1b[0m"
                     : row.state == Row::State::Failed  ? "\x1b[31m✗\x1b[0m"
                     : row.state == Row::State::Caught  ? "\x1b[33m↷\x1b[0m"
                     : row.state == Row::State::Waiting ? "\x1b[33m…\x1b[0m"
                                                        : "\x1b[36m●\x1b[0m";
  const bool over = row.state == Row::State::Succeeded || row.state == Row::State::Failed ||
                    row.state == Row::State::Caught;
  const Millis took = (over ? row.left : clock_.now()) - row.entered;
  const std::size_t indent = static_cast<std::size_t>(row.depth) * 2;
  std::string name = row.name;
  const std::size_t width = 34 > indent ? 34 - indent : 8;
  while (count_code_points(name) < width) name += ' ';
  std::string time = format_duration(took);
  while (time.size() < 10) time.insert(0, 1, ' ');
  const std::size_t left =
      columns > 2 + indent + std::max<std::size_t>(width, count_code_points(name)) + 14
          ? columns - (2 + indent + std::max<std::size_t>(width, count_code_points(name)) + 14)
          : 0;
  const std::string note = row.state == Row::State::Succeeded ? "" : shorten(row.note, left);
  return std::string(indent, ' ') + mark + " " + name + time + "  \x1b[2m" + note + "\x1b[0m";
}

void Watch::draw(bool last) {
  const Instant now = clock_.now();
  if (!last && drawn_at_ != Instant::min() && now - drawn_at_ < kDrawEvery) return;
  drawn_at_ = now;
  winsize size{};
  const bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  const std::size_t columns = known ? size.ws_col : 100;
  const std::size_t height = std::min(
      kRowsMax, known && size.ws_row > 4 ? static_cast<std::size_t>(size.ws_row) - 2 : std::size_t{22});
  std::string out;
  if (drawn_ > 0) out += "\x1b[" + std::to_string(drawn_) + "A";
  const std::size_t first = !last && rows_.size() > height ? rows_.size() - height : 0;
  int lines = 0;
  if (first > 0) {
    out += "\r\x1b[2K  … " + std::to_string(first) + " states before\n";
    ++lines;
  }
  for (std::size_t i = first; i < rows_.size(); ++i, ++lines)
    out += "\r\x1b[2K" + line_of(rows_[i], columns) + "\n";
  out += "\x1b[J";
  drawn_ = lines;
  std::fwrite(out.data(), 1, out.size(), stderr);
  std::fflush(stderr);
}

void Watch::tick() {
  if (style_ == Style::Tree && !rows_.empty()) draw(false);
}

void Watch::finish() {
  if (style_ == Style::Tree && !rows_.empty()) draw(true);
}

}  // namespace millrace::cli
