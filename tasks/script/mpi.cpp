#include "tasks/script/mpi.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <sstream>

#include "tasks/script/environment.h"
#include "tasks/script/hosts.h"
#include "tasks/script/process.h"
#include "tasks/script/sandbox.h"

namespace millrace::tasks {
namespace {

constexpr int kRanksPerHostMax = 128;

std::string mpi_option(const std::map<std::string, std::string>& hyperparameters, const char* name) {
  const auto found = hyperparameters.find(name);
  return found == hyperparameters.end() ? std::string() : found->second;
}

std::vector<std::string> variables_of_mpirun() {
  std::vector<std::string> list;
  for (const auto& [name, value] : inherited_variables()) list.push_back(name + "=" + value);
  return list;
}

bool has_mpirun() {
  ProcessSpec spec;
  spec.arguments = {"mpirun", "--version"};
  spec.environment = variables_of_mpirun();
  const auto end = run_process(spec, {});
  return end && end->signal == 0 && end->exit_code == 0;
}

// What mpirun --tag-output writes in front of a line: "[1,3]<stdout>:" of rank 3. Taken off; -1: none of a
// rank.
int take_rank(std::string_view& line) {
  constexpr std::string_view kBegin = "[1,";
  if (line.rfind(kBegin, 0) != 0) return -1;
  int rank = -1;
  const auto [end, error] = std::from_chars(line.data() + kBegin.size(), line.data() + line.size(), rank);
  std::string_view rest = line.substr(static_cast<std::size_t>(end - line.data()));
  if (error != std::errc() || rank < 0) return -1;
  for (const std::string_view tag : {"]<stdout>:", "]<stderr>:"}) {
    if (rest.rfind(tag, 0) != 0) continue;
    line = rest.substr(tag.size());
    return rank;
  }
  return -1;
}

// Open MPI's ranks of one machine look at each other's memory by process numbers, which the sandboxes of
// several users' namespaces forbid: they copy it through shared memory instead. More ranks than processors
// are fine.
std::vector<std::string> mpirun_words(const MpiPlan& plan) {
  std::vector<std::string> words = {"mpirun",
                                    "--oversubscribe",
                                    "--bind-to",
                                    "none",
                                    "--tag-output",
                                    "--mca",
                                    "btl_vader_single_copy_mechanism",
                                    "none"};
  if (::getuid() == 0) words.push_back("--allow-run-as-root");
  words.insert(words.end(), plan.options.begin(), plan.options.end());
  return words;
}

}  // namespace

Result<MpiPlan> read_mpi(const std::map<std::string, std::string>& hyperparameters) {
  MpiPlan plan;
  plan.enabled = mpi_option(hyperparameters, "sagemaker_mpi_enabled") == "true";
  constexpr const char* kCount = "sagemaker_mpi_num_of_processes_per_host";
  const std::string count = mpi_option(hyperparameters, kCount);
  if (!count.empty()) {
    const auto [end, error] =
        std::from_chars(count.data(), count.data() + count.size(), plan.processes_per_host);
    if (error != std::errc() || end != count.data() + count.size() || plan.processes_per_host < 1 ||
        plan.processes_per_host > kRanksPerHostMax)
      return invalid("HyperParameters." + std::string(kCount) + ": expected 1 to " +
                     std::to_string(kRanksPerHostMax) + ", not \"" + count + "\"");
  }
  std::istringstream options(mpi_option(hyperparameters, "sagemaker_mpi_custom_mpi_options"));
  for (std::string word; options >> word;) plan.options.push_back(word);
  return plan;
}

Status run_mpi(std::vector<Host>& hosts, const MpiPlan& plan, JobContext& context) {
  if (!has_mpirun())
    return invalid(
        "HyperParameters.sagemaker_mpi_enabled: there is no mpirun on this machine",
        "install openmpi-bin, or leave MPI out: hosts find each other by MASTER_ADDR and MASTER_PORT");
  const std::string ranks = std::to_string(plan.processes_per_host);
  const ScriptRun& first = hosts.front().run;
  ProcessSpec spec;
  spec.arguments = ending_together();
  if (first.without_network) {
    MR_TRY(cut_off, without_network());
    spec.arguments = std::move(cut_off);
  }
  const std::vector<std::string> mpirun = mpirun_words(plan);
  spec.arguments.insert(spec.arguments.end(), mpirun.begin(), mpirun.end());
  const int all = static_cast<int>(hosts.size()) * plan.processes_per_host;
  const bool several = hosts.size() > 1;
  for (Host& host : hosts) {
    host.opt_ml.share_processes();
    host.run.without_network = false;  // mpirun is without
    host.run.threads = std::max(1, context.threads() / all);
    MR_TRY(command, script_command(host.run, host.opt_ml, context));
    if (&host != &hosts.front()) spec.arguments.push_back(":");
    spec.arguments.insert(spec.arguments.end(), {"-np", ranks, "-wdir", command.directory, "/usr/bin/env"});
    for (const auto* part : {&command.environment, &command.arguments})
      spec.arguments.insert(spec.arguments.end(), part->begin(), part->end());
  }
  spec.environment = variables_of_mpirun();
  MR_TRY(directory, hosts.front().opt_ml.real(first.directory));
  spec.directory = directory.string();
  spec.memory_bytes_max = first.memory_bytes_max * hosts.size();
  spec.processes_max = context.call().script_processes_max * static_cast<int>(hosts.size());
  bool ranks_spoke = false;
  const auto take = [&](std::string_view& line) {
    const int rank = take_rank(line);
    if (rank < 0 || rank >= all) {
      context.log(line);
      return !ranks_spoke;
    }
    ranks_spoke = true;
    Host& host = hosts[static_cast<std::size_t>(rank / plan.processes_per_host)];
    context.log_of(several ? host.name : std::string(), line);
    report_metrics(host.metrics, line, host.run, context);
    return true;
  };
  ScriptRun whole = first;
  whole.host.clear();
  return run_command(spec, whole, hosts.front().opt_ml, take, context);
}

}  // namespace millrace::tasks
