// attribute_type: the values of AttributeProto.AttributeType.
#pragma once

namespace compressor::wire {

enum AttributeType : int {
  kFloatType = 1,
  kIntType = 2,
  kStringType = 3,
  kTensorType = 4,
  kGraphType = 5,
  kFloatsType = 6,
  kIntsType = 7,
  kStringsType = 8,
  kTensorsType = 9,
  kGraphsType = 10,
  kSparseType = 11,
  kSparsesType = 12,
  kTypeType = 13,
  kTypesType = 14,
};

}  // namespace compressor::wire
