# Language level, warnings, sanitizers, compiler cache.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "build type" FORCE)
endif()
# Release keeps our own checks: O2 without NDEBUG.
set(CMAKE_CXX_FLAGS_RELEASE "-O2")

option(COMPRESSOR_WERROR "warnings are errors" ON)
set(COMPRESSOR_SANITIZE "" CACHE STRING "sanitizers, as in -fsanitize=: address,undefined or thread; empty for none")
if(COMPRESSOR_SANITIZE STREQUAL "ON")
  set(COMPRESSOR_SANITIZE address,undefined)
endif()

find_program(CCACHE ccache)
if(CCACHE)  # the settings are those without which it keeps nothing that reads precompiled headers
  set(CMAKE_CXX_COMPILER_LAUNCHER env CCACHE_SLOPPINESS=pch_defines,time_macros ${CCACHE})
endif()

find_program(LLD ld.lld)
if(LLD)
  add_link_options(-fuse-ld=lld)
endif()

# Warnings and sanitizers for our own targets only.
add_library(compressor_flags INTERFACE)
target_compile_options(compressor_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wold-style-cast -Wcast-qual
  -Woverloaded-virtual -Wimplicit-fallthrough
  $<$<BOOL:${COMPRESSOR_WERROR}>:-Werror>)
# A test is compiled more often than its own loops are worth: the rooms' code is optimized, that of tests is not.
add_library(compressor_test_flags INTERFACE)
target_compile_options(compressor_test_flags INTERFACE -O0)
target_link_libraries(compressor_test_flags INTERFACE compressor_flags)
if(COMPRESSOR_SANITIZE)
  target_compile_options(compressor_flags INTERFACE
    -fsanitize=${COMPRESSOR_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer
    -Wno-maybe-uninitialized)  # with sanitizers GCC 12 sees it in the standard library's regex
  target_link_options(compressor_flags INTERFACE -fsanitize=${COMPRESSOR_SANITIZE})
endif()
