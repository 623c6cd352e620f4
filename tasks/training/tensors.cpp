#define PCRE2_CODE_UNIT_WIDTH 8
#include "tasks/training/tensors.h"

#include <pcre2.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/encoding.h"

namespace millrace::tasks {
namespace {

constexpr double kShares[] = {0.05, 0.25, 0.5, 0.75, 0.95};
// Steps of one search: the pattern is the user's, and patterns like (a+)+b can take for ever.
constexpr std::uint32_t kNameSearchSteps = 100'000;

struct FreeMatch {
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
  void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
};

void take_percentiles(std::span<const float> values, TensorSummary& summary) {
  const std::size_t stride = values.size() / kPercentileValues + 1;
  std::vector<float> taken;
  for (std::size_t i = 0; i < values.size(); i += stride)
    if (std::isfinite(values[i])) taken.push_back(values[i]);
  if (taken.empty()) return;
  auto from = taken.begin();
  for (std::size_t k = 0; k < std::size(kShares); ++k) {
    const auto place =
        taken.begin() + static_cast<std::ptrdiff_t>(kShares[k] * static_cast<double>(taken.size() - 1) + 0.5);
    std::nth_element(from, place, taken.end());
    summary.percentiles[k] = static_cast<double>(*place);
    from = place;
  }
}

}  // namespace

TensorSummary summarise(std::span<const float> values) {
  TensorSummary out;
  out.count = values.size();
  double sum = 0, squares = 0;
  std::size_t finite = 0;
  for (const float value : values) {
    if (std::isnan(value)) {
      ++out.nans;
      continue;
    }
    if (std::isinf(value)) {
      ++out.infinities;
      continue;
    }
    const auto x = static_cast<double>(value);
    out.least = finite == 0 ? x : std::min(out.least, x), out.most = finite == 0 ? x : std::max(out.most, x);
    out.zeros += x == 0, sum += x, out.mean_absolute += std::abs(x);
    ++finite;
  }
  if (finite == 0) return out;
  out.mean = sum / static_cast<double>(finite), out.mean_absolute /= static_cast<double>(finite);
  for (const float value : values) {
    const double off = static_cast<double>(value) - out.mean;
    if (std::isfinite(value)) squares += off * off;
  }
  out.deviation = std::sqrt(squares / static_cast<double>(finite));
  take_percentiles(values, out);
  return out;
}

std::string tensor_sha256(const Tensor& tensor) {
  return digest_hex(Digest::Sha256,
                    {reinterpret_cast<const char*>(tensor.values.data()), tensor.values.size_bytes()});
}

Json to_json(const Tensor& tensor) {
  const TensorSummary s = summarise(tensor.values);
  const std::size_t columns = std::max<std::size_t>(1, tensor.columns);
  return {{"name", tensor.name},
          {"shape", {tensor.values.size() / columns, columns}},
          {"count", s.count},
          {"zeros", s.zeros},
          {"nan", s.nans},
          {"inf", s.infinities},
          {"min", s.least},
          {"max", s.most},
          {"mean", s.mean},
          {"std", s.deviation},
          {"abs_mean", s.mean_absolute},
          {"percentiles", s.percentiles},
          {"sha256", tensor_sha256(tensor)}};
}

Result<NamePattern> NamePattern::compile(std::string_view pattern) {
  int error = 0;
  PCRE2_SIZE place = 0;
  pcre2_code* code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                                   PCRE2_NEVER_BACKSLASH_C | PCRE2_ANCHORED, &error, &place, nullptr);
  if (!code) {
    char reason[128] = "";
    pcre2_get_error_message(error, reinterpret_cast<PCRE2_UCHAR*>(reason), sizeof reason);
    return invalid("\"" + std::string(pattern) + "\" can't be used: " + reason + " at character " +
                       std::to_string(place + 1),
                   "Perl's syntax, which is Python's too");
  }
  NamePattern out;
  out.code_ = std::shared_ptr<const void>(
      code, [](const void* p) { pcre2_code_free(static_cast<pcre2_code*>(const_cast<void*>(p))); });
  return out;
}

bool NamePattern::matches(std::string_view name) const {
  const auto* code = static_cast<const pcre2_code*>(code_.get());
  const std::unique_ptr<pcre2_match_data, FreeMatch> match(
      pcre2_match_data_create_from_pattern(code, nullptr));
  const std::unique_ptr<pcre2_match_context, FreeMatch> limits(pcre2_match_context_create(nullptr));
  pcre2_set_match_limit(limits.get(), kNameSearchSteps);
  return pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(name.data()), name.size(), 0, 0, match.get(),
                     limits.get()) >= 0;
}

}  // namespace millrace::tasks
