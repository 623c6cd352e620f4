#pragma once
// Removes executions that ended long ago from HOME/millrace.db: the SQLite half of Store::remove_ended().

#include "base/sqlite.h"
#include "orchestrator/store/store.h"

namespace millrace::orchestrator {

// One transaction. See Store::remove_ended().
Result<RemovedEnded> remove_ended_rows(Database& database, const RemoveEnded& request);

// The highest id that an execution ever had, removed ones too.
Result<std::int64_t> highest_execution(Database& database);

// No new execution gets an id up to `id`, whatever the tables hold.
Status reserve_executions(Database& database, std::int64_t id);

}  // namespace millrace::orchestrator
