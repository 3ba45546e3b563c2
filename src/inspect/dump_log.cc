#include "inspect/dump_log.h"

#include <algorithm>
#include <utility>

#include "base/crc32c.h"
#include "base/number.h"
#include "inspect/batch_file.h"
#include "inspect/java_text.h"
#include "log/file_names.h"
#include "log/index_file.h"
#include "record/iterate.h"

namespace kb::inspect {

const char kDumpLogUsage[] =
    "usage: kafka-broker dump-log --files FILE[,FILE...] [option]...\n"
    "\n"
    "Prints .log, .index, .timeindex, .txnindex, .snapshot and .checkpoint files.\n"
    "\n"
    "  --print-data-log             keys and values too\n"
    "  --deep-iteration             every record, not only batches\n"
    "  --cluster-metadata-decoder   records of __cluster_metadata\n"
    "  --offsets-decoder            records of __consumer_offsets\n"
    "  --transaction-log-decoder    records of __transaction_state\n"
    "  --share-group-state-decoder  records of __share_group_state\n"
    "  --skip-record-metadata       keys and values without offset, time and sizes\n"
    "  --index-sanity-check         of an index only whether it would be rebuilt at a start\n"
    "  --verify-index-only          hold an index against its segment without printing it\n"
    "  --max-bytes N                at most N bytes of each .log\n";

namespace {

constexpr int kFine = 0;
constexpr int kNonsense = 1;
constexpr int kUnreadable = 74;
constexpr size_t kMostIndexBytes = size_t{1} << 31;

Error Usage(std::string message) { return Error{ErrorKind::kInvalid, std::move(message)}; }


void AddFiles(std::string_view list, std::vector<std::string>& files) {
  while (!list.empty()) {
    std::string_view file = list.substr(0, list.find(','));
    list.remove_prefix(std::min(list.size(), file.size() + 1));
    if (!file.empty()) files.emplace_back(file);
  }
}

// Sets what needs no value; false for any other option.
bool SetSwitch(std::string_view name, DumpOptions& options) {
  if (name == "--print-data-log") {
    options.print_data = true;
  } else if (name == "--deep-iteration") {
    options.deep = true;
  } else if (name == "--cluster-metadata-decoder") {
    options.decoder = Decoder::kClusterMetadata;
  } else if (name == "--offsets-decoder") {
    options.decoder = Decoder::kOffsets;
  } else if (name == "--transaction-log-decoder") {
    options.decoder = Decoder::kTransactions;
  } else if (name == "--share-group-state-decoder") {
    options.decoder = Decoder::kShareState;
  } else if (name == "--skip-record-metadata") {
    options.skip_record_metadata = true;
  } else if (name == "--index-sanity-check") {
    options.index_sanity_check = true;
  } else if (name == "--verify-index-only") {
    options.verify_index_only = true;
  } else if (name == "--help" || name == "-h") {
    options.help = true;
  } else {
    return false;
  }
  return true;
}

std::string FileNameOf(const std::string& path) { return path.substr(path.rfind('/') + 1); }
std::string FolderOf(const std::string& path) {
  size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash + 1);
}
// The name up to its first dot.
std::string StemOf(const std::string& path) {
  std::string name = FileNameOf(path);
  return name.substr(0, name.find('.'));
}

std::string Optional(std::optional<int64_t> value) {
  return value ? "OptionalLong[" + std::to_string(*value) + "]" : "OptionalLong.empty";
}

std::string_view NameOf(record::TimestampType type) {
  return type == record::TimestampType::kLogAppendTime ? "LogAppendTime" : "CreateTime";
}

std::string_view NameOf(const record::BatchHeader& batch) {
  switch (batch.codec()) {
    case record::Codec::kNone: return "none";
    case record::Codec::kGzip: return "gzip";
    case record::Codec::kSnappy: return "snappy";
    case record::Codec::kLz4: return "lz4";
    case record::Codec::kZstd: return "zstd";
  }
  return "unknown";
}

// What is said of a file at the end of the whole run, in the order of the files.
class Findings {
 public:
  void Add(std::string_view heading, const std::string& file, std::string line) {
    std::string whole = std::string(heading) + file;
    auto found = std::find_if(groups_.begin(), groups_.end(), [&](const auto& group) { return group.first == whole; });
    if (found == groups_.end()) found = groups_.insert(groups_.end(), {std::move(whole), {}});
    found->second.push_back(std::move(line));
  }
  void Print(std::ostream& to) const {
    for (const auto& [heading, lines] : groups_) {
      to << heading << "\n";
      for (const std::string& line : lines) to << line << "\n";
    }
  }

 private:
  std::vector<std::pair<std::string, std::vector<std::string>>> groups_;
};

class Dump {
 public:
  Dump(io::FileSystem& files, const DumpOptions& options, std::ostream& out, std::ostream& err)
      : files_(files), options_(options), out_(out), err_(err) {}

  int Run() {
    for (const std::string& path : options_.files) One(path);
    mismatches_.Print(err_);
    not_found_.Print(err_);
    wrong_times_.Print(err_);
    out_of_order_.Print(err_);
    gaps_.Print(err_);
    out_.flush();
    return exit_code_;
  }

 private:
  void One(const std::string& path) {
    out_ << "Dumping " << path << "\n";
    if (path.ends_with(".log")) {
      LogFile(path);
    } else if (path.ends_with(".checkpoint")) {
      Checkpoint(path);
    } else if (path.ends_with(".index")) {
      OffsetIndex(path);
    } else if (path.ends_with(".timeindex")) {
      TimeIndex(path);
    } else if (path.ends_with(".txnindex")) {
      TxnIndex(path);
    } else if (path.ends_with(".snapshot")) {
      ProducerSnapshot(path);
    } else {
      err_ << "Ignoring unknown file " << path << "\n";
    }
  }

  void Complain(const std::string& path, std::string_view what, int exit_code = kNonsense) {
    err_ << "kafka-broker dump-log: " << path << ": " << what << "\n";
    exit_code_ = std::max(exit_code_, exit_code);
  }
  void CannotRead(const Error& error) {
    err_ << "kafka-broker dump-log: " << error.message << "\n";
    exit_code_ = kUnreadable;
  }
  std::string Full(const std::string& path) const {
    if (path.starts_with('/') || options_.working_directory.empty()) return path;
    return options_.working_directory + "/" + path;
  }
  // The offset in the name of a segment's file.
  std::optional<int64_t> BaseOffset(const std::string& path) {
    std::optional<int64_t> offset = ParseNumber<int64_t>(StemOf(path));
    if (!offset) Complain(path, "the name does not begin with an offset");
    return offset;
  }

  // ---- batches

  void LogFile(const std::string& path) {
    std::optional<int64_t> base = BaseOffset(path);
    if (!base) return;
    out_ << "Log starting offset: " << *base << "\n";
    Batches(path);
  }

  void Checkpoint(const std::string& path) {
    std::string name = FileNameOf(path);
    if (name == "bootstrap.checkpoint") {
      out_ << "KRaft bootstrap snapshot\n";
      return Batches(path);
    }
    std::string stem = StemOf(path);
    size_t dash = stem.find('-');
    std::optional<int64_t> offset = ParseNumber<int64_t>(std::string_view(stem).substr(0, dash));
    std::optional<int32_t> epoch;
    if (dash != std::string::npos) epoch = ParseNumber<int32_t>(std::string_view(stem).substr(dash + 1));
    if (!offset || !epoch) return Complain(path, "the name is not that of a KRaft snapshot");
    out_ << "Snapshot end offset: " << *offset << ", epoch: " << *epoch << "\n";
    Batches(path);
  }

  void Batches(const std::string& path) {
    Result<BatchFile> file = BatchFile::Open(files_, path);
    if (!file.ok()) return CannotRead(file.error());
    last_offset_ = -1;
    uint64_t valid = 0;
    while (std::optional<BatchFile::At> batch = file->Read(valid, options_.max_bytes)) {
      Batch(*batch);
      if (is_deep()) Records(path, batch->view);
      valid = batch->end();
    }
    if (file->error()) return CannotRead(*file->error());
    if (file->size() > valid && options_.max_bytes == INT32_MAX) {
      out_ << "Found " << file->size() - valid << " invalid bytes at the end of " << FileNameOf(path) << "\n";
    }
  }

  void Batch(const BatchFile::At& at) {
    const record::BatchView& batch = at.view;
    out_ << std::boolalpha << "baseOffset: " << batch.base_offset().value()
         << " lastOffset: " << batch.last_offset().value() << " count: " << batch.record_count()
         << " baseSequence: " << batch.base_sequence() << " lastSequence: " << batch.last_sequence()
         << " producerId: " << batch.producer_id().value() << " producerEpoch: " << batch.producer_epoch().value()
         << " partitionLeaderEpoch: " << batch.leader_epoch().value()
         << " isTransactional: " << batch.is_transactional() << " isControl: " << batch.is_control()
         << " deleteHorizonMs: " << Optional(batch.delete_horizon_ms()) << " position: " << at.position << " "
         << NameOf(batch.timestamp_type()) << ": " << batch.max_timestamp() << " size: " << batch.size_bytes()
         << " magic: " << int{batch.magic()} << " compresscodec: " << NameOf(batch) << " crc: " << batch.crc()
         << " isvalid: " << batch.CheckCrc() << "\n";
  }

  void Records(const std::string& path, const record::BatchView& batch) {
    record::RecordIterator records(batch, decompressor_);
    record::RecordView record;
    record::RecordIterator::Answer answer;
    while ((answer = records.Next(&record)) == record::RecordIterator::kRecord) Record(path, batch, record);
    if (answer == record::RecordIterator::kEnd) return;
    Complain(path, "the records of the batch at offset " + ToString(batch.base_offset()) + " cannot be read");
  }

  void Record(const std::string& path, const record::BatchView& batch, const record::RecordView& record) {
    int64_t offset = record.offset.value();
    if (offset != last_offset_ + 1) {
      gaps_.Add("Non-consecutive offsets in ", Full(path),
                "  " + std::to_string(last_offset_) + " is followed by " + std::to_string(offset));
    }
    last_offset_ = offset;
    std::string_view prefix = "| ";
    if (!options_.skip_record_metadata) {
      out_ << prefix;
      RecordMetadata(batch, record);
      prefix = " ";
    }
    if (prints_data() && !batch.is_control()) RecordContents(path, prefix, record);
    out_ << "\n";
  }

  void RecordMetadata(const record::BatchView& batch, const record::RecordView& record) {
    auto size_of = [](const std::optional<ByteView>& bytes) {
      return bytes ? static_cast<int64_t>(bytes->size()) : int64_t{-1};
    };
    int64_t sequence = record::kNoSequence;
    if (batch.base_sequence() >= 0) sequence = (int64_t{batch.base_sequence()} + record.offset_delta) & INT32_MAX;
    out_ << "offset: " << record.offset.value() << " " << NameOf(batch.timestamp_type()) << ": " << record.timestamp
         << " keySize: " << size_of(record.key) << " valueSize: " << size_of(record.value) << " sequence: " << sequence
         << " headerKeys: [";
    record::Headers headers = record.headers;
    record::Header header;
    for (bool first = true; headers.Next(&header); first = false) {
      out_ << (first ? "" : ",") << JavaText(AsBytes(header.key));
    }
    out_ << "]";
    if (batch.is_control()) out_ << " " << DescribeControl(record);
  }

  void RecordContents(const std::string& path, std::string_view prefix, const record::RecordView& record) {
    Decoded decoded = DecodeRecord(options_.decoder, record);
    if (decoded.is_fatal) return Complain(path, *decoded.payload);
    if (decoded.key) {
      out_ << prefix << "key: " << *decoded.key;
      prefix = " ";
    }
    if (decoded.payload) out_ << prefix << "payload: " << *decoded.payload;
  }

  bool prints_data() const { return options_.print_data || options_.decoder != Decoder::kText; }
  bool is_deep() const { return options_.deep || prints_data(); }

  // ---- indexes


  template <typename Entry>
  std::optional<std::vector<Entry>> Entries(const std::string& path) {
    Result<std::vector<Entry>> entries = log::ReadIndex<Entry>(files_, path, kMostIndexBytes);
    if (entries.ok()) return std::move(entries).value();
    CannotRead(entries.error());
    return std::nullopt;
  }

  std::optional<uint64_t> SizeOf(const std::string& path) {
    Result<uint64_t> size = files_.SizeOf(path);
    if (size.ok()) return *size;
    CannotRead(size.error());
    return std::nullopt;
  }

  std::optional<BatchFile> SegmentOf(const std::string& path) {
    Result<BatchFile> segment = BatchFile::Open(files_, FolderOf(path) + StemOf(path) + ".log");
    if (segment.ok()) return std::move(segment).value();
    CannotRead(segment.error());
    return std::nullopt;
  }

  void OffsetIndex(const std::string& path) {
    std::optional<int64_t> base = BaseOffset(path);
    std::optional<uint64_t> size = SizeOf(path);
    if (!base || !size) return;
    std::optional<BatchFile> segment = SegmentOf(path);
    std::optional<std::vector<log::OffsetIndexEntry>> entries = Entries<log::OffsetIndexEntry>(path);
    if (!segment || !entries) return;
    if (entries->empty()) {
      out_ << path << " is empty.\n";
      return;
    }
    if (options_.index_sanity_check) {
      bool is_sane = *size % log::OffsetIndexEntry::kSize == 0 && entries->back().relative_offset >= 0;
      return SaySanity(path, is_sane);
    }
    for (size_t i = 0; i < entries->size(); ++i) {
      const log::OffsetIndexEntry& entry = (*entries)[i];
      if (entry.relative_offset == 0 && i > 0) return;  // what follows was never written
      OffsetEntry(path, *base + entry.relative_offset, entry.position, *segment);
    }
  }

  void OffsetEntry(const std::string& path, int64_t offset, int32_t position, BatchFile& segment) {
    std::optional<record::BatchHeader> batch;
    if (position >= 0) batch = segment.ReadHeader(static_cast<uint64_t>(position));
    if (!batch) {
      Complain(path, "the entry of offset " + std::to_string(offset) + " names position " + std::to_string(position) +
                         ", where no batch begins");
    } else if (batch->last_offset().value() != offset) {
      mismatches_.Add("Mismatches in :", Full(path),
                      "  Index offset: " + std::to_string(offset) +
                          ", log offset: " + std::to_string(batch->last_offset().value()));
    }
    if (!options_.verify_index_only) out_ << "offset: " << offset << " position: " << position << "\n";
  }

  void SaySanity(const std::string& path, bool is_sane) {
    if (is_sane) {
      out_ << path << " passed sanity check.\n";
    } else {
      Complain(path, "is corrupt: not whole entries, or the last one below the first");
    }
  }

  void TimeIndex(const std::string& path) {
    std::optional<int64_t> base = BaseOffset(path);
    std::optional<uint64_t> size = SizeOf(path);
    if (!base || !size) return;
    std::optional<BatchFile> segment = SegmentOf(path);
    std::optional<std::vector<log::TimeIndexEntry>> times = Entries<log::TimeIndexEntry>(path);
    std::optional<std::vector<log::OffsetIndexEntry>> offsets =
        Entries<log::OffsetIndexEntry>(FolderOf(path) + StemOf(path) + ".index");
    if (!segment || !times || !offsets) return;
    if (options_.index_sanity_check) {
      bool is_sane = *size % log::TimeIndexEntry::kSize == 0;
      if (!times->empty()) {
        is_sane = is_sane && times->back().timestamp >= times->front().timestamp && times->back().relative_offset >= 0;
      }
      return SaySanity(path, is_sane);
    }
    int64_t previous = record::kNoTimestamp;
    for (size_t i = 0; i < times->size(); ++i) {
      const log::TimeIndexEntry& entry = (*times)[i];
      if (entry.relative_offset == 0 && i > 0) return;  // what follows was never written
      TimeEntry(path, *base, entry, previous, StartFor(*offsets, entry.relative_offset), *segment);
      previous = entry.timestamp;
    }
  }

  // Where the index says that a search for the offset begins.
  static uint64_t StartFor(const std::vector<log::OffsetIndexEntry>& offsets, int32_t relative_offset) {
    uint64_t position = 0;
    for (const log::OffsetIndexEntry& entry : offsets) {
      if (entry.relative_offset > relative_offset || entry.position < 0) break;
      position = static_cast<uint64_t>(entry.position);
    }
    return position;
  }

  void TimeEntry(const std::string& path, int64_t base, const log::TimeIndexEntry& entry, int64_t previous,
                 uint64_t position, BatchFile& segment) {
    const int64_t offset = base + entry.relative_offset;
    std::optional<record::BatchHeader> header = segment.ReadHeader(position);
    while (header && header->last_offset().value() < offset) {
      position += static_cast<uint64_t>(header->size_bytes());
      header = segment.ReadHeader(position);
    }
    const std::string text = std::to_string(entry.timestamp);
    if (!header || header->last_offset().value() != offset) {
      int64_t found = header ? header->last_offset().value() : -1;
      not_found_.Add("The following indexed offsets are not found in :", Full(path),
                     "Indexed offset: " + std::to_string(offset) + ", found log offset: " + std::to_string(found));
    } else {
      int64_t latest = LatestTimestamp(path, position, segment);
      if (latest != entry.timestamp) {
        wrong_times_.Add("Found timestamp mismatch in :", Full(path),
                         "  Index timestamp: " + text + ", log timestamp: " + std::to_string(latest));
      }
      if (previous >= entry.timestamp) {
        out_of_order_.Add("Found out of order timestamp in :", Full(path),
                          "  Index timestamp: " + text + ", Previously indexed timestamp: " + std::to_string(previous));
      }
    }
    if (!options_.verify_index_only) out_ << "timestamp: " << text << " offset: " << offset << "\n";
  }

  int64_t LatestTimestamp(const std::string& path, uint64_t position, BatchFile& segment) {
    int64_t latest = record::kNoTimestamp;
    std::optional<BatchFile::At> batch = segment.Read(position);
    if (!batch) return latest;
    record::RecordIterator records(batch->view, decompressor_);
    record::RecordView record;
    record::RecordIterator::Answer answer;
    while ((answer = records.Next(&record)) == record::RecordIterator::kRecord) {
      latest = std::max(latest, record.timestamp);
    }
    if (answer != record::RecordIterator::kEnd) {
      Complain(path, "the records at position " + std::to_string(position) + " cannot be read");
    }
    return latest;
  }

  void TxnIndex(const std::string& path) {
    std::optional<std::vector<log::TxnIndexEntry>> entries = Entries<log::TxnIndexEntry>(path);
    if (!entries) return;
    for (const log::TxnIndexEntry& entry : *entries) {
      const log::AbortedTransaction& aborted = entry.transaction;
      out_ << "version: 0 producerId: " << aborted.producer_id.value()
           << " firstOffset: " << aborted.first_offset.value() << " lastOffset: " << aborted.last_offset.value()
           << " lastStableOffset: " << aborted.last_stable_offset.value() << "\n";
    }
  }

  // ---- producers

  void ProducerSnapshot(const std::string& path) {
    constexpr size_t kHeaderBytes = 10, kCheckedFrom = 6, kEntryBytes = 46;
    Result<std::string> content = io::ReadFile(files_, path, kMostIndexBytes);
    if (!content.ok()) return CannotRead(content.error());
    ByteView bytes = AsBytes(*content);
    if (bytes.size() < kHeaderBytes) {
      err_ << "Snapshot failed schema validation: null\n";
      return;
    }
    auto version = LoadBigEndian<int16_t>(bytes.data());
    if (version != 1) {
      err_ << "Snapshot contained an unknown file version " << version << "\n";
      return;
    }
    auto stored = LoadBigEndian<uint32_t>(bytes.data() + 2);
    uint32_t computed = Crc32c(bytes.subspan(kCheckedFrom));
    if (stored != computed) {
      err_ << "Snapshot is corrupt (CRC is no longer valid). Stored crc: " << stored << ". Computed crc: " << computed
           << "\n";
      return;
    }
    auto count = LoadBigEndian<int32_t>(bytes.data() + kCheckedFrom);
    bytes = bytes.subspan(kHeaderBytes);
    if (count < 0 || bytes.size() < static_cast<size_t>(count) * kEntryBytes) {
      err_ << "Snapshot failed schema validation: null\n";
      return;
    }
    for (int32_t i = 0; i < count; ++i) Producer(bytes.subspan(static_cast<size_t>(i) * kEntryBytes).data());
  }

  void Producer(const uint8_t* entry) {
    auto last_sequence = LoadBigEndian<int32_t>(entry + 10);
    auto last_offset = LoadBigEndian<int64_t>(entry + 14);
    auto offset_delta = LoadBigEndian<int32_t>(entry + 22);
    auto timestamp = LoadBigEndian<int64_t>(entry + 26);
    auto first_offset = LoadBigEndian<int64_t>(entry + 38);
    out_ << "producerId: " << LoadBigEndian<int64_t>(entry) << " producerEpoch: " << LoadBigEndian<int16_t>(entry + 8)
         << " coordinatorEpoch: " << LoadBigEndian<int32_t>(entry + 34) << " currentTxnFirstOffset: "
         << Optional(first_offset >= 0 ? std::optional(first_offset) : std::nullopt) << " lastTimestamp: " << timestamp;
    if (last_offset >= 0) {
      log::BatchMemory batch{last_sequence, offset_delta, Offset(last_offset), timestamp};
      out_ << " firstSequence: " << batch.first_sequence() << " lastSequence: " << last_sequence
           << " lastOffset: " << last_offset << " offsetDelta: " << offset_delta << " timestamp: " << timestamp;
    }
    out_ << "\n";
  }

  io::FileSystem& files_;
  const DumpOptions& options_;
  std::ostream& out_;
  std::ostream& err_;
  record::Decompressor decompressor_;
  Findings mismatches_, not_found_, wrong_times_, out_of_order_, gaps_;
  int64_t last_offset_ = -1;
  int exit_code_ = kFine;
};

}  // namespace

Result<DumpOptions> ParseDumpArguments(std::span<const std::string_view> arguments) {
  DumpOptions options;
  for (size_t at = 0; at < arguments.size(); ++at) {
    std::string_view name = arguments[at];
    if (SetSwitch(name, options)) continue;
    std::optional<std::string_view> value;
    if (size_t equals = name.find('='); equals != std::string_view::npos) {
      value = name.substr(equals + 1);
      name = name.substr(0, equals);
    }
    if (name != "--files" && name != "--max-bytes" && name != "--max-message-size") {
      return Usage("unknown argument " + std::string(name));
    }
    if (!value && at + 1 < arguments.size()) value = arguments[++at];
    if (!value) return Usage(std::string(name) + " needs a value");
    if (name == "--files") {
      AddFiles(*value, options.files);
      continue;
    }
    std::optional<int32_t> number = ParseNumber<int32_t>(*value);
    if (!number || *number < 0) {
      return Usage(std::string(name) + " is a number from 0 to 2147483647, not '" + std::string(*value) + "'");
    }
    // The other one bounds what Apache Kafka reads at once, which is not visible.
    if (name == "--max-bytes") options.max_bytes = static_cast<uint64_t>(*number);
  }
  if (options.files.empty() && !options.help) return Usage("--files is missing");
  return options;
}

int DumpLog(io::FileSystem& files, const DumpOptions& options, std::ostream& out, std::ostream& err) {
  return Dump(files, options, out, err).Run();
}

}  // namespace kb::inspect
