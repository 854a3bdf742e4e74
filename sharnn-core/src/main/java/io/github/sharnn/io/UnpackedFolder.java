package io.github.sharnn.io;

import ai.djl.util.Utils;
import com.google.common.io.MoreFiles;
import com.google.common.io.RecursiveDeleteOption;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A folder in a cache that appears under its name only when all of its files are there. */
public final class UnpackedFolder {

  private static final Logger LOGGER = LoggerFactory.getLogger(UnpackedFolder.class);

  /** The start of the names of folders that {@link #create} deletes, beside the folder itself. */
  public static final String UNFINISHED = ".unfinished";

  private UnpackedFolder() {}

  /** A writer of the files of a folder. */
  @FunctionalInterface
  public interface Filler {

    /**
     * Writes the files.
     *
     * @param folder an empty folder
     * @throws IOException if a file can't be written
     */
    void fill(Path folder) throws IOException;
  }

  /**
   * Fills a folder beside the one that is asked for, and renames it. One process at a time fills a
   * folder there. If another one is faster, its folder stays. Deletes what killed processes left.
   *
   * @param folder the folder, whose name stands for its content
   * @param filler writes the files
   * @throws IOException if the folder can't be written
   */
  public static synchronized void create(Path folder, Filler filler) throws IOException {
    Path parent = folder.toAbsolutePath().getParent();
    AtomicFile.createFolders(parent);
    FolderLock lock = FolderLock.ofSave(parent);
    try (lock) {
      deleteUnfinished(parent); // the lock shows that nobody is filling them
      if (Files.exists(folder)) {
        return;
      }
      Path unfinished = Files.createTempDirectory(parent, UNFINISHED);
      try {
        filler.fill(unfinished);
        Files.move(unfinished, folder);
      } finally {
        Utils.deleteQuietly(unfinished);
      }
    }
  }

  private static void deleteUnfinished(Path parent) throws IOException {
    List<Path> left;
    try (Stream<Path> paths = Files.list(parent)) {
      left = paths.filter(path -> path.getFileName().toString().startsWith(UNFINISHED)).toList();
    }
    for (Path path : left) {
      try {
        MoreFiles.deleteRecursively(path, RecursiveDeleteOption.ALLOW_INSECURE);
      } catch (IOException e) {
        LOGGER.warn("{}, which a killed process left, can't be deleted: {}", path, e.toString());
      }
    }
  }
}
