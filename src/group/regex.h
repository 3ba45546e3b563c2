// TopicRegex: which topics a consumer group's regular expression stands for. RE2's syntax, as Apache Kafka's (RE2/J):
// linear in the name's length, no look-around; a name matches as a whole.
//
// Immutable, any thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace re2 {
class RE2;
}  // namespace re2

namespace kb::group {

class TopicRegex {
 public:
  explicit TopicRegex(std::string_view regex);
  ~TopicRegex();
  TopicRegex(TopicRegex&&) noexcept;

  // False for every name when the expression is none.
  bool Matches(std::string_view topic) const;

  // kInvalid, with what is wrong in RE2/J's words.
  static Status Check(std::string_view regex);

 private:
  std::unique_ptr<re2::RE2> regex_;
};

}  // namespace kb::group
