// Ranks of one machine: a Unix stream socket between every two of them.

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include "tasks/ranks/transport.h"

namespace millrace::tasks {

namespace {

constexpr int kMeetingStepMs = 20;

class RankSocket {
 public:
  explicit RankSocket(int fd = -1) : fd_(fd) {}
  RankSocket(RankSocket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  RankSocket& operator=(RankSocket&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~RankSocket() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

tl::unexpected<Error> socket_failure(const std::string& what) {
  return fail(ErrorCode::Unavailable, what + ": " + std::strerror(errno));
}

tl::unexpected<Error> lost_rank(int rank) {
  return fail(ErrorCode::Unavailable, "rank " + std::to_string(rank) + " is gone");
}

class SocketTransport final : public Transport {
 public:
  // `links` by rank; the own one is none.
  SocketTransport(int rank, std::vector<RankSocket> links) : rank_(rank), links_(std::move(links)) {}

  int rank() const override { return rank_; }
  int size() const override { return static_cast<int>(links_.size()); }

  Status transfer(int to, std::string_view out, int from, std::span<char> in) override {
    while (!out.empty() || !in.empty()) {
      pollfd waits[2];
      nfds_t count = 0;
      if (!out.empty()) waits[count++] = {link(to), POLLOUT, 0};
      if (!in.empty()) waits[count++] = {link(from), POLLIN, 0};
      if (::poll(waits, count, -1) < 0) {
        if (errno == EINTR) continue;
        return socket_failure("waiting for the other ranks");
      }
      if (!out.empty() && waits[0].revents != 0) MR_DO(send_some(to, out));
      if (!in.empty() && waits[count - 1].revents != 0) MR_DO(receive_some(from, in));
    }
    return {};
  }

 private:
  int link(int rank) const { return links_[static_cast<std::size_t>(rank)].get(); }

  Status send_some(int to, std::string_view& out) const {
    const ssize_t sent = ::send(link(to), out.data(), out.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) return {};
    if (sent < 0) return lost_rank(to);
    out.remove_prefix(static_cast<std::size_t>(sent));
    return {};
  }

  Status receive_some(int from, std::span<char>& in) const {
    const ssize_t got = ::recv(link(from), in.data(), in.size(), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return {};
    if (got <= 0) return lost_rank(from);
    in = in.subspan(static_cast<std::size_t>(got));
    return {};
  }

  const int rank_;
  std::vector<RankSocket> links_;
};

// A directory's path may be longer than a socket's name can be: the name goes by its descriptor.
Result<sockaddr_un> rank_address(int directory, int rank) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = "/proc/self/fd/" + std::to_string(directory) + "/rank-" + std::to_string(rank);
  std::memcpy(address.sun_path, name.c_str(), name.size() + 1);
  return address;
}

Result<RankSocket> new_socket() {
  RankSocket made(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (made.get() < 0) return socket_failure("can't make a socket");
  return made;
}

// Who connects says which rank it is.
Result<RankSocket> connect_to(int directory, int rank, int own) {
  MR_TRY(address, rank_address(directory, rank));
  for (int waited = 0; waited < kMeetingMostMs; waited += kMeetingStepMs) {
    MR_TRY(link, new_socket());
    if (::connect(link.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
      if (::send(link.get(), &own, sizeof own, MSG_NOSIGNAL) != sizeof own) return lost_rank(rank);
      return link;
    }
    if (errno != ENOENT && errno != ECONNREFUSED && errno != EAGAIN)
      return socket_failure("can't reach rank " + std::to_string(rank));
    ::poll(nullptr, 0, kMeetingStepMs);  // it is not there yet
  }
  return fail(ErrorCode::Unavailable, "rank " + std::to_string(rank) + " did not come");
}

Result<RankSocket> accept_one(const RankSocket& door) {
  pollfd wait{door.get(), POLLIN, 0};
  if (::poll(&wait, 1, kMeetingMostMs) <= 0)
    return fail(ErrorCode::Unavailable,
                "not all ranks came within " + std::to_string(kMeetingMostMs / 1000) + " s");
  RankSocket link(::accept4(door.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (link.get() < 0) return socket_failure("can't accept a rank");
  return link;
}

}  // namespace

Result<std::vector<std::unique_ptr<Transport>>> ranks_of_threads(int size) {
  const auto n = static_cast<std::size_t>(size);
  std::vector<std::vector<RankSocket>> links(n);
  for (auto& of_rank : links) of_rank.resize(n);
  for (std::size_t a = 0; a < n; ++a) {
    for (std::size_t b = a + 1; b < n; ++b) {
      int ends[2];
      if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return socket_failure("can't make a pair of sockets");
      links[a][b] = RankSocket(ends[0]), links[b][a] = RankSocket(ends[1]);
    }
  }
  std::vector<std::unique_ptr<Transport>> ranks;
  for (std::size_t r = 0; r < n; ++r)
    ranks.push_back(std::make_unique<SocketTransport>(static_cast<int>(r), std::move(links[r])));
  return ranks;
}

// Each connects to those below it and lets in those above.
Result<std::unique_ptr<Transport>> ranks_of_processes(const std::filesystem::path& directory, int rank,
                                                      int size) {
  if (size < 1 || size > kRanksMost || rank < 0 || rank >= size)
    return invalid("rank " + std::to_string(rank) + " of " + std::to_string(size) + ": there are 1 to " +
                   std::to_string(kRanksMost) + " ranks");
  const RankSocket opened(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (opened.get() < 0) return socket_failure("can't open " + directory.string());
  MR_TRY(door, new_socket());
  MR_TRY(address, rank_address(opened.get(), rank));
  if (::bind(door.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(door.get(), kRanksMost) != 0)
    return socket_failure("can't listen in " + directory.string());
  std::vector<RankSocket> links(static_cast<std::size_t>(size));
  for (int other = 0; other < rank; ++other) {
    MR_TRY(link, connect_to(opened.get(), other, rank));
    links[static_cast<std::size_t>(other)] = std::move(link);
  }
  for (int count = rank + 1; count < size; ++count) {
    MR_TRY(link, accept_one(door));
    int other = -1;
    if (::recv(link.get(), &other, sizeof other, MSG_WAITALL) != sizeof other || other <= rank ||
        other >= size || links[static_cast<std::size_t>(other)].get() >= 0)
      return fail(ErrorCode::Unavailable, "who connected is no rank of this job");
    links[static_cast<std::size_t>(other)] = std::move(link);
  }
  return std::unique_ptr<Transport>(std::make_unique<SocketTransport>(rank, std::move(links)));
}

}  // namespace millrace::tasks
