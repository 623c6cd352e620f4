#pragma once
// `mlp` (ours; linear-learner's names where it has them): a network of dense layers for regression, binary
// and multi-class targets.
//
// hidden_layers "128,64" with activation relu, tanh or logistic; the last layer is linear with squared loss
// (regressor), logistic (binary_classifier) or softmax (multiclass_classifier). Mini-batches of shuffled rows
// by optimizer adam, sgd, momentum, adagrad or rmsprop; the learning rate stays (lr_schedule constant) or
// falls by a half cosine over the epochs (cosine). wd is an L2 penalty of the weights, dropout the chance
// that a hidden unit is left out of a step. Small data has several networks (num_models), which begin with
// other weights and see the rows in other orders, and without a channel validation learn from all rows but a
// fifth, each without another; the answer is their mean (Breiman, Bagging predictors, 1996). Features, and a
// regressor's target, are brought to mean 0 and deviation 1 first unless told otherwise; a regressor answers
// within the targets that train had, as networks are wild beyond them (clip_predictions). An epoch is a
// round, scored by the mean loss on the validation channel, or without one on rows of train that are held out
// (validation_fraction; when it is 0, by the running loss of training, train:objective_loss); the best
// epoch's model is kept, and training ends after early_stopping_patience epochs without an improvement by
// early_stopping_tolerance (relative). Missing values are refused, weights taken. The bytes are the same for
// any number of threads and any processor: rows go in fixed blocks whose gradients are added in order, and
// products, exp and log are the same bits everywhere (numeric/gemm.h, trees/math.h). Sources: Rumelhart,
// Hinton, Williams (1986); Glorot and Bengio (2010) and He et al. (2015) for first weights; Kingma and Ba,
// Adam (2015); Duchi et al., AdaGrad (2011); Srivastava et al., Dropout (2014).

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "tasks/training/estimator.h"
#include "tasks/training/mlp/network.h"

namespace millrace::tasks {

inline constexpr DataNeeds kMlpNeeds{};
inline constexpr std::string_view kMlpCollections =
    "weights|biases|gradients|losses|relu_input|relu_output|tanh_input|tanh_output|sigmoid_input|sigmoid_"
    "output";
std::span<const HyperParameterRule> mlp_rules();
std::span<const std::string_view> mlp_metrics();
Result<std::unique_ptr<const Estimator>> make_mlp(const HyperParameters& parameters);
Result<std::unique_ptr<const Model>> load_mlp(std::string_view bytes);
// linear-learner's metrics, by the predictor_type
Result<std::map<std::string, double>> test_mlp(const HyperParameters& parameters, const Model& model,
                                               const Dataset& data);

// A network with what stands around it.
struct MlpParts {
  NetworkShape shape;
  std::vector<float> parameters;             // of one network after another; their answers are averaged
  std::vector<float> mean, inverse;          // of the features, (inputs,)
  double target_mean = 0, target_scale = 1;  // of a regressor
  double least = 0, most = 0;                // its answers; not used when they are the same
};
std::unique_ptr<const Model> make_mlp_model(MlpParts parts);

}  // namespace millrace::tasks
