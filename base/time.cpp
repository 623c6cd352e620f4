#include "base/time.h"

#include <cstdio>

namespace millrace {

std::string format_rfc3339(Instant t) {
  using namespace std::chrono;
  const auto day = floor<days>(t);
  const year_month_day date(day);
  const auto ms = (t - day).count();
  char buffer[40];
  const int n = std::snprintf(buffer, sizeof buffer, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", int(date.year()),
                              unsigned(date.month()), unsigned(date.day()), int(ms / 3600000),
                              int(ms / 60000 % 60), int(ms / 1000 % 60), int(ms % 1000));
  return {buffer, static_cast<std::size_t>(n)};
}

std::optional<Instant> parse_rfc3339(std::string_view text) {
  using namespace std::chrono;
  std::size_t at = 0;
  const auto digits = [&](int count, int& value) {
    value = 0;
    for (int i = 0; i < count; ++i, ++at) {
      if (at >= text.size() || text[at] < '0' || text[at] > '9') return false;
      value = value * 10 + (text[at] - '0');
    }
    return true;
  };
  const auto character = [&](char c) { return at < text.size() && text[at++] == c; };
  int y = 0, mo = 0, d = 0, h = 0, mi = 0, s = 0;
  if (!digits(4, y) || !character('-') || !digits(2, mo) || !character('-') || !digits(2, d) ||
      !character('T') || !digits(2, h) || !character(':') || !digits(2, mi) || !character(':') ||
      !digits(2, s)) {
    return std::nullopt;
  }
  int ms = 0;
  if (at < text.size() && text[at] == '.') {
    ++at;
    int place = 100;
    const std::size_t start = at;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, place /= 10)
      ms += (text[at] - '0') * place;
    if (at == start) return std::nullopt;
  }
  int offset_minutes = 0;
  if (at >= text.size()) return std::nullopt;
  const char sign = text[at++];
  if (sign == '+' || sign == '-') {
    int oh = 0, om = 0;
    if (!digits(2, oh) || !character(':') || !digits(2, om) || oh > 23 || om > 59) return std::nullopt;
    offset_minutes = (oh * 60 + om) * (sign == '+' ? 1 : -1);
  } else if (sign != 'Z') {
    return std::nullopt;
  }
  const year_month_day date{year(y), month(static_cast<unsigned>(mo)), day(static_cast<unsigned>(d))};
  if (at != text.size() || !date.ok() || h > 23 || mi > 59 || s > 60) return std::nullopt;
  return Instant(sys_days(date)) + hours(h) + minutes(mi - offset_minutes) + seconds(s) + Millis(ms);
}

std::string format_duration(Millis duration) {
  const auto ms = duration.count();
  char buffer[40];
  if (ms < 1000) {
    std::snprintf(buffer, sizeof buffer, "%lld ms", static_cast<long long>(ms));
  } else if (ms < 60000) {
    std::snprintf(buffer, sizeof buffer, "%.1f s", double(ms) / 1000);
  } else if (ms < 3600000) {
    std::snprintf(buffer, sizeof buffer, "%lld min %lld s", static_cast<long long>(ms / 60000),
                  static_cast<long long>(ms / 1000 % 60));
  } else {
    std::snprintf(buffer, sizeof buffer, "%lld h %lld min", static_cast<long long>(ms / 3600000),
                  static_cast<long long>(ms / 60000 % 60));
  }
  return buffer;
}

std::string format_http_date(Instant t) {
  constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto days = std::chrono::floor<std::chrono::days>(t);
  const std::chrono::year_month_day date(days);
  const std::string text = format_rfc3339(t);
  return std::string(kDays[std::chrono::weekday(days).c_encoding()]) + ", " + text.substr(8, 2) + " " +
         kMonths[static_cast<unsigned>(date.month()) - 1] + " " + text.substr(0, 4) + " " +
         text.substr(11, 8) + " GMT";
}

std::optional<Instant> parse_http_date(std::string_view text) {
  constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
  if (text.size() != 29) return std::nullopt;
  const std::size_t month = kMonths.find(text.substr(8, 3));
  if (month == std::string_view::npos || month % 3 != 0) return std::nullopt;
  const std::string number = std::to_string(month / 3 + 1);
  const auto time =
      parse_rfc3339(std::string(text.substr(12, 4)) + "-" + (number.size() < 2 ? "0" : "") + number + "-" +
                    std::string(text.substr(5, 2)) + "T" + std::string(text.substr(17, 8)) + "Z");
  return time && format_http_date(*time) == text ? time : std::nullopt;
}

}  // namespace millrace
