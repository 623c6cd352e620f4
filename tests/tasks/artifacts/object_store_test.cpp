#include "tasks/artifacts/object_store.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "tasks/artifacts/files.h"
#include "tasks/artifacts/read_table.h"
#include "tests/tasks/support/temporary_store.h"

using namespace millrace;
using namespace millrace::tasks;
namespace fs = std::filesystem;

namespace {
std::string keys(const Result<std::vector<ObjectInfo>>& listed) {
  if (!listed) return std::string(name_of(listed.error().code));
  std::string out;
  for (const ObjectInfo& info : *listed) out += info.key + ":" + std::to_string(info.bytes) + " ";
  return out;
}
}  // namespace

TEST_CASE("S3 URIs: bucket and key, and a refusal that says what is expected") {
  auto uri = parse_s3_uri("s3://fraud/prepared/train/");
  REQUIRE(uri);
  CHECK(uri->bucket == "fraud");
  CHECK(uri->key == "prepared/train/");
  CHECK(uri->text() == "s3://fraud/prepared/train/");
  CHECK(parse_s3_uri("s3://fraud")->key.empty());
  CHECK(parse_s3_uri("/etc/passwd").error().message ==
        "\"/etc/passwd\" is not an S3 URI: expected s3://bucket/key");
  for (const char* bad : {"", "s3:/a/b", "s3://", "s3:///b", "s3://../b", "s3://.a/b", "s3://a b/c",
                          "s3://a/../b", "s3://a/b/..", "s3://a/./b", "s3://a//b", "s3://a//", "s3://a/b//",
                          "s3://a/b\nc", "s3://a/\x7f", "s3://a/\xff", "s3://-a/b"}) {
    CAPTURE(bad);
    auto refused = parse_s3_uri(bad);
    CHECK((!refused && refused.error().code == ErrorCode::InvalidArgument));
  }
  CHECK(!parse_s3_uri(std::string("s3://a/b\0c", 10)));
  CHECK(!parse_s3_uri("s3://a/" + std::string(1025, 'k')));
  CHECK(!parse_s3_uri("s3://a/" + std::string(256, 'k')));
  CHECK(join_uri("s3://a/b/", "/c") == "s3://a/b/c");
  CHECK(join_uri("s3://a", "c/") == "s3://a/c/");
}

TEST_CASE("objects: written, read, listed by prefix in the order of keys, removed") {
  TemporaryStore store;
  const ObjectStore& objects = store.objects;
  const std::string bytes("a\0b\n", 4);
  REQUIRE(objects.write("s3://b/train/two.csv", bytes));
  REQUIRE(objects.write("s3://b/train/one.csv", ""));
  REQUIRE(objects.write("s3://b/train2/x.csv", "x"));
  REQUIRE(objects.write("s3://b/train/_pipeline.json", "{}"));
  CHECK(*objects.read("s3://b/train/two.csv") == bytes);
  REQUIRE(objects.write("s3://b/train/two.csv", "new"));
  CHECK(*objects.read("s3://b/train/two.csv") == "new");
  CHECK(keys(objects.list("s3://b/train/")) == "train/one.csv:0 train/two.csv:3 ");
  CHECK(keys(objects.list("s3://b/train/", true)) ==
        "train/_pipeline.json:2 train/one.csv:0 train/two.csv:3 ");
  CHECK(keys(objects.list("s3://b/train")) == "train/one.csv:0 train/two.csv:3 train2/x.csv:1 ");
  CHECK(keys(objects.list("s3://b/train/t")) == "train/two.csv:3 ");
  CHECK(keys(objects.list("s3://b/train/_pipeline.json")) == "train/_pipeline.json:2 ");
  CHECK(keys(objects.list("s3://b")) == "train/one.csv:0 train/two.csv:3 train2/x.csv:1 ");
  CHECK(keys(objects.list("s3://b/none/")) == "NotFound");
  CHECK(keys(objects.list("s3://nobucket/")) == "NotFound");
  REQUIRE(objects.remove_prefix("s3://b/train"));
  CHECK(keys(objects.list("s3://b")) == "train2/x.csv:1 ");
  CHECK(!fs::exists(store.directory / "objects/b/train"));
  REQUIRE(objects.remove_prefix("s3://b/"));
  REQUIRE(objects.remove_prefix("s3://b/never/there"));
  CHECK(keys(objects.list("s3://b")) == "NotFound");
}

TEST_CASE("objects: what is not there, and what can't be both object and prefix") {
  TemporaryStore store;
  const ObjectStore& objects = store.objects;
  REQUIRE(objects.write("s3://b/a/x", "1"));
  CHECK(objects.read("s3://b/y").error().code == ErrorCode::NotFound);
  CHECK(objects.read("s3://b/a/x/y").error().code == ErrorCode::NotFound);
  CHECK(objects.read("s3://b/a").error().hint == "it is a prefix: name one of the objects below it");
  CHECK(objects.write("s3://b/a", "1").error().code == ErrorCode::Conflict);
  CHECK(objects.write("s3://b/a/x/y", "1").error().message ==
        "s3://b/a/x is an object; it can't be the prefix of s3://b/a/x/y as well");
  CHECK(objects.write("s3://b/a/", "1").error().code == ErrorCode::InvalidArgument);
  CHECK(objects.path_of("s3://b/a/x")->string() == (store.directory / "objects/b/a/x").string());
}

TEST_CASE("objects: symbolic links out of the bucket are refused, for reading and for writing") {
  TemporaryStore store;
  const ObjectStore& objects = store.objects;
  REQUIRE(objects.write("s3://b/x", "1"));
  std::ofstream(store.directory / "secret") << "secret";
  fs::create_symlink(store.directory / "secret", store.directory / "objects/b/link");
  fs::create_directory_symlink(store.directory, store.directory / "objects/b/out");
  fs::create_symlink(store.directory / "gone", store.directory / "objects/b/dangling");
  CHECK(objects.read("s3://b/link").error().message.find("leads out of its bucket") != std::string::npos);
  CHECK(!objects.write("s3://b/out/new", "1"));
  CHECK(!fs::exists(store.directory / "new"));
  CHECK(!objects.list("s3://b/out/"));
  CHECK(keys(objects.list("s3://b")) == "x:1 ");
  REQUIRE(objects.write("s3://b/dangling", "1"));  // replaces the link, follows nothing
  CHECK(!fs::exists(store.directory / "gone"));
  // A link that stays inside is somebody's convenience.
  fs::create_symlink("x", store.directory / "objects/b/inside");
  CHECK(*objects.read("s3://b/inside") == "1");
}

TEST_CASE("objects: a reader sees the old content or the new, never a part") {
  TemporaryStore store;
  const std::string a(1 << 20, 'a'), b(1 << 18, 'b');
  REQUIRE(store.objects.write("s3://b/k", a));
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (int i = 0; i < 20; ++i) (void)store.objects.write("s3://b/k", i % 2 ? a : b);
    stop = true;
  });
  int odd = 0;
  while (!stop) {
    const auto read = store.objects.read("s3://b/k");
    odd += !read || (*read != a && *read != b);
  }
  writer.join();
  CHECK(odd == 0);
  CHECK(keys(store.objects.list("s3://b", true)).starts_with("k:"));
  CHECK(std::distance(fs::directory_iterator(store.directory / "objects/b"), fs::directory_iterator()) == 1);
}

TEST_CASE("files: a full disk is OutOfSpace, with what to do about it") {
  const int full = ::open("/dev/full", O_WRONLY);
  if (full < 0) {
    MESSAGE("skipped: /dev/full not there");
    return;
  }
  const Status status = write_all(full, "bytes", "s3://b/k");
  ::close(full);
  REQUIRE(!status);
  CHECK(status.error().code == ErrorCode::OutOfSpace);
  CHECK(status.error().message.find("s3://b/k") != std::string::npos);
  CHECK(!status.error().hint.empty());
}

TEST_CASE("a channel's objects are read as one table; a column that is text anywhere is text everywhere") {
  TemporaryStore store;
  REQUIRE(store.objects.write("s3://b/c/1.csv", "id,zip\n1,08\n2,09\n"));
  REQUIRE(store.objects.write("s3://b/c/2.csv", "id,zip\n3,AB\n"));
  REQUIRE(store.objects.write("s3://b/c/_pipeline.json", "{}"));
  auto table = read_table(store.objects, "s3://b/c/");
  REQUIRE(table);
  CHECK(table->rows == 3);
  CHECK(table->find("id")->numbers == std::vector<double>{1, 2, 3});
  CHECK(table->find("zip")->texts == std::vector<std::string>{"08", "09", "AB"});
  CHECK(table->find("zip")->first_text == "s3://b/c/2.csv:2: column \"zip\": \"AB\" is not a number");
  REQUIRE(store.objects.write("s3://b/c/3.csv", "id,code\n3,AB\n"));
  CHECK(read_table(store.objects, "s3://b/c/").error().message == "s3://b/c/3.csv: it has no column \"zip\"");
  CHECK(read_table(store.objects, "s3://b/d/").error().code == ErrorCode::NotFound);
  REQUIRE(write_table(store.objects, "s3://b/d/t.csv", *table));
  CHECK(*store.objects.read("s3://b/d/t.csv") == "id,zip\n1,08\n2,09\n3,AB\n");
}
