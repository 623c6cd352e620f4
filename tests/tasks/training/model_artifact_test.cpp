#include "tasks/training/model_artifact.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tasks/artifacts/archive.h"
#include "tasks/table/csv.h"
#include "tasks/table/request_rows.h"
#include "tasks/training/train.h"
#include "tests/support/libxgboost.h"
#include "tests/tasks/support/fake_context.h"
#include "tests/tasks/support/model_files.h"

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
  CHECK(text.error().message == "rows:3: column \"a\": \"red\" is not a number");
  // Of a request, whose lines nobody counts: the first cell that is no number, not the first of its column.
  const auto asked = parse_request_rows("3,1\n4,red\n", "text/csv", (*model)->input_columns());
  REQUIRE(asked.has_value());
  CHECK((*model)->predict(*asked).error().message == "row 2, column \"b\": \"red\" is not a number");
}

namespace {

// The model's files as a folder beside it.
std::string unpacked(FakeContext& context, const std::string& uri) {
  const std::string folder = "s3://b/unpacked/";
  for (const char* name : {"model.bin", "model_card.json"})
    REQUIRE(context.objects().write(folder + name, model_file(context.objects(), uri, name)).has_value());
  return folder;
}

}  // namespace

TEST_CASE("LoadedModel: what is missing or damaged is named") {
  FakeContext context;
  CHECK(load_error(context, "s3://b/models/none/output/model.tar.gz") == ErrorCode::NotFound);
  const std::string archive = train_model(context);
  const std::string packed = *context.objects().read(archive);
  REQUIRE(context.objects().write("s3://b/cut.tar.gz", packed.substr(0, packed.size() / 2)).has_value());
  CHECK(load_error(context, "s3://b/cut.tar.gz") == ErrorCode::InvalidArgument);
  REQUIRE(context.objects().write("s3://b/words.tar.gz", "not an archive").has_value());
  CHECK(load_error(context, "s3://b/words.tar.gz") == ErrorCode::InvalidArgument);

  const std::string uri = unpacked(context, archive);
  REQUIRE(LoadedModel::load(context.objects(), uri).has_value());  // a folder is a model, too
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

TEST_CASE("LoadedModel: an archive from elsewhere without a model says what is in it") {
  FakeContext context;
  auto archive = ArchiveWriter::create(*context.objects().path_of("s3://b/weights.tar.gz"));
  REQUIRE(archive.has_value());
  REQUIRE(archive->add("weights.npy", "123").has_value());
  REQUIRE(archive->finish().has_value());
  const auto loaded = LoadedModel::load(context.objects(), "s3://b/weights.tar.gz");
  REQUIRE(!loaded);
  CHECK(loaded.error().message ==
        "Could not find model data at s3://b/weights.tar.gz: there is no model_card.json in it, and no model "
        "of "
        "XGBoost; it has weights.npy");
}

#ifdef MILLRACE_HAS_XGBOOST
TEST_CASE("LoadedModel: what SageMaker's XGBoost left in model.tar.gz serves here, as JSON and as UBJSON") {
  FakeContext context;
  Dataset data;
  data.X = Matrix(200, 3);
  data.feature_names = {"a", "b", "c"};
  for (std::size_t i = 0; i < 200; ++i) {
    for (std::size_t j = 0; j < 3; ++j) data.X.at(i, j) = static_cast<float>((i * (j + 3) * 7919) % 101);
    data.y.push_back(data.X.at(i, 0) > data.X.at(i, 1) ? 1.0F : 0.0F);
  }
  ReferenceXgboost reference;
  reference.fit({{"objective", "binary:logistic"}, {"num_round", "8"}, {"max_depth", "3"}}, data);
  const std::vector<float> expected = reference.predict(data.X);
  for (const std::string format : {"json", "ubj"}) {
    const std::string uri = "s3://b/from-aws/" + format + "/model.tar.gz";
    auto archive = ArchiveWriter::create(*context.objects().path_of(uri));
    REQUIRE(archive->add("xgboost-model", reference.model(format)).has_value());
    REQUIRE(archive->finish().has_value());
    const auto model = LoadedModel::load(context.objects(), uri);
    REQUIRE_MESSAGE(model.has_value(), (model ? "" : model.error().message));
    CHECK((*model)->card()["task"] == "binary");
    CHECK((*model)->input_columns() == std::vector<std::string>{"f0", "f1", "f2"});
    const auto scores = (*model)->model().predict(data.X);
    REQUIRE(scores.has_value());
    for (std::size_t i = 0; i < expected.size(); ++i)
      CHECK(scores->values[i] == doctest::Approx(expected[i]).epsilon(1e-5));
  }
}
#endif
