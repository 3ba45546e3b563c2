// Incremental fetch sessions (KIP-227): a consumer names its partitions once, later requests name only what changed,
// and answers carry only partitions that have something to say.
//
//   request (id, epoch)   meaning
//   (0, -1)               no session
//   (0, 0)                a full request; opens a session if there is room
//   (n, 0)                drops session n, then as (0, 0)
//   (n, -1)               drops session n, then as (0, -1)
//   (n, e > 0)            incremental; e must be the epoch the session expects next
//
// Errors of the whole request: unknown id 70, wrong epoch 71 (the session survives), names where the session has ids or
// the other way round 106.
//
// Each reactor has a cache of its own. A client that comes back over another connection, to another reactor, is told 70
// and opens a new session, which is what the protocol foresees. Ids of different reactors never meet: id mod reactors
// is the reactor's index. Reactor-affine. Source: KIP-227, FetchRequest v7–v18.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>

#include "base/pool.h"
#include "base/random.h"
#include "base/uuid.h"
#include "protocol/error_code.h"

namespace kb::broker {

// Which partition a client means: by id from version 13 on, by name before. The other one is empty.
struct FetchKey {
  Uuid topic_id;
  PoolString topic;
  int32_t partition = -1;
  auto operator<=>(const FetchKey&) const = default;
};

// What a client wants of one partition.
struct FetchPartition {
  FetchKey key;
  int64_t fetch_offset = 0;
  int64_t log_start_offset = -1;  // of a follower; -1 for consumers
  int32_t max_bytes = 0;
  int32_t current_leader_epoch = -1;
  int32_t last_fetched_epoch = -1;
};

// What an answer says of one partition, as far as the session must know.
struct FetchOutcome {
  ErrorCode error = ErrorCode::kNone;
  bool has_records = false;
  bool has_diverging_epoch = false;
  bool has_preferred_replica = false;
  int64_t high_watermark = -1;
  int64_t log_start_offset = -1;
};

struct FetchSessionRequest {
  int32_t session_id = 0;
  int32_t epoch = -1;
  bool by_topic_id = false;
  bool from_follower = false;
  PoolVector<FetchPartition> partitions;
  PoolVector<FetchKey> forgotten;
};

class FetchSession;
class FetchSessionCache;

// One fetch under way: what to read, and which of the results to tell. A value of its own: the session may change or go
// while the fetch waits for data.
class FetchContext {
 public:
  ErrorCode error() const { return error_; }  // of the whole request; then nothing else here means anything
  const PoolVector<FetchPartition>& partitions() const { return partitions_; }

  // To be called once with one outcome per partition, in order. Returns which of them belong into the answer, and sets
  // session_id() for it.
  PoolVector<bool> Finish(const PoolVector<FetchOutcome>& outcomes);
  int32_t session_id() const { return session_id_; }
  // For an answer without Finish: the session that the client knows already, or 0.
  int32_t known_session_id() const { return kind_ == Kind::kIncremental ? session_id_ : 0; }

 private:
  friend class FetchSessionCache;
  enum class Kind { kSessionless, kFull, kIncremental };
  ErrorCode error_ = ErrorCode::kNone;
  Kind kind_ = Kind::kSessionless;
  int32_t session_id_ = 0;
  FetchSessionCache* cache_ = nullptr;  // outlives every context: both belong to the reactor
  PoolVector<FetchPartition> partitions_;
};

class FetchSessionCache {
 public:
  struct Options {
    size_t slots = 1000;               // max.incremental.fetch.session.cache.slots, this reactor's share
    int64_t evict_after_ms = 120'000;  // a session unused for longer gives way to any new one
    uint32_t reactor_index = 0;
    uint32_t reactors = 1;
  };
  explicit FetchSessionCache(const Options& options, Random& random);
  ~FetchSessionCache();

  FetchContext Begin(FetchSessionRequest request, int64_t now_ms);
  size_t size() const;
  size_t partitions() const { return partition_count_; }  // in all sessions

 private:
  friend class FetchContext;
  FetchSession* Find(int32_t id);
  void Drop(int32_t id);
  bool MakeRoom(size_t partitions, bool from_follower, int64_t now_ms);
  int32_t Open(const FetchSessionRequest& request, int64_t now_ms);
  int32_t NewId();

  const Options options_;
  Random& random_;
  size_t partition_count_ = 0;
  std::unordered_map<int32_t, std::unique_ptr<FetchSession>> sessions_;
  std::list<FetchSession*> by_last_use_;  // least recently used first
};

}  // namespace kb::broker
