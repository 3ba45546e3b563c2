// What Prometheus' client libraries say of a process, by their names: from /proc, as text.
#pragma once

#include <string>

namespace kb::server {

// process_cpu_seconds_total, process_resident_memory_bytes and their like. What cannot be read is left out. Reads
// files: on the disk pool.
std::string ProcessMetrics();

}  // namespace kb::server
