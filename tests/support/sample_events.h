#pragma once
// Histories for tests of what stores them: chains of states whose document grows, and one event of every
// kind.

#include <string>
#include <vector>

#include "base/random.h"
#include "states/event.h"

namespace millrace::samples {

// {"order":"o-1","items":[…],"field0":0,…}: about `bytes` long, then one more field a step.
inline Payload growing_document(std::size_t bytes, int fields, std::uint64_t id = 1) {
  std::string text = "{\"order\":\"o-" + std::to_string(id) + "\",\"items\":[0";
  for (int i = 0; text.size() + 2 < bytes; ++i)
    text += ",{\"sku\":\"sku-" + std::to_string(i) + "\",\"quantity\":" + std::to_string(i * 7 % 5) + "}";
  text += "]";
  for (int i = 0; i < fields; ++i)
    text += ",\"field" + std::to_string(i) + "\":{\"result\":" + std::to_string(i) + "}";
  return Payload::literal(text + "}");
}

// ExecutionStarted, `states` Pass states that each add a field, ExecutionSucceeded: 2 * states + 2 events.
inline std::vector<states::Event> chain(int states, std::size_t bytes, std::uint64_t id = 1,
                                        Instant time = from_millis(1'700'000'000'000)) {
  using states::EventType;
  std::vector<states::Event> events;
  const auto add = [&](EventType type, FrameId frame, states::NodeIndex node, states::EventDetails details) {
    const auto number = static_cast<states::EventNumber>(events.size() + 1);
    events.push_back(
        {type, number, number - 1, time + Millis(events.size() / 4), frame, node, std::move(details)});
  };
  Payload document = growing_document(bytes, 0, id);
  const std::string prefix = "arn:aws:states:us-east-1:123456789012:";
  const std::string name = "execution-" + std::to_string(id);
  add(EventType::ExecutionStarted, FrameId{0}, 0,
      states::detail::ExecutionStarted{
          {prefix + "execution:orders:" + name, name, prefix + "stateMachine:orders", "orders",
           "arn:aws:iam::123456789012:role/millrace"},
          document});
  for (int i = 0; i < states; ++i) {
    const std::string state = "State" + std::to_string(i);
    add(EventType::PassStateEntered, FrameId{1}, static_cast<states::NodeIndex>(i),
        states::detail::StateEntered{state, document});
    document = growing_document(bytes, i + 1, id);
    add(EventType::PassStateExited, FrameId{1}, static_cast<states::NodeIndex>(i),
        states::detail::StateExited{state, document, {}});
  }
  add(EventType::ExecutionSucceeded, FrameId{0}, 0, states::detail::ExecutionSucceeded{document});
  return events;
}

// Random events of every kind of details, with documents and names that come again.
inline std::vector<states::Event> assorted(std::uint64_t seed, std::size_t count) {
  using states::EventType;
  namespace detail = states::detail;
  Random random(seed);
  std::vector<Payload> documents = {Payload(),
                                    Payload::empty_object(),
                                    Payload::literal("[1.10,-0,12345678901234567890123,\"\\u0000é\"]"),
                                    growing_document(300, 1),
                                    growing_document(300, 2),
                                    growing_document(301, 2),
                                    growing_document(5000, 3)};
  const auto document = [&]() -> Payload {
    if (random.below(8) == 0)
      documents.push_back(
          growing_document(10 + random.below(600), static_cast<int>(random.below(5)), random.below(9)));
    Payload p = documents[random.below(documents.size())];
    return random.below(4) == 0 ? Payload::literal(p.text()) : p;  // equal text, another document
  };
  const auto name = [&] {
    return random.below(5) == 0
               ? std::string()
               : "name-" + std::string(random.below(30), 'x') + std::to_string(random.below(20));
  };
  const auto failure = [&] {
    return Failure{name(), std::string(random.below(300), 'c'), random.below(2) == 0, random.below(2) == 0};
  };
  const auto seconds = [&]() -> std::optional<std::int64_t> {
    if (random.below(2) == 0) return std::nullopt;
    return static_cast<std::int64_t>(random.below(2) == 0 ? random.next() : random.below(100));
  };
  const auto maybe = [&]() -> std::optional<Payload> {
    if (random.below(2) == 0) return std::nullopt;
    return document();
  };
  const auto small = [&] { return static_cast<std::uint32_t>(random.next() >> (32 + random.below(31))); };
  const auto moment = [&] {
    return from_millis(static_cast<std::int64_t>(random.below(4'000'000'000'000)) - 1'000'000'000);
  };
  const EventType types[] = {
      EventType::ExecutionStarted,    EventType::ExecutionRedriven,      EventType::TaskStateAborted,
      EventType::TaskTimedOut,        EventType::LambdaFunctionTimedOut, EventType::ActivityTimedOut,
      EventType::ParallelStateExited, EventType::MapIterationAborted,    EventType::MapRunRedriven,
      EventType::EvaluationFailed,    EventType::WaitScheduled,          EventType::BranchSucceeded};
  std::vector<states::Event> events;
  for (std::size_t i = 0; i < count; ++i) {
    states::Event e;
    e.type = types[random.below(std::size(types))];
    e.number = random.below(10) == 0 ? random.next() : i;
    e.previous = random.below(10) == 0 ? random.next() : i / 2;
    e.time = moment();
    e.frame = FrameId{random.below(3) == 0 ? random.next() : random.below(5)};
    e.node = random.below(4) == 0 ? definitions::kEnd : small();
    switch (i % std::variant_size_v<states::EventDetails>) {
      case 0:
        break;
      case 1:
        e.details = detail::ExecutionStarted{{name(), name(), name(), name(), name()}, document()};
        break;
      case 2:
        e.details = detail::ExecutionSucceeded{document()};
        break;
      case 3:
        e.details = detail::Failed{failure()};
        break;
      case 4:
        e.details = detail::StateEntered{name(), document()};
        break;
      case 5:
        e.details = detail::StateExited{name(), document(), maybe()};
        break;
      case 6:
        e.details = detail::TaskScheduled{name(), name(), name(), document(), seconds(), seconds(), maybe()};
        break;
      case 7:
        e.details = detail::TaskStarted{name(), name(), name()};
        break;
      case 8:
        e.details = detail::TaskOutput{name(), name(), document()};
        break;
      case 9:
        e.details = detail::TaskFailed{name(), name(), failure()};
        break;
      case 10:
        e.details = detail::EvaluationFailed{failure(), name(), name()};
        break;
      case 11:
        e.details = detail::ParallelStarted{document()};
        break;
      case 12:
        e.details = detail::MapStarted{small(), document(), small()};
        break;
      case 13:
        e.details = detail::IterationStarted{name(), small(), document()};
        break;
      case 14:
        e.details = detail::IterationEnded{name(), small(), maybe()};
        break;
      case 15:
        e.details = detail::WaitScheduled{moment()};
        break;
      case 16:
        e.details = detail::RetryScheduled{small(), moment()};
        break;
      case 17:
        e.details = detail::BranchSucceeded{document()};
        break;
      case 18:
        e.details = detail::MapRunStarted{name(), document(), document()};
        break;
      case 19:
        e.details = detail::MapRunRedriven{name(), small()};
        break;
      case 20:
        e.details = detail::ExecutionRedriven{small(), name()};
        break;
    }
    events.push_back(std::move(e));
  }
  return events;
}

}  // namespace millrace::samples
