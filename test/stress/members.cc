// Many members of many consumer groups at once, from one thread: they join, heartbeat as fast as they are answered, and
// commit as fast as they are answered. Prints one line of JSON; ends with an error where the broker answers one that
// nobody provoked, or where two members have the same partition.
//
//   members --port=P --protocol=consumer --topic=t --partitions=10 --groups=200 --members=2000 --seconds=3 [--pid=B]
//
//   settle   every member joins; until each group's partitions are all with its members, and all are of one epoch
//   beat     one heartbeat of each member in flight, for `seconds`
//   commit   one OffsetCommit of each member in flight, for `seconds`, of a partition that it has
//   check    OffsetFetch says of every partition what was committed last
//
// Each member has a connection of its own, as consumers have; with --connections they share so many, and a connection
// has at most one member of a group (a JoinGroup keeps what is behind it waiting, until the whole group has come). The
// consumer protocol is KIP-848's; with --protocol=classic the first of a group hands out the partitions.
// `resident_bytes_per_member` is what the broker's memory grew by after the connections had been opened and served.
//
// JoinGroup v5, SyncGroup v3, Heartbeat v3, ConsumerGroupHeartbeat v1, OffsetCommit v7 and v9, OffsetFetch v5.
#include <gflags/gflags.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "stress/broker_process.h"
#include "stress/raw_client.h"

DEFINE_int32(port, 0, "the broker's, on this machine");
DEFINE_int32(pid, 0, "the broker's process, whose time and memory are reported");
DEFINE_string(protocol, "consumer", "consumer or classic");
DEFINE_string(topic, "", "one that exists");
DEFINE_string(prefix, "group", "of the groups' names");
DEFINE_int32(partitions, 10, "of the topic");
DEFINE_int32(groups, 200, "");
DEFINE_int32(members, 2000, "of all groups together");
DEFINE_int32(connections, 0, "that all members share; 0: one for each");
DEFINE_double(seconds, 3, "of heartbeats, and again of commits");
DEFINE_int32(interval_ms, 500, "between heartbeats while the groups settle");
DEFINE_int32(settle_seconds, 120, "after which it is an error that they have not");

namespace {

using kb::raw::CpuUsOf;
using kb::raw::Die;
using kb::raw::In;
using kb::raw::NowUs;
using kb::raw::Out;
using kb::raw::ResidentBytesOf;

constexpr int16_t kOffsetCommit = 8, kOffsetFetch = 9, kFindCoordinator = 10, kJoinGroup = 11, kHeartbeat = 12,
                  kSyncGroup = 14, kConsumerGroupHeartbeat = 68;
constexpr int16_t kNoError = 0, kRebalanceInProgress = 27, kMemberIdRequired = 79;

// The coordinator is not there yet, or any more.
bool IsPassing(int16_t error) {
  return error >= 14 && error <= 16;
}

// ── Compact fields ──

void Unsigned(Out& out, uint64_t value) {
  for (; value > 127; value >>= 7) out.I8(static_cast<int8_t>((value & 127) | 128));
  out.I8(static_cast<int8_t>(value));
}
void Compact(Out& out, std::string_view text) {
  Unsigned(out, text.size() + 1);
  out.Raw(text);
}
void CompactNull(Out& out) {
  Unsigned(out, 0);
}
uint64_t Unsigned(In& in) {
  uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    const auto byte = static_cast<uint8_t>(in.I8());
    value |= static_cast<uint64_t>(byte & 127) << shift;
    if (byte < 128) return value;
  }
  Die("a varint is too long");
}
std::string_view Compact(In& in) {
  const uint64_t size = Unsigned(in);
  return size <= 1 ? std::string_view() : in.Raw(size - 1);
}
void NoTags(In& in) {
  if (Unsigned(in) != 0) Die("an answer with tags");
}

// ── Members ──

enum class Phase { kSettle, kBeat, kCommit, kDone };

struct Group {
  std::string id;
  std::vector<int> members;
  std::map<int32_t, int64_t> committed;
};

struct Link {
  int descriptor = -1;
  std::string input;
};

struct Member {
  int index = 0;
  int place = 0;  // in its group
  Group* group = nullptr;
  Link* link = nullptr;
  std::string id;
  int32_t epoch = 0;  // or generation
  bool joined = false;
  bool synced = false;  // classic: has the assignment of its generation
  bool is_leader = false;
  std::string topic_id;
  std::vector<int32_t> partitions;
  std::vector<std::string> everyone;  // classic leader: who is in the generation
  int16_t waits_for = -1;             // the API whose answer is to come
  int64_t due_us = 0;                 // next heartbeat while settling
};

class Crowd {
 public:
  Crowd()
      : epoll_(epoll_create1(EPOLL_CLOEXEC)),
        groups_(static_cast<size_t>(FLAGS_groups)),
        members_(static_cast<size_t>(FLAGS_members)) {
    for (size_t i = 0; i < groups_.size(); ++i) groups_[i].id = FLAGS_prefix + "-" + std::to_string(i);
    for (size_t i = 0; i < members_.size(); ++i) {
      Group& group = groups_[i % groups_.size()];
      members_[i].index = static_cast<int>(i);
      members_[i].place = static_cast<int>(group.members.size());
      members_[i].group = &group;
      if (is_consumer_) members_[i].id = FLAGS_prefix + "-member-" + std::to_string(i);
      group.members.push_back(static_cast<int>(i));
    }
    const size_t places = (members_.size() + groups_.size() - 1) / groups_.size();
    const size_t lanes = FLAGS_connections == 0 ? groups_.size() : static_cast<size_t>(FLAGS_connections) / places;
    if (lanes == 0) Die("--connections: at least one for each member of a group");
    links_.resize(places * lanes);
    for (Member& member : members_) {
      const size_t group = static_cast<size_t>(member.index) % groups_.size();
      member.link = &links_[static_cast<size_t>(member.place) * lanes + group % lanes];
    }
  }
  ~Crowd() {
    for (Link& link : links_) close(link.descriptor);
    close(epoll_);
  }

  void Run() {
    FindCoordinators();
    OpenLinks();
    const int64_t resident = ResidentBytesOf(FLAGS_pid);
    const int64_t start = NowUs(), cpu = CpuUsOf(FLAGS_pid);
    for (Member& member : members_) Next(member);
    Settle(start);
    const int64_t settled_us = NowUs() - start, settle_cpu = CpuUsOf(FLAGS_pid) - cpu;
    const int64_t grown = ResidentBytesOf(FLAGS_pid) - resident;
    const Measured beats = Measure(Phase::kBeat), commits = Measure(Phase::kCommit);
    Check();
    printf(
        "{\"members\": %zu, \"groups\": %zu, \"settle_ms\": %.1f, \"settle_cpu_ms\": %.1f, \"requests_to_settle\": "
        "%" PRId64 ", \"heartbeats\": %" PRId64 ", \"cpu_us_per_heartbeat\": %.2f, \"commits\": %" PRId64
        ", \"cpu_us_per_commit\": %.2f, \"resident_bytes_per_member\": %.0f}\n",
        members_.size(), groups_.size(), static_cast<double>(settled_us) / 1e3, static_cast<double>(settle_cpu) / 1e3,
        requests_to_settle_, beats.answers, beats.cpu_us_each(), commits.answers, commits.cpu_us_each(),
        static_cast<double>(grown) / static_cast<double>(members_.size()));
  }

 private:
  struct Measured {
    int64_t answers = 0;
    int64_t cpu_us = 0;
    double cpu_us_each() const {
      return static_cast<double>(cpu_us) / static_cast<double>(std::max<int64_t>(answers, 1));
    }
  };

  // The group's coordinator is this broker; its topic may have to be made first.
  void FindCoordinators() {
    kb::raw::Connection connection(static_cast<uint16_t>(FLAGS_port));
    const int64_t end = NowUs() + 30'000'000;
    for (const Group& group : groups_) {
      int16_t error = -1;
      while (error != kNoError) {
        Out body;
        body.String(group.id);
        body.I8(0);
        connection.Send(kb::raw::Request(kFindCoordinator, 2, 0, body.bytes()));
        In answer(connection.Receive());
        answer.I32();
        answer.I32();
        error = answer.I16();
        if (NowUs() > end) Die("FindCoordinator: error " + std::to_string(error));
      }
    }
  }

  // Each is served once, by the answer to a request without a group.
  void OpenLinks() {
    Out body;
    body.String("");
    body.I32(0);
    body.String("");
    body.NullString();
    const std::string request = kb::raw::Request(kHeartbeat, 3, 0, body.bytes());
    for (Link& link : links_) {
      link.descriptor = kb::raw::Connect(static_cast<uint16_t>(FLAGS_port));
      if (send(link.descriptor, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size())) {
        Die(std::string("send: ") + strerror(errno));
      }
      char answer[4 + 10];
      if (recv(link.descriptor, answer, sizeof answer, MSG_WAITALL) != sizeof answer)
        Die("no answer to the first request");
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.ptr = &link;
      epoll_ctl(epoll_, EPOLL_CTL_ADD, link.descriptor, &event);
    }
  }

  void Settle(int64_t start) {
    while (!IsSettled()) {
      if (NowUs() > start + FLAGS_settle_seconds * int64_t{1'000'000}) Die("the groups do not settle");
      Turn(20);
      const int64_t now = NowUs();
      for (Member& member : members_) {
        if (member.waits_for < 0 && member.due_us <= now) Next(member);
      }
    }
    while (Waiting() > 0) Turn(20);
    requests_to_settle_ = sent_;
  }

  Measured Measure(Phase phase) {
    phase_ = phase;
    const int64_t answers = answers_, cpu = CpuUsOf(FLAGS_pid);
    const int64_t end = NowUs() + static_cast<int64_t>(FLAGS_seconds * 1e6);
    for (Member& member : members_) Next(member);
    while (NowUs() < end) Turn(20);
    Measured measured{answers_ - answers, CpuUsOf(FLAGS_pid) - cpu};
    phase_ = Phase::kDone;
    while (Waiting() > 0) Turn(20);
    return measured;
  }

  size_t Waiting() const {
    return static_cast<size_t>(
        std::count_if(members_.begin(), members_.end(), [](const Member& member) { return member.waits_for >= 0; }));
  }

  bool IsSettled() const {
    return std::all_of(groups_.begin(), groups_.end(), [this](const Group& group) {
      size_t assigned = 0;
      for (int index : group.members) {
        const Member& member = members_[static_cast<size_t>(index)];
        if (!member.joined || !member.synced) return false;
        if (member.epoch != members_[static_cast<size_t>(group.members[0])].epoch) return false;
        assigned += member.partitions.size();
      }
      return assigned == static_cast<size_t>(FLAGS_partitions);
    });
  }

  void CheckNoneIsShared(const Group& group) const {
    std::set<int32_t> taken;
    for (int index : group.members) {
      for (int32_t partition : members_[static_cast<size_t>(index)].partitions) {
        if (!taken.insert(partition).second)
          Die("partition " + std::to_string(partition) + " of " + group.id + " is with two");
      }
    }
  }

  // Sends what the member has to say next.
  void Next(Member& member) {
    if (phase_ == Phase::kDone || member.waits_for >= 0) return;
    if (phase_ == Phase::kCommit) return Commit(member);
    if (is_consumer_) return Beat(member);
    if (!member.joined) return Join(member);
    if (!member.synced) return Sync(member);
    ClassicBeat(member);
  }

  void Send(Member& member, int16_t api, int16_t version, const Out& body) {
    const std::string request = kb::raw::Request(api, version, member.index, Out(body).bytes());
    if (send(member.link->descriptor, request.data(), request.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(request.size())) {
      Die(std::string("send: ") + strerror(errno));
    }
    member.waits_for = api;
    member.due_us = NowUs() + FLAGS_interval_ms * 1000;
    ++sent_;
  }

  void Beat(Member& member) {
    Out body;
    body.I8(0);  // of the header
    Compact(body, member.group->id);
    Compact(body, member.id);
    body.I32(member.epoch);
    CompactNull(body);
    CompactNull(body);
    const bool joins = !member.joined;
    body.I32(joins ? 60'000 : -1);
    if (joins) {
      Unsigned(body, 2);
      Compact(body, FLAGS_topic);
    } else {
      CompactNull(body);
    }
    CompactNull(body);
    CompactNull(body);
    if (joins || member.partitions.empty()) {
      Unsigned(body, 1);
    } else {
      Unsigned(body, 2);
      body.Raw(member.topic_id);
      Unsigned(body, member.partitions.size() + 1);
      for (int32_t partition : member.partitions) body.I32(partition);
      Unsigned(body, 0);
    }
    Unsigned(body, 0);
    Send(member, kConsumerGroupHeartbeat, 1, body);
  }

  void TakeBeat(Member& member, In& in) {
    NoTags(in);
    in.I32();
    const int16_t error = in.I16();
    const std::string_view message = Compact(in);
    if (IsPassing(error) && phase_ == Phase::kSettle) return;
    if (error != kNoError) Die(member.id + ": error " + std::to_string(error) + " " + std::string(message));
    Compact(in);
    member.joined = member.synced = true;
    member.epoch = in.I32();
    in.I32();
    if (in.I8() < 0) return;
    member.partitions.clear();
    const uint64_t topics = Unsigned(in);
    for (uint64_t i = 1; i < topics; ++i) {
      member.topic_id = in.Raw(16);
      const uint64_t partitions = Unsigned(in);
      for (uint64_t p = 1; p < partitions; ++p) member.partitions.push_back(in.I32());
      NoTags(in);
    }
    member.due_us = 0;  // says at once what it has now
    CheckNoneIsShared(*member.group);
  }

  void Join(Member& member) {
    Out body;
    body.String(member.group->id);
    body.I32(45'000);
    body.I32(60'000);
    body.String(member.id);
    body.NullString();
    body.String("consumer");
    body.I32(1);
    body.String("range");
    Out subscription;
    subscription.I16(0);
    subscription.I32(1);
    subscription.String(FLAGS_topic);
    subscription.I32(-1);
    body.I32(static_cast<int32_t>(subscription.bytes().size()));
    body.Raw(subscription.bytes());
    Send(member, kJoinGroup, 5, body);
  }

  void TakeJoin(Member& member, In& in) {
    in.I32();
    const int16_t error = in.I16();
    const int32_t generation = in.I32();
    in.String();
    const std::string leader(in.String());
    const std::string_view id = in.String();
    if (IsPassing(error)) return;
    member.id = id;
    member.due_us = 0;
    if (error == kMemberIdRequired || error == kRebalanceInProgress) return;
    if (error != kNoError) Die("JoinGroup: error " + std::to_string(error));
    member.epoch = generation;
    member.joined = true;
    member.synced = false;
    member.partitions.clear();
    member.is_leader = leader == member.id;
    member.everyone.clear();
    for (int32_t left = in.I32(); left > 0; --left) {
      member.everyone.emplace_back(in.String());
      in.String();
      in.Bytes();
    }
  }

  void Sync(Member& member) {
    Out body;
    body.String(member.group->id);
    body.I32(member.epoch);
    body.String(member.id);
    body.NullString();
    body.I32(static_cast<int32_t>(member.everyone.size()));
    for (size_t i = 0; i < member.everyone.size(); ++i) {
      body.String(member.everyone[i]);
      Out assignment;
      assignment.I16(0);
      assignment.I32(1);
      assignment.String(FLAGS_topic);
      std::vector<int32_t> partitions;
      for (size_t p = i; p < static_cast<size_t>(FLAGS_partitions); p += member.everyone.size()) {
        partitions.push_back(static_cast<int32_t>(p));
      }
      assignment.I32(static_cast<int32_t>(partitions.size()));
      for (int32_t partition : partitions) assignment.I32(partition);
      assignment.I32(-1);
      body.I32(static_cast<int32_t>(assignment.bytes().size()));
      body.Raw(assignment.bytes());
    }
    Send(member, kSyncGroup, 3, body);
  }

  void TakeSync(Member& member, In& in) {
    in.I32();
    const int16_t error = in.I16();
    member.due_us = 0;
    if (error == kRebalanceInProgress) {
      member.joined = false;
      return;
    }
    if (error != kNoError) Die("SyncGroup: error " + std::to_string(error));
    In assignment(in.Bytes());
    assignment.I16();
    member.partitions.clear();
    for (int32_t topics = assignment.I32(); topics > 0; --topics) {
      assignment.String();
      for (int32_t left = assignment.I32(); left > 0; --left) member.partitions.push_back(assignment.I32());
    }
    member.synced = true;
    member.due_us = NowUs() + FLAGS_interval_ms * 1000;
  }

  void ClassicBeat(Member& member) {
    Out body;
    body.String(member.group->id);
    body.I32(member.epoch);
    body.String(member.id);
    body.NullString();
    Send(member, kHeartbeat, 3, body);
  }

  void TakeClassicBeat(Member& member, In& in) {
    in.I32();
    const int16_t error = in.I16();
    if (error == kNoError) return;
    if (error != kRebalanceInProgress || phase_ != Phase::kSettle) Die("Heartbeat: error " + std::to_string(error));
    member.joined = member.synced = false;
    member.partitions.clear();
    member.due_us = 0;
  }

  // Those without a partition commit nothing and count nothing.
  void Commit(Member& member) {
    if (member.partitions.empty()) return;
    const int32_t partition = member.partitions[static_cast<size_t>(sent_) % member.partitions.size()];
    const int64_t offset = ++member.group->committed[partition];
    Out body;
    if (is_consumer_) {
      body.I8(0);
      Compact(body, member.group->id);
      body.I32(member.epoch);
      Compact(body, member.id);
      CompactNull(body);
      Unsigned(body, 2);
      Compact(body, FLAGS_topic);
      Unsigned(body, 2);
      body.I32(partition);
      body.I64(offset);
      body.I32(-1);
      Compact(body, "");
      for (int tags = 0; tags < 3; ++tags) Unsigned(body, 0);
      return Send(member, kOffsetCommit, 9, body);
    }
    body.String(member.group->id);
    body.I32(member.epoch);
    body.String(member.id);
    body.NullString();
    body.I32(1);
    body.String(FLAGS_topic);
    body.I32(1);
    body.I32(partition);
    body.I64(offset);
    body.I32(-1);
    body.String("");
    Send(member, kOffsetCommit, 7, body);
  }

  void TakeCommit(In& in) {
    int16_t error = kNoError;
    if (is_consumer_) NoTags(in);
    in.I32();
    if (is_consumer_) {
      Unsigned(in);
      Compact(in);
      Unsigned(in);
    } else {
      in.I32();
      in.String();
      in.I32();
    }
    in.I32();
    error = in.I16();
    if (error != kNoError) Die("OffsetCommit: error " + std::to_string(error));
  }

  void Turn(int timeout_ms) {
    epoll_event events[256];
    const int count = epoll_wait(epoll_, events, 256, timeout_ms);
    for (int i = 0; i < count; ++i) Read(*static_cast<Link*>(events[i].data.ptr));
  }

  void Read(Link& link) {
    char bytes[4096];
    const ssize_t got = recv(link.descriptor, bytes, sizeof bytes, MSG_DONTWAIT);
    if (got == 0) Die("the broker closed a connection");
    if (got < 0) {
      if (errno == EAGAIN) return;
      Die(std::string("recv: ") + strerror(errno));
    }
    link.input.append(bytes, static_cast<size_t>(got));
    size_t taken = 0;
    while (link.input.size() - taken >= 4) {
      const auto size = static_cast<size_t>(In(std::string_view(link.input).substr(taken)).I32());
      if (link.input.size() - taken - 4 < size) break;
      Take(std::string_view(link.input).substr(taken + 4, size));
      taken += 4 + size;
    }
    link.input.erase(0, taken);
  }

  // The correlation id says whose answer it is.
  void Take(std::string_view frame) {
    const auto index = static_cast<size_t>(In(frame).I32());
    if (index >= members_.size()) Die("an answer to nobody");
    Member& member = members_[index];
    Take(member, frame);
    const bool goes_on = phase_ != Phase::kSettle || (member.due_us == 0 && member.waits_for < 0);
    if (goes_on) Next(member);
  }

  void Take(Member& member, std::string_view frame) {
    In in(frame);
    in.I32();
    ++answers_;
    switch (std::exchange(member.waits_for, -1)) {
      case kConsumerGroupHeartbeat:
        return TakeBeat(member, in);
      case kJoinGroup:
        return TakeJoin(member, in);
      case kSyncGroup:
        return TakeSync(member, in);
      case kHeartbeat:
        return TakeClassicBeat(member, in);
      case kOffsetCommit:
        return TakeCommit(in);
      default:
        Die("an answer to nothing");
    }
  }

  // What was answered is there.
  void Check() const {
    kb::raw::Connection connection(static_cast<uint16_t>(FLAGS_port));
    for (const Group& group : groups_) {
      Out body;
      body.String(group.id);
      body.I32(-1);
      connection.Send(kb::raw::Request(kOffsetFetch, 5, 0, body.bytes()));
      In in(connection.Receive());
      in.I32();
      in.I32();
      std::map<int32_t, int64_t> found;
      for (int32_t topics = in.I32(); topics > 0; --topics) {
        in.String();
        for (int32_t left = in.I32(); left > 0; --left) {
          const int32_t partition = in.I32();
          found[partition] = in.I64();
          in.I32();
          in.String();
          if (in.I16() != kNoError) Die("OffsetFetch: an error of a partition of " + group.id);
        }
      }
      if (found != group.committed) Die("OffsetFetch: not what was committed to " + group.id);
    }
  }

  const bool is_consumer_ = FLAGS_protocol == "consumer";
  const int epoll_;
  std::vector<Group> groups_;
  std::vector<Member> members_;
  std::vector<Link> links_;
  Phase phase_ = Phase::kSettle;
  int64_t sent_ = 0;
  int64_t answers_ = 0;
  int64_t requests_to_settle_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  gflags::ParseCommandLineFlags(&argc, &argv, true);
  if (FLAGS_protocol != "consumer" && FLAGS_protocol != "classic") Die("--protocol: consumer or classic");
  if (FLAGS_groups < 1 || FLAGS_members < FLAGS_groups) Die("--members: at least one for each of --groups");
  if (FLAGS_topic.empty()) Die("--topic: one that exists");
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  Crowd().Run();
}
