# Headers that nearly every source reads are compiled once. Only what comes from outside: what a source needs of this
# project it still has to include. OFF for clang-tidy, which reads sources as they are.
option(COMPRESSOR_PCH "compile the headers that most sources read once" ON)

# compressor_precompiled(TARGET): for tests. Compiled with the first target that asks; all have the same options.
function(compressor_precompiled target)
  if(NOT COMPRESSOR_PCH)
    return()
  endif()
  if(NOT TARGET precompiled_tests)
    file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/precompiled_tests.cpp CONTENT "// Made by CMake: headers want a source.\n")
    add_library(precompiled_tests OBJECT ${PROJECT_BINARY_DIR}/precompiled_tests.cpp)
    set_target_properties(precompiled_tests PROPERTIES POSITION_INDEPENDENT_CODE OFF)
    target_compile_options(precompiled_tests PRIVATE -fPIE)
    target_link_libraries(precompiled_tests PRIVATE compressor_test_flags OpenMP::OpenMP_CXX fmt::fmt GTest::gmock)
    target_precompile_headers(precompiled_tests PRIVATE <algorithm> <array> <cmath> <cstdint> <cstring> <functional> <limits>
      <map> <memory> <numeric> <optional> <set> <span> <string> <string_view> <unordered_map> <unordered_set> <utility>
      <variant> <vector> <fmt/format.h> <gtest/gtest.h> <gmock/gmock.h>)
  endif()
  target_precompile_headers(${target} REUSE_FROM precompiled_tests)
endfunction()
