#pragma once
// ServingLine: what stands behind a variant: the containers of its model one after the other. Models of ours
// that follow each other are one chain (serving.h); a program of the user's is a stage of its own; a stage of
// many models loads the one that a request names. A container is noted in an endpoint's record as
//
//   "s3://…"                                    a model of ours
//   {"Program": …, "Model": …, …}               a program, see ScriptContainer
//   {"Many": "s3://…/"}                         a model below that prefix, by X-Amzn-SageMaker-Target-Model
//
// Any thread; what is kept is immutable or guards itself.

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "tasks/artifacts/object_store.h"
#include "tasks/deployment/model_shelf.h"
#include "tasks/deployment/script_model.h"
#include "tasks/deployment/serving.h"

namespace millrace::tasks {

// What the configuration says of a variant's workers, from an endpoint's document; an empty object of records
// that are older.
Json limits_of(const Json& fields, const std::string& variant);

struct LineRequest {
  std::string_view content_type, accept, body, custom_attributes, inference_id, target_model;
};
struct LineAnswer {
  std::string body, content_type;
};
// Why there is none, as a container would say it.
struct LineFailure {
  enum class Kind { Model, Request, Busy } kind = Kind::Model;  // Request: no such model, or none was named
  int status = 500;
  std::string message;
};

class ServingLine {
 public:
  // Makes the program behind the container of that position.
  using MakeScript =
      std::function<Result<std::shared_ptr<ScriptModel>>(std::size_t position, const Json& container)>;
  // Loads the models; programs are made, not started. `lazy`: models are loaded by the requests that need
  // them, and let go of when none does. The shelf is borrowed. NotFound, DataLoss, InvalidArgument.
  static Result<ServingLine> load(const ObjectStore& objects, const Json& containers, bool lazy,
                                  ModelShelf& shelf, const MakeScript& make_script);

  tl::expected<LineAnswer, LineFailure> answer(const LineRequest& request) const;
  // Programs of users, or models that may have to be loaded: a request may wait.
  bool may_wait() const { return may_wait_; }
  std::vector<std::shared_ptr<ScriptModel>> scripts() const;

 private:
  struct Stage {
    std::shared_ptr<const ServingChain> models;
    std::shared_ptr<ScriptModel> script;
    std::vector<std::string> lazy;  // URIs to load when they are needed
    std::string many;               // the prefix
  };
  tl::expected<LineAnswer, LineFailure> run(const Stage& stage, const LineRequest& request, bool last) const;

  std::vector<Stage> stages_;
  ModelShelf* shelf_ = nullptr;
  bool may_wait_ = false;
};

}  // namespace millrace::tasks
