#include "base/sqlite.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace millrace;

namespace {

struct TemporaryDirectory {
  std::filesystem::path path;
  TemporaryDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "millrace-XXXXXX").string();
    path = mkdtemp(pattern.data());
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path); }
};

}  // namespace

TEST_CASE("sqlite: values come back, a transaction that is not committed leaves nothing") {
  TemporaryDirectory home;
  auto database = Database::open((home.path / "t.db").string());
  REQUIRE(database);
  REQUIRE(database->execute("CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT UNIQUE, bytes BLOB, x REAL)"));
  auto insert = database->prepare("INSERT INTO t(id, name, bytes, x) VALUES(?,?,?,?)");
  REQUIRE(insert);
  const std::string bytes("a\0b", 3);
  CHECK(insert->bind(1, std::int64_t{1}).bind(2, "é").bind_blob(3, bytes).bind(4, 1.5).run());
  {
    auto transaction = Transaction::begin(*database);
    REQUIRE(transaction);
    CHECK(insert->bind(1, std::int64_t{2}).bind(2, "b").bind_null(3).bind(4, 0.0).run());
  }
  auto select = database->prepare("SELECT id, name, bytes, x FROM t ORDER BY id");
  REQUIRE(select);
  REQUIRE(select->step().value_or(false));
  CHECK(select->integer(0) == 1);
  CHECK(select->text(1) == "é");
  CHECK(select->blob(2) == bytes);
  CHECK(select->real(3) == 1.5);
  CHECK(!select->step().value_or(true));
  select->reset();
  const auto twice = insert->bind(1, std::int64_t{3}).bind(2, "é").run();
  REQUIRE(!twice);
  CHECK(twice.error().code == ErrorCode::AlreadyExists);
}

TEST_CASE("sqlite: a file that is no database is reported as damaged and left alone") {
  TemporaryDirectory home;
  const auto path = home.path / "t.db";
  const std::string text(5000, 'x');
  std::ofstream(path) << text;
  const auto opened = Database::open(path.string());
  REQUIRE(!opened);
  CHECK(opened.error().code == ErrorCode::DataLoss);
  CHECK(opened.error().message.find(path.string()) == 0);
  std::ifstream in(path);
  CHECK(std::string(std::istreambuf_iterator<char>(in), {}) == text);
}

TEST_CASE("sqlite: a path that can't be written is named") {
  const auto opened = Database::open("/nonexistent/dir/t.db");
  REQUIRE(!opened);
  CHECK(opened.error().code == ErrorCode::InvalidArgument);
  CHECK(opened.error().message.find("/nonexistent/dir/t.db") == 0);
}

TEST_CASE("sqlite: a database that may not grow says the disk is full, and keeps what it had") {
  TemporaryDirectory home;
  auto database = Database::open((home.path / "t.db").string());
  REQUIRE(database);
  REQUIRE(database->execute("CREATE TABLE t(b BLOB); PRAGMA max_page_count=20"));
  auto insert = database->prepare("INSERT INTO t VALUES(?)");
  REQUIRE(insert);
  const std::string big(100'000, 'x');
  const auto result = insert->bind_blob(1, big).run();
  REQUIRE(!result);
  CHECK(result.error().code == ErrorCode::OutOfSpace);
  CHECK(insert->bind_blob(1, "small").run());
}
