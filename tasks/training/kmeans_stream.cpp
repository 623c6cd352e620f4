#include "tasks/training/kmeans_stream.h"

#include <algorithm>

#include "base/random.h"
#include "tasks/numeric/nearest_centre.h"
#include "tasks/training/kmeans.h"
#include "tasks/training/stream_passes.h"

namespace millrace::tasks {

namespace {

// The fit on a stream: the search on a sample of the rows, then Lloyd's rounds over all of them, a pass each.
class StreamedKmeans {
 public:
  StreamedKmeans(const ParameterReader& read, RowStream& train, const FitContext& context)
      : read_(read),
        context_(context),
        k_(static_cast<std::size_t>(read.integer("k"))),
        passes_(train, kKmeansNeeds) {
    sample_ = train.head();
    sample_.target_name.clear();
  }

  Result<Fitted> run() {
    MR_DO(draw_sample());
    if (k_ > sample_.X.rows)
      return invalid("hyperparameter 'k' is " + std::to_string(k_) + ", but train has only " +
                     counted(sample_.X.rows, "row"));
    FitContext quiet;
    quiet.seed = context_.seed, quiet.threads = context_.threads, quiet.cancelled = context_.cancelled;
    MR_TRY(centres, find_kmeans_centres(read_, sample_, quiet));
    centres_ = std::move(centres);
    const std::int64_t epochs = read_.integer("epochs");
    Fitted fitted;
    bool stop = false;
    for (std::int64_t epoch = 0; epoch < epochs && !stop; ++epoch) {
      MR_TRY(loss, pass(true));
      stop = report(epoch, epochs, loss);
      fitted.rounds = epoch + 1;
    }
    MR_TRY(loss, pass(false));
    fitted.metrics = {{"train:msd", loss / weights_}, {"train:ssd", loss}};
    fitted.model = make_kmeans_model(std::move(centres_));
    return fitted;
  }

 private:
  static constexpr std::size_t kSampledRows = 65'536;
  static constexpr std::size_t kSampledNumbers = std::size_t{1} << 26;  // 256 MB

  // Each row is as likely to be in it as any other.
  Status draw_sample() {
    Random random = Random(context_.seed).derive("sample");
    std::uint64_t seen = 0;
    return passes_.each([&](const Dataset& rows) -> Status {
      const std::size_t d = rows.X.cols;
      MR_DO(check_feature_dim(read_.integer_or("feature_dim", static_cast<std::int64_t>(d)), rows));
      const std::size_t most = std::max(10 * k_, std::min(kSampledRows, kSampledNumbers / d));
      sample_.X.cols = d;
      for (std::size_t i = 0; i < rows.X.rows; ++i, ++seen) {
        const float* row = rows.X.values.data() + i * d;
        if (sample_.X.rows < most) {
          sample_.X.values.insert(sample_.X.values.end(), row, row + d), ++sample_.X.rows;
          if (!rows.weights.empty()) sample_.weights.push_back(rows.weights[i]);
          continue;
        }
        const std::uint64_t place = random.below(seen + 1);
        if (place >= most) continue;
        std::copy_n(row, d, sample_.X.values.data() + place * d);
        if (!rows.weights.empty()) sample_.weights[place] = rows.weights[i];
      }
      return {};
    });
  }

  // Sums up the rows by their nearest centre; then moves the centres to the means. The loss before.
  Result<double> pass(bool move) {
    const NearestCentre nearest(centres_);
    const std::size_t d = centres_.cols, stride = d + 1;
    std::vector<double> sums(k_ * stride);
    double loss = 0;
    weights_ = 0;
    MR_DO(passes_.each([&](const Dataset& rows) -> Status {
      std::uint32_t found[kNearestRows];
      for (std::size_t begin = 0; begin < rows.X.rows; begin += kNearestRows) {
        const std::size_t count = std::min(kNearestRows, rows.X.rows - begin);
        nearest.find(MatrixView(rows.X).slice(begin, count), found);
        for (std::size_t i = 0; i < count; ++i) {
          const double w = rows.weights.empty() ? 1 : rows.weights[begin + i];
          const float* x = rows.X.values.data() + (begin + i) * d;
          loss += w * squared_distance(x, centres_.values.data() + found[i] * d, d), weights_ += w;
          double* sum = sums.data() + found[i] * stride;
          for (std::size_t j = 0; j < d; ++j) sum[j] += w * static_cast<double>(x[j]);
          sum[d] += w;
        }
      }
      return {};
    }));
    for (std::size_t c = 0; move && c < k_; ++c) {
      const double* sum = sums.data() + c * stride;
      for (std::size_t j = 0; sum[d] > 0 && j < d; ++j)
        centres_.at(c, j) = static_cast<float>(sum[j] / sum[d]);
    }
    return loss;
  }

  bool report(std::int64_t epoch, std::int64_t epochs, double loss) const {
    bool stop = false;
    for (const MetricPoint& point :
         {MetricPoint{"train:msd", loss / weights_, epoch}, MetricPoint{"train:ssd", loss, epoch}}) {
      if (context_.metric) context_.metric(point);
      if (context_.stop_early && context_.stop_early(point)) stop = true;
    }
    Progress progress;
    progress.phase = "Training", progress.round = epoch + 1, progress.rounds = epochs;
    progress.metric = "train:msd", progress.value = loss / weights_;
    if (context_.progress) context_.progress(progress);
    return stop;
  }

  const ParameterReader& read_;
  const FitContext& context_;
  const std::size_t k_;
  StreamPasses passes_;
  Dataset sample_;
  Matrix centres_;
  double weights_ = 0;
};

}  // namespace

Result<Fitted> fit_kmeans_stream(const ParameterReader& read, RowStream& train, const FitContext& context) {
  return StreamedKmeans(read, train, context).run();
}

}  // namespace millrace::tasks
