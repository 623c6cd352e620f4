#pragma once
// The tables of HOME/millrace.db, as the steps that bring a file of one version to the next. Steps are never
// changed once released; PRAGMA user_version counts those a file has seen.

namespace millrace::orchestrator {

inline constexpr int kApplicationId = 0x4D524345;  // "MRCE": tells a home of ours from other SQLite files

inline constexpr const char* kSchemaSteps[] = {
    // 1
    R"sql(
CREATE TABLE facts(name TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL) WITHOUT ROWID;

-- One row a revision. `family` is the id of the first revision of that name: what executions' names are unique in.
CREATE TABLE machines(
  id INTEGER PRIMARY KEY, family INTEGER NOT NULL, arn TEXT NOT NULL, name TEXT NOT NULL, role_arn TEXT NOT NULL,
  definition TEXT NOT NULL, hash TEXT NOT NULL, created INTEGER NOT NULL);
CREATE INDEX machines_by_arn ON machines(arn);
CREATE INDEX machines_by_name ON machines(name);

-- Times are milliseconds since 1970; status is states::ExecutionStatus.
CREATE TABLE executions(
  id INTEGER PRIMARY KEY, machine INTEGER NOT NULL, family INTEGER NOT NULL, name TEXT NOT NULL,
  status INTEGER NOT NULL, started INTEGER NOT NULL, stopped INTEGER, due INTEGER, tasks_out INTEGER NOT NULL,
  events INTEGER NOT NULL);
CREATE UNIQUE INDEX executions_by_name ON executions(family, name);
CREATE INDEX executions_by_family ON executions(family);
-- Most executions have succeeded; the index holds the others, so that it stays small and costs nothing for those that
-- begin and end within one commit.
CREATE INDEX executions_by_status ON executions(status) WHERE status <> 1;

-- Append-only; rows in order of commits. `last` is the number of events of the execution with this row's.
CREATE TABLE history(execution INTEGER NOT NULL, last INTEGER NOT NULL, events BLOB NOT NULL);
CREATE INDEX history_by_execution ON history(execution, last);
)sql",
    // Map runs. A child's family is its run's id, negative: names of children are unique in their run, and
    // lists of a
    // machine's executions don't meet them.
    R"sql(
ALTER TABLE executions ADD COLUMN map_run INTEGER NOT NULL DEFAULT 0;
ALTER TABLE executions ADD COLUMN map_items INTEGER NOT NULL DEFAULT 0;
CREATE INDEX executions_in_map_runs ON executions(name) WHERE family < 0;

CREATE TABLE map_runs(
  id INTEGER PRIMARY KEY, arn TEXT NOT NULL, execution_arn TEXT NOT NULL, execution INTEGER NOT NULL, frame INTEGER NOT NULL,
  visit INTEGER NOT NULL, attempt INTEGER NOT NULL, machine INTEGER NOT NULL, state TEXT NOT NULL, express INTEGER NOT NULL,
  status INTEGER NOT NULL, started INTEGER NOT NULL, stopped INTEGER, concurrency INTEGER NOT NULL,
  tolerated_count INTEGER NOT NULL, tolerated_percentage REAL NOT NULL, redrives INTEGER NOT NULL, redriven INTEGER,
  counts TEXT NOT NULL, output TEXT, error TEXT, cause TEXT);
CREATE INDEX map_runs_by_arn ON map_runs(arn);
CREATE INDEX map_runs_by_execution ON map_runs(execution);
CREATE INDEX map_runs_running ON map_runs(status) WHERE status = 0;

-- Children of EXPRESS runs, once they have ended.
CREATE TABLE map_results(
  run INTEGER NOT NULL, number INTEGER NOT NULL, name TEXT NOT NULL, status INTEGER NOT NULL, items INTEGER NOT NULL,
  started INTEGER NOT NULL, stopped INTEGER NOT NULL, input TEXT, output TEXT, error TEXT, cause TEXT);
CREATE UNIQUE INDEX map_results_by_number ON map_results(run, number);
)sql",
    // 3: state machines apart from their revisions; versions, aliases, activities, tags
    R"sql(
-- `id` is the id of the first revision; type is MachineType, status MachineStatus, last_version the highest number ever
-- given to a version.
CREATE TABLE state_machines(
  id INTEGER PRIMARY KEY, arn TEXT NOT NULL, name TEXT NOT NULL, type INTEGER NOT NULL, status INTEGER NOT NULL,
  created INTEGER NOT NULL, last_version INTEGER NOT NULL DEFAULT 0);
INSERT INTO state_machines(id, arn, name, type, status, created)
  SELECT id, arn, name, 0, 0, created FROM machines WHERE id=family;
CREATE INDEX state_machines_by_arn ON state_machines(arn);
CREATE INDEX state_machines_by_name ON state_machines(name);
DROP INDEX machines_by_arn;
DROP INDEX machines_by_name;
CREATE INDEX machines_by_family ON machines(family);
ALTER TABLE machines ADD COLUMN revision TEXT NOT NULL DEFAULT '';
ALTER TABLE machines ADD COLUMN logging TEXT NOT NULL DEFAULT '';
ALTER TABLE machines ADD COLUMN tracing TEXT NOT NULL DEFAULT '';
ALTER TABLE executions ADD COLUMN version INTEGER NOT NULL DEFAULT 0;
ALTER TABLE executions ADD COLUMN alias TEXT NOT NULL DEFAULT '';
CREATE TABLE versions(
  family INTEGER NOT NULL, number INTEGER NOT NULL, machine INTEGER NOT NULL, description TEXT NOT NULL,
  created INTEGER NOT NULL, PRIMARY KEY(family, number)) WITHOUT ROWID;
-- The second route has weight 0 when there is one only.
CREATE TABLE aliases(
  family INTEGER NOT NULL, name TEXT NOT NULL, description TEXT NOT NULL, version1 INTEGER NOT NULL,
  weight1 INTEGER NOT NULL, version2 INTEGER NOT NULL, weight2 INTEGER NOT NULL, created INTEGER NOT NULL,
  updated INTEGER NOT NULL, PRIMARY KEY(family, name)) WITHOUT ROWID;
CREATE TABLE activities(arn TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL, created INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE tags(
  resource TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY(resource, key)) WITHOUT ROWID;
)sql",
    // 4: redrives, and executions that a task of another one started
    R"sql(
-- `started_by` is the task's key as text; empty: a client did.
ALTER TABLE executions ADD COLUMN redrives INTEGER NOT NULL DEFAULT 0;
ALTER TABLE executions ADD COLUMN redriven INTEGER;
ALTER TABLE executions ADD COLUMN started_by TEXT NOT NULL DEFAULT '';
)sql",
};
inline constexpr int kSchemaVersion = static_cast<int>(sizeof(kSchemaSteps) / sizeof(kSchemaSteps[0]));

}  // namespace millrace::orchestrator
