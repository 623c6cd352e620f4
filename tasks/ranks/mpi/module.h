#pragma once
// What the module for Open MPI gives the program: plain functions, so that the two need not be built alike.
// One thread. Functions that can fail return false and say why.

#include <cstddef>

namespace millrace::tasks {

inline constexpr int kMpiModuleVersion = 1;
inline constexpr const char* kMpiModuleFile = "millrace_mpi.so";
inline constexpr const char* kMpiModuleSymbol = "millrace_mpi_module";

struct MpiModule {
  int version;
  bool (*begin)(int* rank, int* size, char* why, std::size_t room);
  // See Transport::transfer.
  bool (*transfer)(int to, const char* out, std::size_t out_bytes, int from, char* in, std::size_t in_bytes,
                   char* why, std::size_t room);
  void (*end)();
  void (*abort)();  // ends all ranks
};

using GetMpiModule = const MpiModule* (*)();

}  // namespace millrace::tasks
