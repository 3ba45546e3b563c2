#include "storage/arguments.h"

#include <algorithm>
#include <optional>

namespace kb::storage {
namespace {

Error Wrong(std::string message) {
  return Error{ErrorKind::kInvalid, std::move(message)};
}

std::string Spelt(const Option& option) {
  return "--" + std::string(option.name) + "/-" + option.letter;
}

Result<const Option*> FindLong(std::span<const Option> options, std::string_view name) {
  std::vector<const Option*> found;
  for (const Option& option : options) {
    if (option.name == name) return &option;
    if (!name.empty() && option.name.starts_with(name)) found.push_back(&option);
  }
  if (found.empty()) return Wrong("unrecognized argument: --" + std::string(name));
  if (found.size() > 1) return Wrong("ambiguous option: --" + std::string(name));
  return found.front();
}

class Parser {
 public:
  Parser(std::span<const Option> options, std::span<const std::string> arguments)
      : options_(options), arguments_(arguments) {}

  Result<Given> Run() {
    while (at_ < arguments_.size()) {
      std::string_view argument = arguments_[at_++];
      if (argument.size() < 2 || !argument.starts_with("-")) {
        return Wrong("unrecognized argument: '" + std::string(argument) + "'");
      }
      KB_RETURN_IF_ERROR(argument.starts_with("--") ? TakeLong(argument.substr(2)) : TakeShort(argument.substr(1)));
    }
    for (const Option& option : options_) {
      if (option.required && !given_.contains(option.name)) return Wrong("argument " + Spelt(option) + " is required");
    }
    return std::move(given_);
  }

 private:
  Status TakeLong(std::string_view text) {
    size_t equals = text.find('=');
    Result<const Option*> option = FindLong(options_, text.substr(0, equals));
    if (!option.ok()) return option.error();
    if (equals == std::string_view::npos) return Take(**option, std::nullopt);
    return Take(**option, text.substr(equals + 1));
  }

  // Letters that take no value may stand together; behind one that does, the rest is its value.
  Status TakeShort(std::string_view letters) {
    while (!letters.empty()) {
      auto option = std::find_if(options_.begin(), options_.end(),
                                 [&](const Option& one) { return one.letter == letters.front(); });
      if (option == options_.end()) return Wrong("unrecognized argument: -" + std::string(letters));
      letters.remove_prefix(1);
      if (option->takes_value && !letters.empty()) {
        return Take(*option, letters.starts_with("=") ? letters.substr(1) : letters);
      }
      KB_RETURN_IF_ERROR(Take(*option, std::nullopt));
    }
    return {};
  }

  Status Take(const Option& option, std::optional<std::string_view> value) {
    if (!option.takes_value && value) return Wrong("argument " + Spelt(option) + " takes no value");
    if (option.exclusive) {
      if (exclusive_ != nullptr && exclusive_ != &option) {
        return Wrong("argument " + Spelt(option) + ": not allowed with argument " + Spelt(*exclusive_));
      }
      exclusive_ = &option;
    }
    if (option.takes_value && !value) {
      bool there = at_ < arguments_.size() && !(arguments_[at_].size() > 1 && arguments_[at_].starts_with("-"));
      if (!there) return Wrong("argument " + Spelt(option) + ": expected one argument");
      value = arguments_[at_++];
    }
    given_[option.name].emplace_back(value.value_or(""));
    return {};
  }

  const std::span<const Option> options_;
  const std::span<const std::string> arguments_;
  size_t at_ = 0;
  const Option* exclusive_ = nullptr;
  Given given_;
};

}  // namespace

Result<Given> ParseArguments(std::span<const Option> options, std::span<const std::string> arguments) {
  return Parser(options, arguments).Run();
}

Result<std::vector<std::string>> ExpandFiles(io::FileSystem& files, std::span<const std::string_view> arguments) {
  constexpr size_t kMostBytes = 1 << 20;
  std::vector<std::string> expanded;
  for (std::string_view argument : arguments) {
    if (!argument.starts_with("@")) {
      expanded.emplace_back(argument);
      continue;
    }
    Result<std::string> text = io::ReadFile(files, std::string(argument.substr(1)), kMostBytes);
    if (!text.ok()) return text.error();
    for (std::string_view rest = *text; !rest.empty();) {
      size_t end = rest.find('\n');
      expanded.emplace_back(rest.substr(0, end));
      rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    }
  }
  return expanded;
}

}  // namespace kb::storage
