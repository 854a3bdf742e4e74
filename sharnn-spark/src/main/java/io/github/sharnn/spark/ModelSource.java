package io.github.sharnn.spark;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Strings.lenientFormat;

import ai.djl.MalformedModelException;
import ai.djl.Model;
import com.google.common.hash.Hashing;
import com.google.common.io.ByteStreams;
import com.google.common.io.MoreFiles;
import com.google.common.io.RecursiveDeleteOption;
import io.github.sharnn.SHARNN;
import io.github.sharnn.engine.Devices;
import io.github.sharnn.io.CheckedFolder;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.Serializable;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.apache.hadoop.fs.FileSystem;
import org.apache.spark.SparkEnv;
import org.apache.spark.SparkFiles;
import org.apache.spark.util.SerializableConfiguration;

/**
 * The place of a saved model, and the sum of its {@code SHA256SUMS} as the driver has read it.
 * Every executor therefore loads the driver's model, or throws an exception.
 *
 * @param path a folder of a Hadoop file system, or {@code sparkfiles:NAME}
 * @param sum the SHA-256 of the folder's {@code SHA256SUMS}
 * @param configuration of Hadoop
 */
record ModelSource(String path, String sum, SerializableConfiguration configuration)
    implements Serializable {

  private static final String SPARK_FILES = "sparkfiles:";
  private static final int MAX_SUMS_BYTES = 1 << 16;

  /**
   * Finds a model on the driver.
   *
   * @throws IllegalArgumentException if there is none
   */
  static ModelSource find(SerializableConfiguration configuration, String path) {
    checkArgument(
        !path.isEmpty(),
        "model must name the folder of a saved model: call setModel with its path");
    String qualified = path;
    try {
      if (!path.startsWith(SPARK_FILES)) {
        org.apache.hadoop.fs.Path folder = new org.apache.hadoop.fs.Path(path);
        qualified = folder.getFileSystem(configuration.value()).makeQualified(folder).toString();
      }
      ModelSource source = new ModelSource(qualified, "", configuration);
      return new ModelSource(qualified, sum(source.sums()), configuration);
    } catch (IOException e) {
      throw unreadable(qualified, e, "save a model there, or correct the name");
    } catch (RuntimeException e) {
      if (e.getCause() instanceof ClassNotFoundException missing) {
        throw unreadable(qualified, missing, "submit the jar of its file system with the job");
      }
      throw e;
    }
  }

  private static IllegalArgumentException unreadable(String path, Exception cause, String wayOut) {
    return new IllegalArgumentException(
        lenientFormat(
            "model must name the folder of a saved model, but the driver can't read %s in %s (%s): %s",
            CheckedFolder.SUMS,
            path,
            cause.toString().lines().findFirst().orElse(""), // HDFS adds the server's stack trace
            wayOut),
        cause);
  }

  /** Loads the model on this executor, and checks every byte. */
  Model load(String device) throws IOException, MalformedModelException {
    byte[] sums;
    try {
      sums = sums();
    } catch (FileNotFoundException e) {
      throw new IOException(
          lenientFormat(
              "model must be a folder that every executor can read, but %s does not find %s: use a"
                  + " shared file system such as hdfs: or s3a:, or send the model with --archives"
                  + " model.zip#model and set model to sparkfiles:model",
              executor(), path),
          e);
    }
    if (!sum(sums).equals(sum)) {
      throw new IOException(
          lenientFormat(
              "%s finds another model in %s than the driver does: use a file system that all of them share,"
                  + " and do not save to the folder during a job",
              executor(), path));
    }
    if (isLocal()) {
      return SHARNN.load(local(), Devices.of(device));
    }
    Path copy = Files.createTempDirectory("sharnn-model");
    try {
      copyTo(copy, sums);
      return SHARNN.load(copy, Devices.of(device));
    } finally {
      MoreFiles.deleteRecursively(copy, RecursiveDeleteOption.ALLOW_INSECURE);
    }
  }

  /** Names this executor in messages. */
  static String executor() {
    SparkEnv env = SparkEnv.get();
    return lenientFormat(
        "executor %s on %s", env.executorId(), env.blockManager().blockManagerId().host());
  }

  private boolean isLocal() throws IOException {
    return path.startsWith(SPARK_FILES) || "file".equals(fileSystem().getUri().getScheme());
  }

  private Path local() {
    return path.startsWith(SPARK_FILES)
        ? Path.of(SparkFiles.get(path.substring(SPARK_FILES.length())))
        : Path.of(folder().toUri().getPath());
  }

  private org.apache.hadoop.fs.Path folder() {
    return path.startsWith(SPARK_FILES)
        ? new org.apache.hadoop.fs.Path(local().toUri())
        : new org.apache.hadoop.fs.Path(path);
  }

  private FileSystem fileSystem() throws IOException {
    return folder().getFileSystem(configuration.value());
  }

  private byte[] sums() throws IOException {
    try (InputStream in =
        fileSystem().open(new org.apache.hadoop.fs.Path(folder(), CheckedFolder.SUMS))) {
      byte[] sums = ByteStreams.limit(in, MAX_SUMS_BYTES + 1L).readAllBytes();
      checkArgument(
          sums.length <= MAX_SUMS_BYTES,
          "%s in %s must have at most %s bytes: copy the model's folder again",
          CheckedFolder.SUMS,
          path,
          MAX_SUMS_BYTES);
      return sums;
    }
  }

  private static String sum(byte[] sums) {
    return Hashing.sha256().hashBytes(sums).toString();
  }

  /** Copies the files that the sums list. Loading then compares their sums. */
  private void copyTo(Path target, byte[] sums) throws IOException, MalformedModelException {
    FileSystem files = fileSystem();
    Files.write(target.resolve(CheckedFolder.SUMS), sums);
    for (Map.Entry<String, String> file : CheckedFolder.parse(target, sums).entrySet()) {
      String name = file.getKey();
      org.apache.hadoop.fs.Path hidden =
          new org.apache.hadoop.fs.Path(folder(), CheckedFolder.hiddenName(name, file.getValue()));
      org.apache.hadoop.fs.Path plain = new org.apache.hadoop.fs.Path(folder(), name);
      try (InputStream in = files.open(files.exists(hidden) ? hidden : plain)) {
        Files.copy(in, target.resolve(name));
      }
    }
  }
}
