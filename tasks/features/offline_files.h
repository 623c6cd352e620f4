#pragma once
// The files of the offline store: their names and lines, both ways. Any thread.

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "tasks/artifacts/object_store.h"
#include "tasks/features/feature_group.h"
#include "tasks/features/feature_rows.h"

namespace millrace::tasks {

// S3URI/ACCOUNT/sagemaker/REGION/offline-store/GROUP-TIME/data
std::string offline_place(std::string_view s3_uri, std::string_view account, std::string_view region,
                          std::string_view uid);
// "year=2026/month=11/day=21/hour=06" of an event time.
std::string partition_of(std::int64_t time_us);

// "20261121T065916Z": how the names of a batch's files begin.
std::string time_in_name(Instant time);

// Puts the rows of one batch into files, a partition after the other: BEGIN_CODE.jsonl. The same rows under
// the same name make the same files.
class OfflineWriter {
 public:
  // `name`: what tells this batch from all others of the place.
  OfflineWriter(const ObjectStore& objects, std::string uri, std::string begin, std::string name,
                Instant written, std::size_t file_bytes_max)
      : objects_(objects),
        uri_(std::move(uri)),
        begin_(std::move(begin)),
        name_(std::move(name)),
        written_(written),
        file_bytes_max_(file_bytes_max) {}
  // Rows of one hour come together.
  Status add(const OfflineRow& row);
  Status finish();
  std::size_t files() const { return files_; }

 private:
  const ObjectStore& objects_;
  const std::string uri_, begin_, name_;
  const Instant written_;
  const std::size_t file_bytes_max_;
  std::int64_t hour_ = -1;
  std::string text_;
  std::size_t files_ = 0, part_ = 0;
};

// A record as a line of a file has it.
struct OfflineRecord {
  JsonView line;  // the whole object
  std::string id;
  std::int64_t time_us = 0, invoked_us = 0, written_ms = 0;
  bool deleted = false;
};
// Every record of the group in the files below its place, in no order. `from` and `to` in microseconds: hours
// outside are not read; empty: all. InvalidArgument names file and line of what is no record; an error of
// `take`. A place without files is none.
struct OfflineSpan {
  std::optional<std::int64_t> from_us, to_us;
};
Status read_offline(const ObjectStore& objects, const FeatureGroup& group, const OfflineSpan& span,
                    const std::function<bool()>& cancelled,
                    const std::function<Status(const OfflineRecord&)>& take);

// What GetRecord answers of the record in a line.
std::string answer_of_line(const FeatureGroup& group, JsonView line);

}  // namespace millrace::tasks
