// PartitionReader: all records of a partition, in order, for a coordinator that rebuilds its state from them.
//
// Reads in pieces of kPieceBytes on the disk pool and hands each record over on the reactor, yielding between batches,
// so that a large partition does not keep the reactor from its requests. Reactor-affine.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "partition/partition.h"
#include "reactor/disk_pool.h"
#include "reactor/task.h"
#include "record/compression.h"

namespace kb::coordinator {

// Views are valid during the call.
struct StoredRecord {
  Offset offset;
  std::optional<ByteView> key;
  std::optional<ByteView> value;
  ProducerId producer_id = kNoProducerId;
  bool transactional = false;
  bool end_of_transaction = false;  // a marker: then `committed`, and no key and value
  bool committed = false;
};

class PartitionReader {
 public:
  static constexpr int32_t kPieceBytes = 1 << 20;

  PartitionReader(reactor::Reactor& reactor, reactor::DiskPool& disk) : reactor_(reactor), disk_(disk) {}

  // Everything from the log start to the log end of now, once it is committed; what is damaged is gone past. An error of
  // `visit` ends the reading.
  using Visit = std::function<Status(const StoredRecord&)>;
  reactor::Task<Status> ReadAll(std::shared_ptr<partition::Partition> partition, Visit visit);

 private:
  Status VisitBatches(const std::string& name, ByteView bytes, Offset from, const Visit& visit, Offset* next);

  reactor::Reactor& reactor_;
  reactor::DiskPool& disk_;
  record::Decompressor decompressor_;
};

}  // namespace kb::coordinator
