// The handlers, one file per API in handlers/. Each reads from top to bottom: it gets the decoded request and an empty
// response in the request's arena, and fills the response; who called it encodes and sends. Errors of the protocol go
// into the response. On the connection's reactor.
#pragma once

#include "broker/request_context.h"
#include "broker/shard.h"
#include "message/alter_client_quotas_request.h"
#include "message/alter_client_quotas_response.h"
#include "message/alter_configs_request.h"
#include "message/alter_configs_response.h"
#include "message/alter_partition_reassignments_request.h"
#include "message/alter_partition_reassignments_response.h"
#include "message/alter_replica_log_dirs_request.h"
#include "message/alter_replica_log_dirs_response.h"
#include "message/alter_user_scram_credentials_request.h"
#include "message/alter_user_scram_credentials_response.h"
#include "message/api_versions_request.h"
#include "message/api_versions_response.h"
#include "message/consumer_group_describe_request.h"
#include "message/consumer_group_describe_response.h"
#include "message/consumer_group_heartbeat_request.h"
#include "message/consumer_group_heartbeat_response.h"
#include "message/create_acls_request.h"
#include "message/create_acls_response.h"
#include "message/create_delegation_token_request.h"
#include "message/create_delegation_token_response.h"
#include "message/create_partitions_request.h"
#include "message/create_partitions_response.h"
#include "message/create_topics_request.h"
#include "message/create_topics_response.h"
#include "message/delete_acls_request.h"
#include "message/delete_acls_response.h"
#include "message/delete_groups_request.h"
#include "message/delete_groups_response.h"
#include "message/delete_records_request.h"
#include "message/delete_records_response.h"
#include "message/delete_topics_request.h"
#include "message/delete_topics_response.h"
#include "message/describe_acls_request.h"
#include "message/describe_acls_response.h"
#include "message/describe_client_quotas_request.h"
#include "message/describe_client_quotas_response.h"
#include "message/describe_cluster_request.h"
#include "message/describe_cluster_response.h"
#include "message/describe_configs_request.h"
#include "message/describe_configs_response.h"
#include "message/describe_delegation_token_request.h"
#include "message/describe_delegation_token_response.h"
#include "message/describe_groups_request.h"
#include "message/describe_groups_response.h"
#include "message/describe_log_dirs_request.h"
#include "message/describe_log_dirs_response.h"
#include "message/describe_producers_request.h"
#include "message/describe_producers_response.h"
#include "message/describe_quorum_request.h"
#include "message/describe_quorum_response.h"
#include "message/describe_topic_partitions_request.h"
#include "message/describe_topic_partitions_response.h"
#include "message/describe_user_scram_credentials_request.h"
#include "message/describe_user_scram_credentials_response.h"
#include "message/elect_leaders_request.h"
#include "message/elect_leaders_response.h"
#include "message/expire_delegation_token_request.h"
#include "message/expire_delegation_token_response.h"
#include "message/fetch_request.h"
#include "message/fetch_response.h"
#include "message/find_coordinator_request.h"
#include "message/find_coordinator_response.h"
#include "message/get_telemetry_subscriptions_request.h"
#include "message/get_telemetry_subscriptions_response.h"
#include "message/heartbeat_request.h"
#include "message/heartbeat_response.h"
#include "message/incremental_alter_configs_request.h"
#include "message/incremental_alter_configs_response.h"
#include "message/init_producer_id_request.h"
#include "message/init_producer_id_response.h"
#include "message/join_group_request.h"
#include "message/join_group_response.h"
#include "message/leave_group_request.h"
#include "message/leave_group_response.h"
#include "message/list_config_resources_request.h"
#include "message/list_config_resources_response.h"
#include "message/list_groups_request.h"
#include "message/list_groups_response.h"
#include "message/list_offsets_request.h"
#include "message/list_offsets_response.h"
#include "message/list_partition_reassignments_request.h"
#include "message/list_partition_reassignments_response.h"
#include "message/metadata_request.h"
#include "message/metadata_response.h"
#include "message/offset_commit_request.h"
#include "message/offset_commit_response.h"
#include "message/offset_delete_request.h"
#include "message/offset_delete_response.h"
#include "message/offset_fetch_request.h"
#include "message/offset_fetch_response.h"
#include "message/offset_for_leader_epoch_request.h"
#include "message/offset_for_leader_epoch_response.h"
#include "message/produce_request.h"
#include "message/produce_response.h"
#include "message/push_telemetry_request.h"
#include "message/push_telemetry_response.h"
#include "message/renew_delegation_token_request.h"
#include "message/renew_delegation_token_response.h"
#include "message/sasl_authenticate_request.h"
#include "message/sasl_authenticate_response.h"
#include "message/sasl_handshake_request.h"
#include "message/sasl_handshake_response.h"
#include "message/sync_group_request.h"
#include "message/sync_group_response.h"
#include "message/unregister_broker_request.h"
#include "message/unregister_broker_response.h"
#include "message/update_features_request.h"
#include "message/update_features_response.h"
#include "reactor/task.h"

namespace kb::broker {

#define KB_HANDLER(Api)                                                                          \
  reactor::Task<void> Handle##Api(RequestContext& context, const message::Api##Request& request, \
                                  message::Api##Response& response)

KB_HANDLER(AlterClientQuotas);
KB_HANDLER(AlterConfigs);
KB_HANDLER(AlterPartitionReassignments);
KB_HANDLER(AlterReplicaLogDirs);
KB_HANDLER(AlterUserScramCredentials);
KB_HANDLER(ApiVersions);
KB_HANDLER(ConsumerGroupDescribe);
KB_HANDLER(ConsumerGroupHeartbeat);
KB_HANDLER(CreateAcls);
KB_HANDLER(CreateDelegationToken);
KB_HANDLER(CreatePartitions);
KB_HANDLER(CreateTopics);
KB_HANDLER(DeleteAcls);
KB_HANDLER(DeleteGroups);
KB_HANDLER(DeleteRecords);
KB_HANDLER(DeleteTopics);
KB_HANDLER(DescribeAcls);
KB_HANDLER(DescribeClientQuotas);
KB_HANDLER(DescribeCluster);
KB_HANDLER(DescribeConfigs);
KB_HANDLER(DescribeDelegationToken);
KB_HANDLER(DescribeGroups);
KB_HANDLER(DescribeLogDirs);
KB_HANDLER(DescribeProducers);
KB_HANDLER(DescribeQuorum);
KB_HANDLER(DescribeTopicPartitions);
KB_HANDLER(DescribeUserScramCredentials);
KB_HANDLER(ElectLeaders);
KB_HANDLER(ExpireDelegationToken);
KB_HANDLER(Fetch);
KB_HANDLER(FindCoordinator);
KB_HANDLER(GetTelemetrySubscriptions);
KB_HANDLER(Heartbeat);
KB_HANDLER(IncrementalAlterConfigs);
KB_HANDLER(InitProducerId);
KB_HANDLER(JoinGroup);
KB_HANDLER(LeaveGroup);
KB_HANDLER(ListConfigResources);
KB_HANDLER(ListGroups);
KB_HANDLER(ListOffsets);
KB_HANDLER(ListPartitionReassignments);
KB_HANDLER(Metadata);
KB_HANDLER(OffsetCommit);
KB_HANDLER(OffsetDelete);
KB_HANDLER(OffsetFetch);
KB_HANDLER(OffsetForLeaderEpoch);
KB_HANDLER(Produce);
KB_HANDLER(PushTelemetry);
KB_HANDLER(RenewDelegationToken);
KB_HANDLER(SaslAuthenticate);
KB_HANDLER(SaslHandshake);
KB_HANDLER(SyncGroup);
KB_HANDLER(UnregisterBroker);
KB_HANDLER(UpdateFeatures);

#undef KB_HANDLER

}  // namespace kb::broker
