#pragma once
// What users did with items, as Personalize takes it: CSV with a header and the columns USER_ID, ITEM_ID and,
// if given, TIMESTAMP, EVENT_VALUE and columns of the surroundings (context). Any thread.

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "tasks/training/own_form.h"

namespace millrace::tasks {

struct InteractionColumns {
  std::string user = "USER_ID", item = "ITEM_ID", time = "TIMESTAMP", value = "EVENT_VALUE";
  std::vector<std::string> context;
  bool value_required = false;
};

struct Interaction {
  std::uint32_t user = 0, item = 0;  // places in Interactions::users, items
  double time = 0;                   // 0 without a column
  double value = 1;                  // 1 without a column
};

struct Interactions {
  std::vector<std::string> users, items;          // sorted
  std::vector<Interaction> events;                // in the order of the rows
  std::vector<std::vector<std::string>> context;  // by column, by event
};

inline constexpr std::size_t kInteractionsMax = 500'000'000;

// Names of columns match in either case. InvalidArgument names object, row (from 1) and column.
Result<Interactions> read_interactions(const ObjectChannel& channel, const InteractionColumns& columns);
// Rows of a request: users and items as texts. Empty values stay.
struct PairRows {
  std::vector<std::string> users, items;
  std::vector<std::vector<std::string>> context;  // by column, by row
};
Result<PairRows> read_pairs(std::string_view csv, std::string_view name, const InteractionColumns& columns);

// The place of a name among sorted ones; -1 when it is not there.
std::int64_t place_of(const std::vector<std::string>& sorted, std::string_view name);

}  // namespace millrace::tasks
