#include "tasks/automl/text_candidates.h"

#include <vector>

#include "base/random.h"
#include "tasks/table/table.h"

namespace millrace::tasks {
namespace {

// Trees are grown for each class in each round.
constexpr std::size_t kClassesOfTreesMax = 30;

EnsembleMember bag_of_words(HyperParameters parameters) {
  parameters.emplace("vector_dim", "10");
  parameters.emplace("min_count", "1");
  parameters.emplace("buckets", "200000");
  return {"blazingtext", std::move(parameters), std::nullopt};
}

EnsembleMember linear_terms(HyperParameters parameters) {
  parameters.emplace("epochs", "50");
  return {"linear-learner", std::move(parameters), std::nullopt};
}

EnsembleMember boosted_terms(HyperParameters parameters) {
  parameters.emplace("num_round", "300");
  parameters.emplace("early_stopping_rounds", "20");
  parameters.emplace("tfidf_max_features", "1000");
  return {"xgboost", std::move(parameters), std::nullopt};
}

std::vector<EnsembleMember> known_candidates(std::size_t classes) {
  std::vector<EnsembleMember> out = {
      bag_of_words({{"epochs", "20"}, {"learning_rate", "0.5"}, {"word_ngrams", "2"}, {"subwords", "False"}}),
      linear_terms({{"wd", "0.0001"}, {"tfidf_ngram_max", "2"}, {"tfidf_max_features", "3000"}}),
      bag_of_words({{"epochs", "20"},
                    {"learning_rate", "0.3"},
                    {"word_ngrams", "1"},
                    {"subwords", "True"},
                    {"min_char", "3"},
                    {"max_char", "5"}}),
      boosted_terms({{"eta", "0.15"}, {"max_depth", "6"}, {"subsample", "0.8"}, {"colsample_bytree", "0.5"}}),
      linear_terms({{"wd", "0.00001"}, {"tfidf_ngram_max", "1"}, {"tfidf_max_features", "2000"}}),
      bag_of_words({{"epochs", "50"}, {"learning_rate", "0.2"}, {"word_ngrams", "3"}, {"subwords", "False"}}),
      boosted_terms({{"eta", "0.1"}, {"max_depth", "10"}, {"subsample", "0.8"}, {"colsample_bytree", "0.3"}}),
  };
  if (classes > kClassesOfTreesMax)
    std::erase_if(out, [](const EnsembleMember& member) { return member.algorithm == "xgboost"; });
  return out;
}

template <std::size_t n>
std::string one_of(Random& random, const char* const (&choices)[n]) {
  return choices[random.below(n)];
}

}  // namespace

EnsembleMember text_candidate(std::size_t number, std::size_t classes, std::uint64_t seed) {
  const std::vector<EnsembleMember> known = known_candidates(classes);
  if (number < known.size()) return known[number];
  Random random = Random(seed).derive("text candidate", number);
  EnsembleMember member = known[random.below(known.size())];
  HyperParameters& parameters = member.parameters;
  if (member.algorithm == "blazingtext") {
    parameters["epochs"] = one_of(random, {"10", "20", "30", "50"});
    parameters["learning_rate"] = one_of(random, {"0.1", "0.2", "0.3", "0.5", "0.8"});
    parameters["word_ngrams"] = one_of(random, {"1", "2", "3"});
    parameters["vector_dim"] = one_of(random, {"10", "20"});
  } else if (member.algorithm == "linear-learner") {
    parameters["wd"] = one_of(random, {"0.000001", "0.00001", "0.0001", "0.001"});
    parameters["tfidf_ngram_max"] = one_of(random, {"1", "2", "3"});
    parameters["tfidf_max_features"] = one_of(random, {"1000", "2000", "4000"});
  } else {
    parameters["eta"] = one_of(random, {"0.05", "0.1", "0.2"});
    parameters["max_depth"] = one_of(random, {"4", "6", "8", "10"});
    parameters["colsample_bytree"] = one_of(random, {"0.3", "0.5", "0.8"});
    parameters["tfidf_ngram_max"] = one_of(random, {"1", "2"});
  }
  return member;
}

}  // namespace millrace::tasks
