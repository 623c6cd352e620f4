#include "orchestrator/store/codec.h"

#include <bit>
#include <cstring>
#include <limits>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>

// A row is: version (1 byte), checksum of what follows (8 bytes), number of events, events.
// Numbers are LEB128 varints; signed ones are zigzagged. Names and documents are numbered as they first
// appear: a reference below the count so far names an earlier one, a reference equal to it is followed by the
// new one. A new document is either `0, length, text` or `back, prefix, suffix, length, middle`: the document
// `back` places earlier with everything between its first `prefix` and last `suffix` bytes replaced.

namespace millrace::orchestrator {
namespace {

using states::Event;
using states::EventDetails;
using states::EventType;
namespace detail = states::detail;

constexpr char kVersion = 3, kOldestVersion = 1;
constexpr std::size_t kHeaderBytes = 1 + 8;
constexpr std::size_t kBaseWindow = 4;           // how many of the last documents a new one is compared with
constexpr std::size_t kDifferenceBytesMin = 64;  // shorter documents are written whole
constexpr int kDepthMax = 10'000;  // of nesting; workflows may nest deeper than the inputs they accept
constexpr std::uint64_t kDecodedBytesMax = std::uint64_t{4} << 30;  // of all documents of one row

// ---- what each kind of details holds: one list for both directions
// ------------------------------------------------- Stored in this order; a new field is a new version of the
// row and stands in a list of its own (kFieldsSince2, …), behind the others.

template <class D>
constexpr auto kFields = std::tuple();
template <>
constexpr auto kFields<Failure> = std::tuple(&Failure::error, &Failure::cause, &Failure::has_error,
                                             &Failure::has_cause);
template <>
constexpr auto kFields<states::ExecutionIdentity> = std::tuple(&states::ExecutionIdentity::arn,
                                                               &states::ExecutionIdentity::name,
                                                               &states::ExecutionIdentity::machine_arn,
                                                               &states::ExecutionIdentity::machine_name,
                                                               &states::ExecutionIdentity::role_arn);
template <>
constexpr auto kFields<detail::ExecutionStarted> = std::tuple(&detail::ExecutionStarted::identity,
                                                              &detail::ExecutionStarted::input);
template <>
constexpr auto kFields<detail::ExecutionSucceeded> = std::tuple(&detail::ExecutionSucceeded::output);
template <>
constexpr auto kFields<detail::Failed> = std::tuple(&detail::Failed::failure);
template <>
constexpr auto kFields<detail::StateEntered> = std::tuple(&detail::StateEntered::name,
                                                          &detail::StateEntered::input);
template <>
constexpr auto kFields<detail::StateExited> = std::tuple(&detail::StateExited::name,
                                                         &detail::StateExited::output,
                                                         &detail::StateExited::assigned);
template <>
constexpr auto kFields<detail::TaskScheduled> = std::tuple(
    &detail::TaskScheduled::resource_type, &detail::TaskScheduled::resource, &detail::TaskScheduled::region,
    &detail::TaskScheduled::parameters, &detail::TaskScheduled::timeout_seconds,
    &detail::TaskScheduled::heartbeat_seconds, &detail::TaskScheduled::credentials);
template <>
constexpr auto kFields<detail::TaskStarted> = std::tuple(&detail::TaskStarted::resource_type,
                                                         &detail::TaskStarted::resource,
                                                         &detail::TaskStarted::worker);
template <>
constexpr auto kFields<detail::TaskOutput> = std::tuple(&detail::TaskOutput::resource_type,
                                                        &detail::TaskOutput::resource,
                                                        &detail::TaskOutput::output);
template <>
constexpr auto kFields<detail::TaskFailed> = std::tuple(&detail::TaskFailed::resource_type,
                                                        &detail::TaskFailed::resource,
                                                        &detail::TaskFailed::failure);
template <>
constexpr auto kFields<detail::EvaluationFailed> = std::tuple(&detail::EvaluationFailed::failure,
                                                              &detail::EvaluationFailed::location,
                                                              &detail::EvaluationFailed::state);
template <>
constexpr auto kFields<detail::ParallelStarted> = std::tuple(&detail::ParallelStarted::input);
template <>
constexpr auto kFields<detail::MapStarted> = std::tuple(&detail::MapStarted::length,
                                                        &detail::MapStarted::items,
                                                        &detail::MapStarted::concurrency);
template <>
constexpr auto kFields<detail::IterationStarted> = std::tuple(&detail::IterationStarted::name,
                                                              &detail::IterationStarted::index,
                                                              &detail::IterationStarted::input);
template <>
constexpr auto kFields<detail::IterationEnded> = std::tuple(&detail::IterationEnded::name,
                                                            &detail::IterationEnded::index,
                                                            &detail::IterationEnded::output);
template <>
constexpr auto kFields<detail::WaitScheduled> = std::tuple(&detail::WaitScheduled::due);
template <>
constexpr auto kFields<detail::RetryScheduled> = std::tuple(&detail::RetryScheduled::retrier,
                                                            &detail::RetryScheduled::due);
template <>
constexpr auto kFields<detail::BranchSucceeded> = std::tuple(&detail::BranchSucceeded::output);
template <>
constexpr auto kFields<detail::MapRunStarted> = std::tuple(&detail::MapRunStarted::map_run_arn,
                                                           &detail::MapRunStarted::plan,
                                                           &detail::MapRunStarted::items);
template <>
constexpr auto kFields<detail::MapRunRedriven> = std::tuple(&detail::MapRunRedriven::map_run_arn,
                                                            &detail::MapRunRedriven::redrive_count);
template <>
constexpr auto kFields<detail::ExecutionRedriven> = std::tuple(&detail::ExecutionRedriven::redrive_count);

template <class D>
constexpr auto kFieldsSince2 = std::tuple();
template <>
constexpr auto kFieldsSince2<states::ExecutionIdentity> = std::tuple(&states::ExecutionIdentity::version_arn,
                                                                     &states::ExecutionIdentity::alias_arn);

template <class D>
constexpr auto kFieldsSince3 = std::tuple();
template <>
constexpr auto kFieldsSince3<detail::ExecutionRedriven> =
    std::tuple(&detail::ExecutionRedriven::client_token);

// First and last type of each block of EventType.
constexpr std::pair<EventType, EventType> kTypes[] = {
    {EventType::ExecutionStarted, EventType::ExecutionRedriven},
    {EventType::PassStateEntered, EventType::TaskStateAborted},
    {EventType::TaskScheduled, EventType::TaskTimedOut},
    {EventType::LambdaFunctionScheduled, EventType::LambdaFunctionTimedOut},
    {EventType::ActivityScheduled, EventType::ActivityTimedOut},
    {EventType::ParallelStateEntered, EventType::ParallelStateExited},
    {EventType::MapStateEntered, EventType::MapIterationAborted},
    {EventType::MapRunStarted, EventType::MapRunRedriven},
    {EventType::EvaluationFailed, EventType::EvaluationFailed},
    {EventType::WaitScheduled, EventType::BranchSucceeded},
};

bool known(std::uint8_t type) {
  for (const auto& [first, last] : kTypes) {
    if (type >= static_cast<std::uint8_t>(first) && type <= static_cast<std::uint8_t>(last)) return true;
  }
  return false;
}

std::uint64_t zigzag(std::int64_t v) {
  return (static_cast<std::uint64_t>(v) << 1) ^ static_cast<std::uint64_t>(v >> 63);
}
std::int64_t unzigzag(std::uint64_t v) {
  return static_cast<std::int64_t>(v >> 1) ^ -static_cast<std::int64_t>(v & 1);
}

std::uint64_t word_at(const char* p) {
  std::uint64_t w;
  std::memcpy(&w, p, 8);
  return w;
}

}  // namespace

// Sixteen bytes a step, two independent lanes: a tenth of a nanosecond a byte, so that every row can afford
// it. Guards against damage, not against people. Named outside for the test that makes hostile rows.
namespace internal {
std::uint64_t row_checksum(std::string_view bytes);
}
std::uint64_t internal::row_checksum(std::string_view bytes) {
  std::uint64_t a = 0x9E3779B97F4A7C15u ^ bytes.size(), b = 0xC2B2AE3D27D4EB4Fu;
  const char* p = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= 16; p += 16, left -= 16) {
    a = std::rotl((a ^ word_at(p)) * 0x9FB21C651E98DF25u, 29);
    b = std::rotl((b ^ word_at(p + 8)) * 0xD6E8FEB86659FD93u, 31);
  }
  char tail[16] = {};
  if (left > 0) std::memcpy(tail, p, left);
  a = (a ^ word_at(tail)) * 0x9FB21C651E98DF25u;
  b = (b ^ word_at(tail + 8)) * 0xD6E8FEB86659FD93u;
  const std::uint64_t x = (a ^ std::rotl(b, 23)) * 0xBF58476D1CE4E5B9u;
  return x ^ (x >> 32);
}

namespace {

std::size_t common_prefix(std::string_view a, std::string_view b) {
  const std::size_t n = std::min(a.size(), b.size());
  std::size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    if (const std::uint64_t x = word_at(a.data() + i) ^ word_at(b.data() + i)) {
      return i + static_cast<std::size_t>(std::countr_zero(x)) / 8;
    }
  }
  while (i < n && a[i] == b[i]) ++i;
  return i;
}

std::size_t common_suffix(std::string_view a, std::string_view b, std::size_t most) {
  std::size_t i = 0;
  for (; i + 8 <= most; i += 8) {
    if (const std::uint64_t x = word_at(a.data() + a.size() - i - 8) ^ word_at(b.data() + b.size() - i - 8)) {
      return i + static_cast<std::size_t>(std::countl_zero(x)) / 8;
    }
  }
  while (i < most && a[a.size() - 1 - i] == b[b.size() - 1 - i]) ++i;
  return i;
}

// ---- numbering what was seen
// ---------------------------------------------------------------------------------------

// Open addressing with bounded probes, kept from row to row: starting a row forgets by raising the stamp.
// When the probes are used up an entry is forgotten, which costs a repeated text and nothing else.
class Seen {
 public:
  static constexpr std::size_t kProbes = 32;
  struct Slot {
    std::uint64_t key = 0;
    std::uint32_t stamp = 0, number = 0;
  };

  void start() {
    used_ = 0;
    if (++stamp_ == 0) {
      slots_.assign(slots_.size(), {});
      stamp_ = 1;
    }
  }
  // The number of the first entry under `key` that `matches`, or nothing.
  template <class F>
  std::optional<std::uint32_t> find(std::uint64_t key, const F& matches) const {
    for (std::size_t i = 0; i < kProbes; ++i) {
      const Slot& slot = slots_[(key + i) & (slots_.size() - 1)];
      if (slot.stamp != stamp_) return std::nullopt;
      if (slot.key == key && matches(slot.number)) return slot.number;
    }
    return std::nullopt;
  }
  void add(std::uint64_t key, std::uint32_t number) {
    if (++used_ * 2 > slots_.size()) grow();
    place({key, stamp_, number});
  }

 private:
  void place(const Slot& entry) {
    for (std::size_t i = 0; i < kProbes; ++i) {
      Slot& slot = slots_[(entry.key + i) & (slots_.size() - 1)];
      if (slot.stamp != stamp_) {
        slot = entry;
        return;
      }
    }
    slots_[entry.key & (slots_.size() - 1)] = entry;
  }
  void grow() {
    std::vector<Slot> old(slots_.size() * 2);
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (slot.stamp == stamp_) place(slot);
    }
  }
  std::vector<Slot> slots_ = std::vector<Slot>(256);
  std::uint32_t stamp_ = 0;
  std::size_t used_ = 0;
};

// A key from the length and a few words: equal texts have equal keys, and the text is compared afterwards.
std::uint64_t sample(std::string_view text) {
  std::uint64_t h = text.size() * 0x9E3779B97F4A7C15u;
  if (text.size() >= 8) {
    for (const std::size_t at : {std::size_t{0}, text.size() / 3, text.size() * 2 / 3, text.size() - 8}) {
      h = std::rotl((h ^ word_at(text.data() + std::min(at, text.size() - 8))) * 0xD6E8FEB86659FD93u, 29);
    }
  } else {
    for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001B3u;
  }
  return h ^ (h >> 32);
}

// ---- writing
// -------------------------------------------------------------------------------------------------------

class Writer {
 public:
  void start() {
    out_.assign(kHeaderBytes, '\0');
    names_.clear();
    documents_.clear();
    seen_names_.start();
    seen_texts_.start();
    seen_documents_.start();
  }
  std::string finish() {
    const std::uint64_t sum = internal::row_checksum(std::string_view(out_).substr(kHeaderBytes));
    out_[0] = kVersion;
    std::memcpy(out_.data() + 1, &sum, 8);
    std::string row = out_;
    if (out_.capacity() > kKeepBytes) out_ = std::string();
    return row;
  }

  void byte(std::uint8_t b) { out_.push_back(static_cast<char>(b)); }
  void number(std::uint64_t v) {
    char buffer[10];
    std::size_t n = 0;
    for (; v >= 0x80; v >>= 7) buffer[n++] = static_cast<char>(v | 0x80);
    buffer[n++] = static_cast<char>(v);
    out_.append(buffer, n);
  }

  void field(bool v) { byte(v ? 1 : 0); }
  void field(std::uint32_t v) { number(v); }
  void field(std::int64_t v) { number(zigzag(v)); }
  void field(Instant v) { number(zigzag(to_millis(v))); }
  void field(const std::string& name) {
    const std::uint64_t key = sample(name);
    const auto found = seen_names_.find(key, [&](std::uint32_t i) { return names_[i] == name; });
    if (found) return number(*found);
    seen_names_.add(key, static_cast<std::uint32_t>(names_.size()));
    number(names_.size());
    names_.push_back(name);
    text(name);
  }
  void field(const Payload& payload) {
    const auto identity = reinterpret_cast<std::uintptr_t>(payload.document());
    const std::uint64_t identity_key = (identity >> 4) * 0x9E3779B97F4A7C15u >> 20;
    const auto same = seen_documents_.find(
        identity_key, [&](std::uint32_t i) { return documents_[i].data() == payload.text().data(); });
    if (same) return number(*same);
    const std::string_view body = payload.text();
    const std::uint64_t key = sample(body);
    const auto equal = seen_texts_.find(key, [&](std::uint32_t i) { return documents_[i] == body; });
    if (equal) return number(*equal);
    const auto next = static_cast<std::uint32_t>(documents_.size());
    seen_documents_.add(identity_key, next);
    seen_texts_.add(key, next);
    number(next);
    document(body);
    documents_.push_back(body);
  }
  template <class T>
  void field(const std::optional<T>& v) {
    byte(v ? 1 : 0);
    if (v) field(*v);
  }
  template <class D>
  requires(std::tuple_size_v<decltype(kFields<D>)> > 0) void field(const D& d) {
    std::apply([&](auto... members) { (field(d.*members), ...); }, kFields<D>);
    std::apply([&](auto... members) { (field(d.*members), ...); }, kFieldsSince2<D>);
    std::apply([&](auto... members) { (field(d.*members), ...); }, kFieldsSince3<D>);
  }
  void field(const std::monostate&) {}

 private:
  static constexpr std::size_t kKeepBytes = 1 << 20;

  void text(std::string_view t) {
    number(t.size());
    out_.append(t);
  }
  void document(std::string_view body) {
    if (body.size() >= kDifferenceBytesMin) {
      const std::size_t window = std::min(kBaseWindow, documents_.size());
      for (std::size_t back = 1; back <= window; ++back) {
        const std::string_view base = documents_[documents_.size() - back];
        const std::size_t prefix = common_prefix(base, body);
        const std::size_t suffix = common_suffix(base, body, std::min(base.size(), body.size()) - prefix);
        if ((prefix + suffix) * 2 < body.size()) continue;
        number(back);
        number(prefix);
        number(suffix);
        text(body.substr(prefix, body.size() - prefix - suffix));
        return;
      }
    }
    number(0);
    text(body);
  }

  std::string out_;
  std::vector<std::string_view> names_, documents_;  // borrowed from the events while a row is written
  Seen seen_names_, seen_texts_, seen_documents_;
};

// ---- reading
// -------------------------------------------------------------------------------------------------------

// Reads fields until one is not as it should be; then every further read gives nothing and `why` says what
// was wrong.
class Reader {
 public:
  Reader(std::string_view bytes, int version)
      : p_(bytes.data()), end_(bytes.data() + bytes.size()), version_(version) {}

  const char* why() const { return why_; }
  bool ok() const { return why_ == nullptr; }
  std::size_t left() const { return static_cast<std::size_t>(end_ - p_); }

  void wrong(const char* why) {
    if (!why_) why_ = why;
    p_ = end_;
  }
  std::uint8_t byte() {
    if (p_ == end_) {
      wrong("it ends too early");
      return 0;
    }
    return static_cast<std::uint8_t>(*p_++);
  }
  std::uint64_t number() {
    std::uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const std::uint8_t b = byte();
      v |= static_cast<std::uint64_t>(b & 0x7F) << shift;
      if (b < 0x80) {
        if (shift == 63 && b > 1) break;
        return v;
      }
    }
    wrong("a number is out of range");
    return 0;
  }
  std::uint64_t number_below(std::uint64_t bound, const char* why) {
    const std::uint64_t v = number();
    if (v < bound) return v;
    wrong(why);
    return 0;
  }

  void field(bool& v) { v = number_below(2, "a flag is neither 0 nor 1") != 0; }
  void field(std::uint32_t& v) {
    v = static_cast<std::uint32_t>(number_below(std::uint64_t{1} << 32, "a number is out of range"));
  }
  void field(std::int64_t& v) { v = unzigzag(number()); }
  void field(Instant& v) { v = from_millis(unzigzag(number())); }
  void field(std::string& v) {
    const std::uint64_t at = number_below(names_.size() + 1, "a name is referred to before it was written");
    if (!ok()) return;
    if (at == names_.size()) names_.push_back(text());
    v = names_[at];
  }
  void field(Payload& v) {
    const std::uint64_t at =
        number_below(documents_.size() + 1, "a document is referred to before it was written");
    if (!ok()) return;
    if (at == documents_.size()) document();
    if (ok()) v = documents_[at].payload;
  }
  template <class T>
  void field(std::optional<T>& v) {
    bool there = false;
    field(there);
    if (there) field(v.emplace());
  }
  template <class D>
  requires(std::tuple_size_v<decltype(kFields<D>)> > 0) void field(D& d) {
    std::apply([&](auto... members) { (field(d.*members), ...); }, kFields<D>);
    if (version_ >= 2) std::apply([&](auto... members) { (field(d.*members), ...); }, kFieldsSince2<D>);
    if (version_ >= 3) std::apply([&](auto... members) { (field(d.*members), ...); }, kFieldsSince3<D>);
  }
  void field(std::monostate&) {}

 private:
  struct Document {
    Payload payload;
    std::string other;  // its text as written, when parsing made another of it (an object with a key twice)
    std::string_view written() const { return other.empty() ? payload.text() : std::string_view(other); }
  };

  std::string_view text() {
    const std::uint64_t size = number();
    if (size > left()) {
      wrong("a text is longer than the row");
      return {};
    }
    const std::string_view t(p_, size);
    p_ += size;
    return t;
  }
  void document() {
    const std::uint64_t back =
        number_below(std::min(kBaseWindow, documents_.size()) + 1, "a difference has no base");
    std::string joined;
    std::string_view body;
    if (back > 0) {
      const std::string_view base = documents_[documents_.size() - back].written();
      const std::uint64_t prefix = number_below(base.size() + 1, "a difference is longer than its base");
      const std::uint64_t suffix =
          number_below(base.size() - prefix + 1, "a difference is longer than its base");
      joined.append(base.substr(0, prefix)).append(text()).append(base.substr(base.size() - suffix));
      body = joined;
    } else {
      body = text();
    }
    if (!ok()) return;
    decoded_bytes_ += body.size();
    if (decoded_bytes_ > kDecodedBytesMax) return wrong("its documents are larger than a row may hold");
    JsonParseOptions options;
    options.depth_max = kDepthMax;
    auto parsed = Payload::parse(body, options);
    if (!parsed) return wrong("a document is not JSON");
    std::string other = parsed->text() == body ? std::string() : std::string(body);
    documents_.push_back({*std::move(parsed), std::move(other)});
  }

  const char* p_;
  const char* end_;
  const int version_;
  const char* why_ = nullptr;
  std::uint64_t decoded_bytes_ = 0;
  std::vector<std::string_view> names_;
  std::vector<Document> documents_;
};

using ReadDetails = void (*)(Reader&, EventDetails&);
template <std::size_t... I>
constexpr auto readers_of(std::index_sequence<I...>) {
  return std::array<ReadDetails, sizeof...(I)>{
      [](Reader& in, EventDetails& details) { in.field(details.emplace<I>()); }...};
}
constexpr auto kReadDetails = readers_of(std::make_index_sequence<std::variant_size_v<EventDetails>>());

void write_event(Writer& out, const Event& event, const Event& before) {
  out.byte(static_cast<std::uint8_t>(event.type));
  out.byte(static_cast<std::uint8_t>(event.details.index()));
  out.number(zigzag(static_cast<std::int64_t>(event.number - before.number)));
  out.number(zigzag(static_cast<std::int64_t>(event.number - event.previous)));
  out.number(zigzag(static_cast<std::int64_t>(static_cast<std::uint64_t>(to_millis(event.time)) -
                                              static_cast<std::uint64_t>(to_millis(before.time)))));
  out.number(event.frame.value);
  out.number(static_cast<std::uint32_t>(event.node + 1));  // kEnd becomes 0
  std::visit([&](const auto& d) { out.field(d); }, event.details);
}

Event read_event(Reader& in, const Event& before) {
  Event event;
  const std::uint8_t type = in.byte();
  if (in.ok() && !known(type)) in.wrong("an event has an unknown type");
  event.type = static_cast<EventType>(type);
  const std::uint8_t kind = in.byte();
  if (kind >= kReadDetails.size()) in.wrong("an event has details of an unknown kind");
  event.number = before.number + static_cast<std::uint64_t>(unzigzag(in.number()));
  event.previous = event.number - static_cast<std::uint64_t>(unzigzag(in.number()));
  event.time = from_millis(static_cast<std::int64_t>(static_cast<std::uint64_t>(to_millis(before.time)) +
                                                     static_cast<std::uint64_t>(unzigzag(in.number()))));
  event.frame = FrameId{in.number()};
  std::uint32_t node = 0;
  in.field(node);
  event.node = node - 1;
  if (in.ok()) kReadDetails[kind](in, event.details);
  return event;
}

tl::unexpected<Error> damaged(const char* why) {
  return fail(ErrorCode::DataLoss, std::string("a row of the history can't be read back: ") + why,
              "restore the database from a backup");
}

}  // namespace

std::string encode_events(std::span<const Event> events) {
  thread_local Writer out;  // keeps its tables and buffer from row to row
  out.start();
  out.number(events.size());
  const Event none{};
  const Event* before = &none;
  for (const Event& event : events) {
    write_event(out, event, *before);
    before = &event;
  }
  return out.finish();
}

Result<std::vector<Event>> decode_events(std::string_view row) {
  if (row.size() < kHeaderBytes) return damaged("it ends too early");
  if (row[0] < kOldestVersion || row[0] > kVersion) return damaged("it has an unknown version");
  const std::string_view body = row.substr(kHeaderBytes);
  if (word_at(row.data() + 1) != internal::row_checksum(body)) return damaged("its checksum is wrong");
  Reader in(body, row[0]);
  const std::uint64_t count = in.number();
  if (count > in.left()) return damaged("it ends too early");  // an event has several bytes
  std::vector<Event> events;
  const Event none{};
  for (std::uint64_t i = 0; i < count && in.ok(); ++i)
    events.push_back(read_event(in, i == 0 ? none : events.back()));
  if (!in.ok()) return damaged(in.why());
  if (in.left() != 0) return damaged("it goes on after its last event");
  return events;
}

}  // namespace millrace::orchestrator
