// ConsumerLag: how far the groups are behind, as text for Prometheus, a piece at a time.
//
//   kafka_consumergroup_current_offset{consumergroup="g",topic="t",partition="0"} 41     what the group has committed
//   kafka_consumergroup_lag{…} 2                  records that it has yet to read: high watermark - committed offset
//   kafka_consumergroup_lag_seconds{…} 0.52       how long ago the first of these was made; 0 when there is none
//
// The first two names, and the labels, are kafka_exporter's. A committed offset below the log start counts from there.
// Left out: topics that are gone (or another one of the name has come), partitions that are not in service, groups
// without committed offsets; a line of seconds also where no time is known.
//
// Computed when somebody asks. A piece is one look at one partition of __consumer_offsets (at most kMostAtOnce
// offsets), one message to each home of the partitions that are meant, and their lines. The format wants the lines of a
// name together, so all is walked once for each name: memory does not grow with the number of groups, and values of one
// scrape may be some milliseconds apart.
//
// Reactor-affine: used on the reactor of `here`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "broker/shard.h"
#include "group/offsets_page.h"
#include "partition/lag_meter.h"
#include "reactor/task.h"

namespace kb::broker {

class ConsumerLag {
 public:
  // Looked at in one piece: about a millisecond of work for the reactor that has them all.
  static constexpr size_t kMostAtOnce = 1'000;

  // What is asked for beside the offsets.
  enum class Times { kLeftOut, kMeasured };
  ConsumerLag(Shard& here, Times times) : here_(here), families_(times == Times::kMeasured ? 3 : 2) {}

  bool done() const { return family_ == families_; }
  // The next lines; perhaps none. Not when done.
  reactor::Task<std::string> Next();

 private:
  enum Family : size_t { kOffset, kRecords, kSeconds };
  struct Line {
    size_t group;  // in the page
    size_t topic;
    int32_t partition;
  };
  // What a page has of partitions that exist: one line and one question for each.
  struct Questions {
    std::vector<Line> lines;
    std::vector<partition::LagQuestion> asked;
  };
  Questions Ask(const group::OffsetsPage& page, const metadata::MetadataImage& image) const;
  reactor::Task<std::vector<partition::Lag>> Measure(const std::vector<partition::LagQuestion>& questions) const;
  std::string Render(const group::OffsetsPage& page, const Questions& questions,
                     const std::vector<partition::Lag>& lags) const;
  std::string ValueOf(const partition::LagQuestion& question, const partition::Lag& lag) const;

  Shard& here_;
  const size_t families_;
  size_t family_ = kOffset;
  int32_t partition_ = 0;  // of __consumer_offsets
  bool has_heading_ = false;
  group::OffsetsPlace place_;
};

// A label's value as the text format has it; what is no UTF-8 is replaced.
std::string LabelValue(std::string_view text);

}  // namespace kb::broker
