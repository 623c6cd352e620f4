#include "tasks/training/linear_model.h"

#include <bit>
#include <cmath>
#include <cstring>

#include "base/check.h"
#include "base/encoding.h"
#include "tasks/training/dataset_checks.h"
#include "tasks/training/linear_learner.h"

namespace millrace::tasks {

namespace {

constexpr std::string_view kMagic = "MRLL\x01", kThresholdMagic = "MRLL\x02";
constexpr std::size_t kHeaderBytes = kMagic.size() + 1 + 8 + 8, kDigestBytes = 32;
constexpr std::uint64_t kOutputsMax = 1'000'000, kFeaturesMax = 100'000'000;

void put_u64(std::string& out, std::uint64_t value) {
  for (int i = 0; i < 8; ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
}

std::uint64_t get_u64(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8; ++i)
    value |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
  return value;
}

tl::unexpected<Error> damaged(const char* what) {
  return fail(ErrorCode::DataLoss, std::string("not a usable linear-learner model: ") + what);
}

class LinearModel final : public Model {
 public:
  LinearModel(LinearOutput output, std::size_t d, Parameters parameters, double threshold)
      : output_(output),
        d_(d),
        k_(parameters.size() / (d + 1)),
        parameters_(std::move(parameters)),
        threshold_(threshold) {}

  std::string_view algorithm() const override { return "linear-learner"; }
  std::size_t n_features() const override { return d_; }
  AnswerForm answer_form() const override {
    AnswerForm form;
    form.label = output_ != LinearOutput::Value, form.threshold = threshold_;
    return form;
  }

  // Plain sums in a fixed order: a row scores the same alone and among others.
  Result<Matrix> predict(MatrixView X) const override {
    MR_DO(check_features("linear-learner", X, d_));
    Matrix out(X.rows, k_);
    std::vector<double> scores(k_);
    for (std::size_t i = 0; i < X.rows; ++i) {
      const float* x = X.data + i * d_;
      for (std::size_t c = 0; c < k_; ++c) {
        const double* w = parameters_.data() + c * (d_ + 1);
        double sum = w[d_];
        for (std::size_t j = 0; j < d_; ++j) sum += w[j] * static_cast<double>(x[j]);
        scores[c] = sum;
      }
      if (!std::isfinite(scores[0])) MR_DO(check_row(x, i));
      if (output_ == LinearOutput::Probability) scores[0] = logistic(scores[0]);
      if (output_ == LinearOutput::Probabilities) softmax(scores.data(), static_cast<int>(k_));
      for (std::size_t c = 0; c < k_; ++c) out.at(i, c) = static_cast<float>(scores[c]);
    }
    return out;
  }

  std::unique_ptr<const Model> with(double threshold) const {
    return std::make_unique<LinearModel>(output_, d_, parameters_, threshold);
  }

  std::string save() const override {
    std::string bytes(threshold_ == 0.5 ? kMagic : kThresholdMagic);
    bytes += static_cast<char>(output_);
    put_u64(bytes, k_), put_u64(bytes, d_);
    if (threshold_ != 0.5) put_u64(bytes, std::bit_cast<std::uint64_t>(threshold_));
    for (const double value : parameters_) put_u64(bytes, std::bit_cast<std::uint64_t>(value));
    return bytes + digest(Digest::Sha256, bytes);
  }

 private:
  Status check_row(const float* x, std::size_t i) const {
    for (std::size_t j = 0; j < d_; ++j) {
      if (!std::isfinite(x[j])) {
        return invalid("row " + std::to_string(i + 1) + ", feature " + std::to_string(j) +
                           ": the value is missing or infinite",
                       "linear-learner needs every value: fill missing ones first");
      }
    }
    return {};
  }

  const LinearOutput output_;
  const std::size_t d_, k_;
  const Parameters parameters_;
  const double threshold_;
};

}  // namespace

std::unique_ptr<const Model> make_linear_model(LinearOutput output, std::size_t d, Parameters parameters,
                                               double threshold) {
  MR_CHECK(d > 0 && !parameters.empty() && parameters.size() % (d + 1) == 0,
           "weights and a bias for each output");
  return std::make_unique<LinearModel>(output, d, std::move(parameters), threshold);
}

std::unique_ptr<const Model> with_threshold(const Model& model, double threshold) {
  const auto* linear = dynamic_cast<const LinearModel*>(&model);
  MR_CHECK(linear != nullptr, "a model of linear-learner");
  return linear->with(threshold);
}

Result<std::unique_ptr<const Model>> load_linear_learner(std::string_view bytes) {
  const bool has_threshold = bytes.starts_with(kThresholdMagic);
  const std::size_t head = kHeaderBytes + (has_threshold ? 8 : 0);
  if (bytes.size() < head + kDigestBytes || (!has_threshold && !bytes.starts_with(kMagic)))
    return damaged("it does not begin as one");
  const std::string_view body = bytes.substr(0, bytes.size() - kDigestBytes);
  if (digest(Digest::Sha256, body) != bytes.substr(body.size())) return damaged("its checksum is wrong");
  const auto output = static_cast<unsigned char>(body[kMagic.size()]);
  const std::uint64_t k = get_u64(body.substr(kMagic.size() + 1)),
                      d = get_u64(body.substr(kMagic.size() + 9));
  if (output > 2 || k < 1 || k > kOutputsMax || d < 1 || d > kFeaturesMax || (output < 2 && k != 1))
    return damaged("its shape is wrong");
  if (body.size() - head != k * (d + 1) * 8) return damaged("its length is wrong");
  const double threshold = has_threshold ? std::bit_cast<double>(get_u64(body.substr(kHeaderBytes))) : 0.5;
  if (!(threshold >= 0 && threshold <= 1)) return damaged("its threshold is no probability");
  Parameters parameters(k * (d + 1));
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    parameters[i] = std::bit_cast<double>(get_u64(body.substr(head + i * 8)));
    if (!std::isfinite(parameters[i])) return damaged("a weight is not finite");
  }
  return make_linear_model(static_cast<LinearOutput>(output), d, std::move(parameters), threshold);
}

}  // namespace millrace::tasks
