#pragma once
// How training jobs of several instances become ranks.

#include <string>

namespace millrace::tasks {

struct RankSettings {
  std::string program;  // this program, which starts itself again; empty: jobs train in one rank
  std::string
      launcher;  // a command that starts them, like "mpirun --hostfile hosts"; empty: processes of our own
  int most = 8;  // of one job
};

}  // namespace millrace::tasks
