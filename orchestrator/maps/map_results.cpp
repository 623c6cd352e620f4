#include "orchestrator/maps/map_results.h"

#include "base/time.h"

namespace millrace::orchestrator {
namespace {

using definitions::ResultTransformation;
using states::ExecutionStatus;

constexpr std::uint64_t kFileBytesMax = std::uint64_t{5} << 30;  // of one result file
constexpr std::string_view kKinds[] = {"FAILED", "PENDING", "SUCCEEDED"};
constexpr std::size_t kFailed = 0, kPending = 1, kSucceeded = 2;

// A document as text inside the document, with whether it is there.
void write_document(JsonWriter& out, std::string_view name, const std::optional<Payload>& document) {
  out.key(name).string(document ? document->text() : std::string_view());
  out.key(std::string(name) + "Details").begin_object().key("Included").boolean(document.has_value());
  out.end_object();
}

void write_child(JsonWriter& out, const ChildResult& child, const ChildNames& names) {
  out.begin_object();
  if (!child.status) {
    write_document(out, "Input", child.input);
    out.key("Status").string("PENDING").end_object();
    return;
  }
  const bool succeeded = *child.status == ExecutionStatus::Succeeded;
  if (child.failure && child.failure->has_cause) out.key("Cause").string(child.failure->cause);
  if (child.failure && child.failure->has_error) out.key("Error").string(child.failure->error);
  out.key("ExecutionArn").string(names.execution_prefix + ":" + child.name);
  write_document(out, "Input", child.input);
  out.key("Name").string(child.name);
  if (succeeded) write_document(out, "Output", child.output);
  out.key("RedriveCount").number(std::int64_t{child.redrives});
  out.key("RedriveStatus").string(succeeded ? "NOT_REDRIVABLE" : "REDRIVABLE_BY_MAP_RUN");
  if (succeeded) out.key("RedriveStatusReason").string("Execution is SUCCEEDED and cannot be redriven");
  out.key("StartDate").string(format_rfc3339(child.started));
  out.key("StateMachineArn").string(names.machine_arn);
  out.key("Status").string(states::name_of(*child.status));
  out.key("StopDate").string(format_rfc3339(child.stopped));
  out.end_object();
}

// What the transformation makes of one child, given to `put` as views.
template <class Put>
auto transformed(const ChildResult& child, ResultTransformation transformation, const ChildNames& names,
                 const Put& put) {
  if (transformation == ResultTransformation::None || !child.output) {
    JsonWriter out;
    write_child(out, child, names);
    const Payload whole = out.finish();
    return put(whole.view());
  }
  const JsonView output = child.output->view();
  if (transformation == ResultTransformation::Flatten && output.is_array()) {
    for (const JsonView element : output.elements()) {
      if (auto status = put(element); !status) return status;
    }
    return decltype(put(output))();
  }
  return put(output);
}

std::string text_of(const Payload& arguments, std::string_view name) {
  const JsonView value = arguments.view().is_object() ? arguments.view().find(name) : JsonView();
  return value && value.is_string() ? value.string() : std::string();
}

}  // namespace

std::string_view run_uuid(std::string_view arn) {
  return arn.substr(arn.rfind(':') + 1);
}
std::string_view run_machine(std::string_view arn) {
  arn = arn.substr(0, arn.rfind(':'));
  return arn.substr(arn.rfind(':') + 1);
}

ChildNames ChildNames::of(const std::string& arn) {
  const std::string prefix = arn.substr(0, arn.find(":mapRun:"));
  const std::string machine(run_machine(arn));
  return {prefix + ":execution:" + machine, prefix + ":stateMachine:" + machine};
}

ResultArray::ResultArray(const definitions::ResultWriter* writer, ChildNames names, std::size_t bytes_max)
    : transformation_(writer ? writer->transformation.value_or(ResultTransformation::Compact)
                             : ResultTransformation::Compact),
      names_(std::move(names)),
      bytes_max_(bytes_max) {
  out_.begin_array();
}

void ResultArray::add(const ChildResult& child) {
  // Nothing can go wrong in memory.
  static_cast<void>(transformed(child, transformation_, names_, [&](JsonView value) -> Status {
    bytes_ += value.text().size() + 1;
    if (bytes_ <= bytes_max_ + 1) out_.value(value);
    return {};
  }));
}

std::optional<Payload> ResultArray::finish() {
  Payload array = out_.end_array().finish();
  if (bytes_ > bytes_max_ + 1) return std::nullopt;
  return array;
}

struct ResultFiles::File {
  std::string key;
  std::unique_ptr<ByteWriter> writer;
  std::uint64_t bytes = 0;
  std::size_t number = 0;
};

ResultFiles::ResultFiles(ObjectSource& objects, const definitions::ResultWriter& writer,
                         const Payload& arguments, std::string map_run_arn, std::uint32_t redrives)
    : objects_(objects),
      transformation_(writer.transformation.value_or(ResultTransformation::None)),
      lines_(writer.json_lines),
      arn_(std::move(map_run_arn)),
      bucket_(text_of(arguments, "Bucket")),
      folder_(text_of(arguments, "Prefix")),
      names_(ChildNames::of(arn_)) {
  if (!folder_.empty() && !folder_.ends_with('/')) folder_ += '/';
  folder_.append(run_uuid(arn_)).append("/");
  if (redrives > 0) folder_ += "Redrive-" + std::to_string(redrives) + "/";
}
ResultFiles::~ResultFiles() = default;

Status ResultFiles::close(File& file) {
  if (!lines_) {
    MR_DO(file.writer->write("]"));
    ++file.bytes;
  }
  return file.writer->finish();
}

// The open file of the kind, or the next one when it would get too long.
Result<ResultFiles::File*> ResultFiles::file_for(std::size_t kind, std::size_t more) {
  std::unique_ptr<File>& file = files_[kind];
  if (file && file->bytes + more <= kFileBytesMax) return file.get();
  std::size_t number = 0;
  if (file) {
    MR_DO(close(*file));
    written_[kind].emplace_back(file->key, file->bytes);
    number = file->number + 1;
  }
  file = std::make_unique<File>();
  file->number = number;
  file->key =
      folder_ + std::string(kKinds[kind]) + "_" + std::to_string(number) + (lines_ ? ".jsonl" : ".json");
  MR_TRY(writer, objects_.create(bucket_, file->key));
  file->writer = std::move(writer);
  return file.get();
}

Status ResultFiles::add(const ChildResult& child) {
  const std::size_t kind = !child.status                                 ? kPending
                           : *child.status == ExecutionStatus::Succeeded ? kSucceeded
                                                                         : kFailed;
  return transformed(child, transformation_, names_, [&](JsonView value) -> Status {
    MR_TRY(file, file_for(kind, value.text().size() + 1));
    const std::string_view between = lines_ ? "" : file->bytes == 0 ? "[" : ",";
    MR_DO(file->writer->write(between));
    MR_DO(file->writer->write(value.text()));
    if (lines_) MR_DO(file->writer->write("\n"));
    file->bytes += between.size() + value.text().size() + (lines_ ? 1 : 0);
    return {};
  });
}

Result<Payload> ResultFiles::finish() {
  for (std::size_t kind = 0; kind < std::size(files_); ++kind) {
    if (!files_[kind]) continue;
    MR_DO(close(*files_[kind]));
    written_[kind].emplace_back(files_[kind]->key, files_[kind]->bytes);
    files_[kind].reset();
  }
  JsonWriter out;
  out.begin_object().key("DestinationBucket").string(bucket_).key("MapRunArn").string(arn_);
  out.key("ResultFiles").begin_object();
  for (std::size_t kind = 0; kind < std::size(files_); ++kind) {
    out.key(kKinds[kind]).begin_array();
    for (const auto& [key, bytes] : written_[kind]) {
      out.begin_object().key("Key").string(key).key("Size").number(static_cast<std::int64_t>(bytes));
      out.end_object();
    }
    out.end_array();
  }
  out.end_object().end_object();
  const std::string key = folder_ + "manifest.json";
  MR_TRY(writer, objects_.create(bucket_, key));
  MR_DO(writer->write(out.finish().text()));
  MR_DO(writer->finish());
  JsonWriter result;
  result.begin_object().key("MapRunArn").string(arn_).key("ResultWriterDetails").begin_object();
  result.key("Bucket").string(bucket_).key("Key").string(key).end_object().end_object();
  return result.finish();
}

namespace {

// A STANDARD child: its row, and of its history the first and the last event.
Result<ChildResult> of_execution(Store& store, const ExecutionRow& row, bool inputs) {
  ChildResult child;
  child.name = row.name;
  child.status = row.status;
  child.started = row.started;
  child.stopped = row.stopped.value_or(row.started);
  MR_TRY(events, store.events(row.id, row.events > 0 ? row.events - 1 : 0, ~std::size_t{0}));
  if (events.empty()) return fail(ErrorCode::DataLoss, "the history of '" + row.name + "' is cut off");
  const states::EventDetails& last = events.back().details;
  if (const auto* succeeded = std::get_if<states::detail::ExecutionSucceeded>(&last))
    child.output = succeeded->output;
  if (const auto* failed = std::get_if<states::detail::Failed>(&last)) child.failure = failed->failure;
  if (inputs || row.status != ExecutionStatus::Succeeded) {
    MR_TRY(first, store.events(row.id, 0, 1));
    const auto* started =
        first.empty() ? nullptr : std::get_if<states::detail::ExecutionStarted>(&first.front().details);
    if (started) child.input = started->input;
  }
  return child;
}

}  // namespace

Result<ResultPage> read_results(Store& store, const MapRunRow& run, std::uint64_t after, std::size_t limit,
                                bool inputs) {
  ResultPage page;
  page.next = after;
  if (run.express) {
    MR_TRY(rows, store.map_runs().results(run.id, static_cast<std::uint32_t>(after), limit, true));
    for (MapResultRow& row : rows) {
      page.next = std::uint64_t{row.index} + 1;
      page.children.push_back({std::move(row.name), row.status, row.started, row.stopped,
                               std::move(row.input), std::move(row.output), std::move(row.failure), 0});
    }
    page.last = rows.size() < limit;
    return page;
  }
  MR_TRY(rows, store.children(run.id, ExecutionId{after}, limit));
  for (const ExecutionRow& row : rows) {
    page.next = row.id.value;
    MR_TRY(child, of_execution(store, row, inputs));
    page.children.push_back(std::move(child));
  }
  page.last = rows.size() < limit;
  return page;
}

}  // namespace millrace::orchestrator
