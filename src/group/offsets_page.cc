// The walk over all committed offsets, page by page. Maps keep their order while they change, so a walk that goes on
// from a name misses nothing that is there all the time.
#include "group/offsets_page.h"

#include "group/impl.h"

namespace kb::group {

namespace {

// Adds cells to a page until it has looked at enough.
class PageFiller {
 public:
  PageFiller(const OffsetsPlace& after, size_t most) : after_(after), left_(most) {}

  // False: the page is full, and its `next` says where it goes on.
  bool AddGroup(const std::string& id, const Group& group) {
    const bool goes_on = id == after_.group_id;
    auto topic = goes_on ? group.offsets.lower_bound(after_.topic) : group.offsets.begin();
    for (; topic != group.offsets.end(); ++topic) {
      const bool same = goes_on && topic->first == after_.topic;
      auto cell = same ? topic->second.upper_bound(after_.partition) : topic->second.begin();
      for (; cell != topic->second.end(); ++cell) {
        Add(id, topic->first, cell->first, cell->second);
        if (--left_ == 0) return End({id, topic->first, cell->first});
      }
    }
    // The least name above this one: there may be nothing of this group to go on behind.
    return --left_ > 0 || End({id + '\0', "", -1});
  }
  OffsetsPage Take() { return std::move(page_); }

 private:
  void Add(const std::string& id, const std::string& topic, int32_t index, const OffsetCell& cell) {
    if (!cell.committed.has_value()) return;
    if (page_.groups.empty() || page_.groups.back().id != id) page_.groups.push_back({id, {}});
    std::vector<OffsetsPage::Topic>& topics = page_.groups.back().topics;
    if (topics.empty() || topics.back().name != topic) topics.push_back({topic, {}});
    topics.back().partitions.push_back({index, cell.committed->offset, cell.committed->topic_id});
  }
  bool End(OffsetsPlace next) {
    page_.is_last = false;
    page_.next = std::move(next);
    return false;
  }

  const OffsetsPlace& after_;
  size_t left_;
  OffsetsPage page_;
};

}  // namespace

OffsetsPage GroupShard::Impl::OffsetsAfter(const OffsetsPlace& after, size_t most) const {
  PageFiller filler(after, most);
  for (auto group = groups_.lower_bound(after.group_id); group != groups_.end(); ++group) {
    if (!filler.AddGroup(group->first, *group->second)) break;
  }
  return filler.Take();
}

OffsetsPage GroupShard::OffsetsAfter(const OffsetsPlace& after, size_t most) const {
  return impl_->OffsetsAfter(after, most);
}

}  // namespace kb::group
