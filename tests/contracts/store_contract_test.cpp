// What every store promises. A store takes part by a row in kStores.

#include <doctest/doctest.h>
#include <stdlib.h>

#include <filesystem>

#include "orchestrator/store/store.h"
#include "tests/support/sample_events.h"

using namespace millrace;
using namespace millrace::orchestrator;
using states::ExecutionStatus;

namespace {

// A store for one test and a way to open it again as after a restart (null for stores that forget).
class Home {
 public:
  virtual ~Home() = default;
  virtual Store& store() = 0;
  virtual bool reopen() { return false; }
};

class MemoryHome final : public Home {
 public:
  Store& store() override { return *store_; }

 private:
  std::unique_ptr<Store> store_ = make_memory_store();
};

class SqliteHome final : public Home {
 public:
  SqliteHome() {
    char name[] = "/tmp/millrace-contract-XXXXXX";
    folder_ = mkdtemp(name);
    reopen();
  }
  ~SqliteHome() override {
    store_.reset();
    std::filesystem::remove_all(folder_);
  }
  Store& store() override { return *store_; }
  bool reopen() override {
    store_.reset();
    auto opened = open_sqlite_store(folder_ + "/millrace.db");
    REQUIRE_MESSAGE(opened, (opened ? "" : opened.error().message));
    store_ = *std::move(opened);
    return true;
  }

 private:
  std::string folder_;
  std::unique_ptr<Store> store_;
};

struct StoreKind {
  const char* name;
  std::unique_ptr<Home> (*make)();
};
const StoreKind kStores[] = {
    {"memory", [] { return std::unique_ptr<Home>(new MemoryHome); }},
    {"sqlite", [] { return std::unique_ptr<Home>(new SqliteHome); }},
};

const std::string kArn = "arn:aws:states:us-east-1:123456789012:stateMachine:";

MachineRow machine(const std::string& name, const std::string& definition = "{}") {
  return {MachineId{},
          kArn + name,
          name,
          "role",
          definition,
          "hash of " + definition,
          from_millis(1'700'000'000'123)};
}

Append start(std::uint64_t id, MachineId of, const std::string& name, int states = 1) {
  Append append;
  append.events = samples::chain(states, 200, id);
  append.events.pop_back();  // it still runs
  append.row = {ExecutionId{id},
                of,
                name,
                ExecutionStatus::Running,
                from_millis(1'700'000'000'000 + static_cast<std::int64_t>(id)),
                {},
                {},
                false,
                append.events.size()};
  return append;
}

Append end(const ExecutionRow& before, ExecutionStatus status = ExecutionStatus::Succeeded) {
  Append append{before, before.events, {samples::chain(1, 200, before.id.value).back()}};
  append.row.status = status;
  append.row.stopped = before.started + Millis(5);
  append.row.events += 1;
  return append;
}

std::vector<AppendResult> commit(Store& store, const std::vector<Append>& group) {
  auto results = store.commit(group);
  REQUIRE_MESSAGE(results, (results ? "" : results.error().message));
  return *results;
}

template <class T>
T value(Result<T> result) {
  REQUIRE_MESSAGE(result, (result ? "" : result.error().message));
  return *std::move(result);
}
template <class T>
ErrorCode code(const Result<T>& result) {
  REQUIRE(!result);
  return result.error().code;
}
std::vector<std::uint64_t> ids(const std::vector<ExecutionRow>& rows) {
  std::vector<std::uint64_t> out;
  for (const ExecutionRow& row : rows) out.push_back(row.id.value);
  return out;
}

template <class F>
void for_each_store(const F& test) {
  for (const StoreKind& kind : kStores) {
    CAPTURE(kind.name);
    const auto home = kind.make();
    test(*home);
  }
}

using Ids = std::vector<std::uint64_t>;
using Results = std::vector<AppendResult>;

}  // namespace

TEST_CASE("store: what was committed is read back, after a restart too") {
  for_each_store([](Home& home) {
    const MachineRow m = value(home.store().put_machine(machine("orders")));
    Append first = start(1, m.id, "one", 10);
    first.row.due = from_millis(1'800'000'000'000);
    first.row.tasks_out = true;
    CHECK(commit(home.store(), {first}) == Results{AppendResult::Ok});
    Append last = end(first.row);
    last.row.due.reset();
    last.row.tasks_out = false;
    CHECK(commit(home.store(), {last}) == Results{AppendResult::Ok});
    std::vector<states::Event> expected = first.events;
    expected.push_back(last.events[0]);
    const auto look = [&] {
      Store& store = home.store();
      CHECK(value(store.execution(ExecutionId{1})) == last.row);
      CHECK(value(store.execution_named(m.id, "one")) == last.row);
      CHECK(value(store.events(ExecutionId{1}, 0, 1000)) == expected);
      CHECK(value(store.last_execution()) == ExecutionId{1});
      CHECK(value(store.machine(m.id)) == m);
    };
    look();
    if (home.reopen()) look();
  });
}

TEST_CASE("store: an append that expects another length is refused, its neighbours are not") {
  for_each_store([](Home& home) {
    Store& store = home.store();
    const MachineId m = value(store.put_machine(machine("orders"))).id;
    const Append a = start(1, m, "a"), b = start(2, m, "b"), c = start(3, m, "c");
    commit(store, {a, b});
    Append late = end(a.row);
    late.expected -= 1;
    late.row.events -= 1;
    CHECK(commit(store, {late, end(b.row), start(1, m, "again"), c}) ==
          Results{AppendResult::Conflict, AppendResult::Ok, AppendResult::Conflict, AppendResult::Ok});
    CHECK(value(store.execution(ExecutionId{1})) == a.row);
    CHECK(value(store.events(ExecutionId{1}, 0, 100)) == a.events);
    CHECK(value(store.execution(ExecutionId{2})).status == ExecutionStatus::Succeeded);
    CHECK(value(store.execution(ExecutionId{3})) == c.row);
    CHECK(commit(store, {end(b.row)}) == Results{AppendResult::Conflict});  // the same again
    Append nobody = end(a.row);
    nobody.row.id = ExecutionId{77};
    CHECK(commit(store, {nobody}) == Results{AppendResult::Conflict});
    CHECK(code(store.execution(ExecutionId{77})) == ErrorCode::NotFound);
  });
}

TEST_CASE("store: a name is taken once per state machine, over its revisions") {
  for_each_store([](Home& home) {
    Store& store = home.store();
    const MachineId old = value(store.put_machine(machine("orders", "{\"v\":1}"))).id;
    const MachineId recent = value(store.put_machine(machine("orders", "{\"v\":2}"))).id;
    const MachineId other = value(store.put_machine(machine("invoices"))).id;
    REQUIRE(old != recent);
    CHECK(commit(store,
                 {start(1, old, "n"), start(2, recent, "n"), start(3, other, "n"), start(4, old, "m")}) ==
          Results{AppendResult::Ok, AppendResult::NameTaken, AppendResult::Ok, AppendResult::Ok});
    CHECK(code(store.execution(ExecutionId{2})) == ErrorCode::NotFound);
    CHECK(code(store.events(ExecutionId{2}, 0, 10)) == ErrorCode::NotFound);
    CHECK(value(store.execution_named(recent, "n")).id == ExecutionId{1});
    CHECK(value(store.execution_named(other, "n")).id == ExecutionId{3});
    CHECK(code(store.execution_named(other, "m")) == ErrorCode::NotFound);
    CHECK(commit(store, {start(5, recent, "m")}) ==
          Results{AppendResult::NameTaken});  // also of one that was there before
  });
}

TEST_CASE("store: several appends to one execution in one group follow each other") {
  for_each_store([](Home& home) {
    Store& store = home.store();
    const MachineId m = value(store.put_machine(machine("orders"))).id;
    const Append a = start(1, m, "a");
    const Append z = end(a.row);
    CHECK(commit(store, {a, z, z}) == Results{AppendResult::Ok, AppendResult::Ok, AppendResult::Conflict});
    CHECK(value(store.execution(ExecutionId{1})) == z.row);
    CHECK(value(store.unfinished(ExecutionId{}, 10)).empty());
  });
}

TEST_CASE("store: a group for an unknown state machine is an error and writes nothing") {
  for_each_store([](Home& home) {
    Store& store = home.store();
    const MachineId m = value(store.put_machine(machine("orders"))).id;
    const auto results = store.commit(std::vector<Append>{start(1, m, "a"), start(2, MachineId{99}, "b")});
    CHECK(code(results) == ErrorCode::InvalidArgument);
    CHECK(code(store.execution(ExecutionId{1})) == ErrorCode::NotFound);
    CHECK(commit(store, {start(1, m, "a")}) == Results{AppendResult::Ok});
  });
}

TEST_CASE("store: events are read from anywhere, whole commits at a time") {
  for_each_store([](Home& home) {
    Store& store = home.store();
    const MachineId m = value(store.put_machine(machine("orders"))).id;
    Append append = start(1, m, "a", 2);  // 5 events
    std::vector<states::Event> all = append.events;
    commit(store, {append});
    for (int i = 0; i < 6; ++i) {
      append.expected = append.row.events;
      append.events = samples::assorted(static_cast<std::uint64_t>(i), 3);
      append.row.events += 3;
      commit(store, {append});
      all.insert(all.end(), append.events.begin(), append.events.end());
    }
    for (std::uint64_t after = 0; after <= all.size() + 1; ++after) {
      const auto rest = value(store.events(ExecutionId{1}, after, 1000));
      CHECK(rest ==
            std::vector(all.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(after, all.size())),
                        all.end()));
    }
    std::vector<states::Event> paged;
    while (paged.size() < all.size()) {
      const auto page = value(store.events(ExecutionId{1}, paged.size(), 4));
      REQUIRE(!page.empty());
      REQUIRE(page.size() <= 4 + 5);
      paged.insert(paged.end(), page.begin(), page.end());
    }
    CHECK(paged == all);
  });
}

TEST_CASE("store: lists are newest first and filtered") {
  for_each_store([](Home& home) {
    Store& store = home.store();
    const MachineId v1 = value(store.put_machine(machine("orders", "1"))).id;
    const MachineId v2 = value(store.put_machine(machine("orders", "2"))).id;
    const MachineId other = value(store.put_machine(machine("invoices"))).id;
    const ExecutionStatus outcomes[] = {ExecutionStatus::Running, ExecutionStatus::Succeeded,
                                        ExecutionStatus::Failed, ExecutionStatus::TimedOut,
                                        ExecutionStatus::Aborted};
    for (std::uint64_t id = 1; id <= 30; ++id) {
      const Append a = start(id,
                             id % 3 == 0   ? other
                             : id % 3 == 1 ? v1
                                           : v2,
                             (id % 2 ? "odd-" : "even-") + std::to_string(id));
      commit(store, {a});
      if (outcomes[id % 5] != ExecutionStatus::Running) commit(store, {end(a.row, outcomes[id % 5])});
    }
    const auto list = [&](const ExecutionFilter& filter, std::uint64_t before = 0, std::size_t limit = 100) {
      return ids(value(store.executions(filter, ExecutionId{before}, limit)));
    };
    CHECK(list({}, 0, 3) == Ids{30, 29, 28});
    CHECK(list({}, 28, 3) == Ids{27, 26, 25});
    CHECK(list({}, 1, 3).empty());
    CHECK(list({v1, "", {}, ""}, 10) == Ids{7, 4, 1});
    CHECK(list({{}, "orders", {}, ""}, 9) == Ids{8, 7, 5, 4, 2, 1});
    CHECK(list({{}, "nothing", {}, ""}).empty());
    CHECK(list({MachineId{99}, "", {}, ""}).empty());
    CHECK(list({v1, "invoices", {}, ""}).empty());
    CHECK(list({{}, "", ExecutionStatus::Running, ""}) == Ids{30, 25, 20, 15, 10, 5});
    CHECK(list({{}, "", ExecutionStatus::Succeeded, ""}, 20, 2) == Ids{16, 11});
    CHECK(list({{}, "invoices", ExecutionStatus::Failed, ""}) == Ids{27, 12});
    CHECK(list({{}, "", {}, "odd-2"}) == Ids{29, 27, 25, 23, 21});
    CHECK(list({{}, "orders", ExecutionStatus::Aborted, "even"}) == Ids{14, 4});
    CHECK(ids(value(store.unfinished(ExecutionId{}, 4))) == Ids{5, 10, 15, 20});
    CHECK(ids(value(store.unfinished(ExecutionId{20}, 4))) == Ids{25, 30});
    CHECK(value(store.last_execution()) == ExecutionId{30});
  });
}

TEST_CASE("store: revisions of state machines") {
  for_each_store([](Home& home) {
    Store& store = home.store();
    CHECK(value(store.machines()).empty());
    CHECK(value(store.last_execution()) == ExecutionId{});
    CHECK(code(store.newest_machine(kArn + "b")) == ErrorCode::NotFound);
    CHECK(code(store.machine(MachineId{1})) == ErrorCode::NotFound);
    const MachineRow b1 = value(store.put_machine(machine("b", "1")));
    MachineRow again = machine("b", "1");
    again.created += Millis(99);
    CHECK(value(store.put_machine(again)) == b1);
    const MachineRow b2 = value(store.put_machine(machine("b", "2")));
    const MachineRow b3 = value(store.put_machine(machine("b", "1")));  // an old text is the newest again
    const MachineRow a1 = value(store.put_machine(machine("a", "1")));
    CHECK(b1.id < b2.id);
    CHECK(b2.id < b3.id);
    CHECK(value(store.newest_machine(b1.arn)) == b3);
    CHECK(value(store.machine(b2.id)) == b2);
    CHECK(value(store.machines()) == std::vector{a1, b3});
    MachineRow role = machine("a", "1");
    role.role_arn = "another role";
    CHECK(value(store.put_machine(role)).id != a1.id);
  });
}

TEST_CASE("store: map runs, their children and their results") {
  for (const StoreKind& kind : kStores) {
    CAPTURE(kind.name);
    const auto home = kind.make();
    const MachineRow orders = home->store().put_machine(machine("orders")).value();
    MapRunRow run;
    run.arn = "arn:aws:states:us-east-1:123456789012:mapRun:orders/L:1";
    run.execution_arn = "parent";
    run.execution = ExecutionId{1};
    run.frame = FrameId{1};
    run.visit = 2;
    run.attempt = 1;
    run.machine = orders.id;
    run.state = "Map";
    run.started = from_millis(1'700'000'000'000);
    run.tolerated_percentage = 2.5;
    run = home->store().map_runs().put(run).value();
    CHECK(run.id.value == 1);
    MapRunRow other = run;
    other.id = {};
    other.arn += "2";
    other.express = true;
    other = home->store().map_runs().put(other).value();

    std::vector<Append> group = {start(1, orders.id, "parent")};
    for (std::uint64_t id = 2; id <= 4; ++id) {
      Append child = start(id, orders.id, id == 4 ? "parent" : "child-" + std::to_string(id));
      child.row.map_run = id == 4 ? other.id : run.id;
      child.row.map_items = static_cast<std::uint32_t>(id);
      group.push_back(child);
    }
    CHECK(home->store().commit(group).value() == std::vector(group.size(), AppendResult::Ok));

    MapResultRow good{0,  "a", ExecutionStatus::Succeeded, 3, run.started, run.started + Millis(5), {},
                      {}, {}};
    good.output = Payload::literal("[1,{}]");
    MapResultRow bad = good;
    bad.index = 7;
    bad.status = ExecutionStatus::Failed;
    bad.input = Payload::literal("{}");
    bad.output.reset();
    bad.failure = Failure{"E", "", true, true};
    const MapResultRow results[] = {bad, good};
    REQUIRE(home->store().map_runs().add_results(other.id, results));
    REQUIRE(home->store().map_runs().add_results(other.id, results));  // the same again: no more of them

    other.status = MapRunStatus::Failed;
    other.stopped = run.started + Millis(9);
    other.children.failed = 1;
    other.items.succeeded = 3;
    other.failure = Failure{"States.ItemReaderFailed", "no", true, true};
    REQUIRE(home->store().map_runs().put(other));
    home->reopen();

    MapRunTable& runs = home->store().map_runs();
    CHECK(runs.find(run.arn).value() == run);
    CHECK(runs.get(other.id).value() == other);
    CHECK(runs.find("nothing").error().code == ErrorCode::NotFound);
    REQUIRE(runs.running().value().size() == 1);
    CHECK(runs.running().value()[0] == run);
    REQUIRE(runs.of(ExecutionId{1}, {}, 10).value().size() == 2);
    CHECK(runs.of(ExecutionId{1}, {}, 10).value()[0] == other);
    CHECK(runs.of(ExecutionId{1}, other.id, 10).value()[0] == run);
    CHECK(runs.of(ExecutionId{2}, {}, 10).value().empty());

    const auto read = runs.results(other.id, 0, 10, true).value();
    REQUIRE(read.size() == 2);
    CHECK(read[0] == good);
    CHECK(read[1] == bad);
    CHECK(runs.results(other.id, 1, 10, false).value()[0].items == 3);
    CHECK_FALSE(runs.results(other.id, 1, 10, false).value()[0].input);

    const auto children = home->store().children(run.id, {}, 10).value();
    REQUIRE(children.size() == 2);
    CHECK(children[0].id == ExecutionId{2});
    CHECK(children[1].map_items == 3);
    CHECK(home->store().children(run.id, ExecutionId{2}, 10).value().size() == 1);
    CHECK(home->store().child_named("child-3").value().id == ExecutionId{3});
    CHECK(home->store().child_named("nobody").error().code == ErrorCode::NotFound);
    CHECK(home->store().executions({}, {}, 10).value().size() ==
          1);  // children are not among a machine's executions
    ExecutionFilter of_run;
    of_run.map_run = run.id;
    REQUIRE(home->store().executions(of_run, {}, 10).value().size() == 2);
    CHECK(home->store().executions(of_run, {}, 10).value()[0].id == ExecutionId{3});
  }
}

TEST_CASE("store: an execution keeps the version and alias it was started by, and lists by them") {
  for_each_store([](Home& home) {
    const MachineRow m = value(home.store().put_machine(machine("orders")));
    Append plain = start(1, m.id, "plain"), one = start(2, m.id, "one"), two = start(3, m.id, "two");
    one.row.version = two.row.version = 7;
    two.row.alias = "live";
    commit(home.store(), {plain, one, two});
    const auto look = [&] {
      Store& store = home.store();
      CHECK(value(store.execution(ExecutionId{3})) == two.row);
      ExecutionFilter filter;
      filter.family = m.family;
      CHECK(ids(value(store.executions(filter, {}, 9))) == Ids{3, 2, 1});
      filter.version = 7;
      CHECK(ids(value(store.executions(filter, {}, 9))) == Ids{3, 2});
      filter.alias = "live";
      CHECK(ids(value(store.executions(filter, {}, 9))) == Ids{3});
      filter.version = 8;
      CHECK(value(store.executions(filter, {}, 9)).empty());
    };
    look();
    if (home.reopen()) look();
  });
}

TEST_CASE("store: executions are listed by whether they were redriven") {
  for_each_store([](Home& home) {
    const MachineRow m = value(home.store().put_machine(machine("orders")));
    const Append one = start(1, m.id, "one"), two = start(2, m.id, "two");
    commit(home.store(), {one, two});
    Append again = end(two.row, ExecutionStatus::Failed);
    again.row.redrives = 2;
    again.row.redriven = from_millis(1'000);
    commit(home.store(), {again});
    const auto look = [&] {
      ExecutionFilter filter;
      filter.family = m.family;
      filter.redriven = true;
      CHECK(ids(value(home.store().executions(filter, {}, 9))) == Ids{2});
      filter.redriven = false;
      CHECK(ids(value(home.store().executions(filter, {}, 9))) == Ids{1});
    };
    look();
    if (home.reopen()) look();
  });
}

TEST_CASE("store: a deleted state machine leaves its name and keeps its histories") {
  for_each_store([](Home& home) {
    Store& store = home.store();
    const MachineRow old = value(store.put_machine(machine("orders", "1")));
    value(store.put_machine(machine("orders", "2")));
    const Append a = start(1, old.id, "a");
    commit(store, {a, end(a.row)});
    REQUIRE(store.catalog().set_machine_status(old.family, MachineStatus::Deleting));
    CHECK(value(store.newest_machine(old.arn)).status == MachineStatus::Deleting);
    REQUIRE(store.catalog().set_machine_status(old.family, MachineStatus::Deleted));
    CHECK(code(store.newest_machine(old.arn)) == ErrorCode::NotFound);
    CHECK(value(store.machines()).empty());
    MachineRow express = machine("orders", "1");
    express.type = MachineType::Express;
    express.revision = "a first revision has none";
    const MachineRow again = value(store.put_machine(express));
    CHECK(again.family == again.id);
    CHECK(again.family != old.family);
    CHECK(again.type == MachineType::Express);
    CHECK(again.revision.empty());
    CHECK(commit(store, {start(2, again.id, "a")}) == Results{AppendResult::Ok});  // the name is free
    CHECK(value(store.find_execution("orders", "a")).id == ExecutionId{2});
    CHECK(value(store.execution(ExecutionId{1})).machine == old.id);
    CHECK(value(store.machine(old.id)).definition == "1");
    CHECK(value(store.execution_named(old.id, "a")).id == ExecutionId{1});
    CHECK(ids(value(store.executions({{}, "orders", {}, ""}, {}, 9))) == Ids{2});
    CHECK(code(store.find_execution("orders", "b")) == ErrorCode::NotFound);
    CHECK(code(store.find_execution("invoices", "a")) == ErrorCode::NotFound);
  });
}

TEST_CASE("catalog: versions have numbers that are never used again") {
  for_each_store([](Home& home) {
    const MachineRow m = value(home.store().put_machine(machine("orders")));
    const MachineRow other = value(home.store().put_machine(machine("invoices")));
    {
      Catalog& catalog = home.store().catalog();
      for (int i = 1; i <= 3; ++i)
        CHECK(value(catalog.add_version({m.family, 0, m.id, "v", m.created})).number ==
              static_cast<std::uint32_t>(i));
      CHECK(value(catalog.add_version({other.family, 0, other.id, "", m.created})).number == 1);
      REQUIRE(catalog.remove_version(m.family, 3));
      REQUIRE(catalog.remove_version(m.family, 77));
    }
    home.reopen();
    Catalog& catalog = home.store().catalog();
    const VersionRow four = value(catalog.add_version({m.family, 0, m.id, "fourth", m.created}));
    CHECK(four.number == 4);
    CHECK(value(catalog.version(m.family, 4)) == four);
    CHECK(code(catalog.version(m.family, 3)) == ErrorCode::NotFound);
    CHECK(value(catalog.versions(m.family, 0, 2)).size() == 2);
    CHECK(value(catalog.versions(m.family, 0, 2))[0] == four);
    CHECK(value(catalog.versions(m.family, 2, 9)).size() == 1);
    CHECK(value(catalog.versions(other.family, 0, 9)).size() == 1);
  });
}

TEST_CASE("catalog: aliases, activities and tags") {
  for_each_store([](Home& home) {
    const MachineRow m = value(home.store().put_machine(machine("orders")));
    const AliasRow live{m.family, "live", "d", {{1, 90}, {2, 10}}, m.created, m.created};
    const AliasRow test{m.family, "test", "", {{2, 100}}, m.created, m.created};
    AliasRow changed = live;
    changed.routes = {{3, 100}};
    const ActivityRow activity{"arn:b", "b", m.created}, first{"arn:a", "a", m.created};
    {
      Catalog& catalog = home.store().catalog();
      for (const AliasRow& alias : {test, live}) REQUIRE(catalog.put_alias(alias));
      CHECK(value(catalog.aliases(m.family, "", 9)) == std::vector{live, test});
      REQUIRE(catalog.put_alias(changed));
      for (const ActivityRow& a : {activity, first}) REQUIRE(catalog.put_activity(a));
      for (const TagRow& tag : {TagRow{"k2", ""}, TagRow{"k1", "v"}, TagRow{"k2", "w"}})
        REQUIRE(catalog.put_tag("arn:a", tag));
    }
    home.reopen();
    Catalog& catalog = home.store().catalog();
    CHECK(value(catalog.alias(m.family, "live")) == changed);
    CHECK(value(catalog.aliases(m.family, "live", 9)) == std::vector{test});
    REQUIRE(catalog.remove_alias(m.family, "live"));
    CHECK(code(catalog.alias(m.family, "live")) == ErrorCode::NotFound);
    CHECK(value(catalog.activities("", 9)) == std::vector{first, activity});
    CHECK(value(catalog.activities("arn:a", 9)) == std::vector{activity});
    REQUIRE(catalog.remove_activity("arn:b"));
    CHECK(code(catalog.activity("arn:b")) == ErrorCode::NotFound);
    CHECK(value(catalog.activity("arn:a")) == first);
    CHECK(value(catalog.tags("arn:a")) == std::vector{TagRow{"k1", "v"}, TagRow{"k2", "w"}});
    REQUIRE(catalog.remove_tag("arn:a", "k1"));
    CHECK(value(catalog.tags("arn:a")) == std::vector{TagRow{"k2", "w"}});
    CHECK(value(catalog.tags("arn:b")).empty());
  });
}

TEST_CASE("catalog: what is done at once is done whole or not at all") {
  for_each_store([](Home& home) {
    Catalog& catalog = home.store().catalog();
    const Status refused = catalog.atomically([&]() -> Status {
      CHECK(catalog.put_machine(machine("orders")));
      CHECK(catalog.put_tag("arn:a", {"k", "v"}));
      return invalid("on second thoughts");
    });
    CHECK(!refused);
    CHECK(value(catalog.tags("arn:a")).empty());
    CHECK(code(catalog.newest_machine(kArn + "orders")) == ErrorCode::NotFound);
    CHECK(catalog.atomically([&] { return catalog.put_tag("arn:a", {"k", "v"}); }));
    CHECK(value(catalog.tags("arn:a")).size() == 1);
  });
}

TEST_CASE("store: facts") {
  for_each_store([](Home& home) {
    CHECK(code(home.store().fact("key")) == ErrorCode::NotFound);
    REQUIRE(home.store().put_fact("key", "1"));
    const std::string bytes("a\0b\xff", 4);
    REQUIRE(home.store().put_fact("key", bytes));
    CHECK(value(home.store().fact("key")) == bytes);
    if (home.reopen()) CHECK(value(home.store().fact("key")) == bytes);
  });
}

TEST_CASE("store: what ended long ago is removed in small steps, its name is free, its id is not") {
  for_each_store([](Home& home) {
    Store& store = home.store();
    const MachineRow m = value(store.put_machine(machine("m")));
    for (std::uint64_t id = 1; id <= 6; ++id) commit(store, {start(id, m.id, "e" + std::to_string(id))});
    for (const std::uint64_t id : {1, 2, 4, 5, 6})
      commit(store, {end(value(store.execution(ExecutionId{id})))});
    // e3 runs on; e5 and e6 began too late.
    const Instant before = from_millis(1'700'000'000'005);
    RemoveEnded request{before + Millis(5), {}, 2};
    request.before = from_millis(1'700'000'000'010);  // e1 ended at …006, e2 at …007, e4 at …009, e5 at …010
    std::size_t removed = 0;
    int steps = 0;
    for (bool done = false; !done; ++steps) {
      const RemovedEnded step = value(store.remove_ended(request));
      CHECK(step.executions <= 2);
      removed += step.executions;
      request.after = step.next;
      done = step.done;
      REQUIRE(steps < 10);
    }
    CHECK(removed == 3);
    CHECK(steps > 1);
    CHECK(ids(value(store.executions({}, {}, 100))) == Ids{6, 5, 3});
    CHECK(code(store.events(ExecutionId{1}, 0, 10)) == ErrorCode::NotFound);
    CHECK(code(store.execution_named(m.id, "e4")) == ErrorCode::NotFound);
    CHECK(value(store.events(ExecutionId{5}, 0, 10)).size() > 0);
    CHECK(commit(store, {start(7, m.id, "e1")}) == Results{AppendResult::Ok});
    // The newest goes as well, and its id is remembered.
    commit(store, {end(value(store.execution(ExecutionId{7}))), end(value(store.execution(ExecutionId{3})))});
    const RemovedEnded rest = value(store.remove_ended({from_millis(1'800'000'000'000), {}, 100}));
    CHECK(rest.executions == 4);
    CHECK(rest.done);
    if (home.reopen()) CHECK(value(home.store().last_execution()).value == 7);
    CHECK(value(home.store().last_execution()).value == 7);
    REQUIRE(home.store().reserve(ExecutionId{1000}));
    REQUIRE(home.store().reserve(ExecutionId{10}));
    CHECK(value(home.store().last_execution()).value == 1000);
  });
}

TEST_CASE(
    "store: a removed execution takes its map runs and their children along; one that runs keeps them") {
  for_each_store([](Home& home) {
    Store& store = home.store();
    const MachineRow m = value(store.put_machine(machine("m")));
    commit(store, {start(1, m.id, "parent")});
    MapRunRow run;
    run.arn = "arn:map-run";
    run.execution = ExecutionId{1};
    run.machine = m.id;
    run.started = from_millis(1'700'000'000'001);
    run = value(store.map_runs().put(run));
    for (std::uint64_t id = 2; id <= 6; ++id) {
      Append child = start(id, m.id, "child" + std::to_string(id));
      child.row.map_run = run.id;
      commit(store, {child});
      commit(store, {end(value(store.execution(ExecutionId{id})))});
    }
    const Instant late = from_millis(1'800'000'000'000);
    const auto remove_all = [&] {
      RemoveEnded request{late, {}, 2};
      std::size_t removed = 0;
      for (int steps = 0; steps < 20; ++steps) {
        const RemovedEnded step = value(store.remove_ended(request));
        removed += step.executions;
        request.after = step.next;
        if (step.done) return removed;
      }
      FAIL("it does not come to an end");
      return removed;
    };
    CHECK(remove_all() == 0);  // the parent runs
    CHECK(value(store.children(run.id, {}, 10)).size() == 5);
    commit(store, {end(value(store.execution(ExecutionId{1})))});
    CHECK(remove_all() == 0);  // the map run does
    run.status = MapRunStatus::Succeeded;
    value(store.map_runs().put(run));
    CHECK(remove_all() == 1);
    CHECK(value(store.children(run.id, {}, 10)).empty());
    CHECK(code(store.map_runs().get(run.id)) == ErrorCode::NotFound);
    CHECK(code(store.execution(ExecutionId{4})) == ErrorCode::NotFound);
  });
}
