// What a broker says about a topic before the run: its partitions, and from where to where they can be read.
//
//   Metadata v4 (a topic that does not exist is not made), ListOffsets v2.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kb::load {

struct Topic {
  std::string name;
  std::vector<int64_t> begin, end;  // by partition; what is read begins at the first and ends before the second
};

// partitions: how many of its partitions are meant, from 0 on; 0: all. check false: asks nobody, all begin at 0, and
// the ends are what a Fetch says. What is wrong (no such topic, fewer partitions, one without a leader) comes back as
// one line that names the option; empty: nothing is. `option`: which one named the topic.
std::string AskTopic(uint16_t port, std::string_view option, std::string_view name, int64_t partitions, bool check,
                     Topic* topic);

}  // namespace kb::load
