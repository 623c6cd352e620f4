#pragma once
// The hosts of one job of a program: InstanceCount processes of it, algo-1 … algo-N, each with a /opt/ml of
// its own, as SageMaker runs a container on each instance. They are processes of this machine: a name leads
// to an address of its own on the loopback (127.x.y.k) where bubblewrap can say so, and ports are shared.
// Worker threads. Source: SageMaker developer guide, "Distributed training configuration"
// (resourceconfig.json); its training toolkit (SM_*); its PyTorch container (MASTER_ADDR, MASTER_PORT;
// torchrun's RANK, WORLD_SIZE).

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "tasks/arguments.h"
#include "tasks/jobs/job_context.h"
#include "tasks/script/metrics.h"
#include "tasks/script/mpi.h"
#include "tasks/script/opt_ml.h"
#include "tasks/script/run_script.h"

namespace millrace::tasks {

inline constexpr int kScriptHostsMax = 64;  // of one job

struct HostPlan {
  std::vector<std::string>
      names;  // in the order of their letters, as SageMaker gives them: algo-1, algo-10, algo-2
  std::string instance_type;  // "ml.m5.large"; "local" when the request names none
  std::size_t count() const { return names.size(); }
};
// InstanceCount (1) and InstanceType of ResourceConfig or ClusterConfig. InvalidArgument: less than 1, more
// than kScriptHostsMax, InstanceGroups.
Result<HostPlan> read_hosts(const Arguments& resources);
// resourceconfig.json of the host in that place.
Json resource_config(const HostPlan& plan, std::size_t host);
// SM_HOSTS, SM_CURRENT_HOST, SM_RESOURCE_CONFIG and the like of that host.
void add_host_variables(const HostPlan& plan, std::size_t host,
                        std::map<std::string, std::string>& variables);
// Every host's part of what is ShardedByS3Key; else all of it. InvalidArgument for another word.
Result<OptMl::Share> share_of(const Arguments& s3, std::size_t host, std::size_t hosts);

// One host: what it runs and where.
struct Host {
  std::string name;
  OptMl opt_ml;
  ScriptRun run;
  OutputMetrics metrics;
};
// Removes an empty directory in the end: to be made before what is in it.
struct HostsFolder {
  std::filesystem::path path;
  ~HostsFolder();
};
// An empty /opt/ml for each: `root` for one, root/algo-k for several.
Result<std::vector<OptMl>> make_opt_mls(const HostPlan& plan, const std::filesystem::path& root);
// Gives them the environment, which they see read-only. Borrowed by their runs.
void use_environment(std::vector<Host>& hosts, const PreparedEnvironment& packages);
// Runs all, until all have ended; when one fails the others are told to, and its error is the result. Metrics
// are told and kept once: those of the first host (by place) that prints one of the name.
Status run_hosts(std::vector<Host>& hosts, const MpiPlan& mpi, JobContext& context);
// The last values of the metrics, each of the first host that has it.
std::map<std::string, double> last_values(const std::vector<Host>& hosts);

// What the hosts left in the same directory below /opt/ml, together: name → which host's file it is, and its
// SHA-256. A name that several hosts wrote is the first one's; the log names those that differ.
struct Gathered {
  struct File {
    std::size_t host = 0;
    std::string sha256;
  };
  std::map<std::string, File> files;
};
Result<Gathered> gather(const std::vector<Host>& hosts, std::string_view opt_ml_directory,
                        JobContext& context);
// What was gathered as objects below the URI.
Status take_gathered(const Gathered& gathered, const std::vector<Host>& hosts,
                     std::string_view opt_ml_directory, std::string_view uri, JobContext& context);

}  // namespace millrace::tasks
