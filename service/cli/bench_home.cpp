#include "service/cli/bench_home.h"

#include <sys/resource.h>
#include <algorithm>
#include <cmath>

#include <filesystem>

namespace millrace::cli {
namespace {

namespace fs = std::filesystem;

class EchoRunner final : public orchestrator::TaskRunner {
 public:
  bool serves(const std::string& resource) const override { return resource == kEchoResource; }
  void start(orchestrator::TaskRequest request, Report report) override {
    report(request.key, Outcome(std::move(request.arguments)));
  }
  void cancel(const orchestrator::TaskKey&) override {}
};

}  // namespace

Result<std::unique_ptr<TemporaryHome>> TemporaryHome::make(const std::string& directory) {
  std::string pattern = (fs::path(directory) / ".millrace-bench-XXXXXX").string();
  if (!mkdtemp(pattern.data()))
    return invalid("can't make a directory in " + directory, "name another one with --dir");
  return std::unique_ptr<TemporaryHome>(new TemporaryHome(pattern));
}

TemporaryHome::~TemporaryHome() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

Result<std::unique_ptr<service::Home>> TemporaryHome::open(orchestrator::EngineSettings settings) const {
  service::HomeOptions options;
  options.path = path_;
  options.engine = std::move(settings);
  options.runner = std::make_unique<EchoRunner>();
  return service::Home::open(std::move(options));
}

std::uintmax_t TemporaryHome::bytes() const {
  std::uintmax_t sum = 0;
  for (const auto& entry : fs::directory_iterator(path_)) {
    if (entry.is_regular_file()) sum += entry.file_size();
  }
  return sum;
}

double percentile(const std::vector<double>& sorted, double p) {
  if (sorted.empty()) return 0;
  const auto at = static_cast<std::size_t>(p * static_cast<double>(sorted.size()));
  return std::round(sorted[std::min(at, sorted.size() - 1)] * 1000) / 1000;
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

std::size_t peak_memory_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::size_t>(usage.ru_maxrss) * 1024;
}

}  // namespace millrace::cli
