#include "definitions/payload_template.h"

#include <set>
#include <variant>

#include "definitions/intrinsics/intrinsic.h"
#include "definitions/jsonpath/path.h"

namespace millrace::definitions {
namespace {

// One node of a template. A part without anything to replace is copied as it stands.
struct Part {
  struct Member {
    std::string name;  // without ".$"
    std::size_t part;
  };
  struct Object {
    std::vector<Member> members;
  };
  struct Array {
    std::vector<std::size_t> elements;
  };
  struct Value {
    std::variant<Path, IntrinsicCall, Query> expression;
    std::string field;
  };
  std::variant<JsonView, Object, Array, Value> kind;
};

bool has_replacements(JsonView view, QueryLanguage language) {
  const bool paths = language == QueryLanguage::JsonPath;
  if (view.is_string()) return !paths && Query::claimed(view);
  if (view.is_array()) {
    for (const JsonView v : view.elements()) {
      if (has_replacements(v, language)) return true;
    }
  } else if (view.is_object()) {
    for (const auto [key, v] : view.members()) {
      if ((paths && key.string().ends_with(".$")) || has_replacements(v, language)) return true;
    }
  }
  return false;
}

}  // namespace

struct PayloadTemplate::Compiled {
  Payload source;
  std::vector<Part> parts;
  std::size_t root = 0;

  std::size_t add(Part part) {
    parts.push_back(std::move(part));
    return parts.size() - 1;
  }

  // `here` walks the definition (for problems), `own` the template's own copy (which lives as long as this).
  std::size_t compile(JsonView here, JsonView own, const Site& site, std::vector<Problem>& problems) {
    const bool paths = site.language == QueryLanguage::JsonPath;
    if (!has_replacements(own, site.language)) return add({own});
    if (own.is_string()) {
      std::optional<Query> query = Query::compile(here, site, problems);
      return query ? add({Part::Value{std::move(*query), {}}}) : add({own});
    }
    const auto below = [&](std::string step) {
      Site inner = site;
      if (!paths) inner.location += std::move(step);  // paths have no use for it
      return inner;
    };
    if (own.is_array()) {
      Part::Array array;
      auto theirs = here.elements().begin();
      for (const JsonView v : own.elements()) {
        const Site inner = below("[" + std::to_string(array.elements.size()) + "]");
        array.elements.push_back(compile(*theirs, v, inner, problems));
        ++theirs;
      }
      return add({std::move(array)});
    }
    Part::Object object;
    std::set<std::string> names;
    auto theirs = here.members().begin();
    for (const auto [key, v] : own.members()) {
      std::string name = key.string();
      const JsonView at = (*theirs).value;
      ++theirs;
      std::size_t part = 0;
      if (paths && name.ends_with(".$")) {
        part = compile_value(name, at, v, problems);
        name.resize(name.size() - 2);
      } else {
        part = compile(at, v, below("/" + name), problems);
      }
      if (!names.insert(name).second) {
        problems.push_back({at.index(), "SCHEMA_VALIDATION_FAILED",
                            "The field '" + name + "' is given twice, with and without '.$'",
                            "keep one of them"});
      }
      object.members.push_back({std::move(name), part});
    }
    return add({std::move(object)});
  }

  std::size_t compile_value(const std::string& field, JsonView at, JsonView v,
                            std::vector<Problem>& problems) {
    const auto wrong = [&](std::string hint) {
      problems.push_back({at.index(), "SCHEMA_VALIDATION_FAILED",
                          "The value for the field '" + field +
                              "' must be a valid JSONPath or a valid intrinsic function call",
                          std::move(hint)});
      return add({v});
    };
    if (!v.is_string())
      return wrong("a member whose name ends in '.$' has a path or a function as its value, in quotes");
    const std::string text = v.string();
    if (text.starts_with("$")) {
      auto path = Path::parse(text);
      if (!path) return wrong(path.error().message);
      if (!path->unknown_function().empty())
        problems.push_back({at.index(), "UNKNOWN_FUNCTION", path->unknown_function_message(),
                            std::string(Path::kFunctionsHint), true});
      return add({Part::Value{std::move(*path), field}});
    }
    auto call = IntrinsicCall::parse(text);
    if (!call) return wrong(call.error().message);
    return add({Part::Value{std::move(*call), field}});
  }

  bool write(JsonWriter& out, std::size_t index, const Scope& scope, Failure& failure) const {
    const Part& part = parts[index];
    if (const auto* constant = std::get_if<JsonView>(&part.kind)) {
      out.value(*constant);
      return true;
    }
    if (const auto* array = std::get_if<Part::Array>(&part.kind)) {
      out.begin_array();
      for (const std::size_t element : array->elements) {
        if (!write(out, element, scope, failure)) return false;
      }
      out.end_array();
      return true;
    }
    if (const auto* object = std::get_if<Part::Object>(&part.kind)) {
      out.begin_object();
      for (const Part::Member& member : object->members) {
        out.key(member.name);
        if (!write(out, member.part, scope, failure)) return false;
      }
      out.end_object();
      return true;
    }
    return write_value(out, std::get<Part::Value>(part.kind), scope, failure);
  }

  static bool write_value(JsonWriter& out, const Part::Value& value, const Scope& scope, Failure& failure) {
    const auto* call = std::get_if<IntrinsicCall>(&value.expression);
    const auto* query = std::get_if<Query>(&value.expression);
    if (call || query) {
      Outcome result = call ? call->evaluate(scope) : query->evaluate(scope);
      if (!result) {
        failure = result.error();
        return false;
      }
      out.value(*result);
      return true;
    }
    const Path& path = std::get<Path>(value.expression);
    Outcome document = path.root_document(scope);
    if (!document) {
      failure = document.error();
      return false;
    }
    if (path.definite()) {
      if (const JsonView found = path.find(*document)) {
        out.value(found);
        return true;
      }
    }
    Outcome result = path.evaluate_on(*document, scope.environment);
    if (!result) {
      failure = result.error();
      failure.cause = "The JSONPath '" + path.source() + "' specified for the field '" + value.field +
                      "' could not be found in the input '" + std::string(document->text()) + "'";
      return false;
    }
    out.value(*result);
    return true;
  }
};

PayloadTemplate PayloadTemplate::compile(JsonView view, std::vector<Problem>& problems, const Site& site) {
  auto compiled = std::make_shared<Compiled>();
  compiled->source = Payload::of(view);
  compiled->root = compiled->compile(view, compiled->source.view(), site, problems);
  PayloadTemplate made;
  made.compiled_ = std::move(compiled);
  return made;
}

void PayloadTemplate::variables(VariableNames& names) const {
  for (const Part& part : compiled_->parts) {
    const auto* value = std::get_if<Part::Value>(&part.kind);
    if (!value) continue;
    if (const auto* path = std::get_if<Path>(&value->expression)) {
      if (path->root() == Path::Root::Variable) names.insert(path->variable());
    } else if (const auto* call = std::get_if<IntrinsicCall>(&value->expression)) {
      call->variables(names);
    } else {
      for (const std::string& name : std::get<Query>(value->expression).variables()) names.insert(name);
    }
  }
}

const Query* PayloadTemplate::whole() const {
  const auto* value = std::get_if<Part::Value>(&compiled_->parts[compiled_->root].kind);
  return value ? std::get_if<Query>(&value->expression) : nullptr;
}

Outcome PayloadTemplate::evaluate(const Scope& scope) const {
  if (const Query* query = whole()) return query->evaluate(scope);
  if (std::holds_alternative<JsonView>(compiled_->parts[compiled_->root].kind)) return compiled_->source;
  JsonWriter out;
  Failure failure;
  if (!compiled_->write(out, compiled_->root, scope, failure))
    return tl::unexpected<Failure>(std::move(failure));
  return out.finish();
}

}  // namespace millrace::definitions
