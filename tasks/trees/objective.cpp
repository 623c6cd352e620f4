#include "tasks/trees/objective.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "tasks/numeric/isa.h"
#include "tasks/trees/math.h"
#include "tasks/trees/ranking.h"

namespace millrace::tasks::trees {

namespace {

constexpr float kLeastHessian = 1e-16f;
constexpr std::size_t kGrain = 16384;
constexpr std::size_t kLossRows = 128;  // rows whose values are at hand: loops over them become vectors

std::string shortest(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", value);
  return text;
}

// --- the losses: gradient and hessian of one row
// ---------------------------------------------------------------

struct SquaredLoss {
  MR_BODY GradientPair at(float p, float y) { return {p - y, 1.0f}; }
};
struct SquaredLogLoss {
  MR_BODY GradientPair at(float p, float y) {
    p = p < -1.0f + 1e-6f ? -1.0f + 1e-6f : p;
    const float a = log_bits(p + 1.0f), b = log_bits(y + 1.0f), q = p + 1.0f;
    const float h = (-a + b + 1.0f) / (q * q);
    return {(a - b) / q, h > 1e-6f ? h : 1e-6f};
  }
};
struct LogisticLoss {
  MR_BODY GradientPair at(float score, float y) {
    const float p = sigmoid_bits(score), h = p * (1.0f - p);
    return {p - y, h > kLeastHessian ? h : kLeastHessian};
  }
};
struct HingeLoss {
  MR_BODY GradientPair at(float p, float y) {
    const float sign = y * 2.0f - 1.0f;
    const bool wrong = p * sign < 1.0f;
    return {wrong ? -sign : 0.0f, wrong ? 1.0f : std::numeric_limits<float>::min()};
  }
};
struct AbsoluteLoss {
  MR_BODY GradientPair at(float p, float y) { return {p > y ? 1.0f : (p < y ? -1.0f : 0.0f), 1.0f}; }
};
struct GammaLoss {
  MR_BODY GradientPair at(float score, float y) {
    const float share = y * exp_bits(-score);
    return {1.0f - share, share};
  }
};

// --- losses with a parameter
// -----------------------------------------------------------------------------------

struct HuberLoss {
  float slope;
  MR_BODY GradientPair with(const HuberLoss& self, float p, float y) {
    const float z = p - y, a = self.slope * self.slope, scale = std::sqrt(1.0f + z * z / a);
    return {z / scale, a / ((a + z * z) * scale)};
  }
};
struct PoissonLoss {
  float max_step;
  MR_BODY GradientPair with(const PoissonLoss& self, float score, float y) {
    return {exp_bits(score) - y, exp_bits(score + self.max_step)};
  }
};
struct TweedieLoss {
  float power;
  MR_BODY GradientPair with(const TweedieLoss& self, float score, float y) {
    const float a = 1.0f - self.power, b = 2.0f - self.power;
    const float ea = exp_bits(a * score), eb = exp_bits(b * score);
    return {-y * ea + eb, -y * a * ea + b * eb};
  }
};

// --- loops over rows, built three times
// -------------------------------------------------------------------------

template <class Loss>
MR_BODY GradientPair loss_at(const Loss& loss, float score, float y) {
  if constexpr (requires { Loss::at(score, y); })
    return Loss::at(score, y);
  else
    return Loss::with(loss, score, y);
}

template <class Loss>
MR_BODY void gradient_rows_body(const Loss& loss, const float* s, const float* y, const float* w,
                                float positive, std::size_t count, GradientPair* out) {
  for (std::size_t first = 0; first < count; first += kLossRows) {
    const std::size_t n = count - first < kLossRows ? count - first : kLossRows;
    float score[kLossRows] = {}, target[kLossRows] = {}, weight[kLossRows];
    GradientPair pairs[kLossRows];
    for (std::size_t i = 0; i < n; ++i) score[i] = s[first + i], target[i] = y[first + i];
    for (std::size_t i = 0; i < kLossRows; ++i) weight[i] = 1.0f;
    for (std::size_t i = 0; w && i < n; ++i) weight[i] = w[first + i];
    for (std::size_t i = 0; i < kLossRows; ++i) {
      const GradientPair g = loss_at(loss, score[i], target[i]);
      const float times = weight[i] * (target[i] == 1.0f ? positive : 1.0f);
      pairs[i].gradient = g.gradient * times, pairs[i].hessian = g.hessian * times;
    }
    for (std::size_t i = 0; i < n; ++i) out[first + i] = pairs[i];
  }
}
#if defined(__x86_64__)
template <class Loss>
MR_AVX512 void gradient_rows_avx512(const Loss& loss, const float* s, const float* y, const float* w,
                                    float positive, std::size_t count, GradientPair* out) {
  gradient_rows_body(loss, s, y, w, positive, count, out);
}
template <class Loss>
MR_AVX2 void gradient_rows_avx2(const Loss& loss, const float* s, const float* y, const float* w,
                                float positive, std::size_t count, GradientPair* out) {
  gradient_rows_body(loss, s, y, w, positive, count, out);
}
#endif
template <class Loss>
void gradient_rows(const Loss& loss, const float* s, const float* y, const float* w, float positive,
                   std::size_t count, GradientPair* out) {
#if defined(__x86_64__)
  if (isa() == Isa::Avx512) return gradient_rows_avx512(loss, s, y, w, positive, count, out);
  if (isa() == Isa::Avx2) return gradient_rows_avx2(loss, s, y, w, positive, count, out);
#endif
  gradient_rows_body(loss, s, y, w, positive, count, out);
}

// Rows with their largest score and the sum of exp(score - largest), over planes of scores.
MR_BODY void softmax_sums_body(const float* scores, std::size_t rows, std::size_t classes, std::size_t begin,
                               std::size_t end, float* largest, float* sums) {
  for (std::size_t i = begin; i < end; ++i) largest[i] = scores[i];
  for (std::size_t k = 1; k < classes; ++k) {
    const float* plane = scores + k * rows;
    for (std::size_t i = begin; i < end; ++i) largest[i] = plane[i] > largest[i] ? plane[i] : largest[i];
  }
  for (std::size_t i = begin; i < end; ++i) sums[i] = 0;
  for (std::size_t k = 0; k < classes; ++k) {
    const float* plane = scores + k * rows;
    for (std::size_t i = begin; i < end; ++i) sums[i] += exp_bits(plane[i] - largest[i]);
  }
}
MR_KERNEL(softmax_sums,
          (const float* scores, std::size_t rows, std::size_t classes, std::size_t begin, std::size_t end,
           float* largest, float* sums),
          (scores, rows, classes, begin, end, largest, sums))

MR_BODY void softmax_rows_body(const float* s, const float* y, const float* w, const float* largest,
                               const float* sums, float k, std::size_t count, GradientPair* out) {
  for (std::size_t first = 0; first < count; first += kLossRows) {
    const std::size_t n = count - first < kLossRows ? count - first : kLossRows;
    float above[kLossRows] = {}, sum[kLossRows], target[kLossRows] = {}, weight[kLossRows];
    GradientPair pairs[kLossRows];
    for (std::size_t i = 0; i < kLossRows; ++i) weight[i] = sum[i] = 1.0f;
    for (std::size_t i = 0; i < n; ++i)
      above[i] = s[first + i] - largest[first + i], sum[i] = sums[first + i], target[i] = y[first + i];
    for (std::size_t i = 0; w && i < n; ++i) weight[i] = w[first + i];
    for (std::size_t i = 0; i < kLossRows; ++i) {
      const float p = exp_bits(above[i]) / sum[i], h = 2.0f * p * (1.0f - p);
      pairs[i].gradient = (target[i] == k ? p - 1.0f : p) * weight[i];
      pairs[i].hessian = (h > kLeastHessian ? h : kLeastHessian) * weight[i];
    }
    for (std::size_t i = 0; i < n; ++i) out[first + i] = pairs[i];
  }
}
MR_KERNEL(softmax_rows,
          (const float* s, const float* y, const float* w, const float* largest, const float* sums, float k,
           std::size_t count, GradientPair* out),
          (s, y, w, largest, sums, k, count, out))

// --- the objectives
// --------------------------------------------------------------------------------------------

enum class Link { Identity, Logistic, Log, Step };

struct ObjectiveRow {
  std::string_view name, metric;
  Link output;  // of a prediction
  Link base;    // of base_score
  std::string_view parameter_object;
};

template <class Loss>
class RowObjective final : public Objective {
 public:
  RowObjective(const ObjectiveRow& row, Loss loss, const ObjectiveSettings& settings)
      : row_(row), loss_(loss), settings_(settings) {}

  std::string_view default_metric() const override { return row_.metric; }
  void gradients(std::size_t, std::size_t begin, std::size_t end, std::span<const float> scores,
                 std::span<const float> y, std::span<const float> weights, GradientPair* out) const override {
    const float positive =
        row_.parameter_object == "reg_loss_param" ? float(settings_.scale_pos_weight) : 1.0f;
    gradient_rows(loss_, scores.data() + begin, y.data() + begin,
                  weights.empty() ? nullptr : weights.data() + begin, positive, end - begin, out);
  }
  void transform(float* scores, std::size_t) const override {
    if (row_.output == Link::Logistic) *scores = sigmoid_bits(*scores);
    if (row_.output == Link::Log) *scores = exp_bits(*scores);
    if (row_.output == Link::Step) *scores = *scores > 0 ? 1.0f : 0.0f;
  }
  double base_margin(double base) const override {
    if (row_.base == Link::Logistic) return -std::log(1 / base - 1);
    if (row_.base == Link::Log) return std::log(base);
    return base;
  }
  bool good_base(double base) const override {
    if (row_.base == Link::Logistic) return base > 0 && base < 1;
    if (row_.base == Link::Log) return base > 0 && base < std::numeric_limits<double>::infinity();
    return std::isfinite(base);
  }
  std::string_view wrong_target(double y) const override {
    if (row_.name == "reg:squaredlogerror") return y > -1 ? "" : "must be above -1";
    if (row_.name == "reg:gamma") return y > 0 ? "" : "must be above 0";
    if (row_.base == Link::Log) return y >= 0 ? "" : "must be at least 0";
    if (row_.base == Link::Logistic || row_.name == "binary:hinge")
      return y >= 0 && y <= 1 ? "" : "must be from 0 to 1";
    return {};
  }
  bool median_leaves() const override { return std::is_same_v<Loss, AbsoluteLoss>; }
  std::string_view parameter_object() const override { return row_.parameter_object; }
  std::map<std::string, std::string> parameters() const override {
    if (row_.parameter_object == "reg_loss_param")
      return {{"scale_pos_weight", shortest(settings_.scale_pos_weight)}};
    if (row_.parameter_object == "pseudo_huber_param")
      return {{"huber_slope", shortest(settings_.huber_slope)}};
    if (row_.parameter_object == "poisson_regression_param")
      return {{"max_delta_step", shortest(settings_.max_delta_step)}};
    if (row_.parameter_object == "tweedie_regression_param")
      return {{"tweedie_variance_power", shortest(settings_.tweedie_variance_power)}};
    return {};
  }

 private:
  const ObjectiveRow& row_;
  Loss loss_;
  ObjectiveSettings settings_;
};

class SoftmaxObjective final : public Objective {
 public:
  explicit SoftmaxObjective(std::size_t classes, bool choose) : classes_(classes), choose_(choose) {}

  std::string_view default_metric() const override { return choose_ ? "merror" : "mlogloss"; }
  void begin_round(std::span<const float> scores, std::size_t rows, Team& team) override {
    largest_.resize(rows), sums_.resize(rows);
    team.blocks(rows, kGrain, [&](std::size_t begin, std::size_t end, int) {
      softmax_sums(scores.data(), rows, classes_, begin, end, largest_.data(), sums_.data());
    });
  }
  void gradients(std::size_t k, std::size_t begin, std::size_t end, std::span<const float> scores,
                 std::span<const float> y, std::span<const float> weights, GradientPair* out) const override {
    softmax_rows(scores.data() + k * y.size() + begin, y.data() + begin,
                 weights.empty() ? nullptr : weights.data() + begin, largest_.data() + begin,
                 sums_.data() + begin, static_cast<float>(k), end - begin, out);
  }
  void transform(float* scores, std::size_t outputs) const override {
    const float largest = *std::max_element(scores, scores + outputs);
    float sum = 0;
    for (std::size_t k = 0; k < outputs; ++k) sum += scores[k] = exp_bits(scores[k] - largest);
    for (std::size_t k = 0; k < outputs; ++k) scores[k] /= sum;
  }
  std::string_view parameter_object() const override { return "softmax_multiclass_param"; }
  std::map<std::string, std::string> parameters() const override {
    return {{"num_class", std::to_string(classes_)}};
  }

 private:
  std::size_t classes_;
  bool choose_;
  std::vector<float> largest_, sums_;  // by row, of this round
};

using enum Link;
constexpr ObjectiveRow kRows[] = {
    {"reg:squarederror", "rmse", Identity, Identity, "reg_loss_param"},
    {"reg:linear", "rmse", Identity, Identity, "reg_loss_param"},
    {"reg:squaredlogerror", "rmsle", Identity, Identity, "reg_loss_param"},
    {"reg:logistic", "rmse", Logistic, Logistic, "reg_loss_param"},
    {"binary:logistic", "logloss", Logistic, Logistic, "reg_loss_param"},
    {"binary:logitraw", "logloss", Identity, Identity, "reg_loss_param"},
    {"binary:hinge", "error", Step, Identity, ""},
    {"reg:absoluteerror", "mae", Identity, Identity, ""},
    {"reg:pseudohubererror", "mphe", Identity, Identity, "pseudo_huber_param"},
    {"count:poisson", "poisson-nloglik", Log, Log, "poisson_regression_param"},
    {"reg:gamma", "gamma-nloglik", Log, Log, ""},
    {"reg:tweedie", "tweedie-nloglik", Log, Log, "tweedie_regression_param"},
    {"multi:softprob", "mlogloss", Identity, Identity, "softmax_multiclass_param"},
    {"multi:softmax", "merror", Identity, Identity, "softmax_multiclass_param"},
    {"rank:pairwise", "map", Identity, Identity, "lambda_rank_param"},
    {"rank:ndcg", "ndcg", Identity, Identity, "lambda_rank_param"},
    {"rank:map", "map", Identity, Identity, "lambda_rank_param"},
};

template <class Loss>
std::unique_ptr<Objective> row_objective(const ObjectiveRow& row, const ObjectiveSettings& settings,
                                         Loss loss = {}) {
  return std::make_unique<RowObjective<Loss>>(row, loss, settings);
}

// Sums of |gradient| and hessian over a block, in a fixed order.
MR_BODY void size_block_body(const GradientPair* pairs, std::size_t count, double* gradient,
                             double* hessian) {
  double g[64] = {}, h[64] = {};
  std::size_t i = 0;
  for (; i + 64 <= count; i += 64) {
    for (std::size_t k = 0; k < 64; ++k) {
      const float a = pairs[i + k].gradient;
      g[k] += static_cast<double>(a < 0 ? -a : a), h[k] += static_cast<double>(pairs[i + k].hessian);
    }
  }
  for (; i < count; ++i) g[0] += std::abs(double(pairs[i].gradient)), h[0] += double(pairs[i].hessian);
  for (std::size_t k = 1; k < 64; ++k) g[0] += g[k], h[0] += h[k];
  *gradient = g[0], *hessian = h[0];
}
MR_KERNEL(size_block, (const GradientPair* pairs, std::size_t count, double* gradient, double* hessian),
          (pairs, count, gradient, hessian))

MR_BODY void word_block_body(const GradientPair* pairs, std::size_t first, std::size_t count,
                             float gradient_scale, float hessian_scale, std::uint32_t salt,
                             std::int64_t* words) {
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t random = row_hash(static_cast<std::uint32_t>(first + i), salt);
    const float up_g = static_cast<float>(static_cast<std::int32_t>(random & 0xffff)) * (1.0f / 65536);
    const float up_h = static_cast<float>(static_cast<std::int32_t>(random >> 16)) * (1.0f / 65536);
    // Down to the next whole number, also below 0.
    const float g = pairs[i].gradient * gradient_scale + up_g, h = pairs[i].hessian * hessian_scale + up_h;
    std::int32_t whole = static_cast<std::int32_t>(g);
    whole -= static_cast<float>(whole) > g ? 1 : 0;
    // A hessian may be twice as large as a signed number holds.
    const std::uint32_t half = static_cast<std::uint32_t>(static_cast<std::int32_t>(h * 0.5f));
    const float rest = h - static_cast<float>(static_cast<std::int32_t>(half)) * 2.0f;
    const std::uint32_t hessian = half * 2 + (rest >= 1.0f ? 1u : 0u);
    words[i] = (static_cast<std::int64_t>(whole) << 32) + static_cast<std::int64_t>(hessian);
  }
}
MR_KERNEL(word_block,
          (const GradientPair* pairs, std::size_t first, std::size_t count, float gradient_scale,
           float hessian_scale, std::uint32_t salt, std::int64_t* words),
          (pairs, first, count, gradient_scale, hessian_scale, salt, words))

// The exponent of a sum of sizes of floats, exactly: whole numbers for each exponent, then the place of the
// highest bit of their sum.
class ExactSize {
 public:
  void add(float x) {
    const auto bits = std::bit_cast<std::uint32_t>(x) & 0x7fffffffu;
    const std::uint32_t exponent = bits >> 23, mantissa = bits & 0x7fffffu;
    sums_[std::max(1u, exponent)] +=
        static_cast<std::int64_t>(exponent > 0 ? mantissa | 0x800000u : mantissa);
  }
  std::span<std::int64_t> sums() { return sums_; }
  int exponent() const {  // as std::ilogb; the sum is above 0
    std::int64_t carried = 0;
    int highest = 0;
    for (int place = 0; place < kPlaces || carried > 0; ++place) {
      carried += place < kPlaces ? sums_[static_cast<std::size_t>(place)] : 0;
      if (carried & 1) highest = place;
      carried >>= 1;
    }
    return highest - 150;
  }

 private:
  static constexpr int kPlaces = 256;
  std::vector<std::int64_t> sums_ = std::vector<std::int64_t>(kPlaces);
};

// The largest power of two that keeps a sum of this exponent below 2^bits.
double scale_of(double sum, int exponent, int bits) {
  if (!(sum > 0) || !std::isfinite(sum)) return 1;
  return std::ldexp(1.0, std::clamp(bits - 1 - exponent, -100, 100));
}

// Whether the order of adding could decide below which power of two a sum lies.
bool near_a_power(double sum) {
  if (!(sum > 0) || !std::isfinite(sum)) return false;
  int exponent = 0;
  const double part = std::frexp(sum, &exponent);  // [0.5, 1)
  return part < 0.5 + 1e-9 || part > 1 - 1e-9;
}

struct PairSizes {
  double gradient = 0, hessian = 0;
  int gradient_exponent = 0, hessian_exponent = 0;
};

// Sums of |gradient| and hessian, and their exponents, which do not depend on the order of adding.
PairSizes pair_sizes(std::span<const GradientPair> pairs, Team& team, const RankRows* ranks) {
  const std::size_t rows = pairs.size(), blocks = (rows + kGrain - 1) / kGrain;
  std::vector<double> gradients(blocks), hessians(blocks);
  team.blocks(rows, kGrain, [&](std::size_t begin, std::size_t end, int) {
    size_block(pairs.data() + begin, end - begin, &gradients[begin / kGrain], &hessians[begin / kGrain]);
  });
  PairSizes sizes;
  for (std::size_t b = 0; b < blocks; ++b) sizes.gradient += gradients[b], sizes.hessian += hessians[b];
  if (ranks) {
    double sums[] = {sizes.gradient, sizes.hessian};
    (void)ranks->collective.sum_in_order(sums);
    sizes.gradient = sums[0], sizes.hessian = sums[1];
  }
  const auto exponent = [&](double sum, auto&& field) {
    if (!near_a_power(sum)) return sum > 0 && std::isfinite(sum) ? std::ilogb(sum) : 0;
    ExactSize exact;
    for (const GradientPair& pair : pairs) exact.add(field(pair));
    if (ranks) (void)ranks->collective.sum(exact.sums());
    return exact.exponent();
  };
  sizes.gradient_exponent = exponent(sizes.gradient, [](const GradientPair& p) { return p.gradient; });
  sizes.hessian_exponent = exponent(sizes.hessian, [](const GradientPair& p) { return p.hessian; });
  return sizes;
}

}  // namespace

std::unique_ptr<Objective> make_objective(std::string_view name, const ObjectiveSettings& s) {
  const auto row = std::ranges::find(kRows, name, &ObjectiveRow::name);
  if (row == std::end(kRows)) return nullptr;
  if (name == "reg:squarederror" || name == "reg:linear") return row_objective<SquaredLoss>(*row, s);
  if (name == "reg:squaredlogerror") return row_objective<SquaredLogLoss>(*row, s);
  if (name == "binary:hinge") return row_objective<HingeLoss>(*row, s);
  if (name == "reg:absoluteerror") return row_objective<AbsoluteLoss>(*row, s);
  if (name == "reg:pseudohubererror") return row_objective(*row, s, HuberLoss{float(s.huber_slope)});
  if (name == "count:poisson") return row_objective(*row, s, PoissonLoss{float(s.max_delta_step)});
  if (name == "reg:gamma") return row_objective<GammaLoss>(*row, s);
  if (name == "reg:tweedie") return row_objective(*row, s, TweedieLoss{float(s.tweedie_variance_power)});
  if (name.starts_with("rank:")) return make_ranking(name);
  if (name.starts_with("multi:"))
    return std::make_unique<SoftmaxObjective>(s.classes, name == "multi:softmax");
  return row_objective<LogisticLoss>(*row, s);
}

std::span<const std::string_view> objective_names() {
  static const std::vector<std::string_view> kNames = [] {
    std::vector<std::string_view> names;
    for (const ObjectiveRow& row : kRows) names.push_back(row.name);
    return names;
  }();
  return kNames;
}

Units to_words(std::span<GradientPair> pairs, std::span<std::int64_t> words, std::uint32_t salt, Team& team,
               const RankRows* ranks) {
  const PairSizes sizes = pair_sizes(pairs, team, ranks);
  // Rounding adds at most one a row, and there are fewer than 2^30 of them.
  const double gradient_scale = scale_of(sizes.gradient, sizes.gradient_exponent, 30),
               hessian_scale = scale_of(sizes.hessian, sizes.hessian_exponent, 31);
  const auto convert = [&](std::size_t first, std::size_t count, std::size_t number) {
    word_block(pairs.data() + first, number, count, static_cast<float>(gradient_scale),
               static_cast<float>(hessian_scale), salt, words.data() + first);
  };
  team.blocks(pairs.size(), kGrain, [&](std::size_t begin, std::size_t end, int) {
    if (ranks)
      ranks->each(begin, end, convert);
    else
      convert(begin, end - begin, begin);
  });
  return {1 / gradient_scale, 1 / hessian_scale};
}

}  // namespace millrace::tasks::trees
