#include "load/fetching_client.h"

#include "load/usage.h"
#include "stress/raw_client.h"

namespace kb::load {

FetchingClient::FetchingClient(Loop* loop, uint16_t port, const Topic* topic, std::vector<size_t> partitions,
                               int64_t fetch_bytes, Until until, Quota* quota, Score* score, Errors* errors)
    : Client(loop, port),
      topic_(topic),
      partitions_(std::move(partitions)),
      fetch_bytes_(fetch_bytes),
      until_(until),
      quota_(quota),
      score_(score),
      errors_(errors) {}

void FetchingClient::Begin() {
  at_ = 0;
  OpenPartition();
  AskNext();
}

void FetchingClient::OpenPartition() {
  if (at_ == partitions_.size()) return;
  offset_ = topic_->begin[partitions_[at_]];
  end_ = topic_->end[partitions_[at_]];
}

void FetchingClient::AskNext() {
  // What ends before the run's end is passed over; what is read until somebody stops it may be waited for.
  while (until_ == Until::kEnd && at_ < partitions_.size() && offset_ >= end_) {
    ++at_;
    OpenPartition();
  }
  const int64_t now_ns = NowNs();
  if (at_ == partitions_.size() || !quota_->Take(now_ns)) return;
  raw::FetchOptions options;
  options.max_bytes = static_cast<int32_t>(std::max<int64_t>(fetch_bytes_, options.max_bytes));
  options.partition_max_bytes = static_cast<int32_t>(fetch_bytes_);
  request_ =
      raw::FetchRequest(++correlation_id_, topic_->name, static_cast<int32_t>(partitions_[at_]), offset_, options);
  Ask(request_, {}, now_ns);
  Flush();
}

void FetchingClient::OnAnswer(std::string_view frame, int64_t since_ns, int64_t now_ns) {
  quota_->Answered();
  const raw::Fetched answer = raw::ParseFetched(frame);
  if (answer.correlation_id != correlation_id_) raw::Die("an answer to another request");
  if (answer.error != 0) {
    errors_->Count(answer.error);
    return;
  }
  score_->Count(static_cast<int64_t>(answer.records.size()), now_ns - since_ns);
  Advance(answer.records, answer.high_watermark);
}

void FetchingClient::Advance(std::string_view records, int64_t high_watermark) {
  constexpr int kMostIdle = 1000;
  const int64_t before = offset_;
  offset_ = raw::NextOffset(records, offset_);
  if (until_ == Until::kStopped) end_ = high_watermark;
  idle_ = offset_ == before && offset_ < end_ ? idle_ + 1 : 0;
  if (idle_ > kMostIdle) {
    raw::Die("partition " + std::to_string(partitions_[at_]) + " cannot be read beyond offset " +
             std::to_string(offset_));
  }
  if (until_ == Until::kStopped && offset_ >= end_) {
    at_ = (at_ + 1) % partitions_.size();
    OpenPartition();
  }
}

}  // namespace kb::load
