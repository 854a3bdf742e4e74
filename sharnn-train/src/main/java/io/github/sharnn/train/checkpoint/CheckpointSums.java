package io.github.sharnn.train.checkpoint;

import com.google.common.hash.HashCode;
import com.google.common.hash.Hashing;
import com.google.common.io.MoreFiles;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The SHA-256 of each of a checkpoint's files, in a file as {@code sha256sum} has it. */
final class CheckpointSums {

  private static final long MAX_BYTES = 1 << 12;

  private CheckpointSums() {}

  static String line(String file, HashCode sha256) {
    return sha256 + "  " + file + "\n";
  }

  /**
   * Checks that the files are there, are what was written, and are all.
   *
   * @throws DamagedCheckpointException where they are not
   */
  static void check(Path folder) throws IOException {
    Map<String, String> sums = read(folder);
    for (Map.Entry<String, String> sum : sums.entrySet()) {
      Path file = folder.resolve(sum.getKey());
      if (!Files.isRegularFile(file)) {
        throw Checkpoint.damaged(folder, sum.getKey() + " is missing", null);
      }
      String actual = MoreFiles.asByteSource(file).hash(Hashing.sha256()).toString();
      if (!actual.equals(sum.getValue())) {
        throw Checkpoint.damaged(
            folder, "%s (%,d bytes) has another SHA-256".formatted(file, Files.size(file)), null);
      }
    }
    for (String name : Checkpoint.TENSORS) {
      if (!sums.containsKey(name) && Files.exists(folder.resolve(name))) {
        throw Checkpoint.damaged(folder, "%s is not in %s".formatted(name, Checkpoint.SUMS), null);
      }
    }
  }

  /** File name to SHA-256, of known names alone. */
  private static Map<String, String> read(Path folder) throws IOException {
    Path file = folder.resolve(Checkpoint.SUMS);
    if (!Files.isRegularFile(file) || Files.size(file) > MAX_BYTES) {
      throw Checkpoint.damaged(folder, Checkpoint.SUMS + " is missing or too long", null);
    }
    Map<String, String> sums = new LinkedHashMap<>();
    byte[] bytes = Files.readAllBytes(file);
    for (String line : new String(bytes, StandardCharsets.US_ASCII).split("\n")) {
      String[] parts = line.split(" {2}", 2);
      if (parts.length != 2
          || !(parts[1].equals(Checkpoint.RECORD) || Checkpoint.TENSORS.contains(parts[1]))) {
        throw Checkpoint.damaged(
            folder, Checkpoint.SUMS + " has a line that does not belong there", null);
      }
      sums.put(parts[1], parts[0]);
    }
    List<String> always =
        List.of(Checkpoint.RECORD, Checkpoint.WEIGHTS, Checkpoint.MOMENTS, Checkpoint.STATE);
    if (bytes[bytes.length - 1] != '\n' || !sums.keySet().containsAll(always)) {
      throw Checkpoint.damaged(folder, Checkpoint.SUMS + " is not whole", null);
    }
    return sums;
  }
}
