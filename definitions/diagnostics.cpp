#include "definitions/diagnostics.h"

#include <algorithm>

#include "base/utf8.h"

namespace millrace::definitions {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// Edit distance with swapped neighbours as one edit (optimal string alignment), letters without regard to
// case. O(|a| |b|) time, three rows of memory.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const bool same = lower(a[i - 1]) == lower(b[j - 1]);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (same ? 0 : 1)});
      if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1])) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    std::swap(before, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

// Columns a terminal gives a character: two for East Asian wide ones and most pictures, none for combining
// marks.
int width_of(char32_t c) {
  const auto in = [c](char32_t from, char32_t to) { return c >= from && c <= to; };
  if (in(0x300, 0x36F) || in(0x200B, 0x200F) || in(0xFE00, 0xFE0F)) return 0;
  const bool wide = in(0x1100, 0x115F) || in(0x2E80, 0x303E) || in(0x3041, 0xA4CF) || in(0xAC00, 0xD7A3) ||
                    in(0xF900, 0xFAFF) || in(0xFE30, 0xFE6F) || in(0xFF00, 0xFF60) || in(0xFFE0, 0xFFE6) ||
                    in(0x1F300, 0x1F64F) || in(0x1F900, 0x1F9FF) || in(0x20000, 0x3FFFD);
  return wide ? 2 : 1;
}

std::string_view line_of(std::string_view text, std::uint32_t line) {
  for (; line > 1; --line) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return {};
    text.remove_prefix(end + 1);
  }
  text = text.substr(0, text.find('\n'));
  if (text.ends_with('\r')) text.remove_suffix(1);
  return text;
}

// The line with a caret under its `column`. Of a long line (a definition on one line) only the part around
// it.
std::string excerpt(std::string_view line, std::uint32_t column) {
  constexpr std::uint32_t kBefore = 60, kAfter = 40;
  const std::uint32_t first = column > kBefore + 10 ? column - kBefore : 1;
  std::string shown = first > 1 ? "… " : "", pad = first > 1 ? "  " : "";
  std::uint32_t at = 1;
  while (!line.empty()) {
    char32_t c = 0;
    std::size_t bytes = decode_utf8(line, c);
    if (bytes == 0) bytes = 1;
    if (at > column + kAfter) {
      shown += " …";
      break;
    }
    if (at >= first) {
      const bool control = c < 0x20 && c != '\t';
      if (control)
        shown += ' ';
      else
        shown += line.substr(0, bytes);
      if (at < column)
        pad += c == '\t' ? "\t" : std::string(static_cast<std::size_t>(control ? 1 : width_of(c)), ' ');
    }
    line.remove_prefix(bytes);
    ++at;
  }
  return "  " + shown + "\n  " + pad + "^\n";
}

}  // namespace

std::string nearest(std::string_view name, const std::vector<std::string_view>& candidates) {
  constexpr std::size_t kLongest = 120;
  if (name.empty() || name.size() > kLongest) return {};
  const std::size_t most = std::max<std::size_t>(1, name.size() / 3);
  std::size_t best = most + 1;
  std::string_view found;
  for (const std::string_view candidate : candidates) {
    const std::size_t gap =
        candidate.size() > name.size() ? candidate.size() - name.size() : name.size() - candidate.size();
    if (gap >= best || candidate.size() > kLongest) continue;
    const std::size_t d = distance(name, candidate);
    if (d < best && d < std::max(name.size(), candidate.size())) {
      best = d;
      found = candidate;
    }
  }
  return std::string(found);
}

std::string list_errors(const std::vector<Diagnostic>& diagnostics) {
  std::string all;
  for (const Diagnostic& d : diagnostics) {
    if (d.severity != Severity::Error) continue;
    if (!all.empty()) all += ", ";
    all += d.code + ": " + d.message;
    if (!d.pointer.empty()) all += " at " + d.pointer;
  }
  return all;
}

std::string render(const Diagnostic& d, std::string_view file, std::string_view definition_text) {
  std::string out(file);
  out += ":" + std::to_string(d.position.line) + ":" + std::to_string(d.position.column);
  out += d.severity == Severity::Error ? ": error: " : ": warning: ";
  out += d.code + ": " + d.message;
  // A place that the message does not name itself; "[Source: …]" is the parser's and stands in its message.
  if (!d.pointer.empty() && d.pointer != "/" && !d.pointer.starts_with('[')) out += " at " + d.pointer;
  out += "\n" + excerpt(line_of(definition_text, d.position.line), d.position.column);
  if (!d.hint.empty()) out += "  hint: " + d.hint + "\n";
  return out;
}

}  // namespace millrace::definitions
