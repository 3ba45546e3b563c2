# broker_test(NAME SCRIPT LABELS … TIMEOUT seconds [SERIAL]): a Python file that drives the broker of this build.
#
# Exit status 77 says that it was skipped; its output says why. The clients are Debian's Python modules, so it is Debian's
# Python that runs them, whatever else a machine calls python3. SERIAL: it measures time, so nothing runs beside it.
set(SYSTEM_PYTHON /usr/bin/python3)

function(broker_test name script)
  cmake_parse_arguments(ARG "SERIAL" "TIMEOUT" "LABELS" ${ARGN})
  add_test(NAME ${name} COMMAND ${SYSTEM_PYTHON} -u ${CMAKE_CURRENT_SOURCE_DIR}/${script})
  set_tests_properties(${name} PROPERTIES
    SKIP_RETURN_CODE 77
    LABELS "${ARG_LABELS}"
    TIMEOUT ${ARG_TIMEOUT}
    RUN_SERIAL ${ARG_SERIAL}
    ENVIRONMENT "BROKER=$<TARGET_FILE:kafka-broker>;TOOLS=${CMAKE_BINARY_DIR};PYTHONDONTWRITEBYTECODE=1")
endfunction()
