#pragma once
// DenseRows: features as trees take them (numbers with gaps, categories as codes) to features as networks,
// linear models and neighbours take them: no gaps, everything of about the same size.
//
// A number: the median where it is missing, minus the median, over the distance of the quartiles (the
// deviation where that is 0), then x / sqrt(1 + (x / 3)^2), so that one broken cell stays within 3; a column
// more says what was missing, where there was something. A category: a column of 0 and 1 for each of the most
// frequent codes, none for what is rare or missing. Learnt from the training rows of one fold. Immutable; any
// thread. Source of the bounded scale: Holzmüller, Grinsztajn and Steinwart, Better by Default (2024).

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "tasks/numeric/matrix.h"
#include "tasks/training/model_bytes.h"

namespace millrace::tasks {

inline constexpr std::size_t kDenseCodesMax = 64;   // columns of one category
inline constexpr std::size_t kDenseRowsOfCode = 5;  // codes of fewer rows have no column

class DenseRows {
 public:
  // `categorical` (d,): whether each feature holds codes.
  static DenseRows fit(MatrixView X, const std::vector<bool>& categorical);

  std::size_t inputs() const { return columns_.size(); }
  std::size_t outputs() const { return outputs_; }
  Matrix apply(MatrixView X) const;

  void save(ModelWriter& out) const;
  static DenseRows load(ModelReader& in, bool& whole);

 private:
  struct Part {
    bool categorical = false, gaps = false;
    float centre = 0, scale = 1;  // of numbers: (x - centre) * scale
    std::vector<float> codes;     // of categories, ascending
    std::size_t width() const { return categorical ? codes.size() : gaps ? 2 : 1; }
  };
  void count();

  std::vector<Part> columns_;
  std::size_t outputs_ = 0;
};

}  // namespace millrace::tasks
