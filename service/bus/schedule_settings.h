#pragma once
// ScheduleSettings: what a schedule may say beyond AWS's fields: what becomes of times that were missed, and
// of a run that is due while the one before still runs. AWS's clients refuse fields they don't know, so it
// stands in the schedule's (or rule's) Description, in brackets: "Nightly report [millrace missed=catch-up
// overlap=skip]". Pure.

#include <string>
#include <string_view>

#include "base/result.h"

namespace millrace::bus {

enum class MissedRuns { RunOnce, Skip, CatchUp };
enum class Overlap { Allow, Skip, Queue, Cancel };

struct ScheduleSettings {
  MissedRuns missed = MissedRuns::RunOnce;
  Overlap overlap = Overlap::Allow;
  bool operator==(const ScheduleSettings&) const = default;
};

// Of a Description; without "[millrace …]" the defaults. InvalidArgument names what is not known.
Result<ScheduleSettings> read_schedule_settings(std::string_view description);
std::string_view name_of(MissedRuns missed);  // "run-once", "skip", "catch-up"
std::string_view name_of(Overlap overlap);    // "allow", "skip", "queue", "cancel"

}  // namespace millrace::bus
