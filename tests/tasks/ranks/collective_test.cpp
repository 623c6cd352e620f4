// The contract of Collective, over every transport there is.

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <numeric>

#include "base/random.h"
#include "tests/tasks/ranks/ranks_of_test.h"
#include "tests/tasks/support/temporary_store.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

// Everything that a collective does, on one rank; the numbers are functions of rank and place.
Status check_collective(Collective& ranks) {
  const int n = ranks.size(), me = ranks.rank();
  for (const std::size_t size : {std::size_t{1}, std::size_t{7}, std::size_t{4096}, std::size_t{300'001}}) {
    std::vector<std::int64_t> values(size), wanted(size);
    for (int r = 0; r < n; ++r) {
      for (std::size_t i = 0; i < size; ++i) {
        const auto value = static_cast<std::int64_t>(mix(static_cast<std::uint64_t>(r), i) >> 8);
        wanted[i] += value;
        if (r == me) values[i] = value;
      }
    }
    MR_DO(ranks.sum(values));
    if (values != wanted) return fail(ErrorCode::Internal, "sum of " + std::to_string(size));
  }
  // In the order of the ranks: ((0.1 + 0.2) + 0.3) is not (0.3 + 0.2) + 0.1.
  std::vector<double> doubles(1000), in_order(1000);
  for (int r = 0; r < n; ++r) {
    for (std::size_t i = 0; i < doubles.size(); ++i) {
      const double value = std::pow(10.0, r * 3) / (3.0 + static_cast<double>(i));
      in_order[i] += value;
      if (r == me) doubles[i] = value;
    }
  }
  MR_DO(ranks.sum_in_order(doubles));
  if (doubles != in_order) return fail(ErrorCode::Internal, "sum_in_order");

  const auto text_of = [](int r) {
    return std::string(static_cast<std::size_t>(r * 100'003), char('a' + r));
  };
  MR_TRY(all, ranks.all_gather(text_of(me)));
  for (int r = 0; r < n; ++r) {
    if (all[static_cast<std::size_t>(r)] != text_of(r)) return fail(ErrorCode::Internal, "all_gather");
  }
  for (int root = 0; root < n; ++root) {
    MR_TRY(at_root, ranks.gather(text_of(me), root));
    if (at_root.size() != (me == root ? static_cast<std::size_t>(n) : 0))
      return fail(ErrorCode::Internal, "gather");
    for (std::size_t r = 0; r < at_root.size(); ++r) {
      if (at_root[r] != text_of(static_cast<int>(r))) return fail(ErrorCode::Internal, "gather");
    }
    std::string bytes = me == root ? std::string(3'000'001, 'z') : "other";
    MR_DO(ranks.broadcast(bytes, root));
    if (bytes != std::string(3'000'001, 'z')) return fail(ErrorCode::Internal, "broadcast");
    bytes = me == root ? "" : "other";
    MR_DO(ranks.broadcast(bytes, root));
    if (!bytes.empty()) return fail(ErrorCode::Internal, "broadcast of nothing");
  }
  return ranks.finish();
}

void check_all(std::vector<std::unique_ptr<Transport>> transports) {
  for (const auto& done :
       on_ranks<void>(std::move(transports), [](Collective& ranks) { return check_collective(ranks); }))
    CHECK_MESSAGE(done, (done ? "" : done.error().message));
}

std::vector<std::unique_ptr<Transport>> meet(const std::filesystem::path& directory, int size) {
  std::vector<std::unique_ptr<Transport>> transports(static_cast<std::size_t>(size));
  {
    std::vector<std::jthread> threads;
    for (int r = 0; r < size; ++r)
      threads.emplace_back([&, r] {
        auto made = ranks_of_processes(directory, r, size);
        if (made) transports[static_cast<std::size_t>(r)] = std::move(*made);
      });
  }
  return transports;
}

}  // namespace

TEST_CASE("Collective: sums, gathers and broadcasts are right on every rank, however many there are") {
  for (const int size : {1, 2, 3, 5}) {
    CAPTURE(size);
    check_all(thread_ranks(size));
  }
}

TEST_CASE("Collective: ranks meet in a directory, also of a long name") {
  TemporaryStore place;
  const std::filesystem::path directory = place.directory / std::string(150, 'd');
  std::filesystem::create_directories(directory);
  auto transports = meet(directory, 3);
  for (const auto& transport : transports) REQUIRE(transport);
  check_all(std::move(transports));
  CHECK(ranks_of_processes(directory, 3, 3).error().code == ErrorCode::InvalidArgument);
}

TEST_CASE("Collective: a lost rank is an error for all of the others, at once and from then on") {
  for (const int lost : {0, 1, 3}) {
    CAPTURE(lost);
    const auto begun = std::chrono::steady_clock::now();
    const auto results = on_ranks<void>(thread_ranks(4), [&](Collective& ranks) -> Status {
      for (int round = 0;; ++round) {
        if (round == 3 && ranks.rank() == lost) return fail(ErrorCode::Cancelled, "lost");
        std::vector<std::int64_t> values(10'000, 1);
        MR_DO(ranks.sum(values));
      }
    });
    CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(1));
    for (int r = 0; r < 4; ++r) {
      const auto& result = results[static_cast<std::size_t>(r)];
      REQUIRE(!result);
      CHECK(result.error().code == (r == lost ? ErrorCode::Cancelled : ErrorCode::Unavailable));
    }
  }
  const auto after = on_ranks<int>(thread_ranks(2), [](Collective& ranks) -> Result<int> {
    if (ranks.rank() == 1) return 0;
    int errors = 0;
    std::string text;
    std::int64_t one = 1;
    errors += !ranks.sum({&one, 1}) && !ranks.status();
    errors += !ranks.broadcast(text);
    errors += !ranks.all_gather(text);
    return errors + !ranks.barrier();
  });
  CHECK(after[0].value() == 4);
}

// Started by tests/service/mpi_ranks.py, a process for each rank.
TEST_CASE("Collective: under mpirun") {
  if (std::getenv("OMPI_COMM_WORLD_SIZE") == nullptr) {
    MESSAGE("skipped: not started by mpirun");
    return;
  }
  auto transport = ranks_of_mpi();
  REQUIRE_MESSAGE(transport, (transport ? "" : transport.error().message));
  Collective ranks(std::move(*transport));
  CHECK(ranks.size() == std::atoi(std::getenv("OMPI_COMM_WORLD_SIZE")));
  const Status done = check_collective(ranks);
  CHECK_MESSAGE(done, (done ? "" : done.error().message));
}
