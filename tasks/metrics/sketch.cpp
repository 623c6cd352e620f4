#include "tasks/metrics/sketch.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace millrace::tasks {
namespace {

// Bucket i holds values in (gamma^(i-1), gamma^i]; its middle is within kAccuracy of each.
constexpr double kGamma = (1 + PercentileSketch::kAccuracy) / (1 - PercentileSketch::kAccuracy);
const double kLogGamma = std::log(kGamma);
constexpr std::int32_t kOffset = 40'000;  // more than the index of any double
constexpr double kTiny = 1e-300;          // counts as zero

std::int32_t bucket_key(double value) {
  const double size = std::fabs(value);
  if (size < kTiny) return 0;
  const auto key = static_cast<std::int32_t>(std::ceil(std::log(size) / kLogGamma)) + kOffset;
  return value < 0 ? -key : key;
}

double bucket_middle(std::int32_t key) {
  if (key == 0) return 0;
  const double size = std::exp(kLogGamma * (std::abs(key) - kOffset)) * 2 / (1 + kGamma);
  return key < 0 ? -size : size;
}

void put_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

bool get_varint(std::string_view& bytes, std::uint64_t& value) {
  value = 0;
  for (unsigned shift = 0; shift < 64 && !bytes.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes[0]);
    bytes.remove_prefix(1);
    value |= std::uint64_t{byte & 0x7Fu} << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

// Whole counts as themselves (even), others as their bits behind a 1.
void put_count(std::string& out, double count) {
  if (count < 9e15 && count == std::floor(count))
    return put_varint(out, static_cast<std::uint64_t>(count) * 2);
  put_varint(out, 1);
  const auto bits = std::bit_cast<std::uint64_t>(count);
  for (unsigned i = 0; i < 64; i += 8) out += static_cast<char>(bits >> i);
}

bool get_count(std::string_view& bytes, double& count) {
  std::uint64_t value = 0;
  if (!get_varint(bytes, value)) return false;
  if (value % 2 == 0) {
    count = static_cast<double>(value / 2);
    return true;
  }
  if (value != 1 || bytes.size() < 8) return false;
  std::uint64_t bits = 0;
  for (unsigned i = 0; i < 8; ++i) bits |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  bytes.remove_prefix(8);
  count = std::bit_cast<double>(bits);
  return std::isfinite(count) && count > 0;
}

}  // namespace

void PercentileSketch::add(double value, double count) {
  if (!(count > 0)) return;
  const std::int32_t key = bucket_key(value);
  count_ += count;
  const auto at = std::lower_bound(buckets_.begin(), buckets_.end(), key,
                                   [](const Bucket& bucket, std::int32_t k) { return bucket.key < k; });
  if (at != buckets_.end() && at->key == key) {
    at->count += count;
    return;
  }
  buckets_.insert(at, {key, count});
  if (buckets_.size() > kBucketsMax) collapse();
}

void PercentileSketch::merge(const PercentileSketch& other) {
  std::vector<Bucket> all;
  all.reserve(buckets_.size() + other.buckets_.size());
  auto a = buckets_.begin();
  auto b = other.buckets_.begin();
  while (a != buckets_.end() || b != other.buckets_.end()) {
    if (b == other.buckets_.end() || (a != buckets_.end() && a->key < b->key)) {
      all.push_back(*a++);
    } else if (a == buckets_.end() || b->key < a->key) {
      all.push_back(*b++);
    } else {
      all.push_back({a->key, a->count + b->count});
      ++a, ++b;
    }
  }
  buckets_ = std::move(all);
  count_ += other.count_;
  while (buckets_.size() > kBucketsMax) collapse();
}

// The two buckets nearest to zero become one.
void PercentileSketch::collapse() {
  const auto nearest =
      std::min_element(buckets_.begin(), buckets_.end(),
                       [](const Bucket& x, const Bucket& y) { return std::abs(x.key) < std::abs(y.key); });
  auto into = nearest == buckets_.begin() ? nearest + 1 : nearest - 1;
  if (nearest != buckets_.begin() && nearest + 1 != buckets_.end() &&
      std::abs((nearest + 1)->key) < std::abs((nearest - 1)->key))
    into = nearest + 1;
  into->count += nearest->count;
  buckets_.erase(nearest);
}

double PercentileSketch::quantile(double q) const {
  const double rank = std::clamp(q, 0.0, 1.0) * std::max(0.0, count_ - 1);
  double seen = 0;
  for (const Bucket& bucket : buckets_) {
    seen += bucket.count;
    if (seen > rank) return bucket_middle(bucket.key);
  }
  return buckets_.empty() ? 0 : bucket_middle(buckets_.back().key);
}

std::string PercentileSketch::pack() const {
  std::string out;
  std::int32_t before = -kOffset * 2;
  for (const Bucket& bucket : buckets_) {
    put_varint(out, static_cast<std::uint64_t>(bucket.key - before));
    put_count(out, bucket.count);
    before = bucket.key;
  }
  return out;
}

bool PercentileSketch::unpack(std::string_view bytes, PercentileSketch& out) {
  out = {};
  std::int64_t key = -kOffset * 2;
  while (!bytes.empty()) {
    std::uint64_t step = 0;
    Bucket bucket;
    if (!get_varint(bytes, step) || step > kOffset * 4u || !get_count(bytes, bucket.count)) return false;
    if (step == 0 && !out.buckets_.empty()) return false;
    key += static_cast<std::int64_t>(step);
    if (key > kOffset * 2 || out.buckets_.size() == kBucketsMax) return false;
    bucket.key = static_cast<std::int32_t>(key);
    out.buckets_.push_back(bucket);
    out.count_ += bucket.count;
  }
  return true;
}

}  // namespace millrace::tasks
