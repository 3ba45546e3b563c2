package main

import (
	"errors"
	"fmt"
	"sort"
	"time"

	"github.com/IBM/sarama"
)

// named is outcome for the errors of Sarama.
func named(err error) string {
	if err == nil {
		return "fine"
	}
	var code sarama.KError
	var topic *sarama.TopicError
	switch {
	case errors.As(err, &topic):
		code = topic.Err
	case !errors.As(err, &code):
		return err.Error()
	}
	return fmt.Sprint(int16(code))
}

// until waits for what a broker may learn a moment later.
func until(holds func() bool) {
	for i := 0; i < 600 && !holds(); i++ {
		time.Sleep(50 * time.Millisecond)
	}
}

func has(entries []sarama.ConfigEntry, name, value string) bool {
	for _, entry := range entries {
		if entry.Name == name {
			return entry.Value == value
		}
	}
	return false
}

// saramaAdmin makes one round through Sarama's ClusterAdmin, which automation is often built on, with its defaults.
func saramaAdmin(address string) {
	config := sarama.NewConfig()
	config.Version = sarama.MaxVersion
	config.Producer.Return.Successes = true
	admin, err := sarama.NewClusterAdmin([]string{address}, config)
	must(err)
	defer admin.Close()
	say := func(call string, values ...any) { fmt.Println(append([]any{call + ":"}, values...)...) }

	retention := "600000"
	detail := &sarama.TopicDetail{NumPartitions: 3, ReplicationFactor: 1, ConfigEntries: map[string]*string{"retention.ms": &retention}}
	say("create", named(admin.CreateTopic("sarama", detail, false)))
	say("create again", named(admin.CreateTopic("sarama", detail, false)))
	say("create bad name", named(admin.CreateTopic("bad name", detail, false)))
	say("validate", named(admin.CreateTopic("validated", detail, true)))
	say("partitions", named(admin.CreatePartitions("sarama", 4, nil, false)))
	say("fewer partitions", named(admin.CreatePartitions("sarama", 2, nil, false)))
	until(func() bool {
		topics, err := admin.ListTopics()
		return err == nil && topics["sarama"].NumPartitions == 4
	})
	topics, err := admin.ListTopics()
	must(err)
	for name, topic := range topics {
		say("topic "+name, topic.NumPartitions, topic.ReplicationFactor, *topic.ConfigEntries["retention.ms"])
	}
	described, err := admin.DescribeTopics([]string{"sarama", "no-such-topic"})
	must(err)
	sort.Slice(described, func(i, j int) bool { return described[i].Name < described[j].Name })
	for _, topic := range described {
		say("describe "+topic.Name, int16(topic.Err), len(topic.Partitions))
	}
	brokers, controller, err := admin.DescribeCluster()
	must(err)
	say("cluster", len(brokers), controller)

	producer, err := sarama.NewSyncProducer([]string{address}, config)
	must(err)
	for i := 0; i < 20; i++ {
		_, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: "sarama", Key: sarama.StringEncoder("k"),
			Value: sarama.StringEncoder(fmt.Sprint(i))})
		must(err)
	}
	must(producer.Close())
	say("delete records", named(admin.DeleteRecords("sarama", map[int32]int64{0: 0, 1: 0})))

	compact := "compact"
	say("alter incrementally", named(admin.IncrementalAlterConfig(sarama.TopicResource, "sarama",
		map[string]sarama.IncrementalAlterConfigsEntry{"cleanup.policy": {Operation: sarama.IncrementalAlterConfigsOperationAppend,
			Value: &compact}}, false)))
	say("alter", named(admin.AlterConfig(sarama.TopicResource, "sarama", map[string]*string{"segment.ms": &retention}, false)))
	wanted := sarama.ConfigResource{Type: sarama.TopicResource, Name: "sarama",
		ConfigNames: []string{"segment.ms", "retention.ms", "cleanup.policy"}}
	var entries []sarama.ConfigEntry
	until(func() bool {
		entries, err = admin.DescribeConfig(wanted)
		return err == nil && len(entries) == 3 && has(entries, "segment.ms", retention)
	})
	must(err)
	sort.Slice(entries, func(i, j int) bool { return entries[i].Name < entries[j].Name })
	for _, entry := range entries {
		say("config", entry.Name, entry.Value, entry.Source)
	}
	groups, err := admin.ListConsumerGroups()
	must(err)
	say("groups", len(groups))
	say("delete group", named(admin.DeleteConsumerGroup("no-such-group")))
	users, err := admin.UpsertUserScramCredentials([]sarama.AlterUserScramCredentialsUpsert{{Name: "sarama",
		Mechanism: sarama.SCRAM_MECHANISM_SHA_512, Iterations: 4096, Salt: []byte("salt"), Password: []byte("secret")}})
	must(err)
	for _, user := range users {
		say("user", user.User, int16(user.ErrorCode))
	}
	dirs, err := admin.DescribeLogDirs([]int32{1})
	must(err)
	say("directories", len(dirs[1]), int16(dirs[1][0].ErrorCode))
	user := "sarama"
	say("quota", named(admin.AlterClientQuotas([]sarama.QuotaEntityComponent{{EntityType: sarama.QuotaEntityUser,
		MatchType: sarama.QuotaMatchExact, Name: user}}, sarama.ClientQuotasOp{Key: "producer_byte_rate", Value: 1e9}, false)))
	var quotas []sarama.DescribeClientQuotasEntry
	until(func() bool {
		quotas, err = admin.DescribeClientQuotas([]sarama.QuotaFilterComponent{{EntityType: sarama.QuotaEntityUser,
			MatchType: sarama.QuotaMatchExact, Match: user}}, true)
		return err == nil && len(quotas) == 1
	})
	must(err)
	for _, quota := range quotas {
		say("quota", quota.Values)
	}
	say("delete", named(admin.DeleteTopic("sarama")))
	say("delete again", named(admin.DeleteTopic("no-such-topic")))
}
