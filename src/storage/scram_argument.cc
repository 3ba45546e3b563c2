#include "storage/scram_argument.h"

#include <map>
#include <optional>

#include "base/base64.h"
#include "base/number.h"
#include "security/scram.h"

namespace kb::storage {
namespace {

constexpr size_t kSaltBytes = 26;  // as many as Apache Kafka takes

using Fields = std::map<std::string, std::string, std::less<>>;

Error Wrong(std::string message) {
  return Error{ErrorKind::kInvalid, "--add-scram: " + std::move(message)};
}

std::string_view Trim(std::string_view text) {
  auto is_blank = [](char c) { return c >= '\0' && c <= ' '; };
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

// "a=1,b="2"" to its fields; of one given twice the later counts.
Result<Fields> Split(std::string_view text) {
  Fields fields;
  while (text.ends_with(",")) text.remove_suffix(1);
  for (bool more = true; more;) {
    size_t comma = text.find(',');
    std::string_view field = text.substr(0, comma);
    more = comma != std::string_view::npos;
    if (more) text.remove_prefix(comma + 1);
    size_t equals = field.find('=');
    if (equals == std::string_view::npos) return Wrong("no equals sign in '" + std::string(field) + "'");
    std::string_view value = field.substr(equals + 1);
    if (value.size() >= 2 && value.starts_with("\"") && value.ends_with("\""))
      value = value.substr(1, value.size() - 2);
    fields[std::string(field.substr(0, equals))] = value;
  }
  return fields;
}

std::optional<std::string> Take(Fields& fields, std::string_view key) {
  auto found = fields.find(key);
  if (found == fields.end()) return std::nullopt;
  std::string value = std::move(found->second);
  fields.erase(found);
  return value;
}

Result<std::optional<std::string>> TakeBytes(Fields& fields, std::string_view key) {
  std::optional<std::string> text = Take(fields, key);
  if (!text) return std::optional<std::string>();
  std::optional<std::string> bytes = FromBase64(*text);
  if (!bytes) return Wrong(std::string(key) + " is not base64");
  return bytes;
}

std::string DrawSalt(Random& random) {
  std::string salt;
  while (salt.size() < kSaltBytes) salt += static_cast<char>(random.Next() >> 56);
  return salt;
}

Result<int32_t> TakeIterations(Fields& fields) {
  std::optional<std::string> text = Take(fields, "iterations");
  if (!text) return security::kLeastScramIterations;
  std::optional<int32_t> iterations = ParseNumber<int32_t>(*text);
  if (!iterations) return Wrong("iterations: '" + *text + "' is not a number");
  if (*iterations < security::kLeastScramIterations || *iterations > security::kMostScramIterations) {
    return Wrong("iterations must be between " + std::to_string(security::kLeastScramIterations) + " and " +
                 std::to_string(security::kMostScramIterations) + ", not " + *text);
  }
  return *iterations;
}

// What the keys are made from: the one of password and saltedpassword that was given.
Result<std::string> TakeSecret(Fields& fields, const ScramUser& user, bool salt_given) {
  std::optional<std::string> password = Take(fields, "password");
  Result<std::optional<std::string>> salted = TakeBytes(fields, "saltedpassword");
  if (password) {
    if (password->empty()) return Wrong("the password is empty");
    return security::SaltPassword(user.mechanism, *password, AsBytes(user.salt), user.iterations);
  }
  if (!salted.ok()) return salted.error();
  if (!*salted) return Wrong("one of password and saltedpassword is needed");
  if (!salt_given) return Wrong("saltedpassword needs the salt that it was made with");
  if ((*salted)->empty()) return Wrong("saltedpassword is empty");
  return **salted;
}

}  // namespace

Result<ScramUser> ParseScramArgument(std::string_view argument, Random& random) {
  argument = Trim(argument);
  size_t equals = argument.find('=');
  if (equals == std::string_view::npos) return Wrong("expected MECHANISM=[name=…,password=…]");
  std::string_view name = argument.substr(0, equals);
  std::string_view list = argument.substr(equals + 1);
  std::optional<ScramMechanism> mechanism = security::ParseScramMechanism(name);
  if (!mechanism) return Wrong("the mechanism " + std::string(name) + " is not supported");
  if (list.size() < 2 || !list.starts_with("[") || !list.ends_with("]")) {
    return Wrong("what follows the mechanism stands between [ and ]");
  }
  if (std::string why = security::WhyNoScram(); !why.empty()) return Wrong(why);
  Result<Fields> fields = Split(list.substr(1, list.size() - 2));
  if (!fields.ok()) return fields.error();

  ScramUser user{.mechanism = *mechanism};
  std::optional<std::string> user_name = Take(*fields, "name");
  if (!user_name) return Wrong("the name of the user is missing");
  user.name = *std::move(user_name);
  Result<std::optional<std::string>> salt = TakeBytes(*fields, "salt");
  if (!salt.ok()) return salt.error();
  user.salt = *salt ? **salt : DrawSalt(random);
  Result<int32_t> iterations = TakeIterations(*fields);
  if (!iterations.ok()) return iterations.error();
  user.iterations = *iterations;
  Result<std::string> secret = TakeSecret(*fields, user, salt->has_value());
  if (!secret.ok()) return secret.error();
  if (!fields->empty()) return Wrong("unknown: " + fields->begin()->first);
  security::ScramKeys keys = security::ScramKeysOf(user.mechanism, AsBytes(*secret));
  user.stored_key = std::move(keys.stored_key);
  user.server_key = std::move(keys.server_key);
  return user;
}

}  // namespace kb::storage
