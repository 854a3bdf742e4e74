package io.github.sharnn.train.checkpoint;

import static com.google.common.base.Strings.lenientFormat;

import com.google.common.hash.HashCode;
import com.google.common.hash.Hashing;
import com.google.common.io.MoreFiles;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** The SHA-256 of each of a checkpoint's files, in a file of the form of {@code sha256sum}. */
final class CheckpointSums {

  private static final long MAX_BYTES = 1 << 12;
  private static final Pattern TENSORS = Pattern.compile("[a-z]{1,30}\\.safetensors");

  private CheckpointSums() {}

  static String line(String file, HashCode sha256) {
    return sha256 + "  " + file + "\n";
  }

  /** Returns the sum of each file by its name, once all listed files match and none is unlisted. */
  static Map<String, String> check(Path folder) throws IOException {
    Map<String, String> sums = read(folder);
    for (Map.Entry<String, String> sum : sums.entrySet()) {
      Path file = folder.resolve(sum.getKey());
      if (!Files.isRegularFile(file)) {
        throw CheckpointFolder.damaged(folder, sum.getKey() + " is missing", null);
      }
      String actual = MoreFiles.asByteSource(file).hash(Hashing.sha256()).toString();
      if (!actual.equals(sum.getValue())) {
        throw CheckpointFolder.damaged(
            folder,
            String.format(
                Locale.ROOT, "%s (%,d bytes) has a different SHA-256", file, Files.size(file)),
            null);
      }
    }
    try (Stream<Path> files = Files.list(folder)) {
      for (Path file : files.toList()) {
        String name = file.getFileName().toString();
        if (TENSORS.matcher(name).matches() && !sums.containsKey(name)) {
          throw CheckpointFolder.damaged(
              folder, lenientFormat("%s is not in %s", name, CheckpointFolder.SUMS), null);
        }
      }
    }
    return sums;
  }

  /** Returns the SHA-256 by file name. Rejects names that would lead out of the folder. */
  private static Map<String, String> read(Path folder) throws IOException {
    Path file = folder.resolve(CheckpointFolder.SUMS);
    if (!Files.isRegularFile(file) || Files.size(file) > MAX_BYTES) {
      throw CheckpointFolder.damaged(
          folder, CheckpointFolder.SUMS + " is missing or too long", null);
    }
    Map<String, String> sums = new LinkedHashMap<>();
    byte[] bytes = Files.readAllBytes(file);
    for (String line : new String(bytes, StandardCharsets.US_ASCII).split("\n")) {
      String[] parts = line.split(" {2}", 2);
      if (parts.length != 2
          || !(parts[1].equals(CheckpointFolder.RECORD) || TENSORS.matcher(parts[1]).matches())) {
        throw CheckpointFolder.damaged(
            folder, CheckpointFolder.SUMS + " has a line that does not belong there", null);
      }
      sums.put(parts[1], parts[0]);
    }
    if (bytes[bytes.length - 1] != '\n' || !sums.containsKey(CheckpointFolder.RECORD)) {
      throw CheckpointFolder.damaged(folder, CheckpointFolder.SUMS + " is truncated", null);
    }
    return sums;
  }
}
