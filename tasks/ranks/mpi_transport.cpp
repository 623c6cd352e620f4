// Open MPI, by a module beside the program: who does not use it needs nothing of it.

#include <dlfcn.h>

#include <filesystem>
#include <string>

#include "tasks/ranks/mpi/module.h"
#include "tasks/ranks/transport.h"

namespace millrace::tasks {

namespace {

class MpiTransport final : public Transport {
 public:
  MpiTransport(const MpiModule& module, int rank, int size) : module_(module), rank_(rank), size_(size) {}
  // The others may wait for a rank that goes early, for ever: MPI ends them.
  ~MpiTransport() override { finished_ ? module_.end() : module_.abort(); }
  void finish() override { finished_ = true; }

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  Status transfer(int to, std::string_view out, int from, std::span<char> in) override {
    char why[256] = {};
    if (module_.transfer(to, out.data(), out.size(), from, in.data(), in.size(), why, sizeof why)) return {};
    return fail(ErrorCode::Unavailable, std::string("Open MPI: ") + why);
  }

 private:
  const MpiModule& module_;
  const int rank_, size_;
  bool finished_ = false;
};

}  // namespace

Result<std::unique_ptr<Transport>> ranks_of_mpi() {
  std::error_code code;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", code);
  const std::string path = (self.parent_path() / kMpiModuleFile).string();
  // Open MPI loads parts of its own, which look for its symbols.
  void* const library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL);
  if (library == nullptr)
    return fail(ErrorCode::NotFound, std::string("the module for Open MPI can't be loaded: ") + ::dlerror(),
                "build with -DMILLRACE_MPI=ON, which leaves it beside the program");
  const auto get = reinterpret_cast<GetMpiModule>(::dlsym(library, kMpiModuleSymbol));
  const MpiModule* const module = get ? get() : nullptr;
  if (module == nullptr || module->version != kMpiModuleVersion)
    return fail(ErrorCode::Unavailable, path + " is of another version of this program",
                "build both together");
  int rank = 0, size = 1;
  char why[256] = {};
  if (!module->begin(&rank, &size, why, sizeof why))
    return fail(ErrorCode::Unavailable, std::string("Open MPI: ") + why);
  return std::unique_ptr<Transport>(std::make_unique<MpiTransport>(*module, rank, size));
}

}  // namespace millrace::tasks
