// verify on Apache Kafka's directories as they are, and on copies with one thing wrong.
#include "inspect/verify.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <sstream>

#include "inspect/golden_directory.h"
#include "log/log_directory.h"

namespace kb::inspect {
namespace {

class VerifyTest : public testing::Test {
 protected:
  void SetUp() override { PutGoldenDirectory("clean.tar.zst", files_); }

  int Run(std::vector<std::string> directories = {"/golden"}) {
    out_.str("");
    err_.str("");
    return Verify(files_, directories, out_, err_);
  }
  // The findings: all lines but the summary.
  std::string Findings() {
    EXPECT_EQ(Run(), 65) << out_.str() << err_.str();
    std::string text = out_.str();
    return text.substr(0, text.rfind("verified "));
  }
  // Exactly one finding, and these are its words.
  void ExpectOne(const std::string& line) { EXPECT_EQ(Findings(), "/golden/" + line + "\n"); }
  void Flip(const std::string& name, size_t at, char by = 1) {
    std::string content = files_.Get("/golden/" + name);
    ASSERT_LT(at, content.size());
    content[at] = static_cast<char>(content[at] ^ by);
    files_.Put("/golden/" + name, content);
  }
  void Cut(const std::string& name, size_t bytes) {
    std::string content = files_.Get("/golden/" + name);
    ASSERT_LE(bytes, content.size());
    files_.Put("/golden/" + name, content.substr(0, content.size() - bytes));
  }
  void Replace(const std::string& name, const std::string& from, const std::string& to) {
    std::string content = files_.Get("/golden/" + name);
    size_t at = content.find(from);
    ASSERT_NE(at, std::string::npos);
    files_.Put("/golden/" + name, content.replace(at, from.size(), to));
  }
  void Remove(const std::string& name) { ASSERT_TRUE(files_.Remove("/golden/" + name).ok()); }

  test::SimFileSystem files_;
  std::ostringstream out_, err_;
};

TEST_F(VerifyTest, GoldenDirectoriesAreCleanAndStayAsTheyAre) {
  auto before = files_.Contents();
  uint64_t changes = files_.changing_calls();
  EXPECT_EQ(Run(), 0);
  EXPECT_EQ(out_.str(),
            "verified 39 partitions, 70 segments, 521 batches, 1242 records, 235 index entries, 77513 bytes of log; "
            "0 foreign files left alone; 0 findings\n");
  EXPECT_EQ(err_.str(), "");
  EXPECT_EQ(files_.changing_calls(), changes);
  EXPECT_EQ(files_.Contents(), before);

  test::SimFileSystem fresh;
  PutGoldenDirectory("fresh.tar.zst", fresh);
  EXPECT_EQ(Verify(fresh, {"/golden/"}, out_, err_), 0);
}

// ---- segments

TEST_F(VerifyTest, AByteInABatch) {
  Flip("codecs-0/00000000000000000000.log", 200);
  ExpectOne("codecs-0/00000000000000000000.log: position 0, offset 0: the checksum of the batch is wrong; the next whole "
            "batch begins at position 500");
}

TEST_F(VerifyTest, AnyByteOfASegmentCounts) {
  const std::string name = "tx-1/00000000000000000023.log";
  const size_t size = files_.Get("/golden/" + name).size();
  for (size_t at = 0; at < size; ++at) {
    Flip(name, at);
    EXPECT_EQ(Run(), 65) << "byte " << at;
    Flip(name, at);
  }
  EXPECT_EQ(Run(), 0);
}

TEST_F(VerifyTest, ALengthThatReachesBehindTheFile) {
  Flip("codecs-0/00000000000000000000.log", 500 + 8, 0x40);
  ExpectOne("codecs-0/00000000000000000000.log: position 500, offset 10: no batch begins here; the next whole batch begins "
            "at position 1077");
}

TEST_F(VerifyTest, ATornTail) {
  Cut("lat-0/00000000000000000000.log", 20);
  std::string findings = Findings();
  EXPECT_NE(findings.find("lat-0/00000000000000000000.log: position 166, offset 4: no batch begins here; the last 63 bytes "
                          "hold no whole batch\n"),
            std::string::npos)
      << findings;
  // What was promised of them does not hold either.
  EXPECT_NE(findings.find("/golden/recovery-point-offset-checkpoint: offset 6: is behind the end of /golden/lat-0, 4\n"),
            std::string::npos)
      << findings;
}

TEST_F(VerifyTest, ABatchThatIsMissingInTheMiddle) {
  const std::string path = "/golden/codecs-0/00000000000000000000.log";
  std::string content = files_.Get(path);
  files_.Put(path, content.erase(500, 577));
  std::string findings = Findings();
  EXPECT_NE(findings.find("position 500, offset 10: no batch holds the offsets from here to 17\n"), std::string::npos)
      << findings;
}

TEST_F(VerifyTest, ASegmentThatIsMissing) {
  for (const char* suffix : {".log", ".index", ".timeindex"}) Remove("codecs-0/00000000000000000030" + std::string(suffix));
  ExpectOne("codecs-0/00000000000000000058.log: position 0, offset 30: no batch holds the offsets from here to 57");
}

TEST_F(VerifyTest, AGapWhereCompactionWas) {
  // A cleaning that was cut short had come further than the checkpoint says.
  Replace("cleaner-offset-checkpoint", "compacted 0 122", "compacted 0 0");
  EXPECT_EQ(Run(), 0) << out_.str();
  Replace("cleaner-offset-checkpoint", "compacted 0 0", "another 0 0");
  const std::string findings = Findings();
  EXPECT_NE(findings.find("/golden/compacted-0/00000000000000000000.log: position "), std::string::npos) << findings;
  EXPECT_NE(findings.find("no batch holds the offsets from here to"), std::string::npos) << findings;
}

TEST_F(VerifyTest, ABatchTwice) {
  const std::string path = "/golden/lat-0/00000000000000000000.log";
  files_.Put(path, files_.Get(path) + files_.Get(path).substr(166));
  ExpectOne("lat-0/00000000000000000000.log: position 249, offset 6: the batch's offset 4 is below that of the batch before; "
            "the last 83 bytes hold no whole batch");
}

// ---- indexes

TEST_F(VerifyTest, AnIndexThatIsCutShort) {
  Cut("codecs-0/00000000000000000000.index", 3);
  ExpectOne("codecs-0/00000000000000000000.index: position 16: the file ends inside of an entry");
}

TEST_F(VerifyTest, AnIndexThatLies) {
  Flip("codecs-0/00000000000000000000.index", 3);
  ExpectOne("codecs-0/00000000000000000000.index: position 0: names offset 16 for the batch that ends with 17");
  Flip("codecs-0/00000000000000000000.index", 3);
  Flip("codecs-0/00000000000000000000.index", 7);
  ExpectOne("codecs-0/00000000000000000000.index: position 0: names position 501, where no batch begins");
  Flip("codecs-0/00000000000000000000.index", 7);
  Flip("codecs-0/00000000000000000000.index", 22, 0x40);
  ExpectOne("codecs-0/00000000000000000000.index: position 16: names position 17692, where no batch begins");
}

TEST_F(VerifyTest, ATimeIndexThatLies) {
  Flip("codecs-0/00000000000000000000.timeindex", 7);
  ExpectOne("codecs-0/00000000000000000000.timeindex: position 0: says 1790000017001 of the batch whose greatest timestamp is "
            "1790000017000");
  Flip("codecs-0/00000000000000000000.timeindex", 7);
  Flip("codecs-0/00000000000000000000.timeindex", 11, 3);
  std::string findings = Findings();
  EXPECT_NE(findings.find("timeindex: position 0: names offset 18, with which no batch ends\n"), std::string::npos) << findings;
}

TEST_F(VerifyTest, ANegativeTimestampInATimeIndex) {
  Flip("codecs-0/00000000000000000000.timeindex", 0, '\x80');
  std::string findings = Findings();
  EXPECT_NE(findings.find("timeindex: position 0: says -9223370246"), std::string::npos) << findings;
}

TEST_F(VerifyTest, EveryEntryOfEveryIndexCounts) {
  for (const char* name : {"tx-0/00000000000000000030.index", "tx-0/00000000000000000030.timeindex"}) {
    const size_t size = files_.Get("/golden/" + std::string(name)).size();
    for (size_t at = 0; at < size; ++at) {
      Flip(name, at, 2);
      EXPECT_EQ(Run(), 65) << name << " byte " << at;
      Flip(name, at, 2);
    }
  }
}

TEST_F(VerifyTest, ATransactionThatIsNotInTheSegment) {
  Flip("tx-0/00000000000000000030.txnindex", 2 + 8 + 7, 0x40);
  std::string findings = Findings();
  EXPECT_NE(findings.find("txnindex: position 0: names the transaction from offset 88 to 30"), std::string::npos) << findings;
}

TEST_F(VerifyTest, RoomThatAnIndexKeepsForLaterIsNoDamage) {
  const std::string path = "/golden/codecs-0/00000000000000000058.index";
  files_.Put(path, files_.Get(path) + std::string(4096, '\0'));
  EXPECT_EQ(Run(), 0) << out_.str();
}

TEST_F(VerifyTest, AMissingIndex) {
  Remove("codecs-0/00000000000000000000.index");
  ExpectOne("codecs-0/00000000000000000000.index: missing; the next start builds it anew");
}

TEST_F(VerifyTest, AfterAKillTheLastSegmentMayDoWithoutIndexes) {
  Remove(".kafka_cleanshutdown");
  Remove("codecs-0/00000000000000000058.index");
  Remove("codecs-0/00000000000000000058.timeindex");
  EXPECT_EQ(Run(), 0) << out_.str();
}

TEST_F(VerifyTest, AfterAKillTheEpochsAreWrittenDownUpToTheRecoveryPoint) {
  Remove(".kafka_cleanshutdown");
  Remove("lat-0/leader-epoch-checkpoint");
  ExpectOne("lat-0/leader-epoch-checkpoint: missing");
  Replace("recovery-point-offset-checkpoint", "lat 0 6", "lat 0 0");
  Remove("empty-0/leader-epoch-checkpoint");
  EXPECT_EQ(Run(), 0) << out_.str();
}

TEST_F(VerifyTest, AnIndexWithoutItsSegment) {
  files_.Put("/golden/codecs-0/00000000000000000010.index", "");
  ExpectOne("codecs-0/00000000000000000010.index: belongs to no segment");
}

// ---- the small files

TEST_F(VerifyTest, GarbageInACheckpoint) {
  for (const char* name : {"recovery-point-offset-checkpoint", "log-start-offset-checkpoint",
                           "replication-offset-checkpoint", "tx-0/leader-epoch-checkpoint", "tx-0/partition.metadata",
                           "meta.properties", "__cluster_metadata-0/quorum-state", "bootstrap.checkpoint",
                           "__cluster_metadata-0/00000000000000000225-0000000001.checkpoint"}) {
    const std::string path = "/golden/" + std::string(name);
    const std::string content = files_.Get(path);
    files_.Put(path, "garbage\n");
    std::string findings = Findings();
    EXPECT_TRUE(findings.starts_with(path + ":")) << name << "\n" << findings;
    files_.Put(path, content);
  }
  EXPECT_EQ(Run(), 0);
}

TEST_F(VerifyTest, ACheckpointBehindTheEnd) {
  Replace("recovery-point-offset-checkpoint", "tx 0 64", "tx 0 65");
  ExpectOne("recovery-point-offset-checkpoint: offset 65: is behind the end of /golden/tx-0, 64");
}

TEST_F(VerifyTest, AnEpochThatDoesNotFit) {
  Replace("codecs-0/leader-epoch-checkpoint", "2 60", "2 62");
  std::string findings = Findings();
  EXPECT_NE(findings.find("codecs-0/00000000000000000058.log: position 231, offset 60: written in leader epoch 2"),
            std::string::npos)
      << findings;
  Replace("codecs-0/leader-epoch-checkpoint", "2 62", "2 66");
  findings = Findings();
  EXPECT_NE(findings.find("leader-epoch-checkpoint: offset 66: epoch 2 begins behind the end of the log, 65\n"),
            std::string::npos)
      << findings;
}

TEST_F(VerifyTest, AnEmptyCheckpointOfEpochs) {
  files_.Put("/golden/codecs-0/leader-epoch-checkpoint", "");
  ExpectOne("codecs-0/leader-epoch-checkpoint: names no epoch, and the batches do");
}

TEST_F(VerifyTest, AnEmptyTimeIndex) {
  files_.Put("/golden/codecs-0/00000000000000000030.timeindex", "");
  ExpectOne("codecs-0/00000000000000000030.timeindex: position 0: the greatest timestamp of the segment, 1790000057000, is "
            "not in it");
}

TEST_F(VerifyTest, AByteOfASnapshot) {
  const std::string name = "tx-0/00000000000000000025.snapshot";
  for (size_t at = 0; at < files_.Get("/golden/" + name).size(); ++at) {
    Flip(name, at);
    EXPECT_EQ(Run(), 65) << "byte " << at;
    Flip(name, at);
  }
}

TEST_F(VerifyTest, ASnapshotOfAnotherOffset) {
  files_.Put("/golden/tx-0/00000000000000000006.snapshot", files_.Get("/golden/tx-0/00000000000000000025.snapshot"));
  std::string findings = Findings();
  EXPECT_NE(findings.find("00000000000000000006.snapshot: offset 24: producer 11 wrote what is not below"),
            std::string::npos)
      << findings;
}

TEST_F(VerifyTest, SmallFilesThatAreMissing) {
  for (const char* name : {"meta.properties", "tx-0/partition.metadata", "tx-0/leader-epoch-checkpoint",
                           "__cluster_metadata-0/quorum-state"}) {
    const std::string content = files_.Get("/golden/" + std::string(name));
    Remove(name);
    ExpectOne(std::string(name) + ": missing");
    files_.Put("/golden/" + std::string(name), content);
  }
  Remove("lat-0/00000000000000000006.snapshot");
  ExpectOne("lat-0: offset 6: has batches of idempotent producers and no snapshot of their state");
}

TEST_F(VerifyTest, TwoIdsForOneTopic) {
  files_.Put("/golden/codecs-3/partition.metadata", files_.Get("/golden/lat-0/partition.metadata"));
  std::string findings = Findings();
  EXPECT_TRUE(findings.starts_with("/golden/codecs-3/partition.metadata: has topic id ")) << findings;
}

TEST_F(VerifyTest, TheMetadataLogIsReadToo) {
  Flip("__cluster_metadata-0/00000000000000000000.log", 150);
  std::string findings = Findings();
  EXPECT_NE(findings.find("__cluster_metadata-0/00000000000000000000.log: position 91, offset 1: the checksum"),
            std::string::npos)
      << findings;
}

// ---- what is no damage

TEST_F(VerifyTest, WhatBelongsToOthersIsLeftAlone) {
  files_.Put("/golden/lost+found/inode", "x");
  files_.Put("/golden/notes.txt", "x");
  files_.Put("/golden/tx-0/notes.txt", "x");
  files_.Put("/golden/tx-0/00000000000000000000.log.deleted", "x");
  files_.Put("/golden/gone-0.0123456789abcdef0123456789abcdef-delete/00000000000000000000.log", "x");
  EXPECT_EQ(Run(), 0) << out_.str();
  EXPECT_NE(out_.str().find("; 2 foreign files left alone; 0 findings"), std::string::npos) << out_.str();
}

// ---- directories

TEST_F(VerifyTest, ADirectoryInUseIsRefused) {
  auto lock = log::LockDataDirectory(files_, "/golden");
  ASSERT_TRUE(lock.ok());
  EXPECT_EQ(Run(), 74);
  const std::string said = err_.str();
  EXPECT_TRUE(said.starts_with("kafka-broker verify: /golden is in use by a running broker: ")) << said;
  EXPECT_EQ(said.find('\n'), said.size() - 1) << said;
  EXPECT_EQ(out_.str(), "");
}

TEST_F(VerifyTest, WhatCannotBeReadIsNotCalledDamaged) {
  EXPECT_EQ(Run({"/nowhere"}), 74);
  EXPECT_NE(err_.str().find("/nowhere"), std::string::npos);
  files_.FailNth(test::IoCall::kRead, 40, EIO);
  EXPECT_EQ(Run(), 74);
  const std::string said = err_.str();
  EXPECT_TRUE(said.starts_with("kafka-broker verify: ")) << said;
  EXPECT_EQ(said.find('\n'), said.size() - 1) << said;
}

TEST_F(VerifyTest, DirectoriesOfOneNode) {
  files_.Put("/second/meta.properties", files_.Get("/golden/meta.properties"));
  files_.Cut(test::PowerLoss::kNothing);
  EXPECT_EQ(Run({"/golden", "/second"}), 65);
  EXPECT_TRUE(out_.str().starts_with("/second/meta.properties: has the directory.id of /golden/meta.properties\n"))
      << out_.str();
}

}  // namespace
}  // namespace kb::inspect
