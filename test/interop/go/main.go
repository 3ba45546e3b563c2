// What Go's clients make of the broker: franz-go as a member of a group that says what it does, line by line, and rounds of
// administration through kadm, which goes with it, and through Sarama. go_clients_test.py runs them and looks at the lines.
//
//	clients member ADDRESS GROUP TOPIC classic|consumer     until the standard input ends
//	clients produce ADDRESS TOPIC FIRST COUNT               values FIRST…, to partitions by turns
//	clients kadm ADDRESS
//	clients sarama ADDRESS
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func must(err error) {
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	must(err)
	return n
}

func member(address, group, topic, protocol string) {
	say := bufio.NewWriter(os.Stdout)
	options := []kgo.Opt{
		kgo.SeedBrokers(address), kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.BlockRebalanceOnPoll(), kgo.SessionTimeout(6 * time.Second),
		kgo.HeartbeatInterval(200 * time.Millisecond), kgo.FetchMaxWait(100 * time.Millisecond),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, got map[string][]int32) {
			fmt.Println("assigned", got[topic])
		}),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, gone map[string][]int32) {
			fmt.Println("revoked", gone[topic])
		}),
	}
	if protocol == "consumer" {
		options = append(options, kgo.ServerSideBalancer())
	}
	client, err := kgo.NewClient(options...)
	must(err)
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		for in := bufio.NewReader(os.Stdin); ; {
			if _, err := in.ReadByte(); err != nil {
				stop()
				return
			}
		}
	}()
	for ctx.Err() == nil {
		fetches := client.PollRecords(ctx, 20)
		fetches.EachError(func(topic string, partition int32, err error) {
			if ctx.Err() == nil {
				fmt.Println("trouble", topic, partition, err)
			}
		})
		fetches.EachRecord(func(record *kgo.Record) {
			fmt.Fprintln(say, "read", record.Partition, record.Offset, string(record.Value))
		})
		say.Flush() // processed; only then is it committed
		if records := fetches.Records(); len(records) > 0 {
			if err := client.CommitRecords(context.Background(), records...); err != nil {
				fmt.Println("uncommitted", err)
			}
		}
		client.AllowRebalance()
	}
	client.Close()
	fmt.Println("closed")
}

func produce(address, topic string, first, count int) {
	client, err := kgo.NewClient(kgo.SeedBrokers(address), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()),
		kgo.DefaultProduceTopic(topic))
	must(err)
	for i := first; i < first+count; i++ {
		client.Produce(context.Background(), kgo.StringRecord(strconv.Itoa(i)), func(_ *kgo.Record, err error) { must(err) })
	}
	must(client.Flush(context.Background()))
	client.Close()
}

func main() {
	a := os.Args[1:]
	switch {
	case len(a) == 5 && a[0] == "member":
		member(a[1], a[2], a[3], a[4])
	case len(a) == 5 && a[0] == "produce":
		produce(a[1], a[2], number(a[3]), number(a[4]))
	case len(a) == 2 && a[0] == "sarama":
		saramaAdmin(a[1])
	case len(a) == 2 && a[0] == "kadm":
		kadmAdmin(a[1])
	default:
		fmt.Println("usage: see main.go")
		os.Exit(2)
	}
}
