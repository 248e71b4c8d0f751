# Finds MLIR/LLVM 22 and defines the wrappers every directory uses.
#
#   linnet_add_library(NAME SOURCES... [LIBS ...] [MLIR])
#   linnet_add_tool(NAME SOURCES... [LIBS ...] [MLIR])
#   linnet_add_unit_test(NAME SOURCES... [LIBS ...] [MLIR])
#
# MLIR links the libMLIR dylib (and nothing else of MLIR: static MLIR
# libraries beside the dylib would put a second copy into the process) and
# uses a precompiled header, which unit tests have in a version of their own.

if(NOT MLIR_DIR)
  find_path(LINNET_MLIR_CMAKE MLIRConfig.cmake PATHS /usr/lib/llvm-22/lib/cmake/mlir NO_DEFAULT_PATH)
  if(LINNET_MLIR_CMAKE)
    set(MLIR_DIR ${LINNET_MLIR_CMAKE} CACHE PATH "")
  endif()
endif()
set(MLIR_LINK_MLIR_DYLIB ON)
find_package(MLIR REQUIRED CONFIG)
if(LLVM_VERSION_MAJOR LESS 22)
  message(FATAL_ERROR "linnet: expected MLIR 22 or newer, but got ${LLVM_PACKAGE_VERSION} in ${MLIR_DIR}; "
    "install libmlir-22-dev or pass -DMLIR_DIR=<prefix>/lib/cmake/mlir")
endif()
list(APPEND CMAKE_MODULE_PATH ${MLIR_CMAKE_DIR} ${LLVM_CMAKE_DIR})
include(TableGen)
include(AddLLVM)
include(AddMLIR)
find_package(nlohmann_json 3.10 REQUIRED)
find_package(Threads REQUIRED)
find_package(GTest REQUIRED)

add_compile_options(-Wall -Wextra -Wno-unused-parameter -fvisibility-inlines-hidden)
# How libMLIR was built; see Precompiled.h.
add_compile_definitions(LINNET_MLIR_ASSERTIONS=$<BOOL:${LLVM_ENABLE_ASSERTIONS}>)
if(CMAKE_CXX_COMPILER_ID MATCHES Clang)
  add_link_options(-fuse-ld=lld)
endif()
if(LINNET_SANITIZE)
  add_compile_options(-fsanitize=address,undefined -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
endif()

# Makes a target whose precompiled header is the HEADERS in cmake/, for others
# to take.
function(linnet_add_precompiled_header NAME)
  cmake_parse_arguments(ARG "" "" "HEADERS;OPTIONS;LIBS" ${ARGN})
  file(WRITE ${CMAKE_BINARY_DIR}/pch/empty.cpp.in "")
  configure_file(${CMAKE_BINARY_DIR}/pch/empty.cpp.in ${CMAKE_BINARY_DIR}/pch/empty.cpp COPYONLY)
  add_library(${NAME} STATIC ${CMAKE_BINARY_DIR}/pch/empty.cpp)
  target_compile_options(${NAME} PRIVATE ${ARG_OPTIONS})
  target_link_libraries(${NAME} PRIVATE ${ARG_LIBS})
  list(TRANSFORM ARG_HEADERS PREPEND ${CMAKE_SOURCE_DIR}/cmake/)
  target_precompile_headers(${NAME} PRIVATE ${ARG_HEADERS})
endfunction()

# The precompiled header: parsing the headers of MLIR and of the dialect is
# most of a compile.
function(linnet_use_mlir NAME)
  target_link_libraries(${NAME} PUBLIC MLIR LLVM)
  target_compile_definitions(${NAME} PUBLIC ${LLVM_DEFINITIONS_LIST})
  if(NOT TARGET linnet-pch)
    linnet_add_precompiled_header(linnet-pch HEADERS Precompiled.h)
    add_dependencies(linnet-pch LinnetDialectIncGen)
  endif()
  target_precompile_headers(${NAME} REUSE_FROM linnet-pch)
endfunction()

macro(linnet_parse_sources)
  cmake_parse_arguments(ARG "MLIR" "" "LIBS;DEPENDS" ${ARGN})
endmacro()

function(linnet_add_library NAME)
  linnet_parse_sources(${ARGN})
  add_library(${NAME} STATIC ${ARG_UNPARSED_ARGUMENTS})
  target_link_libraries(${NAME} PUBLIC ${ARG_LIBS})
  if(ARG_MLIR)
    linnet_use_mlir(${NAME})
    if(TARGET linnet-generated)
      add_dependencies(${NAME} linnet-generated)
    endif()
  endif()
  if(ARG_DEPENDS)
    add_dependencies(${NAME} ${ARG_DEPENDS})
  endif()
endfunction()

function(linnet_add_tool NAME)
  linnet_parse_sources(${ARGN})
  add_executable(${NAME} ${ARG_UNPARSED_ARGUMENTS})
  target_link_libraries(${NAME} PRIVATE ${ARG_LIBS})
  if(ARG_MLIR)
    linnet_use_mlir_tool(${NAME})
  endif()
endfunction()

function(linnet_use_mlir_tool NAME)
  linnet_link_mlir_tool(${NAME})
  linnet_take_precompiled_header(${NAME} linnet-pch)
endfunction()

function(linnet_link_mlir_tool NAME)
  target_link_libraries(${NAME} PRIVATE MLIR LLVM)
  if(TARGET linnet-generated)
    add_dependencies(${NAME} linnet-generated)
  endif()
endfunction()

# Gives an executable the precompiled header of target HEADER.
function(linnet_take_precompiled_header NAME HEADER)
  # The header was compiled with -fPIC; -fPIE would not match it.
  set_target_properties(${NAME} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(${NAME} PRIVATE -fPIC)
  target_precompile_headers(${NAME} REUSE_FROM ${HEADER})
endfunction()

# Unit tests land in build/test/unit/ so that build/bin holds tools only.
# Most of their code runs once: optimising it takes longer than it saves.
function(linnet_add_unit_test NAME)
  linnet_parse_sources(${ARGN})
  add_executable(${NAME} ${ARG_UNPARSED_ARGUMENTS})
  set_target_properties(${NAME} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/test/unit)
  target_link_libraries(${NAME} PRIVATE ${ARG_LIBS} GTest::gtest GTest::gtest_main)
  target_compile_definitions(${NAME} PRIVATE
    LINNET_ORACLE_DIR="${CMAKE_SOURCE_DIR}/test/oracle" LINNET_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  target_compile_options(${NAME} PRIVATE -O0)
  if(NOT TARGET linnet-test-pch)
    linnet_add_precompiled_header(linnet-test-pch HEADERS PrecompiledTest.h OPTIONS -O0 LIBS GTest::gtest)
    linnet_add_precompiled_header(linnet-mlir-test-pch HEADERS Precompiled.h PrecompiledTest.h OPTIONS -O0
      LIBS GTest::gtest)
    add_dependencies(linnet-mlir-test-pch LinnetDialectIncGen)
  endif()
  if(ARG_MLIR)
    linnet_link_mlir_tool(${NAME})
    linnet_take_precompiled_header(${NAME} linnet-mlir-test-pch)
  else()
    linnet_take_precompiled_header(${NAME} linnet-test-pch)
  endif()
  add_dependencies(linnet-unit-tests ${NAME})
endfunction()

# Adds every subdirectory that has a CMakeLists.txt.
function(linnet_add_subdirectories)
  file(GLOB children RELATIVE ${CMAKE_CURRENT_SOURCE_DIR} CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*/CMakeLists.txt)
  foreach(child ${children})
    get_filename_component(dir ${child} DIRECTORY)
    add_subdirectory(${dir})
  endforeach()
endfunction()
