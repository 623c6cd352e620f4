#include "tasks/deployment/endpoint_host.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/log.h"
#include "tasks/deployment/ab_test.h"
#include "tasks/deployment/deployments.h"
#include "tasks/deployment/serving_line.h"
#include "tasks/jobs/entities.h"

namespace millrace::tasks {

// What requests of a variant took, and what is counted of them. Survives the endpoint's updates.
struct VariantSeries {
  std::atomic<double> ns_per_byte{-1};  // of a request's body, lately; below 0: not known
  metrics::Counter *invocations = nullptr, *client_errors = nullptr, *server_errors = nullptr;
  metrics::Histogram* latency = nullptr;
  InvocationTally tally;
};

struct ServedVariant {
  std::string name;
  std::string fleet;                    // see fleet_of
  bool is_new = false;                  // of the new fleet while an update shifts traffic
  double weight = 0;                    // of a shadow: the share of requests it gets
  std::shared_ptr<FleetCounts> counts;  // of its fleet; none of a shadow
  ServingLine line;
  std::shared_ptr<VariantSeries> series;
  int at_once_max = 0;  // of a serverless variant; 0: no limit
  std::shared_ptr<std::atomic<int>> at_once = std::make_shared<std::atomic<int>>(0);
};

struct ServedEndpoint {
  std::string name;
  std::uint64_t version = 0;
  std::vector<ServedVariant> variants, shadows;
  double weight_sum = 0;
  double new_share = 0;  // of requests, for the new fleet
  std::string broken;    // why there is no new fleet though there should be one
  std::map<std::string, std::shared_ptr<FleetCounts>, std::less<>> fleets;
  CaptureConfig capture;
  std::shared_ptr<std::atomic<std::uint64_t>> calls;  // so far; goes on over updates
};

namespace {

constexpr std::size_t kEndpointsMax = 10'000;  // that are loaded at the start
constexpr std::size_t kSeriesMax = 200;        // variants with series of their own
constexpr double kNewest = 0.1;                // weight of the newest request in what they take

// Of the numbers 0, 1, 2, … those that are taken when `share` of them are, evenly.
bool takes_share(std::uint64_t n, double share) {
  return std::floor(static_cast<double>(n + 1) * share) > std::floor(static_cast<double>(n) * share);
}

// A point in [0, 1) for each call, spread evenly (multiples of the golden ratio): of n requests each variant
// gets its share to within a few, which independent draws would not give.
double spread_point(std::uint64_t call) {
  const double at = static_cast<double>(call % (std::uint64_t{1} << 40)) * 0.6180339887498949;
  return at - std::floor(at);
}

const ServedVariant* pick(const ServedEndpoint& served, std::string_view target, std::uint64_t call) {
  if (!target.empty()) {
    // Both fleets may have one of the name: each gets its share.
    const bool to_new = takes_share(call, served.new_share);
    const ServedVariant* found = nullptr;
    for (const ServedVariant& v : served.variants)
      if (v.name == target && (!found || v.is_new == to_new)) found = &v;
    return found;
  }
  double point = spread_point(call) * served.weight_sum;
  const ServedVariant* last = nullptr;
  for (const ServedVariant& variant : served.variants) {
    if (variant.weight <= 0) continue;
    last = &variant;
    point -= variant.weight;
    if (point < 0) break;
  }
  return last;
}

InvokeFailure failure_of(const Error& error, const std::string& variant) {
  InvokeFailure failure;
  failure.kind = InvokeFailure::Kind::Model;
  failure.status = error.code == ErrorCode::InvalidArgument ? 400 : 500;
  failure.message = error.hint.empty() ? error.message : error.message + " (" + error.hint + ")";
  failure.variant = variant;
  return failure;
}

InvokeFailure failure_of(const LineFailure& from, const std::string& variant) {
  using Kind = InvokeFailure::Kind;
  constexpr Kind kKinds[] = {Kind::Model, Kind::NoModel, Kind::Busy};
  return {kKinds[static_cast<std::size_t>(from.kind)], from.status, from.message, variant};
}

// Counts a request while it is worked on.
struct AtOnce {
  explicit AtOnce(std::atomic<int>& all) : counted(all), number(all.fetch_add(1) + 1) {}
  ~AtOnce() { counted.fetch_sub(1); }
  AtOnce(const AtOnce&) = delete;
  AtOnce& operator=(const AtOnce&) = delete;
  std::atomic<int>& counted;
  const int number;
};

}  // namespace

EndpointHost::EndpointHost(const Jobs& jobs, const ObjectStore& objects, const Clock& clock,
                           metrics::Registry* registry, Settings settings)
    : jobs_(jobs),
      objects_(objects),
      clock_(clock),
      registry_(registry),
      settings_(std::move(settings)),
      models_(objects, clock, registry, settings_.models),
      capture_(objects, clock, registry, settings_.capture),
      outcomes_(settings_.outcomes_path, clock, registry, settings_.outcomes),
      pool_(std::make_unique<WorkerPool>(std::max(1, settings_.threads), settings_.waiting_max)) {}

EndpointHost::~EndpointHost() {
  {
    const std::lock_guard lock(tending_mutex_);
    stopping_ = true;
  }
  tending_wake_.notify_one();
  if (tending_.joinable()) tending_.join();
  stop_programs();
  pool_.reset();
  script_pool_.reset();
}

void EndpointHost::load_all() {
  remove_left_programs();
  pool_->submit([this] {
    const auto records = jobs_.list(kEndpoint.kind, {}, kEndpointsMax);
    if (!records) return log::error("endpoints can't be listed", {{"why", records.error().message}});
    for (const Json& record : *records) {
      const std::string name = text_in(record, "EndpointName");
      const auto loaded = load(name);
      if (!loaded)
        log::error("an endpoint can't be loaded", {{"endpoint", name}, {"why", loaded.error().message}});
    }
  });
}

void EndpointHost::changed(std::string_view endpoint, bool removed) {
  version_.fetch_add(1, std::memory_order_acq_rel);
  if (!removed) return;
  const std::lock_guard lock(mutex_);
  if (const auto found = served_.find(endpoint); found != served_.end()) served_.erase(found);
}

std::shared_ptr<VariantSeries> EndpointHost::series_of(const std::string& endpoint,
                                                       const std::string& variant) {
  const std::lock_guard lock(mutex_);
  const std::string id = endpoint + "/" + variant;
  if (const auto known = series_.find(id); known != series_.end()) {
    known->second->ns_per_byte = -1;  // another model may take another time
    return known->second;
  }
  auto series = std::make_shared<VariantSeries>();
  const bool own = series_.size() < kSeriesMax;
  if (own) series_[id] = series;
  if (!registry_) return series;
  const metrics::Labels labels = {{"endpoint", own ? endpoint : "other"},
                                  {"variant", own ? variant : "other"}};
  metrics::Labels client = labels, server = labels;
  client.emplace_back("class", "4xx"), server.emplace_back("class", "5xx");
  constexpr std::string_view kErrors = "millrace_endpoint_errors_total",
                             kErrorsHelp = "Requests of endpoints that a model did not score";
  series->invocations = &registry_->counter("millrace_endpoint_invocations_total",
                                            "Requests that variants of endpoints were asked", labels);
  series->client_errors = &registry_->counter(kErrors, kErrorsHelp, client);
  series->server_errors = &registry_->counter(kErrors, kErrorsHelp, server);
  series->latency = &registry_->histogram("millrace_endpoint_model_seconds",
                                          "Reading, scoring and writing the rows of a request",
                                          metrics::kShortTimes, labels);
  return series;
}

// The variants of one fleet, `fields` being an endpoint's; weights are multiplied by the factor.
Status EndpointHost::add_fleet(const Json& fields, const std::string& fleet, bool is_new, double factor,
                               ServedEndpoint& served) {
  std::shared_ptr<FleetCounts>& counts = served.fleets[fleet];
  if (!counts) counts = std::make_shared<FleetCounts>();
  std::vector<ServedVariant> variants, shadows;
  const auto add = [&](const Json& variant, double weight, std::vector<ServedVariant>& list) -> Status {
    ServedVariant made;
    made.name = variant.at("VariantName").get<std::string>();
    made.fleet = fleet;
    made.is_new = is_new;
    made.weight = weight;
    made.series = series_of(served.name, made.name);
    MR_TRY(line, load_line(served.name, fleet, made.name, fields));
    made.line = std::move(line);
    made.at_once_max = limits_of(fields, made.name).value("Concurrency", 0);
    list.push_back(std::move(made));
    return {};
  };
  double sum = 0;
  for (const Json& variant : fields.at("ProductionVariants")) {
    const double weight = variant.at("CurrentWeight").get<double>();
    MR_DO(add(variant, weight, variants));
    variants.back().counts = counts;
    sum += weight;
  }
  // Of fleets that share the traffic each has its factor; an endpoint with one keeps its weights as they are.
  const double scale = factor < 0 ? 1 : factor / std::max(sum, 1e-300);
  for (ServedVariant& variant : variants) {
    variant.weight *= scale;
    served.weight_sum += variant.weight;
  }
  for (const Json& shadow : fields.value("ShadowProductionVariants", Json::array())) {
    const double share = shadow.at("CurrentWeight").get<double>() / std::max(sum, 1e-300);
    MR_DO(add(shadow, std::min(1.0, share), shadows));
  }
  std::move(variants.begin(), variants.end(), std::back_inserter(served.variants));
  if (!is_new) served.shadows = std::move(shadows);
  return {};
}

// While an update shifts traffic there are two; when one can't be served the other has it all.
Status EndpointHost::add_fleets(const Json& record, ServedEndpoint& served) {
  const std::string old_fleet = fleet_of(record);
  const auto deployment = Deployment::of(record);
  if (!deployment) {
    std::erase_if(served.fleets, [&](const auto& entry) { return entry.first != old_fleet; });
    return add_fleet(record, old_fleet, false, -1, served);
  }
  const double share = share_of(deployment->plan, deployment->state);
  std::erase_if(served.fleets,
                [&](const auto& entry) { return entry.first != old_fleet && entry.first != deployment->id; });
  const Status added = add_fleet(deployment->next, deployment->id, true, share, served);
  if (!added) {
    served.broken = added.error().message;
    return add_fleet(record, old_fleet, false, -1, served);
  }
  served.new_share = share;
  const Status kept = add_fleet(record, old_fleet, false, 1 - share, served);
  if (kept) return {};
  if (share <= 0) return kept;
  log::error("the old fleet of an endpoint can't be loaded; the new one has all requests",
             {{"endpoint", served.name}, {"why", kept.error().message}});
  served.new_share = 1;
  return {};
}

Result<EndpointHost::ServedPtr> EndpointHost::load(const std::string& endpoint) {
  const std::lock_guard one_at_a_time(loading_);
  if (ServedPtr there = find(endpoint)) return there;
  auto served = std::make_shared<ServedEndpoint>();
  served->version =
      version_.load(std::memory_order_acquire);  // before the record: a later change reads it again
  const auto record = jobs_.find(kEndpoint.kind, endpoint);
  if (!record) return fail(record.error());
  served->name = endpoint;
  {
    const std::lock_guard lock(mutex_);
    if (const auto before = served_.find(endpoint); before != served_.end())
      served->fleets = before->second->fleets;
  }
  MR_DO(add_fleets(*record, *served));
  MR_TRY(capture, CaptureConfig::read(record->at(kNotes).value("DataCaptureConfig", Json())));
  served->capture = std::move(capture);
  const std::lock_guard lock(mutex_);
  ServedPtr& place = served_[endpoint];
  served->calls = place ? place->calls : std::make_shared<std::atomic<std::uint64_t>>(0);
  place = std::move(served);
  return place;
}

EndpointHost::ServedPtr EndpointHost::find(std::string_view endpoint) const {
  const std::lock_guard lock(mutex_);
  const auto found = served_.find(endpoint);
  if (found == served_.end() || found->second->version != version_.load(std::memory_order_acquire))
    return nullptr;
  return found->second;
}

FleetSeen EndpointHost::seen_of(std::string_view endpoint, std::string_view fleet) const {
  const std::lock_guard lock(mutex_);
  const auto served = served_.find(endpoint);
  if (served == served_.end()) return {};
  const auto counts = served->second->fleets.find(fleet);
  return counts == served->second->fleets.end() ? FleetSeen() : counts->second->seen();
}

std::string EndpointHost::broken_fleet(std::string_view endpoint) {
  if (const ServedPtr served = find(endpoint)) return served->broken;
  const auto loaded = load(std::string(endpoint));
  return loaded ? (*loaded)->broken : std::string();
}

bool EndpointHost::quick(const InvokeRequest& request) const {
  const ServedPtr served = find(request.endpoint);
  if (!served) return false;
  const double ns_max = static_cast<double>(settings_.quick_micros_max) * 1e3;
  return std::all_of(served->variants.begin(), served->variants.end(), [&](const ServedVariant& variant) {
    if (variant.line.may_wait()) return false;
    const double ns = variant.series->ns_per_byte.load(std::memory_order_relaxed);
    return ns >= 0 && ns * static_cast<double>(request.body.size() + 1) < ns_max;
  });
}

// A model that can't be found is the model's matter, not the request's.
InvokeFailure EndpointHost::not_loaded(std::string_view endpoint, const Error& error) const {
  const auto record = jobs_.find(kEndpoint.kind, endpoint);
  if (!record && record.error().code == ErrorCode::NotFound)
    return {InvokeFailure::Kind::NoEndpoint, 400,
            "Endpoint " + std::string(endpoint) + " of account " + settings_.account + " not found."};
  InvokeFailure failure = failure_of(error, "");
  failure.status = 500;
  return failure;
}

InvokeResult EndpointHost::invoke(const InvokeRequest& request) {
  ServedPtr served = find(request.endpoint);
  if (!served) {
    auto loaded = load(std::string(request.endpoint));
    if (!loaded) return tl::unexpected<InvokeFailure>(not_loaded(request.endpoint, loaded.error()));
    served = *std::move(loaded);
  }
  const std::uint64_t call = served->calls->fetch_add(1, std::memory_order_relaxed);
  const ServedVariant* variant = pick(*served, request.target_variant, call);
  if (!variant) {
    const std::string what = request.target_variant.empty()
                                 ? "No production variant of endpoint " + served->name + " has a weight."
                                 : "Variant " + std::string(request.target_variant) +
                                       " not found for endpoint " + served->name + ".";
    return tl::unexpected<InvokeFailure>({InvokeFailure::Kind::NoVariant, 400, what});
  }
  InvokeResult answer = score(*variant, request);
  if (answer && !request.inference_id.empty())
    outcomes_.note(
        {served->name, std::string(request.inference_id), variant->fleet, variant->name, answer->body});
  if (answer) follow_up(served, call, request, *answer);
  return answer;
}

InvokeResult EndpointHost::score(const ServedVariant& variant, const InvokeRequest& request) {
  VariantSeries& series = *variant.series;
  if (series.invocations) series.invocations->add();
  const AtOnce at_once(*variant.at_once);
  if (variant.at_once_max > 0 && at_once.number > variant.at_once_max)
    return tl::unexpected<InvokeFailure>({InvokeFailure::Kind::Throttled, 429,
                                          "Variant " + variant.name + " takes " +
                                              std::to_string(variant.at_once_max) +
                                              " requests at a time (MaxConcurrency); try again later"});
  const metrics::Stopwatch watch;
  auto scored = variant.line.answer({request.content_type, request.accept, request.body,
                                     request.custom_attributes, request.inference_id, request.target_model});
  const auto took = watch.elapsed();
  if (series.latency) series.latency->observe(took);
  if (variant.counts) variant.counts->count(!scored, took);
  series.tally.add(took, request.received.elapsed());
  if (!scored) {
    InvokeFailure failure = failure_of(scored.error(), variant.name);
    if (series.client_errors) (failure.status < 500 ? series.client_errors : series.server_errors)->add();
    series.tally.add_error(failure.status);
    return tl::unexpected<InvokeFailure>(std::move(failure));
  }
  const double now = static_cast<double>(took.count()) / static_cast<double>(request.body.size() + 1);
  const double before = series.ns_per_byte.load(std::memory_order_relaxed);
  series.ns_per_byte.store(before < 0 ? now : before + kNewest * (now - before), std::memory_order_relaxed);
  return InvokeAnswer{std::move(scored->body), std::move(scored->content_type), variant.name, 200};
}

// What happens behind an answer: captures, and the shadows' share.
void EndpointHost::follow_up(const ServedPtr& served, std::uint64_t call, const InvokeRequest& request,
                             const InvokeAnswer& answer) {
  const auto capture = [this](const ServedEndpoint& endpoint, const InvokeRequest& asked,
                              const InvokeAnswer& given) {
    capture_.add(endpoint.capture, {endpoint.name, given.variant, asked.body,
                                    asked.content_type.empty() ? "text/csv" : asked.content_type, given.body,
                                    given.content_type, asked.inference_id, asked.custom_attributes});
  };
  const bool captured =
      served->capture.enabled && takes_share(call, static_cast<double>(served->capture.percentage) / 100);
  if (captured) capture(*served, request, answer);
  for (const ServedVariant& shadow : served->shadows) {
    if (!takes_share(call, shadow.weight)) continue;
    // When too much waits a shadow goes without: it must not cost the others their answers.
    pool_->submit([this, served, &shadow, captured, capture, body = std::string(request.body),
                   type = std::string(request.content_type), accept = std::string(request.accept),
                   id = std::string(request.inference_id),
                   attributes = std::string(request.custom_attributes),
                   target = std::string(request.target_model)] {
      const InvokeRequest copy{served->name, type, accept, body, {}, id, attributes, target, {}};
      const InvokeResult scored = score(shadow, copy);
      if (scored && captured) capture(*served, copy, *scored);
    });
  }
}

void EndpointHost::invoke_later(std::string_view endpoint, std::function<InvokeResult()> work,
                                std::function<void(InvokeResult)> done) {
  const ServedPtr served = find(endpoint);
  const bool waits = served && std::any_of(served->variants.begin(), served->variants.end(),
                                           [](const ServedVariant& v) { return v.line.may_wait(); });
  WorkerPool& pool = waits ? script_pool() : *pool_;
  const bool taken = pool.submit([work, done] { done(work()); });
  if (!taken)
    done(tl::unexpected<InvokeFailure>(
        {InvokeFailure::Kind::Busy, 503, "too many requests of endpoints are waiting; try again later"}));
}

std::vector<MetricBatch> EndpointHost::take_values() {
  std::vector<std::pair<std::string, std::shared_ptr<VariantSeries>>> all;
  {
    const std::lock_guard lock(mutex_);
    all.assign(series_.begin(), series_.end());
  }
  const Instant now = clock_.now();
  std::vector<MetricBatch> values;
  for (const auto& [id, series] : all) {
    const std::size_t slash = id.find('/');
    for (MetricBatch& one : series->tally.take(id.substr(0, slash), id.substr(slash + 1), now))
      values.push_back(std::move(one));
  }
  return values;
}

bool EndpointHost::do_later(std::function<void()> work) {
  return pool_->submit(std::move(work));
}

Result<std::string> EndpointHost::take_outcomes(std::string_view endpoint, std::string_view text,
                                                std::string_view content_type) {
  const auto record = jobs_.find(kEndpoint.kind, endpoint);
  if (!record && record.error().code == ErrorCode::NotFound)
    return invalid("Endpoint " + std::string(endpoint) + " of account " + settings_.account + " not found.");
  if (!record) return fail(record.error());
  MR_TRY(outcomes, read_outcomes(text, content_type));
  MR_TRY(taken, outcomes_.add(endpoint, outcomes));
  return std::string(to_payload(to_json(taken)).text());
}

}  // namespace millrace::tasks
