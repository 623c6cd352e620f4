#include "tasks/text/text_ensemble.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "base/random.h"
#include "tests/tasks/support/own_form_fit.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

// Rows about animals, ships and, where there are three, planets; now and then a row without a label.
std::string topic_csv(std::size_t n, std::size_t topics, std::uint64_t seed) {
  const std::vector<std::vector<std::string>> words = {{"dog", "cat", "horse", "fur", "tail"},
                                                       {"boat", "mast", "sail", "harbour", "wave"},
                                                       {"orbit", "moon", "ring", "crater", "sun"}};
  const char* names[] = {"an animal, warm", "ship", "planet"};
  Random random(seed);
  std::string csv = "about,text\n";
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t topic = i % topics;
    csv += i % 29 == 28 ? "," : "\"" + std::string(names[topic]) + "\",";
    for (int k = 0; k < 4; ++k) csv += words[topic][random.below(5)] + " the ";
    csv += "\n";
  }
  return csv;
}

HyperParameters with_members(const Json& members) {
  return {{"members", members.dump()}, {"folds", "3"}};
}

const Json kAll = Json::parse(R"([
  {"algorithm": "blazingtext", "hyperparameters": {"epochs": "10", "learning_rate": "0.5", "vector_dim": "5", "min_count": "1",
    "buckets": "1000", "subwords": "False"}},
  {"algorithm": "linear-learner", "hyperparameters": {"epochs": "20", "tfidf_ngram_max": "2"}},
  {"algorithm": "xgboost", "hyperparameters": {"num_round": "20", "tfidf_max_features": "10"}}])");

Fitted fitted_topics(const HyperParameters& parameters, std::size_t topics) {
  auto fitted = fit_own_form("text-ensemble", parameters,
                             {channel_of("train", topic_csv(120, topics, 1), "text/csv"), {}, "about"});
  REQUIRE_MESSAGE(fitted.has_value(), (fitted ? "" : fitted.error().message));
  return std::move(*fitted);
}

std::string refused_topics(const HyperParameters& parameters, const std::string& csv = topic_csv(30, 2, 1)) {
  const auto fitted =
      fit_own_form("text-ensemble", parameters, {channel_of("train", csv, "text/csv"), {}, "about"});
  return fitted ? "fitted" : fitted.error().message;
}

}  // namespace

TEST_CASE("text-ensemble: members of every kind, each judged by texts that it has not seen") {
  for (const std::size_t topics : {2u, 3u}) {
    CAPTURE(topics);
    const Fitted fitted = fitted_topics(with_members(kAll), topics);
    CHECK(fitted.rounds == 9);
    CHECK(fitted.metrics.at("validation:accuracy") > 0.95);
    CHECK(fitted.metrics.contains(topics == 2 ? "validation:logloss" : "validation:mlogloss"));
    for (const Json& member : kAll) {
      const Fitted alone = fitted_topics(with_members(Json::array({member})), topics);
      CHECK_MESSAGE(alone.metrics.at("validation:accuracy") > 0.9, member.dump());
    }
    const Json answer = Json::parse(
        answer_of(*fitted.model, R"({"instances": ["the cat has fur", "a sail"], "configuration": {"k": 2}})",
                  "application/json")
            .body);
    CHECK(answer[0]["label"][0] == "an animal, warm");
    CHECK(answer[1]["label"][0] == "ship");
    CHECK(answer[0]["prob"][0].get<double>() > 0.5);
    CHECK(answer_of(*fitted.model, "text,about\nmast and wave,?\n", "text/csv").body.starts_with("ship,0."));
  }
}

TEST_CASE("text-ensemble: the same data, settings and seed give the same bytes; they load as they were") {
  const Fitted one = fitted_topics(with_members(kAll), 3), two = fitted_topics(with_members(kAll), 3);
  CHECK(one.model->save() == two.model->save());
  const auto loaded = load_text_ensemble(one.model->save());
  REQUIRE_MESSAGE(loaded.has_value(), (loaded ? "" : loaded.error().message));
  CHECK((*loaded)->save() == one.model->save());
  const std::string body = R"({"instances": ["the moon", "a horse", ""]})";
  CHECK(answer_of(**loaded, body, "application/json").body ==
        answer_of(*one.model, body, "application/json").body);
  check_damage_is_refused("text-ensemble", one.model->save());
}

TEST_CASE("text-ensemble: held out once, by a share or a channel") {
  HyperParameters once = with_members(kAll);
  once.erase("folds");
  once["validation_fraction"] = "0.25";
  CHECK(fitted_topics(once, 3).rounds == 3);
  once.erase("validation_fraction");
  auto fitted = fit_own_form("text-ensemble", once,
                             {channel_of("train", topic_csv(90, 3, 1), "text/csv"),
                              channel_of("validation", topic_csv(60, 3, 2), "text/csv"), "about"});
  REQUIRE_MESSAGE(fitted.has_value(), (fitted ? "" : fitted.error().message));
  CHECK(fitted->rounds == 3);
  CHECK(fitted->metrics.at("validation:accuracy") > 0.95);
}

TEST_CASE("text-ensemble: weights that are given count; wrong settings and data are named") {
  Json members = kAll;
  for (Json& member : members) member["weight"] = 1;
  fitted_topics(with_members(members), 2);
  members[1].erase("weight");
  CHECK(refused_topics(with_members(members)).find("give all of them a weight") != std::string::npos);
  CHECK(refused_topics(with_members(Json::parse(R"([{"algorithm": "mlp"}])")))
            .find("'mlp' can't be a member") != std::string::npos);
  CHECK(refused_topics(with_members(Json::parse(
                           R"([{"algorithm": "xgboost", "hyperparameters": {"tfidf_max_feature": "10"}}])")))
            .find("did you mean") != std::string::npos);
  CHECK(refused_topics(with_members(kAll), "about,text\na,x\na,y\n").find("every text has the label 'a'") !=
        std::string::npos);
  CHECK(refused_topics(with_members(kAll), "about,words\na,x\nb,y\n").find("there is no column 'text'") !=
        std::string::npos);
}
