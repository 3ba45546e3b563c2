// dump-log next to what Apache Kafka's kafka-dump-log.sh printed for the same files: byte for byte on the standard output;
// what is wrong with the files, which it says in no certain order, line for line.
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "inspect/dump_log.h"
#include "inspect/golden_directory.h"
#include "inspect/java_text.h"

namespace kb::inspect {
namespace {

class DumpLogGoldenTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    files_ = new test::SimFileSystem;
    PutGoldenDirectory("clean.tar.zst", *files_);
    expected_ = new std::map<std::string, std::string>(test::ReadGoldenArchive("dump_log/clean.tar.zst"));
  }
  static void TearDownTestSuite() {
    delete files_;
    delete expected_;
  }

  // Runs with the options on the files that the recorded output is about.
  void Compare(const std::string& name, std::vector<std::string_view> arguments) {
    const std::string& expected = expected_->at("./" + name + ".out");
    ASSERT_FALSE(expected.empty());
    std::string list = FilesIn(expected);
    arguments.push_back("--files");
    arguments.push_back(list);
    Result<DumpOptions> options = ParseDumpArguments(arguments);
    ASSERT_TRUE(options.ok()) << options.error().message;
    std::ostringstream out, err;
    EXPECT_EQ(DumpLog(*files_, *options, out, err), 0);
    ExpectSameLines(WithoutRoot(out.str()), expected);
    auto errors = expected_->find("./" + name + ".err");
    EXPECT_EQ(SortedLines(err.str()), errors == expected_->end() ? "" : SortedLines(errors->second));
  }

 private:
  static std::string FilesIn(const std::string& output) {
    std::string list;
    std::istringstream lines(output);
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with("Dumping ")) list += (list.empty() ? "" : ",") + ("/golden/" + line.substr(8));
    }
    return list;
  }
  static std::string WithoutRoot(std::string text) {
    for (size_t at = 0; (at = text.find("/golden/", at)) != std::string::npos;) text.erase(at, 8);
    return text;
  }
  static std::string SortedLines(const std::string& text) {
    std::vector<std::string> all;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) all.push_back(line);
    std::sort(all.begin(), all.end());
    std::string sorted;
    for (const std::string& line : all) sorted += line + "\n";
    return sorted;
  }
  static void ExpectSameLines(const std::string& actual, const std::string& expected) {
    if (actual == expected) return;
    std::istringstream ours(actual), theirs(expected);
    std::string our, their;
    for (int line = 1; std::getline(theirs, their); ++line) {
      std::getline(ours, our);
      ASSERT_EQ(our, their) << "line " << line;
    }
    EXPECT_EQ(actual.size(), expected.size());
  }

  static test::SimFileSystem* files_;
  static std::map<std::string, std::string>* expected_;
};
test::SimFileSystem* DumpLogGoldenTest::files_;
std::map<std::string, std::string>* DumpLogGoldenTest::expected_;

TEST_F(DumpLogGoldenTest, EveryKindOfFile) { Compare("plain", {}); }
TEST_F(DumpLogGoldenTest, EveryRecord) { Compare("deep", {"--deep-iteration"}); }
TEST_F(DumpLogGoldenTest, KeysAndValues) { Compare("print", {"--print-data-log"}); }
TEST_F(DumpLogGoldenTest, KeysAndValuesAlone) { Compare("skip", {"--print-data-log", "--skip-record-metadata"}); }
TEST_F(DumpLogGoldenTest, NothingAtAllOfARecord) { Compare("skipdeep", {"--deep-iteration", "--skip-record-metadata"}); }
TEST_F(DumpLogGoldenTest, GroupsAndOffsets) { Compare("offsets", {"--offsets-decoder"}); }
TEST_F(DumpLogGoldenTest, ClusterMetadata) { Compare("meta", {"--cluster-metadata-decoder"}); }
TEST_F(DumpLogGoldenTest, Transactions) { Compare("txn", {"--transaction-log-decoder"}); }
TEST_F(DumpLogGoldenTest, ShareGroups) { Compare("share", {"--share-group-state-decoder"}); }
TEST_F(DumpLogGoldenTest, IndexesThatWouldBeKept) { Compare("sanity", {"--index-sanity-check"}); }
TEST_F(DumpLogGoldenTest, IndexesHeldAgainstTheirSegments) { Compare("verify", {"--verify-index-only"}); }
TEST_F(DumpLogGoldenTest, RecordsThatAreNoMetadata) { Compare("wrongmeta", {"--cluster-metadata-decoder"}); }
TEST_F(DumpLogGoldenTest, RecordsOfAnotherCoordinator) {
  Compare("wrongtxn", {"--transaction-log-decoder"});
  Compare("wrongshare", {"--share-group-state-decoder"});
}

}  // namespace
}  // namespace kb::inspect
