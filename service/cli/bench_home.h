#pragma once
// What benches share: a home of their own that is removed with them, and what the process used.

#include <memory>
#include <string>
#include <vector>

#include "service/home.h"

namespace millrace::cli {

inline constexpr const char* kEchoResource = "arn:aws:states:::millrace:echo";

// A home for one measurement. Tasks of kEchoResource are answered at once with their own arguments.
class TemporaryHome {
 public:
  static Result<std::unique_ptr<TemporaryHome>> make(const std::string& directory);
  ~TemporaryHome();
  Result<std::unique_ptr<service::Home>> open(orchestrator::EngineSettings settings = {}) const;
  std::uintmax_t bytes() const;  // of its files, without those in directories
  const std::string& path() const { return path_; }

 private:
  explicit TemporaryHome(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

double percentile(const std::vector<double>& sorted, double p);  // to three decimals; 0 of nothing
double cpu_seconds();                                            // of this process
std::size_t peak_memory_bytes();                                 // the most that was resident

}  // namespace millrace::cli
