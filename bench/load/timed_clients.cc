#include "load/timed_clients.h"

#include <algorithm>
#include <limits>

#include "load/usage.h"
#include "stress/raw_client.h"

namespace kb::load {
namespace {

constexpr int16_t kFetchKey = 1, kFetchVersion = 11;
constexpr int32_t kMaxWaitMs = 500;
constexpr int32_t kMaxBytes = 50 << 20;
constexpr size_t kNowhere = std::numeric_limits<size_t>::max();

}  // namespace

TimedProducer::TimedProducer(Loop* loop, const Options& options, int64_t mark, int64_t copies, TimedScore* score,
                             Errors* errors)
    : Client(loop, static_cast<uint16_t>(options.port)),
      sample_(options.topic, static_cast<int16_t>(options.acks), options.record_bytes, mark),
      copies_(copies),
      score_(score),
      errors_(errors) {}

void TimedProducer::Add(int32_t partition, int64_t due_ns) {
  if (spare_.empty()) spare_.push_back(std::make_unique<TimedRequest>(sample_));
  under_way_.push_back(std::move(spare_.back()));
  spare_.pop_back();
  Ask(under_way_.back()->Patch(correlation_id_++, partition, due_ns), {}, due_ns);
  ++score_->sent;
}

void TimedProducer::OnAnswer(std::string_view frame, int64_t since_ns, int64_t now_ns) {
  const raw::Produced answer = raw::ParseProduced(frame);
  if (answer.correlation_id != correlation_id_ - static_cast<int32_t>(under_way_.size())) {
    raw::Die("an answer to another request");
  }
  spare_.push_back(std::move(under_way_.front()));
  under_way_.pop_front();
  ++score_->answered;
  if (answer.error != 0) {
    errors_->Count(answer.error);
    return;
  }
  ++score_->acknowledged;
  score_->expected += copies_;
  score_->acked.Add(now_ns - since_ns);
}

TailingClient::TailingClient(Loop* loop, const Options& options, const Topic& topic, std::vector<int32_t> partitions,
                             int64_t mark, TimedScore* score, Errors* errors)
    : Client(loop, static_cast<uint16_t>(options.port)),
      topic_(topic.name),
      fetch_bytes_(static_cast<int32_t>(options.fetch_bytes)),
      mark_(mark),
      score_(score),
      errors_(errors),
      place_of_(topic.end.size(), kNowhere) {
  for (const int32_t partition : partitions) {
    place_of_[static_cast<size_t>(partition)] = places_.size();
    places_.push_back({.partition = partition, .offset = topic.end[static_cast<size_t>(partition)]});
  }
}

void TailingClient::AskAgain() {
  if (errors_->too_many()) return;
  raw::Out named;
  int32_t count = 0;
  for (Place& place : places_) {
    if (!place.moved && session_epoch_ > 0) continue;
    ++count;
    place.moved = false;
    named.I32(place.partition);
    named.I32(-1);
    named.I64(place.offset);
    named.I64(-1);
    named.I32(fetch_bytes_);
  }
  raw::Out body;
  body.I32(-1);
  body.I32(kMaxWaitMs);
  body.I32(1);
  body.I32(std::max(kMaxBytes, fetch_bytes_));
  body.I8(0);
  body.I32(session_id_);
  body.I32(session_epoch_);
  body.I32(count > 0 ? 1 : 0);
  if (count > 0) {
    body.String(topic_);
    body.I32(count);
    body.Raw(named.bytes());
  }
  body.I32(0);
  body.String("");
  request_ = raw::Request(kFetchKey, kFetchVersion, ++correlation_id_, body.bytes());
  Ask(request_, {}, NowNs());
  Flush();
}

void TailingClient::BeginSessionAnew() {
  session_id_ = session_epoch_ = 0;
  for (Place& place : places_) place.moved = true;
}

void TailingClient::OnAnswer(std::string_view frame, int64_t, int64_t now_ns) {
  raw::In in(frame);
  if (in.I32() != correlation_id_) raw::Die("an answer to another request");
  in.I32();
  const int16_t error = in.I16();
  const int32_t session_id = in.I32();
  if (error != 0) {
    errors_->Count(error);
    BeginSessionAnew();
    return;
  }
  ++score_->fetches;
  session_id_ = session_id;
  session_epoch_ = session_id == 0 ? -1 : session_epoch_ + 1;
  for (int32_t topics = in.I32(); topics > 0; --topics) {
    in.String();
    for (int32_t partitions = in.I32(); partitions > 0; --partitions) {
      const int32_t partition = in.I32();
      const int16_t partition_error = in.I16();
      in.Raw(24);  // high watermark, last stable and log start offset
      for (int32_t aborted = in.I32(); aborted > 0; --aborted) in.Raw(16);
      in.I32();
      const std::string_view records = in.Bytes();
      if (partition_error != 0) {
        errors_->Count(partition_error);
      } else {
        OnPartition(partition, records, now_ns);
      }
    }
  }
}

void TailingClient::OnPartition(int32_t partition, std::string_view records, int64_t now_ns) {
  const size_t at = partition < 0 || static_cast<size_t>(partition) >= place_of_.size()
                        ? kNowhere
                        : place_of_[static_cast<size_t>(partition)];
  if (at == kNowhere)
    raw::Die("Fetch answered for partition " + std::to_string(partition) + ", which nobody asked for");
  Place& place = places_[at];
  const int64_t before = place.offset;
  place.offset = ForEachDue(records, before, mark_, [&](int64_t due_ns) { score_->arrived.Count(0, now_ns - due_ns); });
  place.moved = place.moved || place.offset != before;
}

}  // namespace kb::load
