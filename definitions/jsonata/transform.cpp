// `| pattern | update, delete |`: a copy of an object with changes at the places that the pattern finds.

#include "definitions/jsonata/evaluation.h"

namespace millrace::definitions::jsonata {

Value Evaluation::transform(const Function& function, Value object) {
  if (object.is_undefined()) return {};
  const Node& node = *function.node;
  // The copy is made by $clone, which an expression may replace.
  const auto clone_name = compiled_.name_numbers.find("clone");
  Value copy;
  if (clone_name != compiled_.name_numbers.end() && compiled_.names[clone_name->second].bound) {
    const Value cloner = lookup_variable(clone_name->second, function.frame);
    if (!cloner.is_function()) return fail_at(node, "T2013");
    copy = apply(cloner, {&object, 1}, Value::null());
  } else {
    copy = clone(object);
  }
  if (copy.has_failed()) return copy;
  ++escapes_;  // what is allocated from here on may become part of the copy
  const Value matches = evaluate(*node.a, copy, function.frame);
  if (matches.has_failed() || matches.is_undefined()) return matches.has_failed() ? matches : copy;
  Items items(*this, matches);
  for (Value match; items.next(match);) {
    const Value changed = update(node, match, function.frame);
    if (changed.has_failed()) return changed;
  }
  return copy;
}

Value Evaluation::update(const Node& node, Value match, Frame* frame) {
  const Value news = evaluate(*node.b, match, frame);
  if (news.has_failed()) return news;
  if (!news.is_undefined()) {
    if (!news.is_object()) return fail_at(*node.b, "T2011", news);
    if (match.tag == Value::Tag::Object) {
      for_each_member(news, [&](std::string_view key, Value value) {
        put(*match.object, Value::string(key), value);
        return true;
      });
    }
  }
  if (!node.c) return {};
  const Value gone = evaluate(*node.c, match, frame);
  if (gone.has_failed() || gone.is_undefined()) return gone;
  Items names(*this, gone);
  for (Value name; names.next(name);)
    if (!name.is_string()) return fail_at(*node.c, "T2012", gone);
  Items again(*this, gone);
  for (Value name; again.next(name);)
    if (match.tag == Value::Tag::Object) erase(*match.object, name.characters());
  return {};
}

}  // namespace millrace::definitions::jsonata
