#pragma once
// Algorithms whose data is no table of numbers: series, texts, events of users and items. They read the
// objects of their channels themselves, and their models take and give requests in a form of their own. Such
// a row of estimators() has an OwnForm instead of `make`; its models are OwnFormModels. Everything else
// (hyperparameters, jobs, artifacts, endpoints, batches) is as for the others.

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "tasks/training/estimator.h"

namespace millrace::tasks {

// A channel as it lies in the object store.
struct ObjectChannel {
  struct Object {
    std::string name;  // "s3://bucket/key", for messages
    std::string bytes;
  };
  std::string name;             // "train"
  std::string content_type;     // "text/csv", without parameters; empty when the job does not say
  std::vector<Object> objects;  // in the order of their keys; not empty
};

struct ObjectChannels {
  ObjectChannel train;
  std::optional<ObjectChannel> other;  // validation or test: what the model is measured on
  // Settings of the job, see training_spec.h; empty: not given.
  std::string target;
};

struct OwnForm {
  // What several hyperparameters together must fulfil, after each was held to its rule.
  Status (*check)(const HyperParameters& parameters);
  // InvalidArgument names object, line and field; Cancelled.
  Result<Fitted> (*fit)(const HyperParameters& parameters, const ObjectChannels& data,
                        const FitContext& context);
  std::string_view content_types;  // "text/csv|application/jsonlines"
  std::string_view other_channel;  // "test" or "validation": the one channel beside train
};

struct OwnRequest {
  std::string_view body;
  std::string_view content_type = {};    // as the caller wrote it
  std::string_view accept = {};          // the same; empty or */*: the model's choice
  std::string_view settings = {};        // a batch's DEEPAR_INFERENCE_CONFIG; empty: none
  std::function<bool()> cancelled = {};  // may be empty
  bool batch = false;                    // records in, a line for each out
};
struct OwnAnswer {
  std::string body, content_type;
};

class OwnFormModel : public Model {
 public:
  // InvalidArgument for what is wrong with the request. Any thread, any number at once.
  virtual Result<OwnAnswer> answer(const OwnRequest& request) const = 0;

  std::size_t n_features() const final { return 0; }
  Result<Matrix> predict(MatrixView X) const final;  // InvalidArgument: it takes no rows of numbers
  const OwnFormModel* own_form() const final { return this; }
};

// "text/csv; charset=utf-8" -> "text/csv", in lower case.
std::string media_type(std::string_view content_type);
// The type to answer with: the first of "a|b|c" when `accept` leaves it open, else the one it names.
// InvalidArgument when that is none of them.
Result<std::string> choose_answer_type(std::string_view accept, std::string_view types);

}  // namespace millrace::tasks
