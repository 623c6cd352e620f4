#include "tasks/artifacts/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>

#include "tasks/artifacts/files.h"
#include "tests/tasks/support/temporary_store.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

namespace fs = std::filesystem;

using Files = std::map<std::string, std::string>;

void pack(const fs::path& path, const Files& files) {
  auto archive = ArchiveWriter::create(path);
  REQUIRE_MESSAGE(archive.has_value(), (archive ? "" : archive.error().message));
  for (const auto& [name, bytes] : files) REQUIRE(archive->add(name, bytes).has_value());
  REQUIRE(archive->finish().has_value());
}

// A tar file of one entry as a stranger could make it.
void hostile(const fs::path& path, const std::string& name, unsigned type, const std::string& link) {
  archive* writer = archive_write_new();
  archive_write_set_format_gnutar(writer);
  archive_write_open_filename(writer, path.c_str());
  archive_entry* entry = archive_entry_new();
  archive_entry_set_pathname(entry, name.c_str());
  archive_entry_set_filetype(entry, type);
  archive_entry_set_perm(entry, 0644);
  archive_entry_set_size(entry, type == AE_IFREG && link.empty() ? 2 : 0);
  if (type == AE_IFLNK) archive_entry_set_symlink(entry, link.c_str());
  if (type == AE_IFREG && !link.empty()) archive_entry_set_hardlink(entry, link.c_str());
  archive_write_header(writer, entry);
  if (type == AE_IFREG && link.empty()) archive_write_data(writer, "hi", 2);
  archive_entry_free(entry);
  archive_write_free(writer);
}

std::string refusal_of(const fs::path& path, const ArchiveLimits& limits = {}) {
  const auto files = read_archive(path, limits);
  REQUIRE(!files);
  CHECK(files.error().code == ErrorCode::DataLoss);
  return files.error().message;
}

}  // namespace

TEST_CASE("Archive: files come back as they were; the same files are the same bytes") {
  const TemporaryStore store;
  const fs::path path = store.directory / "deep/er/model.tar.gz";
  const Files files = {{"a.txt", "alpha"},
                       {"empty", ""},
                       {"sub/dir/b.bin", std::string(300'000, '\0') + "end"},
                       {std::string(150, 'n') + "/" + std::string(120, 'm'), "a name longer than a header"}};
  pack(path, files);
  const auto read = read_archive(path);
  REQUIRE_MESSAGE(read.has_value(), (read ? "" : read.error().message));
  CHECK(*read == files);
  const std::string bytes = *read_file(path);
  CHECK(bytes.size() < 3000);
  pack(path, files);
  CHECK(*read_file(path) == bytes);
  REQUIRE(extract_archive(path, store.directory / "out").has_value());
  CHECK(*read_file(store.directory / "out/sub/dir/b.bin") == files.at("sub/dir/b.bin"));
}

TEST_CASE("Archive: a file from the disk, executable stays executable; unfinished leaves nothing") {
  const TemporaryStore store;
  REQUIRE(replace_file(store.directory / "run", "#!/bin/sh\n", 0755).has_value());
  {
    auto archive = ArchiveWriter::create(store.directory / "x.tar.gz");
    REQUIRE(archive->add_file("bin/run", store.directory / "run").has_value());
    CHECK(archive->add_file("none", store.directory / "none").error().code == ErrorCode::NotFound);
    REQUIRE(archive->finish().has_value());
  }
  REQUIRE(extract_archive(store.directory / "x.tar.gz", store.directory / "out").has_value());
  struct stat status {};
  REQUIRE(::stat((store.directory / "out/bin/run").c_str(), &status) == 0);
  CHECK((status.st_mode & 0100u) != 0);
  {
    auto archive = ArchiveWriter::create(store.directory / "left/y.tar.gz");
    REQUIRE(archive->add("a", "b").has_value());
  }
  CHECK(fs::is_empty(store.directory / "left"));
}

TEST_CASE("Archive: what leads outside, links, bombs and cut files are refused") {
  const TemporaryStore store;
  const fs::path path = store.directory / "bad.tar";
  for (const char* name : {"../outside", "/etc/outside", "a/../../outside"}) {
    hostile(path, name, AE_IFREG, "");
    CHECK(refusal_of(path).find("leads outside") != std::string::npos);
    CHECK(!extract_archive(path, store.directory / "in/out").has_value());
    CHECK(!fs::exists(store.directory / "in/outside"));
  }
  hostile(path, "link", AE_IFLNK, "/etc/passwd");
  CHECK(refusal_of(path).find("is a link or a device") != std::string::npos);
  hostile(path, "hard", AE_IFREG, "/etc/passwd");
  CHECK(refusal_of(path).find("is a link or a device") != std::string::npos);

  const fs::path bomb = store.directory / "bomb.tar.gz";
  pack(bomb, {{"zeros", std::string(5'000'000, '\0')}});
  CHECK(fs::file_size(bomb) < 100'000);
  CHECK(refusal_of(bomb, {.bytes_max = 1'000'000}).find("unpacks to more than 1000000 bytes") !=
        std::string::npos);
  pack(bomb, {{"a", "1"}, {"b", "2"}, {"c", "3"}});
  CHECK(refusal_of(bomb, {.files_max = 2}).find("more than 2 entries") != std::string::npos);
  const std::string whole = *read_file(bomb);
  for (const std::size_t cut : {std::size_t{1}, std::size_t{10}, whole.size() / 2, whole.size() - 9}) {
    REQUIRE(replace_file(bomb, whole.substr(0, cut)).has_value());
    CHECK_MESSAGE(!read_archive(bomb).has_value(), "cut at " << cut);
  }
  CHECK(read_archive(store.directory / "none").error().code == ErrorCode::NotFound);
}
