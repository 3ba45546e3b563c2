#include "storage/voters_argument.h"

#include <map>
#include <optional>
#include <string>

#include "base/number.h"

namespace kb::storage {
namespace {

Error Wrong(std::string_view text, std::string_view why) {
  return Error{ErrorKind::kInvalid, "the controller '" + std::string(text) + "': " + std::string(why)};
}

// "host:" or "[host]:" from the front of `rest`; nullopt when it begins otherwise.
std::optional<std::string> TakeHost(std::string_view& rest) {
  bool bracketed = rest.starts_with("[");
  size_t end = bracketed ? rest.find(']') : rest.find(':');
  if (end == std::string_view::npos) return std::nullopt;
  std::string host(bracketed ? rest.substr(1, end - 1) : rest.substr(0, end));
  rest.remove_prefix(bracketed ? end + 1 : end);
  if (!rest.starts_with(":")) return std::nullopt;
  rest.remove_prefix(1);
  return host;
}

Result<record::Voter> ParseVoter(std::string_view text, std::string_view listener) {
  size_t at = text.find('@');
  if (at == std::string_view::npos || at == 0) return Wrong(text, "no id and no @ in front of the host");
  std::optional<int32_t> id = ParseNumber<int32_t>(text.substr(0, at));
  if (!id || *id < 0) return Wrong(text, "the id is not a number from 0 on");
  std::string_view rest = text.substr(at + 1);
  std::optional<std::string> host = TakeHost(rest);
  if (!host) return Wrong(text, "no host with a colon behind it");
  size_t colon = rest.find(':');
  if (colon == std::string_view::npos) return Wrong(text, "no port with a colon behind it");
  std::optional<uint16_t> port = ParseNumber<uint16_t>(rest.substr(0, colon));
  if (!port) return Wrong(text, "the port is not a number from 0 to 65535");
  std::optional<Uuid> directory = Uuid::Parse(rest.substr(colon + 1));
  if (!directory) return Wrong(text, "what follows the port is not the id of a directory");
  record::Voter voter;
  voter.id = BrokerId(*id);
  voter.directory_id = *directory;
  voter.endpoints.push_back({std::string(listener), *host, *port});
  return voter;
}

std::string_view Trim(std::string_view text) {
  while (text.starts_with(" ")) text.remove_prefix(1);
  while (text.ends_with(" ")) text.remove_suffix(1);
  return text;
}

}  // namespace

Result<std::vector<record::Voter>> ParseVoters(std::string_view argument, std::string_view listener) {
  std::map<BrokerId, record::Voter> sorted;
  for (bool more = true; more;) {
    size_t comma = argument.find(',');
    std::string_view text = Trim(argument.substr(0, comma));
    more = comma != std::string_view::npos;
    if (more) argument.remove_prefix(comma + 1);
    if (text.empty()) continue;
    Result<record::Voter> voter = ParseVoter(text, listener);
    if (!voter.ok()) return voter.error();
    if (!sorted.emplace(voter->id, *voter).second) return Wrong(text, "its id is there twice");
  }
  if (sorted.empty()) return Error{ErrorKind::kInvalid, "no controllers are named"};
  std::vector<record::Voter> voters;
  for (auto& [id, voter] : sorted) voters.push_back(std::move(voter));
  return voters;
}

}  // namespace kb::storage
