#include "triggers/time_zone.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <fstream>
#include <iterator>

namespace millrace::triggers {
namespace {

constexpr std::size_t kZoneBytesMax = 1 << 20;
constexpr std::int64_t kOffsetMax = 26 * 3600;  // RFC 8536: offsets lie within -25 and +26 hours

// Big-endian numbers of a file, within its bounds.
class ZoneBytes {
 public:
  explicit ZoneBytes(std::string_view bytes) : rest_(bytes) {}
  bool has(std::uint64_t count) const { return rest_.size() >= count; }
  std::string_view take(std::size_t count) {
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(std::min(count, rest_.size()));
    return taken;
  }
  std::int64_t number(std::size_t width) {
    std::uint64_t value = 0;
    const std::string_view bytes = take(width);
    for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
    if (width == 4) return static_cast<std::int32_t>(static_cast<std::uint32_t>(value));
    return static_cast<std::int64_t>(value);
  }
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

struct ZoneHeader {
  std::int64_t isut = 0, isstd = 0, leaps = 0, times = 0, types = 0, characters = 0;
  bool later = false;  // version 2 or more
  std::uint64_t size(std::uint64_t time_width) const {
    return static_cast<std::uint64_t>(times) * (time_width + 1) + static_cast<std::uint64_t>(types) * 6 +
           static_cast<std::uint64_t>(characters) + static_cast<std::uint64_t>(leaps) * (time_width + 4) +
           static_cast<std::uint64_t>(isstd) + static_cast<std::uint64_t>(isut);
  }
};

std::optional<ZoneHeader> zone_header(ZoneBytes& bytes) {
  if (!bytes.has(44) || bytes.take(4) != "TZif") return std::nullopt;
  ZoneHeader header;
  header.later = bytes.take(1)[0] >= '2';
  bytes.take(15);
  for (std::int64_t* count :
       {&header.isut, &header.isstd, &header.leaps, &header.times, &header.types, &header.characters}) {
    *count = bytes.number(4);
    if (*count < 0 || *count > 100'000) return std::nullopt;
  }
  return header;
}

bool good_zone_name(std::string_view name) {
  if (name.empty() || name.size() > 64 || name.front() == '/' || name.find("..") != std::string_view::npos)
    return false;
  return std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '_' || c == '-' || c == '+' || c == '/';
  });
}

}  // namespace

// "CET-1CEST,M3.5.0,M10.5.0/3"
struct TimeZone::RuleReader {
  std::string_view rest;

  bool next(char c) {
    if (rest.empty() || rest.front() != c) return false;
    rest.remove_prefix(1);
    return true;
  }
  std::optional<int> whole() {
    int value = 0;
    std::size_t digits = 0;
    for (; digits < rest.size() && digits < 4 && std::isdigit(static_cast<unsigned char>(rest[digits]));
         ++digits)
      value = value * 10 + (rest[digits] - '0');
    if (digits == 0) return std::nullopt;
    rest.remove_prefix(digits);
    return value;
  }
  std::optional<std::string> abbreviation() {
    const bool quoted = next('<');
    std::size_t size = 0;
    while (size < rest.size() &&
           (quoted ? rest[size] != '>' : std::isalpha(static_cast<unsigned char>(rest[size])) != 0))
      ++size;
    std::string name(rest.substr(0, size));
    rest.remove_prefix(size);
    if (name.empty() || (quoted && !next('>'))) return std::nullopt;
    return name;
  }
  // [+-]hh[:mm[:ss]]
  std::optional<std::int64_t> seconds() {
    const bool minus = next('-');
    if (!minus) next('+');
    std::int64_t total = 0;
    std::int64_t unit = 3600;
    do {
      const auto part = whole();
      if (!part) return std::nullopt;
      total += *part * unit;
      unit /= 60;
    } while (unit > 0 && next(':'));
    return minus ? -total : total;
  }
  std::optional<YearDay> day() {
    YearDay made;
    if (next('M')) {
      const auto month = whole();
      if (!month || !next('.')) return std::nullopt;
      const auto week = whole();
      if (!week || !next('.')) return std::nullopt;
      const auto weekday = whole();
      if (!weekday || *month < 1 || *month > 12 || *week < 1 || *week > 5 || *weekday > 6)
        return std::nullopt;
      made.month = *month;
      made.week = *week;
      made.weekday = *weekday;
    } else {
      made.form = next('J') ? YearDay::Form::Julian : YearDay::Form::Zero;
      const auto number = whole();
      if (!number || *number > 366) return std::nullopt;
      made.day = *number;
    }
    if (next('/')) {
      const auto time = seconds();
      if (!time) return std::nullopt;
      made.seconds = *time;
    }
    return made;
  }
  std::optional<Rule> read() {
    Rule rule;
    const auto standard = abbreviation();
    if (!standard) return std::nullopt;
    const auto offset = seconds();
    if (!offset) return std::nullopt;
    rule.standard = {-*offset, *standard};
    if (rest.empty()) return rule;
    const auto summer = abbreviation();
    if (!summer) return std::nullopt;
    rule.summer = {rule.standard.offset + 3600, *summer};
    if (!rest.empty() && rest.front() != ',') {
      const auto other = seconds();
      if (!other) return std::nullopt;
      rule.summer.offset = -*other;
    }
    if (!next(',')) return std::nullopt;
    const auto begin = day();
    if (!begin || !next(',')) return std::nullopt;
    const auto end = day();
    if (!end || !rest.empty()) return std::nullopt;
    rule.begin = *begin;
    rule.end = *end;
    rule.changes = true;
    return rule;
  }
};

Result<TimeZone> TimeZone::load(std::string_view name, const std::string& folder) {
  if (name == "UTC") return TimeZone();
  const auto unknown = [&] {
    return fail(ErrorCode::NotFound, "there is no time zone '" + std::string(name) + "'",
                "an IANA name, e.g. Europe/Berlin; Debian's package tzdata has them");
  };
  if (!good_zone_name(name)) return unknown();
  std::ifstream in(folder + "/" + std::string(name), std::ios::binary);
  if (!in) return unknown();
  std::string bytes;
  char buffer[4096];
  while (in.read(buffer, sizeof buffer) || in.gcount() > 0) {
    bytes.append(buffer, static_cast<std::size_t>(in.gcount()));
    if (bytes.size() > kZoneBytesMax) return unknown();
  }
  auto zone = parse(bytes, std::string(name));
  if (!zone) return unknown();
  return zone;
}

Result<TimeZone> TimeZone::parse(std::string_view tzif, std::string name) {
  const auto broken = [&name] {
    return fail(ErrorCode::DataLoss, "the time zone file of " + name + " can't be read");
  };
  ZoneBytes bytes(tzif);
  auto header = zone_header(bytes);
  if (!header) return broken();
  std::size_t width = 4;
  if (header->later) {  // the same again with wider numbers
    if (!bytes.has(header->size(4))) return broken();
    bytes.take(static_cast<std::size_t>(header->size(4)));
    header = zone_header(bytes);
    if (!header) return broken();
    width = 8;
  }
  if (header->types < 1 || !bytes.has(header->size(width))) return broken();
  TimeZone zone;
  zone.name_ = std::move(name);
  zone.changes_.resize(static_cast<std::size_t>(header->times));
  for (Change& change : zone.changes_) change.at = bytes.number(width);
  for (Change& change : zone.changes_)
    change.kind = static_cast<std::size_t>(static_cast<unsigned char>(bytes.take(1)[0]));
  zone.kinds_.assign(static_cast<std::size_t>(header->types), {});
  std::vector<std::size_t> names;
  for (Kind& kind : zone.kinds_) {
    kind.offset = bytes.number(4);
    bytes.take(1);
    names.push_back(static_cast<unsigned char>(bytes.take(1)[0]));
  }
  const std::string_view characters = bytes.take(static_cast<std::size_t>(header->characters));
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] >= characters.size() || std::abs(zone.kinds_[i].offset) > kOffsetMax) return broken();
    const std::string_view from = characters.substr(names[i]);
    zone.kinds_[i].abbreviation = from.substr(0, from.find('\0'));
  }
  for (std::size_t i = 0; i < zone.changes_.size(); ++i) {
    if (zone.changes_[i].kind >= zone.kinds_.size()) return broken();
    if (i > 0 && zone.changes_[i].at <= zone.changes_[i - 1].at) return broken();
  }
  bytes.take(static_cast<std::size_t>(header->leaps) * (width + 4) +
             static_cast<std::size_t>(header->isstd + header->isut));
  std::string_view footer = bytes.rest();
  if (width == 8 && footer.size() > 2 && footer.front() == '\n') {
    footer.remove_prefix(1);
    footer = footer.substr(0, footer.find('\n'));
    zone.rule_ = RuleReader{footer}.read();
    if (!zone.rule_ || std::abs(zone.rule_->standard.offset) > kOffsetMax ||
        std::abs(zone.rule_->summer.offset) > kOffsetMax)
      return broken();
  }
  return zone;
}

// Seconds since 1970 of the wall's midnight of that day, plus its time.
std::int64_t TimeZone::day_in(const YearDay& day, int y) {
  using namespace std::chrono;
  const year in{y};
  sys_days date;
  if (day.form == YearDay::Form::Weekday) {
    const month m{static_cast<unsigned>(day.month)};
    const weekday w{static_cast<unsigned>(day.weekday)};
    date = day.week == 5 ? sys_days(in / m / w[last]) : sys_days(in / m / w[static_cast<unsigned>(day.week)]);
  } else {
    // J60 is the first of March in every year: the 29th of February is not counted.
    const bool julian = day.form == YearDay::Form::Julian;
    const int skipped = julian && in.is_leap() && day.day >= 60 ? 1 : 0;
    date = sys_days(in / January / 1) + days(day.day - (julian ? 1 : 0) + skipped);
  }
  return static_cast<std::int64_t>(date.time_since_epoch().count()) * 86'400 + day.seconds;
}

const TimeZone::Kind& TimeZone::kind_at(std::int64_t time) const {
  if (rule_ && (changes_.empty() || time >= changes_.back().at)) {
    if (!rule_->changes) return rule_->standard;
    using namespace std::chrono;
    const SystemSeconds local{seconds(time + rule_->standard.offset)};
    const int y = static_cast<int>(year_month_day(floor<days>(local)).year());
    const std::int64_t begin = day_in(rule_->begin, y) - rule_->standard.offset;
    const std::int64_t end = day_in(rule_->end, y) - rule_->summer.offset;
    const bool summer = begin < end ? time >= begin && time < end : time >= begin || time < end;
    return summer ? rule_->summer : rule_->standard;
  }
  const auto after = std::upper_bound(changes_.begin(), changes_.end(), time,
                                      [](std::int64_t t, const Change& change) { return t < change.at; });
  if (after == changes_.begin()) return kinds_.front();
  return kinds_[std::prev(after)->kind];
}

std::chrono::seconds TimeZone::offset_at(SystemSeconds time) const {
  return std::chrono::seconds(kind_at(time.time_since_epoch().count()).offset);
}

std::string TimeZone::abbreviation_at(SystemSeconds time) const {
  return kind_at(time.time_since_epoch().count()).abbreviation;
}

LocalSeconds TimeZone::local(SystemSeconds time) const {
  return LocalSeconds((time + offset_at(time)).time_since_epoch());
}

// A wall's time lies at most a day from UTC, and clocks change less often than once in two days.
Instants TimeZone::instants(LocalSeconds wall) const {
  const SystemSeconds as_utc(wall.time_since_epoch());
  const std::chrono::seconds before = offset_at(as_utc - std::chrono::hours(26));
  const std::chrono::seconds after = offset_at(as_utc + std::chrono::hours(26));
  Instants found;
  for (const std::chrono::seconds offset : {std::max(before, after), std::min(before, after)}) {
    const SystemSeconds candidate = as_utc - offset;
    if (offset_at(candidate) != offset || found.first == candidate) continue;
    (found.first ? found.second : found.first) = candidate;
  }
  return found;
}

}  // namespace millrace::triggers
