package io.github.sharnn.io;

import static java.nio.file.LinkOption.NOFOLLOW_LINKS;
import static java.nio.file.StandardOpenOption.CREATE_NEW;
import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;

import com.google.common.util.concurrent.Uninterruptibles;
import java.io.IOException;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.time.Instant;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A file that appears under its name only when it is complete.
 *
 * <pre>{@code
 * AtomicFile.write(Path.of("report.html"), html);
 * }</pre>
 *
 * <p>The content is written to a temporary file in the same folder, forced to disk, and renamed
 * atomically. A reader sees the old file or the new one, also after a crash or a power cut. A
 * failed write deletes the temporary file and leaves the old file as it was. An interrupt of the
 * thread does not fail a write; the writer may be called again. If the name is a symbolic link, the
 * file replaces the link; the target does not change.
 */
public final class AtomicFile {

  private static final Logger LOGGER = LoggerFactory.getLogger(AtomicFile.class);

  private static final boolean WINDOWS = System.getProperty("os.name").startsWith("Windows");
  private static final Pattern TEMPORARY =
      Pattern.compile("\\..+\\.[0-9a-f]{8}(-[0-9a-f]+){4}\\.tmp");
  private static final Duration ABANDONED = Duration.ofDays(7);
  private static final int MOVES = 20;
  private static final Duration PAUSE = Duration.ofMillis(50);

  /** Temporary files in use. A shutdown hook deletes them, because Ctrl-C skips finally blocks. */
  private static final Set<Path> UNFINISHED = ConcurrentHashMap.newKeySet();

  static {
    Runtime.getRuntime()
        .addShutdownHook(new Thread(() -> UNFINISHED.forEach(AtomicFile::deleteAtExit)));
  }

  private AtomicFile() {}

  /** Writes the content of a file. */
  @FunctionalInterface
  public interface Writer {

    /**
     * Writes the content. After an interrupt, it is called again with a new channel.
     *
     * @param channel a channel to the new, empty file; the writer may close it
     * @throws IOException if the content can't be written
     */
    void write(FileChannel channel) throws IOException;
  }

  /**
   * Writes or replaces a file.
   *
   * @param file the file, in a folder that exists
   * @param writer writes the content
   * @throws IOException if the file can't be written
   */
  public static void write(Path file, Writer writer) throws IOException {
    write(file, writer, AtomicFile::move);
  }

  /**
   * Writes or replaces a file with these bytes.
   *
   * @param file the file, in a folder that exists
   * @param content the whole content
   * @throws IOException if the file can't be written
   */
  public static void write(Path file, byte[] content) throws IOException {
    write(file, of(content));
  }

  /**
   * Writes or replaces a file with this text in UTF-8.
   *
   * @param file the file, in a folder that exists
   * @param content the whole content
   * @throws IOException if the file can't be written
   */
  public static void write(Path file, String content) throws IOException {
    write(file, content.getBytes(StandardCharsets.UTF_8));
  }

  /**
   * Writes a file that must not exist yet.
   *
   * @param file the file, in a folder that exists
   * @param writer writes the content
   * @throws java.nio.file.FileAlreadyExistsException if there is a file of that name at the end
   * @throws IOException if the file can't be written
   */
  public static void writeNew(Path file, Writer writer) throws IOException {
    write(file, writer, Files::move);
  }

  /**
   * Writes or replaces a file and leaves it open, so that the caller can add to it.
   *
   * @param file the file, in a folder that exists
   * @param writer writes the first content; it must leave the channel open
   * @return the channel, open to read and write; the caller closes it
   * @throws IOException if the file can't be written
   */
  public static FileChannel open(Path file, Writer writer) throws IOException {
    return Interrupts.defer(() -> openOnce(file, writer));
  }

  private static FileChannel openOnce(Path file, Writer writer) throws IOException {
    Path temporary = temporary(file);
    FileChannel channel = null;
    boolean complete = false;
    UNFINISHED.add(temporary);
    try {
      channel = FileChannel.open(temporary, CREATE_NEW, READ, WRITE);
      writer.write(channel);
      channel.force(true);
      move(temporary, file);
      forceFolder(file.toAbsolutePath().getParent());
      complete = true;
      return channel;
    } catch (FileSystemException e) {
      throw FileErrors.of(e, temporary, file);
    } finally {
      if (channel != null && !complete) {
        channel.close();
      }
      Files.deleteIfExists(temporary);
      UNFINISHED.remove(temporary);
    }
  }

  /**
   * Deletes the temporary files of writers that were killed in the middle of a write. The file of a
   * live writer changes all the time, so a file that has not changed for a week has none. Files
   * that can't be deleted stay.
   *
   * @param folder the folder, which exists
   * @throws IOException if the folder can't be listed
   */
  public static void deleteAbandoned(Path folder) throws IOException {
    Instant weekAgo = Instant.now().minus(ABANDONED);
    try (DirectoryStream<Path> files = Files.newDirectoryStream(folder, ".*.tmp")) {
      for (Path file : files) {
        if (TEMPORARY.matcher(file.getFileName().toString()).matches()
            && Files.isRegularFile(file, NOFOLLOW_LINKS)
            && !UNFINISHED.contains(file)) {
          deleteOlder(file, weekAgo);
        }
      }
    } catch (DirectoryIteratorException e) {
      throw e.getCause();
    }
  }

  private static void deleteOlder(Path file, Instant time) {
    try {
      if (Files.getLastModifiedTime(file).toInstant().isBefore(time)) {
        Files.deleteIfExists(file);
      }
    } catch (NoSuchFileException e) {
      // another process deleted the file
    } catch (IOException e) { // the file of another user, perhaps
      LOGGER.warn("can't delete the abandoned file {}: {}", file, e.toString());
    }
  }

  private static Path temporary(Path file) {
    // Files.createTempFile would make a file that only this user can read
    return file.resolveSibling("." + file.getFileName() + "." + UUID.randomUUID() + ".tmp");
  }

  private interface Move {
    void move(Path from, Path to) throws IOException;
  }

  private static void write(Path file, Writer writer, Move move) throws IOException {
    Path temporary = temporary(file);
    UNFINISHED.add(temporary);
    try {
      Interrupts.defer(() -> fill(temporary, writer));
      force(temporary, WRITE, NOFOLLOW_LINKS);
      move.move(temporary, file);
    } catch (FileSystemException e) {
      throw FileErrors.of(e, temporary, file);
    } finally {
      Files.deleteIfExists(temporary);
      UNFINISHED.remove(temporary);
    }
    forceFolder(file.toAbsolutePath().getParent());
  }

  private static @Nullable Void fill(Path temporary, Writer writer) throws IOException {
    Files.deleteIfExists(temporary); // of an interrupted attempt
    try (FileChannel channel = FileChannel.open(temporary, CREATE_NEW, WRITE)) {
      writer.write(channel);
      return null;
    }
  }

  /**
   * Renames a file in one atomic step. The move fails on Windows while a reader has the target
   * open, so this method retries it there for up to a second.
   */
  static void move(Path from, Path to) throws IOException {
    for (int attempt = 1; ; attempt++) {
      try {
        Files.move(from, to, StandardCopyOption.ATOMIC_MOVE);
        return;
      } catch (AccessDeniedException e) {
        if (!WINDOWS || attempt == MOVES) {
          throw e;
        }
        Uninterruptibles.sleepUninterruptibly(PAUSE);
      }
    }
  }

  /**
   * {@return a writer of some bytes}
   *
   * @param content the bytes, not copied
   */
  public static Writer of(byte[] content) {
    return channel -> Channels.newOutputStream(channel).write(content);
  }

  /**
   * Forces a folder's entries to disk, so that they survive a power cut. Windows neither supports
   * nor needs this.
   *
   * @param folder the folder
   * @throws IOException if the folder can't be opened or forced
   */
  public static void forceFolder(Path folder) throws IOException {
    try {
      force(folder, READ);
    } catch (AccessDeniedException e) {
      if (!WINDOWS) { // it opens no folder
        throw e;
      }
    }
  }

  /**
   * Creates a folder and the missing folders above it, and forces them to disk. Does nothing if the
   * folder exists or is a link to a folder.
   *
   * @param folder the folder
   * @throws IOException if a folder can't be created
   */
  public static void createFolders(Path folder) throws IOException {
    Path path = folder.toAbsolutePath();
    if (Files.isDirectory(path)) { // Files.createDirectories of Java 17 fails for a link
      return;
    }
    if (path.getParent() != null) {
      createFolders(path.getParent());
    }
    try {
      Files.createDirectory(path);
    } catch (FileAlreadyExistsException e) {
      if (!Files.isDirectory(path)) { // else another process was faster
        throw new FileSystemException(
            path.toString(),
            null,
            "not a folder, but a file or a link to nothing: remove it, or name another folder");
      }
    }
    if (path.getParent() != null) {
      forceFolder(path.getParent());
    }
  }

  private static void force(Path path, OpenOption... options) throws IOException {
    Interrupts.defer(
        () -> {
          try (FileChannel channel = FileChannel.open(path, options)) {
            channel.force(true);
            return null;
          }
        });
  }

  private static void deleteAtExit(Path temporary) {
    try {
      Files.deleteIfExists(temporary);
    } catch (IOException e) {
      LOGGER.warn("can't delete the unfinished file {}: {}", temporary, e.toString());
    }
  }
}
