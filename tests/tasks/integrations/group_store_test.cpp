#include "tasks/integrations/group_store.h"

#include <doctest/doctest.h>

#include <future>

#include "tests/tasks/integrations/manual_clock.h"
#include "tests/tasks/jobs/temporary_home.h"

using namespace millrace;
using namespace millrace::tasks;
using End = GroupStore::End;

namespace {

struct StoreUnderTest {
  TemporaryHome home;
  ManualClock clock;
  std::unique_ptr<GroupStore> store;
  explicit StoreUnderTest(std::size_t waiting_max = 100) {
    GroupStore::Settings settings;
    settings.path = home.path("group.db");
    settings.schema = "CREATE TABLE IF NOT EXISTS note (text TEXT NOT NULL)";
    settings.waiting_max = waiting_max;
    auto opened = GroupStore::open(std::move(settings), clock);
    REQUIRE(opened);
    store = std::move(*opened);
  }
  // What became of a piece: "kept", or the error.
  std::future<std::string> put(std::function<End(GroupStore::Turn&)> work) {
    auto promise = std::make_shared<std::promise<std::string>>();
    auto future = promise->get_future();
    CHECK(store->submit({std::move(work), [promise](const Status& s) {
                           promise->set_value(s ? "kept" : s.error().message);
                         }}));
    return future;
  }
  std::string notes() {
    std::string out;
    put([&out](GroupStore::Turn& turn) {
      auto select = turn.database.prepare("SELECT text FROM note ORDER BY rowid");
      while (*select->step()) out += std::string(select->text(0)) + " ";
      return End::Keep;
    }).get();
    return out;
  }
};

End note(GroupStore::Turn& turn, const char* text, End end) {
  auto insert = turn.database.prepare("INSERT INTO note (text) VALUES (?1)");
  insert->bind(1, std::string_view(text));
  const auto done = insert->run();
  return done ? end : End::Broken;
}

}  // namespace

TEST_CASE("Group store: what one piece undoes the others keep; a broken one takes its group along") {
  StoreUnderTest t;
  std::promise<void> gate;
  auto open = gate.get_future().share();
  // All of these are one group: they come while the first is carried out.
  auto first = t.put([open](GroupStore::Turn& turn) {
    open.wait();
    return note(turn, "first", End::Keep);
  });
  auto kept = t.put([](GroupStore::Turn& turn) { return note(turn, "kept", End::Keep); });
  auto undone = t.put([](GroupStore::Turn& turn) { return note(turn, "undone", End::Undo); });
  auto last = t.put([](GroupStore::Turn& turn) { return note(turn, "last", End::Keep); });
  gate.set_value();
  CHECK(first.get() == "kept");
  CHECK(kept.get() == "kept");
  CHECK(undone.get() == "kept");
  CHECK(last.get() == "kept");
  CHECK(t.notes() == "first kept last ");
  auto broken = t.put([](GroupStore::Turn& turn) {
    note(turn, "broken", End::Keep);
    turn.error = Error{ErrorCode::OutOfSpace, "no space", {}};
    return End::Broken;
  });
  CHECK(broken.get() == "no space");
  CHECK(t.notes() == "first kept last ");
}

TEST_CASE("Group store: a piece waits for its channel, for a time, or for its deadline") {
  StoreUnderTest t;
  const auto waiting = [&](std::int64_t channel, int seconds) {
    auto turns = std::make_shared<int>(0);
    return t.put([=](GroupStore::Turn& turn) {
      if (turn.last || ++*turns > 1) return note(turn, turn.last ? "timeout" : "woken", End::Keep);
      turn.deadline = turn.now + std::chrono::seconds(seconds);
      turn.retry_at = *turn.deadline;
      turn.channel = channel;
      return End::Wait;
    });
  };
  auto one = waiting(1, 100), two = waiting(2, 5);
  t.put([](GroupStore::Turn& turn) {
     turn.touch(1);
     return End::Keep;
   }).get();
  CHECK(one.get() == "kept");
  CHECK(t.notes() == "woken ");
  CHECK(two.wait_for(std::chrono::milliseconds(20)) == std::future_status::timeout);
  t.clock.advance(std::chrono::seconds(6));
  CHECK(two.get() == "kept");
  CHECK(t.notes() == "woken timeout ");
}

TEST_CASE("Group store: nothing waits beyond the limit or the end, and who is gone has no turn") {
  StoreUnderTest t(1);
  const auto forever = [](GroupStore::Turn& turn) {
    if (turn.last) return note(turn, "last", End::Keep);
    turn.deadline = turn.retry_at = turn.now + std::chrono::hours(1);
    turn.channel = 3;
    return End::Wait;
  };
  auto gone = std::make_shared<std::atomic<bool>>(false);
  auto asked = std::make_shared<std::atomic<int>>(0);
  t.store->submit({[=](GroupStore::Turn& turn) {
                     ++*asked;
                     return forever(turn);
                   },
                   [](const Status&) {}, gone});
  auto second = t.put(forever);
  CHECK(second.get() == "kept");
  CHECK(t.notes() == "last ");
  *gone = true;
  t.put([](GroupStore::Turn& turn) {
     turn.touch(3);
     return End::Keep;
   }).get();
  t.notes();
  CHECK(*asked == 1);
  auto third = t.put(forever);
  t.notes();
  CHECK(third.wait_for(std::chrono::seconds(0)) == std::future_status::timeout);
  t.store.reset();
  CHECK(third.get() == "kept");
}
