package io.github.sharnn.train.checkpoint;

import static com.google.common.base.Strings.lenientFormat;
import static java.nio.file.StandardOpenOption.CREATE_NEW;
import static java.nio.file.StandardOpenOption.WRITE;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import com.google.common.hash.Hashing;
import com.google.common.hash.HashingOutputStream;
import com.google.common.util.concurrent.ThreadFactoryBuilder;
import com.google.common.util.concurrent.Uninterruptibles;
import io.github.sharnn.io.Safetensors;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A background thread that writes the checkpoints of one run, one at a time. */
public final class CheckpointWriter implements AutoCloseable {

  private static final Logger LOGGER = LoggerFactory.getLogger(CheckpointWriter.class);
  private static final int BUFFER_BYTES = 1 << 16;

  private final Path run;
  private final int keep;
  private final ExecutorService thread =
      Executors.newSingleThreadExecutor(
          new ThreadFactoryBuilder().setNameFormat("checkpoint-writer").setDaemon(true).build());
  private @Nullable Future<?> writing;

  /**
   * Starts the thread, which is idle until {@link #begin}.
   *
   * @param run the run's folder
   * @param keep number of checkpoints to keep, the newest
   */
  public CheckpointWriter(Path run, int keep) {
    this.run = run;
    this.keep = keep;
  }

  /**
   * The parts of a run in the host's memory, to be written while training continues.
   *
   * @param name name of the checkpoint
   * @param states numbers and strings of each part
   * @param tensors arrays of each part
   * @param manager owner of the arrays
   */
  public record Snapshot(
      String name,
      Map<String, Object> states,
      Map<String, Map<String, NDArray>> tensors,
      NDManager manager)
      implements AutoCloseable {

    /**
     * {@return a copy of the parts of a run}
     *
     * @param stage the stage, from 0
     * @param step the steps of the stage so far
     * @param parts the parts by name
     * @param host a new manager on the host, which the snapshot closes
     */
    public static Snapshot of(int stage, long step, Map<String, Stateful> parts, NDManager host) {
      Map<String, Object> states = new LinkedHashMap<>();
      Map<String, Map<String, NDArray>> tensors = new LinkedHashMap<>();
      parts.forEach(
          (name, part) -> {
            Object state = part.state().get();
            if (state != null) {
              states.put(name, state);
            }
            Map<String, NDArray> arrays = part.copy().apply(host);
            if (arrays != null) {
              tensors.put(name, arrays);
            }
          });
      return new Snapshot(RunFolder.name(stage, step), states, tensors, host);
    }

    @Override
    public void close() {
      manager.close();
    }
  }

  /**
   * Starts writing. The caller must first have awaited the previous checkpoint.
   *
   * @param snapshot the copy to write, which this object closes
   */
  public void begin(Snapshot snapshot) {
    writing =
        thread.submit(
            () -> {
              try (snapshot) {
                write(snapshot);
              }
              return null;
            });
  }

  /** {@return true if a checkpoint has finished and {@link #await} would not block} */
  public boolean done() {
    return writing != null && writing.isDone();
  }

  /**
   * Waits for the checkpoint in progress, if there is one.
   *
   * @return false if there is none
   * @throws IOException if the checkpoint could not be written
   */
  public boolean await() throws IOException {
    if (writing == null) {
      return false;
    }
    try {
      Uninterruptibles.getUninterruptibly(writing);
      return true;
    } catch (ExecutionException e) {
      if (e.getCause() instanceof IOException cause) {
        throw cause;
      }
      throw new IOException("can't write a checkpoint: " + e.getCause(), e.getCause());
    } finally {
      writing = null;
    }
  }

  private void write(Snapshot snapshot) throws IOException {
    Path unfinished = RunFolder.unfinished(run, snapshot.name());
    Path checkpoint = run.resolve(snapshot.name());
    try {
      Files.createDirectory(unfinished);
      StringBuilder sums = new StringBuilder();
      for (Map.Entry<String, Map<String, NDArray>> file : snapshot.tensors().entrySet()) {
        write(
            unfinished.resolve(CheckpointFolder.file(file.getKey())),
            // not DJL's own encoder, whose offsets overflow at 2 GiB
            out -> Safetensors.write(file.getValue(), Map.of(), Channels.newChannel(out)),
            sums);
      }
      byte[] json = CheckpointJson.write(snapshot.states());
      write(unfinished.resolve(CheckpointFolder.RECORD), out -> out.write(json), sums);
      byte[] lines = sums.toString().getBytes(StandardCharsets.US_ASCII);
      write(
          unfinished.resolve(CheckpointFolder.SUMS), out -> out.write(lines), new StringBuilder());
      RunFolder.commit(unfinished, checkpoint);
    } catch (IOException e) {
      IOException failure =
          new IOException(
              lenientFormat(
                  "can't write the checkpoint %s: %s; %s",
                  checkpoint,
                  e,
                  Files.exists(run)
                      ? "the ones before it are untouched"
                      : "the run's folder was deleted or moved, with the ones before it"),
              e);
      try {
        if (Files.exists(unfinished)) {
          RunFolder.delete(unfinished); // frees the space on a full disk
        }
      } catch (IOException again) {
        failure.addSuppressed(again);
      }
      throw failure;
    }
    LOGGER.info("saved {}", checkpoint);
    try {
      RunFolder.prune(run, keep);
    } catch (IOException e) {
      LOGGER.error("can't delete the oldest checkpoints in {}: {}", run, e.toString());
    }
  }

  /** Fills a file. */
  private interface Content {
    void writeTo(OutputStream out) throws IOException;
  }

  /** Writes a new file, forces it to disk, and adds its line to the sums. */
  private static void write(Path file, Content content, StringBuilder sums) throws IOException {
    try (FileChannel channel = FileChannel.open(file, CREATE_NEW, WRITE);
        HashingOutputStream hashed =
            new HashingOutputStream(Hashing.sha256(), Channels.newOutputStream(channel));
        OutputStream out = new BufferedOutputStream(hashed, BUFFER_BYTES)) {
      content.writeTo(out);
      out.flush();
      channel.force(true);
      sums.append(CheckpointSums.line(file.getFileName().toString(), hashed.hash()));
    }
  }

  @Override
  public void close() {
    thread.shutdown(); // a started checkpoint is completed
  }
}
