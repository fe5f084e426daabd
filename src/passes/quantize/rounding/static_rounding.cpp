// static_rounding: finds a node's weight among the measured ones and rounds it in rows.
#include "passes/quantize/rounding/static_rounding.h"

#include <algorithm>

#include "passes/quantize/grid/fit.h"

namespace compressor::quantize {
namespace {

std::vector<const prune::PrunableWeight*> pointers(const std::vector<prune::PrunableWeight>& weights) {
  std::vector<const prune::PrunableWeight*> list;
  for (const prune::PrunableWeight& w : weights) list.push_back(&w);
  return list;
}

}  // namespace

StaticRounding::StaticRounding(const Model& model, Samples samples, const GptqOptions& options,
                               const MeasureOptions& measure)
    : model_(model.clone()), options_(options) {
  PassContext unheard;  // what cannot be quantized is said elsewhere
  weights_ = prune::find_prunable(model_, {}, unheard);
  for (const prune::PrunableWeight& weight : weights_) {
    for (const prune::Reader& reader : weight.readers) by_reader_[reader.node->id()] = &weight;
  }
  layers_.emplace(model_, pointers(weights_), std::move(samples), measure);
}

std::string StaticRounding::round(const Node& node, const Tensor& weight,
                                  const std::function<RowCodes(std::size_t)>& codes, codec::Grid& grid) {
  const auto known = by_reader_.find(node.id());
  if (known == by_reader_.end()) return ", nearest codes: its inputs are not measured";
  std::string why;
  const auto layer = layers_->of(*known->second, why);
  std::string text = fmt::format(", nearest codes: it {}", why);
  if (layer) {
    const OutputLoss loss = round_layer(
        weight, layer->view, *layer->moment,
        [&](std::size_t group, std::size_t row) { return codes(group * layer->view.rows + row); }, options_,
        false, grid);
    text = fmt::format(", output SNR {:.1f} dB, {:.1f} dB with the nearest codes",
                       Loss{loss.signal, loss.noise}.snr_db(), Loss{loss.signal, loss.nearest}.snr_db());
  }
  layers_->replace(*known->second, codec::decode(grid));
  return text;
}

}  // namespace compressor::quantize
