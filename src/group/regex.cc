#include "group/regex.h"

#include <re2/re2.h>

#include <utility>

namespace kb::group {
namespace {

std::unique_ptr<re2::RE2> Compile(std::string_view regex) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(1 << 20);
  return std::make_unique<re2::RE2>(re2::StringPiece(regex.data(), regex.size()), options);
}

// RE2/J's descriptions.
std::string_view Describe(re2::RE2::ErrorCode code) {
  using re2::RE2;
  switch (code) {
    case RE2::ErrorBadEscape:
      return "invalid escape sequence";
    case RE2::ErrorBadCharClass:
      return "invalid character class";
    case RE2::ErrorBadCharRange:
      return "invalid character class range";
    case RE2::ErrorMissingBracket:
      return "missing closing ]";
    case RE2::ErrorMissingParen:
      return "missing closing )";
    case RE2::ErrorUnexpectedParen:
      return "unexpected )";
    case RE2::ErrorTrailingBackslash:
      return "trailing backslash at end of expression";
    case RE2::ErrorRepeatArgument:
      return "missing argument to repetition operator";
    case RE2::ErrorRepeatSize:
      return "bad repetition operator";
    case RE2::ErrorRepeatOp:
      return "invalid nested repetition operator";
    case RE2::ErrorBadPerlOp:
      return "invalid or unsupported Perl syntax";
    case RE2::ErrorBadUTF8:
      return "invalid UTF-8";
    case RE2::ErrorBadNamedCapture:
      return "invalid named capture";
    case RE2::ErrorPatternTooLarge:
      return "expression too large";
    default:
      return "internal error";
  }
}

}  // namespace

TopicRegex::TopicRegex(std::string_view regex) : regex_(Compile(regex)) {}
TopicRegex::~TopicRegex() = default;
TopicRegex::TopicRegex(TopicRegex&&) noexcept = default;

bool TopicRegex::Matches(std::string_view topic) const {
  return regex_->ok() && re2::RE2::FullMatch(re2::StringPiece(topic.data(), topic.size()), *regex_);
}

Status TopicRegex::Check(std::string_view regex) {
  std::unique_ptr<re2::RE2> compiled = Compile(regex);
  if (compiled->ok()) return {};
  return Error{ErrorKind::kInvalid, std::string(Describe(compiled->error_code()))};
}

}  // namespace kb::group
