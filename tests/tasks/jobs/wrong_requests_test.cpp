// Every member of a valid request replaced by what it may not be: the answer is an error in words, never an
// exception.

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/tasks/jobs/task_driver.h"
#include "tests/tasks/jobs/temporary_home.h"

using namespace millrace;
using namespace millrace::tasks;

namespace {

struct Valid {
  const char* operation;
  const char* request;
};

const Valid kValid[] =
    {
        {"sagemaker:createTrainingJob.sync",
         R"({"TrainingJobName":"t","AlgorithmSpecification":{"TrainingImage":"script","TrainingInputMode":"File","ContainerEntrypoint":["true"],"ContainerArguments":["a"],"MetricDefinitions":[{"Name":"m","Regex":"m=([0-9]+);"}]},"HyperParameters":{"sagemaker_program":"x.sh","sagemaker_submit_directory":"s3://b/c","depth":"3"},"InputDataConfig":[{"ChannelName":"train","InputMode":"File","ContentType":"text/csv","DataSource":{"S3DataSource":{"S3Uri":"s3://b/d"}}}],"OutputDataConfig":{"S3OutputPath":"s3://b/o"},"Environment":{"A":"b"},"CheckpointConfig":{"S3Uri":"s3://b/k"},"ResourceConfig":{"InstanceCount":1,"MemoryLimitInMB":100},"EnableNetworkIsolation":false,"StoppingCondition":{"MaxRuntimeInSeconds":60},"Tags":[{"Key":"k","Value":"v"}]
})"},
        {"sagemaker:createTrainingJob.sync",
         R"({"TrainingJobName":"x","AlgorithmSpecification":{"TrainingImage":"xgboost","TrainingInputMode":"File"},"HyperParameters":{"num_round":"3","eta":"0.1"},"InputDataConfig":[{"ChannelName":"train","ContentType":"text/csv","DataSource":{"S3DataSource":{"S3DataType":"S3Prefix","S3Uri":"s3://b/d"}}}],"OutputDataConfig":{"S3OutputPath":"s3://b/o"},"StoppingCondition":{"MaxRuntimeInSeconds":60}})"},
        {"sagemaker:createProcessingJob.sync",
         R"({"ProcessingJobName":"p","AppSpecification":{"ImageUri":"split","ContainerArguments":["--method","random"]},"ProcessingInputs":[{"InputName":"data","S3Input":{"S3Uri":"s3://b/d","LocalPath":"/opt/ml/processing/in"}}],"ProcessingOutputConfig":{"Outputs":[{"OutputName":"o","S3Output":{"S3Uri":"s3://b/o","LocalPath":"/opt/ml/processing/out"}}]},"Environment":{"SETTINGS":"{}"},"ProcessingResources":{"ClusterConfig":{"InstanceCount":1}},"NetworkConfig":{"EnableNetworkIsolation":true},"StoppingCondition":{"MaxRuntimeInSeconds":60}})"},
        {"sagemaker:createProcessingJob.sync",
         R"({"ProcessingJobName":"q","AppSpecification":{"ImageUri":"mine","ContainerEntrypoint":["true"],"ContainerArguments":["x"]},"ProcessingInputs":[{"InputName":"data","S3Input":{"S3Uri":"s3://b/d","LocalPath":"/opt/ml/processing/in"}}],"ProcessingOutputConfig":{"Outputs":[{"OutputName":"o","S3Output":{"S3Uri":"s3://b/o","LocalPath":"/opt/ml/processing/out"}}]},"ProcessingResources":{"ClusterConfig":{"MemoryLimitInMB":100}}})"},
        {"sagemaker:createTransformJob.sync", R"({"TransformJobName":"t","ModelName":"m","TransformInput":{"ContentType":"text/csv","CompressionType":"None","SplitType":"Line","DataSource":{"S3DataSource":{"S3Uri":"s3://b/d"}}},"TransformOutput":{"S3OutputPath":"s3://b/o","Accept":"text/csv"},"DataProcessing":{"InputFilter":"$[1:]","OutputFilter":"$","JoinSource":"Input"}})"},
        {"sagemaker:createHyperParameterTuningJob.sync",
         R"({"HyperParameterTuningJobName":"h","HyperParameterTuningJobConfig":{"Strategy":"Random","HyperParameterTuningJobObjective":{"Type":"Minimize","MetricName":"validation:rmse"},"ResourceLimits":{"MaxNumberOfTrainingJobs":1,"MaxParallelTrainingJobs":1},"ParameterRanges":{"ContinuousParameterRanges":[{"Name":"eta","MinValue":"0.1","MaxValue":"0.5","ScalingType":"Auto"}],"IntegerParameterRanges":[{"Name":"max_depth","MinValue":"2","MaxValue":"4"}],"CategoricalParameterRanges":[{"Name":"booster","Values":["gbtree"]}]},"TrainingJobEarlyStoppingType":"Off","RandomSeed":1},"TrainingJobDefinition":{"AlgorithmSpecification":{"TrainingImage":"xgboost"},"StaticHyperParameters":{"num_round":"1"},"InputDataConfig":[{"ChannelName":"train","DataSource":{"S3DataSource":{"S3Uri":"s3://b/d"}}},{"ChannelName":"validation","DataSource":{"S3DataSource":{"S3Uri":"s3://b/d"}}}],"OutputDataConfig":{"S3OutputPath":"s3://b/o"}}})"},
        {"sagemaker:createAutoMLJobV2.sync",
         R"({"AutoMLJobName":"a","AutoMLJobInputDataConfig":[{"ChannelType":"training","ContentType":"text/csv;header=present","CompressionType":"None","DataSource":{"S3DataSource":{"S3DataType":"S3Prefix","S3Uri":"s3://b/d"}}}],"AutoMLProblemTypeConfig":{"TabularJobConfig":{"TargetAttributeName":"y","ProblemType":"Regression","Mode":"ENSEMBLING","FeatureSpecificationS3Uri":"s3://b/f","CompletionCriteria":{"MaxCandidates":1,"MaxRuntimePerTrainingJobInSeconds":9,"MaxAutoMLJobRuntimeInSeconds":9},"CandidateGenerationConfig":{"AlgorithmsConfig":[{"AutoMLAlgorithms":["xgboost"]}]}}},"AutoMLJobObjective":{"MetricName":"RMSE"},"DataSplitConfig":{"ValidationFraction":0.2},"OutputDataConfig":{"S3OutputPath":"s3://b/o"},"RandomSeed":1})"},
        {"sagemaker:createAutoMLJobV2.sync",
         R"({"AutoMLJobName":"t","AutoMLJobInputDataConfig":[{"DataSource":{"S3DataSource":{"S3Uri":"s3://b/d"}}}],"AutoMLProblemTypeConfig":{"TextClassificationJobConfig":{"ContentColumn":"c","TargetLabelColumn":"l","CompletionCriteria":{"MaxCandidates":1}}},"ModelDeployConfig":{"AutoGenerateEndpointName":false,"EndpointName":"e"},"OutputDataConfig":{"S3OutputPath":"s3://b/o"}})"},
        {"sagemaker:createAutoMLJobV2.sync",
         R"({"AutoMLJobName":"f","AutoMLJobInputDataConfig":[{"DataSource":{"S3DataSource":{"S3Uri":"s3://b/d"}}}],"AutoMLProblemTypeConfig":{"TimeSeriesForecastingJobConfig":{"ForecastFrequency":"1D","ForecastHorizon":3,"ForecastQuantiles":["p50"],"TimeSeriesConfig":{"TargetAttributeName":"y","TimestampAttributeName":"t","ItemIdentifierAttributeName":"i","GroupingAttributeNames":["g"]},"Transformations":{"Aggregation":{"y":"sum"},"Filling":{"y":{"middlefill":"zero"}}}}},"OutputDataConfig":{"S3OutputPath":"s3://b/o"}})"},
        {"sagemaker:createAutoMLJob.sync",
         R"({"AutoMLJobName":"v1","InputDataConfig":[{"TargetAttributeName":"y","ContentType":"text/csv","DataSource":{"S3DataSource":{"S3Uri":"s3://b/d"}}}],"ProblemType":"Regression","AutoMLJobObjective":{"MetricName":"MSE"},"AutoMLJobConfig":{"Mode":"AUTO","CompletionCriteria":{"MaxCandidates":1},"CandidateGenerationConfig":{"FeatureSpecificationS3Uri":"s3://b/f"},"DataSplitConfig":{"ValidationFraction":0.2}},"OutputDataConfig":{"S3OutputPath":"s3://b/o"}})"},
        {"aws-sdk:sagemaker:listCandidatesForAutoMLJob",
         R"({"AutoMLJobName":"a","StatusEquals":"Completed","SortBy":"Status","MaxResults":5})"},
        {"aws-sdk:sagemaker:stopAutoMLJob", R"({"AutoMLJobName":"a"})"},
        {"sagemaker:createModel",
         R"({"ModelName":"m","Containers":[{"Image":"xgboost","ModelDataUrl":"s3://b/m","ModelPackageName":"","ModelDataSource":{"S3DataSource":{"S3Uri":"s3://b/m"}},"Environment":{"A":"b"}}]})"},
        {"sagemaker:createEndpointConfig",
         R"({"EndpointConfigName":"c","ProductionVariants":[{"VariantName":"v","ModelName":"m","InitialVariantWeight":1}]})"},
        {"sagemaker:createEndpoint", R"({"EndpointName":"e","EndpointConfigName":"c"})"},
        {"sagemaker:updateEndpoint",
         R"({"EndpointName":"e","EndpointConfigName":"c","DeploymentConfig":{"BlueGreenUpdatePolicy":{}}})"},
        {"aws-sdk:sagemaker:updateEndpointWeightsAndCapacities",
         R"({"EndpointName":"e","DesiredWeightsAndCapacities":[{"VariantName":"v","DesiredWeight":1}]})"},
        {"aws-sdk:sagemaker:createModelPackage", R"({"ModelPackageGroupName":"g","ModelPackageName":"n","ModelApprovalStatus":"Approved","ApprovalDescription":"w","ClientToken":"t","InferenceSpecification":{"Containers":[{"Image":"x","ModelDataUrl":"s3://b/m"}]},"CustomerMetadataProperties":{"a":"b"},"ModelMetrics":{"ModelQuality":{"Statistics":{"S3Uri":"s3://b/e"}}}})"},
        {"aws-sdk:sagemaker:updateModelPackage",
         R"({"ModelPackageArn":"g/1","ModelApprovalStatus":"Approved","ApprovalDescription":"w","CustomerMetadataProperties":{"a":"b"},"CustomerMetadataPropertiesToRemove":["a"]})"},
        {"aws-sdk:sagemaker:listModels",
         R"({"NameContains":"m","StatusEquals":"x","SortOrder":"Ascending","MaxResults":5,"ModelPackageGroupName":"g"})"},
        {"aws-sdk:sagemaker:listModelPackages",
         R"({"ModelPackageGroupName":"g","ModelApprovalStatus":"Approved"})"},
        {"aws-sdk:sagemaker:listTrainingJobs", "{}"},
        {"aws-sdk:sagemaker:describeModelPackage", R"({"ModelPackageName":"g/1"})"},
        {"aws-sdk:sagemaker:stopTrainingJob", R"({"TrainingJobName":"t"})"},
        {"aws-sdk:sagemaker:listTrainingJobsForHyperParameterTuningJob",
         R"({"HyperParameterTuningJobName":"h"})"},
        {"aws-sdk:sagemaker:createFeatureGroup",
         R"({"FeatureGroupName":"g","RecordIdentifierFeatureName":"a","EventTimeFeatureName":"b","FeatureDefinitions":[{"FeatureName":"a","FeatureType":"String"},{"FeatureName":"b","FeatureType":"String"},{"FeatureName":"c","FeatureType":"Fractional","CollectionType":"Vector","CollectionConfig":{"VectorConfig":{"Dimension":2}}}],"OnlineStoreConfig":{"EnableOnlineStore":true,"StorageType":"Standard","TtlDuration":{"Unit":"Hours","Value":1}},"OfflineStoreConfig":{"S3StorageConfig":{"S3Uri":"s3://b/f"},"TableFormat":"Default"},"ThroughputConfig":{"ThroughputMode":"OnDemand"},"Description":"d","Tags":[{"Key":"k","Value":"v"}]})"},
        {"aws-sdk:sagemaker:updateFeatureGroup",
         R"({"FeatureGroupName":"g","FeatureAdditions":[{"FeatureName":"d","FeatureType":"String","CollectionType":"List"}],"OnlineStoreConfig":{"TtlDuration":{"Unit":"Hours","Value":2}},"ThroughputConfig":{"ThroughputMode":"OnDemand"}})"},
        {"aws-sdk:sagemaker:updateFeatureMetadata",
         R"({"FeatureGroupName":"g","FeatureName":"a","Description":"d","ParameterAdditions":[{"Key":"k","Value":"v"}],"ParameterRemovals":["x"]})"},
        {"aws-sdk:sagemaker:describeFeatureMetadata", R"({"FeatureGroupName":"g","FeatureName":"a"})"},
        {"aws-sdk:sagemaker:listFeatureGroups",
         R"({"NameContains":"g","FeatureGroupStatusEquals":"Created","OfflineStoreStatusEquals":"Active","SortBy":"Name","MaxResults":5})"},
        {"aws-sdk:sagemakerfeaturestoreruntime:putRecord",
         R"({"FeatureGroupName":"g","Record":[{"FeatureName":"a","ValueAsString":"1"},{"FeatureName":"b","ValueAsString":"2026-11-21T06:59:16Z"},{"FeatureName":"c","ValueAsStringList":["1","2"]}],"TargetStores":["OnlineStore"],"TtlDuration":{"Unit":"Hours","Value":1}})"},
        {"aws-sdk:sagemakerfeaturestoreruntime:getRecord",
         R"({"FeatureGroupName":"g","RecordIdentifierValueAsString":"1","FeatureNames":["a"],"ExpirationTimeResponse":"Enabled"})"},
        {"aws-sdk:sagemakerfeaturestoreruntime:batchGetRecord",
         R"({"Identifiers":[{"FeatureGroupName":"g","RecordIdentifiersValueAsString":["1"],"FeatureNames":["a"]}]})"},
        {"aws-sdk:sagemakerfeaturestoreruntime:deleteRecord",
         R"({"FeatureGroupName":"g","RecordIdentifierValueAsString":"1","EventTime":"2026-11-21T06:59:17Z","DeletionMode":"SoftDelete","TargetStores":["OnlineStore"]})"},
        {"sagemaker:createLabelingJob",
         R"({"LabelingJobName":"l","LabelAttributeName":"kind","InputConfig":{"DataSource":{"S3DataSource":{"ManifestS3Uri":"s3://b/words"}}},"OutputConfig":{"S3OutputPath":"s3://b/o"},"LabelCategoryConfigS3Uri":"s3://b/kinds","StoppingConditions":{"MaxHumanLabeledObjectCount":1},"HumanTaskConfig":{"TaskTitle":"t","TaskDescription":"d","NumberOfHumanWorkersPerDataObject":1},"Tags":[{"Key":"k","Value":"v"}]})"},
        {"aws-sdk:sagemaker:stopLabelingJob", R"({"LabelingJobName":"l"})"},
        {"aws-sdk:labels:putLabels", R"({"Task":"l","Worker":"w","Labels":[{"Id":0,"Label":"a"}]})"},
        {"aws-sdk:labels:getLabelItems", R"({"Task":"l","Worker":"w","Limit":1})"},
        {"aws-sdk:sagemakerruntime:invokeEndpoint",
         R"({"EndpointName":"e","ContentType":"text/csv","Accept":"text/csv","TargetVariant":"v","Body":"1,2"})"},
};

// Pointers to all members and elements.
void places(const Json& json, const std::string& at, std::vector<std::string>& out) {
  if (!at.empty()) out.push_back(at);
  if (json.is_object())
    for (const auto& [key, value] : json.items()) places(value, at + "/" + key, out);
  if (json.is_array())
    for (std::size_t i = 0; i < json.size(); ++i) places(json[i], at + "/" + std::to_string(i), out);
}

}  // namespace

TEST_CASE("Wrong requests: whatever a member is replaced by, the answer is an error in words") {
  const TemporaryHome home;
  home.write("objects/b/words", "{\"source\":\"x\"}\n{\"source\":\"y\"}\n");
  home.write("objects/b/kinds", R"({"labels":[{"label":"a"},{"label":"b"}]})");
  TaskDriver driver(home.path());
  const Json replacements[] = {nullptr,
                               5,
                               -1.5,
                               true,
                               "",
                               "x",
                               "s3://",
                               Json::array(),
                               Json::array({1, "a", nullptr}),
                               Json::object(),
                               Json{{"a", 1}}};
  int calls = 0;
  for (const auto& [operation, text] : kValid) {
    const Json valid = Json::parse(text);
    std::vector<std::string> all;
    places(valid, "", all);
    for (const std::string& place : all) {
      for (const Json& replacement : replacements) {
        Json wrong = valid;
        wrong[Json::json_pointer(place)] = replacement;
        const std::string answer = driver.run(operation, wrong.dump());
        ++calls;
        const bool in_words = answer.find("json.exception") == std::string::npos &&
                              answer.find("AmazonSageMakerException") == std::string::npos &&
                              answer != "no outcome";
        if (in_words) continue;
        CAPTURE(operation);
        CAPTURE(place);
        CAPTURE(replacement.dump());
        CHECK(answer == "an error in words");
      }
    }
  }
  CHECK(calls > 1000);
}
