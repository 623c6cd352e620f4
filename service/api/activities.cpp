// Activities: CreateActivity, DescribeActivity, DeleteActivity, ListActivities.

#include "orchestrator/resources.h"
#include "service/api/configuration.h"
#include "service/api/errors.h"
#include "service/api/operations.h"
#include "service/api/pagination.h"

namespace millrace::api {
namespace {

using orchestrator::ActivityRow;
using Activities = std::vector<ActivityRow>;

constexpr ErrorNames kActivityErrors = {"InvalidName", "ActivityDoesNotExist", "ActivityAlreadyExists"};

void write_activity(JsonWriter& out, const ActivityRow& activity, bool with_name) {
  out.key("activityArn").string(activity.arn);
  if (with_name) out.key("name").string(activity.name);
  write_time(out, "creationDate", activity.created);
}

}  // namespace

void create_activity(Call call) {
  if (auto wrong = check_encryption(call.input))
    return call.reply(tl::unexpected<ApiError>(*std::move(wrong)));
  auto& engine = call.services.engine;
  ActivityRow activity;
  activity.name = text_of(call.input, "name");
  if (const Status ok = orchestrator::check_name(activity.name, engine.settings().limits); !ok)
    return call.reply(refuse(ok.error(), kActivityErrors));
  activity.arn = orchestrator::activity_arn(engine.settings(), activity.name);
  activity.created = call.services.loop.clock().now();
  engine.resources().create_activity(std::move(activity), tags_of(call.input),
                                     [reply = std::move(call.reply)](Result<ActivityRow> row) {
                                       if (!row) return reply(refuse(row.error(), kActivityErrors));
                                       JsonWriter out;
                                       out.begin_object();
                                       write_activity(out, *row, false);
                                       out.end_object();
                                       reply(out.finish());
                                     });
}

void describe_activity(Call call) {
  call.services.engine.resources().activity(text_of(call.input, "activityArn"),
                                            [reply = std::move(call.reply)](Result<ActivityRow> row) {
                                              if (!row) return reply(refuse(row.error(), kActivityErrors));
                                              JsonWriter out;
                                              out.begin_object();
                                              write_activity(out, *row, true);
                                              write_encryption(out);
                                              out.end_object();
                                              reply(out.finish());
                                            });
}

void delete_activity(Call call) {
  call.services.engine.resources().remove_activity(text_of(call.input, "activityArn"),
                                                   [reply = std::move(call.reply)](Result<ActivityRow> row) {
                                                     if (!row && row.error().code != ErrorCode::NotFound)
                                                       return reply(refuse(row.error(), kActivityErrors));
                                                     reply(empty_answer());
                                                   });
}

void list_activities(Call call) {
  const std::string scope = "ListActivities";
  const auto after = page_position(call.input, scope);
  if (!after) return call.reply(tl::unexpected<ApiError>(after.error()));
  const std::size_t limit = page_size(call.input);
  call.services.engine.resources().activities(
      *after, limit + 1, [scope, limit, reply = std::move(call.reply)](Result<Activities> rows) {
        if (!rows) return reply(refuse(rows.error(), kActivityErrors));
        const bool more = rows->size() > limit;
        if (more) rows->resize(limit);
        JsonWriter out;
        out.begin_object().key("activities").begin_array();
        for (const ActivityRow& row : *rows) {
          out.begin_object();
          write_activity(out, row, true);
          out.end_object();
        }
        out.end_array();
        if (more) out.key("nextToken").string(page_token(scope, rows->back().arn));
        out.end_object();
        reply(out.finish());
      });
}

}  // namespace millrace::api
