# A room is a folder of src/ with its headers in include/compressor/<room>/ and its tests in tests/<room>/.
# The table below is the floor plan: what each room may include. tests/house checks the includes against it.
set(COMPRESSOR_ROOMS base tensor graph onnx kernels ops engine data metrics analysis pass
  rewrite codec passes pipeline report)
set(COMPRESSOR_MAY_USE_base)
set(COMPRESSOR_MAY_USE_tensor base)
set(COMPRESSOR_MAY_USE_graph tensor)
set(COMPRESSOR_MAY_USE_onnx graph)
set(COMPRESSOR_MAY_USE_kernels tensor)
set(COMPRESSOR_MAY_USE_ops graph kernels)
set(COMPRESSOR_MAY_USE_engine ops kernels)
set(COMPRESSOR_MAY_USE_data tensor)
set(COMPRESSOR_MAY_USE_metrics data)
set(COMPRESSOR_MAY_USE_analysis engine data metrics)
set(COMPRESSOR_MAY_USE_pass graph)
set(COMPRESSOR_MAY_USE_rewrite ops pass)
set(COMPRESSOR_MAY_USE_codec graph)
set(COMPRESSOR_MAY_USE_passes analysis rewrite pass codec)
set(COMPRESSOR_MAY_USE_pipeline pass passes)
set(COMPRESSOR_MAY_USE_report pipeline analysis)

# compressor_room(NAME [OWN_OPTIONS] [LIBS lib...]): the library compressor_NAME from every .cpp below this folder; with
# compiler options of its own it cannot share precompiled headers.
# The folder's files are its registry: adding a file adds its contents to the room.
function(compressor_room name)
  cmake_parse_arguments(ARG "OWN_OPTIONS" "" "LIBS;SOURCES" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  if(NOT sources AND NOT ARG_SOURCES)  # a room of headers only
    add_library(compressor_${name} INTERFACE)
    target_include_directories(compressor_${name} INTERFACE ${PROJECT_SOURCE_DIR}/include)
    foreach(room ${COMPRESSOR_MAY_USE_${name}})
      target_link_libraries(compressor_${name} INTERFACE compressor_${room})
    endforeach()
    target_link_libraries(compressor_${name} INTERFACE ${ARG_LIBS})
    return()
  endif()
  add_library(compressor_${name} STATIC ${sources} ${ARG_SOURCES})
  target_include_directories(compressor_${name} PUBLIC ${PROJECT_SOURCE_DIR}/include)
  target_include_directories(compressor_${name} PRIVATE ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(compressor_${name} PRIVATE compressor_flags)
  foreach(room ${COMPRESSOR_MAY_USE_${name}})
    target_link_libraries(compressor_${name} PUBLIC compressor_${room})
  endforeach()
  target_link_libraries(compressor_${name} PUBLIC ${ARG_LIBS})
  if(NOT ARG_OWN_OPTIONS)
    compressor_precompiled(compressor_${name} rooms)
  endif()
endfunction()

# compressor_tests(ROOM [LIBS lib...]): the test program test_ROOM from every .cpp below this folder. ctest knows its tests
# as ROOM.Suite.Test. A name with Long in it gets the label `long`, one with Referee in it `referee`; both are left out
# where time is short (the sanitizer run).
function(compressor_tests name)
  cmake_parse_arguments(ARG "" "" "LIBS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  if(COMPRESSOR_SANITIZE STREQUAL thread)
    list(APPEND sources ${PROJECT_SOURCE_DIR}/cmake/tsan_openmp.cpp)
  endif()
  add_executable(test_${name} ${sources})
  target_include_directories(test_${name} PRIVATE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/tests)
  target_compile_definitions(test_${name} PRIVATE COMPRESSOR_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  if(TARGET compressor_${name})
    target_link_libraries(test_${name} PRIVATE compressor_${name})
  endif()
  target_link_libraries(test_${name} PRIVATE compressor_test_flags ${ARG_LIBS} OpenMP::OpenMP_CXX fmt::fmt GTest::gmock
    GTest::gtest_main)
  compressor_precompiled(test_${name} tests)
  compressor_discover(${name} ${name} "-*Long*:*Referee*" 300)
  compressor_discover(${name} referee "*Referee*-*Long*" 600)
  compressor_discover(${name} long "*Long*" 1200)
endfunction()
# Threads that wait give the processor away: several test programs share it.
function(compressor_discover name label filter timeout)
  gtest_discover_tests(test_${name} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60 TEST_FILTER ${filter}
    TEST_PREFIX ${name}. TEST_LIST tests_${name}_${label} PROPERTIES LABELS ${label} TIMEOUT ${timeout} ENVIRONMENT OMP_WAIT_POLICY=passive)
endfunction()

# compressor_registry(OUT NAMESPACE TYPE files...): a source file OUT that calls register_<stem>(table) of every file.
function(compressor_registry out header namespace type)
  set(decls "")
  set(calls "")
  foreach(file ${ARGN})
    get_filename_component(stem ${file} NAME_WE)
    string(APPEND decls "void register_${stem}(${type}& table);\n")
    string(APPEND calls "  register_${stem}(table);\n")
  endforeach()
  file(CONFIGURE OUTPUT ${out} CONTENT
"// Made by CMake from the files of a folder: that list is the registry.
#include \"${header}\"
namespace ${namespace} {
${decls}
void register_all(${type}& table);
void register_all([[maybe_unused]] ${type}& table) {
${calls}}
}  // namespace ${namespace}
")
endfunction()
