#include "partition/lag_meter.h"

#include <algorithm>

namespace kb::partition {

Lag LagMeter::Measure(const LagQuestion& question) const {
  std::shared_ptr<Partition> partition = table_.Find(question.id);
  if (partition == nullptr || partition->offline()) return Lag();
  const int64_t first = std::max(question.offset, partition->log_start_offset().value());
  return Lag{std::max<int64_t>(partition->high_watermark().value() - first, 0), std::nullopt};
}

reactor::Task<std::vector<Lag>> LagMeter::MeasureTimes(std::vector<LagQuestion> questions) {
  std::vector<Lag> lags;
  lags.reserve(questions.size());
  for (const LagQuestion& question : questions) lags.push_back(Measure(question));
  std::vector<Open> open;
  for (size_t i = 0; i < questions.size(); ++i) {
    if (lags[i].records > 0) Recall(questions[i], lags[i], open);
    if (open.size() < kMostAtOnce && i + 1 < questions.size()) continue;
    auto run = disk_.Run([&open] {
      for (Open& each : open) {
        Result<std::optional<int64_t>> time = each.job.Run();
        if (time.ok()) each.time_ms = *time;  // who reads there will say what is wrong
      }
    });
    if (!open.empty()) co_await run;
    for (const Open& each : open) Remember(each);
    open.clear();
  }
  co_return lags;
}

void LagMeter::Recall(const LagQuestion& question, Lag& lag, std::vector<Open>& open) const {
  std::shared_ptr<Partition> partition = table_.Find(question.id);
  if (partition == nullptr) return;  // gone meanwhile
  const Place place{question.id, std::max(question.offset, partition->log_start_offset().value())};
  auto known = remembered_.find(place);
  if (known != remembered_.end()) {
    lag.since_ms = known->second;
  } else {
    open.push_back({&lag, place, partition->log().PrepareOffsetTime(Offset(place.offset)), std::nullopt});
  }
}

void LagMeter::Remember(const Open& found) {
  found.lag->since_ms = found.time_ms;
  if (!found.time_ms) return;
  if (remembered_.size() >= kMostRemembered) remembered_.clear();
  remembered_.emplace(found.place, *found.time_ms);
}

}  // namespace kb::partition
