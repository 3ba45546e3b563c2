// What becomes of requests about access control entries: pure functions of an image and the request to records and a
// response, error for error as Apache Kafka's controller decides (the texts are ours). Whether anybody heeds the
// entries is not known here; see Options::authorizer of the broker.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/arena.h"
#include "base/random.h"
#include "message/create_acls_request.h"
#include "message/create_acls_response.h"
#include "message/delete_acls_request.h"
#include "message/delete_acls_response.h"
#include "message/describe_acls_request.h"
#include "message/describe_acls_response.h"
#include "metadata/image.h"
#include "metadata/record.h"

namespace kb::controller {

// Most entries that one DeleteAcls removes.
inline constexpr size_t kMostAclsPerRequest = 10'000;

// An entry that exists already, or that the request has twice, is a success and is written once.
message::CreateAclsResponse DecideCreateAcls(const metadata::MetadataImage& image,
                                             const message::CreateAclsRequest& request, Random& random, Arena& arena,
                                             metadata::RecordList& records);

// Each filter's result lists what it matches; what several match is removed once.
message::DeleteAclsResponse DecideDeleteAcls(const metadata::MetadataImage& image,
                                             const message::DeleteAclsRequest& request, Arena& arena,
                                             metadata::RecordList& records);

// The entries that match, by resource. Views into the image.
message::DescribeAclsResponse DescribeAcls(const metadata::MetadataImage& image,
                                           const message::DescribeAclsRequest& request, Arena& arena);

}  // namespace kb::controller
