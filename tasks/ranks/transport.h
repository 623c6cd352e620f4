#pragma once
// Transport: how the ranks of one fit reach each other: Unix sockets between processes of one machine, or
// Open MPI between machines. It moves bytes; what is added up and in which order stands in collective.h, so
// that both give the same numbers. One thread.
//
// Who is lost is noticed by those who wait for it, at once: its end of the connection closes. Those then
// close theirs, so that nobody waits on for somebody who does.

#include <filesystem>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace millrace::tasks {

inline constexpr int kRanksMost = 64;  // every two of them have a connection

class Transport {
 public:
  virtual ~Transport() = default;
  virtual int rank() const = 0;  // [0, size())
  virtual int size() const = 0;
  // Sends `out` to rank `to` while `in` comes from rank `from`; -1: nobody, and nothing. Unavailable names
  // the rank that is gone.
  virtual Status transfer(int to, std::string_view out, int from, std::span<char> in) = 0;
  // All ranks are through: who goes now is not lost.
  virtual void finish() {}
};

// Ranks that are threads of this process, for tests; by rank.
Result<std::vector<std::unique_ptr<Transport>>> ranks_of_threads(int size);

// One of `size` processes of this machine that meet in an empty directory. Unavailable when they do not come
// within kMeetingMost.
inline constexpr int kMeetingMostMs = 30'000;
Result<std::unique_ptr<Transport>> ranks_of_processes(const std::filesystem::path& directory, int rank,
                                                      int size);

// One of the processes that mpirun started, by the module beside this program (mpi/module.h). NotFound when
// it was not built.
Result<std::unique_ptr<Transport>> ranks_of_mpi();

}  // namespace millrace::tasks
