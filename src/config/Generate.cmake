# Runs config/generate.py: the TSV files of src/config become the table of configuration rows.
set(BROKER_CONFIG_GENERATED ${CMAKE_BINARY_DIR}/generated/config/row_table.cc)
file(GLOB config_tables CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/config/*.tsv)
add_custom_command(
  OUTPUT ${BROKER_CONFIG_GENERATED}
  COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_SOURCE_DIR}/config/generate.py ${BROKER_CONFIG_GENERATED}
  DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/config/generate.py ${config_tables}
  COMMENT "Generating the table of configuration rows"
  VERBATIM)
