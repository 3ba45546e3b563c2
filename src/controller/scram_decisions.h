// What becomes of a request to change SCRAM credentials (KIP-554): a pure function of an image and the request to
// records and a response, error for error as Apache Kafka's controller decides (the texts are ours). The client has
// salted the password; what is stored is made from that here.
#pragma once

#include "base/arena.h"
#include "message/alter_user_scram_credentials_request.h"
#include "message/alter_user_scram_credentials_response.h"
#include "metadata/image.h"
#include "metadata/record.h"

namespace kb::controller {

// A request says one thing about a user: a second one, of whatever mechanism, refuses both. The response views into the
// request and the arena.
message::AlterUserScramCredentialsResponse DecideAlterUserScramCredentials(
    const metadata::MetadataImage& image, const message::AlterUserScramCredentialsRequest& request, Arena& arena,
    metadata::RecordList& records);

}  // namespace kb::controller
