package io.github.sharnn.cli.faults;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * A disk as POSIX promises it: a crash may lose or cut content that was not forced, and may lose
 * any change of a folder's entries that no force of the folder followed.
 */
final class Disk {

  /** A change of the disk. */
  interface Change {
    void apply(Disk disk);
  }

  /** Decides what survives a crash. */
  enum Crash {
    /** A kill without a power cut. */
    KEEPS_ALL,
    LOSES_CONTENT,
    CUTS_CONTENT,
    LOSES_ENTRIES,
    LOSES_AT_RANDOM
  }

  private abstract static class Node {}

  private static final class File extends Node {
    private byte[] now = {};
    private byte[] forced = {};
  }

  private static final class Folder extends Node {
    private Map<String, Node> now = new TreeMap<>();
    private Map<String, Node> forced = new TreeMap<>();

    /** Changes since the last force; null stands for an entry that is gone. */
    private final List<Map<String, @Nullable Node>> pending = new ArrayList<>();

    private void change(Map<String, @Nullable Node> entries) {
      apply(entries, now);
      pending.add(entries);
    }
  }

  private final Folder root = new Folder();
  private final Map<Integer, File> open = new HashMap<>();

  private static void apply(Map<String, @Nullable Node> change, Map<String, Node> entries) {
    change.forEach(
        (name, node) -> {
          if (node == null) {
            entries.remove(name);
          } else {
            entries.put(name, node);
          }
        });
  }

  private Folder parent(String path) {
    Node node = root;
    String[] names = path.substring(1).split("/");
    for (String name : Arrays.copyOf(names, names.length - 1)) {
      node = ((Folder) node).now.get(name);
    }
    return (Folder) node;
  }

  private static String name(String path) {
    return path.substring(path.lastIndexOf('/') + 1);
  }

  private @Nullable Node node(String path) {
    return path.equals("/") ? root : parent(path).now.get(name(path));
  }

  void createFolder(String path) {
    parent(path).change(entry(name(path), new Folder()));
  }

  /** Opens a file by a number that later writes name, and creates it if it is missing. */
  void open(String path, int channel) {
    Node node = node(path);
    if (node == null) {
      node = new File();
      parent(path).change(entry(name(path), node));
    }
    open.put(channel, (File) node);
  }

  void write(int channel, long offset, byte[] bytes) {
    File file = open.get(channel);
    byte[] now =
        Arrays.copyOf(file.now, Math.max(file.now.length, Math.toIntExact(offset) + bytes.length));
    System.arraycopy(bytes, 0, now, Math.toIntExact(offset), bytes.length);
    file.now = now;
  }

  void truncate(int channel, long size) {
    File file = open.get(channel);
    file.now = Arrays.copyOf(file.now, (int) Math.min(file.now.length, size));
  }

  void force(int channel) {
    File file = open.get(channel);
    file.forced = file.now;
  }

  void forceFolder(String path) {
    Folder folder = (Folder) node(path);
    folder.forced = new TreeMap<>(folder.now);
    folder.pending.clear();
  }

  void move(String from, String to) {
    Node node = node(from);
    if (parent(from) == parent(to)) {
      Map<String, @Nullable Node> change = entry(name(from), null);
      change.put(name(to), node);
      parent(from).change(change);
    } else {
      parent(to).change(entry(name(to), node));
      parent(from).change(entry(name(from), null));
    }
  }

  void delete(String path) {
    parent(path).change(entry(name(path), null));
  }

  private static Map<String, @Nullable Node> entry(String name, @Nullable Node node) {
    Map<String, @Nullable Node> entry = new HashMap<>();
    entry.put(name, node);
    return entry;
  }

  /** Makes everything durable, as a disk is some time after a process. */
  void settle() {
    settle(root);
  }

  private static void settle(Node node) {
    if (node instanceof Folder folder) {
      folder.forced = new TreeMap<>(folder.now);
      folder.pending.clear();
      folder.now.values().forEach(Disk::settle);
    } else if (node instanceof File file) {
      file.forced = file.now;
    }
  }

  /** Returns the content of each file, and null for each folder, by path, after a crash. */
  Map<String, byte @Nullable []> after(Crash crash, long seed) {
    Map<String, byte @Nullable []> state = new TreeMap<>();
    add(root, "", crash, new Random(seed), state);
    return state;
  }

  private static void add(
      Folder folder,
      String path,
      Crash crash,
      Random random,
      Map<String, byte @Nullable []> state) {
    Map<String, Node> entries = new TreeMap<>(folder.forced);
    for (Map<String, @Nullable Node> change : folder.pending) {
      if (crash == Crash.LOSES_AT_RANDOM ? random.nextBoolean() : crash != Crash.LOSES_ENTRIES) {
        apply(change, entries);
      }
    }
    entries.forEach(
        (name, node) -> {
          if (node instanceof Folder inner) {
            state.put(path + "/" + name, null);
            add(inner, path + "/" + name, crash, random, state);
          } else if (node instanceof File file) {
            state.put(path + "/" + name, content(file, crash, random));
          }
        });
  }

  /** Content that was forced and not written again is never lost. */
  private static byte[] content(File file, Crash crash, Random random) {
    int kept = Arrays.mismatch(file.now, file.forced);
    if (kept < 0) {
      return file.now;
    }
    int rest = file.now.length - kept;
    return switch (crash) {
      case KEEPS_ALL -> file.now;
      case LOSES_CONTENT, LOSES_ENTRIES -> file.forced;
      case CUTS_CONTENT -> Arrays.copyOf(file.now, kept + rest / 2);
      case LOSES_AT_RANDOM ->
          switch (random.nextInt(4)) {
            case 0 -> file.now;
            case 1 -> file.forced;
            case 2 -> Arrays.copyOf(file.now, kept + random.nextInt(rest + 1));
            default -> // zeros, as a file system leaves them that forces lengths alone
                Arrays.copyOf(Arrays.copyOf(file.now, kept), file.now.length);
          };
    };
  }
}
