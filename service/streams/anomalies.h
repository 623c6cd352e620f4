#pragma once
// Anomalies: the forest of one shard as an enrichment: of a batch what is unusual stays, with its score. Its
// state is saved with the place in the shard that it has seen. Loop thread only.

#include <optional>

#include "service/streams/events.h"

namespace millrace::streams {

class Anomalies {
 public:
  explicit Anomalies(const ForestPlan& plan) : plan_(plan), forest_(plan.settings) {}

  // In the order of the shard. An item whose fields are no numbers is not looked at.
  std::optional<Item> look_at(const Item& item);
  std::uint64_t rows() const { return forest_.rows(); }
  std::string save(std::int64_t position) const;
  // The position it had been saved at. DataLoss: it can't be used; nothing is changed then.
  Result<std::int64_t> load(std::string_view bytes);

 private:
  ForestPlan plan_;
  tasks::StreamForest forest_;
};

}  // namespace millrace::streams
