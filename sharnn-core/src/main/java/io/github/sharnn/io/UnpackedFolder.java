package io.github.sharnn.io;

import ai.djl.util.Utils;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;

/** A folder in a cache that appears under its name only when all of its files are there. */
public final class UnpackedFolder {

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
   * Fills a folder beside the one that is asked for, and renames it. If another process is faster,
   * its folder stays.
   *
   * @param folder the folder, whose name stands for its content
   * @param filler writes the files
   * @throws IOException if the folder can't be written
   */
  public static void create(Path folder, Filler filler) throws IOException {
    Path parent = folder.toAbsolutePath().getParent();
    AtomicFile.createFolders(parent);
    Path unfinished = Files.createTempDirectory(parent, ".unfinished");
    try {
      filler.fill(unfinished);
      move(unfinished, folder);
    } finally {
      Utils.deleteQuietly(unfinished);
    }
  }

  private static void move(Path from, Path to) throws IOException {
    try {
      Files.move(from, to);
    } catch (FileAlreadyExistsException e) {
      // the same content
    } catch (FileSystemException e) {
      if (!Files.isDirectory(to)) {
        throw e;
      }
    }
  }
}
