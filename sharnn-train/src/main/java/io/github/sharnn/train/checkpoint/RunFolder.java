package io.github.sharnn.train.checkpoint;

import static java.nio.file.LinkOption.NOFOLLOW_LINKS;

import com.google.common.io.MoreFiles;
import com.google.common.io.RecursiveDeleteOption;
import io.github.sharnn.io.AtomicFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** The checkpoints in a run's folder. They appear and disappear atomically. */
public final class RunFolder {

  private static final Pattern NAME = Pattern.compile("checkpoint-(\\d{1,4})-(\\d{8,18})");
  private static final Pattern UNFINISHED = Pattern.compile("\\." + NAME.pattern() + "\\.tmp");
  private static final Comparator<Path> BY_AGE =
      Comparator.comparingLong((Path path) -> number(path, 1))
          .thenComparingLong(path -> number(path, 2));

  private RunFolder() {}

  /** Returns the name of a checkpoint. The stage in the name counts from 1. */
  static String name(int stage, long step) {
    return String.format(Locale.ROOT, "checkpoint-%d-%08d", stage + 1, step);
  }

  /** Returns the path of a checkpoint while it is being written or deleted. */
  static Path unfinished(Path run, String name) {
    return run.resolve("." + name + ".tmp");
  }

  /**
   * {@return true if a path is a folder with the name of a checkpoint}
   *
   * @param path any path
   */
  public static boolean isCheckpoint(Path path) {
    return path.getFileName() != null
        && NAME.matcher(path.getFileName().toString()).matches()
        && Files.isDirectory(path);
  }

  private static long number(Path checkpoint, int group) {
    Matcher matcher = NAME.matcher(checkpoint.getFileName().toString());
    return matcher.matches() ? Long.parseLong(matcher.group(group)) : -1;
  }

  /**
   * Compares two checkpoints by stage, then by step.
   *
   * @param one a checkpoint's folder
   * @param other another
   * @return a negative number if {@code one} is older, positive if it is newer, else 0
   */
  public static int compare(Path one, Path other) {
    return BY_AGE.compare(one, other);
  }

  /**
   * {@return the folders of the checkpoints, oldest first}
   *
   * @param run the run's folder
   * @throws IOException if the folder can't be read
   */
  public static List<Path> checkpoints(Path run) throws IOException {
    try (Stream<Path> paths = Files.list(run)) {
      return paths.filter(RunFolder::isCheckpoint).sorted(BY_AGE).toList();
    }
  }

  /**
   * Deletes checkpoints that a killed process left half-written or half-deleted.
   *
   * @param run the run's folder
   * @throws IOException if the folder can't be read or a file can't be deleted
   */
  public static void deleteUnfinished(Path run) throws IOException {
    List<Path> left;
    try (Stream<Path> paths = Files.list(run)) {
      left =
          paths
              .filter(path -> UNFINISHED.matcher(path.getFileName().toString()).matches())
              .toList();
    }
    for (Path path : left) {
      delete(path);
    }
  }

  /** Renames a complete temporary folder to its final name, which makes the checkpoint visible. */
  static void commit(Path unfinished, Path checkpoint) throws IOException {
    AtomicFile.forceFolder(unfinished);
    Files.move(unfinished, checkpoint, StandardCopyOption.ATOMIC_MOVE);
    AtomicFile.forceFolder(checkpoint.getParent());
  }

  /** Deletes all checkpoints but the newest {@code keep}. */
  static void prune(Path run, int keep) throws IOException {
    List<Path> all = checkpoints(run);
    for (Path path : all.subList(0, Math.max(all.size() - keep, 0))) {
      Path going = unfinished(run, path.getFileName().toString());
      Files.move(path, going, StandardCopyOption.ATOMIC_MOVE);
      delete(going);
    }
  }

  /**
   * Renames a checkpoint, so that a run can write a new one under the old name.
   *
   * @param checkpoint the checkpoint's folder
   * @return the new path, {@code set-aside-NAME} with a number if that exists
   * @throws IOException if the folder can't be renamed
   */
  public static Path setAside(Path checkpoint) throws IOException {
    String name = "set-aside-" + checkpoint.getFileName();
    Path target = checkpoint.resolveSibling(name);
    for (int i = 2; Files.exists(target, NOFOLLOW_LINKS); i++) {
      target = checkpoint.resolveSibling(name + "-" + i);
    }
    return Files.move(checkpoint, target, StandardCopyOption.ATOMIC_MOVE);
  }

  /**
   * Renames files and broken links that have the name of a checkpoint, as {@link #setAside} does.
   * They would be in the way of a new checkpoint.
   *
   * @param run the run's folder
   * @throws IOException if the folder can't be read or an entry can't be renamed
   */
  public static void setAsideOthers(Path run) throws IOException {
    List<Path> others;
    try (Stream<Path> paths = Files.list(run)) {
      others =
          paths
              .filter(path -> NAME.matcher(path.getFileName().toString()).matches())
              .filter(path -> !Files.isDirectory(path))
              .toList();
    }
    for (Path path : others) {
      setAside(path);
    }
  }

  /** Deletes a folder, or a link to one, but never the target of a link. */
  static void delete(Path folder) throws IOException {
    MoreFiles.deleteRecursively(folder, RecursiveDeleteOption.ALLOW_INSECURE);
  }
}
