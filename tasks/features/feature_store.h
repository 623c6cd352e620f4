#pragma once
// FeatureStore: records of feature groups. Online: the newest record of each identifier in HOME/features.db,
// durable before the answer (group commit, see group_store.h), read without waiting for writers. Offline:
// each record that was put, in files of JSON lines in the object store, in SageMaker's layout:
//
//   S3URI/ACCOUNT/sagemaker/REGION/offline-store/GROUP-TIME/data/year=/month=/day=/hour=/TIME_NAME.jsonl
//
// Records on their way there are in the database, in the transaction of their put. A thread of its own writes
// them to files: which rows go into a batch is kept before its first file, and names of files follow from the
// batch, so that after a crash at any moment the same files are written again, and each record is in one file
// once. Any thread. Source: Feature Store Runtime API reference, 2020-07-01.

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "tasks/features/feature_group.h"
#include "tasks/integrations/service_call.h"

namespace millrace::tasks {

class Jobs;
class ObjectStore;

inline constexpr std::size_t kRecordsPutMax = 1000;  // in one PutRecords

class FeatureStore {
 public:
  struct Settings {
    Millis flush_interval{60'000};      // records are in files at most so much later
    std::size_t batch_rows = 50'000;    // of one group
    std::size_t file_bytes = 64 << 20;  // of text, about
  };
  // HOME/features.db. All but the settings is borrowed.
  static Result<std::unique_ptr<FeatureStore>> open(const std::string& path, Settings settings, Jobs& jobs,
                                                    const ObjectStore& objects, const Clock& clock);
  ~FeatureStore();  // answers what was asked; writes to files what it can within two seconds

  // PutRecord, GetRecord, DeleteRecord, BatchGetRecord, and PutRecords: {FeatureGroupName, Records,
  // TargetStores}, all of them or none. Reads are answered at once, writes on the store's thread.
  static bool has(std::string_view operation);
  void call(ServiceCall call, ServiceReply reply);

  // NotFound. The group as it is now.
  Result<FeatureGroupPtr> group(std::string_view name_or_arn);
  // Newest records for the online store alone, all of them or none, durable on return.
  Status put_online(const FeatureGroupPtr& group, std::vector<FeatureRecord> records);
  // What was acknowledged before is in files when it returns.
  Status flush();

  // The record of a group was written or removed.
  void group_changed(std::string_view name, bool removed);

 private:
  struct State;
  explicit FeatureStore(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace millrace::tasks
