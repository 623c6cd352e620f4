#pragma once
// Estimators are values of hyperparameters; fitting gives an immutable Model, so nothing is ever "not
// fitted". Rules that the estimator battery (tests/tasks/training/estimator_checks_test.cpp) holds every row
// of the table to: the seed is given and the same data, seed and settings give the same model bytes; shapes
// (n, d) are checked at the door; load(save(m)) predicts the same; cancelled() is asked once a unit of work;
// one progress report a unit.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "tasks/numeric/matrix.h"
#include "tasks/ranks/rank_rows.h"
#include "tasks/task.h"

namespace millrace::tasks {

// Hyperparameters as SageMaker sends them: strings by name.
using HyperParameters = std::map<std::string, std::string>;

struct Dataset {
  Matrix X;                                // (n, d); NaN is a missing value
  std::vector<double> y;                   // (n,); empty of data without a target
  std::vector<double> weights;             // (n,) or empty
  std::vector<double> groups;              // (n,) or empty: the query that a row belongs to, of ranking
  std::vector<std::string> feature_names;  // (d,)
  std::string target_name;
  std::int64_t first_row = 0;  // of a part: its first row, counted from 0 over the channel
  // For messages: the objects that the rows are of, each with its first row, in order; may be empty.
  struct Source {
    std::string name;  // s3://…
    std::int64_t first_row = 0;
  };
  std::vector<Source> sources = {};
};

struct MetricPoint {
  std::string name;  // "validation:auc"
  double value = 0;
  std::int64_t round = 0;
};

struct TensorTap;  // tasks/training/tensors.h

struct FitContext {
  std::uint64_t seed = 0;
  int threads = 1;
  std::function<bool()> cancelled;                 // may be empty
  std::function<void(const Progress&)> progress;   // may be empty
  std::function<void(const MetricPoint&)> metric;  // may be empty; every metric of every round
  std::function<bool(const MetricPoint&)>
      stop_early;  // may be empty; true ends the fit with the model so far
  // Of algorithms that say so; the others begin anew. A fit that goes on from a checkpoint ends in the bytes
  // of one that was never stopped.
  std::int64_t checkpoint_rounds = 0;                      // rounds between checkpoints; 0: none are taken
  std::function<bool()> checkpoint_overdue;                // may be empty; true: after this round, too
  std::function<void(std::string_view bytes)> checkpoint;  // may be empty
  std::string_view resume_from;        // bytes of a checkpoint of the same job; empty: from the beginning
  std::string_view start_from;         // bytes of a model to train further; empty: none
  const TensorTap* tensors = nullptr;  // of algorithms that show them (tensors.h); null: nobody looks
  // Of algorithms that say so: the fit is one of several that train one model together, each with its part of
  // the rows (EstimatorKind::ranks). Null: alone. Rank 0 has the validation channel, the checkpoints and the
  // callbacks; all end with the same model.
  const RankRows* ranks = nullptr;
};

// How an answer names the numbers of a row: {"predictions":[{"score":0.91}]}; fields in the order of its
// columns.
struct AnswerForm {
  enum class Shape {
    Number,  // one column
    List,    // all columns that are left: "projection":[0.1,0.2]
    Either   // the same, but a single one is a number: "score":0.91 or "score":[0.2,0.8]
  };
  struct Field {
    std::string_view name;
    Shape shape;
  };
  std::string_view list = "predictions";
  std::vector<Field> fields = {{"score", Shape::Either}};
  // Rows of JSON have a "predicted_label" as well: 1 for a score above the threshold; of several, the largest
  // one's place.
  bool label = false;
  double threshold = 0.5;
};

class RowStream;     // tasks/training/row_stream.h
class OwnFormModel;  // tasks/training/own_form.h
struct OwnForm;

class Model {
 public:
  virtual ~Model() = default;
  virtual std::string_view algorithm() const = 0;
  virtual std::size_t n_features() const = 0;
  // (n, d) -> (n, n_outputs): regression (n, 1), binary (n, 1) probability of class 1, classes (n, k)
  // probabilities. InvalidArgument when d differs from n_features(). Any thread, any number at once.
  virtual Result<Matrix> predict(MatrixView X) const = 0;
  // What a request is answered: how, and the numbers themselves from what predict gave (a label for the
  // classes' shares).
  virtual AnswerForm answer_form() const { return {}; }
  virtual Matrix answer(Matrix predictions) const { return predictions; }
  // Of a model that answers requests in a form of its own: itself, else null.
  virtual const OwnFormModel* own_form() const { return nullptr; }
  virtual std::string save() const = 0;  // bytes; versioned; load_model(algorithm, save()) predicts the same
};

struct Fitted {
  std::unique_ptr<const Model> model;
  std::map<std::string, double> metrics;  // final values by name: "validation:auc", "train:logloss"
  std::int64_t rounds = 0;                // units of work done (trees, epochs)
};

// One hyperparameter's rule; one table per algorithm gives parsing, refusal, documentation and default tuning
// space.
struct HyperParameterRule {
  enum class Type { Integer, Real, Boolean, Choice, Text };
  std::string_view name;
  Type type;
  std::string_view default_value;  // empty: none
  double low = 0, high = 0;        // inclusive, for Integer and Real when low < high
  std::string_view choices = {};   // "a|b|c" for Choice
  bool required = false;
  std::string_view help = {};
};

class Estimator {
 public:
  virtual ~Estimator() = default;
  // InvalidArgument on shape or value (the message names row and column), Cancelled when told to stop.
  virtual Result<Fitted> fit(const Dataset& train, const Dataset* validation,
                             const FitContext& context) const = 0;
  // The same while the rows arrive, in memory that does not depend on how many there are; of kinds that
  // stream. Not the same model: what a fit in memory knows of all rows at once, this one learns on the way.
  virtual Result<Fitted> fit_stream(RowStream& train, const Dataset* validation,
                                    const FitContext& context) const;
};

// Whether rows have a target: a column of every channel (text/csv; label_size=1), one that only the channel
// `test` needs, or none (label_size=0).
enum class TargetUse { Required, Optional, None };

// What an algorithm asks of its channels.
struct DataNeeds {
  TargetUse target = TargetUse::Required;
  bool weights = true;     // takes a column of weights
  bool missing = false;    // learns from missing values; they are refused otherwise
  bool validation = true;  // takes the channel `validation`
  bool groups = false;     // may take a column of queries
};

// What a rank of several has of the channel `train`.
enum class RankUse {
  None,  // the algorithm trains in one rank
  Rows,  // its share of the rows
  All    // all of them: work is shared out otherwise
};

// One row of the table in estimators.cpp.
struct EstimatorKind {
  std::string_view name;  // "xgboost"
  std::string_view summary;
  std::span<const HyperParameterRule> rules;
  std::span<const std::string_view> metrics;  // names it can report and tune by
  std::string_view default_metric;
  Result<std::unique_ptr<const Estimator>> (*make)(const HyperParameters& parameters);
  Result<std::unique_ptr<const Model>> (*load)(std::string_view bytes);
  // Whether a fit with these takes FitContext's checkpoint and resume_from; null: none does.
  bool (*checkpoints)(const HyperParameters& parameters) = nullptr;
  DataNeeds needs = {};
  // A model's metrics on the channel `test`, named without it: "msd". Null: there is no such channel.
  Result<std::map<std::string, double>> (*test)(const HyperParameters& parameters, const Model& model,
                                                const Dataset& data) = nullptr;
  std::string_view task = {};         // "clustering"; empty: what the hyperparameters say
  bool streams = false;               // has fit_stream: input mode Pipe
  std::string_view collections = {};  // "weights|biases|…" of tensors that a fit shows; empty: none
  // Of an algorithm that reads its channels itself, whose `make` is null; else null.
  const OwnForm* own_form = nullptr;
  std::string_view file = "model.bin";  // the model's name in its archive
  // With these hyperparameters; null: always one rank.
  RankUse (*ranks)(const HyperParameters& parameters) = nullptr;
  RankUse rank_use(const HyperParameters& parameters) const {
    return ranks == nullptr ? RankUse::None : ranks(parameters);
  }
};
std::span<const EstimatorKind> estimators();
// By built-in name or by a registry URI of the same algorithm ("…/xgboost:1.7-1"); null when unknown.
const EstimatorKind* find_estimator(std::string_view training_image);
// Checks every name and value against the kind's rules: InvalidArgument names the nearest existing name and
// the range.
Status check_hyperparameters(const EstimatorKind& kind, const HyperParameters& parameters);
// True when larger values of the metric are better ("validation:auc"), false when smaller
// ("validation:logloss").
bool larger_is_better(std::string_view metric);

}  // namespace millrace::tasks
