#include "log/integrity.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "base/check.h"
#include "log/segment_scan.h"

namespace kb::log {

// ---- Integrity

Integrity::Integrity(Offset base_offset, uint64_t found_bytes, Offset found_end)
    : base_offset_(base_offset), found_bytes_(static_cast<uint32_t>(found_bytes)), found_end_(found_end) {
  KB_CHECK(found_bytes <= INT32_MAX);
}

bool Integrity::is_whole() const {
  if (found_bytes_ == 0) return true;
  return stretches_.size() == 1 && !stretches_[0].is_damaged && stretches_[0].begin == 0 &&
         stretches_[0].end == found_bytes_;
}

Integrity::Place Integrity::At(Offset offset) const {
  Place place;
  offset = std::max(offset, base_offset_);
  const bool end_is_known = found_bytes_ == 0 || (!stretches_.empty() && stretches_.back().end == found_bytes_);
  const Offset known_end = stretches_.empty() ? base_offset_ : stretches_.back().end_offset;
  if (offset >= found_end_ || (end_is_known && offset >= known_end)) {
    place.what = Place::kWhole;
    place.begin = found_bytes_;
    place.end = kOpenEnd;
    return place;
  }
  auto above = std::partition_point(stretches_.begin(), stretches_.end(),
                                    [&](const Stretch& stretch) { return stretch.begin_offset <= offset; });
  // A damaged stretch may have no offsets of its own: the one that has this offset may lie before it.
  while (above != stretches_.begin() && std::prev(above)->end_offset <= offset) {
    if (std::prev(above)->begin_offset < std::prev(above)->end_offset) return place;
    --above;
  }
  if (above == stretches_.begin()) return place;
  const Stretch& found = *std::prev(above);
  if (found.is_damaged) {
    place.what = Place::kDamaged;
    place.next_offset = found.end_offset;
    return place;
  }
  place.what = Place::kWhole;
  place.begin = found.begin;
  place.end = found.end == found_bytes_ ? kOpenEnd : found.end;
  const bool is_followed = above != stretches_.end() && above->begin == found.end;
  place.more_is_unknown = !is_followed && found.end != found_bytes_;
  return place;
}

Unknown Integrity::Between(size_t next) const {
  Unknown part{0, found_bytes_, base_offset_, found_end_};
  if (next > 0) {
    part.begin = stretches_[next - 1].end;
    part.begin_offset = stretches_[next - 1].end_offset;
  }
  if (next < stretches_.size()) {
    part.end = stretches_[next].begin;
    part.end_offset = stretches_[next].begin_offset;
  }
  return part;
}

std::optional<Unknown> Integrity::UnknownFor(Offset offset) const {
  const Place place = At(offset);
  offset = std::max(offset, base_offset_);
  if (place.what == Place::kDamaged || (place.what == Place::kWhole && !place.more_is_unknown)) return std::nullopt;
  for (size_t next = 0; next <= stretches_.size(); ++next) {
    Unknown part = Between(next);
    if (part.begin == part.end) continue;
    const bool follows = place.what == Place::kWhole && part.begin == place.end;
    const bool holds = place.what == Place::kUnknown && part.begin_offset <= offset && offset < part.end_offset;
    if (follows || holds) return part;
  }
  return std::nullopt;
}

std::optional<Unknown> Integrity::FirstUnknown() const {
  for (size_t next = 0; next <= stretches_.size(); ++next) {
    Unknown part = Between(next);
    if (part.begin < part.end) return part;
  }
  return std::nullopt;
}

Integrity Integrity::With(const std::vector<Stretch>& checked, bool* added) const {
  Integrity result = *this;
  if (added != nullptr) *added = false;
  if (checked.empty() || checked.back().end > found_bytes_) return result;
  const Stretch& first = checked.front();
  const Stretch& last = checked.back();
  for (const Stretch& known : stretches_) {
    bool is_before = known.end <= first.begin && known.end_offset <= first.begin_offset;
    bool is_behind = known.begin >= last.end && known.begin_offset >= last.end_offset;
    if (!is_before && !is_behind) return result;
  }
  if (added != nullptr) *added = true;
  if (stretches_.size() + checked.size() > kMostStretches) result.stretches_.clear();
  for (const Stretch& stretch : checked) result.Insert(stretch);
  return result;
}

// Between its neighbours, and as one with those that it continues.
void Integrity::Insert(const Stretch& stretch) {
  auto next = std::partition_point(stretches_.begin(), stretches_.end(),
                                   [&](const Stretch& other) { return other.begin < stretch.begin; });
  auto here = stretches_.insert(next, stretch);
  auto continues = [](const Stretch& a, const Stretch& b) { return a.end == b.begin && a.is_damaged == b.is_damaged; };
  if (auto after = std::next(here); after != stretches_.end() && continues(*here, *after)) {
    here->end = after->end;
    here->end_offset = after->end_offset;
    here = std::prev(stretches_.erase(after));
  }
  if (here != stretches_.begin() && continues(*std::prev(here), *here)) {
    std::prev(here)->end = here->end;
    std::prev(here)->end_offset = here->end_offset;
    stretches_.erase(here);
  }
}

// ---- CheckBatches

namespace {

class BatchCheck {
 public:
  BatchCheck(const io::File& log, Offset base_offset, const Unknown& part, const CheckGoal& goal)
      : log_(log), base_offset_(base_offset), part_(part), goal_(goal), expected_(part.begin_offset) {
    WalkFrom(part.begin);
  }

  Result<std::vector<Stretch>> Run() {
    while (true) {
      switch (scan_->Next()) {
        case SegmentScan::kFailed:
          return scan_->error();
        case SegmentScan::kEnd:
          return Finished(part_.end, part_.end_offset);
        case SegmentScan::kDamaged:
          AddDamage(scan_->position());
          if (scan_->Resynchronize(leap_ ? leap_->expected : expected_, part_.end_offset)) continue;
          if (scan_->has_failed()) return scan_->error();
          return Finished(part_.end, part_.end_offset);
        case SegmentScan::kBatch:
          break;
      }
      if (FallsBack() && RepeatsToTheEnd()) return Finished(part_.end, part_.end_offset);
      if (FallsBack()) {
        if (!TookDamagedForWhole()) AddDamage(scan_->position());
        continue;
      }
      if (GoalIsReached()) return Finished(scan_->position(), expected_);
      Take();
    }
  }

 private:
  void WalkFrom(uint64_t position) {
    scan_ = std::make_unique<SegmentScan>(log_, position, part_.end, base_offset_, SegmentScan::kCheckCrc,
                                          part_.end_offset);
  }
  bool FallsBack() const { return scan_->header().base_offset() < expected_; }

  // Course harnesses write logs in which all batches have the same offsets. No damage looks like that up to the end.
  bool RepeatsToTheEnd() const {
    const Offset repeated = scan_->header().base_offset();
    if (last_base_ != repeated || expected_ != part_.end_offset) return false;
    SegmentScan rest(log_, scan_->position(), part_.end, base_offset_, SegmentScan::kCheckCrc, part_.end_offset);
    while (true) {
      const SegmentScan::Answer answer = rest.Next();
      if (answer == SegmentScan::kEnd) return true;
      if (answer != SegmentScan::kBatch || rest.header().base_offset() != repeated) return false;
    }
  }

  // The last batches left offsets out, and this one has some of those: either they are not where they belong, or it is
  // not. Those are believed that are more; of as many, those that fit best, and of copies the later.
  bool TookDamagedForWhole() {
    if (!leap_ || scan_->header().base_offset() < leap_->expected) return false;
    const Rival rival = FindRival();
    bool fits =
        leap_->batches == 1 && scan_->header().base_offset() == leap_->expected + (expected_ - leap_->base_offset);
    bool is_copy = scan_->header().base_offset() == leap_->base_offset;
    bool is_better = rival.batches != leap_->batches ? rival.batches > leap_->batches : !rival.is_continued || is_copy;
    if (!fits && !is_better) return false;
    const Leap leap = *std::exchange(leap_, std::nullopt);
    expected_ = leap.expected;
    while (!stretches_.empty() && stretches_.back().begin >= leap.position) stretches_.pop_back();
    AddDamage(leap.position);
    WalkFrom(leap.end);  // what fell back behind it alone was not believed
    return true;
  }

  // The batches from this one on that have offsets in the gap, or in those of the batches behind it; no more are
  // counted than it takes. is_continued: what comes then continues the batches before this one.
  struct Rival {
    size_t batches = 0;
    bool is_continued = false;
  };
  Rival FindRival() const {
    SegmentScan scan(log_, scan_->position(), part_.end, base_offset_, SegmentScan::kCheckCrc, part_.end_offset);
    Rival run;
    Offset next = leap_->expected;
    while (run.batches <= leap_->batches && scan.Next() == SegmentScan::kBatch && scan.header().base_offset() >= next) {
      run.is_continued = scan.header().base_offset() == expected_;
      if (scan.header().base_offset() >= expected_) break;
      ++run.batches;
      next = scan.header().next_offset();
    }
    return run;
  }

  // From here to the next batch that is taken.
  void AddDamage(uint64_t position) {
    last_base_.reset();
    since_damage_ = 0;
    if (!stretches_.empty() && stretches_.back().is_damaged) return;
    CloseAt(position, expected_);
    stretches_.push_back({static_cast<uint32_t>(position), 0, expected_, expected_, true});
  }

  // A batch is not believed before its successor agrees with it; behind damage it takes some more.
  bool GoalIsReached() const {
    bool is_enough =
        scan_->position() - part_.begin >= goal_.least_bytes || stretches_.size() > Integrity::kMostStretches / 4;
    bool is_sure = stretches_.size() < 2 || since_damage_ >= kSureBatches;
    return last_base_ && is_sure && is_enough && expected_ > goal_.beyond;
  }

  void Take() {
    const record::BatchHeader batch = scan_->header();
    if (stretches_.empty() || stretches_.back().is_damaged) {
      const Offset begin_offset = stretches_.empty() ? expected_ : batch.base_offset();
      CloseAt(scan_->position(), begin_offset);
      stretches_.push_back({static_cast<uint32_t>(scan_->position()), 0, begin_offset, begin_offset, false});
    }
    if (batch.base_offset() > expected_) {
      leap_ = Leap{static_cast<uint32_t>(scan_->position()), 0, batch.base_offset(), expected_, 0};
    }
    if (leap_) {
      ++leap_->batches;
      leap_->end = static_cast<uint32_t>(scan_->position()) + scan_->size_bytes();
    }
    ++since_damage_;
    last_base_ = batch.base_offset();
    expected_ = batch.next_offset();
  }

  void CloseAt(uint64_t position, Offset end_offset) {
    if (stretches_.empty()) return;
    stretches_.back().end = static_cast<uint32_t>(position);
    stretches_.back().end_offset = end_offset;
  }

  Result<std::vector<Stretch>> Finished(uint64_t position, Offset damage_ends_at) {
    if (!stretches_.empty()) CloseAt(position, stretches_.back().is_damaged ? damage_ends_at : expected_);
    return std::move(stretches_);
  }

  // Where the last offsets were left out.
  struct Leap {
    uint32_t position;
    uint32_t end;        // of the last batch since
    Offset base_offset;  // of the batch there
    Offset expected;     // what it might have been
    size_t batches;      // from there on
  };
  static constexpr size_t kSureBatches = 16;

  const io::File& log_;
  const Offset base_offset_;
  const Unknown part_;
  const CheckGoal goal_;
  std::unique_ptr<SegmentScan> scan_;
  Offset expected_;  // behind the last whole batch
  std::vector<Stretch> stretches_;
  std::optional<Offset> last_base_;  // of the whole batch that the last stretch ends with
  std::optional<Leap> leap_;
  size_t since_damage_ = 0;  // batches
};

}  // namespace

Result<std::vector<Stretch>> CheckBatches(const io::File& log, Offset base_offset, const Unknown& part,
                                          const CheckGoal& goal) {
  return BatchCheck(log, base_offset, part, goal).Run();
}

}  // namespace kb::log
