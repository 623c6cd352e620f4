// TransformJob: batch scoring of the objects below a prefix; each gives one object of the same name and
// ".out".

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tasks/arguments.h"
#include "tasks/deployment/models.h"
#include "tasks/deployment/serving.h"
#include "tasks/deployment/transform_records.h"
#include "tasks/jobs/job_context.h"
#include "tasks/jobs/job_kinds.h"
#include "tasks/table/request_rows.h"
#include "tasks/training/own_form.h"

namespace millrace::tasks {
namespace {

constexpr std::size_t kRowsAtOnce = 20'000;
constexpr std::size_t kOwnFormBytesMax = std::size_t{256} << 20;  // an object that is one request

struct Transform {
  std::string model, input, content_type, output, accept;
  std::string settings;  // Environment.DEEPAR_INFERENCE_CONFIG: for models that answer in their own form
  ColumnFilter input_filter, output_filter;
  bool join = false;
  bool csv() const { return content_type == "text/csv"; }
};

Result<Transform> read_transform(const Json& request) {
  const Arguments arguments(request);
  MR_TRY(model, arguments.text("ModelName"));
  MR_TRY(input, arguments.object("TransformInput"));
  MR_TRY(source, input.object("DataSource"));
  MR_TRY(s3_source, source.object("S3DataSource"));
  MR_TRY(uri, s3_source.text("S3Uri"));
  MR_TRY(content_type, input.text_or("ContentType", "text/csv"));
  MR_TRY(compression, input.text_or("CompressionType", "None"));
  MR_TRY(output, arguments.object("TransformOutput"));
  MR_TRY(output_path, output.text("S3OutputPath"));
  MR_TRY(accept, output.text_or("Accept", ""));
  MR_TRY(processing, arguments.object_or_empty("DataProcessing"));
  MR_TRY(join, processing.text_or("JoinSource", "None"));
  MR_TRY(input_filter_text, processing.text_or("InputFilter", "$"));
  MR_TRY(output_filter_text, processing.text_or("OutputFilter", "$"));
  MR_TRY(input_filter, ColumnFilter::parse("DataProcessing.InputFilter", input_filter_text));
  MR_TRY(output_filter, ColumnFilter::parse("DataProcessing.OutputFilter", output_filter_text));
  content_type = content_type.substr(0, content_type.find(';'));
  if (accept.empty()) accept = content_type == "text/csv" ? "text/csv" : "application/jsonlines";
  MR_DO(parse_s3_uri(uri));
  MR_DO(parse_s3_uri(output_path));
  MR_DO(input.one_of("ContentType", content_type, "text/csv|application/jsonlines"));
  MR_DO(input.one_of("CompressionType", compression, "None"));
  MR_DO(output.one_of("Accept", accept, "text/csv|application/jsonlines"));
  MR_DO(processing.one_of("JoinSource", join, "None|Input"));
  MR_TRY(environment, arguments.text_map("Environment"));
  Transform transform{model,        uri,           content_type,
                      output_path,  accept,        environment["DEEPAR_INFERENCE_CONFIG"],
                      input_filter, output_filter, join == "Input"};
  const bool as_csv = transform.csv() && accept == "text/csv";
  if (!as_csv && (transform.join || !input_filter.all() || !output_filter.all()))
    return processing.wrong("JoinSource", "joining and filters are for text/csv in and out");
  return transform;
}

// Whether the first record of a file names its columns: every column of the model is among them.
bool is_header(std::string_view record, const std::vector<std::string>& columns) {
  std::vector<std::string> names;
  for (std::string_view cell : raw_cells(record)) {
    if (cell.size() >= 2 && cell.front() == '"' && cell.back() == '"') cell = cell.substr(1, cell.size() - 2);
    names.emplace_back(cell);
  }
  return std::all_of(columns.begin(), columns.end(), [&](const std::string& column) {
    return std::find(names.begin(), names.end(), column) != names.end();
  });
}

// One object from beginning to end.
class ObjectTransform {
 public:
  ObjectTransform(const Transform& transform, const ServingChain& chain, RecordReader& reader,
                  AtomicFile& out)
      : transform_(transform), chain_(chain), reader_(reader), out_(out) {}

  // Scores the next records; how many there were, 0 at the end.
  Result<std::size_t> step() {
    MR_TRY(batch, reader_.next(kRowsAtOnce));
    if (batch.records.empty()) return std::size_t{0};
    MR_DO(take_header(batch));
    if (batch.records.empty()) return std::size_t{1};  // a header only, so far
    std::string body = header_;
    for (const std::string& record : batch.records) {
      MR_TRY(filtered, transform_.input_filter.apply(record));
      body += filtered;
      body += '\n';
    }
    auto rows = parse_request_rows(body, transform_.content_type, chain_.input_columns());
    if (!rows) return in_batch(rows.error(), batch);
    auto answer = chain_.answer(*rows);
    if (!answer) return in_batch(answer.error(), batch);
    MR_DO(write(batch, *answer));
    return batch.records.size();
  }

 private:
  static tl::unexpected<Error> in_batch(Error error, const RecordBatch& batch) {
    error.message = "in the records from number " + std::to_string(batch.first) + ": " + error.message;
    return fail(std::move(error));
  }

  Status take_header(RecordBatch& batch) {
    if (batch.first != 1 || !transform_.csv()) return {};
    MR_TRY(filtered, transform_.input_filter.apply(batch.records.front()));
    if (!is_header(filtered, chain_.input_columns())) return {};
    header_ = filtered + "\n";
    if (transform_.join) joined_header_ = batch.records.front();
    batch.records.erase(batch.records.begin());
    batch.first = 2;
    return {};
  }

  Status write(const RecordBatch& batch, const Answer& answer) {
    if (transform_.accept != "text/csv") return out_.append(answer_as_jsonlines(answer));
    const std::string csv = answer_as_csv(answer);
    if (!transform_.join && transform_.output_filter.all()) return out_.append(csv);
    std::string text;
    if (!joined_header_.empty()) {
      for (const std::string& name : column_names(answer)) joined_header_ += "," + name;
      MR_TRY(line, transform_.output_filter.apply(joined_header_));
      text += line + "\n";
      joined_header_.clear();
    }
    std::size_t begin = 0;
    for (const std::string& record : batch.records) {
      const std::size_t end = csv.find('\n', begin);
      const std::string score = csv.substr(begin, end - begin);
      begin = end + 1;
      MR_TRY(line, transform_.output_filter.apply(transform_.join ? record + "," + score : score));
      text += line + "\n";
    }
    return out_.append(text);
  }

  const Transform& transform_;
  const ServingChain& chain_;
  RecordReader& reader_;
  AtomicFile& out_;
  std::string header_;         // of the filtered input, with its line end
  std::string joined_header_;  // of the output, until it is written
};

// Rows of all objects so far, with the speed.
class RowCount {
 public:
  explicit RowCount(JobContext& context) : context_(context), begun_(context.clock().uptime()) {}
  void add(std::size_t rows, double fraction) {
    rows_ += static_cast<std::int64_t>(rows);
    const double seconds = static_cast<double>((context_.clock().uptime() - begun_).count()) / 1000;
    Progress progress;
    progress.phase = "Transforming";
    progress.rows = rows_;
    progress.fraction = fraction;
    if (seconds > 0) progress.rows_per_s = static_cast<double>(rows_) / seconds;
    context_.progress(progress);
  }
  std::int64_t rows() const { return rows_; }

 private:
  JobContext& context_;
  const Millis begun_;
  std::int64_t rows_ = 0;
};

// "a/b.csv" of s3://bucket/prefix/a/b.csv below s3://bucket/prefix/; the last part of the key for a single
// object.
std::string relative_name(const std::string& key, const std::string& prefix) {
  const std::size_t slash = prefix.rfind('/');
  const bool whole_directory =
      key.size() > prefix.size() && !prefix.empty() && prefix.back() != '/' && key[prefix.size()] == '/';
  if (whole_directory) return key.substr(prefix.size() + 1);
  return key.substr(slash == std::string::npos ? 0 : slash + 1);
}

// Of a model that answers in its own form: the object is one request, since records belong together (the rows
// of a series). Gives the number of lines.
Result<std::size_t> answer_object(const Transform& transform, const OwnFormModel& model,
                                  const std::string& source, AtomicFile& out, JobContext& context) {
  MR_TRY(body, context.objects().read(source));
  if (body.size() > kOwnFormBytesMax)
    return fail(ErrorCode::LimitExceeded,
                "the object is larger than " + std::to_string(kOwnFormBytesMax >> 20) + " MiB",
                "split it into several objects");
  MR_TRY(answer, model.answer({.body = body,
                               .content_type = transform.content_type,
                               .accept = transform.accept,
                               .settings = transform.settings,
                               .cancelled = [&context] { return context.cancelled(); },
                               .batch = true}));
  MR_DO(out.append(answer.body));
  return static_cast<std::size_t>(std::count(answer.body.begin(), answer.body.end(), '\n'));
}

Result<std::size_t> transform_into(const std::filesystem::path& target_path, const Transform& transform,
                                   const ServingChain& chain, const std::string& source, double fraction,
                                   RowCount& count, JobContext& context) {
  MR_TRY(source_path, context.objects().path_of(source));
  MR_TRY(out, AtomicFile::create(target_path));
  MR_TRY(own, chain.own_form());
  if (own != nullptr) {
    auto lines = answer_object(transform, *own, source, out, context);
    if (!lines)
      return fail(Error{lines.error().code, source + ": " + lines.error().message, lines.error().hint});
    count.add(*lines, fraction);
    MR_DO(out.commit());
    return lines;
  }
  MR_TRY(reader, RecordReader::open(source_path, transform.csv()));
  ObjectTransform work(transform, chain, reader, out);
  std::size_t total = 0;
  for (;;) {
    if (context.cancelled()) return fail(ErrorCode::Cancelled, "stopped");
    auto rows = work.step();
    if (!rows) return fail(Error{rows.error().code, source + ": " + rows.error().message, rows.error().hint});
    if (*rows == 0) break;
    total += *rows;
    count.add(*rows, fraction);
  }
  MR_DO(out.commit());
  return total;
}

Result<std::size_t> transform_object(const Transform& transform, const ServingChain& chain,
                                     const std::string& source, const std::string& target, double fraction,
                                     RowCount& count, JobContext& context) {
  std::size_t rows = 0;
  MR_DO(context.objects().write_by(target, [&](const std::filesystem::path& path) -> Status {
    MR_TRY(done, transform_into(path, transform, chain, source, fraction, count, context));
    rows = done;
    return {};
  }));
  return rows;
}

Status check(const Json& request, TaskContext& context) {
  MR_TRY(transform, read_transform(request));
  MR_DO(model_uris(context.jobs(), transform.model));
  return {};
}

Result<Json> work(const Json& request, JobContext& context) {
  MR_TRY(transform, read_transform(request));
  MR_TRY(uris, model_uris(context.jobs(), transform.model));
  MR_TRY(chain, load_chain(context.objects(), uris));
  MR_TRY(own, chain.own_form());
  if (own != nullptr && (transform.join || !transform.input_filter.all() || !transform.output_filter.all()))
    return invalid("DataProcessing: a model of " + std::string(own->algorithm()) +
                   " answers in its own form: joining and filters are for rows of numbers");
  MR_TRY(prefix, parse_s3_uri(transform.input));
  MR_TRY(objects, context.objects().list(transform.input));
  RowCount count(context);
  std::uint64_t bytes_all = 1, bytes_done = 0;
  for (const ObjectInfo& object : objects) bytes_all += object.bytes;
  for (const ObjectInfo& object : objects) {
    const std::string source = "s3://" + prefix.bucket + "/" + object.key;
    const std::string target = join_uri(transform.output, relative_name(object.key, prefix.key) + ".out");
    const double fraction = static_cast<double>(bytes_done) / static_cast<double>(bytes_all);
    MR_TRY(rows, transform_object(transform, chain, source, target, fraction, count, context));
    bytes_done += object.bytes;
    context.log(source + ": " + std::to_string(rows) + " records scored into " + target);
  }
  return Json::object();
}

}  // namespace

const JobKind kTransformJobKind{kTransformJob, check, work};

}  // namespace millrace::tasks
