#include "simulation/world.h"

#include "base/check.h"
#include "definitions/compile.h"

namespace millrace::simulation {
namespace {

using namespace orchestrator;

// Commits at once; answers come with the next turn of the loop, as those of a real one do.
class MemoryCommitter final : public Committer {
 public:
  explicit MemoryCommitter(Loop& loop) : loop_(loop) {}

  void submit(Append append, Done done) override {
    auto results = store_->commit(std::span(&append, 1));
    Result<AppendResult> result = results ? Result<AppendResult>(results->front())
                                          : Result<AppendResult>(tl::unexpected<Error>(results.error()));
    loop_.post([done = std::move(done), result = std::move(result)] { done(result); });
  }
  void run(std::function<void(Store&)> job, std::function<void()> done) override {
    job(*store_);
    loop_.post(std::move(done));
  }

 private:
  Loop& loop_;
  std::unique_ptr<Store> store_ = make_memory_store();
};

}  // namespace

World::World(Scheduler& scheduler, TaskRunner& runner, EngineSettings settings, ObjectSource* objects)
    : scheduler_(scheduler), loop_(scheduler), committer_(std::make_unique<MemoryCommitter>(loop_)) {
  settings.maps.objects = objects;
  settings.park_after = Millis::max();  // memory is all there is
  engine_ = std::make_unique<Engine>(loop_, *committer_, runner, std::move(settings), ExecutionId{0});
  engine_->observe(this);
}

World::~World() = default;

Status World::create_machine(const std::string& name, const std::string& definition) {
  std::optional<Status> answer;
  engine_->create_machine(name, definition, [&](Result<MachineRow> row) {
    answer = row ? Status{} : Status(tl::unexpected<Error>(row.error()));
  });
  while (!answer && scheduler_.step()) {
  }
  MR_CHECK(answer.has_value(), "the engine did not answer");
  if (*answer) know(name, definitions::compile(definition).program);
  return *answer;
}

Result<ExecutionId> World::start(const std::string& machine, const std::string& name, const Payload& input) {
  std::optional<Result<Started>> answer;
  StartRequest request;
  request.machine = machine;
  request.name = name;
  request.input = input;
  engine_->start_execution(std::move(request), [&](Result<Started> started) { answer = std::move(started); });
  while (!answer && scheduler_.step()) {
  }
  MR_CHECK(answer.has_value(), "the engine did not answer");
  if (!*answer) return fail((*answer).error());
  return (*answer)->id;
}

bool World::run(Instant end, const std::function<bool()>& done, std::uint64_t steps_max) {
  for (std::uint64_t steps = 0; !done(); ++steps) {
    if (steps == steps_max) return false;
    if (!scheduler_.step(end)) break;
  }
  return true;
}

const Trace* World::trace(ExecutionId id) const {
  const auto found = traces_.find(id);
  return found == traces_.end() ? nullptr : found->second.get();
}

void World::know(const std::string& machine, const std::shared_ptr<const definitions::Program>& program) {
  programs_.insert_or_assign(machine, Known{program, {}, 0});
  std::function<void(const definitions::Program&)> look = [&](const definitions::Program& scope) {
    for (const definitions::Node& node : scope.nodes) {
      if (const auto* map = std::get_if<definitions::Map>(&node.kind)) {
        if (map->distributed)
          programs_.insert_or_assign(machine + "/" + map->label, Known{map->processor, node.name, 0});
        look(*map->processor);
      }
      if (const auto* parallel = std::get_if<definitions::Parallel>(&node.kind)) {
        for (const auto& branch : parallel->branches) look(*branch);
      }
    }
  };
  look(*program);
}

// A Map without a label gets one made up; where there is one such Map, it is that.
World::Known* World::find_program(const std::string& machine) {
  auto found = programs_.find(machine);
  if (found == programs_.end()) found = programs_.find(machine.substr(0, machine.find('/') + 1));
  return found == programs_.end() ? nullptr : &found->second;
}

void World::on_events(ExecutionId id, const states::Execution& execution,
                      std::span<const states::Event> events) {
  auto found = traces_.find(id);
  if (found == traces_.end()) {
    Known* known = find_program(execution.identity.machine_name);
    if (!known) return;
    Line line;
    if (!known->map_state.empty()) {
      line.index = known->children++;
      line.label = known->map_state + "[" + std::to_string(line.index) + "]";
    }
    found = traces_.emplace(id, std::make_unique<Trace>(known->program, std::move(line))).first;
    ++running_;
  }
  for (const states::Event& event : events) found->second->add(event);
  if (execution.ended()) --running_;
}

}  // namespace millrace::simulation
