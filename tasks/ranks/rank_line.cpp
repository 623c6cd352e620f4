#include "tasks/ranks/rank_line.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

#include "base/encoding.h"

namespace millrace::tasks {

namespace {

constexpr std::string_view kRankMark = "@millrace ";
constexpr std::size_t kPartOfLine = 2'700;  // bytes; a line of them is shorter than what a pipe takes at once
constexpr std::size_t kRankTextMost = 16'000;  // of a line of log
constexpr std::array<std::string_view, 8> kRankKinds = {"log",  "progress", "metric", "begin",
                                                        "part", "end",      "result", "error"};

Json parsed_object(std::string_view text) {
  Json json = Json::parse(text, nullptr, false);
  return json.is_object() ? json : Json::object();
}

}  // namespace

std::string rank_line(const RankMessage& message) {
  std::string line(kRankMark);
  line += std::to_string(message.rank) + " " +
          std::string(kRankKinds[static_cast<std::size_t>(message.kind)]) + " ";
  const bool cut = message.kind == RankMessage::Kind::Log && message.text.size() > kRankTextMost;
  for (const char c : std::string_view(message.text).substr(0, cut ? kRankTextMost : std::string_view::npos))
    line += c == '\n' ? ' ' : c;
  return line += '\n';
}

std::optional<RankMessage> parse_rank_line(std::string_view line) {
  if (!line.starts_with(kRankMark)) return std::nullopt;
  line.remove_prefix(kRankMark.size());
  RankMessage message;
  const auto number = std::from_chars(line.data(), line.data() + line.size(), message.rank);
  if (number.ec != std::errc() || message.rank < 0) return std::nullopt;
  line.remove_prefix(static_cast<std::size_t>(number.ptr - line.data()));
  if (!line.starts_with(' ')) return std::nullopt;
  line.remove_prefix(1);
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  const auto kind = std::ranges::find(kRankKinds, line.substr(0, space));
  if (kind == kRankKinds.end()) return std::nullopt;
  message.kind = static_cast<RankMessage::Kind>(kind - kRankKinds.begin());
  message.text = line.substr(space + 1);
  return message;
}

std::string to_text(const Progress& p) {
  return Json{{"phase", p.phase},           {"fraction", p.fraction}, {"rows", p.rows},
              {"rows_per_s", p.rows_per_s}, {"round", p.round},       {"rounds", p.rounds},
              {"metric", p.metric},         {"value", p.value},       {"eta_s", p.eta_s}}
      .dump(-1, ' ', false, Json::error_handler_t::replace);
}

Progress rank_progress_of(std::string_view text) {
  const Json json = parsed_object(text);
  Progress p;
  const auto number = [&](const char* name, auto& out) {
    if (const auto at = json.find(name); at != json.end() && at->is_number()) at->get_to(out);
  };
  p.phase = json.value("phase", ""), p.metric = json.value("metric", "");
  number("fraction", p.fraction), number("rows", p.rows), number("rows_per_s", p.rows_per_s);
  number("round", p.round), number("rounds", p.rounds), number("value", p.value), number("eta_s", p.eta_s);
  return p;
}

std::string to_text(const Error& error) {
  return Json{{"code", static_cast<int>(error.code)}, {"message", error.message}, {"hint", error.hint}}.dump(
      -1, ' ', false, Json::error_handler_t::replace);
}

Error rank_error_of(std::string_view text) {
  const Json json = parsed_object(text);
  Error error;
  const int code = json.value("code", static_cast<int>(ErrorCode::Internal));
  if (code >= 0 && code <= static_cast<int>(ErrorCode::Internal)) error.code = static_cast<ErrorCode>(code);
  error.message = json.value("message", std::string(text)), error.hint = json.value("hint", "");
  return error;
}

void say_object(int rank, const std::string& name, std::string_view bytes,
                const std::function<void(const RankMessage&)>& say) {
  say({rank, RankMessage::Kind::Begin, name});
  for (std::size_t at = 0; at < bytes.size(); at += kPartOfLine)
    say({rank, RankMessage::Kind::Part, base64_encode(bytes.substr(at, kPartOfLine))});
  say({rank, RankMessage::Kind::End, digest_hex(Digest::Sha256, bytes)});
}

Result<std::optional<ObjectParts::Object>> ObjectParts::take(const RankMessage& message) {
  using Kind = RankMessage::Kind;
  const auto damaged = [&] {
    return fail(ErrorCode::DataLoss, "what rank " + std::to_string(message.rank) + " said of " +
                                         object_.name + " did not arrive whole");
  };
  if (message.kind == Kind::Begin) {
    object_ = {message.text, {}}, open_ = true;
    return std::optional<Object>();
  }
  if (!open_) return damaged();
  if (message.kind == Kind::Part) {
    const auto bytes = base64_decode(message.text);
    if (!bytes) return damaged();
    object_.bytes += *bytes;
    return std::optional<Object>();
  }
  open_ = false;
  if (digest_hex(Digest::Sha256, object_.bytes) != message.text) return damaged();
  return std::optional(std::move(object_));
}

}  // namespace millrace::tasks
