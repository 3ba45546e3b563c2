// The data directories that Apache Kafka wrote (test/golden/storage), damaged in every way that a disk, a power cut or
// an operator can think of, and opened: a log opens or says why not, reads every record that is left at its own offset,
// and touches nothing of its neighbours.
//
//   derived files (indexes, snapshots, epochs) damaged      every batch is read, byte for byte
//   the .log damaged below the recovery point               all other batches are read, at their offsets
//
//   GOLDEN_DAMAGES=100000 log_test --gtest_filter='*GoldenDamage*'      more than some hundred times
//   GOLDEN_SEED=4711                                                    one
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <set>

#include "base/random.h"
#include "log/checkpoint_files.h"
#include "log/log.h"
#include "log/log_directory.h"
#include "log/read_waiting.h"
#include "support/golden_archive.h"
#include "support/sim_file_system.h"

namespace kb::log {
namespace {

using Files = std::map<std::string, std::string>;

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr || *text == '\0' ? otherwise : std::strtoull(text, nullptr, 10);
}

// One replica of a golden directory, and what Apache Kafka left in it.
struct Replica {
  std::string name;
  Files files;                             // by path
  std::map<int64_t, std::string> batches;  // by base offset
  std::optional<Offset> recovery_point, log_start;
};

class GoldenDamageTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    replicas_ = new std::vector<Replica>();
    const Files clean = test::ReadGoldenArchive("storage/clean.tar.zst");
    test::SimFileSystem files;
    for (const auto& [path, content] : clean) files.Put("/" + path, content);
    OffsetCheckpoint starts = *ReadOffsetCheckpoint(files, "/data/" + std::string(kLogStartFile));
    OffsetCheckpoint points = *ReadOffsetCheckpoint(files, "/data/" + std::string(kRecoveryPointFile));
    const Result<DataDirectoryContents> contents = ScanDataDirectory(files, "/data");
    for (const ReplicaDirectory& each : contents->replicas) {
      Replica& replica = replicas_->emplace_back();
      replica.name = each.name;
      if (points.contains(each.partition)) replica.recovery_point = points[each.partition];
      if (starts.contains(each.partition)) replica.log_start = starts[each.partition];
      for (const auto& [path, content] : files.Contents()) {
        if (path.starts_with("/data/" + each.name + "/")) AddFile(replica, path, content);
      }
      if (replica.batches.empty()) replicas_->pop_back();
    }
  }
  static void TearDownTestSuite() { delete std::exchange(replicas_, nullptr); }

  static void AddFile(Replica& replica, const std::string& path, const std::string& content) {
    replica.files[path] = content;
    if (!path.ends_with(kLogSuffix)) return;
    record::BatchWalk walk(AsBytes(content));
    while (auto batch = walk.Next()) replica.batches[batch->base_offset().value()] = AsText(batch->bytes());
  }

  enum class Stop { kClean, kUnclean };

  void PutOnDisk(const Replica& replica, const Files& files) {
    files_ = test::SimFileSystem(1);
    neighbours_.clear();
    for (const auto& [path, content] : files) files_.Put(path, content);
    // Somebody else's files in the same data directory.
    const Replica& other = replicas_->front().name == replica.name ? replicas_->back() : replicas_->front();
    for (const auto& [path, content] : other.files) {
      files_.Put(path, content);
      neighbours_[path] = content;
    }
  }
  Result<std::unique_ptr<Log>> Open(const Replica& replica, Stop stop) {
    LogOptions options;
    options.directory = "/data/" + replica.name;
    options.config.index_interval_bytes = 200;
    options.was_clean = stop == Stop::kClean;
    options.recovery_point = replica.recovery_point;
    options.log_start_offset = replica.log_start;
    options.was_compacted = true;
    options.now_ms = 1'795'500'000'000;
    report_ = {};
    return Log::Open(files_, std::move(options), &report_);
  }

  // Every batch that can be read from the start on, going past what cannot.
  static std::map<int64_t, std::string> ReadAll(Log& log, Random& random) {
    std::map<int64_t, std::string> found;
    ReadOptions options;
    options.end_offset = log.log_end_offset();
    options.may_block = true;
    options.max_bytes = 1 + random.Below(100'000);
    for (options.offset = log.log_start_offset(); options.offset < options.end_offset;) {
      const Offset before = options.offset;
      ReadResult result = ReadWaiting(log, options);
      const bool has_bytes = result.status == ReadStatus::kOk && result.slice.size_bytes > 0;
      if (has_bytes) AddBatches(result.slice, found, options.offset, options.end_offset);
      if (options.offset <= before) options.offset = before + 1;  // a consumer goes past it
    }
    return found;
  }
  static void AddBatches(const Slice& slice, std::map<int64_t, std::string>& found, Offset& next, Offset end) {
    std::vector<uint8_t> bytes(slice.size_bytes);
    Result<size_t> got = slice.file->ReadAt(slice.position, bytes);
    if (!got.ok() || *got != bytes.size()) return;
    record::BatchWalk walk(bytes);
    while (auto batch = walk.Next()) {
      if (!batch->CheckCrc() || batch->next_offset() <= next || batch->next_offset() > end) return;
      found[batch->base_offset().value()] = AsText(batch->bytes());
      next = batch->next_offset();
    }
  }

  void ExpectNeighboursUntouched() {
    const Files now = files_.Contents();
    for (const auto& [path, content] : neighbours_) {
      ASSERT_TRUE(now.contains(path)) << path;
      ASSERT_EQ(now.at(path), content) << path;
    }
  }

  static const Replica& AnyReplica(Random& random) { return (*replicas_)[random.Below(replicas_->size())]; }
  // A file of a replica whose name ends with one of the suffixes; "" when there is none.
  static std::string AnyFile(Random& random, const Files& files, std::initializer_list<std::string_view> suffixes) {
    std::vector<std::string> fitting;
    for (const auto& [path, content] : files) {
      for (std::string_view suffix : suffixes) {
        if (path.ends_with(suffix)) fitting.push_back(path);
      }
    }
    return fitting.empty() ? "" : fitting[random.Below(fitting.size())];
  }

  inline static std::vector<Replica>* replicas_ = nullptr;
  test::SimFileSystem files_;
  Files neighbours_;
  RecoveryReport report_;
};

std::string Garbage(Random& random, size_t size) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random.Next());
  return bytes;
}

constexpr std::initializer_list<std::string_view> kDerived = {kIndexSuffix, kTimeIndexSuffix, kTxnIndexSuffix,
                                                              kSnapshotSuffix, kLeaderEpochFile};

size_t EntryBytes(const std::string& path) {
  if (path.ends_with(kTimeIndexSuffix)) return 12;
  if (path.ends_with(kTxnIndexSuffix)) return 34;
  return path.ends_with(kSnapshotSuffix) ? 46 : 8;
}

// Damages one derived file. donor: another file of the same kind, of this replica or another one.
std::string DamageDerived(Random& random, Files& files, const std::string& path, const std::string& donor) {
  std::string& content = files[path];
  const size_t entry = EntryBytes(path);
  switch (random.Below(13)) {
    case 0:
      files.erase(path);
      return "missing";
    case 1:
      content.clear();
      return "empty";
    case 2:
      content.resize(random.Below(content.size() + 1));
      return "cut anywhere";
    case 3:
      content.resize(content.size() / entry / 2 * entry);
      return "cut at an entry";
    case 4:
      content.assign(content.size(), '\0');
      return "zeros";
    case 5:
      content = Garbage(random, content.size());
      return "garbage";
    case 6:
      content += Garbage(random, 1 + random.Below(100));
      return "garbage behind";
    case 7:
      content.append(entry * (1 + random.Below(20)), '\0');
      return "zeros behind";
    case 8:
      if (!content.empty()) content[random.Below(content.size())] ^= static_cast<char>(1 << random.Below(8));
      return "a bit flipped";
    case 9:
      content = donor;
      return "another one's";
    case 10:
      content += content;
      return "twice";
    case 11:  // entries off by one
      for (size_t at = entry - 1; at < content.size(); at += entry) ++content[at];
      return "off by one";
    default:
      if (path.ends_with(kLeaderEpochFile)) {
        content = "0\n2\n0 0\n" + std::to_string(random.Below(100)) + " " + std::to_string(random.Below(1000)) + "\n";
        return "other epochs";
      }
      for (size_t i = 0; i + 2 * entry <= content.size(); i += 2 * entry) {
        std::swap_ranges(content.begin() + static_cast<ptrdiff_t>(i),
                         content.begin() + static_cast<ptrdiff_t>(i + entry),
                         content.begin() + static_cast<ptrdiff_t>(i + entry));
      }
      return "entries out of order";
  }
}

// What lies about that is none of a log's.
void AddForeign(Random& random, Files& files, const std::string& directory) {
  switch (random.Below(6)) {
    case 0:
      files[directory + "notes.txt"] = "hello";
      break;
    case 1:
      files[directory + "lost+found/x"] = "";
      break;
    case 2:
      files[directory + "00000000000000000000.LOG"] = Garbage(random, 300);
      break;
    case 3:
      files[directory + "00000000000000000000.log.bak"] = Garbage(random, 300);
      break;
    case 4:
      files[directory + "0.log"] = Garbage(random, 300);
      break;
    default:
      files[directory + "00000000000000000000.index.tmp"] = Garbage(random, 30);
  }
}

TEST_F(GoldenDamageTest, DamagedDerivedFilesCostNoRecord) {
  const uint64_t one = FromEnvironment("GOLDEN_SEED", 0);
  const uint64_t count = FromEnvironment("GOLDEN_DAMAGES", 3000);
  for (uint64_t seed = one > 0 ? one : 1; seed <= (one > 0 ? one : count); ++seed) {
    Random random(seed);
    const Replica& replica = AnyReplica(random);
    Files files = replica.files;
    std::string what;
    for (uint64_t i = 0; i <= random.Below(3); ++i) {
      const std::string path = AnyFile(random, files, kDerived);
      if (path.empty()) continue;
      const std::string suffix = path.substr(path.rfind('.') == std::string::npos ? path.rfind('/') : path.rfind('.'));
      const Replica& giver = AnyReplica(random);
      const std::string donor = AnyFile(random, giver.files, {suffix});
      what += path + " " + DamageDerived(random, files, path, donor.empty() ? "" : giver.files.at(donor)) + "; ";
    }
    if (random.Below(4) == 0) AddForeign(random, files, "/data/" + replica.name + "/");
    const Stop stop = random.Below(2) == 0 ? Stop::kClean : Stop::kUnclean;
    SCOPED_TRACE("GOLDEN_SEED=" + std::to_string(seed) + " " + (stop == Stop::kClean ? "clean " : "unclean ") + what);
    PutOnDisk(replica, files);
    auto log = Open(replica, stop);
    ASSERT_TRUE(log.ok()) << log.error().message;
    EXPECT_EQ(report_.truncated_bytes, 0u);
    std::map<int64_t, std::string> wanted = replica.batches;
    std::erase_if(wanted, [&](const auto& each) {
      return record::BatchView(AsBytes(each.second)).next_offset() <= (*log)->log_start_offset();
    });
    ASSERT_EQ(ReadAll(**log, random), wanted);
    ASSERT_TRUE((*log)->AbortedTransactions((*log)->log_start_offset(), (*log)->log_end_offset(), true).has_value());
    ASSERT_TRUE((*log)->PrepareTimestampLookup(1'700'000'000'000).Run().ok());
    ASSERT_TRUE((*log)->PrepareMaxTimestampLookup().Run().ok());
    ExpectNeighboursUntouched();
    if (HasFatalFailure()) return;
  }
}

// Damages the bytes [from, end) of a .log.
std::string DamageLog(Random& random, std::string& content, size_t& from, size_t& end) {
  from = random.Below(content.size());
  end = std::min(content.size(), from + 1 + random.Below(300));
  auto damage = [&](const std::string& with) { content.replace(from, end - from, with); };
  switch (random.Below(5)) {
    case 0:
      end = from + 1;
      content[from] ^= static_cast<char>(1 << random.Below(8));
      return "a bit flipped";
    case 1:
      damage(std::string(end - from, '\0'));
      return "zeros";
    case 2:
      damage(std::string(end - from, '\xff'));
      return "ones";
    case 3:
      damage(content.substr(random.Below(content.size() - (end - from) + 1), end - from));
      return "other bytes of it";
    default:
      damage(Garbage(random, end - from));
      return "garbage";
  }
}

// Below the recovery point nothing is cut off: what is whole is read where it was.
TEST_F(GoldenDamageTest, ADamagedSegmentCostsTheDamagedBatchesAlone) {
  const uint64_t one = FromEnvironment("GOLDEN_SEED", 0);
  const uint64_t count = FromEnvironment("GOLDEN_DAMAGES", 600);
  for (uint64_t seed = one > 0 ? one : 1; seed <= (one > 0 ? one : count); ++seed) {
    Random random(seed);
    const Replica& replica = AnyReplica(random);
    Files files = replica.files;
    const std::string path = AnyFile(random, files, {kLogSuffix});
    if (files[path].empty()) continue;
    const std::string original = files[path];
    size_t from = 0, end = 0;
    const std::string what = DamageLog(random, files[path], from, end);
    const Stop stop = random.Below(2) == 0 ? Stop::kClean : Stop::kUnclean;
    SCOPED_TRACE("GOLDEN_SEED=" + std::to_string(seed) + " " + (stop == Stop::kClean ? "clean " : "unclean ") + path +
                 " " + what + " " + std::to_string(from) + ".." + std::to_string(end));
    // The batches that must be there still; the last one may be taken for a torn tail, which is cut.
    std::map<int64_t, std::string> wanted = replica.batches;
    record::BatchWalk walk(AsBytes(original));
    size_t position = 0;
    bool is_hidden = false;
    while (auto batch = walk.Next()) {
      const size_t next = position + batch->bytes().size();
      const bool is_hit = from < next && end > position &&
                          original.substr(position, next - position) != files[path].substr(position, next - position);
      // A log finds batches by their headers: one that claims later offsets hides what follows. (The base
      // offset is outside of the checksum; for the delta of the last one the checksum is looked at by who hands it
      // out.)
      is_hidden |= is_hit && from < position + record::kBaseTimestampAt;
      if (is_hit) wanted.erase(batch->base_offset().value());
      if (is_hidden) wanted.erase(wanted.lower_bound(batch->base_offset().value()), wanted.end());
      position = next;
    }
    PutOnDisk(replica, files);
    auto log = Open(replica, stop);
    ASSERT_TRUE(log.ok()) << log.error().message;
    std::erase_if(wanted, [&](const auto& each) {
      return record::BatchView(AsBytes(each.second)).next_offset() <= (*log)->log_start_offset();
    });
    std::map<int64_t, std::string> found = ReadAll(**log, random);
    for (const auto& [base, bytes] : wanted) {
      ASSERT_TRUE(found.contains(base)) << base;
      ASSERT_EQ(found.at(base), bytes) << base;
    }
    ExpectNeighboursUntouched();
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace kb::log
