// Aliases: Create-, Update-, Describe-, DeleteStateMachineAlias, ListStateMachineAliases.

#include "orchestrator/arns.h"
#include "orchestrator/machines.h"
#include "orchestrator/queries.h"
#include "service/api/errors.h"
#include "service/api/operations.h"
#include "service/api/pagination.h"

namespace millrace::api {
namespace {

using orchestrator::AliasRow;
using orchestrator::StatesArn;
using Aliases = std::vector<AliasRow>;

constexpr ErrorNames kAliasErrors = {"ValidationException", "ResourceNotFound"};

std::vector<std::pair<std::string, int>> routes_of(JsonView input) {
  std::vector<std::pair<std::string, int>> routes;
  const JsonView given = member(input, "routingConfiguration");
  if (!given) return routes;
  for (const JsonView route : given.elements())
    routes.emplace_back(text_of(route, "stateMachineVersionArn"),
                        static_cast<int>(whole_of(route, "weight", 0)));
  return routes;
}

std::optional<std::string> description_of(JsonView input) {
  if (!member(input, "description")) return std::nullopt;
  return text_of(input, "description");
}

void write_alias_dates(JsonWriter& out, const std::string& arn, const AliasRow& alias) {
  out.key("stateMachineAliasArn").string(arn);
  write_time(out, "creationDate", alias.created);
}

}  // namespace

void create_state_machine_alias(Call call) {
  orchestrator::AliasEdit request;
  request.name = text_of(call.input, "name");
  request.description = description_of(call.input);
  request.routes = routes_of(call.input);
  const auto version = orchestrator::parse_arn(request.routes.front().first, "stateMachine");
  if (!version) return call.reply(refuse(version.error(), kAliasErrors));
  request.arn = version->unqualified();
  const Instant now = call.services.loop.clock().now();
  const std::string alias_arn = request.arn + ":" + request.name;
  const std::string machine = request.arn;
  call.services.engine.machines().change<AliasRow>(
      machine,
      [request = std::move(request), now](orchestrator::Store& store) {
        return orchestrator::create_alias(store, request, now);
      },
      [alias_arn, reply = std::move(call.reply)](Result<AliasRow> alias) {
        if (!alias) return reply(refuse(alias.error(), kAliasErrors));
        JsonWriter out;
        out.begin_object();
        write_alias_dates(out, alias_arn, *alias);
        out.end_object();
        reply(out.finish());
      });
}

void update_state_machine_alias(Call call) {
  const auto arn = orchestrator::parse_arn(text_of(call.input, "stateMachineAliasArn"), "stateMachine");
  if (!arn) return call.reply(refuse(arn.error(), kAliasErrors));
  orchestrator::AliasEdit edit{arn->unqualified(), arn->qualifier, description_of(call.input),
                               routes_of(call.input)};
  if (!edit.description && edit.routes.empty())
    return call.reply(refuse("ValidationException",
                             "Either the description or the routing configuration must be specified"));
  const Instant now = call.services.loop.clock().now();
  call.services.engine.machines().change<AliasRow>(
      edit.arn,
      [edit, now](orchestrator::Store& store) { return orchestrator::update_alias(store, edit, now); },
      [now, reply = std::move(call.reply)](Result<AliasRow> alias) {
        if (!alias) return reply(refuse(alias.error(), kAliasErrors));
        JsonWriter out;
        out.begin_object();
        write_time(out, "updateDate", now);
        out.end_object();
        reply(out.finish());
      });
}

void describe_state_machine_alias(Call call) {
  const std::string arn = text_of(call.input, "stateMachineAliasArn");
  call.services.engine.queries().ask<AliasRow>(
      [arn](orchestrator::Store& store) { return orchestrator::find_alias(store, arn); },
      [arn, reply = std::move(call.reply)](Result<AliasRow> alias) {
        if (!alias) return reply(refuse(alias.error(), kAliasErrors));
        const std::string machine = arn.substr(0, arn.rfind(':') + 1);
        JsonWriter out;
        out.begin_object();
        write_alias_dates(out, arn, *alias);
        write_time(out, "updateDate", alias->updated);
        out.key("name").string(alias->name);
        if (!alias->description.empty()) out.key("description").string(alias->description);
        out.key("routingConfiguration").begin_array();
        for (const orchestrator::AliasRoute& route : alias->routes) {
          out.begin_object();
          out.key("stateMachineVersionArn").string(machine + std::to_string(route.version));
          out.key("weight").number(std::int64_t{route.weight}).end_object();
        }
        out.end_array().end_object();
        reply(out.finish());
      });
}

void list_state_machine_aliases(Call call) {
  const std::string text = text_of(call.input, "stateMachineArn");
  const auto arn = orchestrator::parse_arn(text, "stateMachine");
  if (!arn) return call.reply(refuse(arn.error(), kMachineErrors));
  const std::string scope = "ListStateMachineAliases " + text;
  const auto after = page_position(call.input, scope);
  if (!after) return call.reply(tl::unexpected<ApiError>(after.error()));
  const std::size_t limit = page_size(call.input);
  call.services.engine.queries().ask<Aliases>(
      [text, limit, after = *after](orchestrator::Store& store) {
        return orchestrator::list_aliases(store, text, after, limit + 1);
      },
      [machine = arn->unqualified(), scope, limit, reply = std::move(call.reply)](Result<Aliases> aliases) {
        if (!aliases) return reply(refuse(aliases.error(), kMachineErrors));
        const bool more = aliases->size() > limit;
        if (more) aliases->resize(limit);
        JsonWriter out;
        out.begin_object().key("stateMachineAliases").begin_array();
        for (const AliasRow& alias : *aliases) {
          out.begin_object();
          write_alias_dates(out, machine + ":" + alias.name, alias);
          out.end_object();
        }
        out.end_array();
        if (more) out.key("nextToken").string(page_token(scope, aliases->back().name));
        out.end_object();
        reply(out.finish());
      });
}

void delete_state_machine_alias(Call call) {
  const std::string text = text_of(call.input, "stateMachineAliasArn");
  const auto arn = orchestrator::parse_arn(text, "stateMachine");
  if (!arn) return call.reply(refuse(arn.error(), kAliasErrors));
  call.services.engine.machines().change<void>(
      arn->unqualified(),
      [text](orchestrator::Store& store) { return orchestrator::remove_alias(store, text); },
      [reply = std::move(call.reply)](Status done) {
        if (!done) return reply(refuse(done.error(), kAliasErrors));
        reply(empty_answer());
      });
}

}  // namespace millrace::api
