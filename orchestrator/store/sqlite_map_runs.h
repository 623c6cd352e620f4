#pragma once
// Map runs in HOME/millrace.db.

#include "base/sqlite.h"
#include "orchestrator/store/map_run_table.h"

namespace millrace::orchestrator {

// `database` is borrowed. What would write is refused with InvalidArgument unless `writes`.
std::unique_ptr<MapRunTable> make_sqlite_map_runs(Database& database, bool writes);

}  // namespace millrace::orchestrator
