// ImageBuilder: replays records of the metadata log onto an image.
//
//   ImageBuilder builder(image);
//   builder.Replay(record, {offset, epoch, timestamp}) …
//   auto [next, changes] = builder.Publish();        // `image` is as it was; `next` shares most of it
//
// Knows every record type and version of Apache Kafka 4.3.1's metadata log. A type or version it does not know is
// kForeign: written by a newer Kafka, and to skip it would be to forget it. A record that contradicts the image (a change
// of a partition that does not exist) is kCorrupt.
//
// Records between BeginTransaction and EndTransaction take effect together, at the End; AbortTransaction discards them.
//
// After an error the builder is of no further use. Belongs to one thread at a time; what it published is immutable.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/result.h"
#include "metadata/image.h"
#include "model/ids.h"

namespace kb::metadata {

// What differs between two images. A topic that was deleted and created again under its name is in both lists, with
// different ids. Each id appears once per list.
struct ImageChanges {
  struct DeletedTopic {
    Uuid id;
    std::string name;
    int32_t partition_count = 0;
  };
  std::vector<Uuid> created_topics;
  std::vector<DeletedTopic> deleted_topics;      // they were in the old image
  std::vector<PartitionId> created_partitions;   // of new and of grown topics
  std::vector<PartitionId> changed_partitions;   // were in the old image, and are different now
  std::vector<ConfigResource> changed_configs;
  bool brokers_changed = false;
  bool controllers_changed = false;
  bool features_changed = false;
  bool producer_ids_changed = false;
  bool scram_changed = false;
  bool quotas_changed = false;
  bool acls_changed = false;
  bool tokens_changed = false;

  bool any() const;
};

// Where a record stands in the log.
struct RecordPosition {
  Offset offset;
  LeaderEpoch epoch;
  int64_t timestamp_ms = 0;
};

class ImageBuilder {
 public:
  explicit ImageBuilder(ImagePtr base);
  ~ImageBuilder();

  // record: one framed record value (record.h). Valid only during the call.
  Status Replay(ByteView record, const RecordPosition& position);

  // Moves the position without a record: control batches count as offsets too.
  void Advance(const RecordPosition& position);

  bool in_transaction() const { return in_transaction_; }

  struct Published {
    ImagePtr image;
    ImageChanges changes;
  };
  // The image with everything replayed so far, and what changed since the last Publish (or the base). Inside a
  // transaction: everything before its Begin. The builder goes on from here.
  Published Publish();

  // The image as replayed so far, without publishing it: for the next decision of a controller. Inside a transaction it
  // includes the transaction. Valid until the next call of Replay or Publish.
  const MetadataImage& current() const { return draft_; }

 private:
  friend struct Applier;
  struct Touched;  // what the records named since the last Publish
  Status Apply(uint32_t type, uint32_t version, ByteView body);
  template <typename Record>
  Status DecodeAndApply(uint32_t version, ByteView body);
  Status Begin();
  Status End(bool keep);
  ImageChanges Compare(const MetadataImage& to, const Touched& touched) const;

  ImagePtr base_;        // the last published
  MetadataImage draft_;
  std::unique_ptr<Touched> touched_;
  bool in_transaction_ = false;
  MetadataImage before_transaction_;
  std::unique_ptr<Touched> touched_before_transaction_;
  Arena arena_;
};

}  // namespace kb::metadata
