# Every compiler and linker flag of the project, each with its reason.

set(BROKER_SANITIZE "" CACHE STRING "sanitizers to build with: address,undefined or thread")
option(BROKER_FUZZ "build the libFuzzer targets (needs clang)" OFF)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()

set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1")  # g1: a stack in a core file names functions and lines, at a fifth of -g's size
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1")    # O0 makes the sanitizer runs several times slower and finds nothing more
set(CMAKE_POSITION_INDEPENDENT_CODE ON) # ASLR

add_library(broker_flags INTERFACE)
target_compile_options(broker_flags INTERFACE
  -Wall -Wextra -Werror
  -Wnon-virtual-dtor -Woverloaded-virtual   # an interface deleted through its base must say so
  -Wimplicit-fallthrough
  -fno-omit-frame-pointer                   # perf and the crash handler can walk the stack
  -fstack-protector-strong -fstack-clash-protection -fcf-protection=full
  -ftrivial-auto-var-init=zero              # nothing of a previous request leaks through an unset local
)
target_compile_definitions(broker_flags INTERFACE _GLIBCXX_ASSERTIONS)  # bounds of span, vector, string_view
set(sanitized 0)
if(BROKER_SANITIZE)
  set(sanitized 1)  # its value, a list with commas, would be two parameters in the expression below
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(broker_flags INTERFACE
    -fzero-call-used-regs=used-gpr          # fewer gadgets
    -Wno-missing-field-initializers         # designated initialisers leave the rest at their defaults on purpose
    # At O2, and with the sanitizers, g++ 12 takes the small buffer of a std::string and the value of a std::optional for
    # unset, and -ftrivial-auto-var-init has set it anyway.
    $<$<OR:$<CONFIG:Release>,${sanitized}>:-Wno-maybe-uninitialized>
  )
else()
  target_compile_options(broker_flags INTERFACE -Wno-missing-field-initializers -Wthread-safety)
endif()
if(BROKER_SANITIZE)
  target_compile_options(broker_flags INTERFACE -fsanitize=${BROKER_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(broker_flags INTERFACE -fsanitize=${BROKER_SANITIZE})
else()
  target_compile_options(broker_flags INTERFACE -U_FORTIFY_SOURCE $<$<CONFIG:Release>:-D_FORTIFY_SOURCE=3>)
  target_link_options(broker_flags INTERFACE -pie -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code)
endif()
if(BROKER_FUZZ)
  target_compile_options(broker_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
