#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <future>

#include <unistd.h>

#include "base/encoding.h"
#include "service/objects/catalog.h"
#include "service/objects/key_walk.h"
#include "service/objects/uploads.h"

using namespace millrace;
using namespace millrace::objects;

namespace {

namespace fs = std::filesystem;

struct ObjectsFolder {
  fs::path path = fs::temp_directory_path() / ("millrace-objects-" + std::to_string(::getpid()));
  ObjectsFolder() {
    fs::remove_all(path);
    fs::create_directories(path / "objects/b");
  }
  ~ObjectsFolder() { fs::remove_all(path); }
  fs::path bucket() const { return path / "objects/b"; }
  void write(const std::string& key, const std::string& text) const {
    fs::create_directories((bucket() / key).parent_path());
    std::ofstream(bucket() / key) << text;
  }
};

std::vector<std::string> walked(const fs::path& bucket, const std::string& prefix,
                                const std::string& after = "") {
  KeyWalk walk(bucket, prefix, after);
  std::vector<std::string> keys;
  for (;;) {
    const auto next = walk.next();
    REQUIRE(next);
    if (!*next) return keys;
    keys.push_back((*next)->key);
  }
}

// A catalog over the folder, and what it published: name of the batch, then its entries.
struct Opened {
  std::vector<std::pair<std::string, std::vector<Json>>> published;
  Status answer{};
  SystemClock clock;
  std::unique_ptr<Catalog> catalog;
  explicit Opened(const ObjectsFolder& folder) {
    Catalog::Settings settings;
    settings.root = folder.path / "objects";
    settings.path = (folder.path / "objects.db").string();
    settings.publish = [this](const std::vector<Json>& entries, const std::string& name) {
      if (answer) published.emplace_back(name, entries);
      return answer;
    };
    auto opened = Catalog::open(std::move(settings), clock, 7);
    REQUIRE(opened);
    catalog = std::move(*opened);
  }
  std::vector<std::string> events() {
    std::vector<std::string> out;
    for (const auto& [name, entries] : published)
      for (const Json& entry : entries)
        out.push_back(entry["DetailType"].get<std::string>() + " " +
                      entry["Detail"]["object"]["key"].get<std::string>() + " " +
                      entry["Detail"]["reason"].get<std::string>());
    return out;
  }
  Status put(const ObjectsFolder& folder, Uploads& uploads, const std::string& key, const std::string& text,
             WriteConditions conditions = {}) {
    auto file = uploads.temporary();
    REQUIRE(file);
    REQUIRE((*file)->write(text));
    const auto state = (*file)->finish();
    REQUIRE(state);
    std::promise<Status> done;
    catalog->put({{"b", key},
                  (*file)->release(),
                  folder.bucket() / key,
                  {*state, digest_hex(Digest::Md5, text), {{"content-type", "a/b"}}},
                  std::move(conditions),
                  {}},
                 [&](Status status) { done.set_value(std::move(status)); });
    return done.get_future().get();
  }
};

}  // namespace

TEST_CASE("key walk: keys in the order of their bytes, from anywhere on") {
  const ObjectsFolder folder;
  for (const char* key : {"a", "b-c", "b/1", "b/2", "b/deep/3", "b0", "z"}) folder.write(key, "x");
  folder.write(".unfinished-1", "x");
  fs::create_symlink(folder.bucket() / "a", folder.bucket() / "link");
  const std::vector<std::string> all = {"a", "b-c", "b/1", "b/2", "b/deep/3", "b0", "z"};
  CHECK(walked(folder.bucket(), "") == all);
  for (std::size_t i = 0; i < all.size(); ++i)
    CHECK(walked(folder.bucket(), "", all[i]) ==
          std::vector<std::string>(all.begin() + static_cast<std::ptrdiff_t>(i) + 1, all.end()));
  CHECK(walked(folder.bucket(), "b/", "b/1") == std::vector<std::string>{"b/2", "b/deep/3"});
  CHECK(walked(folder.bucket(), "b", "b/deep/") == std::vector<std::string>{"b/deep/3", "b0"});
  CHECK(walked(folder.bucket(), "../b/").empty());
  CHECK(walked(folder.bucket(), "nothing/").empty());
  KeyWalk walk(folder.bucket(), "");
  REQUIRE(walk.next());
  walk.skip("b/");
  CHECK((**walk.next()).key == "b0");
}

TEST_CASE(
    "catalog: each change is one event, and a second process publishes none of them again under another "
    "name") {
  const ObjectsFolder folder;
  Uploads uploads(folder.path / "objects");
  REQUIRE(uploads.clean({}));
  std::string first_name;
  {
    Opened opened(folder);
    CHECK(opened.put(folder, uploads, "d/x", "one"));
    CHECK(opened.put(folder, uploads, "d/x", "two", {true, {}}).error().code == ErrorCode::Conflict);
    CHECK(opened.put(folder, uploads, "d/x", "two", {false, digest_hex(Digest::Md5, "one")}));
    CHECK(opened.put(folder, uploads, "d", "x").error().code == ErrorCode::InvalidArgument);
    CHECK(opened.put(folder, uploads, "d/x/y", "x").error().code == ErrorCode::InvalidArgument);
    const auto state = state_of(folder.bucket() / "d/x");
    REQUIRE(state);
    const auto record = opened.catalog->find({"b", "d/x"}, *state);
    REQUIRE((record && *record));
    CHECK((*record)->etag == digest_hex(Digest::Md5, "two"));
    CHECK(header_of((*record)->headers, "content-type") == "a/b");
    // A file that was put there by others, reported twice; one that is known; one that is gone.
    folder.write("dropped", "bytes");
    const auto dropped = state_of(folder.bucket() / "dropped");
    for (int i = 0; i < 2; ++i)
      opened.catalog->found({"b", "dropped"}, folder.bucket() / "dropped", *dropped, "etag");
    opened.catalog->found({"b", "d/x"}, folder.bucket() / "d/x", *state, "etag");
    fs::remove(folder.bucket() / "d/x");
    for (int i = 0; i < 2; ++i) opened.catalog->missed({"b", "d/x"}, folder.bucket() / "d/x");
    std::promise<void> done;
    opened.catalog->remove({"b", "nothing"}, folder.bucket() / "nothing", {}, {},
                           [&](const Status&) { done.set_value(); });
    done.get_future().get();
    opened.catalog.reset();
    CHECK(opened.events() ==
          std::vector<std::string>{"Object Created d/x PutObject", "Object Created d/x PutObject",
                                   "Object Created dropped PutObject", "Object Deleted d/x DeleteObject"});
    first_name = opened.published.front().first;
  }
  Opened again(folder);
  CHECK(again.put(folder, uploads, "late", "x"));
  again.catalog.reset();
  for (const auto& [name, entries] : again.published) CHECK(name != first_name);
  CHECK(again.events() == std::vector<std::string>{"Object Created late PutObject"});
}

TEST_CASE("catalog: events wait for a log that is not there") {
  const ObjectsFolder folder;
  Uploads uploads(folder.path / "objects");
  REQUIRE(uploads.clean({}));
  {
    Opened opened(folder);
    opened.answer = fail(ErrorCode::OutOfSpace, "full");
    CHECK(opened.put(folder, uploads, "x", "one"));
    opened.catalog.reset();
    CHECK(opened.published.empty());
  }
  Opened again(folder);
  again.catalog.reset();
  CHECK(again.events() == std::vector<std::string>{"Object Created x PutObject"});
}

TEST_CASE("catalog: what was pending when the process ended is an object, or never was") {
  const ObjectsFolder folder;
  Uploads uploads(folder.path / "objects");
  REQUIRE(uploads.clean({}));
  { Opened opened(folder); }
  folder.write("renamed", "one");
  folder.write("other", "two");
  const fs::path waiting = folder.path / "objects/.uploads/put-1-1";
  std::ofstream(waiting) << "three";
  {
    auto database = Database::open((folder.path / "objects.db").string());
    REQUIRE(database);
    const auto pend = [&](const std::string& key, const FileState& state, const std::string& temporary) {
      auto insert = database->prepare(
          "INSERT INTO pending (bucket, key, bytes, modified, etag, headers, temporary, reason, "
          "request_id, requester, source) VALUES ('b', ?1, ?2, ?3, 'etag', 'content-type: a/b\n', ?4, "
          "'CopyObject', '', '', '')");
      REQUIRE(insert);
      insert->bind(1, std::string_view(key))
          .bind(2, state.bytes)
          .bind(3, state.modified_ns)
          .bind(4, std::string_view(temporary));
      REQUIRE(insert->run());
    };
    pend("renamed", *state_of(folder.bucket() / "renamed"), "/nowhere/put-1");
    pend("other", *state_of(waiting), waiting.string());
  }
  Opened again(folder);
  const auto record = again.catalog->find({"b", "renamed"}, *state_of(folder.bucket() / "renamed"));
  REQUIRE((record && *record));
  CHECK(header_of((*record)->headers, "content-type") == "a/b");
  again.catalog.reset();
  CHECK(again.events() == std::vector<std::string>{"Object Created renamed CopyObject"});
  CHECK_FALSE(fs::exists(waiting));
}

TEST_CASE("uploads: parts are kept by number, old uploads and cut requests go") {
  const ObjectsFolder folder;
  Uploads uploads(folder.path / "objects");
  REQUIRE(uploads.clean({}));
  const std::string id = "01a1fd65-b556-48d1-81e2-0afac42bd7a7";
  const Upload upload{
      id, {"b", "k ü"}, from_millis(5000), {{"content-type", "a/b"}, {"x-amz-meta-x", "1: 2"}}};
  REQUIRE(uploads.begin(upload));
  const auto read = uploads.find(id, {"b", "k ü"});
  REQUIRE(read);
  CHECK(read->headers == upload.headers);
  CHECK(read->begun == upload.begun);
  CHECK_FALSE(uploads.find(id, {"b", "other"}));
  CHECK_FALSE(uploads.find("../../../../../../../../../../../../etc/", {"b", "k ü"}));
  for (const char* text : {"old", "new"}) {
    auto file = uploads.temporary();
    REQUIRE((*file)->write(text));
    REQUIRE(uploads.add_part(id, 2, digest_hex(Digest::Md5, text), std::move(*file)));
  }
  const auto parts = uploads.parts(id);
  REQUIRE(parts);
  REQUIRE(parts->size() == 1);
  CHECK(parts->at(0).number == 2);
  CHECK(parts->at(0).etag == digest_hex(Digest::Md5, "new"));
  { const auto dropped = uploads.temporary(); }
  CHECK(uploads.list("b").size() == 1);
  CHECK(uploads.list("c").empty());
  REQUIRE(uploads.clean(from_millis(5000)));
  CHECK(uploads.list("b").size() == 1);
  REQUIRE(uploads.clean(from_millis(5001)));
  CHECK(uploads.list("b").empty());
  CHECK(fs::is_empty(folder.path / "objects/.uploads"));
}
