#include "service/objects/catalog.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/encoding.h"
#include "base/log.h"
#include "base/random.h"
#include "tasks/artifacts/files.h"

namespace millrace::objects {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kEventsOfBatch = 100;  // of one call of publish
constexpr Millis kPublishRetry{1000};
constexpr std::size_t kHashPiece = 1 << 20;

constexpr const char* kSchema =
    "CREATE TABLE IF NOT EXISTS object (bucket TEXT NOT NULL, key TEXT NOT NULL, bytes INTEGER NOT NULL,"
    " modified INTEGER NOT NULL, etag TEXT NOT NULL, headers TEXT NOT NULL, PRIMARY KEY (bucket, key))"
    " WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS pending (number INTEGER PRIMARY KEY, bucket TEXT NOT NULL, key TEXT NOT NULL,"
    " bytes INTEGER NOT NULL, modified INTEGER NOT NULL, etag TEXT NOT NULL, headers TEXT NOT NULL,"
    " temporary TEXT NOT NULL, reason TEXT NOT NULL, request_id TEXT NOT NULL, requester TEXT NOT NULL,"
    " source TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS outbox (number INTEGER PRIMARY KEY AUTOINCREMENT, batch INTEGER NOT NULL,"
    " entry TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID";
constexpr std::string_view kFind =
    "SELECT bytes, modified, etag, headers FROM object WHERE bucket = ?1 AND key = ?2";

tl::unexpected<Error> file_error(int number, const std::string& what) {
  const ErrorCode code = number == ENOSPC || number == EDQUOT ? ErrorCode::OutOfSpace : ErrorCode::Internal;
  return fail(code, what + ": " + std::strerror(number));
}

tl::unexpected<Error> key_conflict(const ObjectName& name, const std::string& other) {
  return invalid("The key '" + name.key + "' can't be an object: " + other +
                 ". Objects are files here, so that a key is either an object or the prefix of others.");
}

// The folders of a key below its bucket, made and each synced in its parent.
Status make_folders(const ObjectName& name, const fs::path& bucket, const fs::path& folder) {
  if (folder == bucket) return {};
  std::error_code code;
  if (fs::is_directory(fs::symlink_status(folder, code))) return {};
  MR_DO(make_folders(name, bucket, folder.parent_path()));
  if (::mkdir(folder.c_str(), 0777) != 0 && errno != EEXIST)
    return errno == ENOTDIR ? Status(key_conflict(name, "a part of it is one"))
                            : Status(file_error(errno, "can't make " + folder.string()));
  if (!fs::is_directory(fs::symlink_status(folder, code)))
    return key_conflict(name, "'" + folder.lexically_relative(bucket).generic_string() + "' is one");
  return tasks::sync_directory(folder.parent_path());
}

ObjectRecord record_in(const Statement& row, int first) {
  return {{row.integer(first), row.integer(first + 1)},
          std::string(row.text(first + 2)),
          headers_of(row.text(first + 3))};
}

}  // namespace

struct Catalog::Change {
  enum class Kind { Put, Remove, Found, Missed, KnownBefore, Baseline, Etag };
  Kind kind;
  ObjectName name;
  fs::path temporary, path;
  ObjectRecord record;
  WriteConditions conditions;
  EventOrigin origin;
  Done done;
  Status result{};
  bool moved = false;  // the file is where it belongs
  ~Change() {
    if (kind == Kind::Put && !moved) ::unlink(temporary.c_str());
  }
};

Catalog::Catalog(Settings settings, const Clock& clock) : settings_(std::move(settings)), clock_(clock) {}

Result<std::unique_ptr<Catalog>> Catalog::open(Settings settings, const Clock& clock, std::uint64_t seed) {
  std::error_code code;
  fs::create_directories(settings.root, code);
  if (code) return fail(ErrorCode::Internal, "can't make " + settings.root.string() + ": " + code.message());
  std::unique_ptr<Catalog> catalog(new Catalog(std::move(settings), clock));
  MR_DO(catalog->open_database(seed));
  MR_DO(catalog->settle_pending());
  catalog->unpublished_ = true;
  catalog->thread_ = std::thread([c = catalog.get()] { c->work(); });
  return catalog;
}

Catalog::~Catalog() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  wake_.notify_all();
  room_.notify_all();
  thread_.join();
}

Status Catalog::open_database(std::uint64_t seed) {
  MR_TRY(database, Database::open(settings_.path));
  database_ = std::move(database);
  MR_DO(database_.execute(kSchema));
  Random random(seed);
  MR_TRY(name, database_.prepare("INSERT OR IGNORE INTO fact (name, value) VALUES ('store', ?1)"));
  const std::string drawn = uuid_v4(random);
  MR_DO(name.bind(1, std::string_view(drawn)).run());
  MR_TRY(made, database_.prepare("INSERT OR IGNORE INTO fact (name, value) VALUES ('made', ?1)"));
  MR_DO(made.bind(1, to_millis(clock_.now())).run());
  MR_TRY(read, database_.prepare("SELECT value FROM fact WHERE name = 'store'"));
  MR_TRY(there, read.step());
  MR_CHECK(there, "the store has a name");
  store_name_ = read.text(0);
  MR_TRY(reader, Database::open_readonly(settings_.path));
  reader_ = std::move(reader);
  MR_TRY(find, reader_.prepare(kFind));
  find_ = std::move(find);
  MR_TRY(names,
         reader_.prepare("SELECT bucket, key FROM object WHERE (bucket, key) > (?1, ?2) ORDER BY bucket, "
                         "key LIMIT ?3"));
  names_ = std::move(names);
  return {};
}

// What was being made when the process ended: either it was renamed, or it never was.
Status Catalog::settle_pending() {
  MR_TRY(transaction, Transaction::begin(database_));
  std::vector<std::unique_ptr<Change>> changes;
  {
    MR_TRY(read, database_.prepare("SELECT bucket, key, bytes, modified, etag, headers, temporary, reason, "
                                   "request_id, requester, source FROM pending ORDER BY number"));
    auto more = read.step();
    for (; more && *more; more = read.step()) {
      auto change = std::make_unique<Change>();
      change->kind = Change::Kind::Put;
      change->name = {std::string(read.text(0)), std::string(read.text(1))};
      change->record = record_in(read, 2);
      change->temporary = std::string(read.text(6));
      change->path = settings_.root / change->name.bucket / change->name.key;
      change->origin = {std::string(read.text(7)), std::string(read.text(8)), std::string(read.text(9)),
                        std::string(read.text(10))};
      changes.push_back(std::move(change));
    }
    if (!more) return fail(more.error());
  }
  for (const auto& change : changes) {
    const auto temporary = state_of(change->temporary), state = state_of(change->path);
    change->moved = !temporary && state == change->record.file;
    if (!change->moved) continue;
    MR_DO(tasks::sync_directory(change->path.parent_path()));
    MR_DO(record_one(*change));
  }
  MR_DO(database_.execute("DELETE FROM pending"));
  return transaction.commit();
}

Result<std::optional<ObjectRecord>> Catalog::find(const ObjectName& name, const FileState& state) const {
  const std::lock_guard lock(read_mutex_);
  find_.bind(1, std::string_view(name.bucket)).bind(2, std::string_view(name.key));
  const auto there = find_.step();
  std::optional<ObjectRecord> record;
  if (there && *there) record = record_in(find_, 0);
  find_.reset();
  if (!there) return fail(there.error());
  if (record && record->file != state) record.reset();
  return record;
}

Result<std::vector<ObjectName>> Catalog::names_after(const ObjectName& after, std::size_t most) const {
  const std::lock_guard lock(read_mutex_);
  names_.bind(1, std::string_view(after.bucket)).bind(2, std::string_view(after.key));
  names_.bind(3, static_cast<std::int64_t>(most));
  std::vector<ObjectName> names;
  auto more = names_.step();
  for (; more && *more; more = names_.step())
    names.push_back({std::string(names_.text(0)), std::string(names_.text(1))});
  names_.reset();
  if (!more) return fail(more.error());
  return names;
}

bool Catalog::is_changing(const ObjectName& name) {
  const std::lock_guard lock(mutex_);
  return changing_.contains(name);
}

std::optional<Instant> Catalog::baseline_time() const {
  const std::lock_guard lock(read_mutex_);
  auto read = reader_.prepare(
      "SELECT value FROM fact WHERE name = 'made' AND NOT EXISTS (SELECT 1 FROM fact WHERE name = "
      "'baseline')");
  if (!read) return std::nullopt;
  const auto there = read->step();
  return there && *there ? std::optional(from_millis(read->integer(0))) : std::nullopt;
}

void Catalog::put(NewObject object, Done done) {
  auto change = std::make_unique<Change>();
  change->kind = Change::Kind::Put;
  change->name = std::move(object.name);
  change->temporary = std::move(object.temporary);
  change->path = std::move(object.path);
  change->record = std::move(object.record);
  change->conditions = std::move(object.conditions);
  change->origin = std::move(object.origin);
  change->done = std::move(done);
  submit(std::move(change));
}

void Catalog::remove(ObjectName name, fs::path path, WriteConditions conditions, EventOrigin origin,
                     Done done) {
  auto change = std::make_unique<Change>();
  change->kind = Change::Kind::Remove;
  change->name = std::move(name);
  change->path = std::move(path);
  change->conditions = std::move(conditions);
  change->origin = std::move(origin);
  change->done = std::move(done);
  submit(std::move(change));
}

void Catalog::found(ObjectName name, fs::path path, FileState state, std::string etag) {
  auto change = std::make_unique<Change>();
  change->kind = Change::Kind::Found;
  change->name = std::move(name);
  change->path = std::move(path);
  change->record = {state, std::move(etag), {}};
  change->origin.requester = settings_.account;
  submit(std::move(change));
}

void Catalog::missed(ObjectName name, fs::path path) {
  auto change = std::make_unique<Change>();
  change->kind = Change::Kind::Missed;
  change->name = std::move(name);
  change->path = std::move(path);
  change->origin = {"DeleteObject", "", settings_.account, ""};
  submit(std::move(change));
}

void Catalog::known_before(ObjectName name, FileState state) {
  auto change = std::make_unique<Change>();
  change->kind = Change::Kind::KnownBefore;
  change->name = std::move(name);
  change->record.file = state;
  submit(std::move(change));
}

void Catalog::baseline_is_taken() {
  auto change = std::make_unique<Change>();
  change->kind = Change::Kind::Baseline;
  submit(std::move(change));
}

void Catalog::remember(ObjectName name, FileState state, std::string etag) {
  auto change = std::make_unique<Change>();
  change->kind = Change::Kind::Etag;
  change->name = std::move(name);
  change->record = {state, std::move(etag), {}};
  submit(std::move(change));
}

void Catalog::submit(std::unique_ptr<Change> change) {
  {
    std::unique_lock lock(mutex_);
    const bool report = !change->done && change->kind != Change::Kind::Etag;
    if (report) room_.wait(lock, [&] { return closing_ || changes_.size() < settings_.changes_max; });
    if (!closing_ && changes_.size() < settings_.changes_max) {
      changes_.push_back(std::move(change));
      wake_.notify_one();
      return;
    }
  }
  if (change->done)
    change->done(fail(ErrorCode::Unavailable, "too many changes of objects wait; try again later"));
}

// What stands next, each object once: a second change of it looks at what the first one did.
std::vector<std::unique_ptr<Catalog::Change>> Catalog::next_group() {
  std::vector<std::unique_ptr<Change>> group;
  std::unique_lock lock(mutex_);
  const auto ready = [&] { return closing_ || !changes_.empty(); };
  if (unpublished_ || published_ > forgotten_)
    wake_.wait_for(lock, kPublishRetry, ready);
  else
    wake_.wait(lock, ready);
  changing_.clear();
  while (!changes_.empty() && group.size() < settings_.group_max &&
         changing_.insert(changes_.front()->name).second) {
    group.push_back(std::move(changes_.front()));
    changes_.pop_front();
  }
  room_.notify_all();
  return group;
}

void Catalog::work() {
  publish();
  for (;;) {
    auto group = next_group();
    if (!group.empty()) {
      carry_out(group);
    } else {
      if (const Status done = forget_published(); !done)
        log::warning("published events of objects stay", {{"error", done.error().message}});
      const std::lock_guard lock(mutex_);
      if (closing_ && changes_.empty()) return;
    }
    publish();
  }
}

void Catalog::carry_out(std::vector<std::unique_ptr<Change>>& group) {
  Status done = prepare(group);
  if (done) {
    move_files(group);
    done = record(group);
  }
  {
    const std::lock_guard lock(mutex_);
    changing_.clear();
  }
  for (const auto& change : group) {
    if (change->result && !done) change->result = done;
    if (change->done) change->done(change->result);
  }
}

// Whether the conditions of a change hold, for the object as it is now.
Status Catalog::check(const Change& change) {
  const auto state = state_of(change.path);
  const WriteConditions& conditions = change.conditions;
  if (conditions.must_not_exist && state)
    return fail(ErrorCode::Conflict, "If-None-Match", "the object is there");
  if (!conditions.must_have) return {};
  if (!state) return fail(ErrorCode::NotFound, "If-Match", "there is no object");
  MR_TRY(there, known(change.name));
  std::string etag = there && there->file == *state ? there->etag : "";
  if (etag.empty()) {
    MR_TRY(computed, md5_of_file(change.path));
    etag = std::move(computed);
  }
  if (etag != *conditions.must_have) return fail(ErrorCode::Conflict, "If-Match", "it is another one");
  return {};
}

// Conditions, folders, and what is about to be renamed, synced.
Status Catalog::prepare(std::vector<std::unique_ptr<Change>>& group) {
  MR_TRY(transaction, Transaction::begin(database_));
  MR_TRY(insert,
         database_.prepare("INSERT INTO pending (bucket, key, bytes, modified, etag, headers, temporary, "
                           "reason, request_id, requester, source) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, "
                           "?8, ?9, ?10, ?11)"));
  bool any = false;
  for (const auto& change : group) {
    const bool put = change->kind == Change::Kind::Put;
    if (!put && change->kind != Change::Kind::Remove) continue;
    change->result = check(*change);
    if (!change->result || !put) continue;
    change->result =
        make_folders(change->name, settings_.root / change->name.bucket, change->path.parent_path());
    if (!change->result) continue;
    const std::string headers = text_of(change->record.headers), temporary = change->temporary.string();
    const auto bound = [](const std::string& text) { return std::string_view(text); };
    insert.bind(1, bound(change->name.bucket)).bind(2, bound(change->name.key));
    insert.bind(3, change->record.file.bytes).bind(4, change->record.file.modified_ns);
    insert.bind(5, bound(change->record.etag)).bind(6, bound(headers)).bind(7, bound(temporary));
    insert.bind(8, bound(change->origin.reason)).bind(9, bound(change->origin.request_id));
    insert.bind(10, bound(change->origin.requester)).bind(11, bound(change->origin.source));
    MR_DO(insert.run());
    any = true;
  }
  return any ? transaction.commit() : Status();
}

void Catalog::move_files(std::vector<std::unique_ptr<Change>>& group) {
  std::set<fs::path> folders;
  // One journal of the file system takes them all: the first sync does the work of the others.
  for (const auto& change : group) {
    if (change->kind == Change::Kind::Put && change->result) change->result = sync_file(change->temporary);
  }
  for (const auto& change : group) {
    if (!change->result) continue;
    if (change->kind == Change::Kind::Put) {
      if (::rename(change->temporary.c_str(), change->path.c_str()) == 0) {
        change->moved = true;
        folders.insert(change->path.parent_path());
      } else {
        const int number = errno;
        change->result = number == EISDIR || number == ENOTEMPTY || number == EEXIST
                             ? Status(key_conflict(change->name, "it is the prefix of others"))
                             : Status(file_error(number, "can't write " + change->path.string()));
      }
    } else if (change->kind == Change::Kind::Remove) {
      if (!state_of(change->path)) continue;
      if (::unlink(change->path.c_str()) == 0)
        folders.insert(change->path.parent_path());
      else if (errno != ENOENT)
        change->result = file_error(errno, "can't remove " + change->path.string());
    }
  }
  for (const fs::path& folder : folders) {
    const Status synced = tasks::sync_directory(folder);
    if (synced) continue;
    for (const auto& change : group)
      if (change->result && change->path.parent_path() == folder) change->result = synced;
  }
  // Prefixes are not things of their own: empty folders go with their last object.
  for (const auto& change : group) {
    if (change->kind != Change::Kind::Remove || !change->result) continue;
    const fs::path bucket = settings_.root / change->name.bucket;
    fs::path above = change->path.parent_path();
    while (above != bucket && ::rmdir(above.c_str()) == 0) above = above.parent_path();
  }
}

// Records and events of what was done, in one transaction.
Status Catalog::record(std::vector<std::unique_ptr<Change>>& group) {
  MR_TRY(transaction, Transaction::begin(database_));
  MR_DO(database_.execute("DELETE FROM pending"));
  const std::int64_t published = published_;
  MR_DO(forget_published());
  forgotten_ = 0;  // unless this is committed
  batch_ = 0;
  for (const auto& change : group) {
    if (change->result) MR_DO(record_one(*change));
  }
  MR_DO(transaction.commit());
  forgotten_ = published;
  return {};
}

// Long before the log of events forgets the names of the batches that it took.
Status Catalog::forget_published() {
  if (published_ <= forgotten_) return {};
  MR_TRY(clean, database_.prepare("DELETE FROM outbox WHERE batch <= ?1"));
  MR_DO(clean.bind(1, published_).run());
  forgotten_ = published_;
  return {};
}

Status Catalog::record_one(Change& change) {
  bool was_there = false;
  switch (change.kind) {
    case Change::Kind::Put:
      MR_DO(write_record(change.name, change.record));
      return add_event(change.name, &change.record, change.origin);
    case Change::Kind::Remove:
    case Change::Kind::Missed:
      if (state_of(change.path)) return {};
      MR_DO(erase_record(change.name, was_there));
      return was_there ? add_event(change.name, nullptr, change.origin) : Status();
    case Change::Kind::Found: {
      // Written again meanwhile: whoever watches comes back to it.
      if (state_of(change.path) != change.record.file) return {};
      MR_TRY(there, known(change.name));
      if (there && there->file == change.record.file) return {};
      MR_DO(write_record(change.name, change.record));
      return add_event(change.name, &change.record, change.origin);
    }
    case Change::Kind::KnownBefore: {
      MR_TRY(there, known(change.name));
      return there ? Status() : write_record(change.name, change.record);
    }
    case Change::Kind::Etag: {
      MR_TRY(there, known(change.name));
      // What is not known in this state is for the watcher to find: an event is due.
      if (!there || there->file != change.record.file || !there->etag.empty()) return {};
      there->etag = change.record.etag;
      return write_record(change.name, *there);
    }
    case Change::Kind::Baseline:
      return database_.execute("INSERT OR IGNORE INTO fact (name, value) VALUES ('baseline', '1')");
  }
  return {};
}

Status Catalog::write_record(const ObjectName& name, const ObjectRecord& record) {
  MR_TRY(write,
         database_.prepare("INSERT OR REPLACE INTO object (bucket, key, bytes, modified, etag, headers) "
                           "VALUES (?1, ?2, ?3, ?4, ?5, ?6)"));
  const std::string headers = text_of(record.headers);
  write.bind(1, std::string_view(name.bucket)).bind(2, std::string_view(name.key));
  write.bind(3, record.file.bytes).bind(4, record.file.modified_ns);
  write.bind(5, std::string_view(record.etag)).bind(6, std::string_view(headers));
  return write.run();
}

Status Catalog::erase_record(const ObjectName& name, bool& was_there) {
  MR_TRY(erase, database_.prepare("DELETE FROM object WHERE bucket = ?1 AND key = ?2"));
  MR_DO(erase.bind(1, std::string_view(name.bucket)).bind(2, std::string_view(name.key)).run());
  was_there = database_.changes() > 0;
  return {};
}

Result<std::optional<ObjectRecord>> Catalog::known(const ObjectName& name) {
  MR_TRY(find, database_.prepare(kFind));
  find.bind(1, std::string_view(name.bucket)).bind(2, std::string_view(name.key));
  MR_TRY(there, find.step());
  return there ? std::optional(record_in(find, 0)) : std::nullopt;
}

// Source: EventBridge user guide, "Amazon S3 events": Object Created, Object Deleted.
Status Catalog::add_event(const ObjectName& name, const ObjectRecord* record, const EventOrigin& origin) {
  if (!settings_.publish) return {};
  MR_TRY(number, next_event_number());
  if (batch_ == 0 || ++batch_events_ > kEventsOfBatch) batch_ = number, batch_events_ = 1;
  char sequencer[20];
  std::snprintf(sequencer, sizeof sequencer, "%016llX", static_cast<unsigned long long>(number));
  Json object = {{"key", name.key}};
  if (record) object["size"] = record->file.bytes;
  if (record && !record->etag.empty()) object["etag"] = record->etag;
  object["sequencer"] = sequencer;
  Json detail = {{"version", "0"}, {"bucket", {{"name", name.bucket}}}, {"object", std::move(object)}};
  if (!origin.request_id.empty()) detail["request-id"] = origin.request_id;
  detail["requester"] = origin.requester;
  if (!origin.source.empty()) detail["source-ip-address"] = origin.source;
  detail["reason"] = origin.reason;
  if (!record) detail["deletion-type"] = "Permanently Deleted";
  const Json entry = {{"Source", "aws.s3"},
                      {"DetailType", record ? "Object Created" : "Object Deleted"},
                      {"Time", static_cast<double>(to_millis(clock_.now())) / 1000},
                      {"Resources", Json::array({"arn:aws:s3:::" + name.bucket})},
                      {"Detail", std::move(detail)}};
  const Payload text = to_payload(entry);
  MR_TRY(insert, database_.prepare("INSERT INTO outbox (batch, entry) VALUES (?1, ?2)"));
  unpublished_ = true;
  return insert.bind(1, batch_).bind(2, text.text()).run();
}

// Numbers are never used again, also when the rows are gone.
Result<std::int64_t> Catalog::next_event_number() {
  MR_TRY(next,
         database_.prepare("SELECT ifnull(max(seq), 0) + 1 FROM sqlite_sequence WHERE name = 'outbox'"));
  MR_TRY(there, next.step());
  MR_CHECK(there, "an aggregate has a row");
  return next.integer(0);
}

// Hands over what waits, a batch at a time, under the batch's name: what the log of events has already taken
// under that name it does not take again. Rows that were handed over go with the next transaction.
void Catalog::publish() {
  if (!unpublished_ || !settings_.publish || clock_.uptime() < retry_at_) return;
  const Status done = [&]() -> Status {
    for (;;) {
      MR_TRY(read, database_.prepare("SELECT batch, entry FROM outbox WHERE batch = (SELECT min(batch) FROM "
                                     "outbox WHERE batch > ?1) ORDER BY number"));
      read.bind(1, published_);
      std::vector<Json> entries;
      std::int64_t batch = 0;
      auto more = read.step();
      for (; more && *more; more = read.step()) {
        batch = read.integer(0);
        entries.push_back(Json::parse(read.text(1), nullptr, false));
      }
      if (!more) return fail(more.error());
      if (entries.empty()) return {};
      MR_DO(settings_.publish(entries, "objects/" + store_name_ + "/" + std::to_string(batch)));
      published_ = batch;
    }
  }();
  unpublished_ = !done;
  if (done) return;
  retry_at_ = clock_.uptime() + kPublishRetry;
  log::error("events of objects can't be published; they wait", {{"error", done.error().message}});
}

Result<std::string> md5_of_file(const fs::path& path, const std::function<bool()>& stop) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (file < 0)
    return fail(errno == ENOENT ? ErrorCode::NotFound : ErrorCode::Internal,
                "can't read " + path.string() + ": " + std::strerror(errno));
  Hasher md5(Digest::Md5);
  std::string piece(kHashPiece, '\0');
  ssize_t got = 0;
  while ((got = ::read(file, piece.data(), piece.size())) != 0) {
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 || (stop && stop())) break;
    md5.update({piece.data(), static_cast<std::size_t>(got)});
  }
  const int number = errno;
  ::close(file);
  if (got < 0) return fail(ErrorCode::DataLoss, "can't read " + path.string() + ": " + std::strerror(number));
  if (got > 0) return fail(ErrorCode::Cancelled, "stopped");
  return md5.finish_hex();
}

}  // namespace millrace::objects
