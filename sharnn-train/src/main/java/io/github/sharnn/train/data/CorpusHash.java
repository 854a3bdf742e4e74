package io.github.sharnn.train.data;

import static com.google.common.base.Strings.lenientFormat;

import ai.djl.util.Utils;
import com.google.common.hash.Hashing;
import com.google.common.io.MoreFiles;
import io.github.sharnn.io.AtomicFile;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A cache of the SHA-256 of corpus files, because hashing a large file takes long. DJL's cache
 * folder stores each hash with the path, size, modification time, file key and change time of the
 * file.
 *
 * <p>On Linux and macOS the file key is device and inode, and the change time is the time that the
 * system sets at every write and that no program can set back. A file that is written in place, or
 * replaced, is hashed again even if its size and modification time stay the same. A file that
 * changed in the last seconds is not cached, because a later write could fall into the same tick of
 * the file system's clock.
 *
 * <p>Windows offers neither to Java. There, a file of the same size whose modification time was set
 * back keeps its old hash.
 */
final class CorpusHash {

  private static final Logger LOGGER = LoggerFactory.getLogger(CorpusHash.class);
  private static final int HASH_LENGTH = 64;
  private static final Duration TICK = Duration.ofSeconds(2); // the coarsest, that of FAT

  private CorpusHash() {}

  static String of(Path file) throws IOException {
    Path real = file.toRealPath();
    String key = key(real);
    String name = Hashing.sha256().hashString(real.toString(), StandardCharsets.UTF_8).toString();
    Path kept = Utils.getCacheDir().resolve("sharnn").resolve(name + ".sha256");
    String known = read(kept);
    if (known.startsWith(key) && known.length() == key.length() + HASH_LENGTH) {
      return known.substring(key.length());
    }
    Instant begin = Instant.now();
    String hash = compute(real);
    if (key.equals(key(real)) && changed(real).isBefore(begin.minus(TICK))) {
      keep(kept, key + hash);
    }
    return hash;
  }

  /** Hashes a file without the cache. */
  static String compute(Path file) throws IOException {
    return MoreFiles.asByteSource(file).hash(Hashing.sha256()).toString();
  }

  /** Describes the file by the attributes that change with its bytes. */
  private static String key(Path real) throws IOException {
    BasicFileAttributes attributes = Files.readAttributes(real, BasicFileAttributes.class);
    return lenientFormat(
        "%s\n%s\n%s\n%s\n%s\n",
        real,
        attributes.size(),
        attributes.lastModifiedTime().toInstant(),
        attributes.fileKey(),
        hasChangeTime(real) ? changed(real) : "");
  }

  private static boolean hasChangeTime(Path real) {
    return real.getFileSystem().supportedFileAttributeViews().contains("unix");
  }

  /** Returns the time of the last change, or of the last modification if there is no other. */
  private static Instant changed(Path real) throws IOException {
    FileTime time =
        hasChangeTime(real)
            ? (FileTime) Files.getAttribute(real, "unix:ctime")
            : Files.getLastModifiedTime(real);
    return time.toInstant();
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
