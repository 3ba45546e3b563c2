# The fuzz targets: cmake --preset fuzz, then build/fuzz/decode_request_fuzz CORPUS_DIR.
#
# libFuzzer comes with clang only. In every other build the same functions run over the golden bytes and what fuzzing has found,
# as plain tests of the room (test/message/fuzz_corpus_test.cc and its like).

# fuzz_target(NAME SRCS … DEPS …): fuzz/NAME_fuzz.cc as a program.
function(fuzz_target name)
  cmake_parse_arguments(ARG "" "" "SRCS;DEPS;LIBS" ${ARGN})
  if(NOT BROKER_FUZZ)
    return()
  endif()
  set(target ${name}_fuzz)
  add_executable(${target} fuzz/${name}_fuzz.cc ${ARG_SRCS})
  target_link_libraries(${target} PRIVATE broker_flags)
  target_link_options(${target} PRIVATE -fsanitize=fuzzer)
  target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR}/test)
  foreach(dep ${ARG_DEPS})
    target_include_directories(${target} PRIVATE ${BROKER_ROOTS}/${dep})
    target_link_libraries(${target} PRIVATE ${dep})
  endforeach()
  foreach(lib ${ARG_LIBS})
    target_link_libraries(${target} PRIVATE dep_${lib})
  endforeach()
endfunction()

foreach(name decode_request decode_response decode_record encode)
  fuzz_target(${name} SRCS fuzz/codec.cc DEPS base model protocol message)
endforeach()
fuzz_target(http_request DEPS base metrics reactor net http)
fuzz_target(batch DEPS base model record)
fuzz_target(replay_group DEPS base model record protocol message group)
