# Headers that nearly every source reads are compiled once. Only what comes from outside: what a source needs of this
# project it still has to include. OFF for clang-tidy, which reads sources as they are.
option(COMPRESSOR_PCH "compile the headers that most sources read once" ON)

set(COMPRESSOR_PRECOMPILED_HEADERS <algorithm> <array> <cmath> <cstdint> <cstring> <functional> <limits> <map> <memory>
  <numeric> <optional> <set> <span> <string> <string_view> <unordered_map> <unordered_set> <utility> <variant> <vector>
  <fmt/format.h>)

# compressor_precompiled(TARGET rooms|tests): TARGET reads them compiled. They are compiled with the first target that asks;
# all rooms have the same options, and all tests.
function(compressor_precompiled target kind)
  if(NOT COMPRESSOR_PCH)
    return()
  endif()
  if(NOT TARGET precompiled_${kind})
    file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/precompiled_${kind}.cpp CONTENT "// Made by CMake: headers want a source.\n")
    add_library(precompiled_${kind} OBJECT ${PROJECT_BINARY_DIR}/precompiled_${kind}.cpp)
    target_link_libraries(precompiled_${kind} PRIVATE OpenMP::OpenMP_CXX fmt::fmt)
    target_precompile_headers(precompiled_${kind} PRIVATE ${COMPRESSOR_PRECOMPILED_HEADERS})
    if(kind STREQUAL tests)
      set_target_properties(precompiled_tests PROPERTIES POSITION_INDEPENDENT_CODE OFF)
      target_compile_options(precompiled_tests PRIVATE -fPIE)
      target_link_libraries(precompiled_tests PRIVATE compressor_test_flags GTest::gmock)
      target_precompile_headers(precompiled_tests PRIVATE <gtest/gtest.h> <gmock/gmock.h>)
    else()
      target_link_libraries(precompiled_rooms PRIVATE compressor_flags spdlog::spdlog)
    endif()
  endif()
  target_precompile_headers(${target} REUSE_FROM precompiled_${kind})
endfunction()
