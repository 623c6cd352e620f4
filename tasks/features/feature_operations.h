#pragma once
// The operations of the Feature Store Runtime on the rows of a FeatureStore: reads, and writes within a
// transaction of the caller's. Their errors are in the words of the service.

#include <functional>
#include <string_view>

#include "tasks/features/feature_rows.h"
#include "tasks/integrations/service_answer.h"

namespace millrace::tasks {

// The group of a name or an ARN; errors as the operation has them.
using FindGroup = std::function<Result<FeatureGroupPtr>(std::string_view)>;

struct FeatureReading {
  const FindGroup& find_group;
  FeatureReader& reader;
  Instant now;
};
ServiceAnswer get_record(const FeatureReading& reading, JsonView input);
ServiceAnswer batch_get_record(const FeatureReading& reading, JsonView input);

struct FeatureWriting {
  const FindGroup& find_group;
  FeatureRows& rows;
  Instant now;
};
ServiceAnswer put_record(const FeatureWriting& writing, JsonView input);
ServiceAnswer put_records(const FeatureWriting& writing, JsonView input);
ServiceAnswer delete_record(const FeatureWriting& writing, JsonView input);

}  // namespace millrace::tasks
