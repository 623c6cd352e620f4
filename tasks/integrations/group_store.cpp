#include "tasks/integrations/group_store.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <list>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "base/log.h"

namespace millrace::tasks {
namespace {

constexpr Millis kWaitMax{1000};  // the clock may jump: those who wait are looked at this often

struct Waiting {
  GroupStore::Piece piece;
  Instant retry_at, deadline;
  std::int64_t channel = 0;
};

// A piece in the queue or taken up again.
struct Taken {
  GroupStore::Piece piece;
  std::optional<Instant> deadline = {};
};

}  // namespace

struct GroupStore::State {
  Settings settings;
  const Clock& clock;
  Database database;
  Statement savepoint, release, undo;

  std::mutex mutex;  // over the two that follow
  std::deque<Piece> queue;
  bool closing = false;
  std::condition_variable changed;

  // Of the thread alone.
  std::list<Waiting> waiting;
  std::set<std::int64_t> touched;
  std::thread thread;

  void run();
  bool take(std::vector<Taken>& group);
  void carry_out(std::vector<Taken>& group, bool last_turn);
  Status one(Turn& turn, Piece& piece, End& end);
  void wake(std::vector<Taken>& group, bool all);
};

namespace {

bool is_gone(const GroupStore::Piece& piece) {
  return piece.gone && piece.gone->load(std::memory_order_relaxed);
}

}  // namespace

// What waited and is due goes before what is new.
void GroupStore::State::wake(std::vector<Taken>& group, bool all) {
  const Instant now = clock.now();
  for (auto it = waiting.begin(); it != waiting.end();) {
    const bool due = all || is_gone(it->piece) || it->retry_at <= now || it->deadline <= now ||
                     touched.count(it->channel) > 0;
    if (!due) {
      ++it;
      continue;
    }
    group.push_back({std::move(it->piece), it->deadline});
    it = waiting.erase(it);
  }
  touched.clear();
}

// False: closing, and nothing is left to do.
bool GroupStore::State::take(std::vector<Taken>& group) {
  std::unique_lock lock(mutex);
  wake(group, closing);
  if (group.empty() && queue.empty() && !closing) {
    Millis pause = kWaitMax;
    const Instant now = clock.now();
    for (const Waiting& w : waiting)
      pause = std::min(pause, std::max(Millis(1), std::min(w.retry_at, w.deadline) - now));
    const auto woken = [&] { return closing || !queue.empty(); };
    if (waiting.empty())
      changed.wait(lock, woken);
    else
      changed.wait_for(lock, pause, woken);
    wake(group, closing);
  }
  while (!queue.empty() && group.size() < settings.group_max) {
    group.push_back({std::move(queue.front())});
    queue.pop_front();
  }
  return !group.empty() || !closing;
}

Status GroupStore::State::one(Turn& turn, Piece& piece, End& end) {
  MR_DO(savepoint.run());
  end = piece.work(turn);
  if (end == End::Broken) return fail(turn.error);
  if (end == End::Undo) MR_DO(undo.run());
  return release.run();
}

void GroupStore::State::carry_out(std::vector<Taken>& group, bool last_turn) {
  Status status;
  std::vector<bool> waits(group.size(), false);
  std::vector<Waiting> later;
  std::set<std::int64_t> channels;
  {
    auto transaction = Transaction::begin(database);
    if (!transaction) status = fail(transaction.error());
    for (std::size_t i = 0; status && i < group.size(); ++i) {
      Piece& piece = group[i].piece;
      if (is_gone(piece)) continue;
      Turn turn{database, clock.now()};
      turn.deadline = group[i].deadline;
      turn.last = last_turn || (turn.deadline && *turn.deadline <= turn.now) ||
                  waiting.size() + later.size() >= settings.waiting_max;
      turn.touch = [&channels](std::int64_t channel) { channels.insert(channel); };
      End end = End::Undo;
      status = one(turn, piece, end);
      if (status && end == End::Wait && !turn.last) {
        waits[i] = true;
        later.push_back({{}, turn.retry_at, turn.deadline.value_or(turn.now), turn.channel});
      }
    }
    if (status) status = transaction->commit();
  }
  if (!status) {
    log::error("a database could not keep what was asked of it",
               {{"file", settings.path}, {"why", status.error().message}});
    if (settings.rolled_back) settings.rolled_back();
  }
  std::size_t next = 0;
  for (std::size_t i = 0; i < group.size(); ++i) {
    if (waits[i] && status) {
      later[next].piece = std::move(group[i].piece);
      waiting.push_back(std::move(later[next++]));
    } else {
      group[i].piece.done(status);
    }
  }
  touched.insert(channels.begin(), channels.end());
}

void GroupStore::State::run() {
  for (;;) {
    std::vector<Taken> group;
    if (!take(group)) return;
    bool last_turn = false;
    {
      const std::lock_guard lock(mutex);
      last_turn = closing;
    }
    if (!group.empty()) carry_out(group, last_turn);
  }
}

GroupStore::GroupStore(std::unique_ptr<State> state) : state_(std::move(state)) {
  state_->thread = std::thread([s = state_.get()] { s->run(); });
}

GroupStore::~GroupStore() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->closing = true;
  }
  state_->changed.notify_one();
  state_->thread.join();
}

Result<std::unique_ptr<GroupStore>> GroupStore::open(Settings settings, const Clock& clock) {
  std::unique_ptr<State> state(
      new State{std::move(settings), clock, {}, {}, {}, {}, {}, {}, false, {}, {}, {}, {}});
  MR_TRY(database, Database::open(state->settings.path));
  state->database = std::move(database);
  MR_DO(state->database.execute(state->settings.schema));
  MR_TRY(savepoint, state->database.prepare("SAVEPOINT piece"));
  MR_TRY(release, state->database.prepare("RELEASE piece"));
  MR_TRY(undo, state->database.prepare("ROLLBACK TO piece"));
  state->savepoint = std::move(savepoint);
  state->release = std::move(release);
  state->undo = std::move(undo);
  return std::unique_ptr<GroupStore>(new GroupStore(std::move(state)));
}

bool GroupStore::submit(Piece piece) {
  {
    const std::lock_guard lock(state_->mutex);
    if (state_->closing || state_->queue.size() >= state_->settings.pieces_max) return false;
    state_->queue.push_back(std::move(piece));
  }
  state_->changed.notify_one();
  return true;
}

Database& GroupStore::database() {
  return state_->database;
}

}  // namespace millrace::tasks
