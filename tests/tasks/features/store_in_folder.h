#pragma once
// A feature store over a folder, with one group in it: "g", by the Integral "id", as of the Fractional "at",
// with a String "v".

#include <cstdlib>
#include <future>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "tasks/features/feature_store.h"
#include "tasks/features/offline_files.h"
#include "tasks/jobs/jobs.h"

namespace millrace::tasks {

struct StoreInFolder {
  const SystemClock clock;
  std::unique_ptr<Jobs> jobs;
  ObjectStore objects;
  std::unique_ptr<FeatureStore> store;

  explicit StoreInFolder(const std::string& folder, FeatureStore::Settings settings = {})
      : objects(folder + "/objects") {
    auto opened_jobs = Jobs::open(folder + "/tasks.db");
    if (!opened_jobs) std::abort();
    jobs = std::move(*opened_jobs);
    const Json record = {
        {"FeatureGroupName", "g"},
        {"RecordIdentifierFeatureName", "id"},
        {"EventTimeFeatureName", "at"},
        {"FeatureDefinitions",
         {{{"FeatureName", "id"}, {"FeatureType", "Integral"}},
          {{"FeatureName", "at"}, {"FeatureType", "Fractional"}},
          {{"FeatureName", "v"}, {"FeatureType", "String"}}}},
        {"OnlineStoreConfig", {{"EnableOnlineStore", true}}},
        {"OfflineStoreConfig",
         {{"S3StorageConfig",
           {{"ResolvedOutputS3Uri", offline_place("s3://b/p/", "123456789012", "us-east-1", "g-1")}}}}},
        {"Millrace", {{"Uid", "g-1"}}}};
    (void)jobs->create("FeatureGroup", "g", record);  // of an earlier process, too
    auto opened = FeatureStore::open(folder + "/features.db", settings, *jobs, objects, clock);
    if (!opened) std::abort();
    store = std::move(*opened);
  }

  ServiceAnswer ask(ServiceCall call) {
    std::promise<ServiceAnswer> promise;
    store->call(std::move(call), [&promise](ServiceAnswer answer) { promise.set_value(std::move(answer)); });
    return promise.get_future().get();
  }
  std::vector<Json> lines() {
    std::vector<Json> all;
    const auto files = objects.list("s3://b/p/");
    if (!files) return all;
    for (const ObjectInfo& file : *files) {
      std::istringstream text(*objects.read("s3://b/" + file.key));
      for (std::string line; std::getline(text, line);) all.push_back(Json::parse(line));
    }
    return all;
  }
};

inline ServiceCall feature_put(int number, const std::string& time, const std::string& key = "") {
  const Json input = {{"FeatureGroupName", "g"},
                      {"Record",
                       {{{"FeatureName", "id"}, {"ValueAsString", std::to_string(number)}},
                        {{"FeatureName", "at"}, {"ValueAsString", time}},
                        {{"FeatureName", "v"}, {"ValueAsString", "n" + std::to_string(number)}}}}};
  return {"PutRecord", to_payload(input), key};
}

}  // namespace millrace::tasks
