// limit: a small program that does only the system calls which the work of a broker needs, so that a broker's figures
// have something to be held against besides another broker's. Driven by bench/load; bench/load/README.md has the
// options.
//
//   limit --mode=produce|fetch|pingpong --folder=DIR [--port=P] [--partitions=N]      prints "port P", ends on SIGTERM
//
// Its processor time and memory are read by bench/load from outside, like those of a broker.
#include <gflags/gflags.h>

#include <cstdio>
#include <string>

#include "limit/server.h"

DEFINE_string(mode, "produce", "produce, fetch (the same with logs that are filled before) or pingpong");
DEFINE_int32(port, 0, "on this machine; 0: any");
DEFINE_string(folder, "", "where its files are");
DEFINE_int32(partitions, 1, "how many");
DEFINE_uint64(fill_bytes, 512 << 20, "of each partition, with --mode=fetch");
DEFINE_uint64(fill_batch_bytes, 16384, "of a batch of these");

namespace {

std::string Wrong() {
  if (FLAGS_mode != "produce" && FLAGS_mode != "fetch" && FLAGS_mode != "pingpong") {
    return "--mode is produce, fetch or pingpong, not " + FLAGS_mode;
  }
  if (FLAGS_port < 0 || FLAGS_port > 65535) return "--port is a number from 0 to 65535";
  if (FLAGS_partitions < 1 || FLAGS_partitions > 100000) return "--partitions is a number from 1 to 100000";
  if (FLAGS_fill_batch_bytes < 200 || FLAGS_fill_batch_bytes > (100 << 20)) {
    return "--fill_batch_bytes is a number from 200 to 104857600";
  }
  if (FLAGS_mode != "pingpong" && FLAGS_folder.empty()) return "--folder is missing: where its files are";
  return "";
}

}  // namespace

int main(int argc, char** argv) {
  gflags::ParseCommandLineFlags(&argc, &argv, true);
  if (const std::string wrong = Wrong(); !wrong.empty()) {
    fprintf(stderr, "limit: %s\n", wrong.c_str());
    return 2;
  }
  kb::limit::Server server({.port = static_cast<uint16_t>(FLAGS_port),
                            .folder = FLAGS_folder,
                            .partitions = static_cast<size_t>(FLAGS_partitions),
                            .pingpong = FLAGS_mode == "pingpong",
                            .fill_bytes = FLAGS_mode == "fetch" ? FLAGS_fill_bytes : 0,
                            .fill_batch_bytes = FLAGS_fill_batch_bytes});
  printf("port %d\n", server.port());
  fflush(stdout);
  server.Run();
  return 0;
}
