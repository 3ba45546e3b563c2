import java.io.PrintStream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.*;
import org.apache.kafka.common.acl.*;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.quota.*;
import org.apache.kafka.common.resource.*;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Every method of Admin that means something on one broker, with good and bad input, in one fixed order. One line for each call:
 * its name, a tab, and what came of it; what differs from run to run (ids, times, ports, directories) is replaced by a word.
 * admin_test.py runs it against this broker and against Apache Kafka, and holds the lines against each other.
 *
 * Arguments: the broker's port, the controller's, then the log directories.
 */
public final class AdminCalls {
    private static final PrintStream OUT = System.out;
    private static final int SHORT_MS = 2000, LONG_MS = 30000;  // where a time-out is the answer, and where it is none
    private static final String LOST = "AAAAAAAAAAAAAAAAAAAABA";
    private static Admin admin;
    private static String bootstrap;
    private static final Map<String, String> words = new TreeMap<>();

    // ---- what came of a call, as text

    private static String show(Object value) throws Exception {
        if (value == null) {
            return "null";
        } else if (value instanceof Throwable) {
            return "!" + value.getClass().getSimpleName();
        } else if (value instanceof KafkaFuture) {
            return outcome(((KafkaFuture<?>) value)::get);
        } else if (value instanceof Map) {
            List<String> texts = new ArrayList<>();
            for (Map.Entry<?, ?> entry : ((Map<?, ?>) value).entrySet()) {
                texts.add(plain(show(entry.getKey()) + "=" + show(entry.getValue())));
            }
            texts.sort(null);
            return texts.toString();
        } else if (value instanceof Collection) {
            List<String> texts = new ArrayList<>();
            for (Object element : (Collection<?>) value) {
                texts.add(show(element));
            }
            if (!(value instanceof List)) {
                texts.sort(null);
            }
            return texts.toString();
        } else if (value instanceof Optional) {
            return ((Optional<?>) value).isPresent() ? show(((Optional<?>) value).get()) : "none";
        } else if (value instanceof TopicDescription) {
            TopicDescription d = (TopicDescription) value;
            return show(List.of(d.name(), d.isInternal(), d.topicId(), d.partitions(), operations(d.authorizedOperations())));
        } else if (value instanceof DeletedRecords) {
            return "low watermark " + ((DeletedRecords) value).lowWatermark();
        }
        return value.toString();
    }

    private static String operations(Set<AclOperation> operations) {
        return operations == null ? "not asked" : operations.stream().map(String::valueOf).sorted().collect(Collectors.toList()).toString();
    }

    private static String outcome(Callable<?> call) throws Exception {
        try {
            return show(call.call());
        } catch (ExecutionException | CompletionException wrapped) {
            return show(wrapped.getCause());
        } catch (RuntimeException thrown) {
            return show(thrown);
        }
    }

    private static String plain(String text) {
        for (Map.Entry<String, String> word : words.entrySet()) {
            text = text.replace(word.getKey(), word.getValue());
        }
        return text.replaceAll("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UUID")
            .replaceAll("(?<![\\w!-])[\\w-]{22}(?![\\w-])", "ID").replaceAll("(?<!\\d)1[678]\\d{11}(?!\\d)", "TIME")
            .replace("\n", " ").replace("\t", " ");
    }

    private static void say(String name, Callable<?> call) throws Exception {
        OUT.println(name + "\t" + plain(outcome(call)));
    }

    private static void until(BooleanSupplier condition) throws Exception {
        for (int i = 0; i < 600 && !condition.getAsBoolean(); i++) {
            Thread.sleep(50);
        }
    }

    private static boolean quietly(Callable<Boolean> call) {
        try {
            return call.call();
        } catch (Exception retried) {
            return false;
        }
    }

    // ---- the calls

    private static NewTopic topic(String name, int partitions) {
        return new NewTopic(name, partitions, (short) 1);
    }

    private static Map<String, Object> created(CreateTopicsResult result) {
        Map<String, Object> all = new TreeMap<>();
        result.values().forEach((name, future) -> all.put(name, future.thenApply(ignored -> List.of(
            value(result.numPartitions(name)), value(result.replicationFactor(name)), value(result.config(name)).entries().stream()
                .sorted((a, b) -> a.name().compareTo(b.name())).map(AdminCalls::entry).collect(Collectors.toList())))));
        return all;
    }

    private static <T> T value(KafkaFuture<T> future) {
        try {
            return future.get();
        } catch (Exception thrown) {
            throw new CompletionException(thrown.getCause());
        }
    }

    private static String entry(ConfigEntry e) {
        return e.name() + "=" + e.value() + " " + e.source() + (e.isReadOnly() ? " read-only" : "") + (e.isSensitive() ? " sensitive" : "")
            + " " + e.type() + (e.synonyms().isEmpty() ? "" : " " + e.synonyms().stream().map(s -> s.name() + "=" + s.value() + " "
            + s.source()).collect(Collectors.toList())) + (e.documentation() == null ? "" : " documented");
    }

    private static void waitForTopic(String name, int partitions) throws Exception {
        until(() -> quietly(() -> {
            TopicDescription d = admin.describeTopics(List.of(name)).allTopicNames().get().get(name);
            Map<TopicPartition, OffsetSpec> ends = new TreeMap<>((a, b) -> a.partition() - b.partition());
            for (int p = 0; p < partitions; p++) {
                ends.put(new TopicPartition(name, p), OffsetSpec.latest());
            }
            admin.listOffsets(ends).all().get();
            return d.partitions().size() == partitions;
        }));
    }

    private static void topics() throws Exception {
        say("createTopics good", () -> created(admin.createTopics(List.of(topic("t1", 3).configs(Map.of("retention.ms", "600000")),
            new NewTopic("t2", Map.of(0, List.of(1), 1, List.of(1))), new NewTopic("t3", Optional.empty(), Optional.empty())))));
        waitForTopic("t1", 3);
        waitForTopic("t2", 2);
        waitForTopic("t3", 1);
        say("createTopics validateOnly", () -> created(admin.createTopics(List.of(topic("t4", 2), topic("t1", 1)),
            new CreateTopicsOptions().validateOnly(true))));
        String[] names = {"", ".", "..", "bad name", "a".repeat(249), "a".repeat(250), "t.1", "t_1", "\u00e4"};
        for (String name : names) {
            say("createTopics named '" + (name.length() > 9 ? name.length() : name) + "'", () ->
                created(admin.createTopics(List.of(topic(name, 1)))));
        }
        say("createTopics existing", () -> created(admin.createTopics(List.of(topic("t1", 1)))));
        say("createTopics 0 partitions", () -> created(admin.createTopics(List.of(topic("bad1", 0), topic("bad2", -2)))));
        say("createTopics replication", () -> created(admin.createTopics(List.of(new NewTopic("bad3", 1, (short) 2),
            new NewTopic("bad4", 1, (short) 0)))));
        say("createTopics configs", () -> created(admin.createTopics(List.of(topic("bad5", 1).configs(Map.of("nope", "1")),
            topic("bad6", 1).configs(Map.of("retention.ms", "soon")), topic("bad7", 1).configs(Map.of("cleanup.policy", "shred")),
            topic("bad8", 1).configs(Map.of("min.insync.replicas", "0"))))));
        say("createTopics assignments", () -> created(admin.createTopics(List.of(new NewTopic("bad9", Map.of(0, List.of(7))),
            new NewTopic("bada", Map.of(1, List.of(1))), new NewTopic("badb", Map.of(0, List.of(1, 1))),
            new NewTopic("badc", Map.of(0, List.of())), new NewTopic("badd", Map.of(0, List.of(-1)))))));
        say("listTopics", () -> Set.copyOf(admin.listTopics().listings().get()));
        say("listTopics internal", () -> admin.listTopics(new ListTopicsOptions().listInternal(true)).names().get().contains("t1"));
        say("describeTopics", () -> admin.describeTopics(List.of("t1", "t2", "none", "bad name")).topicNameValues());
        say("describeTopics authorized", () -> admin.describeTopics(List.of("t3"),
            new DescribeTopicsOptions().includeAuthorizedOperations(true)).topicNameValues());
        Uuid id = admin.describeTopics(List.of("t1")).allTopicNames().get().get("t1").topicId();
        say("describeTopics by id", () -> admin.describeTopics(TopicCollection.ofTopicIds(List.of(id))).topicIdValues());
        say("describeTopics by unknown id", () -> admin.describeTopics(TopicCollection.ofTopicIds(List.of(Uuid.fromString(LOST)))).topicIdValues());
        say("createPartitions", () -> admin.createPartitions(Map.of("t2", NewPartitions.increaseTo(3), "none", NewPartitions.increaseTo(3),
            "t1", NewPartitions.increaseTo(2), "bad name", NewPartitions.increaseTo(2))).values());
        waitForTopic("t2", 3);
        say("createPartitions same, 0", () -> admin.createPartitions(Map.of("t2", NewPartitions.increaseTo(3), "t1", NewPartitions.increaseTo(0))).values());
        say("createPartitions assigned", () -> admin.createPartitions(Map.of("t1", NewPartitions.increaseTo(4, List.of(List.of(9))),
            "t2", NewPartitions.increaseTo(5, List.of(List.of(1))), "t3", NewPartitions.increaseTo(2, List.of(List.of(1))))).values());
        waitForTopic("t3", 2);
        say("createPartitions validateOnly", () -> admin.createPartitions(Map.of("t2", NewPartitions.increaseTo(9)),
            new CreatePartitionsOptions().validateOnly(true)).values());
        say("describeTopics after", () -> admin.describeTopics(List.of("t2", "t3")).topicNameValues());
    }

    private static void deletions() throws Exception {
        Uuid id = admin.describeTopics(List.of("t3")).allTopicNames().get().get("t3").topicId();
        say("deleteTopics", () -> admin.deleteTopics(List.of("t2", "none", "bad name")).topicNameValues());
        say("deleteTopics by id", () -> admin.deleteTopics(TopicCollection.ofTopicIds(List.of(id, Uuid.fromString(LOST)))).topicIdValues());
        until(() -> quietly(() -> !admin.listTopics().names().get().contains("t3")));
        say("deleteTopics again", () -> admin.deleteTopics(List.of("t2", "t3")).topicNameValues());
    }

    private static void records() throws Exception {
        Properties p = new Properties();
        p.put("bootstrap.servers", bootstrap);
        long base = System.currentTimeMillis() - 60000;  // old enough to be in order, too young for retention
        KafkaProducer<String, String> producer = new KafkaProducer<>(p, new StringSerializer(), new StringSerializer());
        for (int i = 0; i < 10; i++) {
            producer.send(new ProducerRecord<>("t1", 0, base + (i == 4 ? 1000 : i), "k", "v" + i)).get();
        }
        TopicPartition at = new TopicPartition("t1", 0), empty = new TopicPartition("t1", 1), lost = new TopicPartition("none", 0);
        TopicPartition other = new TopicPartition("x1", 0);
        say("describeProducers", () -> admin.describeProducers(List.of(at, empty)).all().thenApply(all -> all.values().stream()
            .map(s -> s.activeProducers().stream().map(a -> "epoch " + a.producerEpoch() + " last " + a.lastSequence() + " "
                + a.coordinatorEpoch() + a.currentTransactionStartOffset()).sorted().collect(Collectors.toList())).collect(Collectors.toList())));
        say("describeProducers unknown", () -> admin.describeProducers(List.of(lost), new DescribeProducersOptions().timeoutMs(SHORT_MS)).all());
        say("describeProducers of a broker", () -> admin.describeProducers(List.of(empty), new DescribeProducersOptions().brokerId(1)).all()
            .thenApply(all -> all.size()));
        admin.createTopics(List.of(topic("x1", 1))).all().get();
        waitForTopic("x1", 1);
        producer.send(new ProducerRecord<>("x1", 0, base, "k", "v")).get();
        producer.close();
        Map<String, OffsetSpec> specs = new TreeMap<>(Map.of("earliest", OffsetSpec.earliest(), "latest", OffsetSpec.latest(),
            "max", OffsetSpec.maxTimestamp(), "time", OffsetSpec.forTimestamp(base + 5), "late", OffsetSpec.forTimestamp(base + 3600000),
            "local", OffsetSpec.earliestLocal(), "tiered", OffsetSpec.latestTiered(), "pending", OffsetSpec.earliestPendingUpload()));
        for (Map.Entry<String, OffsetSpec> spec : specs.entrySet()) {
            say("listOffsets " + spec.getKey(), () -> admin.listOffsets(Map.of(at, spec.getValue(), empty, spec.getValue())).all().get()
                .entrySet().stream().map(e -> e.getKey() + "=" + e.getValue().offset() + "/" + e.getValue().timestamp() + "/"
                    + e.getValue().leaderEpoch()).sorted().collect(Collectors.toList()));
        }
        say("listOffsets committed", () -> admin.listOffsets(Map.of(at, OffsetSpec.latest()),
            new ListOffsetsOptions(IsolationLevel.READ_COMMITTED)).all().get().get(at).offset());
        say("listOffsets unknown", () -> admin.listOffsets(Map.of(lost, OffsetSpec.latest()), new ListOffsetsOptions().timeoutMs(SHORT_MS))
            .partitionResult(lost));
        Map<TopicPartition, RecordsToDelete> cut = Map.of(at, RecordsToDelete.beforeOffset(3), empty, RecordsToDelete.beforeOffset(9));
        say("deleteRecords", () -> admin.deleteRecords(cut).lowWatermarks());
        say("deleteRecords all", () -> admin.deleteRecords(Map.of(other, RecordsToDelete.beforeOffset(-1))).lowWatermarks());
        say("deleteRecords negative", () -> admin.deleteRecords(Map.of(at, RecordsToDelete.beforeOffset(-2))).lowWatermarks());
        say("deleteRecords unknown", () -> admin.deleteRecords(Map.of(lost, RecordsToDelete.beforeOffset(1)),
            new DeleteRecordsOptions().timeoutMs(SHORT_MS)).lowWatermarks());
    }

    private static ConfigResource resource(ConfigResource.Type type, String name) {
        return new ConfigResource(type, name);
    }

    private static AlterConfigOp op(String name, String value, AlterConfigOp.OpType type) {
        return new AlterConfigOp(new ConfigEntry(name, value), type);
    }

    private static void describe(String title, ConfigResource what, boolean synonyms, String... keys) throws Exception {
        List<String> wanted = List.of(keys);
        say("describeConfigs " + title, () -> admin.describeConfigs(List.of(what), new DescribeConfigsOptions().includeSynonyms(synonyms)
            .includeDocumentation(synonyms).timeoutMs(patience(what))).values().get(what).thenApply(c -> c.entries().stream()
            .filter(e -> wanted.isEmpty() || wanted.contains(e.name())).map(AdminCalls::entry).sorted().collect(Collectors.toList())));
    }

    private static void alter(String title, ConfigResource what, boolean validateOnly, AlterConfigOp... ops) throws Exception {
        say("incrementalAlterConfigs " + title, () -> admin.incrementalAlterConfigs(Map.of(what, List.of(ops)),
            new AlterConfigsOptions().validateOnly(validateOnly).timeoutMs(patience(what))).values());
    }

    /** A client waits for a broker that is not there until its time is over. */
    private static int patience(ConfigResource what) {
        return what.name().equals("9") ? SHORT_MS : LONG_MS;
    }

    private static void configs() throws Exception {
        ConfigResource t1 = resource(ConfigResource.Type.TOPIC, "t1"), none = resource(ConfigResource.Type.TOPIC, "none");
        ConfigResource broker = resource(ConfigResource.Type.BROKER, "1"), all = resource(ConfigResource.Type.BROKER, "");
        AlterConfigOp.OpType set = AlterConfigOp.OpType.SET, delete = AlterConfigOp.OpType.DELETE;
        AlterConfigOp.OpType append = AlterConfigOp.OpType.APPEND, subtract = AlterConfigOp.OpType.SUBTRACT;
        describe("topic", t1, false);
        describe("topic synonyms", t1, true);
        describe("unknown topic", none, false);
        describe("bad topic", resource(ConfigResource.Type.TOPIC, "bad name"), false);
        describe("broker", broker, false);
        describe("broker synonyms", broker, true, "log.retention.ms", "log.retention.hours", "num.io.threads", "log.dirs", "message.max.bytes");
        describe("brokers", all, false);
        describe("unknown broker", resource(ConfigResource.Type.BROKER, "9"), false);
        describe("broker that is none", resource(ConfigResource.Type.BROKER, "x"), false);
        alter("set", t1, false, op("retention.ms", "100000", set), op("cleanup.policy", "compact", append));
        describe("set", t1, true, "retention.ms", "cleanup.policy");
        alter("subtract, delete", t1, false, op("cleanup.policy", "delete", subtract), op("retention.ms", "", delete));
        describe("deleted", t1, true, "retention.ms", "cleanup.policy");
        alter("validate", t1, true, op("segment.bytes", "2000000", set));
        alter("unknown key", t1, false, op("nope", "1", set));
        alter("bad value", t1, false, op("retention.ms", "soon", set));
        alter("bad policy", t1, false, op("cleanup.policy", "shred", append));
        alter("append to a number", t1, false, op("retention.ms", "1", append));
        alter("null value", t1, false, op("retention.ms", null, set));
        alter("twice", t1, false, op("retention.ms", "1", set), op("retention.ms", "2", set));
        alter("unknown topic", none, false, op("retention.ms", "1", set));
        alter("broker", broker, false, op("log.cleaner.threads", "2", set), op("num.network.threads", "4", set));
        alter("brokers", all, false, op("message.max.bytes", "2000000", set));
        alter("read-only", broker, false, op("node.id", "5", set));
        alter("bad broker value", broker, false, op("num.io.threads", "-1", set));
        alter("unknown broker", resource(ConfigResource.Type.BROKER, "9"), false, op("num.io.threads", "2", set));
        alter("broker that is none", resource(ConfigResource.Type.BROKER, "x"), false, op("num.io.threads", "2", set));
        until(() -> quietly(() -> admin.describeConfigs(List.of(broker)).all().get().get(broker).get("message.max.bytes").value().equals("2000000")));
        describe("altered broker", broker, true, "log.cleaner.threads", "num.network.threads", "message.max.bytes");
        describe("altered brokers", all, true);
        describe("topic below brokers", t1, true, "max.message.bytes");
        alter("brokers back", all, false, op("message.max.bytes", null, delete));
        alter("broker back", broker, false, op("log.cleaner.threads", null, delete), op("num.network.threads", null, delete));
        ConfigResource group = resource(ConfigResource.Type.GROUP, "g-config"), metrics = resource(ConfigResource.Type.CLIENT_METRICS, "m1");
        alter("group", group, false, op("consumer.session.timeout.ms", "50000", set));
        alter("bad group", group, false, op("consumer.session.timeout.ms", "1", set), op("nope", "1", set));
        alter("client metrics", metrics, false, op("interval.ms", "60000", set), op("metrics", "org.apache.kafka.", set));
        alter("bad client metrics", metrics, false, op("interval.ms", "1", set));
        alter("bad match", metrics, false, op("match", "nope=x", set));
        until(() -> quietly(() -> admin.describeConfigs(List.of(metrics)).all().get().get(metrics).get("interval.ms").value().equals("60000")));
        describe("group", group, true, "consumer.session.timeout.ms", "consumer.heartbeat.interval.ms");
        describe("client metrics", metrics, true);
        describe("unknown client metrics", resource(ConfigResource.Type.CLIENT_METRICS, "m9"), false);
        say("listConfigResources", () -> Set.copyOf(admin.listConfigResources().all().get()));
        say("listConfigResources some", () -> admin.listConfigResources(Set.of(ConfigResource.Type.CLIENT_METRICS, ConfigResource.Type.GROUP),
            new ListConfigResourcesOptions()).all().get().size());
        say("listConfigResources loggers", () -> admin.listConfigResources(Set.of(ConfigResource.Type.BROKER_LOGGER), new ListConfigResourcesOptions())
            .all().get().size());
        say("listClientMetricsResources", () -> admin.listClientMetricsResources().all());
        ConfigResource logger = resource(ConfigResource.Type.BROKER_LOGGER, "1");
        say("describeConfigs logger", () -> admin.describeConfigs(List.of(logger)).all().get().get(logger).entries().isEmpty());
        alter("unknown logger", logger, false, op("no.such.logger", "DEBUG", set));
        alter("bad level", logger, false, op("root", "LOUD", set));
        alter("logger append", logger, false, op("root", "DEBUG", append));
        alter("loggers of another", resource(ConfigResource.Type.BROKER_LOGGER, "9"), false, op("root", "INFO", set));
    }

    private static void cluster() throws Exception {
        say("describeCluster", () -> {
            DescribeClusterResult r = admin.describeCluster(new DescribeClusterOptions().includeAuthorizedOperations(true));
            return List.of(r.nodes().get(), r.controller().get().id(), r.clusterId().get().length(), r.authorizedOperations().get());
        });
        say("describeCluster fenced", () -> admin.describeCluster(new DescribeClusterOptions().includeFencedBrokers(true)).nodes());
        say("describeFeatures finalized", () -> admin.describeFeatures().featureMetadata().get().finalizedFeatures());
        say("describeFeatures supported", () -> admin.describeFeatures().featureMetadata().get().supportedFeatures());
        for (String name : List.of("group.version", "nope", "metadata.version", "eligible.leader.replicas.version", "kraft.version")) {
            for (int level : new int[] {0, 1, 7, 29, 30, 99}) {
                for (FeatureUpdate.UpgradeType type : List.of(FeatureUpdate.UpgradeType.UPGRADE, FeatureUpdate.UpgradeType.SAFE_DOWNGRADE,
                        FeatureUpdate.UpgradeType.UNSAFE_DOWNGRADE)) {
                    say("updateFeatures " + name + " " + level + " " + type, () -> admin.updateFeatures(Map.of(name,
                        new FeatureUpdate((short) level, type)), new UpdateFeaturesOptions().validateOnly(true)).values());
                }
            }
        }
        say("updateFeatures for good", () -> admin.updateFeatures(Map.of("group.version", new FeatureUpdate((short) 1,
            FeatureUpdate.UpgradeType.UPGRADE)), new UpdateFeaturesOptions()).values());
        say("describeMetadataQuorum", () -> {
            QuorumInfo q = admin.describeMetadataQuorum().quorumInfo().get();
            return List.of(q.leaderId(), q.voters().stream().map(v -> v.replicaId() + " " + (v.logEndOffset() > 0)
                + (v.lastCaughtUpTimestamp().isPresent())).collect(Collectors.toList()), q.observers().size(), q.nodes().keySet(),
                q.nodes().values().stream().map(n -> n.endpoints()).collect(Collectors.toList()), q.highWatermark() > 0);
        });
        say("addRaftVoter", () -> admin.addRaftVoter(2, Uuid.fromString(LOST), Set.of(new RaftVoterEndpoint("CONTROLLER", "localhost", 9)),
            new AddRaftVoterOptions().timeoutMs(5000)).all());
        say("removeRaftVoter", () -> admin.removeRaftVoter(2, Uuid.fromString(LOST), new RemoveRaftVoterOptions().timeoutMs(5000)).all());
        say("unregisterBroker unknown", () -> admin.unregisterBroker(9).all());
        TopicPartition p0 = new TopicPartition("t1", 0), lost = new TopicPartition("none", 0), beyond = new TopicPartition("t1", 99);
        for (ElectionType type : ElectionType.values()) {
            say("electLeaders " + type, () -> admin.electLeaders(type, Set.of(p0, lost, beyond)).partitions());
            say("electLeaders all " + type, () -> admin.electLeaders(type, null).partitions());
        }
        Map<TopicPartition, Optional<NewPartitionReassignment>> moves = Map.of(p0, Optional.of(new NewPartitionReassignment(List.of(1))),
            lost, Optional.of(new NewPartitionReassignment(List.of(1))), beyond, Optional.empty(),
            new TopicPartition("t1", 1), Optional.of(new NewPartitionReassignment(List.of(9))),
            new TopicPartition("t1", 2), Optional.empty());
        say("alterPartitionReassignments", () -> admin.alterPartitionReassignments(moves).values());
        say("alterPartitionReassignments twice", () -> admin.alterPartitionReassignments(Map.of(p0,
            Optional.of(new NewPartitionReassignment(List.of(1, 1))))).values());
        say("alterPartitionReassignments replication", () -> admin.alterPartitionReassignments(Map.of(p0,
            Optional.of(new NewPartitionReassignment(List.of(1, 9)))), new AlterPartitionReassignmentsOptions()
            .allowReplicationFactorChange(false)).values());
        say("listPartitionReassignments", () -> admin.listPartitionReassignments().reassignments());
        say("listPartitionReassignments some", () -> admin.listPartitionReassignments(Set.of(p0, lost)).reassignments());
    }

    private static ClientQuotaEntity entity(String... pairs) {
        Map<String, String> entries = new TreeMap<>();
        for (int i = 0; i < pairs.length; i += 2) {
            entries.put(pairs[i], pairs[i + 1]);
        }
        return new ClientQuotaEntity(entries);
    }

    private static void quota(String title, ClientQuotaEntity entity, boolean validateOnly, Object... pairs) throws Exception {
        List<ClientQuotaAlteration.Op> ops = new ArrayList<>();
        for (int i = 0; i < pairs.length; i += 2) {
            ops.add(new ClientQuotaAlteration.Op((String) pairs[i], (Double) pairs[i + 1]));
        }
        say("alterClientQuotas " + title, () -> admin.alterClientQuotas(List.of(new ClientQuotaAlteration(entity, ops)),
            new AlterClientQuotasOptions().validateOnly(validateOnly)).all());
    }

    private static void quotas() throws Exception {
        quota("user", entity("user", "u1"), false, "producer_byte_rate", 1e8, "consumer_byte_rate", 2e8);
        quota("user and client", entity("user", "u1", "client-id", "c1"), false, "request_percentage", 300.5);
        quota("default client", entity("client-id", null), false, "controller_mutation_rate", 1000.0);
        quota("address", entity("ip", "127.0.0.9"), false, "connection_creation_rate", 100.0);
        quota("validate", entity("user", "u9"), true, "producer_byte_rate", 1.0);
        quota("unknown key", entity("user", "u1"), false, "nope", 1.0);
        quota("key of another", entity("ip", "127.0.0.1"), false, "producer_byte_rate", 1.0);
        quota("negative", entity("user", "u1"), false, "producer_byte_rate", -1.0);
        quota("zero", entity("user", "u2"), false, "producer_byte_rate", 0.0);
        quota("fraction", entity("user", "u1"), false, "producer_byte_rate", 1.5);
        quota("unknown type", entity("planet", "mars"), false, "producer_byte_rate", 1.0);
        quota("user and address", entity("user", "u1", "ip", "127.0.0.1"), false, "producer_byte_rate", 1.0);
        quota("no such address", entity("ip", "300.1.1.1"), false, "connection_creation_rate", 1.0);
        quota("nothing", entity(), false, "producer_byte_rate", 1.0);
        quota("empty name", entity("user", ""), false, "producer_byte_rate", 1.0);
        until(() -> quietly(() -> admin.describeClientQuotas(ClientQuotaFilter.all()).entities().get().size() >= 4));
        say("describeClientQuotas all", () -> admin.describeClientQuotas(ClientQuotaFilter.all()).entities());
        for (boolean strict : new boolean[] {false, true}) {
            for (ClientQuotaFilterComponent part : List.of(ClientQuotaFilterComponent.ofEntity("user", "u1"),
                    ClientQuotaFilterComponent.ofDefaultEntity("client-id"), ClientQuotaFilterComponent.ofEntityType("user"),
                    ClientQuotaFilterComponent.ofEntityType("ip"), ClientQuotaFilterComponent.ofEntity("planet", "mars"))) {
                ClientQuotaFilter filter = strict ? ClientQuotaFilter.containsOnly(List.of(part)) : ClientQuotaFilter.contains(List.of(part));
                say("describeClientQuotas " + filter, () -> admin.describeClientQuotas(filter).entities());
            }
        }
        say("describeClientQuotas twice the same type", () -> admin.describeClientQuotas(ClientQuotaFilter.contains(List.of(
            ClientQuotaFilterComponent.ofEntityType("user"), ClientQuotaFilterComponent.ofEntity("user", "u1")))).entities());
        quota("away", entity("user", "u1"), false, "producer_byte_rate", null, "consumer_byte_rate", null);
        until(() -> quietly(() -> !admin.describeClientQuotas(ClientQuotaFilter.containsOnly(List.of(
            ClientQuotaFilterComponent.ofEntity("user", "u1")))).entities().get().containsKey(entity("user", "u1"))));
        say("describeClientQuotas after", () -> admin.describeClientQuotas(ClientQuotaFilter.all()).entities());
    }

    private static void users() throws Exception {
        ScramMechanism sha256 = ScramMechanism.SCRAM_SHA_256, sha512 = ScramMechanism.SCRAM_SHA_512;
        say("alterUserScramCredentials", () -> admin.alterUserScramCredentials(List.of(
            new UserScramCredentialUpsertion("alice", new ScramCredentialInfo(sha256, 4096), "secret"),
            new UserScramCredentialUpsertion("bob", new ScramCredentialInfo(sha512, 8192), "secret"),
            new UserScramCredentialUpsertion("few", new ScramCredentialInfo(sha256, 4095), "secret"),
            new UserScramCredentialUpsertion("many", new ScramCredentialInfo(sha256, 16385), "secret"),
            new UserScramCredentialUpsertion("", new ScramCredentialInfo(sha256, 4096), "secret"),
            new UserScramCredentialUpsertion("unknown", new ScramCredentialInfo(ScramMechanism.UNKNOWN, 4096), "secret"),
            new UserScramCredentialDeletion("nobody", sha256))).values());
        say("alterUserScramCredentials twice", () -> admin.alterUserScramCredentials(List.of(
            new UserScramCredentialUpsertion("carol", new ScramCredentialInfo(sha256, 4096), "secret"),
            new UserScramCredentialDeletion("carol", sha256))).values());
        until(() -> quietly(() -> admin.describeUserScramCredentials().users().get().size() == 2));
        say("describeUserScramCredentials", () -> admin.describeUserScramCredentials().all());
        for (String name : List.of("alice", "nobody")) {
            say("describeUserScramCredentials " + name, () -> admin.describeUserScramCredentials(List.of(name)).description(name));
        }
        say("describeUserScramCredentials twice", () -> admin.describeUserScramCredentials(List.of("bob", "bob")).description("bob"));
        say("alterUserScramCredentials delete", () -> admin.alterUserScramCredentials(List.of(
            new UserScramCredentialDeletion("alice", sha256), new UserScramCredentialDeletion("bob", sha256))).values());
        until(() -> quietly(() -> admin.describeUserScramCredentials().users().get().size() == 1));
        say("describeUserScramCredentials after", () -> admin.describeUserScramCredentials().all());
        AclBinding acl = new AclBinding(new ResourcePattern(ResourceType.TOPIC, "t1", PatternType.LITERAL),
            new AccessControlEntry("User:alice", "*", AclOperation.READ, AclPermissionType.ALLOW));
        say("createAcls", () -> admin.createAcls(List.of(acl)).values());
        say("describeAcls", () -> admin.describeAcls(AclBindingFilter.ANY).values());
        say("deleteAcls", () -> admin.deleteAcls(List.of(AclBindingFilter.ANY)).values());
        say("createDelegationToken", () -> admin.createDelegationToken().delegationToken());
        say("renewDelegationToken", () -> admin.renewDelegationToken(new byte[] {1}).expiryTimestamp());
        say("expireDelegationToken", () -> admin.expireDelegationToken(new byte[] {1}).expiryTimestamp());
        say("describeDelegationToken", () -> admin.describeDelegationToken().delegationTokens());
    }

    private static void logDirs(List<String> dirs) throws Exception {
        TopicPartitionReplica p0 = new TopicPartitionReplica("t1", 0, 1);
        String from = outcome(() -> admin.describeReplicaLogDirs(List.of(p0)).all().get().get(p0).getCurrentReplicaLogDir());
        String to = dirs.get(0).equals(from) ? dirs.get(1) : dirs.get(0);
        say("describeLogDirs", () -> {
            Map<String, LogDirDescription> all = admin.describeLogDirs(List.of(1)).allDescriptions().get().get(1);
            return List.of(all.size(), all.values().stream().map(d -> (d.error() == null ? "fine" : "broken") + (d.totalBytes().orElse(0) >= d.usableBytes().orElse(1)
                && d.usableBytes().orElse(0) > 0)).collect(Collectors.toList()),
                all.values().stream().flatMap(d -> d.replicaInfos().entrySet().stream()).filter(r -> r.getKey().topic().startsWith("t"))
                    .map(r -> r.getKey() + "=" + r.getValue().size() + "/" + r.getValue().offsetLag() + "/" + r.getValue().isFuture())
                    .sorted().collect(Collectors.toList()));
        });
        say("describeLogDirs unknown broker", () -> admin.describeLogDirs(List.of(9), new DescribeLogDirsOptions().timeoutMs(SHORT_MS)).descriptions());
        say("describeReplicaLogDirs", () -> admin.describeReplicaLogDirs(List.of(p0)).all().get().get(p0).getCurrentReplicaOffsetLag());
        say("describeReplicaLogDirs unknown", () -> admin.describeReplicaLogDirs(List.of(new TopicPartitionReplica("none", 0, 1))).all());
        say("alterReplicaLogDirs", () -> admin.alterReplicaLogDirs(Map.of(p0, to, new TopicPartitionReplica("t1", 1, 1), "/nowhere",
            new TopicPartitionReplica("t1", 2, 1), "relative")).values());
        say("alterReplicaLogDirs unknown", () -> admin.alterReplicaLogDirs(Map.of(new TopicPartitionReplica("none", 0, 1), to)).values());
        until(() -> quietly(() -> admin.describeReplicaLogDirs(List.of(p0)).all().get().get(p0).getCurrentReplicaLogDir().equals(to)));
        say("describeReplicaLogDirs after", () -> to.equals(admin.describeReplicaLogDirs(List.of(p0)).all().get().get(p0).getCurrentReplicaLogDir()));
    }

    private static KafkaConsumer<String, String> member(String group, String protocol, String instance) {
        Properties p = new Properties();
        p.putAll(Map.of("bootstrap.servers", bootstrap, "group.id", group, "group.protocol", protocol, "auto.offset.reset", "earliest",
            "client.id", "member", "enable.auto.commit", "false"));
        if (instance != null) {
            p.put("group.instance.id", instance);
        }
        KafkaConsumer<String, String> consumer = new KafkaConsumer<>(p, new StringDeserializer(), new StringDeserializer());
        consumer.subscribe(List.of("t1"));
        for (int i = 0; i < 300 && consumer.assignment().size() < 3; i++) {
            ConsumerRecords<String, String> ignored = consumer.poll(Duration.ofMillis(100));
        }
        return consumer;
    }

    private static Object text(ConsumerGroupDescription d) {
        return List.of(d.groupId(), d.type(), d.groupState(), d.isSimpleConsumerGroup(), d.partitionAssignor(), d.coordinator().id(),
            d.groupEpoch(), d.targetAssignmentEpoch(), operations(d.authorizedOperations()), d.members().stream().map(m -> List.of(m.clientId(),
                m.host(), String.valueOf(m.groupInstanceId()), m.assignment().topicPartitions().stream().map(String::valueOf).sorted()
                    .collect(Collectors.toList()), String.valueOf(m.targetAssignment().map(t -> t.topicPartitions().size())), m.memberEpoch(),
                m.upgraded())).collect(Collectors.toList()));
    }

    private static void groups() throws Exception {
        TopicPartition p0 = new TopicPartition("t1", 0), p1 = new TopicPartition("t1", 1);
        KafkaConsumer<String, String> classic = member("g-classic", "classic", null), modern = member("g-new", "consumer", null);
        KafkaConsumer<String, String> fixed = member("g-fixed", "classic", "i1");
        classic.commitSync(Map.of(p0, new OffsetAndMetadata(10, Optional.of(0), "m")));
        modern.commitSync(Map.of(p0, new OffsetAndMetadata(10)));
        say("alterConsumerGroupOffsets new group", () -> admin.alterConsumerGroupOffsets("g-simple", Map.of(p0, new OffsetAndMetadata(4),
            new TopicPartition("none", 0), new OffsetAndMetadata(1))).partitionResult(p0));
        say("alterConsumerGroupOffsets unknown topic", () -> admin.alterConsumerGroupOffsets("g-simple", Map.of(new TopicPartition("none", 0),
            new OffsetAndMetadata(1))).all());
        for (String group : List.of("g-classic", "g-new")) {
            say("alterConsumerGroupOffsets of members " + group, () -> admin.alterConsumerGroupOffsets(group, Map.of(p0, new OffsetAndMetadata(1))).all());
        }
        say("listGroups", () -> admin.listGroups().all().get().stream().collect(Collectors.toSet()));
        say("listGroups types", () -> admin.listGroups(new ListGroupsOptions().withTypes(Set.of(GroupType.CONSUMER))).all());
        say("listGroups classic", () -> admin.listGroups(new ListGroupsOptions().withTypes(Set.of(GroupType.CLASSIC))
            .inGroupStates(Set.of(GroupState.STABLE))).all().get().stream().collect(Collectors.toSet()));
        say("listGroups share", () -> admin.listGroups(new ListGroupsOptions().withTypes(Set.of(GroupType.SHARE, GroupType.STREAMS))).all());
        say("listGroups states", () -> admin.listGroups(new ListGroupsOptions().inGroupStates(Set.of(GroupState.EMPTY))).all());
        say("listGroups protocol types", () -> admin.listGroups(new ListGroupsOptions().withProtocolTypes(Set.of(""))).all());
        say("listConsumerGroups", () -> admin.listConsumerGroups().all().get().stream().collect(Collectors.toSet()));
        for (String group : List.of("g-classic", "g-new", "g-fixed", "g-simple", "g-none", "")) {
            say("describeConsumerGroups " + group, () -> admin.describeConsumerGroups(List.of(group)).describedGroups().get(group)
                .thenApply(AdminCalls::text));
            say("describeClassicGroups " + group, () -> admin.describeClassicGroups(List.of(group)).describedGroups().get(group)
                .thenApply(d -> List.of(d.groupId(), d.protocol(), d.protocolData(), d.state(), d.members().size(), d.isSimpleConsumerGroup())));
            say("listConsumerGroupOffsets " + group, () -> admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata());
        }
        say("describeConsumerGroups authorized", () -> admin.describeConsumerGroups(List.of("g-new"), new DescribeConsumerGroupsOptions()
            .includeAuthorizedOperations(true)).describedGroups().get("g-new").thenApply(AdminCalls::text));
        say("listConsumerGroupOffsets some", () -> admin.listConsumerGroupOffsets(Map.of("g-classic", new ListConsumerGroupOffsetsSpec()
            .topicPartitions(List.of(p0, p1, new TopicPartition("none", 3))), "g-none", new ListConsumerGroupOffsetsSpec()),
            new ListConsumerGroupOffsetsOptions().requireStable(true)).all());
        say("deleteConsumerGroupOffsets subscribed", () -> admin.deleteConsumerGroupOffsets("g-classic", Set.of(p0)).partitionResult(p0));
        say("deleteConsumerGroupOffsets subscribed new", () -> admin.deleteConsumerGroupOffsets("g-new", Set.of(p0)).partitionResult(p0));
        say("deleteConsumerGroupOffsets", () -> admin.deleteConsumerGroupOffsets("g-simple", Set.of(p0, p1)).all());
        say("deleteConsumerGroupOffsets unknown group", () -> admin.deleteConsumerGroupOffsets("g-none", Set.of(p0)).all());
        say("deleteConsumerGroups", () -> admin.deleteConsumerGroups(List.of("g-classic", "g-new", "g-none")).deletedGroups());
        say("removeMembersFromConsumerGroup unknown", () -> admin.removeMembersFromConsumerGroup("g-fixed", new RemoveMembersFromConsumerGroupOptions(
            Set.of(new MemberToRemove("i9")))).memberResult(new MemberToRemove("i9")));
        say("removeMembersFromConsumerGroup", () -> admin.removeMembersFromConsumerGroup("g-fixed", new RemoveMembersFromConsumerGroupOptions(
            Set.of(new MemberToRemove("i1")))).all());
        say("removeMembersFromConsumerGroup all", () -> admin.removeMembersFromConsumerGroup("g-new", new RemoveMembersFromConsumerGroupOptions()).all());
        say("removeMembersFromConsumerGroup none", () -> admin.removeMembersFromConsumerGroup("g-none", new RemoveMembersFromConsumerGroupOptions()).all());
        fixed.close(Duration.ZERO);
        classic.close();
        modern.close();
        until(() -> quietly(() -> admin.describeConsumerGroups(List.of("g-classic", "g-new", "g-fixed")).all().get().values().stream()
            .allMatch(d -> d.groupState() == GroupState.EMPTY)));
        say("alterConsumerGroupOffsets empty", () -> admin.alterConsumerGroupOffsets("g-new", Map.of(p1, new OffsetAndMetadata(7, Optional.of(0), "x"))).all());
        say("listConsumerGroupOffsets after", () -> admin.listConsumerGroupOffsets("g-new").partitionsToOffsetAndMetadata());
        say("deleteConsumerGroups empty", () -> admin.deleteConsumerGroups(List.of("g-classic", "g-new", "g-fixed")).deletedGroups());
        say("deleteConsumerGroups without offsets", () -> admin.deleteConsumerGroups(List.of("g-simple")).deletedGroups());
        say("listGroups after", () -> Set.copyOf(admin.listGroups().all().get()));
    }

    private static void others() throws Exception {
        TopicPartition p0 = new TopicPartition("t1", 0);
        say("clientInstanceId", () -> admin.clientInstanceId(Duration.ofSeconds(5)));
        say("listTransactions", () -> admin.listTransactions().all());
        say("describeTransactions", () -> admin.describeTransactions(List.of("tx"), new DescribeTransactionsOptions().timeoutMs(5000)).all());
        say("abortTransaction", () -> admin.abortTransaction(new AbortTransactionSpec(p0, 1L, (short) 0, 0)).all());
        say("fenceProducers", () -> admin.fenceProducers(List.of("tx"), new FenceProducersOptions().timeoutMs(5000)).all());
        say("forceTerminateTransaction", () -> admin.forceTerminateTransaction("tx", new TerminateTransactionOptions().timeoutMs(5000)).result());
        say("describeShareGroups", () -> admin.describeShareGroups(List.of("s")).describedGroups());
        say("listShareGroupOffsets", () -> admin.listShareGroupOffsets(Map.of("s", new ListShareGroupOffsetsSpec())).all());
        say("alterShareGroupOffsets", () -> admin.alterShareGroupOffsets("s", Map.of(p0, 1L), new AlterShareGroupOffsetsOptions().timeoutMs(LONG_MS)).all());
        say("deleteShareGroupOffsets", () -> admin.deleteShareGroupOffsets("s", Set.of("t1")).all());
        say("deleteShareGroups", () -> admin.deleteShareGroups(List.of("s"), new DeleteShareGroupsOptions().timeoutMs(LONG_MS)).deletedGroups());
        say("describeStreamsGroups", () -> admin.describeStreamsGroups(List.of("s")).describedGroups());
        say("listStreamsGroupOffsets", () -> admin.listStreamsGroupOffsets(Map.of("s", new ListStreamsGroupOffsetsSpec())).all());
        say("alterStreamsGroupOffsets", () -> admin.alterStreamsGroupOffsets("s-2", Map.of(p0, new OffsetAndMetadata(1))).all());
        say("deleteStreamsGroupOffsets", () -> admin.deleteStreamsGroupOffsets("s", Set.of(p0)).all());
        say("deleteStreamsGroups", () -> admin.deleteStreamsGroups(List.of("s"), new DeleteStreamsGroupsOptions().timeoutMs(LONG_MS)).deletedGroups());
    }

    public static void main(String[] arguments) throws Exception {
        bootstrap = "127.0.0.1:" + arguments[0];
        words.put(LOST, "LOST");
        words.put(":" + arguments[0], ":PORT");
        words.put(":" + arguments[1], ":CONTROLLER");
        words.put("port=" + arguments[1], "port=CONTROLLER");
        List<String> dirs = List.of(arguments).subList(2, arguments.length);
        for (String dir : dirs) {
            words.put(dir, "DIR" + words.size());
        }
        Properties p = new Properties();
        p.put("bootstrap.servers", bootstrap);
        admin = Admin.create(p);
        topics();
        records();
        configs();
        cluster();
        quotas();
        users();
        groups();
        logDirs(dirs);
        others();
        deletions();
        admin.close(Duration.ZERO);
        System.exit(0);
    }
}
