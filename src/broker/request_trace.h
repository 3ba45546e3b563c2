// RequestTrace: where the time of one request goes, from its last byte read to the last byte of its answer sent.
//
//   read ─order─► its turn ─decode─► decoded ─queue─► at the home ─append─► in the log ─durable─► on the disk ─answer─►
//   ready ─order─► first in line ─send─► sent              a Fetch: … ─queue─► at the home ─lookup─► found ─park─► …
//
// Each moment belongs to exactly one stage, so the stages add up to the whole. What a request does not do has no stage.
// A request that is neither a Produce nor a Fetch has its work in `answer`, and its waiting for other members of a
// group in `park`. What several homes do at the same time counts as that one did who was the last.
//
// Times are stamps (Clock::StampNs), also those that come from other reactors; one that lies before the stage it ends
// is taken for its beginning. From the pool: it lives from the frame to the end of the answer.
//
// Reactor-affine: belongs to the connection's reactor.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/pool.h"
#include "net/connection.h"

namespace kb::broker {

struct ApiRow;
class RequestTimes;

enum class Stage : uint8_t {
  kOrder,    // behind earlier requests of its connection, or their answers
  kDecode,   // header and body
  kQueue,    // on its way to the home of its partitions; not where that is here
  kAppend,   // looked at, and written to the page cache
  kDurable,  // until the high watermark has passed it, which without other replicas is a flush
  kLookup,   // reading, of the index and of what is cold
  kPark,     // by intention: until there is enough to fetch, or the group has gathered
  kAnswer,   // until the answer is ready
  kSend,     // until its last byte has left
};
inline constexpr size_t kStages = 9;
std::string_view StageName(Stage stage);

class RequestTrace final : public net::Receipt, public Pooled {
 public:
  static constexpr size_t kMostClientIdBytes = 64;

  // read_ns: of its last byte. Both outlive it.
  RequestTrace(RequestTimes& times, int64_t read_ns) : times_(times), read_ns_(read_ns), last_ns_(read_ns) {}

  // What has passed since the last end was this stage. A stage may come again.
  void End(Stage stage, int64_t now_ns) {
    const auto place = static_cast<size_t>(stage);
    const int64_t end_ns = std::max(now_ns, last_ns_);
    ns_[place] += end_ns - last_ns_;
    seen_ |= static_cast<uint16_t>(1u << place);
    last_ns_ = end_ns;
  }
  // Likewise for a wait that was to last no longer than most_ns: what it lasted longer is part of the next stage.
  void EndPark(int64_t now_ns, int64_t most_ns) {
    End(Stage::kPark, std::min(now_ns, last_ns_ + std::max<int64_t>(most_ns, 0)));
  }
  // The answer is ready, or it is clear that there is none.
  void Answered(int64_t now_ns) {
    End(Stage::kAnswer, now_ns);
    ready_ns_ = now_ns;
  }
  void OnSent(const net::Connection& connection, int64_t in_turn_ns, int64_t sent_ns) override;

  bool Has(Stage stage) const { return (seen_ >> static_cast<size_t>(stage) & 1) != 0; }
  uint32_t seen() const { return seen_; }  // the stages that it had, as bits
  int64_t ns(Stage stage) const { return ns_[static_cast<size_t>(stage)]; }
  int64_t total_ns() const { return last_ns_ - read_ns_; }
  // Without what was to be waited for: an earlier request, which is slow itself then, and what was parked.
  int64_t busy_ns() const { return total_ns() - ns(Stage::kOrder) - ns(Stage::kPark); }

  // For the line about a slow one. The client's id is cut.
  void set_what(const ApiRow& row, int16_t version, std::string_view client_id) {
    row_ = &row;
    version_ = version;
    client_id_bytes_ = static_cast<uint32_t>(std::min(client_id.size(), kMostClientIdBytes));
    client_id_is_cut_ = client_id.size() > kMostClientIdBytes;
    std::copy_n(client_id.data(), client_id_bytes_, client_id_.data());
  }
  void set_sizes(uint64_t request_bytes, uint64_t answer_bytes) {
    request_bytes_ = request_bytes;
    answer_bytes_ = answer_bytes;
  }
  void set_partitions(size_t partitions) { partitions_ = static_cast<uint32_t>(partitions); }
  const ApiRow& row() const { return *row_; }
  int16_t version() const { return version_; }
  std::string_view client_id() const { return {client_id_.data(), client_id_bytes_}; }
  bool client_id_is_cut() const { return client_id_is_cut_; }
  uint64_t request_bytes() const { return request_bytes_; }
  uint64_t answer_bytes() const { return answer_bytes_; }
  uint32_t partitions() const { return partitions_; }

 private:
  RequestTimes& times_;
  const int64_t read_ns_;
  int64_t last_ns_;
  std::array<int64_t, kStages> ns_{};
  uint16_t seen_ = 0;
  int16_t version_ = 0;
  uint32_t partitions_ = 0;  // 0: not told
  const ApiRow* row_ = nullptr;
  uint64_t request_bytes_ = 0;
  uint64_t answer_bytes_ = 0;
  uint32_t client_id_bytes_ = 0;
  bool client_id_is_cut_ = false;
  std::array<char, kMostClientIdBytes> client_id_;
};

}  // namespace kb::broker
