// What Apache Kafka 4.3.1's own assignors made of thousands of inputs, ours make of them, too, to the last partition.
//
// test/interop/java/Assignments.java wrote the inputs and the results, and says what a line means. Read is the file
// that the environment variable ASSIGNOR_RESULTS names, or else test/golden/assignor/results.txt.gz (seed 1, 60
// sequences). Each step starts from what Apache Kafka made of the one before, so that one difference does not cause
// others.
#include <gtest/gtest.h>

#include <charconv>
#include <cstdlib>
#include <map>
#include <sstream>

#include "group/assignor.h"
#include "group/java_order.h"
#include "group/partition_of_group.h"
#include "message/golden.h"

namespace kb::group {
namespace {

std::string ResultsPath() {
  const char* path = std::getenv("ASSIGNOR_RESULTS");
  return path != nullptr && *path != '\0' ? path : GOLDEN_SOURCE_DIR "/assignor/results.txt.gz";
}

int64_t Number(std::string_view text) {
  int64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  EXPECT_TRUE(error == std::errc() && end == text.data() + text.size()) << text;
  return value;
}

std::vector<std::string> Split(const std::string& text, char by) {
  std::vector<std::string> parts;
  if (text == "-") return parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, by);) parts.push_back(part);
  return parts;
}

std::vector<int32_t> Numbers(const std::string& text) {
  std::vector<int32_t> numbers;
  for (const std::string& part : Split(text, ',')) numbers.push_back(static_cast<int32_t>(Number(part)));
  return numbers;
}

Uuid Id(const std::string& hex) {
  std::string bytes = golden::FromHex(hex);
  return Uuid::FromBytes(AsBytes(bytes));
}

// "0-3,7" → 0 1 2 3 7.
template <typename Visit>
void ForEachPartition(const std::string& ranges, Visit visit) {
  for (const std::string& range : Split(ranges, ',')) {
    size_t dash = range.find('-');
    int64_t first = Number(range.substr(0, dash));
    int64_t last = dash == std::string::npos ? first : Number(range.substr(dash + 1));
    for (int64_t partition = first; partition <= last; ++partition) visit(static_cast<int32_t>(partition));
  }
}

std::string Show(const Assignment& assignment) {
  std::string text;
  for (size_t i = 0; i < assignment.topic_count(); ++i) {
    text += assignment.topic_id(i).ToString() + ":";
    for (int32_t partition : assignment.partitions(i)) text += " " + std::to_string(partition);
    text += "\n";
  }
  return text;
}

// The group of a sequence, as its lines build it.
class Group {
 public:
  void Topic(const std::vector<std::string>& words) {
    ids_[Number(words[1])] = Id(words[2]);
    partitions_[Id(words[2])] = static_cast<int32_t>(Number(words[3]));
  }
  void Subscribe(const std::vector<std::string>& words) {
    int64_t number = Number(words[1]);
    if (!members_.contains(number)) present_.push_back(number);
    MemberState& member = members_[number];
    member.id = words[2];
    member.instance = words[3];
    member.names = static_cast<size_t>(Number(words[4]));
    member.topics.clear();
    for (int32_t topic : Numbers(words[5])) member.topics.push_back(ids_.at(topic));
  }
  void Leave(const std::vector<std::string>& words) { std::erase(present_, Number(words[1])); }
  void Inherit(const std::vector<std::string>& words) {
    members_[Number(words[1])].assigned = members_[Number(words[2])].assigned;
  }

  AssignmentResult Assign(const std::vector<std::string>& words) const {
    AssignorInput input;
    for (int64_t number : present_) {
      const MemberState& member = members_.at(number);
      MemberToAssign spec{member.id, std::nullopt, member.topics, member.names, &member.assigned};
      if (member.instance != "-") spec.instance_id = member.instance;
      input.members.push_back(spec);
    }
    input.homogeneous = words[2] == "homogeneous";
    input.partitions_of = [this](const Uuid& id) -> std::optional<int32_t> {
      int32_t partitions = partitions_.at(id);
      return partitions < 0 ? std::nullopt : std::optional(partitions);
    };
    Assignor assignor = FindAssignor(words[1]);
    return assignor(input);
  }

  void TakeResult(const std::vector<std::string>& words) {
    std::vector<PartitionId> partitions;
    for (size_t i = 2; i < words.size(); ++i) {
      size_t colon = words[i].find(':');
      Uuid id = ids_.at(Number(words[i].substr(0, colon)));
      ForEachPartition(words[i].substr(colon + 1), [&](int32_t partition) { partitions.push_back({id, partition}); });
    }
    members_.at(Number(words[1])).assigned = Assignment(std::move(partitions));
  }

  void Compare(const AssignmentResult& ours) const {
    ASSERT_TRUE(ours.ok()) << ours.error().message;
    ASSERT_EQ(present_.size(), ours->size());
    for (size_t i = 0; i < present_.size(); ++i) {
      const MemberState& member = members_.at(present_[i]);
      EXPECT_EQ(Show(member.assigned), Show((*ours)[i])) << "member " << present_[i] << " " << member.id;
    }
  }

 private:
  struct MemberState {
    std::string id, instance;
    size_t names = 0;
    std::vector<Uuid> topics;
    Assignment assigned;
  };
  std::map<int64_t, Uuid> ids_;
  std::map<Uuid, int32_t> partitions_;
  std::map<int64_t, MemberState> members_;
  std::vector<int64_t> present_;  // in the order in which they joined
};

template <typename Visit>
void ForEachLine(Visit visit) {
  std::istringstream lines(golden::Unzip(ResultsPath()));
  for (std::string line; std::getline(lines, line);) visit(Split(line, ' '));
}

class Replay {
 public:
  void Line(const std::vector<std::string>& words) {
    const std::string& what = words[0];
    if (what == "sequence") Start(words[1]);
    if (what == "topic") group_.Topic(words);
    if (what == "member") group_.Subscribe(words);
    if (what == "leave") group_.Leave(words);
    if (what == "inherit") group_.Inherit(words);
    if (what == "assign") Assign(words);
    if (what == "=") group_.TakeResult(words);
    if (what == "done") Check([&] { group_.Compare(*ours_); });
    if (what == "error") Check([&] { EXPECT_FALSE(ours_->ok()); });
  }
  int steps() const { return steps_; }

 private:
  void Start(const std::string& seed) {
    group_ = Group();
    seed_ = seed;
    step_ = 0;
  }
  void Assign(const std::vector<std::string>& words) {
    ours_ = group_.Assign(words);
    how_ = words[1] + " " + words[2];
    ++step_;
    ++steps_;
  }
  template <typename Compare>
  void Check(Compare compare) const {
    SCOPED_TRACE("seed " + seed_ + ", step " + std::to_string(step_) + ", " + how_);
    compare();
  }

  Group group_;
  std::optional<AssignmentResult> ours_;
  std::string seed_, how_;
  int step_ = 0, steps_ = 0;
};

TEST(AssignorGoldenTest, EveryStepEndsAsWithApacheKafka) {
  Replay replay;
  ForEachLine([&](const std::vector<std::string>& words) {
    if (!testing::Test::HasFailure()) replay.Line(words);
  });
  EXPECT_GE(replay.steps(), 300);
  std::cout << replay.steps() << " steps\n";
}

TEST(JavaOrderGoldenTest, TablesAreWalkedAsInJava) {
  int tables = 0;
  ForEachLine([&](const std::vector<std::string>& words) {
    SCOPED_TRACE(words[0] + " " + words.back());
    auto expect = [&](const std::string& walk, const std::vector<uint32_t>& ours) {
      EXPECT_EQ(Numbers(walk), std::vector<int32_t>(ours.begin(), ours.end()));
      ++tables;
    };
    if (words[0] == "walk") {
      TableSize size = words[1] == "grown" ? TableSize::kGrown : TableSize::kCopy;
      expect(words[4], JavaWalk(Numbers(words[3]), size, static_cast<size_t>(Number(words[2]))));
    }
    if (words[0] == "timeline") expect(words[2], TimelineWalk(Numbers(words[1])));
    if (words[0] == "hash") {
      EXPECT_EQ(Number(words[2]), JavaHash(Id(words[1])));
    }
  });
  EXPECT_GE(tables, 100);
}

}  // namespace
}  // namespace kb::group
