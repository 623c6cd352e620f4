#include "tasks/forecasting/study_state.h"

#include <cmath>

namespace millrace::tasks {
namespace {

// A study is: scale, number of windows; of each window origin, number of methods; of each method its error,
// number of values, values.
std::size_t numbers_of(const SeriesStudy& study) {
  std::size_t count = 2;
  for (const SeriesStudy::Window& window : study.windows) {
    count += 2;
    for (const Values& forecast : window.forecasts) count += 2 + forecast.size();
  }
  return count;
}

void append_study(const SeriesStudy& study, std::vector<double>& out) {
  out.push_back(study.scale), out.push_back(static_cast<double>(study.windows.size()));
  for (const SeriesStudy::Window& window : study.windows) {
    out.push_back(static_cast<double>(window.origin));
    out.push_back(static_cast<double>(window.forecasts.size()));
    for (std::size_t m = 0; m < window.forecasts.size(); ++m) {
      out.push_back(window.errors[m]);
      out.push_back(static_cast<double>(window.forecasts[m].size()));
      out.insert(out.end(), window.forecasts[m].begin(), window.forecasts[m].end());
    }
  }
}

// Reads on; what is not there reads as 0 and is remembered.
class StudyReader {
 public:
  explicit StudyReader(std::span<const double> numbers) : rest_(numbers) {}
  double number() {
    if (rest_.empty()) {
      whole_ = false;
      return 0;
    }
    const double value = rest_.front();
    rest_ = rest_.subspan(1);
    return value;
  }
  // A whole number up to `most`; 0 when it is none.
  std::size_t count(std::size_t most) {
    const double value = number();
    whole_ = whole_ && value >= 0 && value <= static_cast<double>(most) && value == std::floor(value);
    return whole_ ? static_cast<std::size_t>(value) : 0;
  }
  Values values(std::size_t count) {
    const std::span<const double> taken = rest_.first(std::min(count, rest_.size()));
    rest_ = rest_.subspan(taken.size());
    return {taken.begin(), taken.end()};
  }
  std::size_t left() const { return rest_.size(); }
  bool whole() const { return whole_; }

 private:
  std::span<const double> rest_;
  bool whole_ = true;
};

SeriesStudy read_study(StudyReader& in) {
  constexpr std::size_t kOriginMax = std::size_t{1} << 40;
  SeriesStudy study;
  study.scale = in.number();
  study.windows.resize(in.count(in.left()));
  for (SeriesStudy::Window& window : study.windows) {
    window.origin = in.count(kOriginMax);
    const std::size_t methods = in.count(in.left());
    for (std::size_t m = 0; m < methods; ++m) {
      window.errors.push_back(in.number());
      window.forecasts.push_back(in.values(in.count(in.left())));
    }
  }
  return study;
}

}  // namespace

void StudyState::pack(std::span<const SeriesStudy> studies) {
  while (studied() < studies.size()) {
    const SeriesStudy& next = studies[studied()];
    if (numbers_.size() + numbers_of(next) > kStudyNumbersMax) return;
    append_study(next, numbers_);
    ++studied_;
  }
}

Status StudyState::unpack(std::span<SeriesStudy> studies) const {
  StudyReader in(numbers_);
  bool usable = studied_ >= 0 && studied() <= studies.size();
  for (std::size_t i = 0; usable && i < studied(); ++i) {
    studies[i] = read_study(in);
    usable = in.whole() && studies[i].scale > 0;
  }
  if (usable && in.left() == 0) return {};
  return tl::make_unexpected(
      Error{ErrorCode::DataLoss, "not a usable forecasting checkpoint: it is of other series"});
}

}  // namespace millrace::tasks
