# cmake --install: the binary and what systemd needs to run it.
include(GNUInstallDirs)
