#include "tasks/training/model_artifact.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tasks/table/csv.h"
#include "tasks/training/train.h"
#include "tests/tasks/support/fake_context.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

std::string train_model(FakeContext& context) {
  std::string csv = "y,a,b\n";
  for (int i = 0; i < 60; ++i)
    csv += std::to_string(2 * i % 7) + "," + std::to_string(i % 7) + "," + std::to_string(i % 3) + "\n";
  REQUIRE(context.objects().write("s3://b/train/data.csv", csv).has_value());
  const auto spec = parse_training_spec(Json::parse(R"({
    "TrainingJobName": "job", "AlgorithmSpecification": {"TrainingImage": "linear-learner"},
    "HyperParameters": {"predictor_type": "regressor"},
    "InputDataConfig": [{"ChannelName": "train", "DataSource": {"S3DataSource": {"S3Uri": "s3://b/train/"}}}],
    "OutputDataConfig": {"S3OutputPath": "s3://b/models"}})"));
  REQUIRE_MESSAGE(spec.has_value(), (spec ? "" : spec.error().message));
  const auto result = run_training(*spec, context);
  REQUIRE_MESSAGE(result.has_value(), (result ? "" : result.error().message));
  return result->model_uri;
}

ErrorCode load_error(FakeContext& context, const std::string& uri) {
  const auto loaded = LoadedModel::load(context.objects(), uri);
  REQUIRE(!loaded);
  return loaded.error().code;
}

}  // namespace

TEST_CASE("LoadedModel: scores raw rows by column name") {
  FakeContext context;
  const std::string uri = train_model(context);
  const auto model = LoadedModel::load(context.objects(), uri);
  REQUIRE_MESSAGE(model.has_value(), (model ? "" : model.error().message));
  CHECK((*model)->input_columns() == std::vector<std::string>{"a", "b"});
  CHECK((*model)->card()["algorithm"] == "linear-learner");
  const auto one = (*model)->predict(*parse_csv("b,a,other\n1,3,x\n2,4,y\n", "rows"));
  const auto two = (*model)->predict(*parse_csv("a,b\n3,1\n4,2\n", "rows"));
  REQUIRE(one.has_value());
  CHECK(one->rows == 2);
  CHECK(one->values == two->values);
  const auto missing = (*model)->predict(*parse_csv("a\n3\n", "rows"));
  REQUIRE(!missing);
  CHECK(missing.error().message == "there is no column 'b', which the model needs");
  const auto text = (*model)->predict(*parse_csv("a,b\n3,1\nred,2\n", "rows"));
  REQUIRE(!text);
  CHECK(text.error().message.find("is not a number") != std::string::npos);
}

TEST_CASE("LoadedModel: what is missing or damaged is named") {
  FakeContext context;
  const std::string uri = train_model(context);
  CHECK(load_error(context, "s3://b/models/none/output/model/") == ErrorCode::NotFound);
  const std::string bytes = *context.objects().read(uri + "model.bin"),
                    card = *context.objects().read(uri + "model_card.json");
  REQUIRE(context.objects().write(uri + "model.bin", bytes.substr(1)).has_value());
  CHECK(load_error(context, uri) == ErrorCode::DataLoss);
  REQUIRE(context.objects().write(uri + "model.bin", bytes).has_value());
  for (const char* bad : {"", "[]", "{}", "{\"algorithm\": 3}"}) {
    REQUIRE(context.objects().write(uri + "model_card.json", bad).has_value());
    CHECK(load_error(context, uri) == ErrorCode::DataLoss);
  }
  Json other = Json::parse(card);
  other["features"].push_back("c");
  REQUIRE(context.objects().write(uri + "model_card.json", other.dump()).has_value());
  CHECK(load_error(context, uri) == ErrorCode::DataLoss);
  other = Json::parse(card), other["algorithm"] = "oracle";
  REQUIRE(context.objects().write(uri + "model_card.json", other.dump()).has_value());
  CHECK(load_error(context, uri) == ErrorCode::DataLoss);
}
