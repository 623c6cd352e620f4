#include "tasks/lineage/lineage_graph.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "base/encoding.h"
#include "tasks/jobs/entities.h"
#include "tasks/steps/step_record.h"
#include "tests/tasks/jobs/task_driver.h"
#include "tests/tasks/jobs/temporary_home.h"
#include "tests/tasks/support/parse.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

using Direction = LineageGraph::Direction;

// "a>b b>c": vertices are made as they are named.
LineageGraph graph_of(const std::string& edges) {
  LineageGraph graph;
  std::map<std::string, std::size_t> places;
  const auto vertex = [&](const std::string& name) {
    LineageVertex v;
    v.arn = v.name = name;
    return places.emplace(name, graph.add(v)).first->second;
  };
  for (std::size_t at = 0; at + 2 < edges.size(); at += 4)
    graph.connect(vertex(edges.substr(at, 1)), vertex(edges.substr(at + 2, 1)), "ContributedTo", 1);
  return graph;
}

std::string reached(const LineageGraph& graph, const std::string& starts, Direction direction, int depth) {
  std::vector<std::size_t> from;
  for (const char name : starts) {
    const auto found = graph.named(std::string(1, name));
    from.insert(from.end(), found.begin(), found.end());
  }
  std::string names;
  for (const std::size_t i : graph.reach(from, direction, depth)) names += graph.vertices()[i].name;
  return names;
}

const std::string kPrefix = "arn:aws:sagemaker:us-east-1:123456789012:";

struct StoryFile {
  std::string uri, sha256;
};
using Files = std::vector<StoryFile>;
using Places = std::vector<Json>;

StoryFile file(const std::string& uri, const std::string& sha256) {
  return {uri, sha256};
}
Json place(const std::string& name, const std::string& uri, const Files& files) {
  Json list = Json::array();
  for (const StoryFile& one : files) list.push_back({{"Uri", one.uri}, {"Sha256", one.sha256}, {"Bytes", 1}});
  return {{"Name", name},           {"Uri", uri},   {"Sha256", digest_of_files(uri, list)}, {"Bytes", 1},
          {"Objects", list.size()}, {"Files", list}};
}

// Records as jobs leave them, one second after the other.
struct Records {
  explicit Records(Jobs& j) : jobs(j) {}
  void job(const std::string& kind, const std::string& name, const Places& inputs, const Places& outputs,
           Json more = Json::object()) {
    const std::string prefix = kind.substr(0, kind.size() - 3);
    const std::string type = prefix == "Training"     ? "training-job"
                             : prefix == "Processing" ? "processing-job"
                                                      : "transform-job";
    Json record = {{kind + "Name", name},
                   {kind + "Arn", kPrefix + type + "/" + name},
                   {kind + "Status", "Completed"},
                   {"CreationTime", ++time * 1000},
                   {prefix + "StartTime", time * 1000 + 1},
                   {prefix + "EndTime", time * 1000 + 2}};
    record.update(more);
    record["Millrace"] = {{"Step", {{"Key", name}, {"Inputs", inputs}, {"Outputs", outputs}}},
                          {"ExecutionArn", "arn:aws:states:us-east-1:123456789012:execution:nightly:n1"}};
    REQUIRE(jobs.create(kind, name, record));
  }
  void entity(const std::string& kind, const std::string& name, Json record) {
    record["CreationTime"] = ++time * 1000;
    REQUIRE(jobs.create(kind, name, record));
  }
  Jobs& jobs;
  std::int64_t time = 1;
};

// raw → split → prepare (a part each) → train → package → model → endpoint, with a second run that has
// overwritten what the first one split.
void write_story(Jobs& jobs) {
  Records story(jobs);
  const Places raw = {place("data", "s3://b/raw.csv", {file("s3://b/raw.csv", "r1")})};
  const Places parts = {
      place("parts", "s3://b/parts",
            {file("s3://b/parts/test/data.csv", "p2"), file("s3://b/parts/train/data.csv", "p1")})};
  story.job("ProcessingJob", "split-1", raw, parts);
  const Places train_part = {
      place("train", "s3://b/parts/train/", {file("s3://b/parts/train/data.csv", "p1")})};
  story.job("TrainingJob", "train-1", train_part,
            {place("output", "s3://b/models/train-1/output/",
                   {file("s3://b/models/train-1/output/model/model.bin", "m1")})},
            {{"ModelArtifacts", {{"S3ModelArtifacts", "s3://b/models/train-1/output/model/"}}},
             {"AlgorithmSpecification", {{"TrainingImage", "xgboost"}}}});
  // The same places a day later, other bytes.
  const Places raw2 = {place("data", "s3://b/raw.csv", {file("s3://b/raw.csv", "r2")})};
  story.job("ProcessingJob", "split-2", raw2,
            {place("parts", "s3://b/parts",
                   {file("s3://b/parts/test/data.csv", "q2"), file("s3://b/parts/train/data.csv", "q1")})});
  const Places model_input = {place("model", "s3://b/models/train-1/output/model/",
                                    {file("s3://b/models/train-1/output/model/model.bin", "m1")})};
  story.job("ProcessingJob", "evaluate-1", model_input,
            {place("report", "s3://b/report", {file("s3://b/report/evaluation.json", "e1")})});
  story.entity(
      "ModelPackageGroup", "fraud",
      {{"ModelPackageGroupName", "fraud"}, {"ModelPackageGroupArn", kPrefix + "model-package-group/fraud"}});
  story.entity(
      "ModelPackage", "fraud/1",
      {{"ModelPackageArn", kPrefix + "model-package/fraud/1"},
       {"ModelPackageGroupName", "fraud"},
       {"ModelPackageVersion", 1},
       {"InferenceSpecification",
        {{"Containers", {{{"ModelDataUrl", "s3://b/models/train-1/output/model/"}}}}}},
       {"ModelMetrics", {{"ModelQuality", {{"Statistics", {{"S3Uri", "s3://b/report/evaluation.json"}}}}}}},
       {"ApprovalHistory",
        {{{"Status", "PendingManualApproval"}, {"Time", 7000}},
         {{"Status", "Approved"}, {"Time", 8000}, {"By", "ada"}}}}});
  story.entity("Model", "fraud-model",
               {{"ModelName", "fraud-model"},
                {"ModelArn", kPrefix + "model/fraud-model"},
                {"PrimaryContainer", {{"ModelPackageName", "fraud/1"}}}});
  story.entity("Endpoint", "live",
               {{"EndpointName", "live"},
                {"EndpointArn", kPrefix + "endpoint/live"},
                {"EndpointStatus", "InService"},
                {"ProductionVariants", {{{"VariantName", "a"}, {"ModelName", "fraud-model"}}}}});
}

// "DataSet s3://b/raw.csv", "SageMakerTrainingJob train-1", sorted.
std::set<std::string> story_of(const LineageGraph& graph, const std::string& start, Direction direction,
                               int depth = 20) {
  std::set<std::string> out;
  for (const std::size_t i : graph.reach(graph.named(start), direction, depth)) {
    const LineageVertex& v = graph.vertices()[i];
    out.insert(v.type + " " +
               (v.source_uri.starts_with("s3://") ? v.source_uri + " " + v.sha256.substr(0, 4) : v.name));
  }
  return out;
}

bool has(const std::set<std::string>& all, const std::string& beginning) {
  const auto found = all.lower_bound(beginning);
  return found != all.end() && found->starts_with(beginning);
}

}  // namespace

TEST_CASE("Lineage: what is reached from where, in which direction and how far") {
  struct Query {
    const char *edges, *starts;
    Direction direction;
    int depth;
    const char* reached;
  };
  const Query queries[] = {
      {"a>b b>c c>d", "b", Direction::Descendants, 10, "bcd"},
      {"a>b b>c c>d", "b", Direction::Ascendants, 10, "ba"},
      {"a>b b>c c>d", "b", Direction::Both, 10, "bacd"},
      {"a>b b>c c>d", "a", Direction::Descendants, 1, "ab"},
      {"a>b b>c c>d", "a", Direction::Descendants, 0, "a"},
      // Both is what is above and what is below, not what is below of what is above.
      {"a>b a>c c>d", "b", Direction::Both, 10, "ba"},
      // The nearest way counts, and cycles end.
      {"a>b b>c a>c c>d", "a", Direction::Descendants, 2, "abcd"},
      {"a>b b>c c>a", "b", Direction::Descendants, 10, "bca"},
      {"a>b c>b d>c", "b", Direction::Ascendants, 1, "bac"},
      // Several starts.
      {"a>c b>c c>d", "ab", Direction::Descendants, 1, "abc"},
  };
  for (const Query& query : queries)
    CHECK_MESSAGE(reached(graph_of(query.edges), query.starts, query.direction, query.depth) == query.reached,
                  query.edges << " from " << query.starts);
}

TEST_CASE("Lineage: from endpoint to the file, and from the file to the endpoint, by content") {
  const TemporaryHome home;
  const auto jobs = *Jobs::open(home.path("tasks.db"));
  write_story(*jobs);
  const auto graph = build_lineage(*jobs);
  REQUIRE(graph);
  const auto up = story_of(*graph, "endpoint/live", Direction::Ascendants);
  for (const char* there :
       {"ModelDeployment live-aws-endpoint", "Endpoint live-aws-endpoint", "SageMakerModel fraud-model",
        "ModelPackage fraud/1", "Model s3://b/models/train-1/output/model/", "SageMakerTrainingJob train-1",
        "DataSet s3://b/parts/train/", "DataSet s3://b/parts ", "SageMakerProcessingJob split-1",
        "DataSet s3://b/raw.csv", "Image xgboost", "SageMakerProcessingJob evaluate-1"})
    CHECK_MESSAGE(has(up, there), there);
  // The second run wrote to the same places, but not these bytes.
  CHECK(!has(up, "SageMakerProcessingJob split-2"));
  const auto down = story_of(*graph, "s3://b/raw.csv", Direction::Descendants);
  CHECK(has(down, "Endpoint live-aws-endpoint"));
  CHECK(has(down, "SageMakerProcessingJob split-2"));
  CHECK(has(down, "Approval fraud-1-approval-2"));
  CHECK(has(down, "ModelGroup fraud-aws-model-group"));
  CHECK(has(down, "StateMachineExecution n1-"));
  CHECK(!has(story_of(*graph, "processing-job/split-2", Direction::Descendants), "Endpoint"));
  // A file inside of what is known leads to what it lies in.
  CHECK(has(story_of(*graph, "s3://b/parts/test/data.csv", Direction::Ascendants),
            "SageMakerProcessingJob split-1"));
  CHECK(graph->named("endpoint/none").empty());
  CHECK(story_of(*graph, "training-job/train-1", Direction::Ascendants, 1).size() == 3);
}

TEST_CASE("Lineage: of a place that was written twice the writer of what was there counts") {
  const TemporaryHome home;
  const auto jobs = *Jobs::open(home.path("tasks.db"));
  Records story(*jobs);
  const auto report = [](const std::string& place_uri, const std::string& sha256) {
    return Places{place("report", place_uri, {file("s3://b/out/x/report.json", sha256)})};
  };
  const auto package = [&](const std::string& name, Json notes = Json::object()) {
    story.entity(
        "ModelPackage", name,
        {{"ModelPackageArn", kPrefix + "model-package/" + name},
         {"ModelMetrics", {{"ModelQuality", {{"Statistics", {{"S3Uri", "s3://b/out/x/report.json"}}}}}}},
         {"Millrace", notes}});
    return "model-package/" + name;
  };
  const auto writers = [&](const std::string& start) {
    const auto graph = build_lineage(*jobs);
    REQUIRE(graph);
    std::string out;
    for (const std::string& one : story_of(*graph, start, Direction::Ascendants))
      if (one.starts_with("SageMakerProcessingJob ")) out += one.substr(23) + " ";
    return out;
  };
  story.job("ProcessingJob", "first", {}, report("s3://b/out", "r1"));  // the folder around
  const std::string early = package("early");
  story.job("ProcessingJob", "second", {}, report("s3://b/out/x/", "r2"));  // the folder itself
  const std::string late = package("late");
  CHECK(writers(early) == "first ");
  CHECK(writers(late) == "second ");
  // What was there when the package was made is known: somebody had put the first one back, or another file.
  const auto noted = [&](const std::string& sha256) {
    const Json files = Json::array({Json{{"Uri", "s3://b/out/x/report.json"}, {"Sha256", sha256}}});
    return Json{{"Contents",
                 {{"s3://b/out/x/report.json",
                   {{"Sha256", digest_of_files("s3://b/out/x/report.json", files)}, {"Files", files}}}}}};
  };
  CHECK(writers(package("restored", noted("r1"))) == "first ");
  CHECK(writers(package("by-hand", noted("r3"))).empty());
  // Of a job that read too many files to name them: the last writer of each.
  Json many = place("data", "s3://b/out", {});
  many.erase("Files");
  story.job("ProcessingJob", "reader", {many}, {});
  CHECK(writers("processing-job/reader") == "reader second ");
}

TEST_CASE("Lineage: a package and a model keep the hashes of what they name") {
  const TemporaryHome home;
  home.write("objects/b/models/model.tar.gz", "weights");
  home.write("objects/b/report.json", "{}");
  {
    TaskDriver driver(home.path());
    REQUIRE(driver.runner);
    CHECK(
        driver
            .run(
                "aws-sdk:sagemaker:createModelPackage",
                R"({"ModelPackageGroupName": "g", "ModelMetrics": {"Bias": {"Report": {"S3Uri": "s3://b/report.json"}}},
                         "InferenceSpecification": {"Containers": [{"ModelDataUrl": "s3://b/models/model.tar.gz"},
                                                                   {"ModelDataUrl": "s3://b/none"}]}})")
            .find("model-package/g/1") != std::string::npos);
    CHECK(
        driver
            .run(
                "sagemaker:createModel",
                R"({"ModelName": "m", "PrimaryContainer": {"Image": "xgboost", "ModelDataUrl": "s3://b/models/model.tar.gz"}})")
            .find("model/m") != std::string::npos);
    CHECK(driver.run("aws-sdk:sagemaker:describeModel", R"({"ModelName": "m"})").find("Contents") ==
          std::string::npos);
  }
  const auto jobs = *Jobs::open(home.path("tasks.db"));
  const Json package = jobs->find("ModelPackage", "g/1")->at("Millrace").at("Contents");
  CHECK(package.size() == 2);
  const Json files = package.at("s3://b/models/model.tar.gz").at("Files");
  CHECK(files[0]["Sha256"] == digest_hex(Digest::Sha256, "weights"));
  CHECK(
      jobs->find("Model", "m")->at("Millrace").at("Contents").at("s3://b/models/model.tar.gz").at("Files") ==
      files);
}

TEST_CASE("Lineage: QueryLineage filters, pages and refuses; people's own entities and associations") {
  const TemporaryHome home;
  {
    const auto jobs = *Jobs::open(home.path("tasks.db"));
    write_story(*jobs);
  }
  TaskDriver driver(home.path());
  const auto ask = [&](const std::string& operation, const Json& request) {
    return driver.run("aws-sdk:sagemaker:" + operation, request.dump());
  };
  const std::string endpoint = kPrefix + "context/live-aws-endpoint";
  const Json data =
      parse(ask("queryLineage", {{"StartArns", {endpoint}},
                                 {"Direction", "Ascendants"},
                                 {"Filters", {{"Types", {"DataSet"}}, {"LineageTypes", {"Artifact"}}}}}));
  REQUIRE(data["Vertices"].size() == 5);
  for (const Json& vertex : data["Vertices"]) CHECK(vertex["Type"] == "DataSet");
  const Json all = parse(ask("queryLineage", {{"StartArns", {endpoint}}, {"Direction", "Ascendants"}}));
  std::set<std::string> seen, edges;
  Json request = {{"StartArns", {endpoint}}, {"Direction", "Ascendants"}, {"MaxResults", 3}};
  std::size_t pages = 0;
  for (;; ++pages) {
    const Json page = parse(ask("queryLineage", request));
    REQUIRE(page["Vertices"].is_array());
    for (const Json& vertex : page["Vertices"]) CHECK(seen.insert(vertex["Arn"].get<std::string>()).second);
    for (const Json& edge : page["Edges"]) CHECK(edges.insert(edge.dump()).second);
    if (!page.contains("NextToken")) break;
    request["NextToken"] = page["NextToken"];
  }
  CHECK(pages > 2);
  CHECK(seen.size() == all["Vertices"].size());
  CHECK(edges.size() == all["Edges"].size());
  CHECK(ask("queryLineage", {{"StartArns", {"endpoint/none"}}})
            .find("SageMaker.ResourceNotFoundException: nothing in the lineage") == 0);
  CHECK(ask("queryLineage", {{"StartArns", {endpoint}}, {"Direction", "Sideways"}})
            .find("SageMaker.ValidationException") == 0);

  const Json made = parse(ask("createArtifact", {{"ArtifactName", "ledger"},
                                                 {"ArtifactType", "Ledger"},
                                                 {"Source", {{"SourceUri", "https://ledger.example/2026"}}},
                                                 {"Properties", {{"owner", "ada"}}}}));
  const std::string ledger = made["ArtifactArn"].get<std::string>();
  CHECK(ask("createArtifact",
            {{"ArtifactType", "Ledger"}, {"Source", {{"SourceUri", "https://ledger.example/2026"}}}})
            .find("already existing") != std::string::npos);
  const Json raw = parse(ask("listArtifacts", {{"SourceUri", "s3://b/raw.csv"}, {"SortOrder", "Ascending"}}));
  REQUIRE(raw["ArtifactSummaries"].size() == 2);
  const std::string raw_arn = raw["ArtifactSummaries"][0]["ArtifactArn"].get<std::string>();
  parse(ask("addAssociation",
            {{"SourceArn", ledger}, {"DestinationArn", raw_arn}, {"AssociationType", "DerivedFrom"}}));
  const Json now = parse(ask("queryLineage", {{"StartArns", {endpoint}},
                                              {"Direction", "Ascendants"},
                                              {"Filters", {{"Properties", {{"owner", "ada"}}}}}}));
  REQUIRE(now["Vertices"].size() == 1);
  CHECK(now["Vertices"][0]["Arn"] == ledger);
  CHECK(parse(ask("listAssociations", {{"SourceArn", ledger}}))["AssociationSummaries"].size() == 1);
  CHECK(ask("addAssociation", {{"SourceArn", ledger}, {"DestinationArn", ledger + "0"}})
            .find("SageMaker.ResourceNotFoundException") == 0);
  CHECK(ask("deleteArtifact", {{"ArtifactArn", ledger}}).find("has associations") != std::string::npos);
  CHECK(ask("deleteAssociation", {{"SourceArn", ledger}, {"DestinationArn", raw_arn}}) ==
        Json({{"SourceArn", ledger}, {"DestinationArn", raw_arn}}).dump());
  CHECK(ask("deleteArtifact", {{"Source", {{"SourceUri", "https://ledger.example/2026"}}}}) ==
        Json({{"ArtifactArn", ledger}}).dump());
  CHECK(ask("describeArtifact", {{"ArtifactArn", ledger}}).find("SageMaker.ResourceNotFoundException") == 0);
  CHECK(ask("updateArtifact", {{"ArtifactArn", raw_arn}, {"ArtifactName", "x"}})
            .find("follows from the records") != std::string::npos);
  const Json described = parse(ask("describeArtifact", {{"ArtifactArn", raw_arn}}));
  CHECK(described["Source"]["SourceUri"] == "s3://b/raw.csv");
  CHECK(described["Source"]["SourceTypes"][0]["Value"].get<std::string>().starts_with("sha256:"));
  CHECK(parse(ask("describeContext", {{"ContextName", "live-aws-endpoint"}}))["ContextType"] == "Endpoint");
  CHECK(parse(ask("describeAction", {{"ActionName", "fraud-1-approval-2"}}))["Properties"]["By"] == "ada");
  for (const char* kind : {"Action", "Context"}) {
    const std::string k = kind;
    const Json entity = {
        {k + "Name", "mine"}, {k + "Type", "Review"}, {"Source", {{"SourceUri", "https://r"}}}};
    CHECK(parse(ask("create" + k, entity))[k + "Arn"] ==
          kPrefix + (k == "Action" ? "action" : "context") + "/mine");
    parse(ask("update" + k, {{k + "Name", "mine"}, {"Description", "two"}, {"Properties", {{"a", "1"}}}}));
    CHECK(parse(ask("describe" + k, {{k + "Name", "mine"}}))["Description"] == "two");
    CHECK(parse(ask("list" + k + "s", {{k + "Type", "Review"}}))[k + "Summaries"].size() == 1);
    CHECK(parse(ask("delete" + k, {{k + "Name", "mine"}})).is_object());
    CHECK(parse(ask("list" + k + "s", {{k + "Type", "Review"}}))[k + "Summaries"].empty());
  }
}
