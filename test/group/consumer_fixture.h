// ConsumerFixture: ShardFixture with the verbs of the consumer protocol (KIP-848), and topics that come and go.
//
//   MakeTopic("t", 4);
//   EXPECT_EQ(Told(Join("a", {"t"})), "a@2 t:0,1,2,3");   // member, epoch, assignment
//   EXPECT_EQ(Told(Beat("a", 2)), "a@2");                 // nothing new
//
// Targets are computed at once (no assignment interval) unless a test says otherwise.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "group/shard_fixture.h"

namespace kb::group {

class ConsumerFixture : public ShardFixture {
 protected:
  ConsumerFixture() { topics_.settings.assignment_interval_ms = 0; }

  // ── Topics ──
  void MakeTopic(const std::string& name, int32_t partitions) {
    topics_.Create(name, partitions);
    shard_->TopicsChanged({name}, true);
  }
  void GrowTopic(const std::string& name, int32_t partitions) {
    topics_.Grow(name, partitions);
    shard_->TopicsChanged({name}, false);
  }
  void DropTopic(const std::string& name) {
    DeletedTopic topic{name, topics_.IdOf(name)};
    topics_.Delete(name);
    shard_->TopicsChanged({name}, false);
    Run(shard_->TopicsDeleted({topic}, now_));
  }
  std::vector<PartitionId> Parts(const std::string& topic, const std::vector<int32_t>& partitions) const {
    std::vector<PartitionId> ids;
    for (int32_t partition : partitions) ids.push_back({topics_.IdOf(topic), partition});
    return ids;
  }

  // ── Requests ──
  ConsumerGroupHeartbeatRequest BeatRequest(std::string member, int32_t epoch) const {
    ConsumerGroupHeartbeatRequest request;
    request.version = 1;
    request.caller = {"client", "127.0.0.1"};
    request.group_id = "g";
    request.member_id = std::move(member);
    request.member_epoch = epoch;
    return request;
  }
  ConsumerGroupHeartbeatRequest JoinRequest(std::string member, std::vector<std::string> names) const {
    ConsumerGroupHeartbeatRequest request = BeatRequest(std::move(member), 0);
    request.rebalance_timeout_ms = 30'000;
    request.subscribed_topic_names = std::move(names);
    request.owned.emplace();
    return request;
  }
  ConsumerGroupHeartbeatRequest StaticJoinRequest(std::string member, std::string instance,
                                                  std::vector<std::string> names) const {
    ConsumerGroupHeartbeatRequest request = JoinRequest(std::move(member), std::move(names));
    request.instance_id = std::move(instance);
    return request;
  }
  ConsumerGroupHeartbeatRequest StaticBeatRequest(std::string member, std::string instance, int32_t epoch) const {
    ConsumerGroupHeartbeatRequest request = BeatRequest(std::move(member), epoch);
    request.instance_id = std::move(instance);
    return request;
  }
  ConsumerGroupHeartbeatRequest RegexJoinRequest(std::string member, std::string regex) const {
    ConsumerGroupHeartbeatRequest request = JoinRequest(std::move(member), {});
    request.subscribed_topic_names.reset();
    request.subscribed_topic_regex = std::move(regex);
    return request;
  }

  Ticket Send(ConsumerGroupHeartbeatRequest request) {
    Ticket ticket = NewTicket();
    Run(shard_->ConsumerGroupHeartbeat(ticket, std::move(request), now_));
    return ticket;
  }
  Ticket Join(std::string member, std::vector<std::string> names) {
    return Send(JoinRequest(std::move(member), std::move(names)));
  }
  Ticket JoinRegex(std::string member, std::string regex) {
    return Send(RegexJoinRequest(std::move(member), std::move(regex)));
  }
  Ticket Beat(std::string member, int32_t epoch) { return Send(BeatRequest(std::move(member), epoch)); }
  // … saying what it has.
  Ticket Beat(std::string member, int32_t epoch, std::vector<PartitionId> owned) {
    ConsumerGroupHeartbeatRequest request = BeatRequest(std::move(member), epoch);
    request.owned = std::move(owned);
    return Send(std::move(request));
  }

  // ── Answers ──
  const ConsumerGroupHeartbeatResponse& Heard(Ticket ticket) const {
    return Answer<ConsumerGroupHeartbeatResponse>(ticket);
  }
  ErrorCode ErrorOf(Ticket ticket) const { return Heard(ticket).error; }
  // "member@epoch topic:0,1 …", the partitions only where the answer has some to say; an error by its number.
  std::string Told(Ticket ticket) const {
    const ConsumerGroupHeartbeatResponse& answer = Heard(ticket);
    if (answer.error != ErrorCode::kNone) return "error " + std::to_string(static_cast<int>(answer.error));
    std::string text = answer.member_id.value_or("?") + "@" + std::to_string(answer.member_epoch);
    if (!answer.assignment.has_value()) return text;
    return text + " " + TextOf(*answer.assignment);
  }
  std::string TextOf(const Assignment& assignment) const {
    std::vector<std::string> topics;
    for (size_t i = 0; i < assignment.topic_count(); ++i) {
      std::optional<TopicShape> topic = topics_.TopicById(assignment.topic_id(i));
      std::string text = (topic.has_value() ? topic->name : "gone") + ":";
      for (int32_t partition : assignment.partitions(i)) text += std::to_string(partition) + ",";
      text.pop_back();
      topics.push_back(text);
    }
    std::sort(topics.begin(), topics.end());
    if (topics.empty()) return "nothing";
    std::string all;
    for (const std::string& topic : topics) all += (all.empty() ? "" : " ") + topic;
    return all;
  }

  // ── What administrators see ──
  ConsumerGroupDescribeResponse::Group DescribeConsumer(std::string group = "g") const {
    return shard_->ConsumerGroupDescribe({{std::move(group)}}).groups.at(0);
  }
  // "Stable 2/2: a@2 t:0,1 → t:0,1; …": state, epochs of the group and of its target; of each member its epoch, what it
  // has and what it is to have.
  std::string Shown() const {
    const auto group = DescribeConsumer();
    if (group.error != ErrorCode::kNone) return "error " + std::to_string(static_cast<int>(group.error));
    std::string text =
        group.group_state + " " + std::to_string(group.group_epoch) + "/" + std::to_string(group.assignment_epoch);
    for (const auto& member : group.members) {
      text += (&member == group.members.data() ? ": " : "; ") + member.member_id + "@" +
              std::to_string(member.member_epoch) + " " + TextOf(member.assignment) + " → " +
              TextOf(member.target_assignment);
    }
    return text;
  }
  static std::string TextOf(const std::vector<ConsumerGroupDescribeResponse::Topic>& topics) {
    std::string text;
    for (const auto& topic : topics) {
      text += (text.empty() ? "" : " ") + topic.name + ":";
      for (int32_t partition : topic.partitions) text += std::to_string(partition) + ",";
      text.pop_back();
    }
    return text.empty() ? "nothing" : text;
  }

  // A shard that has read the log knows what this one knows.
  void ExpectReplayAgrees() {
    Random random(1);
    GroupShard fresh(config_, random, topics_);
    for (const LogEntry& entry : log_) ReplayInto(fresh, entry);
    EXPECT_EQ(ShardInspector::DurableState(fresh)["g"].group, ShardInspector::DurableState(*shard_)["g"].group);
  }
};

}  // namespace kb::group
