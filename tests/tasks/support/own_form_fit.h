#pragma once
// Fits of algorithms that read their channels themselves, on texts given in the test.

#include <doctest/doctest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "tasks/training/own_form.h"

namespace millrace::tasks {

inline ObjectChannel channel_of(std::string name, std::string bytes, std::string content_type = "") {
  return {name, std::move(content_type), {{"s3://b/" + name, std::move(bytes)}}};
}

inline Result<Fitted> fit_own_form(std::string_view algorithm, const HyperParameters& parameters,
                                   const ObjectChannels& data, const FitContext& context = {}) {
  const EstimatorKind* kind = find_estimator(algorithm);
  REQUIRE(kind != nullptr);
  REQUIRE(kind->own_form != nullptr);
  MR_DO(check_hyperparameters(*kind, parameters));
  return kind->own_form->fit(parameters, data, context);
}

inline OwnAnswer answer_of(const Model& model, std::string_view body, std::string_view content_type,
                           std::string_view accept = "") {
  const auto answer =
      model.own_form()->answer({.body = body, .content_type = content_type, .accept = accept});
  REQUIRE_MESSAGE(answer.has_value(), (answer ? "" : answer.error().message));
  return *answer;
}

inline std::string refusal_of(const Model& model, std::string_view body, std::string_view content_type,
                              std::string_view accept = "") {
  const auto answer =
      model.own_form()->answer({.body = body, .content_type = content_type, .accept = accept});
  if (answer) return "answered: " + answer->body;
  CHECK(answer.error().code == ErrorCode::InvalidArgument);
  return answer.error().message;
}

// Every byte cut off and a bit of every byte turned: no such model loads.
inline void check_damage_is_refused(std::string_view algorithm, const std::string& bytes) {
  const EstimatorKind* kind = find_estimator(algorithm);
  const std::size_t stride = bytes.size() / 200 + 1;
  for (std::size_t i = 0; i < bytes.size(); i += stride) {
    CAPTURE(i);
    const auto cut = kind->load(std::string_view(bytes).substr(0, i));
    REQUIRE(!cut);
    CHECK(cut.error().code == ErrorCode::DataLoss);
    std::string flipped = bytes;
    flipped[i] = static_cast<char>(flipped[i] ^ (1 << (i % 8)));
    const auto turned = kind->load(flipped);
    REQUIRE(!turned);
    CHECK(turned.error().code == ErrorCode::DataLoss);
  }
}

// A fit that goes on from any of its checkpoints ends in the same bytes: `fitted_with(FitContext)` is Fitted.
template <class Fit>
void check_resumes(Fit fitted_with) {
  FitContext context;
  context.seed = 5, context.checkpoint_rounds = 1;
  std::vector<std::string> checkpoints;
  context.checkpoint = [&](std::string_view bytes) { checkpoints.emplace_back(bytes); };
  const Fitted whole = fitted_with(context);
  REQUIRE(checkpoints.size() >= 3);
  context.checkpoint = nullptr;
  for (const std::string& checkpoint : checkpoints) {
    context.resume_from = checkpoint;
    const Fitted resumed = fitted_with(context);
    CHECK(resumed.model->save() == whole.model->save());
    CHECK(resumed.metrics == whole.metrics);
    CHECK(resumed.rounds == whole.rounds);
  }
}

inline std::string file_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace millrace::tasks
