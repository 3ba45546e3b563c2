// Any bytes as the records of a __consumer_offsets partition, and a life after reading them. What must hold: no crash,
// no read outside, and every group can be joined and deleted, and every member's time runs out.
//
//   input  [key bytes: uint16, value bytes: uint16 (65535: a tombstone), key, value]…
//
// libFuzzer's entry point; test/group/fuzz_corpus_test.cc runs golden logs and damaged copies of them through it.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "base/check.h"
#include "base/random.h"
#include "group/shard.h"
#include "group/simulated_surroundings.h"

namespace {

using namespace kb;         // NOLINT
using namespace kb::group;  // NOLINT

constexpr uint16_t kTombstone = 65'535;

class Life {
 public:
  Life() { topics_.Create("grp", 3); }

  void Replay(ByteView bytes) {
    int64_t offset = 0;
    while (bytes.size() >= 4) {
      const auto key_bytes = LoadBigEndian<uint16_t>(bytes.data());
      const auto value_bytes = LoadBigEndian<uint16_t>(bytes.data() + 2);
      bytes = bytes.subspan(4);
      ByteView key = Take(bytes, key_bytes);
      std::optional<ByteView> value;
      if (value_bytes != kTombstone) value = Take(bytes, value_bytes);
      Status status = shard_.Replay(key, value, {.offset = offset++});
      (void)status;  // it may well be none
    }
    next_offset_ = offset;
    Settle(shard_.Loaded(now_));
  }

  void Go() {
    for (const auto& group : shard_.ListGroups({}).groups) {
      shard_.DescribeGroups({6, {group.group_id}});
      shard_.ConsumerGroupDescribe({{group.group_id}});
      ConsumerGroupHeartbeatRequest join;
      join.group_id = group.group_id;
      join.member_id = "fuzz";
      join.rebalance_timeout_ms = 1'000;
      join.subscribed_topic_names = {"grp"};
      join.subscribed_topic_regex = "g.*";
      join.owned.emplace();
      Settle(shard_.ConsumerGroupHeartbeat(++ticket_, join, now_));
    }
    PassTime();
    for (const auto& group : shard_.ListGroups({}).groups) {
      Settle(shard_.DeleteGroups(++ticket_, {{group.group_id}}, now_));
    }
  }

 private:
  static ByteView Take(ByteView& bytes, size_t count) {
    ByteView taken = bytes.first(std::min(count, bytes.size()));
    bytes = bytes.subspan(taken.size());
    return taken;
  }
  void Settle(Outcome outcome) {
    while (outcome.write_id != 0) {
      shard_.Appended(outcome.write_id, next_offset_);
      next_offset_ += static_cast<int64_t>(outcome.records.size());
      outcome = shard_.Committed(next_offset_, now_);
    }
  }
  // Sessions end; offsets may stay for longer.
  void PassTime() {
    const int64_t until = now_.monotonic_ms + 100'000;
    for (int calls = 0; calls < 10'000; ++calls) {
      std::optional<int64_t> next = shard_.NextDeadlineMs();
      if (!next.has_value() || *next > until) return;
      const int64_t ms = std::max<int64_t>(*next - now_.monotonic_ms, 0);
      now_ = {now_.wall_ms + ms, now_.monotonic_ms + ms};
      Settle(shard_.Expire(now_));
    }
    KB_CHECK(false);  // it spins
  }

  SimulatedSurroundings topics_;
  Random random_{1};
  GroupShard shard_{GroupConfig{}, random_, topics_};
  Now now_{.wall_ms = 1'795'408'800'000, .monotonic_ms = 1'000};
  int64_t next_offset_ = 0;
  Ticket ticket_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Life life;
  life.Replay({data, size});
  life.Go();
  return 0;
}
