#include <array>
#include <bit>
#include <cmath>

#include "base/encoding.h"
#include "base/random.h"
#include "definitions/jsonata/evaluation.h"
#include "definitions/jsonata/natives.h"

namespace millrace::definitions::jsonata::natives {
namespace {

constexpr double kRangeItemsMax = 1e7;

double integer_of(Value value) {
  return value.is_number() ? std::floor(value.to_double()) : NAN;
}

}  // namespace

// Chunks of an array; always an array of arrays.
Value partition(Evaluation& evaluation, Arguments arguments) {
  const Value array = arguments[0];
  if (array.is_undefined()) return {};
  const double size = integer_of(arguments[1]);
  if (!(size >= 1)) return evaluation.fail("D3152", arguments[1]);
  if (!evaluation.work(evaluation.count_of(array))) return Value::failed();
  Evaluation::Collector chunks(evaluation);
  std::vector<Value> chunk;
  const auto flush = [&] {
    const Value made = evaluation.make_array(chunk, false);
    chunk.clear();
    chunks.push(made);
    return !made.has_failed();
  };
  Evaluation::Items items(evaluation, array);
  for (Value item; items.next(item);) {
    chunk.push_back(item);
    if (static_cast<double>(chunk.size()) >= size && !flush()) return Value::failed();
  }
  if (!chunk.empty() && !flush()) return Value::failed();
  return chunks.array(false);
}

// first, first + step, … up to and with last.
Value range(Evaluation& evaluation, Arguments arguments) {
  for (const Value& argument : arguments)
    if (argument.is_undefined()) return {};
  const double first = integer_of(arguments[0]), last = integer_of(arguments[1]),
               step = integer_of(arguments[2]);
  if (step == 0) return evaluation.fail("D3153");
  const double steps = std::floor((last - first) / step);
  if (!(steps < kRangeItemsMax)) return evaluation.fail("D3154", Value::number(steps + 1));
  Evaluation::Collector numbers(evaluation);
  if (!evaluation.work(steps > 0 ? static_cast<std::size_t>(steps) : 0)) return Value::failed();
  for (double i = 0; i <= steps; ++i) numbers.push(Value::number(first + i * step));
  return numbers.array(true);
}

Value hash(Evaluation& evaluation, Arguments arguments) {
  if (!arguments[0].is_string()) return {};
  static constexpr std::pair<std::string_view, Digest> kAlgorithms[] = {{"MD5", Digest::Md5},
                                                                        {"SHA-1", Digest::Sha1},
                                                                        {"SHA-256", Digest::Sha256},
                                                                        {"SHA-384", Digest::Sha384},
                                                                        {"SHA-512", Digest::Sha512}};
  const std::string_view wanted = arguments[1].is_string() ? arguments[1].characters() : "";
  for (const auto& [name, algorithm] : kAlgorithms)
    if (name == wanted) return evaluation.text(digest_hex(algorithm, arguments[0].characters()));
  return evaluation.fail("D3151", arguments[1]);
}

// One number for one seed, always the same; without a seed a draw from the environment.
Value seeded_random(Evaluation& evaluation, Arguments arguments) {
  if (!arguments[0].is_number()) return random(evaluation, arguments);
  return Value::number(Random(std::bit_cast<std::uint64_t>(integer_of(arguments[0]) + 0.0)).uniform());
}

Value uuid(Evaluation& evaluation, Arguments) {
  Random random(evaluation.draw());
  return evaluation.text(uuid_v4(random));
}

Value parse(Evaluation& evaluation, Arguments arguments) {
  if (!arguments[0].is_string()) return {};
  const std::string_view text = arguments[0].characters();
  if (!evaluation.work(text.size() / 16)) return Value::failed();
  if (!evaluation.arena().has_room(text.size() * 8)) return evaluation.over_memory();
  JsonParseOptions options;
  options.depth_max = evaluation.environment().limits->json_depth_max;
  auto parsed = Payload::parse(text, options);
  if (!parsed) return evaluation.fail_with_text("D3150", parsed.error().message);
  return evaluation.keep(std::move(*parsed));
}

}  // namespace millrace::definitions::jsonata::natives
