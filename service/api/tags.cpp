// Tags: TagResource, UntagResource, ListTagsForResource.

#include "orchestrator/resources.h"
#include "service/api/configuration.h"
#include "service/api/errors.h"
#include "service/api/operations.h"

namespace millrace::api {
namespace {

using Tags = std::vector<orchestrator::TagRow>;

constexpr ErrorNames kTagErrors = {"ValidationException", "ResourceNotFound", {}, {}, "TooManyTags"};

std::function<void(Result<Tags>)> tags_changed(std::function<void(Answer)> reply) {
  return [reply = std::move(reply)](Result<Tags> tags) {
    if (!tags) return reply(refuse(tags.error(), kTagErrors));
    reply(empty_answer());
  };
}

}  // namespace

void tag_resource(Call call) {
  call.services.engine.resources().tag(text_of(call.input, "resourceArn"), tags_of(call.input),
                                       tags_changed(std::move(call.reply)));
}

void untag_resource(Call call) {
  std::vector<std::string> keys;
  for (const JsonView key : member(call.input, "tagKeys").elements()) keys.push_back(key.string());
  call.services.engine.resources().untag(text_of(call.input, "resourceArn"), std::move(keys),
                                         tags_changed(std::move(call.reply)));
}

void list_tags_for_resource(Call call) {
  call.services.engine.resources().tags(text_of(call.input, "resourceArn"),
                                        [reply = std::move(call.reply)](Result<Tags> tags) {
                                          if (!tags) return reply(refuse(tags.error(), kTagErrors));
                                          JsonWriter out;
                                          out.begin_object().key("tags").begin_array();
                                          for (const orchestrator::TagRow& tag : *tags) {
                                            out.begin_object().key("key").string(tag.key);
                                            out.key("value").string(tag.value).end_object();
                                          }
                                          out.end_array().end_object();
                                          reply(out.finish());
                                        });
}

}  // namespace millrace::api
