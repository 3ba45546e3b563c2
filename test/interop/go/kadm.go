package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// outcome names an error of the protocol, without the words that brokers add.
func outcome(err error) string {
	if err == nil {
		return "fine"
	}
	var known *kerr.Error
	if errors.As(err, &known) {
		return known.Message
	}
	return err.Error()
}

// kadmAdmin makes one round through kadm. Every line is a call and what came of it; nothing in them differs from run to run.
func kadmAdmin(address string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	franz, err := kgo.NewClient(kgo.SeedBrokers(address))
	must(err)
	defer franz.Close()
	client := kadm.NewClient(franz)
	say := func(call string, values ...any) { fmt.Println(append([]any{call + ":"}, values...)...) }

	retention := "600000"
	created, err := client.CreateTopics(ctx, 3, 1, map[string]*string{"retention.ms": &retention}, "franz", "bad name")
	must(err)
	for _, topic := range created.Sorted() {
		say("create "+topic.Topic, outcome(topic.Err), topic.NumPartitions, topic.ReplicationFactor)
	}
	again, err := client.CreateTopic(ctx, 1, 1, nil, "franz")
	say("create again", again.Topic, outcome(err))
	validated, err := client.ValidateCreateTopics(ctx, 2, 1, nil, "validated")
	must(err)
	say("validate", outcome(validated["validated"].Err), validated["validated"].NumPartitions)
	updated, err := client.UpdatePartitions(ctx, 4, "franz")
	must(err)
	say("partitions", outcome(updated["franz"].Err))
	until(func() bool {
		ends, err := client.ListEndOffsets(ctx, "franz")
		return err == nil && len(ends["franz"]) == 4 && ends.Error() == nil
	})

	produce(address, "franz", 0, 100)
	ends, err := client.ListEndOffsets(ctx, "franz")
	must(err)
	total := int64(0)
	ends.Each(func(end kadm.ListedOffset) { total += end.Offset })
	say("ends", len(ends["franz"]), total)
	var cut kadm.Offsets
	cut.AddOffset("franz", 0, 5, -1)
	deleted, err := client.DeleteRecords(ctx, cut)
	must(err)
	deleted.Each(func(one kadm.DeleteRecordsResponse) {
		say("delete records", one.Partition, outcome(one.Err), one.LowWatermark)
	})

	committed, err := client.CommitOffsets(ctx, "franz-group", cut)
	must(err)
	committed.Each(func(one kadm.OffsetResponse) { say("commit", one.Partition, outcome(one.Err)) })
	fetched, err := client.FetchOffsets(ctx, "franz-group")
	must(err)
	fetched.Each(func(one kadm.OffsetResponse) { say("committed", one.Partition, one.At, outcome(one.Err)) })
	lag, err := client.Lag(ctx, "franz-group", "no-such-group")
	must(err)
	for _, one := range lag.Sorted() {
		say("lag", one.Group, one.State, one.Lag.Total(), outcome(one.Error()))
	}
	groups, err := client.ListGroups(ctx)
	must(err)
	for _, group := range groups.Sorted() {
		say("group", group.Group, group.State)
	}
	removed, err := client.DeleteGroups(ctx, "franz-group", "no-such-group")
	must(err)
	for _, group := range removed.Sorted() {
		say("delete group", group.Group, outcome(group.Err))
	}

	altered, err := client.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "retention.ms", Value: &retention},
		{Op: kadm.AppendConfig, Name: "cleanup.policy", Value: kadm.StringPtr("compact")}}, "franz", "no-such-topic")
	must(err)
	for _, topic := range altered {
		say("alter", topic.Name, outcome(topic.Err))
	}
	var configs kadm.ResourceConfigs
	until(func() bool {
		configs, err = client.DescribeTopicConfigs(ctx, "franz")
		must(err)
		for _, config := range configs[0].Configs {
			if config.Key == "cleanup.policy" && config.MaybeValue() == "delete,compact" {
				return true
			}
		}
		return false
	})
	for _, config := range configs[0].Configs {
		if config.Key == "retention.ms" || config.Key == "cleanup.policy" {
			say("config", config.Key, config.MaybeValue(), config.Source)
		}
	}
	users, err := client.AlterUserSCRAMs(ctx, nil, []kadm.UpsertSCRAM{{User: "franz", Mechanism: kadm.ScramSha256, Iterations: 4096,
		Password: "secret"}})
	must(err)
	for _, user := range users.Sorted() {
		say("user", user.User, outcome(user.Err))
	}
	var described kadm.DescribedUserSCRAMs
	until(func() bool {
		described, err = client.DescribeUserSCRAMs(ctx, "franz", "nobody")
		return err == nil && described["franz"].Err == nil
	})
	must(err)
	for _, user := range described.Sorted() {
		say("user", user.User, outcome(user.Err), user.CredInfos)
	}
	gone, err := client.DeleteTopics(ctx, "franz", "no-such-topic")
	must(err)
	for _, name := range []string{"franz", "no-such-topic"} {
		say("delete", name, outcome(gone[name].Err))
	}
}
