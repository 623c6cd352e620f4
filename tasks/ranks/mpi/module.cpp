// The module for Open MPI (target millrace_mpi, -DMILLRACE_MPI=ON): sends and receives of bytes.

#include "tasks/ranks/mpi/module.h"

#include <mpi.h>

#include <algorithm>
#include <cstdio>

namespace millrace::tasks {

namespace {

constexpr std::size_t kMessageBytes = std::size_t{1} << 28;  // MPI counts with an int
constexpr int kTag = 1;

bool good(int code, char* why, std::size_t room) {
  if (code == MPI_SUCCESS) return true;
  char text[MPI_MAX_ERROR_STRING] = {};
  int length = 0;
  MPI_Error_string(code, text, &length);
  std::snprintf(why, room, "%s", text);
  return false;
}

bool begin(int* rank, int* size, char* why, std::size_t room) {
  int provided = 0;
  if (!good(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided), why, room)) return false;
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  MPI_Comm_rank(MPI_COMM_WORLD, rank);
  MPI_Comm_size(MPI_COMM_WORLD, size);
  return true;
}

bool transfer(int to, const char* out, std::size_t out_bytes, int from, char* in, std::size_t in_bytes,
              char* why, std::size_t room) {
  while (out_bytes > 0 || in_bytes > 0) {
    const std::size_t sent = std::min(out_bytes, kMessageBytes), got = std::min(in_bytes, kMessageBytes);
    MPI_Request requests[2] = {MPI_REQUEST_NULL, MPI_REQUEST_NULL};
    if (got > 0 &&
        !good(MPI_Irecv(in, static_cast<int>(got), MPI_CHAR, from, kTag, MPI_COMM_WORLD, &requests[0]), why,
              room))
      return false;
    if (sent > 0 &&
        !good(MPI_Isend(out, static_cast<int>(sent), MPI_CHAR, to, kTag, MPI_COMM_WORLD, &requests[1]), why,
              room))
      return false;
    if (!good(MPI_Waitall(2, requests, MPI_STATUSES_IGNORE), why, room)) return false;
    out += sent, out_bytes -= sent, in += got, in_bytes -= got;
  }
  return true;
}

void end() {
  MPI_Finalize();
}

void abort_all() {
  MPI_Abort(MPI_COMM_WORLD, 1);
}

}  // namespace

extern "C" const MpiModule* millrace_mpi_module() {
  static const MpiModule kModule = {kMpiModuleVersion, begin, transfer, end, abort_all};
  return &kModule;
}

}  // namespace millrace::tasks
