// CleanerInput: writes what a cleaner has to deal with, the same to each of several topics, a seed decides what.
//
//   java CleanerInput.java ADDRESS SEED ROUNDS TOPIC...
//
// Seven producers by turns, one batch each time: one of each codec, two of them within transactions that lie across one
// another, and end as they like. Few keys, so that most records are superseded; a quarter are tombstones; some have headers.
// The clock of the records runs fast, so that segments roll by segment.ms; the last record, a week later, seals the one
// before it.
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Future;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

public class CleanerInput {
    private static final String[] CODECS = {"none", "gzip", "snappy", "lz4", "zstd", "zstd", "lz4"};
    private static final int TRANSACTIONAL = 5;  // from this index on
    private static final long WEEK_MS = 7L * 24 * 3600 * 1000;

    private static KafkaProducer<byte[], byte[]> producer(String address, int index) {
        Map<String, Object> config = new HashMap<>();
        config.put("bootstrap.servers", address);
        config.put("compression.type", CODECS[index]);
        config.put("linger.ms", "1000");  // flush() ends a batch
        if (index >= TRANSACTIONAL) config.put("transactional.id", "cleaner-input-" + index);
        KafkaProducer<byte[], byte[]> made = new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer());
        if (index >= TRANSACTIONAL) made.initTransactions();
        return made;
    }

    public static void main(String[] arguments) throws Exception {
        Random random = new Random(Long.parseLong(arguments[1]));
        int rounds = Integer.parseInt(arguments[2]);
        List<String> topics = List.of(arguments).subList(3, arguments.length);
        List<KafkaProducer<byte[], byte[]>> producers = new ArrayList<>();
        for (int i = 0; i < CODECS.length; i++) producers.add(producer(arguments[0], i));
        boolean[] open = new boolean[CODECS.length];
        long time = System.currentTimeMillis();  // as the markers have it
        for (int round = 0; round < rounds; round++) {
            int who = random.nextInt(CODECS.length);
            KafkaProducer<byte[], byte[]> producer = producers.get(who);
            if (open[who] && random.nextInt(3) == 0) {
                end(producer, random);
                open[who] = false;
                continue;
            }
            if (who >= TRANSACTIONAL && !open[who]) {
                producer.beginTransaction();
                open[who] = true;
            }
            List<Future<?>> sent = new ArrayList<>();
            for (int left = 1 + random.nextInt(6); left > 0; left--) {
                time += 1 + random.nextInt(50);
                byte[] key = ("key-" + random.nextInt(60)).getBytes();
                byte[] value = random.nextInt(4) == 0 ? null : ("value-" + random.nextInt(1000)).repeat(1 + random.nextInt(4)).getBytes();
                boolean header = random.nextInt(4) == 0;
                for (String topic : topics) {
                    ProducerRecord<byte[], byte[]> record = new ProducerRecord<>(topic, 0, time, key, value);
                    if (header) record.headers().add("h", key).add("none", null);
                    sent.add(producer.send(record));
                }
            }
            producer.flush();
            for (Future<?> one : sent) one.get();
        }
        for (int i = TRANSACTIONAL; i < CODECS.length; i++) {
            if (open[i]) end(producers.get(i), random);
        }
        for (String topic : topics) {
            producers.get(0).send(new ProducerRecord<>(topic, 0, time + WEEK_MS, "last".getBytes(), "x".getBytes())).get();
        }
        for (KafkaProducer<byte[], byte[]> producer : producers) producer.close();
    }

    private static void end(KafkaProducer<byte[], byte[]> producer, Random random) {
        if (random.nextBoolean()) {
            producer.commitTransaction();
        } else {
            producer.abortTransaction();
        }
    }
}
