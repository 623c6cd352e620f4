#include "tasks/labelling/label_store.h"

#include <algorithm>
#include <future>
#include <map>
#include <nlohmann/json.hpp>

#include "base/encoding.h"
#include "base/log.h"
#include "base/random.h"
#include "tasks/arguments.h"
#include "tasks/integrations/group_calls.h"
#include "tasks/jobs/entities.h"
#include "tasks/jobs/jobs.h"
#include "tasks/labelling/label_job.h"
#include "tasks/labelling/label_rows.h"
#include "tasks/task_kind.h"

namespace millrace::tasks {
namespace {

constexpr std::int64_t kTasksMax = 10'000, kItemsMax = 1000, kItemsUsual = 10;
constexpr std::size_t kVotesPutMax = 1000;  // in one request
constexpr std::size_t kWorkerBytesMax = 256;
// An object that is on somebody's page is nobody else's for so long.
constexpr Millis kReservedFor{300'000};
constexpr std::size_t kReservedMax = 10'000;
const Instant kNever = from_millis(253'402'300'799'000);

std::string member_text(JsonView input, std::string_view name) {
  const JsonView value = input.find(name);
  return value && value.is_string() ? value.string() : std::string();
}

tl::unexpected<ServiceError> label_refusal(const Error& error) {
  if (error.code == ErrorCode::NotFound)
    return service_error("ResourceNotFoundException", error.message, 404);
  if (error.code == ErrorCode::InvalidArgument) return service_error("ValidationException", error.message);
  return tl::unexpected<ServiceError>(error);
}

bool in_progress(const LabelJob& job) {
  return job.status == "InProgress";
}

Json label_counters(const LabelCounts& counts) {
  return {{"TotalLabeled", counts.labelled},
          {"HumanLabeled", counts.labelled},
          {"MachineLabeled", 0},
          {"FailedNonRetryableError", 0},
          {"Unlabeled", counts.all - counts.labelled}};
}

// What a person is told of a task.
Json task_summary(const LabelJob& job, const LabelCounts& counts) {
  return {{"Task", job.name},
          {"Title", job.title},
          {"Description", job.description},
          {"Status", job.status},
          {"Labels", job.categories},
          {"Total", counts.all},
          {"Labelled", counts.labelled},
          {"Remaining", counts.all - counts.labelled}};
}

}  // namespace

struct LabelStore::State {
  State(Jobs& j, const ObjectStore& o, const Clock& c) : jobs(j), objects(o), clock(c) {}

  Jobs& jobs;
  const ObjectStore& objects;
  const Clock& clock;
  LabelRows rows;
  std::unique_ptr<GroupStore> group;

  // Who looks at what; the store's thread alone. Forgotten by a restart: then two people may see one object.
  struct Reserved {
    std::int64_t job = 0, id = 0;
    std::string worker;
    Instant until;
  };
  std::vector<Reserved> reserved;
  Result<std::vector<LabelObject>> reserve(const LabelJob& job, const std::string& worker, std::int64_t after,
                                           Instant now, std::int64_t& waiting);

  Result<LabelJob> find(const std::string& name) const;
  std::vector<LabelJob> all_jobs(bool unfinished) const;
  void submit(std::function<Status(GroupStore::Turn&)> work, std::function<void(const Status&)> done);
  Result<std::string> prepare(const Create& create, Json& record, bool& mine);
  void wait_for(const std::string& name, const Create& create, Reply reply);
  Status progress(const std::string& name, GroupStore::Turn& turn);
  Status end(const LabelJob& job, const LabelCounts& counts, const std::string& status,
             GroupStore::Turn& turn);
  void stop_later(const std::string& name, Reply reply);

  ServiceAnswer list(JsonView input);
  ServiceAnswer items(JsonView input, Instant now);
  ServiceAnswer put(JsonView input, Instant now);
};

Result<LabelJob> LabelStore::State::find(const std::string& name) const {
  MR_TRY(record, jobs.find(kLabelingJob.kind, name_of(kLabelingJob, name)));
  return LabelJob::of(record);
}

std::vector<LabelJob> LabelStore::State::all_jobs(bool unfinished) const {
  std::vector<LabelJob> found;
  const auto records = jobs.list(kLabelingJob.kind, {}, 1'000'000);
  if (!records) return found;
  for (const Json& record : *records) {
    auto job = LabelJob::of(record);
    if (job && (!unfinished || in_progress(*job))) found.push_back(*std::move(job));
  }
  return found;
}

// A piece of work; what it fails with undoes it alone, unless the database failed.
void LabelStore::State::submit(std::function<Status(GroupStore::Turn&)> work,
                               std::function<void(const Status&)> done) {
  const auto outcome = std::make_shared<Status>();
  const auto told = std::make_shared<std::function<void(const Status&)>>(std::move(done));
  GroupStore::Piece piece;
  piece.work = [outcome, work = std::move(work)](GroupStore::Turn& turn) {
    *outcome = work(turn);
    return *outcome ? GroupStore::End::Keep : GroupStore::End::Undo;
  };
  piece.done = [outcome, told](const Status& durable) { (*told)(*outcome ? durable : *outcome); };
  if (!group->submit(std::move(piece)))
    (*told)(fail(ErrorCode::Unavailable, "too many requests are waiting; try again later"));
}

// Checks the request and keeps its objects. `mine`: the job is there, made by this attempt before.
Result<std::string> LabelStore::State::prepare(const Create& create, Json& record, bool& mine) {
  if (!create.request.view().is_object()) return invalid("the arguments must be an object");
  const Json request = to_json(create.request.view());
  MR_TRY(categories, check_labeling_request(request, objects));
  const std::string name = text_in(request, "LabelingJobName");
  if (const auto there = jobs.find(kLabelingJob.kind, name)) {
    mine = !create.key.empty() && text_at(*there, {kNotes, "Key"}) == create.key &&
           there->at(kNotes).value("Request", Json()) == request;
    if (mine) return name;
    return fail(ErrorCode::AlreadyExists, "the labelling job \"" + name + "\" is there already",
                "names of jobs are unique");
  }
  const std::int64_t now = to_millis(clock.now());
  record = {{"LabelingJobName", name}, {"LabelingJobArn", entity_arn(kLabelingJob, name)}};
  for (const auto& [member, value] : request.items())
    if (!value.is_null()) record[member] = value;
  record["LabelingJobStatus"] = "InProgress";
  record["JobReferenceCode"] = digest_hex(Digest::Sha256, name + std::to_string(now)).substr(0, 12);
  record["CreationTime"] = now;
  record["LastModifiedTime"] = now;
  record[kNotes] = {{"Key", create.key},
                    {"Request", request},
                    {"Uid", name + "-" + std::to_string(now)},
                    {"Categories", categories}};
  keep_tags(request, record);
  MR_TRY(job, LabelJob::of(record));
  MR_TRY(lines, read_label_manifest(objects, job.manifest_uri));
  std::int64_t id = 0;
  for (const std::string& line : lines) MR_DO(rows.add_object(job.number, id++, line));
  record["LabelCounters"] = label_counters({id, 0});
  return name;
}

// Answers when the job has ended; until then it is a row in the store's list of those who wait.
void LabelStore::State::wait_for(const std::string& name, const Create& create, Reply reply) {
  struct Waiter {
    Outcome outcome = Payload();
    bool ended = false;
    Reply reply;
  };
  const auto waiter = std::make_shared<Waiter>();
  waiter->reply = std::move(reply);
  GroupStore::Piece piece;
  piece.gone = create.cancelled;
  piece.work = [this, waiter, name](GroupStore::Turn& turn) {
    const auto record = jobs.find(kLabelingJob.kind, name);
    if (!record) {
      waiter->outcome = entity_failure(kLabelingJob, record.error());
      return GroupStore::End::Undo;
    }
    const std::string status = text_in(*record, "LabelingJobStatus");
    if (status != "InProgress") {
      Payload document = to_payload(described(*record));
      waiter->ended = true;
      waiter->outcome = status == "Completed"
                            ? Outcome(document)
                            : failed(error_names::kTaskFailed, std::string(document.text()));
      return GroupStore::End::Keep;
    }
    waiter->outcome = sagemaker_failure("ResourceLimitExceededException", "too many wait for labelling jobs");
    turn.deadline = kNever;
    turn.retry_at = kNever;
    turn.channel = static_cast<std::int64_t>(hash64(name));
    return GroupStore::End::Wait;
  };
  piece.done = [this, waiter, name, gone = create.cancelled](const Status& durable) {
    const bool left = gone && gone->load(std::memory_order_relaxed);
    if (left && !waiter->ended) return stop_later(name, [](const Outcome&) {});
    waiter->reply(durable ? std::move(waiter->outcome) : Outcome(sagemaker_failure(durable.error())));
  };
  if (!group->submit(std::move(piece)))
    waiter->reply(sagemaker_failure("ResourceLimitExceededException",
                                    "too many requests are waiting; try again later"));
}

// The job's end: the output manifest first, then the record. Done again after a crash it is the same.
Status LabelStore::State::end(const LabelJob& job, const LabelCounts& counts, const std::string& status,
                              GroupStore::Turn& turn) {
  std::string text;
  const auto take = [&](const LabelObject& object, const LabelVotes& votes) -> Status {
    MR_TRY(line, Payload::parse(object.line));
    text += labelled_line(job, line.view(), votes) + "\n";
    return {};
  };
  MR_DO(rows.labelled(job.number, job.workers, take));
  MR_DO(objects.write(job.output_uri, text));
  const auto change = [&](Json& record) -> Status {
    if (text_in(record, "LabelingJobStatus") != "InProgress") return {};
    record["LabelingJobStatus"] = status;
    record["LabelCounters"] = label_counters(counts);
    record["LabelingJobOutput"] = {{"OutputDatasetS3Uri", job.output_uri}};
    record["LastModifiedTime"] = to_millis(turn.now);
    return {};
  };
  MR_DO(jobs.modify(kLabelingJob.kind, job.name, change));
  turn.touch(static_cast<std::int64_t>(hash64(job.name)));
  return {};
}

// Brings a job's record to what its rows say; ends it when all is labelled.
Status LabelStore::State::progress(const std::string& name, GroupStore::Turn& turn) {
  MR_TRY(job, find(name));
  if (!in_progress(job)) return {};
  MR_TRY(counts, rows.counts(job.number, job.workers));
  if (counts.labelled >= counts.all) return end(job, counts, "Completed", turn);
  if (job.enough && counts.labelled >= *job.enough) return end(job, counts, "Stopped", turn);
  const auto change = [&](Json& record) -> Status {
    record["LabelCounters"] = label_counters(counts);
    record["LastModifiedTime"] = to_millis(turn.now);
    return {};
  };
  MR_DO(jobs.modify(kLabelingJob.kind, job.name, change));
  return {};
}

void LabelStore::State::stop_later(const std::string& name, Reply reply) {
  const auto work = [this, name](GroupStore::Turn& turn) -> Status {
    MR_TRY(job, find(name));
    if (!in_progress(job)) return {};
    MR_TRY(counts, rows.counts(job.number, job.workers));
    return end(job, counts, "Stopped", turn);
  };
  submit(work, [reply = std::move(reply)](const Status& done) {
    reply(done ? Outcome(Payload::empty_object()) : Outcome(entity_failure(kLabelingJob, done.error())));
  });
}

ServiceAnswer LabelStore::State::list(JsonView) {
  Json tasks = Json::array();
  for (const LabelJob& job : all_jobs(true)) {
    MR_TRY(counts, rows.counts(job.number, job.workers));
    tasks.push_back(task_summary(job, counts));
    if (static_cast<std::int64_t>(tasks.size()) == kTasksMax) break;
  }
  return to_payload(Json{{"Tasks", std::move(tasks)}});
}

// The first object that nobody else looks at, which is the worker's from now on. `waiting`: how many others
// look at.
Result<std::vector<LabelObject>> LabelStore::State::reserve(const LabelJob& job, const std::string& worker,
                                                            std::int64_t after, Instant now,
                                                            std::int64_t& waiting) {
  std::erase_if(reserved, [&](const Reserved& r) {
    return r.until <= now || (r.job == job.number && r.worker == worker);
  });
  std::map<std::int64_t, int> looked_at;
  for (const Reserved& r : reserved)
    if (r.job == job.number) ++looked_at[r.id];
  const auto limit = static_cast<std::int64_t>(looked_at.size()) + 1;
  std::vector<std::int64_t> begins = {after};
  if (after >= 0) begins.push_back(-1);  // what was skipped comes again
  for (const std::int64_t begin : begins) {
    MR_TRY(found, rows.next(job.number, job.workers, worker, limit, begin));
    waiting = 0;
    for (LabelObject& object : found) {
      const auto others = looked_at.find(object.id);
      if (others != looked_at.end() && others->second >= job.workers) {
        ++waiting;
        continue;
      }
      if (reserved.size() < kReservedMax)
        reserved.push_back({job.number, object.id, worker, now + kReservedFor});
      return std::vector<LabelObject>{std::move(object)};
    }
  }
  return std::vector<LabelObject>();
}

ServiceAnswer LabelStore::State::items(JsonView input, Instant now) {
  const auto job = find(member_text(input, "Task"));
  if (!job) return label_refusal(job.error());
  const JsonView asked = input.find("Limit");
  const std::int64_t limit = asked && asked.is_number() ? asked.integer().value_or(0) : kItemsUsual;
  if (limit < 1 || limit > kItemsMax)
    return service_error("ValidationException", "Limit must be from 1 to " + std::to_string(kItemsMax));
  MR_TRY(counts, rows.counts(job->number, job->workers));
  Json answer = task_summary(*job, counts);
  answer["Items"] = Json::array();
  if (!in_progress(*job)) return to_payload(answer);
  const std::string worker = member_text(input, "Worker");
  const auto number = [&](const char* name) {
    const JsonView value = input.find(name);
    return value && value.is_number() ? value.integer() : std::nullopt;
  };
  const JsonView reserving = input.find("Reserve");
  std::vector<LabelObject> objects_left;
  if (const auto id = number("Id")) {
    MR_TRY(object, rows.object(job->number, *id));
    if (object) objects_left.push_back(std::move(*object));
  } else if (reserving && to_json(reserving) == true) {
    std::int64_t waiting = 0;
    MR_TRY(mine, reserve(*job, worker, number("After").value_or(-1), now, waiting));
    objects_left = std::move(mine);
    answer["Waiting"] = waiting;
  } else {
    MR_TRY(next, rows.next(job->number, job->workers, worker, limit, number("After").value_or(-1)));
    objects_left = std::move(next);
  }
  for (const LabelObject& object : objects_left) {
    const auto line = Payload::parse(object.line);
    if (line) answer["Items"].push_back({{"Id", object.id}, {"Object", to_json(line->view())}});
  }
  return to_payload(answer);
}

ServiceAnswer LabelStore::State::put(JsonView input, Instant now) {
  const auto job = find(member_text(input, "Task"));
  if (!job) return label_refusal(job.error());
  if (!in_progress(*job))
    return service_error("ValidationException",
                         "the task \"" + job->name + "\" is " + job->status + ": it takes no labels");
  const std::string worker = member_text(input, "Worker");
  if (worker.empty() || worker.size() > kWorkerBytesMax)
    return service_error("ValidationException", "Worker must say who labels, in at most 256 bytes");
  const JsonView list = input.find("Labels");
  if (!list || !list.is_array() || list.size() == 0 || list.size() > kVotesPutMax)
    return service_error(
        "ValidationException",
        "Labels must be a list of 1 to " + std::to_string(kVotesPutMax) + " objects with Id and Label");
  std::int64_t accepted = 0;
  Json skipped = Json::array();
  for (const JsonView one : list.elements()) {
    const JsonView id = one.is_object() ? one.find("Id") : JsonView();
    const std::string label = one.is_object() ? member_text(one, "Label") : "";
    const auto category = std::find(job->categories.begin(), job->categories.end(), label);
    if (!id || !id.is_number() || !id.integer())
      return service_error("ValidationException", "each of Labels needs an Id, a number");
    if (category == job->categories.end())
      return service_error("ValidationException", "\"" + label + "\" is none of this task's labels");
    MR_TRY(taken, rows.vote(job->number, job->workers, *id.integer(), worker,
                            static_cast<std::size_t>(category - job->categories.begin()), now));
    taken ? void(++accepted) : skipped.push_back(*id.integer());
  }
  MR_TRY(counts, rows.counts(job->number, job->workers));
  return to_payload(Json{{"Task", job->name},
                         {"Accepted", accepted},
                         {"Skipped", std::move(skipped)},
                         {"Labelled", counts.labelled},
                         {"Remaining", counts.all - counts.labelled}});
}

LabelStore::LabelStore(std::unique_ptr<State> state) : state_(std::move(state)) {}
LabelStore::~LabelStore() {
  state_->group.reset();
}

Result<std::unique_ptr<LabelStore>> LabelStore::open(const std::string& path, Jobs& jobs,
                                                     const ObjectStore& objects, const Clock& clock) {
  auto state = std::make_unique<State>(jobs, objects, clock);
  GroupStore::Settings settings;
  settings.path = path;
  settings.schema = kLabelSchema;
  MR_TRY(group, GroupStore::open(std::move(settings), clock));
  MR_TRY(rows, LabelRows::open(group->database()));
  state->rows = std::move(rows);
  std::vector<std::int64_t> numbers;
  for (const LabelJob& job : state->all_jobs(false)) numbers.push_back(job.number);
  MR_DO(state->rows.keep_only(numbers));
  state->group = std::move(group);
  // What the last labels before a crash ended is ended now.
  for (const LabelJob& job : state->all_jobs(true))
    state->submit(
        [s = state.get(), name = job.name](GroupStore::Turn& turn) { return s->progress(name, turn); },
        [](const Status&) {});
  return std::unique_ptr<LabelStore>(new LabelStore(std::move(state)));
}

void LabelStore::create(Create create, Reply reply) {
  struct Made {
    Json record;
    std::string name;
    bool mine = false;
  };
  const auto made = std::make_shared<Made>();
  const auto work = [s = state_.get(), made, create](GroupStore::Turn&) -> Status {
    MR_TRY(name, s->prepare(create, made->record, made->mine));
    made->name = name;
    return {};
  };
  state_->submit(work, [s = state_.get(), made, create, reply = std::move(reply)](const Status& done) {
    Status kept = done;
    if (kept && !made->mine) kept = s->jobs.create(kLabelingJob.kind, made->name, made->record);
    if (!kept && kept.error().code == ErrorCode::AlreadyExists)
      return reply(sagemaker_failure("ResourceInUseException", kept.error().message));
    if (!kept) return reply(sagemaker_failure(kept.error()));
    if (!create.sync) return reply(arn_answer(kLabelingJob, made->name));
    s->wait_for(made->name, create, reply);
  });
}

void LabelStore::stop(Payload request, Reply reply) {
  const bool object = request.view().is_object();
  const std::string name = object ? member_text(request.view(), "LabelingJobName") : "";
  if (name.empty()) return reply(sagemaker_failure("ValidationException", "LabelingJobName is required"));
  state_->stop_later(name_of(kLabelingJob, name), std::move(reply));
}

bool LabelStore::has(std::string_view operation) {
  return operation == "ListLabelTasks" || operation == "GetLabelItems" || operation == "PutLabels";
}

void LabelStore::call(ServiceCall call, ServiceReply reply) {
  State& state = *state_;
  const std::string task = call.input.view().is_object() ? member_text(call.input.view(), "Task") : "";
  const bool puts = call.operation == "PutLabels";
  const auto run = [&state](const ServiceCall& asked, GroupStore::Turn& turn) -> CarriedOut {
    const JsonView input = asked.input.view();
    if (asked.operation == "ListLabelTasks") return {state.list(input)};
    if (asked.operation == "GetLabelItems") return {state.items(input, turn.now)};
    if (asked.operation == "PutLabels") return {state.put(input, turn.now)};
    return {service_error("UnknownOperationException", "there is no operation '" + asked.operation + "' here",
                          404)};
  };
  submit_call(*state.group, std::move(call),
              [&state, task, puts, reply = std::move(reply)](ServiceAnswer answer) {
                const bool went = answer.has_value();
                reply(std::move(answer));
                if (!puts || !went) return;
                state.submit([&state, task](GroupStore::Turn& turn) { return state.progress(task, turn); },
                             [task](const Status& done) {
                               if (!done)
                                 log::error("a labelling job can't be brought up to date",
                                            {{"job", task}, {"why", done.error().message}});
                             });
              },
              run, {"ThrottlingException", "too many requests are waiting; try again later", 429});
}

}  // namespace millrace::tasks
