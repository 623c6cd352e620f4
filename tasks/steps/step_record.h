#pragma once
// What a job is made of: the hashes of its inputs, its parameters, its code, the program that runs it; and
// what it came to: hashes of its outputs, what it used. Kept below kNotes/"Step" of the job's record:
//   Key          one hash over all that can make a difference to the result
//   Image, Version, Interpreter, Code, Parameters {path: text}
//   Inputs, Outputs  [{Name, Uri, Sha256, Bytes, Objects, Files: [{Uri, Sha256, Bytes}]}]
//   Fields       names of the members that the work put into the record
//   Usage        Seconds, CpuSeconds, MemoryPeakBytes, BytesRead, EstimatedCost
//   Cache        what the step cache said (step_cache.h)
// Not part of the key: the job's name, where results go, tags, the experiment, roles, machines and limits,
// and where the inputs are (their bytes are). Worker thread.

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "tasks/artifacts/channel_source.h"
#include "tasks/artifacts/content_hashes.h"
#include "tasks/jobs/entities.h"
#include "tasks/jobs/jobs.h"

namespace millrace::tasks {

inline constexpr const char* kStep = "Step";
inline constexpr std::size_t kInputFilesKept = 100, kOutputFilesKept = 1000;  // of one place, in a record

struct StepPlace {
  std::string name;
  ChannelSource source;
  bool with_pipeline = false;  // "_pipeline.json" beside the first object belongs to it, too
  bool optional = false;       // nothing there is as good as something
};

// A request read for what can make a difference. Pure but for the models it names.
struct StepPlan {
  std::string image;
  bool program = false;                           // of the user's
  std::string code;                               // s3://…, file://… or a path; empty: none
  std::map<std::string, std::string> parameters;  // "HyperParameters.eta" without the first part: "eta"
  std::vector<StepPlace> inputs, outputs;
};
// For the kinds that have outputs of their own: training, processing, transform jobs; nothing for others.
// InvalidArgument, NotFound: what the request names is not there.
Result<std::optional<StepPlan>> plan_step(const EntityKind& kind, const Json& request, const Jobs& jobs);

struct StepTools {
  const ObjectStore& objects;
  ContentHashes& hashes;
  std::function<bool()> cancelled;
};
// The members of a step that are known before the work, with its Key. NotFound when an input is not there.
Result<Json> describe_step(const EntityKind& kind, const StepPlan& plan, const StepTools& tools);
// When a job's work began.
struct StepBegin {
  std::int64_t time_ms = 0;
  // What had been sent to other stores by then (SentObjects::count); nothing: an earlier run of the job may
  // have sent something, too.
  std::optional<std::uint64_t> sent;
};
// Outputs: of what lies in these places that was written since the beginning; in another store what went
// through here since then. `whole` false: more files than kOutputFilesKept, or perhaps more in another store.
Result<Json> describe_outputs(const StepPlan& plan, const StepBegin& begin, const StepTools& tools,
                              bool& whole);
// What lies now where these URIs point, for the record of an entity that names them (below kNotes/kContents):
// {uri: {"Sha256", "Files": [{Uri, Sha256, Bytes}]}}. Left out: what is not there, lies in another store, has
// more than kInputFilesKept files or is larger than kContentsBytesMax.
inline constexpr const char* kContents = "Contents";
inline constexpr std::uint64_t kContentsBytesMax = 256 << 20;
Json contents_now(const std::vector<std::string>& uris, const StepTools& tools);
// The hash of an output file as it is now; empty when it is not there.
std::string hash_now(const std::string& uri, const StepTools& tools);

// The hash of a place with these files ({Uri, Sha256}), as an input's.
std::string digest_of_files(const std::string& place_uri, const Json& files);

// What people and model cards read of a step: inputs with their hashes, code, versions.
Json provenance_of(const Json& step);

}  // namespace millrace::tasks
