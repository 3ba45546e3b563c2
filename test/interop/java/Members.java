import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.WakeupException;

/**
 * Members of consumer groups, each a KafkaConsumer in a thread of its own, that commit what they have processed.
 *
 * One command a line on standard input:
 *   start NAME names|regex TOPICS KEY=VALUE …      a consumer with this configuration that subscribes to this
 *   names NAME TOPICS, regex NAME TOPICS           … and now to this
 *   close NAME
 * What happens, one event a line on standard output:
 *   NAME assigned T-P,…   NAME revoked T-P,…   NAME lost T-P,…        after each: all that it has: NAME has T-P,…
 *   NAME got TOPIC PARTITION OFFSET VALUE                             before it is committed
 *   NAME committed TOPIC PARTITION OFFSET
 *   NAME failed CLASS MESSAGE                                         goes on
 *   NAME closed
 */
public final class Members {
    private static synchronized void say(Object... words) {
        System.out.println(Arrays.stream(words).map(String::valueOf).collect(Collectors.joining(" ")));
        System.out.flush();
    }

    private static String text(Collection<TopicPartition> partitions) {
        return partitions.stream().map(TopicPartition::toString).sorted().collect(Collectors.joining(","));
    }

    private static final class Member extends Thread implements ConsumerRebalanceListener {
        private final KafkaConsumer<String, String> consumer;
        private String[] wish;  // what it is to subscribe to next: names or regex, and which
        private volatile boolean ends;

        Member(String name, String how, String what, Properties config) {
            super(name);
            consumer = new KafkaConsumer<>(config);
            wish = new String[] {how, what};
        }

        synchronized void wish(String how, String what) {
            wish = new String[] {how, what};
        }

        void end() {
            ends = true;
            consumer.wakeup();
        }

        private synchronized void subscribe() {
            if (wish == null) {
                return;
            }
            if (wish[0].equals("regex")) {
                consumer.subscribe(new SubscriptionPattern(wish[1]), this);
            } else {
                consumer.subscribe(Arrays.asList(wish[1].split(",")), this);
            }
            wish = null;
        }

        @Override
        public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
            say(getName(), "assigned", text(partitions));
            say(getName(), "has", text(consumer.assignment()));
        }

        @Override
        public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
            say(getName(), "revoked", text(partitions));
        }

        @Override
        public void onPartitionsLost(Collection<TopicPartition> partitions) {
            say(getName(), "lost", text(partitions));
        }

        private void turn() {
            subscribe();
            ConsumerRecords<String, String> records = consumer.poll(Duration.ofMillis(200));
            Map<TopicPartition, Long> next = new TreeMap<>((a, b) -> a.toString().compareTo(b.toString()));
            for (ConsumerRecord<String, String> record : records) {
                say(getName(), "got", record.topic(), record.partition(), record.offset(), record.value());
                next.put(new TopicPartition(record.topic(), record.partition()), record.offset() + 1);
            }
            if (next.isEmpty()) {
                return;
            }
            Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
            next.forEach((partition, offset) -> offsets.put(partition, new OffsetAndMetadata(offset)));
            consumer.commitSync(offsets);
            next.forEach((partition, offset) -> say(getName(), "committed", partition.topic(), partition.partition(), offset));
        }

        @Override
        public void run() {
            while (!ends) {
                try {
                    turn();
                } catch (WakeupException woken) {
                    continue;
                } catch (Exception failed) {
                    say(getName(), "failed", failed.getClass().getSimpleName(), failed.getMessage());
                }
            }
            consumer.close();
            say(getName(), "closed");
        }
    }

    public static void main(String[] arguments) throws Exception {
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        Map<String, Member> members = new HashMap<>();
        for (String line = commands.readLine(); line != null; line = commands.readLine()) {
            String[] words = line.split(" ");
            Member member = members.get(words[1]);
            switch (words[0]) {
                case "start":
                    Properties config = new Properties();
                    config.put("key.deserializer", "org.apache.kafka.common.serialization.StringDeserializer");
                    config.put("value.deserializer", "org.apache.kafka.common.serialization.StringDeserializer");
                    config.put("enable.auto.commit", "false");
                    config.put("auto.offset.reset", "earliest");
                    for (int i = 4; i < words.length; i++) {
                        String[] pair = words[i].split("=", 2);
                        config.put(pair[0], pair[1]);
                    }
                    member = new Member(words[1], words[2], words[3], config);
                    members.put(words[1], member);
                    member.start();
                    break;
                case "close":
                    member.end();
                    break;
                default:
                    member.wish(words[0], words[2]);
                    break;
            }
        }
        System.exit(0);
    }
}
