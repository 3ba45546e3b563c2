# room(NAME DEPS … LIBS …): one folder of src, one static library, one include root.
#
# A room is compiled with its own include root and those of the rooms it names in DEPS, and with no other: an include of
# a room that is not named does not compile. DEPS must have been declared before, so the order of the room() lines in
# src/CMakeLists.txt is the architecture. DEPS are not passed on: who includes a header that includes io/ names io too.

include(GoogleTest)
set(BROKER_ROOTS ${CMAKE_BINARY_DIR}/roots)

function(room_include_root name folder)
  file(MAKE_DIRECTORY ${BROKER_ROOTS}/${name})
  file(CREATE_LINK ${folder} ${BROKER_ROOTS}/${name}/${name} SYMBOLIC)
endfunction()

function(room name)
  cmake_parse_arguments(ARG "" "" "DEPS;LIBS;GENERATED" ${ARGN})
  set(folder ${CMAKE_CURRENT_SOURCE_DIR}/${name})
  file(GLOB sources CONFIGURE_DEPENDS ${folder}/*.cc ${folder}/*/*.cc)
  list(FILTER sources EXCLUDE REGEX "/main\\.cc$")
  list(APPEND sources ${ARG_GENERATED})
  if(EXISTS ${folder})
    room_include_root(${name} ${folder})
  endif()
  if(sources)
    add_library(${name} STATIC ${sources})
    set(scope PUBLIC)
    set(own PRIVATE)
  else()
    add_library(${name} INTERFACE)
    set(scope INTERFACE)
    set(own INTERFACE)
  endif()
  target_link_libraries(${name} ${scope} broker_flags)
  target_include_directories(${name} ${own} ${BROKER_ROOTS}/${name})
  foreach(dep ${ARG_DEPS})
    if(NOT TARGET ${dep})
      message(FATAL_ERROR "room ${name} depends on ${dep}, which is not declared before it")
    endif()
    if(sources)
      target_include_directories(${name} PRIVATE ${BROKER_ROOTS}/${dep})
      target_link_libraries(${name} PRIVATE $<LINK_ONLY:${dep}>)
    else()
      target_link_libraries(${name} INTERFACE ${dep})
    endif()
  endforeach()
  foreach(lib ${ARG_LIBS})
    target_link_libraries(${name} ${scope} dep_${lib})
  endforeach()
endfunction()

# room_test(NAME [FOLDER dir] [DEPS …]): the tests of one folder of test/ as one program, each TEST its own ctest entry.
function(room_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "DEPS;LIBS;LABELS" ${ARGN})
  set(folder ${CMAKE_CURRENT_SOURCE_DIR}/${name})
  file(GLOB sources CONFIGURE_DEPENDS ${folder}/*_test.cc ${folder}/*/*_test.cc)
  if(NOT sources)
    return()
  endif()
  set(target ${name}_test)
  add_executable(${target} ${sources})
  target_link_libraries(${target} PRIVATE broker_flags GTest::gmock GTest::gtest GTest::gtest_main Threads::Threads)
  target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR}/test ${CMAKE_CURRENT_SOURCE_DIR})
  foreach(dep ${ARG_DEPS})
    if(TARGET ${dep})
      target_include_directories(${target} PRIVATE ${BROKER_ROOTS}/${dep})
      target_link_libraries(${target} PRIVATE ${dep})
    endif()
  endforeach()
  foreach(lib ${ARG_LIBS})
    target_link_libraries(${target} PRIVATE dep_${lib})
  endforeach()
  target_compile_definitions(${target} PRIVATE
    TEST_SOURCE_DIR="${CMAKE_SOURCE_DIR}/test" GOLDEN_SOURCE_DIR="${CMAKE_SOURCE_DIR}/test/golden"
    BROKER_BINARY="${CMAKE_BINARY_DIR}/kafka-broker")
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 600)
  endif()
  if(NOT ARG_LABELS)
    set(ARG_LABELS unit)
  endif()
  # A discovery that takes longer than its time ends the whole run: five seconds, the default, are little on a busy
  # machine.
  # What is compared with recorded bytes has Golden in its name, and so it has that label.
  gtest_discover_tests(${target} TEST_PREFIX "${name}/" DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 300
    TEST_FILTER "-*Golden*"
    PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS "${ARG_LABELS}")
  gtest_discover_tests(${target} TEST_PREFIX "${name}/" DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 300
    TEST_FILTER "*Golden*"
    PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS golden)
endfunction()
