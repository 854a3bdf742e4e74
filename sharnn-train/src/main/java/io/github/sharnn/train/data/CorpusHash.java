package io.github.sharnn.train.data;

import ai.djl.util.Utils;
import com.google.common.hash.Hashing;
import com.google.common.io.MoreFiles;
import io.github.sharnn.io.AtomicFile;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A cache of the SHA-256 of corpus files, because hashing a large file takes long. DJL's cache
 * folder stores each hash with the path, size and modification time of the file.
 */
final class CorpusHash {

  private static final Logger LOGGER = LoggerFactory.getLogger(CorpusHash.class);
  private static final int HASH_LENGTH = 64;

  private CorpusHash() {}

  static String of(Path file) throws IOException {
    Path real = file.toRealPath();
    String key =
        String.format(
            Locale.ROOT,
            "%s\n%d\n%s\n",
            real,
            Files.size(real),
            Files.getLastModifiedTime(real).toInstant());
    String name = Hashing.sha256().hashString(real.toString(), StandardCharsets.UTF_8).toString();
    Path kept = Utils.getCacheDir().resolve("sharnn").resolve(name + ".sha256");
    String known = read(kept);
    if (known.startsWith(key) && known.length() == key.length() + HASH_LENGTH) {
      return known.substring(key.length());
    }
    String hash = MoreFiles.asByteSource(real).hash(Hashing.sha256()).toString();
    keep(kept, key + hash);
    return hash;
  }

  private static String read(Path kept) {
    try {
      return Files.exists(kept) ? Files.readString(kept) : "";
    } catch (IOException e) {
      LOGGER.warn("{} can't be read, the corpus is hashed again: {}", kept, e.toString());
      return "";
    }
  }

  /** Caches a hash. A failure is only logged. */
  private static void keep(Path kept, String text) {
    try {
      Files.createDirectories(kept.getParent());
      AtomicFile.write(kept, text);
    } catch (IOException e) {
      LOGGER.warn("{} can't be written, the corpus will be hashed again: {}", kept, e.toString());
    }
  }
}
