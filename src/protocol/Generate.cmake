# Runs protocol/generate.py: the schemas become the room `message` and the API table of the room `protocol`.
#
# The room `message` has no folder in src. Its headers and sources are made below its include root in the build tree, so
# that "message/fetch_request.h" resolves like the headers of any other room. A change to a schema or to the generator
# makes them again; files whose text stays the same keep their time, so that only what changed is compiled.

set(generator ${CMAKE_CURRENT_SOURCE_DIR}/protocol/generate.py)
set(schema_dir ${CMAKE_CURRENT_SOURCE_DIR}/protocol/schema)
file(GLOB_RECURSE schemas CONFIGURE_DEPENDS ${schema_dir}/*.kmsg ${schema_dir}/*.tsv)

function(broker_generate kind out_dir result)
  execute_process(COMMAND ${Python3_EXECUTABLE} ${generator} list ${kind} ${schema_dir} ${out_dir}
                  OUTPUT_VARIABLE files COMMAND_ERROR_IS_FATAL ANY)
  add_custom_command(
    OUTPUT ${files}
    COMMAND ${Python3_EXECUTABLE} -B ${generator} write ${kind} ${schema_dir} ${out_dir}
    DEPENDS ${generator} ${schemas}
    COMMENT "Generating ${kind} from the schemas"
    VERBATIM)
  set(${result} ${files} PARENT_SCOPE)
endfunction()
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${generator})

broker_generate(api ${CMAKE_BINARY_DIR}/generated/protocol BROKER_PROTOCOL_GENERATED)
broker_generate(message ${BROKER_ROOTS}/message/message BROKER_MESSAGE_GENERATED)
broker_generate(show ${CMAKE_BINARY_DIR}/generated/inspect BROKER_SHOW_GENERATED)
broker_generate(json ${CMAKE_BINARY_DIR}/generated/message_json BROKER_MESSAGE_JSON_GENERATED)

# The codec turns numbers of the wire into sizes and back: every narrowing must be spelt. (clang counts changes of sign in.)
set(codec_warnings -Wconversion)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  list(APPEND codec_warnings -Wno-sign-conversion)
endif()
file(GLOB codec_sources ${CMAKE_CURRENT_SOURCE_DIR}/protocol/*.cc)
set_source_files_properties(${codec_sources} ${BROKER_PROTOCOL_GENERATED} ${BROKER_MESSAGE_GENERATED}
                            PROPERTIES COMPILE_OPTIONS "${codec_warnings}")
