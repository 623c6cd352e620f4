#pragma once
// TimeZone: what clocks show in an IANA time zone, read from the system's database (/usr/share/zoneinfo,
// TZif), and after its last entry by the rule that the file ends with. Immutable; any thread. Source: RFC
// 8536; POSIX.1, TZ.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace millrace::triggers {

// What a clock on a wall shows: seconds since 1970-01-01T00:00:00 of that wall.
using LocalSeconds = std::chrono::local_seconds;
using SystemSeconds = std::chrono::sys_seconds;

// A wall's time as instants: none when clocks jump over it, two when it comes twice.
struct Instants {
  std::optional<SystemSeconds> first, second;
};

class TimeZone {
 public:
  // UTC.
  TimeZone() = default;
  // "Europe/Berlin"; from `folder`. NotFound for what is no zone.
  static Result<TimeZone> load(std::string_view name, const std::string& folder = "/usr/share/zoneinfo");
  // The bytes of a TZif file. DataLoss for what is none.
  static Result<TimeZone> parse(std::string_view tzif, std::string name);

  const std::string& name() const { return name_; }
  std::chrono::seconds offset_at(SystemSeconds time) const;  // east of Greenwich is positive
  std::string abbreviation_at(SystemSeconds time) const;     // "CET", "+11"
  LocalSeconds local(SystemSeconds time) const;
  Instants instants(LocalSeconds local) const;

 private:
  struct Kind {
    std::int64_t offset = 0;
    std::string abbreviation = "UTC";
    bool operator==(const Kind&) const = default;
  };
  struct Change {
    std::int64_t at = 0;
    std::size_t kind = 0;
  };
  // When in a year clocks change: "M3.5.0/2", "J60", "59".
  struct YearDay {
    enum class Form { Julian, Zero, Weekday } form = Form::Weekday;
    int month = 1, week = 1, weekday = 0, day = 0;
    std::int64_t seconds = 7200;
  };
  struct Rule {
    Kind standard, summer;
    bool changes = false;
    YearDay begin, end;
  };
  struct RuleReader;

  const Kind& kind_at(std::int64_t time) const;
  static std::int64_t day_in(const YearDay& day, int year);

  std::string name_ = "UTC";
  std::vector<Kind> kinds_ = std::vector<Kind>(1);
  std::vector<Change> changes_;  // ascending; before the first: the first kind
  std::optional<Rule> rule_;
};

}  // namespace millrace::triggers
