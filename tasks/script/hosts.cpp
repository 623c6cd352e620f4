#include "tasks/script/hosts.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "base/random.h"
#include "tasks/artifacts/files.h"
#include "tasks/script/free_port.h"
#include "tasks/script/own_network.h"

namespace millrace::tasks {
namespace {

namespace fs = std::filesystem;

constexpr const char* kInstanceGroup = "homogeneousCluster";  // what SageMaker calls the only group
constexpr const char* kNetworkInterface = "lo";

// An address of its own for each host of each job, so that hosts which listen on their own name don't meet.
std::string address_of(std::uint64_t job, std::size_t host) {
  return "127." + std::to_string(1 + job % 254) + "." + std::to_string((job >> 16) % 256) + "." +
         std::to_string(host + 1);
}

// The names of the hosts in each one's /etc/hosts. False: nothing can be mounted, so the names lead nowhere.
Result<bool> name_hosts(std::vector<Host>& hosts, std::uint64_t job) {
  const auto known = read_file("/etc/hosts");
  std::string text = known ? *known + "\n" : "127.0.0.1 localhost\n";
  for (std::size_t i = 0; i < hosts.size(); ++i) text += address_of(job, i) + " " + hosts[i].name + "\n";
  std::error_code code;
  for (Host& host : hosts) {
    MR_TRY(file, host.opt_ml.real("/opt/ml/input/config/hosts"));
    MR_DO(replace_file(file, text));
    if (!fs::exists("/etc/hosts", code) || !host.opt_ml.show(file, "/etc/hosts")) return false;
  }
  return true;
}

// The network of several hosts: names, the address of the first, and one apart from all others when there is
// to be none.
Status connect_hosts(std::vector<Host>& hosts, bool each_alone, std::optional<OwnNetwork>& network,
                     JobContext& context) {
  MR_TRY(named, name_hosts(hosts, hash64(context.name())));
  MR_TRY(port, free_port());
  if (hosts.front().run.without_network && each_alone) {
    MR_TRY(own, OwnNetwork::make());
    network.emplace(std::move(own));
  }
  for (Host& host : hosts) {
    ScriptRun& run = host.run;
    run.environment.try_emplace("MASTER_ADDR", named ? hosts.front().name : "127.0.0.1");
    run.environment.try_emplace("MASTER_PORT", std::to_string(port));
    if (!network) continue;
    run.launcher = network->entering();
    run.without_network = false;  // it is in one that leads nowhere
  }
  return {};
}

// Each host's program in a thread of its own, until all have ended.
Status run_side_by_side(std::vector<Host>& hosts, JobContext& context) {
  std::atomic<bool> one_failed{false};
  std::mutex mutex;  // over what follows
  Status first;
  double cpu_seconds = 0;
  std::int64_t memory_bytes = 0;
  {
    std::vector<std::jthread> running;
    for (Host& host : hosts) {
      host.run.host = host.name;
      host.run.threads = std::max(1, context.threads() / static_cast<int>(hosts.size()));
      host.run.stop = [&one_failed] { return one_failed.load(); };
      host.run.used = [&](double cpu, std::int64_t memory) {
        const std::lock_guard lock(mutex);
        cpu_seconds += cpu, memory_bytes += memory;
      };
      running.emplace_back([&] {
        const Status ended = run_script(host.run, host.opt_ml, host.metrics, context);
        if (ended) return;
        const std::lock_guard lock(mutex);
        if (!one_failed.exchange(true)) first = ended;
      });
    }
  }
  context.used(cpu_seconds, memory_bytes);
  return first;
}

}  // namespace

Result<HostPlan> read_hosts(const Arguments& resources) {
  if (resources.has("InstanceGroups"))
    return resources.wrong("InstanceGroups", "is not supported for programs",
                           "give InstanceCount and InstanceType");
  MR_TRY(count, resources.integer_or("InstanceCount", 1));
  if (count < 1 || count > kScriptHostsMax)
    return resources.wrong("InstanceCount", "must be between 1 and " + std::to_string(kScriptHostsMax) +
                                                ", not " + std::to_string(count));
  HostPlan plan;
  MR_TRY(type, resources.text_or("InstanceType", "local"));
  plan.instance_type = type;
  for (std::int64_t i = 1; i <= count; ++i) plan.names.push_back("algo-" + std::to_string(i));
  std::sort(plan.names.begin(), plan.names.end());
  return plan;
}

Json resource_config(const HostPlan& plan, std::size_t host) {
  const Json group = {
      {"instance_group_name", kInstanceGroup}, {"instance_type", plan.instance_type}, {"hosts", plan.names}};
  return {{"current_host", plan.names[host]},        {"current_instance_type", plan.instance_type},
          {"current_group_name", kInstanceGroup},    {"hosts", plan.names},
          {"instance_groups", Json::array({group})}, {"network_interface_name", kNetworkInterface}};
}

void add_host_variables(const HostPlan& plan, std::size_t host,
                        std::map<std::string, std::string>& variables) {
  const Json hosts = plan.names;
  variables["SM_CURRENT_HOST"] = plan.names[host];
  variables["SM_HOSTS"] = hosts.dump();
  variables["SM_CURRENT_INSTANCE_TYPE"] = plan.instance_type;
  variables["SM_CURRENT_INSTANCE_GROUP"] = kInstanceGroup;
  variables["SM_CURRENT_INSTANCE_GROUP_HOSTS"] = hosts.dump();
  variables["SM_NETWORK_INTERFACE_NAME"] = kNetworkInterface;
  variables["SM_RESOURCE_CONFIG"] = resource_config(plan, host).dump();
}

Result<OptMl::Share> share_of(const Arguments& s3, std::size_t host, std::size_t hosts) {
  MR_TRY(how, s3.text_or("S3DataDistributionType", "FullyReplicated"));
  MR_DO(s3.one_of("S3DataDistributionType", how, "FullyReplicated|ShardedByS3Key"));
  if (how == "FullyReplicated") return OptMl::Share{};
  return OptMl::Share{host, hosts};
}

HostsFolder::~HostsFolder() {
  std::error_code ignored;
  fs::remove(path, ignored);
}

Result<std::vector<OptMl>> make_opt_mls(const HostPlan& plan, const fs::path& root) {
  std::vector<OptMl> made;
  std::error_code code;
  if (plan.count() > 1) fs::remove_all(root, code);
  for (const std::string& name : plan.names) {
    MR_TRY(opt_ml, OptMl::make(plan.count() == 1 ? root : root / name));
    made.push_back(std::move(opt_ml));
  }
  return made;
}

void use_environment(std::vector<Host>& hosts, const PreparedEnvironment& packages) {
  for (Host& host : hosts) {
    host.run.packages = &packages;
    host.opt_ml.show(packages.path(), packages.path());
  }
}

Status run_hosts(std::vector<Host>& hosts, const MpiPlan& mpi, JobContext& context) {
  if (hosts.size() == 1 && !mpi.enabled)
    return run_script(hosts[0].run, hosts[0].opt_ml, hosts[0].metrics, context);
  std::optional<OwnNetwork> network;
  if (hosts.size() > 1) MR_DO(connect_hosts(hosts, !mpi.enabled, network, context));
  std::mutex mutex;  // over what follows
  std::map<std::string, std::size_t> owners;
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    auto& metric = hosts[i].run.metric;
    if (!metric) continue;
    metric = [&, i, tell = metric](const std::string& name, double value) {
      const std::lock_guard lock(mutex);
      std::size_t& owner = owners.try_emplace(name, i).first->second;
      owner = std::min(owner, i);
      if (i == owner) tell(name, value);
    };
  }
  return mpi.enabled ? run_mpi(hosts, mpi, context) : run_side_by_side(hosts, context);
}

std::map<std::string, double> last_values(const std::vector<Host>& hosts) {
  std::map<std::string, double> values;
  for (const Host& host : hosts)
    values.insert(host.metrics.last_values().begin(), host.metrics.last_values().end());
  return values;
}

Result<Gathered> gather(const std::vector<Host>& hosts, std::string_view opt_ml_directory,
                        JobContext& context) {
  Gathered gathered;
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    MR_TRY(directory, hosts[i].opt_ml.real(opt_ml_directory));
    std::error_code code;
    if (!fs::exists(directory, code)) continue;
    MR_TRY(files, hosts[i].opt_ml.files(directory));
    for (const auto& [name, sha256] : files) {
      const auto [known, added] = gathered.files.try_emplace(name, Gathered::File{i, sha256});
      if (!added && known->second.sha256 != sha256)
        context.log(std::string(opt_ml_directory) + "/" + name + " of " + hosts[i].name + " is not that of " +
                    hosts[known->second.host].name + ", which is kept");
    }
  }
  return gathered;
}

Status take_gathered(const Gathered& gathered, const std::vector<Host>& hosts,
                     std::string_view opt_ml_directory, std::string_view uri, JobContext& context) {
  for (const auto& [name, file] : gathered.files) {
    MR_TRY(directory, hosts[file.host].opt_ml.real(opt_ml_directory));
    MR_TRY(bytes, read_file(directory / name));
    MR_DO(context.objects().write(join_uri(uri, name), bytes));
  }
  return {};
}

}  // namespace millrace::tasks
