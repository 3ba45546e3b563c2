// `uniform` for members that are subscribed to different topics.
#include <algorithm>
#include <optional>

#include "group/java_order.h"
#include "group/uniform.h"

namespace kb::group {
namespace {

constexpr int kMostTurns = 16;  // of the topics while balancing
constexpr int32_t kNone = -1;

using Topic = OwnerTable::Topic;

// The subscribers of one topic, by how many partitions (of all topics) they have. Takers come from the left, givers
// from the right; the levels of both tell when it is enough.
//
//             │                  ▐▌         members that gave all they had of this topic leave the givers at the right:
//   partitions│           ▐██████▐▌         the rightmost giver takes their place
//             │ ▐████████▌▐██████▐▌
//             └─takers────┴givers─┴─
//
// A round serves everyone of a level once; after it the takers are one level higher, the givers one lower, and those
// whom the level reaches have joined them. Takers serve from left to right, givers from right to left.
class Scale {
 public:
  explicit Scale(const std::vector<int32_t>& load) : load_(load) {}

  void Reset(const std::vector<uint32_t>& members) {
    keys_.clear();
    for (uint32_t member : members) keys_.push_back(static_cast<uint64_t>(load_[member]) << 32 | member);
    std::sort(keys_.begin(), keys_.end());
    sorted_.clear();
    for (uint64_t key : keys_) sorted_.push_back(static_cast<uint32_t>(key));
    takers_end_ = next_taker_ = 0;
    taker_level_ = load_[sorted_.front()] - 1;
    givers_begin_ = givers_end_ = next_giver_ = sorted_.size();
  }

  // Who is to get a partition. The caller adds it to the load before the next call, or does not call again.
  uint32_t NextTaker() {
    if (next_taker_ == takers_end_) {
      ++taker_level_;
      while (takers_end_ < sorted_.size() && load_[sorted_[takers_end_]] == taker_level_) ++takers_end_;
      next_taker_ = 0;
    }
    return sorted_[next_taker_++];
  }

  // Who is to give one, if any can: has(member) says that it has one to give. Likewise.
  template <typename Has>
  std::optional<uint32_t> NextGiver(Has has) {
    while (true) {
      if (next_giver_ == givers_begin_ && !StartGiving()) return std::nullopt;
      uint32_t member = sorted_[--next_giver_];
      if (has(member)) return member;
      std::swap(sorted_[next_giver_], sorted_[--givers_end_]);
    }
  }

  // Whether moving from the giver to the taker of the last two calls would not help.
  bool Level() const { return giver_level_ - taker_level_ <= 1; }

 private:
  bool StartGiving() {
    if (givers_begin_ < givers_end_) {
      --giver_level_;
    } else if (givers_begin_ > 0) {
      giver_level_ = load_[sorted_[givers_begin_ - 1]];
    } else {
      return false;
    }
    while (givers_begin_ > 0 && load_[sorted_[givers_begin_ - 1]] == giver_level_) --givers_begin_;
    next_giver_ = givers_end_;
    return true;
  }

  const std::vector<int32_t>& load_;
  std::vector<uint64_t> keys_;  // load, then member: scratch
  std::vector<uint32_t> sorted_;
  size_t takers_end_ = 0, next_taker_ = 0;  // takers: [0, takers_end_)
  int32_t taker_level_ = 0;                 // what they had before this round
  size_t givers_begin_ = 0, givers_end_ = 0;
  size_t next_giver_ = 0;  // counts down: the one before it
  int32_t giver_level_ = 0;
};

class Heterogeneous {
 public:
  Heterogeneous(size_t members, OwnerTable& table)
      : table_(table), load_(members), last_(members, kNone), scale_(load_) {
    for (const Topic& topic : table_.topics()) sorted_.push_back(&topic);
    std::sort(sorted_.begin(), sorted_.end(), &GoesBefore);
  }

  void Fill(const AssignorInput& input, std::span<const uint32_t> turn) {
    for (uint32_t member = 0; member < turn.size(); ++member) Keep(input.members[turn[member]], member);
    for (const Topic* topic : sorted_) HandOut(*topic);
    Balance();
  }

 private:
  static bool GoesBefore(const Topic* a, const Topic* b) {
    double a_share = static_cast<double>(a->partitions) / static_cast<double>(a->subscribers.size());
    double b_share = static_cast<double>(b->partitions) / static_cast<double>(b->subscribers.size());
    if (a_share != b_share) return a_share > b_share;
    if (a->subscribers.size() != b->subscribers.size()) return a->subscribers.size() < b->subscribers.size();
    return JavaLess(a->id, b->id);
  }

  void Keep(const MemberToAssign& has, uint32_t member) {
    if (has.assigned == nullptr) return;
    for (size_t i = 0; i < has.assigned->topic_count(); ++i) {
      const Topic* topic = table_.Find(has.assigned->topic_id(i));
      if (topic == nullptr) continue;
      if (!std::binary_search(topic->subscribers.begin(), topic->subscribers.end(), member)) continue;
      load_[member] += static_cast<int32_t>(table_.Claim(*topic, has.assigned->partitions(i), member).size());
    }
  }

  void HandOut(const Topic& topic) {
    std::span<int32_t> owners = table_.owners(topic);
    auto free = std::find(owners.begin(), owners.end(), kNobody);
    if (free == owners.end()) return;
    scale_.Reset(topic.subscribers);
    for (; free != owners.end(); ++free) {
      if (*free != kNobody) continue;
      uint32_t taker = scale_.NextTaker();
      *free = static_cast<int32_t>(taker);
      ++load_[taker];
    }
  }

  void Balance() {
    std::erase_if(sorted_, [](const Topic* topic) { return topic->subscribers.size() < 2; });
    size_t quiet = 0;  // topics since the last that changed, with it
    for (int turn = 0; turn < kMostTurns; ++turn) {
      for (const Topic* topic : sorted_) {
        if (quiet == sorted_.size()) return;
        quiet = BalanceTopic(*topic) ? 1 : quiet + 1;
      }
    }
  }

  // Whether it changed.
  bool BalanceTopic(const Topic& topic) {
    auto lighter = [&](uint32_t a, uint32_t b) { return load_[a] < load_[b]; };
    auto [least, most] = std::minmax_element(topic.subscribers.begin(), topic.subscribers.end(), lighter);
    if (load_[*most] - load_[*least] <= 1) return false;
    scale_.Reset(topic.subscribers);
    ListByOwner(topic);
    bool changed = false;
    while (true) {
      std::optional<uint32_t> giver = scale_.NextGiver([&](uint32_t member) { return last_[member] != kNone; });
      if (!giver.has_value()) return changed;
      uint32_t taker = scale_.NextTaker();
      if (scale_.Level()) return changed;
      Move(topic, *giver, taker);
      changed = true;
    }
  }

  // The partitions of each owner become a list, from its last one back.
  void ListByOwner(const Topic& topic) {
    for (uint32_t member : topic.subscribers) last_[member] = kNone;
    std::span<int32_t> owners = table_.owners(topic);
    before_.resize(owners.size());
    for (size_t partition = 0; partition < owners.size(); ++partition) {
      auto owner = static_cast<size_t>(owners[partition]);
      before_[partition] = last_[owner];
      last_[owner] = static_cast<int32_t>(partition);
    }
  }

  // What the taker gets stays off its list: it is not given away again in this pass.
  void Move(const Topic& topic, uint32_t giver, uint32_t taker) {
    auto partition = static_cast<size_t>(last_[giver]);
    last_[giver] = before_[partition];
    table_.owners(topic)[partition] = static_cast<int32_t>(taker);
    --load_[giver];
    ++load_[taker];
  }

  OwnerTable& table_;
  std::vector<int32_t> load_;    // partitions of each member
  std::vector<int32_t> last_;    // of the topic that is being balanced: a member's last partition …
  std::vector<int32_t> before_;  // … and the one of the same owner before a partition; kNone for none
  Scale scale_;
  std::vector<const Topic*> sorted_;
};

}  // namespace

void FillHeterogeneous(const AssignorInput& input, std::span<const uint32_t> turn, OwnerTable& table) {
  Heterogeneous(turn.size(), table).Fill(input, turn);
}

}  // namespace kb::group
