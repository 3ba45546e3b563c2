#include "controller/scram_decisions.h"

#include <map>
#include <string>
#include <variant>
#include <vector>

#include "controller/refusal.h"
#include "message/remove_user_scram_credential_record.h"
#include "message/user_scram_credential_record.h"
#include "metadata/features.h"
#include "security/scram.h"

namespace kb::controller {
namespace {

using message::AlterUserScramCredentialsRequest;
using message::AlterUserScramCredentialsResponse;
using Deletion = AlterUserScramCredentialsRequest::ScramCredentialDeletion;
using Upsertion = AlterUserScramCredentialsRequest::ScramCredentialUpsertion;

// What a request wants of one user.
struct Wish {
  std::string_view user;
  std::variant<const Deletion*, const Upsertion*> change;
  bool is_repeated = false;
};

std::vector<Wish> Collect(const AlterUserScramCredentialsRequest& request) {
  std::vector<Wish> wishes;
  std::map<std::string_view, size_t> places;
  auto add = [&](const auto& change) {
    auto [place, is_new] = places.emplace(change.name, wishes.size());
    if (is_new) {
      wishes.push_back({change.name, &change});
    } else {
      wishes[place->second].is_repeated = true;
    }
  };
  for (const Deletion& deletion : request.deletions) add(deletion);
  for (const Upsertion& upsertion : request.upsertions) add(upsertion);
  return wishes;
}

bool IsMechanism(int8_t mechanism) {
  return mechanism == static_cast<int8_t>(ScramMechanism::kSha256) ||
         mechanism == static_cast<int8_t>(ScramMechanism::kSha512);
}

Refusal CheckUser(std::string_view user, int8_t mechanism) {
  if (user.empty()) return {ErrorCode::kUnacceptableCredential, "a user's name is empty"};
  if (!IsMechanism(mechanism)) {
    return {ErrorCode::kUnsupportedSaslMechanism,
            std::to_string(mechanism) + " is no SCRAM mechanism; 1 is SCRAM-SHA-256, 2 is SCRAM-SHA-512"};
  }
  return {};
}

Refusal Check(const metadata::MetadataImage& image, const Deletion& deletion) {
  if (Refusal refusal = CheckUser(deletion.name, deletion.mechanism)) return refusal;
  metadata::ScramKey key{std::string(deletion.name), static_cast<ScramMechanism>(deletion.mechanism)};
  if (image.scram_credentials().contains(key)) return {};
  return {ErrorCode::kResourceNotFound,
          "user " + key.user + " has no credential for " + std::string(security::ScramMechanismName(key.mechanism))};
}

Refusal Check(const metadata::MetadataImage&, const Upsertion& upsertion) {
  if (Refusal refusal = CheckUser(upsertion.name, upsertion.mechanism)) return refusal;
  auto unacceptable = [](std::string why) { return Refusal{ErrorCode::kUnacceptableCredential, std::move(why)}; };
  if (upsertion.iterations < security::kLeastScramIterations) {
    return unacceptable("too few iterations: at least " + std::to_string(security::kLeastScramIterations));
  }
  if (upsertion.iterations > security::kMostScramIterations) {
    return unacceptable("too many iterations: at most " + std::to_string(security::kMostScramIterations));
  }
  // Apache Kafka calls this an unknown server error.
  if (upsertion.salted_password.empty()) return unacceptable("the salted password is empty");
  if (std::string why = security::WhyNoScram(); !why.empty()) return {ErrorCode::kUnknownServerError, std::move(why)};
  return {};
}

// What is wrong with the first mention of a user counts before that there is another.
Refusal Check(const metadata::MetadataImage& image, const Wish& wish) {
  if (image.metadata_version() < metadata::kScramSince) {
    return {ErrorCode::kUnsupportedVersion, "the cluster's metadata.version has no SCRAM credentials"};
  }
  Refusal refusal = std::visit([&](const auto* change) { return Check(image, *change); }, wish.change);
  if (refusal || !wish.is_repeated) return refusal;
  return {ErrorCode::kDuplicateResource, "the request changes a user's credentials more than once"};
}

void Write(const Deletion& deletion, metadata::RecordList& records) {
  message::RemoveUserScramCredentialRecord record;
  record.name = deletion.name;
  record.mechanism = deletion.mechanism;
  records.Add(record, 0);
}

void Write(const Upsertion& upsertion, metadata::RecordList& records) {
  security::ScramKeys keys =
      security::ScramKeysOf(static_cast<ScramMechanism>(upsertion.mechanism), upsertion.salted_password);
  message::UserScramCredentialRecord record;
  record.name = upsertion.name;
  record.mechanism = upsertion.mechanism;
  record.salt = upsertion.salt;
  record.stored_key = AsBytes(keys.stored_key);
  record.server_key = AsBytes(keys.server_key);
  record.iterations = upsertion.iterations;
  records.Add(record, 0);
}

}  // namespace

AlterUserScramCredentialsResponse DecideAlterUserScramCredentials(const metadata::MetadataImage& image,
                                                                  const AlterUserScramCredentialsRequest& request,
                                                                  Arena& arena, metadata::RecordList& records) {
  AlterUserScramCredentialsResponse response;
  for (const Wish& wish : Collect(request)) {
    Refusal refusal = Check(image, wish);
    if (!refusal) std::visit([&](const auto* change) { Write(*change, records); }, wish.change);
    auto& result = response.results.Add(arena);
    result.user = wish.user;
    Put(arena, refusal, result);
  }
  return response;
}

}  // namespace kb::controller
