#include "service/streams/handover.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/encoding.h"
#include "base/log.h"
#include "service/objects/uploads.h"
#include "service/streams/object_batch.h"
#include "tasks/artifacts/files.h"
#include "tasks/artifacts/object_store.h"
#include "tasks/integrations/data_services.h"

namespace millrace::streams {
namespace {

// What the target is told of an item: its event, or what the template makes of it.
std::vector<Payload> target_events(const std::optional<triggers::TargetInput>& input,
                                   const ConsumerPlan& plan, const std::vector<Item>& items) {
  std::vector<Payload> events;
  for (const Item& item : items) {
    if (!input) {
      events.push_back(item.event);
      continue;
    }
    const std::string text = input->text_for(open_event(item), {plan.arn, plan.name, item.arrived});
    const auto parsed = Payload::parse(text);
    events.push_back(parsed ? *parsed : Payload::string(text));
  }
  return events;
}

Payload array_of(const std::vector<Payload>& events) {
  JsonWriter out;
  out.begin_array();
  for (const Payload& event : events) out.value(event);
  out.end_array();
  return out.finish();
}

std::string text_of_event(const Payload& event) {
  return event.view().is_string() ? event.view().string() : std::string(event.text());
}

// The first of a function's batchItemFailures in the order of the items; empty: it named none. All, when it
// names one that is not there.
std::string first_failure(const Payload& answer, const std::vector<std::string>& ids) {
  const JsonView list =
      answer.view().is_object() ? api::member(answer.view(), "batchItemFailures") : JsonView();
  if (!list || !list.is_array() || list.size() == 0) return {};
  std::size_t first = ids.size();
  for (const JsonView one : list.elements()) {
    const std::string id = one.is_object() ? api::text_of(one, "itemIdentifier") : "";
    const auto found = std::find(ids.begin(), ids.end(), id);
    if (found == ids.end()) return ids.front();
    first = std::min(first, static_cast<std::size_t>(found - ids.begin()));
  }
  return ids[first];
}

Handed handed_of(const tasks::InvocationAnswer& answer) {
  using Ended = tasks::InvocationAnswer::Kind;
  if (answer.kind == Ended::Result) return {};
  Handed handed;
  handed.done = false;
  handed.why = answer.kind == Ended::NotFound ? "there is no such function" : answer.error;
  handed.status = answer.kind == Ended::Error ? 200 : 500;
  return handed;
}

}  // namespace

void Handover::invoke(const std::string& function, Payload event,
                      std::function<void(tasks::InvocationAnswer)> answered) {
  const auto name = tasks::parse_function_name(function, {around_.place.region, around_.place.account});
  tasks::InvocationAnswer missing;
  missing.kind = tasks::InvocationAnswer::Kind::NotFound;
  if (!name) return answered(missing);
  tasks::Invocation invocation;
  invocation.function = name->name;
  invocation.arn = name->arn;
  invocation.event = std::move(event);
  around_.tasks.functions().invoke(std::move(invocation),
                                   [answered = std::move(answered), &loop = around_.loop,
                                    alive = std::weak_ptr(alive_)](tasks::InvocationAnswer answer) {
                                     loop.post([answered, answer = std::move(answer), alive] {
                                       if (!alive.expired()) answered(answer);
                                     });
                                   });
}

void Handover::hand_over(PlanPtr plan, std::string key, std::vector<Item> items, Done done,
                         const std::string& object) {
  if (plan->objects) return write_object(plan, object, std::move(items), done);
  if (!plan->pipe) {
    std::vector<std::string> ids;
    for (const Item& item : items) ids.push_back(item.id);
    const std::string target = plan->target;
    return invoke(target, batch_of(*plan, items),
                  [plan, ids, done = std::move(done)](const tasks::InvocationAnswer& answer) {
                    Handed handed = handed_of(answer);
                    if (handed.done && plan->item_failures)
                      handed.failed_id = first_failure(answer.payload, ids);
                    handed.done = handed.done && handed.failed_id.empty();
                    if (handed.why.empty() && !handed.done)
                      handed.why = "the function named records that failed";
                    done(std::move(handed));
                  });
  }
  if (plan->enrichment.empty())
    return to_target(plan, key, target_events(plan->target_input, *plan, items), std::move(done));
  invoke(plan->enrichment, array_of(target_events(plan->enrichment_input, *plan, items)),
         [this, plan, key, done = std::move(done)](const tasks::InvocationAnswer& answer) {
           Handed handed = handed_of(answer);
           if (!handed.done) return done(std::move(handed));
           // What an enrichment leaves out goes nowhere; what is no list is one event.
           std::vector<Payload> events;
           const JsonView made = answer.payload.view();
           if (made.is_array())
             for (const JsonView one : made.elements()) events.push_back(Payload::of(one));
           else if (!made.is_null())
             events.push_back(answer.payload);
           if (events.empty()) return done({});
           to_target(plan, key, events, done);
         });
}

void Handover::to_target(const PlanPtr& plan, const std::string& key, const std::vector<Payload>& events,
                         Done done) {
  const std::string service = service_of_arn(plan->target);
  if (service == "states") return start(plan, key, array_of(events), std::move(done));
  if (service == "lambda")
    return invoke(
        plan->target, array_of(events),
        [done = std::move(done)](const tasks::InvocationAnswer& answer) { done(handed_of(answer)); });
  if (service == "kinesis") return put_records(plan, key, events, std::move(done));
  send_each(plan, key, events, std::move(done));
}

void Handover::start(const PlanPtr& plan, const std::string& key, Payload input, Done done) {
  orchestrator::StartRequest request;
  request.machine = plan->target;
  request.name = bus::execution_name(plan->name, key);
  request.input = std::move(input);
  around_.engine.start_execution(std::move(request),
                                 [done = std::move(done)](const Result<orchestrator::Started>& result) {
                                   // A name that is taken: it was started before, and this is the second
                                   // time.
                                   if (result || result.error().code == ErrorCode::AlreadyExists)
                                     return done({});
                                   Handed handed;
                                   handed.done = false;
                                   handed.why = result.error().message;
                                   handed.never = result.error().code == ErrorCode::InvalidArgument;
                                   handed.status = 400;
                                   done(std::move(handed));
                                 });
}

// Each event is a delivery of its own, which is kept until it is handed over (dispatcher.h).
void Handover::send_each(const PlanPtr& plan, const std::string& key, const std::vector<Payload>& events,
                         Done done) {
  const auto left = std::make_shared<std::size_t>(events.size());
  std::size_t number = 0;
  for (const Payload& event : events) {
    bus::Delivery delivery;
    delivery.key = key + "/" + std::to_string(number++);
    delivery.origin = plan->arn;
    delivery.target = plan->target;
    delivery.input = text_of_event(event);
    delivery.policy.dead_letters = plan->on_failure;
    delivery.since = around_.loop.clock().now();
    if (!plan->message_group.empty()) {
      JsonWriter parameters;
      parameters.begin_object().key("SqsParameters").begin_object();
      parameters.key("MessageGroupId").string(plan->message_group).end_object().end_object();
      delivery.parameters = parameters.finish();
    }
    around_.dispatcher.deliver(std::move(delivery), [left, done] {
      if (--*left == 0) done({});
    });
  }
}

void Handover::put_records(const PlanPtr& plan, const std::string& key, const std::vector<Payload>& events,
                           Done done) {
  const auto streams = around_.tasks.data().streams();
  Handed failed;
  failed.done = false;
  if (!streams) {
    failed.why = streams.error().message;
    return done(std::move(failed));
  }
  JsonWriter out;
  out.begin_object().key("StreamARN").string(plan->target).key("Records").begin_array();
  for (const Payload& event : events) {
    out.begin_object().key("Data").string(base64_encode(text_of_event(event)));
    out.key("PartitionKey")
        .string(plan->partition_key.empty() ? plan->name : plan->partition_key)
        .end_object();
  }
  out.end_array().end_object();
  tasks::ServiceCall call{"PutRecords", out.finish(), key};
  (*streams)->call(std::move(call), [done = std::move(done), failed, &loop = around_.loop,
                                     alive = std::weak_ptr(alive_)](const tasks::ServiceAnswer& answer) {
    Handed handed = answer ? Handed{} : failed;
    if (!answer) handed.why = answer.error().message;
    loop.post([done, handed, alive] {
      if (!alive.expired()) done(handed);
    });
  });
}

bool Handover::aside(std::function<void()> work, std::function<void()> then) {
  return pool_.submit([work = std::move(work), then = std::move(then), &loop = around_.loop] {
    work();
    loop.post(then);
  });
}

namespace {

// The object of a batch, written apart.
Result<objects::NewObject> object_of(const ConsumerPlan& plan, const std::string& name,
                                     const std::vector<Item>& items, const tasks::ObjectStore& store,
                                     const std::filesystem::path& root, std::uint64_t serial) {
  std::string bytes;
  for (const Item& item : items) {
    bytes += item.raw;
    if (plan.objects->newline) bytes += '\n';
  }
  if (plan.objects->gzip) {
    MR_TRY(packed, gzip_of(bytes));
    bytes = std::move(packed);
  }
  objects::NewObject object;
  const std::size_t slash = name.find('/');
  object.name = {name.substr(0, slash), name.substr(slash + 1)};
  MR_TRY(path, store.path_of("s3://" + object.name.bucket + "/" + object.name.key));
  object.path = std::move(path);
  if (const auto bucket = root / object.name.bucket; !std::filesystem::exists(bucket)) {
    std::error_code made;
    std::filesystem::create_directories(bucket, made);
    if (made)
      return fail(ErrorCode::Internal, "can't make the bucket " + bucket.string() + ": " + made.message());
    MR_DO(tasks::sync_directory(root));
  }
  const auto temporary = root / ".uploads" / ("put-delivery-" + std::to_string(serial));
  std::error_code code;
  std::filesystem::create_directories(temporary.parent_path(), code);
  objects::TempFile file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600),
                         temporary);
  MR_DO(file.write(bytes));
  MR_TRY(state, file.finish());
  object.record.file = state;
  object.record.etag = digest_hex(Digest::Md5, bytes);
  object.record.headers = {{"content-type", "application/octet-stream"}};
  object.conditions.must_not_exist = true;
  object.origin.requester = "firehose.amazonaws.com";
  object.temporary = file.release();
  return object;
}

}  // namespace

void Handover::write_object(const PlanPtr& plan, const std::string& object, std::vector<Item> items,
                            const Done& done) {
  const auto ended = [done, alive = std::weak_ptr(alive_)](const Status& status) {
    if (alive.expired()) return;
    Handed handed;
    // There is one of that name: it was written before, of the same records.
    handed.done = status || status.error().code == ErrorCode::Conflict;
    if (!handed.done) handed.why = status.error().message;
    done(std::move(handed));
  };
  if (!around_.objects) return ended(fail(ErrorCode::Unavailable, "this process has no object store"));
  const auto made = std::make_shared<Result<objects::NewObject>>(fail(ErrorCode::Internal, "not made"));
  const bool taken = aside(
      [made, plan, object, items = std::move(items), root = around_.objects_folder, serial = ++serial_,
       &store = around_.tasks.objects()] { *made = object_of(*plan, object, items, store, root, serial); },
      [made, ended, catalog = around_.objects, &loop = around_.loop] {
        if (!*made) return ended(fail(made->error()));
        catalog->put(std::move(**made),
                     [ended, &loop](const Status& put) { loop.post([ended, put] { ended(put); }); });
      });
  if (!taken) ended(fail(ErrorCode::Unavailable, "too many objects wait to be written"));
}

void Handover::tell_failure(const ConsumerPlan& plan, const std::string& key, const std::string& batch_name,
                            const Payload& batch, const Handed& handed, int attempts) {
  log::warning("records of a stream were given up",
               {{"consumer", plan.arn}, {"target", plan.target}, {"why", handed.why}});
  if (plan.on_failure.empty()) return;
  const Instant now = around_.loop.clock().now();
  JsonWriter out;
  out.begin_object().key("requestContext").begin_object();
  out.key("requestId").string(bus::uuid_named(key)).key("functionArn").string(plan.target);
  out.key("condition").string("RetryAttemptsExhausted");
  out.key("approximateInvokeCount").number(std::int64_t{attempts}).end_object();
  out.key("responseContext").begin_object().key("statusCode").number(handed.status);
  out.key("executedVersion").string("$LATEST").key("functionError").string("Unhandled").end_object();
  out.key("version").string("1.0").key("timestamp").string(format_rfc3339(now));
  out.key(batch_name).value(batch).end_object();
  bus::Delivery delivery;
  delivery.key = key + "/failure";
  delivery.origin = plan.arn;
  delivery.target = plan.on_failure;
  delivery.input = std::string(out.finish().text());
  delivery.since = now;
  around_.dispatcher.deliver(std::move(delivery), [] {});
}

}  // namespace millrace::streams
