// dump-log on what is damaged, in Apache Kafka's words; and its arguments.
#include "inspect/dump_log.h"

#include <gtest/gtest.h>

#include <sstream>

#include "inspect/cli.h"
#include "inspect/golden_directory.h"
#include "inspect/java_text.h"
#include "inspect/json_text.h"

namespace kb::inspect {
namespace {

class DumpLogTest : public testing::Test {
 protected:
  void SetUp() override { PutGoldenDirectory("clean.tar.zst", files_); }
  void Change(const std::string& path, size_t at, char by) {
    std::string content = files_.Get(path);
    ASSERT_LT(at, content.size());
    content[at] = static_cast<char>(content[at] ^ by);
    files_.Put(path, content);
  }
  int Run(const std::string& file) {
    DumpOptions options;
    options.files = {"/golden/codecs-0/" + file};
    out_.str("");
    err_.str("");
    return DumpLog(files_, options, out_, err_);
  }

  const std::string folder_ = "/golden/codecs-0/";
  test::SimFileSystem files_;
  std::ostringstream out_, err_;
};

TEST_F(DumpLogTest, AWrongChecksumIsShownAndTheWalkGoesOn) {
  Change(folder_ + "00000000000000000000.log", 200, 1);
  EXPECT_EQ(Run("00000000000000000000.log"), 0);
  EXPECT_NE(out_.str().find("crc: 2659291530 isvalid: false\n"), std::string::npos) << out_.str();
  EXPECT_NE(out_.str().find("crc: 472643668 isvalid: true\n"), std::string::npos) << out_.str();
}

TEST_F(DumpLogTest, BytesThatAreNoBatchAreCounted) {
  const std::string path = folder_ + "00000000000000000000.log";
  std::string content = files_.Get(path);
  files_.Put(path, content.substr(0, content.size() - 300) + "garbage in the log");
  EXPECT_EQ(Run("00000000000000000000.log"), 0);
  EXPECT_TRUE(out_.str().ends_with("Found 201 invalid bytes at the end of 00000000000000000000.log\n")) << out_.str();
}

TEST_F(DumpLogTest, AnIndexThatNamesAnotherOffset) {
  Change(folder_ + "00000000000000000000.index", 3, 1);
  EXPECT_EQ(Run("00000000000000000000.index"), 0);
  EXPECT_EQ(err_.str(), "Mismatches in :" + folder_ + "00000000000000000000.index\n  Index offset: 16, log offset: 17\n");
}

TEST_F(DumpLogTest, AnIndexThatPointsNowhere) {
  Change(folder_ + "00000000000000000000.index", 7, 1);
  EXPECT_EQ(Run("00000000000000000000.index"), 1);
  EXPECT_NE(err_.str().find("names position 501, where no batch begins"), std::string::npos) << err_.str();
  Change(folder_ + "00000000000000000000.index", 4, '\x80');
  EXPECT_EQ(Run("00000000000000000000.index"), 1);
}

TEST_F(DumpLogTest, ATimeIndexThatIsWrong) {
  Change(folder_ + "00000000000000000000.timeindex", 7, 1);
  EXPECT_EQ(Run("00000000000000000000.timeindex"), 0);
  EXPECT_EQ(err_.str(), "Found timestamp mismatch in :" + folder_ + "00000000000000000000.timeindex\n" +
                            "  Index timestamp: 1790000017001, log timestamp: 1790000017000\n");
  Change(folder_ + "00000000000000000030.timeindex", 11, 4);
  EXPECT_EQ(Run("00000000000000000030.timeindex"), 0);
  EXPECT_EQ(err_.str(), "The following indexed offsets are not found in :" + folder_ +
                            "00000000000000000030.timeindex\nIndexed offset: 43, found log offset: 49\n");
}

TEST_F(DumpLogTest, ASnapshotWithAWrongChecksum) {
  Change(folder_ + "00000000000000000030.snapshot", 15, 1);
  EXPECT_EQ(Run("00000000000000000030.snapshot"), 0);
  EXPECT_EQ(err_.str(),
            "Snapshot is corrupt (CRC is no longer valid). Stored crc: 71317400. Computed crc: 3182023272\n");
  files_.Put(folder_ + "00000000000000000030.snapshot", "abc");
  EXPECT_EQ(Run("00000000000000000030.snapshot"), 0);
  EXPECT_EQ(err_.str(), "Snapshot failed schema validation: null\n");
}

TEST_F(DumpLogTest, FilesThatAreNotThereOrNoneOfOurs) {
  EXPECT_EQ(Run("00000000000000000007.log"), 74);
  EXPECT_EQ(Run("seven.log"), 1);
  EXPECT_EQ(Run("partition.metadata"), 0);
  EXPECT_EQ(err_.str(), "Ignoring unknown file /golden/codecs-0/partition.metadata\n");
}

TEST_F(DumpLogTest, NoLengthInASegmentMattersMoreThanItsSize) {
  Change(folder_ + "00000000000000000000.log", 8, 0x7f);
  EXPECT_EQ(Run("00000000000000000000.log"), 0);
  EXPECT_NE(out_.str().find("Found 1791 invalid bytes"), std::string::npos) << out_.str();
}

TEST_F(DumpLogTest, MostBytes) {
  DumpOptions options;
  options.files = {"/golden/tx-0/00000000000000000025.log"};
  options.max_bytes = 200;
  EXPECT_EQ(DumpLog(files_, options, out_, err_), 0);
  EXPECT_NE(out_.str().find("position: 75 "), std::string::npos);
  EXPECT_EQ(out_.str().find("position: 150 "), std::string::npos);
  EXPECT_EQ(out_.str().find("invalid"), std::string::npos);
}

int RunProgram(std::vector<const char*> arguments, std::string* error) {
  arguments.insert(arguments.begin(), "kafka-broker");
  test::SimFileSystem files;
  std::ostringstream out, err;
  int code = RunSubcommand(files, "/", static_cast<int>(arguments.size()), arguments.data(), out, err).value_or(-1);
  *error = err.str();
  return code;
}

TEST(DumpLogArguments, WhatIsWrongWithThemIsSaid) {
  std::string error;
  EXPECT_EQ(RunProgram({"dump-log"}, &error), 64);
  EXPECT_NE(error.find("--files is missing\nusage: "), std::string::npos) << error;
  EXPECT_EQ(RunProgram({"dump-log", "--files", "a.log", "--nonsense"}, &error), 64);
  EXPECT_EQ(RunProgram({"dump-log", "--files"}, &error), 64);
  EXPECT_EQ(RunProgram({"dump-log", "--files=a.log", "--max-bytes", "-1"}, &error), 64);
  EXPECT_EQ(RunProgram({"dump-log", "--files=a.log", "--max-bytes", "4294967296"}, &error), 64);
  EXPECT_EQ(RunProgram({"dump-log", "--help"}, &error), 0);
  EXPECT_EQ(RunProgram({"verify"}, &error), 64);
  EXPECT_EQ(RunProgram({"verify", "--all"}, &error), 64);
  EXPECT_EQ(RunProgram({"verify", "--help"}, &error), 0);
  EXPECT_EQ(RunProgram({"server.properties"}, &error), -1);
  EXPECT_EQ(RunProgram({}, &error), -1);
}

TEST(JavaText, WhatIsNoUtf8IsReplacedPieceByPiece) {
  const std::string r = "\xEF\xBF\xBD";
  auto text = [](std::string_view bytes) { return JavaText(AsBytes(bytes)); };
  EXPECT_EQ(text("\xC3\xBC\xE2\x82\xAC\xF0\x9F\x98\x80"), "\xC3\xBC\xE2\x82\xAC\xF0\x9F\x98\x80");
  EXPECT_EQ(text("a\xFF\xFE" "b"), "a" + r + r + "b");
  EXPECT_EQ(text("\xC0\xAF"), r + r);
  EXPECT_EQ(text("\xED\xA0\x80x"), r + "x");
  EXPECT_EQ(text("\xED\xB1'"), r + "'");
  EXPECT_EQ(text("\xE2\x82"), r);
  EXPECT_EQ(text("\xF0\x9F\x98x"), r + "x");
}

TEST(JavaText, DoublesAsJavaSpellsThem) {
  EXPECT_EQ(JavaDouble(0), "0.0");
  EXPECT_EQ(JavaDouble(1024), "1024.0");
  EXPECT_EQ(JavaDouble(-12.5), "-12.5");
  EXPECT_EQ(JavaDouble(9999999), "9999999.0");
  EXPECT_EQ(JavaDouble(1e7), "1.0E7");
  EXPECT_EQ(JavaDouble(1.25e-5), "1.25E-5");
  EXPECT_EQ(JavaDouble(0.001), "0.001");
}

TEST(JsonText, CommasAndEscapes) {
  JsonText json;
  json.BeginObject();
  json.Name("a");
  json.BeginArray();
  json.Value(int32_t{1});
  json.Null();
  json.EndArray();
  json.Name("b");
  json.Value("\"\\\n\x01");
  json.Name("c");
  json.Value(AsBytes("ab"));
  json.EndObject();
  EXPECT_EQ(json.text(), R"({"a":[1,null],"b":"\"\\\n\u0001","c":"YWI="})");
}

}  // namespace
}  // namespace kb::inspect
