#include "tasks/deployment/serving_line.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tasks/deployment/score.h"

namespace millrace::tasks {
namespace {

constexpr std::size_t kProgramMessageMax = 1024;

LineFailure line_failure(const Error& error) {
  LineFailure failure;
  failure.kind = error.code == ErrorCode::Unavailable ? LineFailure::Kind::Busy : LineFailure::Kind::Model;
  failure.status = error.code == ErrorCode::InvalidArgument ? 400
                   : error.code == ErrorCode::Unavailable   ? 503
                                                            : 500;
  failure.message = error.hint.empty() ? error.message : error.message + " (" + error.hint + ")";
  return failure;
}

tl::expected<LineAnswer, LineFailure> by_models(const ServingChain& chain, const LineRequest& request,
                                                bool last) {
  if (!can_read(chain, request.content_type))
    return tl::unexpected<LineFailure>(
        {LineFailure::Kind::Model, 415,
         "content type \"" + std::string(request.content_type) +
             "\" is not supported (use text/csv, application/json, application/jsonlines, text/libsvm or "
             "application/x-recordio-protobuf)"});
  // What a program comes next reads is in the form of the request, as long as nobody says another.
  auto scored =
      score_rows(chain, request.content_type, request.body, last ? request.accept : std::string_view());
  if (!scored) return tl::unexpected<LineFailure>(line_failure(scored.error()));
  return LineAnswer{std::move(scored->body), std::move(scored->content_type)};
}

tl::expected<LineAnswer, LineFailure> by_program(ScriptModel& script, const LineRequest& request, bool last) {
  auto answer = script.invoke({request.body, request.content_type, last ? request.accept : std::string_view(),
                               request.custom_attributes, request.inference_id});
  if (!answer) return tl::unexpected<LineFailure>(line_failure(answer.error()));
  if (answer->status >= 200 && answer->status < 300)
    return LineAnswer{std::move(answer->body), std::move(answer->content_type)};
  return tl::unexpected<LineFailure>(
      {LineFailure::Kind::Model, answer->status, answer->body.substr(0, kProgramMessageMax)});
}

// A name below the prefix, and nothing above it.
bool is_target(std::string_view name) {
  if (name.empty() || name.size() > 1024 || name.front() == '/') return false;
  for (std::string_view left = name; !left.empty();) {
    const std::string_view part = left.substr(0, left.find('/'));
    if (part == ".." || part == ".") return false;
    left.remove_prefix(std::min(left.size(), part.size() + 1));
  }
  return true;
}

}  // namespace

Result<ServingLine> ServingLine::load(const ObjectStore& objects, const Json& containers, bool lazy,
                                      ModelShelf& shelf, const MakeScript& make_script) {
  ServingLine line;
  line.shelf_ = &shelf;
  std::vector<std::string> uris;
  const auto end_chain = [&]() -> Status {
    if (uris.empty()) return {};
    Stage stage;
    if (lazy) {
      stage.lazy = std::move(uris);
      MR_DO(shelf.check(stage.lazy));
    } else {
      MR_TRY(chain, load_chain(objects, uris));
      stage.models = std::make_shared<const ServingChain>(std::move(chain));
    }
    line.may_wait_ = line.may_wait_ || lazy;
    line.stages_.push_back(std::move(stage));
    uris.clear();
    return {};
  };
  for (std::size_t i = 0; i < containers.size(); ++i) {
    const Json& container = containers[i];
    if (container.is_string()) {
      uris.push_back(container.get<std::string>());
      continue;
    }
    MR_DO(end_chain());
    Stage stage;
    if (container.contains("Many")) {
      stage.many = container["Many"].get<std::string>();
    } else {
      MR_TRY(script, make_script(i, container));
      stage.script = std::move(script);
    }
    line.may_wait_ = true;
    line.stages_.push_back(std::move(stage));
  }
  MR_DO(end_chain());
  return line;
}

std::vector<std::shared_ptr<ScriptModel>> ServingLine::scripts() const {
  std::vector<std::shared_ptr<ScriptModel>> scripts;
  for (const Stage& stage : stages_)
    if (stage.script) scripts.push_back(stage.script);
  return scripts;
}

tl::expected<LineAnswer, LineFailure> ServingLine::run(const Stage& stage, const LineRequest& request,
                                                       bool last) const {
  if (stage.script) return by_program(*stage.script, request, last);
  if (stage.models) return by_models(*stage.models, request, last);
  std::vector<std::string> uris = stage.lazy;
  if (!stage.many.empty()) {
    if (!is_target(request.target_model))
      return tl::unexpected<LineFailure>(
          {LineFailure::Kind::Request, 400,
           request.target_model.empty()
               ? "TargetModel is required: the endpoint has several models (X-Amzn-SageMaker-Target-Model)"
               : "TargetModel \"" + std::string(request.target_model.substr(0, 80)) +
                     "\" is no name below the prefix"});
    uris = {join_uri(stage.many, request.target_model)};
  }
  const auto chain = shelf_->get(uris);
  if (!chain && chain.error().code == ErrorCode::NotFound && !stage.many.empty())
    return tl::unexpected<LineFailure>({LineFailure::Kind::Request, 400,
                                        "Failed to download model data(bucket: " + stage.many +
                                            ", key: " + std::string(request.target_model) +
                                            "): " + chain.error().message});
  if (!chain) return tl::unexpected<LineFailure>(line_failure(chain.error()));
  return by_models(**chain, request, last);
}

tl::expected<LineAnswer, LineFailure> ServingLine::answer(const LineRequest& request) const {
  LineAnswer between;
  LineRequest next = request;
  for (std::size_t i = 0; i < stages_.size(); ++i) {
    auto answer = run(stages_[i], next, i + 1 == stages_.size());
    if (!answer || i + 1 == stages_.size()) return answer;
    between = *std::move(answer);
    next.body = between.body;
    next.content_type = between.content_type;
  }
  return tl::unexpected<LineFailure>({LineFailure::Kind::Model, 500, "the model has no containers"});
}

}  // namespace millrace::tasks
