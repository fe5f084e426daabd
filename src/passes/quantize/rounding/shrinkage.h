// shrinkage: what few samples show of how inputs move together is mostly chance.
#pragma once

#include "compressor/analysis/statistics.h"

namespace compressor::quantize {

/// Products of two different inputs, times n / 2 K for fewer than 2 K columns of K inputs: with fewer columns
/// than inputs, as a classifier has with one column a picture, a sample matrix has directions of no power at
/// all, in which rounding would hide its errors. Towards the diagonal as in Ledoit and Wolf 2004 ("A
/// well-conditioned estimator for large-dimensional covariance matrices"), with a weight that asks for no
/// fourth moments; from 2 K columns on what was seen is better as it is.
void shrink_moment(SecondMoment& moment);

}  // namespace compressor::quantize
