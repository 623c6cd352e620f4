#include "service/cli/commands.h"

namespace millrace::cli {

void add_run(CLI::App&, const Shared&, int&);
void add_resume(CLI::App&, const Shared&, int&);
void add_validate(CLI::App&, const Shared&, int&);
void add_graph(CLI::App&, const Shared&, int&);
void add_list(CLI::App&, const Shared&, int&);
void add_describe(CLI::App&, const Shared&, int&);
void add_history(CLI::App&, const Shared&, int&);
void add_call(CLI::App&, const Shared&, int&);
void add_eval(CLI::App&, const Shared&, int&);
void add_features(CLI::App&, const Shared&, int&);
void add_environments(CLI::App&, const Shared&, int&);
void add_functions(CLI::App&, const Shared&, int&);
void add_invoke(CLI::App&, const Shared&, int&);
void add_objects(CLI::App&, const Shared&, int&);
void add_dead_letters(CLI::App&, const Shared&, int&);
void add_label(CLI::App&, const Shared&, int&);
void add_keys(CLI::App&, const Shared&, int&);
void add_serve(CLI::App&, const Shared&, int&);
void add_simulate(CLI::App&, const Shared&, int&);
void add_automl(CLI::App&, const Shared&, int&);
void add_test(CLI::App&, const Shared&, int&);
void add_bench(CLI::App&, const Shared&, int&);
void add_deploy(CLI::App&, const Shared&, int&);
void add_apply(CLI::App&, const Shared&, int&);
void add_start(CLI::App&, const Shared&, int&);
void add_stop(CLI::App&, const Shared&, int&);
void add_redrive(CLI::App&, const Shared&, int&);
void add_logs(CLI::App&, const Shared&, int&);
void add_metrics(CLI::App&, const Shared&, int&);
void add_alarms(CLI::App&, const Shared&, int&);
void add_jobs(CLI::App&, const Shared&, int&);
void add_lineage(CLI::App&, const Shared&, int&);
void add_registry(CLI::App&, const Shared&, int&);
void add_schedule(CLI::App&, const Shared&, int&);
void add_approvals(CLI::App&, const Shared&, int&);
void add_config(CLI::App&, const Shared&, int&);
void add_doctor(CLI::App&, const Shared&, int&);
void add_backup(CLI::App&, const Shared&, int&);
void add_restore(CLI::App&, const Shared&, int&);
void add_ab(CLI::App&, const Shared&, int&);
void add_vacuum(CLI::App&, const Shared&, int&);
void add_rank_worker(CLI::App&, const Shared&, int&);

std::span<const Command> commands() {
  static constexpr Command kCommands[] = {
      {"run", add_run},
      {"resume", add_resume},
      {"validate", add_validate},
      {"graph", add_graph},
      {"deploy", add_deploy, true},
      {"apply", add_apply, true},
      {"start", add_start, true},
      {"stop", add_stop, true},
      {"redrive", add_redrive, true},
      {"list", add_list, true},
      {"describe", add_describe, true},
      {"history", add_history, true},
      {"logs", add_logs, true},
      {"metrics", add_metrics, true},
      {"alarms", add_alarms, true},
      {"schedule", add_schedule, true},
      {"approvals", add_approvals, true},
      {"jobs", add_jobs, true},
      {"lineage", add_lineage, true},
      {"registry", add_registry, true},
      {"invoke", add_invoke},
      {"ab", add_ab},
      {"call", add_call},
      {"eval", add_eval},
      {"features", add_features, true},
      {"functions", add_functions},
      {"environments", add_environments},
      {"label", add_label, true},
      {"objects", add_objects},
      {"dead-letters", add_dead_letters},
      {"serve", add_serve},
      {"keys", add_keys},
      {"automl", add_automl},
      {"test", add_test},
      {"simulate", add_simulate},
      {"bench", add_bench},
      {"config", add_config},
      {"doctor", add_doctor},
      {"backup", add_backup},
      {"restore", add_restore},
      {"vacuum", add_vacuum},
      {"rank-worker", add_rank_worker},
  };
  return kCommands;
}

}  // namespace millrace::cli
