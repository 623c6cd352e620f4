// The battery of algorithms that read their channels themselves: what estimator_checks_test.cpp asks of the
// others, as far as it has a meaning for series, texts and events.

#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/random.h"
#include "tests/tasks/support/model_damage.h"
#include "tests/tasks/support/own_form_fit.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

struct OwnCase {
  std::string_view algorithm;
  HyperParameters parameters;
  std::string train, other;  // of the channel that measures
  std::string request, content_type;
  std::vector<std::string> odd;    // data that is fitted without harm
  std::vector<std::string> wrong;  // and data that is refused
};

std::string series_lines(std::size_t series, std::size_t length, std::uint64_t seed) {
  Random random(seed);
  std::string lines;
  for (std::size_t k = 0; k < series; ++k) {
    Json target = Json::array();
    for (std::size_t i = 0; i < length; ++i)
      target.push_back(50 + 10 * std::sin(static_cast<double>(i) * 0.897597901) + random.normal());
    lines += Json{{"start", "2020-01-01 00:00:00"}, {"target", target}, {"item_id", "s" + std::to_string(k)}}
                 .dump() +
             "\n";
  }
  return lines;
}

std::string labelled_texts(std::size_t n, std::uint64_t seed) {
  const std::vector<std::vector<std::string>> words = {{"oak", "elm", "leaf", "bark"},
                                                       {"brick", "stone", "wall", "roof"}};
  Random random(seed);
  std::string lines;
  for (std::size_t i = 0; i < n; ++i) {
    lines += i % 2 ? "__label__house" : "__label__tree";
    for (int k = 0; k < 4; ++k) lines += " " + words[i % 2][random.below(4)];
    lines += "\n";
  }
  return lines;
}

std::string events_csv(std::size_t users, std::size_t each, std::uint64_t seed, bool ratings) {
  Random random(seed);
  std::string csv = ratings ? "user_id,item_id,rating\n" : "user_id,item_id,timestamp\n";
  for (std::size_t u = 0; u < users; ++u)
    for (std::size_t k = 0; k < each; ++k)
      csv += "u" + std::to_string(u) + ",i" + std::to_string(u % 2 * 8 + random.below(8)) + "," +
             std::to_string(ratings ? 1 + random.below(5) : k) + "\n";
  return csv;
}

std::vector<OwnCase> own_cases() {
  const std::string one_series = R"({"start": "2020-01-01 00:00:00", "target": [1, 2, 3, 4, 5, 6]})";
  const std::string ask_series =
      R"({"instances": [{"start": "2020-01-01 00:00:00", "target": [5, 6, 7, 8, 9, 8, 7, 6, 5, 6, 7]}]})";
  const std::string ask_item = R"({"userId": "u1", "numResults": 3})";
  return {
      {"forecasting",
       {{"prediction_length", "4"}, {"time_freq", "D"}},
       series_lines(200, 40, 1),
       series_lines(10, 44, 1),
       ask_series,
       "application/json",
       {one_series + "\n",
        R"({"start": "2020-01-01 00:00:00", "target": [3]})"
        "\n",
        R"({"start": "2020-01-01 00:00:00", "target": [7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7]})"
        "\n",
        R"({"start": "2020-01-01 00:00:00", "target": [1, null, "NaN", 4, 5, 1e15, 2, 3, 4, 5]})"
        "\n"},
       {"", "{}",
        R"({"start": "2020-01-01 00:00:00", "target": [null, null]})"
        "\n",
        "\xff\xfe"}},
      {"blazingtext",
       {{"mode", "supervised"},
        {"epochs", "6"},
        {"vector_dim", "6"},
        {"min_count", "1"},
        {"buckets", "50000"}},
       labelled_texts(60, 2),
       labelled_texts(20, 3),
       R"({"instances": ["oak leaf", "a stone wall", ""], "configuration": {"k": 2}})",
       "application/json",
       {"__label__a x\n__label__b y\n", "__label__a x\n__label__b x\n"},
       {"", "\n\n", "no label here\n", "__label__only oak elm\n__label__only leaf\n"}},
      {"text-ensemble",
       {{"members",
         R"([{"algorithm": "blazingtext", "hyperparameters": {"epochs": "6", "vector_dim": "6", "min_count": "1",
              "buckets": "5000"}}, {"algorithm": "linear-learner", "hyperparameters": {"epochs": "5"}}])"}},
       labelled_texts(60, 2),
       labelled_texts(20, 3),
       R"({"instances": ["oak leaf", "a stone wall", ""], "configuration": {"k": 2}})",
       "application/json",
       {"__label__a x y\n__label__b y x\n__label__a xx\n__label__b yy\n"},
       {"", "\n\n", "no label here\n", "__label__only oak elm\n__label__only leaf\n"}},
      {"als",
       {{"factors", "4"}, {"iterations", "6"}},
       events_csv(30, 6, 4, false),
       events_csv(30, 2, 5, false),
       ask_item,
       "application/json",
       {"user_id,item_id\na,x\n", "user_id,item_id\na,x\na,x\na,x\n", "user_id,item_id\na,x\nb,x\nc,x\n"},
       {"", "user_id,item_id\n", "user_id\na\n"}},
      {"item-similarity",
       {},
       events_csv(30, 6, 6, false),
       events_csv(30, 2, 7, false),
       ask_item,
       "application/json",
       {"user_id,item_id\na,x\n", "user_id,item_id\na,x\nb,x\nc,x\n"},
       {"", "user_id,item_id\n", "user_id\na\n"}},
      {"popularity-count",
       {},
       events_csv(30, 6, 8, false),
       events_csv(30, 2, 9, false),
       ask_item,
       "application/json",
       {"user_id,item_id\na,x\n", "user_id,item_id\na,x\nb,x\nc,x\n"},
       {"", "user_id,item_id\n", "user_id\na\n"}},
  };
}

Result<Fitted> fit_case(const OwnCase& c, const FitContext& context = {}, bool measured = true) {
  std::optional<ObjectChannel> other;
  if (measured)
    other = channel_of(std::string(find_estimator(c.algorithm)->own_form->other_channel), c.other);
  return fit_own_form(c.algorithm, c.parameters, {channel_of("train", c.train), other, ""}, context);
}

Fitted fitted_case(const OwnCase& c, const FitContext& context = {}, bool measured = true) {
  auto fitted = fit_case(c, context, measured);
  REQUIRE_MESSAGE(fitted.has_value(), (fitted ? "" : fitted.error().message));
  return std::move(*fitted);
}

template <class F>
void each_own_case(F f) {
  for (const OwnCase& c : own_cases()) {
    const std::string name(c.algorithm);
    SUBCASE(name.c_str()) {
      f(c);
    }
  }
}

}  // namespace

TEST_CASE("own forms: every row of the table is in the battery") {
  const auto all = own_cases();
  for (const EstimatorKind& kind : estimators()) {
    if (kind.own_form == nullptr) continue;
    CAPTURE(kind.name);
    CHECK(std::ranges::count(all, kind.name, &OwnCase::algorithm) == 1);
    CHECK(std::ranges::find(kind.metrics, kind.default_metric) != kind.metrics.end());
  }
}

TEST_CASE("own forms: the same data, seed and settings give the same bytes for any number of threads") {
  each_own_case([](const OwnCase& c) {
    FitContext context;
    context.seed = 7;
    const Fitted first = fitted_case(c, context);
    for (const int threads : {1, 3}) {
      context.threads = threads;
      const Fitted again = fitted_case(c, context);
      CHECK(again.model->save() == first.model->save());
      CHECK(again.metrics == first.metrics);
    }
    for (const auto& [name, value] : first.metrics) {
      CAPTURE(name);
      CHECK(std::isfinite(value));
    }
    CHECK(first.model->algorithm() == c.algorithm);
    CHECK(first.rounds > 0);
  });
}

TEST_CASE("own forms: load(save(m)) answers the same, also from many threads at once, and takes no rows") {
  each_own_case([](const OwnCase& c) {
    const Fitted fitted = fitted_case(c);
    const std::string bytes = fitted.model->save();
    auto loaded = find_estimator(c.algorithm)->load(bytes);
    REQUIRE_MESSAGE(loaded.has_value(), (loaded ? "" : loaded.error().message));
    CHECK((*loaded)->save() == bytes);
    const std::string expected = answer_of(*fitted.model, c.request, c.content_type).body;
    CHECK(!expected.empty());
    std::atomic<int> different = 0;
    {
      std::vector<std::jthread> threads;
      for (int t = 0; t < 4; ++t)
        threads.emplace_back([&] {
          for (int k = 0; k < 5; ++k) {
            const auto answer =
                (*loaded)->own_form()->answer({.body = c.request, .content_type = c.content_type});
            different += !answer || answer->body != expected;
          }
        });
    }
    CHECK(different == 0);
    CHECK(!(*loaded)->predict(Matrix(1, 1)));
    check_damage_is_refused(c.algorithm, bytes);
  });
}

TEST_CASE("own forms: a stopped fit ends as cancelled, at its first question and at a later one") {
  each_own_case([](const OwnCase& c) {
    for (const int asks : {1, 2}) {
      int asked = 0;
      FitContext context;
      context.cancelled = [&] { return ++asked >= asks; };
      const auto fitted = fit_case(c, context);
      REQUIRE(!fitted);
      CHECK(fitted.error().code == ErrorCode::Cancelled);
    }
  });
}

TEST_CASE("own forms: a fit that goes on from any of its checkpoints ends in the same bytes") {
  each_own_case([](const OwnCase& c) {
    const EstimatorKind* kind = find_estimator(c.algorithm);
    const bool keeps = kind->checkpoints && kind->checkpoints(c.parameters);
    std::vector<std::string> checkpoints;
    FitContext context;
    context.seed = 5, context.checkpoint_rounds = 1;
    context.checkpoint = [&](std::string_view bytes) { checkpoints.emplace_back(bytes); };
    const Fitted whole = fitted_case(c, context);
    CHECK(checkpoints.empty() != keeps);
    context.checkpoint = nullptr;
    for (const std::string& checkpoint : checkpoints) {
      context.resume_from = checkpoint;
      const Fitted resumed = fitted_case(c, context);
      CHECK(resumed.model->save() == whole.model->save());
      CHECK(resumed.metrics == whole.metrics);
      CHECK(resumed.rounds == whole.rounds);
    }
    if (checkpoints.empty()) return;
    Random random(8);
    for (int k = 0; k < 60;
         ++k) {  // damaged, and damaged with a right checksum: refused or of no consequence
      CAPTURE(k);
      std::string damaged = checkpoints.front();
      damaged[random.below(damaged.size())] ^= 4;
      context.resume_from = damaged;
      const auto refused = fit_case(c, context, false);
      REQUIRE(!refused);
      CHECK(refused.error().code == ErrorCode::DataLoss);
    }
    OwnCase other = c;
    other.train = c.train.substr(0, c.train.find('\n', c.train.size() / 4) + 1);
    context.resume_from = checkpoints.back();
    (void)fit_case(other, context, false);  // a checkpoint of more data: no crash
  });
}

TEST_CASE("own forms: odd data is fitted without harm, wrong data is refused") {
  each_own_case([](const OwnCase& c) {
    OwnCase changed = c;
    for (const std::string& data : c.odd) {
      CAPTURE(data);
      changed.train = data;
      const Fitted fitted = fitted_case(changed, {}, false);
      auto loaded = find_estimator(c.algorithm)->load(fitted.model->save());
      REQUIRE_MESSAGE(loaded.has_value(), (loaded ? "" : loaded.error().message));
      const auto answer = (*loaded)->own_form()->answer({.body = c.request, .content_type = c.content_type});
      if (!answer) CHECK(answer.error().code == ErrorCode::InvalidArgument);
    }
    for (const std::string& data : c.wrong) {
      CAPTURE(data);
      changed.train = data;
      const auto refused = fit_case(changed, {}, false);
      REQUIRE(!refused);
      CHECK(refused.error().code == ErrorCode::InvalidArgument);
    }
  });
}

TEST_CASE(
    "own forms: a model with other numbers and a right checksum is refused, or answers without a crash") {
  each_own_case([](const OwnCase& c) {
    OwnCase small = c;
    if (c.algorithm == "forecasting") small.train = series_lines(3, 30, 9);
    const std::string bytes = fitted_case(small, {}, false).model->save();
    const EstimatorKind* kind = find_estimator(c.algorithm);
    Random random(10);
    int refused = 0;
    for (int k = 0; k < 400; ++k) {
      CAPTURE(k);
      const auto loaded = kind->load(with_other_numbers(bytes, random));
      refused += !loaded;
      if (loaded) (void)(*loaded)->own_form()->answer({.body = c.request, .content_type = c.content_type});
    }
    CHECK(refused > 0);
  });
}
