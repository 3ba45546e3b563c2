// `kafka-broker storage`, from arguments to exit code, text and files. That text and files are those of Apache Kafka's
// own tool is shown beside it in test/interop/storage_test.py.
#include "storage/cli.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "controller/data_dirs.h"
#include "metadata/builder.h"
#include "metadata/features.h"
#include "metadata/snapshot.h"
#include "support/sim_file_system.h"

namespace kb::storage {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class StorageTest : public ::testing::Test {
 protected:
  StorageTest() { Configure(""); }

  // A node with directories /d1 (which has the metadata) and /d0.
  void Configure(const std::string& more) {
    files_.Put("/s.properties",
               "process.roles=broker,controller\nnode.id=3\ncontroller.listener.names=CONTROLLER\nlog.dirs=/d1,/d0\n"
               "listeners=PLAINTEXT://127.0.0.1:19092,CONTROLLER://127.0.0.1:19093\n" +
                   (more.empty() ? "controller.quorum.bootstrap.servers=127.0.0.1:19093\n" : more));
  }
  int Run(std::vector<std::string> arguments) {
    std::vector<const char*> argv = {"kafka-broker", "storage"};
    for (const std::string& argument : arguments) argv.push_back(argument.c_str());
    out_.str("");
    err_.str("");
    return RunSubcommand({files_, random_, 1'000, out_, err_}, static_cast<int>(argv.size()), argv.data()).value();
  }
  int Format(std::vector<std::string> more) {
    std::vector<std::string> arguments = {"format", "-c", "/s.properties", "-t", "abc"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Run(arguments);
  }
  // Format is refused with such a line, and nothing is written.
  void ExpectRefused(std::vector<std::string> more, const std::string& why) {
    auto before = files_.Contents();
    EXPECT_EQ(Format(more), 1) << why;
    EXPECT_THAT(err_.str(), HasSubstr(why));
    EXPECT_EQ(files_.Contents(), before) << why;
  }
  metadata::DecodedSnapshot Snapshot(const std::string& path) {
    Result<metadata::DecodedSnapshot> snapshot = metadata::DecodeSnapshot(AsBytes(files_.Get(path)), path);
    EXPECT_TRUE(snapshot.ok()) << snapshot.error().message;
    return snapshot.ok() ? *snapshot : metadata::DecodedSnapshot();
  }
  metadata::ImagePtr Image(const std::string& dir) {
    metadata::ImageBuilder builder(std::make_shared<const metadata::MetadataImage>());
    metadata::DecodedSnapshot bootstrap = Snapshot(dir + "/bootstrap.checkpoint");
    for (size_t i = 0; i < bootstrap.records.size(); ++i) {
      EXPECT_TRUE(builder.Replay(bootstrap.records[i], {Offset(static_cast<int64_t>(i)), LeaderEpoch(0), 0}).ok());
    }
    return builder.Publish().image;
  }

  test::SimFileSystem files_;
  Random random_{7};
  std::ostringstream out_, err_;
  static constexpr const char* kVoters = "/d1/__cluster_metadata-0/00000000000000000000-0000000000.checkpoint";
};

TEST_F(StorageTest, OtherCommandsAreNotForIt) {
  const char* argv[] = {"kafka-broker", "verify"};
  EXPECT_FALSE(RunSubcommand({files_, random_, 0, out_, err_}, 2, argv).has_value());
  EXPECT_FALSE(RunSubcommand({files_, random_, 0, out_, err_}, 1, argv).has_value());
}

TEST_F(StorageTest, AStandaloneNodeIsTheOnlyVoterUnderItsDirectorysId) {
  ASSERT_EQ(Format({"--standalone"}), 0) << err_.str();
  EXPECT_THAT(out_.str(),
              AllOf(HasSubstr("Formatting data directory /d0 with metadata.version 4.3-IV0.\n"),
                    HasSubstr("Formatting dynamic metadata voter directory /d1 with metadata.version 4.3-IV0.\n")));
  controller::DataDirsQuery query{{"/d1", "/d0"}, "/d1", BrokerId(3), "abc"};
  Result<controller::DataDirs> dirs = InspectDataDirs(files_, query, random_);
  ASSERT_TRUE(dirs.ok()) << dirs.error().message;
  metadata::DecodedSnapshot voters = Snapshot(kVoters);
  EXPECT_EQ(voters.quorum.kraft_version, 1);
  ASSERT_EQ(voters.quorum.voters.size(), 1u);
  EXPECT_EQ(voters.quorum.voters[0].id, BrokerId(3));
  EXPECT_EQ(voters.quorum.voters[0].directory_id, dirs->dirs[0].id);
  EXPECT_EQ(voters.quorum.voters[0].endpoints[0].name, "CONTROLLER");
  EXPECT_EQ(voters.quorum.voters[0].endpoints[0].port, 19093);
  EXPECT_EQ(Image("/d0")->metadata_version(), metadata::kLatestMetadataVersion);
}

TEST_F(StorageTest, NamedControllersAreTheVoters) {
  std::string list = "7@[::1]:99:JEXY6aqzQY-32P5TStzaFg, 3@example.com:8082:MvDxzVmcRsaTz33bUuRU6A";
  ASSERT_EQ(Format({"-I", list}), 0) << err_.str();
  std::vector<record::Voter> voters = Snapshot(kVoters).quorum.voters;
  ASSERT_EQ(voters.size(), 2u);
  EXPECT_EQ(voters[0].id, BrokerId(3));
  EXPECT_EQ(voters[1].endpoints[0].host, "::1");
  EXPECT_THAT(files_.Get("/d1/meta.properties"), HasSubstr("directory.id=MvDxzVmcRsaTz33bUuRU6A"));
}

TEST_F(StorageTest, AStaticQuorumHasNoVotersOnTheDisk) {
  Configure("controller.quorum.voters=3@127.0.0.1:19093\n");
  ExpectRefused({"-s"}, "controller.quorum.voters");
  ExpectRefused({"-f", "kraft.version=1"}, "kraft.version=1");
  ASSERT_EQ(Format({}), 0) << err_.str();
  EXPECT_THAT(out_.str(), HasSubstr("Formatting metadata directory /d1 "));
  EXPECT_EQ(files_.Get(kVoters), "");
}

TEST_F(StorageTest, WhatIsFormattedIsLeftAsItIs) {
  ASSERT_EQ(Format({"-s"}), 0);
  ExpectRefused({"-s"}, "is already formatted. Use --ignore-formatted");
  std::string before = files_.Get("/d1/meta.properties");
  EXPECT_EQ(Format({"-sg"}), 0);
  EXPECT_EQ(out_.str(), "All of the log directories are already formatted.\n");
  ASSERT_TRUE(files_.RemoveRecursively("/d0").ok());
  EXPECT_EQ(Format({"-sg"}), 0);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("Formatting data directory /d0 "), Not(HasSubstr("/d1"))));
  EXPECT_EQ(files_.Get("/d1/meta.properties"), before);
  EXPECT_EQ(Run({"format", "-c", "/s.properties", "-t", "other", "-sg"}), 1);
  EXPECT_THAT(err_.str(), HasSubstr("cluster.id=abc"));
}

TEST_F(StorageTest, OneOfTheWaysToAQuorumIsNeeded) {
  ExpectRefused({}, "--no-initial-controllers is needed");
  ExpectRefused({"-s", "-N"}, "not allowed with");
  for (const char* list : {"", ",", "3", "@h:1:JEXY6aqzQY-32P5TStzaFg", "x@h:1:JEXY6aqzQY-32P5TStzaFg", "3@h", "3@h:1",
                           "3@h:65536:JEXY6aqzQY-32P5TStzaFg", "3@[h:1:JEXY6aqzQY-32P5TStzaFg", "-3@h:1:x",
                           "3@h:1:short", "3@h:1:JEXY6aqzQY-32P5TStzaFg,3@h:1:MvDxzVmcRsaTz33bUuRU6A"}) {
    ExpectRefused({"--initial-controllers=" + std::string(list)}, "controller");
  }
  EXPECT_EQ(Format({"-N"}), 0) << err_.str();
  EXPECT_EQ(files_.Get(kVoters), "");
}

TEST_F(StorageTest, FeaturesAreThoseOfTheReleaseAndWhatIsAskedFor) {
  ASSERT_EQ(Format({"-s", "-r", "3.9"}), 0) << err_.str();
  EXPECT_EQ(Image("/d0")->metadata_version(), 21);
  EXPECT_EQ(Image("/d0")->finalized_features().size(), 1u);
  EXPECT_EQ(err_.str(), "");
  for (const char* dir : {"/d0", "/d1"}) ASSERT_TRUE(files_.RemoveRecursively(dir).ok());
  ASSERT_EQ(Format({"-s", "-f", "group.version=0", "-f", "share.version=1", "-f", "kraft.version=1"}), 0) << err_.str();
  EXPECT_FALSE(Image("/d0")->finalized_features().contains("group.version"));
  EXPECT_FALSE(Image("/d0")->finalized_features().contains("kraft.version"));
  EXPECT_EQ(Image("/d0")->finalized_features().at("share.version"), 1);
  EXPECT_THAT(err_.str(), AllOf(HasSubstr("transaction.version=2"), Not(HasSubstr("share.version"))));
}

TEST_F(StorageTest, FeaturesThatCannotBeAreRefused) {
  ExpectRefused({"-s", "-f", "nope=1"}, "nope");
  ExpectRefused({"-s", "-f", "group.version"}, "group.version");
  ExpectRefused({"-s", "-f", "group.version=2"}, "group.version=2");
  ExpectRefused({"-s", "-f", "group.version=99999"}, "group.version=99999");
  ExpectRefused({"-s", "-f", "kraft.version=0"}, "kraft.version=0");
  ExpectRefused({"-s", "-f", "metadata.version=31"}, "31");
  ExpectRefused({"-s", "-f", "metadata.version=30", "-r", "4.3"}, "--release-version");
  ExpectRefused({"-s", "-r", "4.4"}, "4.4");
  ExpectRefused({"-s", "-r", ""}, "metadata.version ''");
  ExpectRefused({"-s", "-r", "3.9", "-f", "eligible.leader.replicas.version=1"}, "depends on metadata.version 23");
  Configure("controller.quorum.bootstrap.servers=127.0.0.1:19093\nunstable.feature.versions.enable=true\n");
  ExpectRefused({"-s"}, "unstable.feature.versions.enable");
}

TEST_F(StorageTest, UsersAreThereFromTheBeginning) {
  ASSERT_EQ(Format({"-s", "-S", "SCRAM-SHA-256=[name=\"alice\",password=a,iterations=8192]", "-S",
                    "SCRAM-SHA-512=[name=bob,salt=\"N3E=\",saltedpassword=\"YCE=\"]"}),
            0)
      << err_.str();
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("name='alice', mechanism=1, iterations=8192"), Not(HasSubstr("Key"))));
  const auto users = Image("/d0")->scram_credentials();
  ASSERT_EQ(users.size(), 2u);
  const metadata::ScramCredential& alice = users.at({"alice", ScramMechanism::kSha256});
  EXPECT_EQ(alice.iterations, 8192);
  EXPECT_EQ(alice.salt.size(), 26u);
  const metadata::ScramCredential& bob = users.at({"bob", ScramMechanism::kSha512});
  EXPECT_EQ(bob.salt, "7q");
  EXPECT_EQ(bob.iterations, 4096);
  EXPECT_EQ(bob.stored_key.size(), 64u);
}

TEST_F(StorageTest, UsersThatCannotBeAreRefused) {
  for (const char* user :
       {"", "x", "PLAIN=[name=a,password=b]", "SCRAM-SHA-256=name=a,password=b", "SCRAM-SHA-256=[",
        "SCRAM-SHA-256=[name=a,password=b", "SCRAM-SHA-256=[]", "SCRAM-SHA-256=[name]", "SCRAM-SHA-256=[password=b]",
        "SCRAM-SHA-256=[name=a]", "SCRAM-SHA-256=[name=a,password=]",
        "SCRAM-SHA-256=[name=a,password=b,iterations=4095]", "SCRAM-SHA-256=[name=a,password=b,iterations=16385]",
        "SCRAM-SHA-256=[name=a,password=b,iterations=many]", "SCRAM-SHA-256=[name=a,password=b,salt=*]",
        "SCRAM-SHA-256=[name=a,password=b,other=1]", "SCRAM-SHA-256=[name=a,saltedpassword=YCE=]",
        "SCRAM-SHA-256=[name=a,salt=YCE=,saltedpassword=]"}) {
    ExpectRefused({"-s", "--add-scram=" + std::string(user)}, "--add-scram");
  }
  ExpectRefused({"-s", "-r", "3.4", "-S", "SCRAM-SHA-256=[name=a,password=b]"}, "3.5-IV2");
}

TEST_F(StorageTest, ArgumentsCanBeWrittenInManyWays) {
  for (std::vector<std::string> arguments :
       {std::vector<std::string>{"--conf=/s.properties", "--cluster-id", "abc", "--stand"},
        {"-c=/s.properties", "-tabc", "-sg"},
        {"-c/s.properties", "-s", "--clus=abc"},
        {"@/args"}}) {
    files_.Put("/args", "-c\n/s.properties\n-tabc\n-s\n");
    arguments.insert(arguments.begin(), "format");
    EXPECT_EQ(Run(arguments), 0) << err_.str();
    for (const char* dir : {"/d0", "/d1"}) ASSERT_TRUE(files_.RemoveRecursively(dir).ok());
  }
  for (std::vector<std::string> arguments : {std::vector<std::string>{"format", "-c", "/s.properties", "-s"},
                                             {"format", "-c", "/s.properties", "-t", "-s"},
                                             {"format", "-c", "/s.properties", "-t", "abc", "-s", "more"},
                                             {"format", "--c", "/s.properties", "-tabc", "-s"},
                                             {"format", "-c", "/s.properties", "-tabc", "-x"},
                                             {"format", "-c", "/s.properties", "-tabc", "--standalone=1"},
                                             {"format", "-c", "/none", "-tabc", "-s"},
                                             {"format", "-c", "/s.properties", "-t", "a b", "-s"},
                                             {"format", "-c", "/s.properties", "-t", "", "-s"},
                                             {"bogus"},
                                             {},
                                             {"@/none"},
                                             {"info"},
                                             {"random-uuid", "x"}}) {
    auto before = files_.Contents();
    EXPECT_EQ(Run(arguments), 1) << testing::PrintToString(arguments);
    EXPECT_NE(err_.str(), "");
    EXPECT_EQ(files_.Contents(), before);
  }
  EXPECT_EQ(Run({"format", "-h"}), 0);
  EXPECT_THAT(out_.str(), StartsWith("usage: kafka-broker storage"));
}

TEST_F(StorageTest, InfoSaysWhatIsThereAndWhatIsWrong) {
  EXPECT_EQ(Run({"info", "-c", "/s.properties"}), 1);
  EXPECT_EQ(out_.str(), "Found problems:\n  /d0 does not exist\n  /d1 does not exist\n\n");
  ASSERT_EQ(Format({"-N"}), 0);
  EXPECT_EQ(Run({"info", "-c", "/s.properties"}), 0);
  EXPECT_THAT(out_.str(), AllOf(StartsWith("Found log directories:\n  /d0\n  /d1\n\nFound metadata: {cluster.id=abc, "),
                                HasSubstr(", node.id=3, version=1}\n\n")));
  files_.Put("/d1/meta.properties", "version=1\ncluster.id=abd\nnode.id=3\n");
  EXPECT_EQ(Run({"info", "-c", "/s.properties"}), 1);
  EXPECT_THAT(out_.str(), HasSubstr("Found problem:\n  Mismatched cluster IDs between storage directories.\n\n"));
  files_.Put("/d1/meta.properties", "version=1\ncluster.id=abc\n");
  EXPECT_EQ(Run({"info", "-c", "/s.properties"}), 1);
  EXPECT_THAT(out_.str(), HasSubstr("Found problem:\n  Error loading /d1/meta.properties: "));
}

TEST_F(StorageTest, IdsAreNotTakenForOptions) {
  for (int i = 0; i < 200; ++i) {
    ASSERT_EQ(Run({"random-uuid"}), 0);
    ASSERT_EQ(out_.str().size(), 23u);
    ASSERT_NE(out_.str()[0], '-');
  }
}

TEST_F(StorageTest, ReleasesAreToldByTheirFeatures) {
  EXPECT_EQ(Run({"version-mapping", "-r", "4.0"}), 0);
  EXPECT_EQ(out_.str(),
            "metadata.version=25 (4.0)\nkraft.version=1\ntransaction.version=2\ngroup.version=1\n"
            "eligible.leader.replicas.version=0\nshare.version=0\nstreams.version=0\n");
  for (const char* unknown : {"", "3.2", "4.4", "nope", "4"})
    EXPECT_EQ(Run({"version-mapping", "-r", unknown}), 1) << unknown;
  EXPECT_EQ(Run({"feature-dependencies", "-f", "eligible.leader.replicas.version=1", "-f", "metadata.version=31"}), 0);
  EXPECT_EQ(out_.str(),
            "eligible.leader.replicas.version=1 requires:\n    metadata.version=23 (4.0-IV1)\n"
            "metadata.version=31 (4.4-IV0) has no dependencies.\n");
  for (const char* wrong :
       {"", "nope=1", "group.version", "group.version=2", "group.version=x", "metadata.version=32"}) {
    EXPECT_EQ(Run({"feature-dependencies", "-f", wrong}), 1) << wrong;
  }
}

}  // namespace
}  // namespace kb::storage
