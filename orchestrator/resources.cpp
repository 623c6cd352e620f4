#include "orchestrator/resources.h"

#include "orchestrator/arns.h"

namespace millrace::orchestrator {
namespace {

constexpr std::size_t kTagsMax = 50;  // of one resource

// The resource's tags, once it is known to be there.
Result<std::vector<TagRow>> tags_of(Store& store, const std::string& text) {
  MR_TRY(arn, parse_arn(text));
  const auto none = [&] { return fail(ErrorCode::NotFound, "Resource not found: '" + text + "'"); };
  if (arn.type == "activity") {
    const auto found = store.catalog().activity(text);
    if (!found) return found.error().code == ErrorCode::NotFound ? none() : fail(found.error());
  } else if (arn.type == "stateMachine" && arn.qualifier.empty()) {
    const auto found = store.newest_machine(text);
    if (!found) return found.error().code == ErrorCode::NotFound ? none() : fail(found.error());
  } else {
    return none();
  }
  return store.catalog().tags(text);
}

// Changes the tags, all of it or nothing, and answers with what they are then.
Result<std::vector<TagRow>> change_tags(Store& store, const std::string& arn,
                                        const std::function<Status(Catalog&)>& change) {
  std::vector<TagRow> out;
  const Status done = store.catalog().atomically([&]() -> Status {
    MR_DO(tags_of(store, arn));
    MR_DO(change(store.catalog()));
    MR_TRY(after, store.catalog().tags(arn));
    if (after.size() > kTagsMax)
      return fail(ErrorCode::LimitExceeded, "a resource has at most " + std::to_string(kTagsMax) + " tags");
    out = std::move(after);
    return {};
  });
  if (!done) return fail(done.error());
  return out;
}

Status put_all(Catalog& catalog, const std::string& arn, const std::vector<TagRow>& tags) {
  for (const TagRow& tag : tags) MR_DO(catalog.put_tag(arn, tag));
  return {};
}

}  // namespace

void Resources::tag(const std::string& arn, std::vector<TagRow> tags, Reply<std::vector<TagRow>> reply) {
  ask_store<std::vector<TagRow>>(
      committer_,
      [arn, tags = std::move(tags)](Store& store) {
        return change_tags(store, arn, [&](Catalog& catalog) { return put_all(catalog, arn, tags); });
      },
      std::move(reply));
}

void Resources::untag(const std::string& arn, std::vector<std::string> keys,
                      Reply<std::vector<TagRow>> reply) {
  ask_store<std::vector<TagRow>>(
      committer_,
      [arn, keys = std::move(keys)](Store& store) {
        return change_tags(store, arn, [&](Catalog& catalog) -> Status {
          for (const std::string& key : keys) MR_DO(catalog.remove_tag(arn, key));
          return {};
        });
      },
      std::move(reply));
}

void Resources::tags(const std::string& arn, Reply<std::vector<TagRow>> reply) {
  ask_store<std::vector<TagRow>>(
      committer_, [arn](Store& store) { return tags_of(store, arn); }, std::move(reply));
}

void Resources::create_activity(ActivityRow activity, std::vector<TagRow> tags, Reply<ActivityRow> reply) {
  ask_store<ActivityRow>(
      committer_,
      [activity = std::move(activity), tags = std::move(tags)](Store& store) -> Result<ActivityRow> {
        auto there = store.catalog().activity(activity.arn);
        if (there || there.error().code != ErrorCode::NotFound) return there;
        const Status made = store.catalog().atomically([&]() -> Status {
          MR_DO(store.catalog().put_activity(activity));
          return put_all(store.catalog(), activity.arn, tags);
        });
        if (!made) return fail(made.error());
        return activity;
      },
      [this, reply = std::move(reply)](Result<ActivityRow> made) {
        if (made) known_.insert(made->arn);
        reply(std::move(made));
      });
}

void Resources::activity(const std::string& arn, Reply<ActivityRow> reply) {
  ask_store<ActivityRow>(
      committer_,
      [arn](Store& store) -> Result<ActivityRow> {
        MR_DO(parse_arn(arn, "activity"));
        return store.catalog().activity(arn);
      },
      std::move(reply));
}

void Resources::activities(const std::string& after, std::size_t limit,
                           Reply<std::vector<ActivityRow>> reply) {
  ask_store<std::vector<ActivityRow>>(
      committer_, [after, limit](Store& store) { return store.catalog().activities(after, limit); },
      std::move(reply));
}

void Resources::remove_activity(const std::string& arn, Reply<ActivityRow> reply) {
  ask_store<ActivityRow>(
      committer_,
      [arn](Store& store) -> Result<ActivityRow> {
        MR_DO(parse_arn(arn, "activity"));
        MR_TRY(row, store.catalog().activity(arn));
        const Status done = store.catalog().atomically([&]() -> Status {
          MR_TRY(tags, store.catalog().tags(arn));
          for (const TagRow& tag : tags) MR_DO(store.catalog().remove_tag(arn, tag.key));
          return store.catalog().remove_activity(arn);
        });
        if (!done) return fail(done.error());
        return row;
      },
      [this, reply = std::move(reply)](Result<ActivityRow> gone) {
        if (gone) known_.erase(gone->arn);
        reply(std::move(gone));
      });
}

void Resources::learn_activities(Reply<void> reply) {
  ask_store<std::vector<ActivityRow>>(
      committer_, [](Store& store) { return store.catalog().activities({}, ~std::size_t{0}); },
      [this, reply = std::move(reply)](Result<std::vector<ActivityRow>> rows) {
        if (!rows) return reply(fail(rows.error()));
        for (const ActivityRow& row : *rows) known_.insert(row.arn);
        reply(Status{});
      });
}

}  // namespace millrace::orchestrator
