// The model's bytes.

#include <algorithm>
#include <cmath>

#include "tasks/text/text_ensemble.h"
#include "tasks/training/model_texts.h"

namespace millrace::tasks {
namespace {

constexpr std::string_view kTextEnsembleMagic = "MRTE";
constexpr std::uint8_t kTextEnsembleVersion = 1;
constexpr std::uint64_t kNgramMost = 3;

// One member. DataLoss.
Result<std::shared_ptr<const TextPart>> read_text_part(ModelReader& in) {
  const auto damaged = [] {
    return fail(ErrorCode::DataLoss, "not a usable text-ensemble model: a member is damaged");
  };
  auto part = std::make_shared<TextPart>();
  bool whole = true;
  const std::vector<std::string> names = read_texts(in, whole);
  if (!whole || names.size() != 1 || std::ranges::find(kTextMembers, names[0]) == std::end(kTextMembers))
    return damaged();
  part->algorithm = names[0];
  const EstimatorKind& kind = *find_estimator(part->algorithm);
  const std::uint64_t ngrams = in.u64(), folds = in.u64();
  if (ngrams < 1 || ngrams > kNgramMost) return damaged();
  part->tfidf.ngram_max = ngrams, part->tfidf.sublinear = true;
  for (std::uint64_t f = 0; f < folds && in.whole(); ++f) {
    TextPart::Fold fold;
    if (in.u64() != 0) {
      TfidfTerms terms{read_texts(in, whole), in.reals()};
      if (!whole || terms.terms.empty() || terms.terms.size() != terms.idf.size() ||
          !std::ranges::is_sorted(terms.terms) ||
          !std::ranges::all_of(terms.idf, [](double x) { return std::isfinite(x); }))
        return damaged();
      fold.terms = std::move(terms);
    }
    const std::vector<std::string> bytes = read_texts(in, whole);
    if (!whole || bytes.size() != 1 || (kind.own_form == nullptr) != fold.terms.has_value()) return damaged();
    MR_TRY(model, kind.load(bytes[0]));
    if (fold.terms && model->n_features() != fold.terms->terms.size()) return damaged();
    fold.model = std::move(model);
    part->folds.push_back(std::move(fold));
  }
  if (part->folds.empty()) return damaged();
  return std::shared_ptr<const TextPart>(std::move(part));
}

}  // namespace

std::string TextEnsembleModel::save() const {
  ModelWriter writer(kTextEnsembleMagic, kTextEnsembleVersion);
  put_texts(writer, labels_);
  put_texts(writer, std::vector{text_column_});
  writer.put(std::span<const double>(weights_));
  for (const auto& part : parts_) {
    put_texts(writer, std::vector{part->algorithm});
    writer.put(std::uint64_t{part->tfidf.ngram_max}).put(std::uint64_t{part->folds.size()});
    for (const TextPart::Fold& fold : part->folds) {
      writer.put(std::uint64_t{fold.terms.has_value()});
      if (fold.terms) {
        put_texts(writer, fold.terms->terms);
        writer.put(std::span<const double>(fold.terms->idf));
      }
      put_texts(writer, std::vector{fold.model->save()});
    }
  }
  return std::move(writer).finish();
}

Result<std::unique_ptr<const Model>> load_text_ensemble(std::string_view bytes) {
  MR_TRY(reader, ModelReader::open("text-ensemble", kTextEnsembleMagic, kTextEnsembleVersion, bytes));
  bool good = true;
  std::vector<std::string> labels = read_texts(reader, good);
  const std::vector<std::string> columns = read_texts(reader, good);
  std::vector<double> weights = reader.reals();
  good = good && labels.size() >= 2 && std::ranges::is_sorted(labels) && columns.size() == 1 &&
         !weights.empty() && weights.size() <= kEnsembleMembersMax &&
         std::ranges::all_of(weights, [](double w) { return std::isfinite(w) && w >= 0; });
  std::vector<std::shared_ptr<const TextPart>> parts;
  for (std::size_t m = 0; good && m < weights.size(); ++m) {
    MR_TRY(part, read_text_part(reader));
    for (const TextPart::Fold& fold : part->folds)
      if (const auto* texts = dynamic_cast<const TextModel*>(fold.model.get()))
        good = good && std::ranges::includes(labels, texts->labels());
    parts.push_back(std::move(part));
  }
  MR_DO(reader.finish(good));
  return std::make_unique<TextEnsembleModel>(std::move(labels), columns[0], std::move(parts),
                                             std::move(weights));
}

}  // namespace millrace::tasks
