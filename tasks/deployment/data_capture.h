#pragma once
// DataCapture: requests and answers of endpoints as JSON lines in SageMaker's capture shape, for monitors and
// for people: DestinationS3Uri/ENDPOINT/VARIANT/yyyy/mm/dd/hh/mm-ss-mmm-UUID.jsonl. Lines wait in a bounded
// queue and a thread writes them, some seconds' worth as one object that appears whole; what does not fit is
// dropped and counted, so that capturing never holds up what is captured. Any thread. Source: SageMaker
// developer guide, "Capture data from real-time endpoint".

#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "base/metrics.h"
#include "base/random.h"
#include "base/result.h"
#include "tasks/artifacts/object_store.h"

namespace millrace::tasks {

// DataCaptureConfig of an endpoint configuration.
struct CaptureConfig {
  bool enabled = false, input = false, output = false;
  std::int64_t percentage = 0;
  std::string destination;
  std::vector<std::string> csv_types, json_types;  // written as they are; others in Base64

  // InvalidArgument names what is wrong; of an absent object: not enabled.
  static Result<CaptureConfig> read(const Json& config);
};

// One exchange with an endpoint.
struct Captured {
  std::string endpoint, variant;
  std::string_view input, input_type, output, output_type;
  std::string_view inference_id, custom_attributes;
};

class DataCapture {
 public:
  struct Settings {
    Millis interval{5'000};                  // between two objects of a variant
    std::size_t queue_bytes_max = 64 << 20;  // that wait to be written
    std::size_t object_bytes_max = 8 << 20;  // then an object is written at once
    std::uint64_t seed = 0;                  // of event ids
  };
  // Borrowed; the registry may be null.
  DataCapture(const ObjectStore& objects, const Clock& clock, metrics::Registry* registry, Settings settings);
  ~DataCapture();  // writes what waits
  DataCapture(const DataCapture&) = delete;
  DataCapture& operator=(const DataCapture&) = delete;

  void add(const CaptureConfig& config, const Captured& captured);

 private:
  void work();
  void write_out(std::map<std::string, std::string>& lines);

  const ObjectStore& objects_;
  const Clock& clock_;
  const Settings settings_;
  metrics::Counter *written_ = nullptr, *dropped_ = nullptr;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::map<std::string, std::string> lines_;  // by prefix; guarded by mutex_, as what follows
  std::size_t bytes_ = 0;
  Random random_;
  bool stopping_ = false;
  std::jthread thread_;  // last: starts when the rest is there
};

}  // namespace millrace::tasks
