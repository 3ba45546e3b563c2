# cmake --install: the broker, and what systemd needs to run it as a service of its own user.
#
#   bin/kafka-broker                            lib/systemd/system/kafka-broker.service
#   /etc/kafka-broker/server.properties         lib/sysusers.d/kafka-broker.conf
#   /etc/default/kafka-broker                   lib/tmpfiles.d/kafka-broker.conf
#   share/doc/kafka-broker/README.md
#
# The two files of /etc are the administrator's from then on: an existing one is left alone.
include(GNUInstallDirs)

set(BROKER_SYSTEMD_DIR lib/systemd/system CACHE STRING "where unit files go, below the prefix")
set(BROKER_SYSUSERS_DIR lib/sysusers.d CACHE STRING "where sysusers.d files go, below the prefix")
set(BROKER_TMPFILES_DIR lib/tmpfiles.d CACHE STRING "where tmpfiles.d files go, below the prefix")

if(TARGET kafka-broker)
  install(TARGETS kafka-broker RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

# The unit names the binary by its full path, which only the prefix of this build knows.
set(BROKER_BINARY_PATH ${CMAKE_INSTALL_FULL_BINDIR}/kafka-broker)
configure_file(${CMAKE_SOURCE_DIR}/deploy/kafka-broker.service ${CMAKE_BINARY_DIR}/deploy/kafka-broker.service @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/deploy/kafka-broker.service DESTINATION ${BROKER_SYSTEMD_DIR})
install(FILES ${CMAKE_SOURCE_DIR}/deploy/kafka-broker.sysusers DESTINATION ${BROKER_SYSUSERS_DIR} RENAME kafka-broker.conf)
install(FILES ${CMAKE_SOURCE_DIR}/deploy/kafka-broker.tmpfiles DESTINATION ${BROKER_TMPFILES_DIR} RENAME kafka-broker.conf)
install(FILES ${CMAKE_SOURCE_DIR}/README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})

# install_if_absent(SOURCE TARGET): a configuration file that an upgrade must not overwrite.
function(install_if_absent source target)
  install(CODE "
    set(target \"\$ENV{DESTDIR}${target}\")
    if(EXISTS \"\${target}\")
      message(STATUS \"Kept: \${target}\")
    else()
      get_filename_component(folder \"\${target}\" DIRECTORY)
      file(MAKE_DIRECTORY \"\${folder}\")
      file(COPY_FILE \"${source}\" \"\${target}\")
      message(STATUS \"Installing: \${target}\")
    endif()")
endfunction()
install_if_absent(${CMAKE_SOURCE_DIR}/deploy/server.properties ${CMAKE_INSTALL_FULL_SYSCONFDIR}/kafka-broker/server.properties)
install_if_absent(${CMAKE_SOURCE_DIR}/deploy/kafka-broker.default ${CMAKE_INSTALL_FULL_SYSCONFDIR}/default/kafka-broker)
