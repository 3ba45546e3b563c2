// RegexRun: the regular expressions of a consumer group while they are being resolved, some matches at a time: a
// hundred of them and ten thousand topics are a million matches. All see the topics of the moment at which the run
// began.
//
// Reactor-affine, like the group.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "group/consumer_group.h"
#include "group/regex.h"

namespace kb::group {

// Names one behind the other: a run begins with a copy of all.
class TopicNames {
 public:
  void Add(std::string_view name) {
    text_ += name;
    ends_.push_back(text_.size());
  }
  size_t size() const { return ends_.size(); }
  std::string_view operator[](size_t i) const {
    const size_t begin = i == 0 ? 0 : ends_[i - 1];
    return std::string_view(text_).substr(begin, ends_[i] - begin);
  }

 private:
  std::string text_;
  std::vector<size_t> ends_;
};

struct RegexRun {
  std::shared_ptr<const TopicNames> topics;
  std::vector<bool> is_looked_at;  // of each topic: its hash is known
  int64_t version = 0;             // of the metadata with these topics
  int64_t timestamp_ms = 0;
  std::string regex;                   // the one that is being resolved, or was last: they are taken in order
  std::optional<TopicRegex> compiled;  // none: it has been resolved, the one behind it is next
  size_t next_topic = 0;
  ResolvedRegex resolved;  // as far as it has come
};

}  // namespace kb::group
