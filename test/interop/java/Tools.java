import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import org.apache.kafka.common.utils.Exit;

/**
 * Runs the main classes of Apache Kafka's command-line tools one after the other in one JVM: starting a JVM takes a second,
 * a command a tenth of it. The classes are unmodified; only the exit of the process is caught, through Kafka's own hook for
 * that.
 *
 * One request a line on standard input, fields separated by tabs, each in base64: what the tool reads from its standard
 * input, the main class, its arguments. One answer a line: exit status, standard output, standard error, both in base64.
 */
public final class Tools {
    /** Unwinds a tool that wants to exit. Some catch it and exit again with another status: the first one counts. */
    private static final class Ended extends RuntimeException {
        Ended() {
            super(null, null, false, false);
        }
    }

    private static Integer firstStatus;
    private static final List<Runnable> hooks = new ArrayList<>();

    private static void exit(int status, String message) {
        if (firstStatus == null) {
            firstStatus = status;
        }
        throw new Ended();
    }

    public static void main(String[] ignored) throws Exception {
        BufferedReader requests = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        PrintStream answers = System.out;
        Exit.setExitProcedure(Tools::exit);
        Exit.setHaltProcedure(Tools::exit);
        Exit.setShutdownHookAdder((name, hook) -> hooks.add(hook));  // the console producer flushes in one
        for (String line = requests.readLine(); line != null; line = requests.readLine()) {
            String[] fields = line.split("\t", -1);
            for (int i = 0; i < fields.length; i++) {
                fields[i] = new String(Base64.getDecoder().decode(fields[i]), StandardCharsets.UTF_8);
            }
            ByteArrayOutputStream output = new ByteArrayOutputStream();
            ByteArrayOutputStream errors = new ByteArrayOutputStream();
            int status = run(fields[0], fields[1], Arrays.copyOfRange(fields, 2, fields.length), output, errors);
            answers.println(status + "\t" + Base64.getEncoder().encodeToString(output.toByteArray())
                + "\t" + Base64.getEncoder().encodeToString(errors.toByteArray()));
            answers.flush();
        }
    }

    private static int run(String input, String mainClass, String[] arguments, ByteArrayOutputStream output,
                           ByteArrayOutputStream errors) throws Exception {
        System.setIn(new ByteArrayInputStream(input.getBytes(StandardCharsets.UTF_8)));
        System.setOut(new PrintStream(output, true, StandardCharsets.UTF_8));
        System.setErr(new PrintStream(errors, true, StandardCharsets.UTF_8));
        firstStatus = null;
        hooks.clear();
        try {
            Class.forName(mainClass).getMethod("main", String[].class).invoke(null, (Object) arguments);
        } catch (InvocationTargetException thrown) {
            if (!(thrown.getCause() instanceof Ended)) {
                thrown.getCause().printStackTrace(System.err);
                exitStatusOfThrown();
            }
        } finally {
            hooks.forEach(Runnable::run);
            System.out.flush();
            System.err.flush();
        }
        return firstStatus == null ? 0 : firstStatus;
    }

    private static void exitStatusOfThrown() {
        if (firstStatus == null) {
            firstStatus = 1;
        }
    }
}
