// Many clients at once, and every record counted.
//
//   stress --port=P --topics=a,b --partitions=4 [--producers=64] [--records=4000] [--readers=2] [--seed=S]
//
// Each producer is a connection of its own with several requests in flight; it writes its records, numbered, in batches of
// random size to partitions of random choice. At the same time every partition is followed to its end by `readers`
// consumers, each from offset 0 on a connection of its own. Afterwards:
//   - every answer came in the order of the requests, without error, with the base offset that the records then have;
//   - in every partition the offsets have no hole, and a producer's records stand in the order in which it sent them;
//   - every consumer together with those of the other partitions has seen every record of every producer exactly once.
#include <gflags/gflags.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "stress/raw_client.h"

DEFINE_int32(port, 0, "the broker's, on this machine");
DEFINE_string(topics, "", "names, separated by commas");
DEFINE_int32(partitions, 1, "of each topic");
DEFINE_int32(producers, 64, "connections that write");
DEFINE_int32(records, 4000, "by each producer");
DEFINE_int32(readers, 2, "consumers of each partition");
DEFINE_int32(in_flight, 5, "requests of a producer without an answer");
DEFINE_uint64(seed, 1, "of the random choices");

namespace {

using kb::raw::Die;

struct Place {
  int topic = 0;
  int32_t partition = 0;
  bool operator<(const Place& other) const { return std::tie(topic, partition) < std::tie(other.topic, other.partition); }
};

// What a record says about itself: who wrote it, and as its how manieth; then filler that shows damage.
std::string Value(uint32_t producer, uint32_t number, size_t filler) {
  std::string out(8 + filler, static_cast<char>('a' + number % 26));
  memcpy(out.data(), &producer, 4);
  memcpy(out.data() + 4, &number, 4);
  return out;
}

std::vector<std::string> topics;
std::atomic<int> producers_at_work;
std::mutex ends_mutex;
std::map<Place, int64_t> ends;  // log end offset by what producers were told

class Producer {
 public:
  explicit Producer(uint32_t id) : id_(id), random_(FLAGS_seed * 1000 + id), connection_(static_cast<uint16_t>(FLAGS_port)) {}

  void Run() {
    while (number_ < static_cast<uint32_t>(FLAGS_records)) {
      SendBatch();
      if (pending_.size() >= static_cast<size_t>(FLAGS_in_flight)) TakeAnswer();
    }
    while (!pending_.empty()) TakeAnswer();
    std::lock_guard<std::mutex> lock(ends_mutex);
    for (const auto& [place, end] : ends_) ends[place] = std::max(ends[place], end);
  }

 private:
  struct Pending {
    int32_t correlation_id;
    Place place;
    int64_t count;
  };

  uint32_t Below(size_t bound) { return static_cast<uint32_t>(random_() % bound); }

  void SendBatch() {
    const Place place{static_cast<int>(Below(topics.size())), static_cast<int32_t>(Below(static_cast<size_t>(FLAGS_partitions)))};
    const uint32_t count = std::min(1 + Below(40), static_cast<uint32_t>(FLAGS_records) - number_);
    std::vector<std::string> values;
    for (uint32_t i = 0; i < count; ++i) values.push_back(Value(id_, number_++, Below(200)));
    const int16_t acks = Below(2) == 0 ? 1 : -1;
    pending_.push_back({++correlation_id_, place, count});
    connection_.Send(kb::raw::ProduceRequest(correlation_id_, topics[static_cast<size_t>(place.topic)], place.partition, acks,
                                             kb::raw::Batch(values)));
  }

  void TakeAnswer() {
    const kb::raw::Produced answer = kb::raw::ParseProduced(connection_.Receive());
    const Pending expected = pending_.front();
    pending_.pop_front();
    if (answer.correlation_id != expected.correlation_id) Die("answers out of order");
    if (answer.error != 0) Die("Produce: error " + std::to_string(answer.error));
    int64_t& end = ends_[expected.place];
    if (answer.base_offset < end) Die("a base offset below that of an earlier request");
    end = answer.base_offset + expected.count;
  }

  const uint32_t id_;
  std::mt19937_64 random_;
  kb::raw::Connection connection_;
  std::deque<Pending> pending_;
  std::map<Place, int64_t> ends_;
  int32_t correlation_id_ = 0;
  uint32_t number_ = 0;
};

// Follows one partition from its beginning until the producers are done and its end is reached.
class Reader {
 public:
  explicit Reader(Place place) : place_(place), connection_(static_cast<uint16_t>(FLAGS_port)) {}

  void Run() {
    while (!Finished()) {
      connection_.Send(kb::raw::FetchRequest(++correlation_id_, topics[static_cast<size_t>(place_.topic)], place_.partition,
                                             next_, {}));
      const kb::raw::Fetched answer = kb::raw::ParseFetched(connection_.Receive());
      if (answer.correlation_id != correlation_id_) Die("Fetch: another correlation id");
      if (answer.error != 0) Die("Fetch: error " + std::to_string(answer.error));
      int64_t expected = next_;
      next_ = kb::raw::ForEachRecord(answer.records, next_, [&](int64_t offset, std::string_view value) {
        if (offset != expected++) Die("a hole in the offsets");
        Take(value);
      });
      if (next_ != expected) Die("the last batch is longer than its records");
    }
  }

  Place place() const { return place_; }
  const std::vector<std::pair<uint32_t, uint32_t>>& seen() const { return seen_; }

 private:
  bool Finished() {
    if (producers_at_work.load() > 0) return false;
    std::lock_guard<std::mutex> lock(ends_mutex);
    const auto end = ends.find(place_);
    return end == ends.end() || next_ >= end->second;
  }

  void Take(std::string_view value) {
    uint32_t producer = 0, number = 0;
    if (value.size() < 8) Die("a record that nobody wrote");
    memcpy(&producer, value.data(), 4);
    memcpy(&number, value.data() + 4, 4);
    if (value != Value(producer, number, value.size() - 8)) Die("a record that is damaged");
    const auto [last, first] = last_.emplace(producer, number);
    if (!first) {
      if (number <= last->second) Die("a producer's records out of order, or one twice");
      last->second = number;
    }
    seen_.emplace_back(producer, number);
  }

  const Place place_;
  kb::raw::Connection connection_;
  std::map<uint32_t, uint32_t> last_;
  std::vector<std::pair<uint32_t, uint32_t>> seen_;
  int32_t correlation_id_ = 0;
  int64_t next_ = 0;
};

// Every record of every producer exactly once, over all partitions.
void CountOneRound(const std::vector<const Reader*>& readers) {
  const std::vector<bool> none(static_cast<size_t>(FLAGS_records));
  std::vector<std::vector<bool>> seen(static_cast<size_t>(FLAGS_producers), none);
  size_t total = 0;
  for (const Reader* reader : readers) {
    for (const auto& [producer, number] : reader->seen()) {
      if (producer >= seen.size() || number >= seen[producer].size()) Die("a record that nobody wrote");
      if (seen[producer][number]) Die("a record twice");
      seen[producer][number] = true;
      ++total;
    }
  }
  const size_t expected = static_cast<size_t>(FLAGS_producers) * static_cast<size_t>(FLAGS_records);
  if (total != expected) Die("records lost: " + std::to_string(expected - total) + " of " + std::to_string(expected));
}

}  // namespace

int main(int argc, char** argv) {
  gflags::ParseCommandLineFlags(&argc, &argv, true);
  std::stringstream names(FLAGS_topics);
  for (std::string name; std::getline(names, name, ',');) topics.push_back(name);
  if (topics.empty() || FLAGS_port == 0) Die("usage: stress --port=P --topics=a,b --partitions=N");

  std::vector<std::thread> threads;
  std::deque<Reader> readers;
  for (int copy = 0; copy < FLAGS_readers; ++copy) {
    for (int topic = 0; topic < static_cast<int>(topics.size()); ++topic) {
      for (int32_t partition = 0; partition < FLAGS_partitions; ++partition) readers.emplace_back(Place{topic, partition});
    }
  }
  std::deque<Producer> producers;
  for (int i = 0; i < FLAGS_producers; ++i) producers.emplace_back(static_cast<uint32_t>(i));
  producers_at_work = FLAGS_producers;
  for (Reader& reader : readers) threads.emplace_back([&reader] { reader.Run(); });
  for (Producer& producer : producers) {
    threads.emplace_back([&producer] {
      producer.Run();
      producers_at_work.fetch_sub(1);
    });
  }
  for (std::thread& thread : threads) thread.join();

  const size_t places = topics.size() * static_cast<size_t>(FLAGS_partitions);
  for (size_t first = 0; first < readers.size(); first += places) {
    std::vector<const Reader*> round;
    for (size_t i = first; i < first + places; ++i) round.push_back(&readers[i]);
    CountOneRound(round);
  }
  printf("%d producers wrote %d records each; %zu consumers of %zu partitions: every record counted, %d times\n",
         FLAGS_producers, FLAGS_records, readers.size(), places, FLAGS_readers);
  return 0;
}
