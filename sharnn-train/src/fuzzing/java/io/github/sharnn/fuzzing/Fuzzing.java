package io.github.sharnn.fuzzing;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.MalformedModelException;
import ai.djl.ndarray.NDManager;
import com.google.common.primitives.Bytes;
import com.sun.management.ThreadMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;

/** Gives readers files with a few things wrong, and counts what comes of it. */
public final class Fuzzing {

  private static final long MAX_ALLOCATED = 64 << 20;
  private static final double MAX_SECONDS = 1; // of the processor's time
  private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();
  private static final Map<String, Figures> FIGURES = new TreeMap<>();

  private Fuzzing() {}

  /** The results of the inputs of one reader. */
  private static final class Figures {
    private int read;
    private int refused;
    private long mostAllocated;
    private double mostSeconds;
    private final long start = System.nanoTime();
    private long end;
  }

  /** Reads one file and returns the bytes of the arrays made of it. */
  public interface Reader {
    long read() throws IOException, MalformedModelException;
  }

  /** A reader gives what the file says, or throws what it documents, in little memory and time. */
  public static void check(String name, Reader reader) {
    Figures figures = FIGURES.computeIfAbsent(name, n -> new Figures());
    long before = THREADS.getCurrentThreadAllocatedBytes();
    long start = THREADS.getCurrentThreadCpuTime();
    long arrays = 0;
    try {
      arrays = reader.read();
      figures.read++;
    } catch (IOException | MalformedModelException e) {
      assertThat(e.getMessage()).isNotBlank();
      figures.refused++;
    }
    long allocated = THREADS.getCurrentThreadAllocatedBytes() - before + arrays;
    figures.mostAllocated = Math.max(figures.mostAllocated, allocated);
    figures.end = System.nanoTime();
    double seconds = (THREADS.getCurrentThreadCpuTime() - start) / 1e9;
    figures.mostSeconds = Math.max(figures.mostSeconds, seconds);
    assertThat(seconds).isLessThanOrEqualTo(MAX_SECONDS);
    assertThat(allocated).isLessThanOrEqualTo(MAX_ALLOCATED);
  }

  /** Prints the figures of all readers since the last time. */
  public static void print() {
    FIGURES.forEach(
        (reader, figures) ->
            System.out.printf(
                Locale.ROOT,
                "%s: %,d inputs, of them %,d read; %.0f s; at most %,d bytes allocated and %.3f s of the"
                    + " processor's time for one%n",
                reader,
                figures.read + figures.refused,
                figures.read,
                (figures.end - figures.start) / 1e9,
                figures.mostAllocated,
                figures.mostSeconds));
    FIGURES.clear();
  }

  public static long bytes(NDManager owner) {
    return owner.getManagedArrays().stream()
        .mapToLong(array -> array.size() * array.getDataType().getNumOfBytes())
        .sum();
  }

  /** Cut after it is written: a file that is emptied first is flushed to disk by some systems. */
  public static Path write(Path file, byte[] bytes) throws IOException {
    try (FileChannel channel =
        FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
      channel.write(ByteBuffer.wrap(bytes));
      channel.truncate(bytes.length);
    }
    return file;
  }

  /** As often with the header alone changed, and its length put right. */
  public static byte[] safetensors(byte[] good, Random random) {
    if (random.nextBoolean()) {
      return Mutation.of(good, random);
    }
    int end = Long.BYTES + (int) ByteBuffer.wrap(good).order(ByteOrder.LITTLE_ENDIAN).getLong();
    byte[] header = Mutation.of(Arrays.copyOfRange(good, Long.BYTES, end), random);
    ByteBuffer length = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    length.putLong(header.length);
    return Bytes.concat(length.array(), header, Arrays.copyOfRange(good, end, good.length));
  }
}
