#include "base/metrics.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/check.h"

namespace millrace::metrics {
namespace {

bool is_name(std::string_view name, bool colon) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  return std::all_of(name.begin(), name.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (colon && c == ':');
  });
}

void add_escaped(std::string& out, std::string_view text, bool quotes) {
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '\\' || (quotes && c == '"')) out += '\\';
    out += c;
  }
}

std::string label_text(const Labels& labels) {
  std::string text;
  for (const auto& [name, value] : labels) {
    MR_CHECK(is_name(name, false) && !name.starts_with("__"), "a label's name is letters, digits and _");
    if (!text.empty()) text += ',';
    text.append(name).append("=\"");
    add_escaped(text, value, true);
    text += '"';
  }
  return text;
}

void add_number(std::string& out, double value) {
  if (std::isnan(value)) {
    out += "NaN";
    return;
  }
  if (std::isinf(value)) {
    out += value > 0 ? "+Inf" : "-Inf";
    return;
  }
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  out.append(digits, end);
}

template <class Write>
void add_line(std::string& out, std::string_view name, std::string_view suffix, std::string_view labels,
              std::string_view more, Write&& write_value) {
  out.append(name).append(suffix);
  if (!labels.empty() || !more.empty()) {
    out.append("{").append(labels);
    if (!labels.empty() && !more.empty()) out += ',';
    out.append(more).append("}");
  }
  out += ' ';
  write_value(out);
  out += '\n';
}

void add_histogram(std::string& out, std::string_view name, std::string_view labels,
                   const Histogram& histogram) {
  std::uint64_t below = 0;
  const auto whole = [&](std::string& text) { text += std::to_string(below); };
  for (std::size_t i = 0; i < histogram.bounds().size(); ++i) {
    below += histogram.in_bucket(i);
    std::string bound = "le=\"";
    add_number(bound, histogram.bounds()[i]);
    bound += '"';
    add_line(out, name, "_bucket", labels, bound, whole);
  }
  below += histogram.in_bucket(histogram.bounds().size());
  add_line(out, name, "_bucket", labels, "le=\"+Inf\"", whole);
  add_line(out, name, "_sum", labels, {}, [&](std::string& text) { add_number(text, histogram.sum()); });
  add_line(out, name, "_count", labels, {}, whole);
}

}  // namespace

Histogram::Histogram(std::span<const double> bounds)
    : bounds_(bounds.begin(), bounds.end()), buckets_(new std::atomic<std::uint64_t>[bounds.size() + 1]) {
  MR_CHECK(std::is_sorted(bounds_.begin(), bounds_.end()), "bounds of buckets ascend");
  for (std::size_t i = 0; i <= bounds_.size(); ++i) buckets_[i].store(0, std::memory_order_relaxed);
}

void Histogram::observe(double value) {
  const auto bucket = std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin();
  buckets_[static_cast<std::size_t>(bucket)].fetch_add(1, std::memory_order_relaxed);
  double sum = sum_.load(std::memory_order_relaxed);
  while (!sum_.compare_exchange_weak(sum, sum + value, std::memory_order_relaxed)) {
  }
}

std::uint64_t Histogram::count() const {
  std::uint64_t all = 0;
  for (std::size_t i = 0; i <= bounds_.size(); ++i) all += in_bucket(i);
  return all;
}

Registry::Series& Registry::series(std::string_view name, Kind kind, std::string_view help,
                                   const Labels& labels) {
  MR_CHECK(is_name(name, true), "a metric's name is letters, digits, _ and :");
  auto family = families_.find(name);
  if (family == families_.end())
    family = families_.emplace(std::string(name), Family{kind, std::string(help), {}}).first;
  MR_CHECK(family->second.kind == kind, "a metric has one kind");
  return family->second.series[label_text(labels)];
}

Counter& Registry::counter(std::string_view name, std::string_view help, const Labels& labels) {
  MR_CHECK(name.ends_with("_total"), "a counter's name ends in _total");
  const std::lock_guard lock(mutex_);
  auto& made = series(name, Kind::Counter, help, labels).counter;
  if (!made) made = std::make_unique<Counter>();
  return *made;
}

Gauge& Registry::gauge(std::string_view name, std::string_view help, const Labels& labels) {
  const std::lock_guard lock(mutex_);
  auto& made = series(name, Kind::Gauge, help, labels).gauge;
  if (!made) made = std::make_unique<Gauge>();
  return *made;
}

Histogram& Registry::histogram(std::string_view name, std::string_view help, std::span<const double> bounds,
                               const Labels& labels) {
  const std::lock_guard lock(mutex_);
  auto& made = series(name, Kind::Histogram, help, labels).histogram;
  if (!made) made = std::make_unique<Histogram>(bounds);
  MR_CHECK(std::equal(bounds.begin(), bounds.end(), made->bounds().begin(), made->bounds().end()),
           "all series of a histogram have the same bounds");
  return *made;
}

void Registry::before_text(std::function<void()> call) {
  const std::lock_guard lock(mutex_);
  before_.push_back(std::move(call));
}

std::string Registry::text() {
  std::vector<std::function<void()>> before;
  {
    const std::lock_guard lock(mutex_);
    before = before_;
  }
  for (const auto& call : before) call();
  static constexpr std::string_view kKinds[] = {"counter", "gauge", "histogram"};
  const std::lock_guard lock(mutex_);
  std::string out;
  for (const auto& [name, family] : families_) {
    out.append("# HELP ").append(name).append(" ");
    add_escaped(out, family.help, false);
    out.append("\n# TYPE ")
        .append(name)
        .append(" ")
        .append(kKinds[static_cast<int>(family.kind)])
        .append("\n");
    for (const auto& [labels, series] : family.series) {
      if (series.histogram) {
        add_histogram(out, name, labels, *series.histogram);
      } else {
        add_line(out, name, {}, labels, {}, [&series = series](std::string& text) {
          if (series.counter) {
            text += std::to_string(series.counter->value());
          } else {
            add_number(text, series.gauge->value());
          }
        });
      }
    }
  }
  return out;
}

}  // namespace millrace::metrics
