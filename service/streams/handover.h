#pragma once
// Handover: gives one batch to whom its plan names: enriches it by a function, invokes a function, starts an
// execution, sends to a queue, topic, bus or stream, writes an object. What it starts and writes is named
// after the batch: a second time is none. Loop thread only; what takes long is done by threads of its own.

#include <filesystem>
#include <functional>
#include <memory>

#include "service/bus/dispatcher.h"
#include "service/objects/catalog.h"
#include "service/streams/events.h"
#include "tasks/worker_pool.h"

namespace millrace::streams {

struct HandoverSurroundings {
  orchestrator::Loop& loop;
  orchestrator::Engine& engine;
  tasks::TaskLibraryRunner& tasks;
  bus::Dispatcher& dispatcher;
  bus::BusPlace place;
  objects::Catalog* objects = nullptr;   // null: nothing can be delivered to buckets
  std::filesystem::path objects_folder;  // HOME/objects
};

struct Handed {
  bool done = true;
  std::string why = {};        // it failed
  std::string failed_id = {};  // of the first item that failed, when it is known; those before are done
  bool never = false;          // trying again does not help
  std::int64_t status = 500;
};

class Handover {
 public:
  using Done = std::function<void(Handed)>;  // once, on the loop

  explicit Handover(HandoverSurroundings around) : around_(std::move(around)) {}

  // `key` names the batch: the same key, the same items. `object`: "BUCKET/KEY", of a delivery stream.
  void hand_over(std::shared_ptr<const ConsumerPlan> plan, std::string key, std::vector<Item> items,
                 Done done, const std::string& object);
  // What failed for good, to the plan's destination of failures; `batch` says which items those were.
  void tell_failure(const ConsumerPlan& plan, const std::string& key, const std::string& batch_name,
                    const Payload& batch, const Handed& handed, int attempts);
  // Runs `work` on a thread, then `then` on the loop, unless too much waits: false.
  bool aside(std::function<void()> work, std::function<void()> then);
  orchestrator::Loop& loop() { return around_.loop; }
  tasks::TaskLibraryRunner& tasks() { return around_.tasks; }
  const bus::BusPlace& place() const { return around_.place; }

 private:
  using PlanPtr = std::shared_ptr<const ConsumerPlan>;
  void invoke(const std::string& function, Payload event,
              std::function<void(tasks::InvocationAnswer)> answered);
  void to_target(const PlanPtr& plan, const std::string& key, const std::vector<Payload>& events, Done done);
  void start(const PlanPtr& plan, const std::string& key, Payload input, Done done);
  void send_each(const PlanPtr& plan, const std::string& key, const std::vector<Payload>& events, Done done);
  void put_records(const PlanPtr& plan, const std::string& key, const std::vector<Payload>& events,
                   Done done);
  void write_object(const PlanPtr& plan, const std::string& object, std::vector<Item> items,
                    const Done& done);

  HandoverSurroundings around_;
  std::uint64_t serial_ = 0;  // of objects on their way
  std::shared_ptr<int> alive_ = std::make_shared<int>();
  tasks::WorkerPool pool_{2, 10'000};
};

}  // namespace millrace::streams
