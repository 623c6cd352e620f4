#pragma once
// Map runs of the store in memory.

#include <map>

#include "orchestrator/store/map_run_table.h"

namespace millrace::orchestrator {

class MemoryMapRuns final : public MapRunTable {
 public:
  Result<MapRunRow> put(MapRunRow run) override;
  Result<MapRunRow> get(MapRunId id) override;
  Result<MapRunRow> find(const std::string& arn) override;
  Result<std::vector<MapRunRow>> of(ExecutionId execution, MapRunId before, std::size_t limit) override;
  Result<std::vector<MapRunRow>> running() override;
  Status add_results(MapRunId run, std::span<const MapResultRow> results) override;
  Result<std::vector<MapResultRow>> results(MapRunId run, std::uint32_t first, std::size_t limit,
                                            bool documents) override;
  void remove(MapRunId id) {
    runs_.erase(id);
    results_.erase(id);
  }

 private:
  std::map<MapRunId, MapRunRow> runs_;
  std::map<MapRunId, std::map<std::uint32_t, MapResultRow>> results_;
};

}  // namespace millrace::orchestrator
