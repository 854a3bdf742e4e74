package io.github.sharnn.io;

import static com.google.common.base.Strings.lenientFormat;
import static java.nio.file.LinkOption.NOFOLLOW_LINKS;

import ai.djl.MalformedModelException;
import com.google.common.hash.Funnels;
import com.google.common.hash.Hasher;
import com.google.common.hash.Hashing;
import com.google.common.io.MoreFiles;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * A set of files in a folder that is replaced atomically. {@code SHA256SUMS} in the folder lists
 * them with their SHA-256, in the format of {@code sha256sum -c}. A reader sees all the old files
 * or all the new ones, even during a write or after a killed write. Other files in the folder stay.
 *
 * <p>A writer first writes every new file under a hidden name that contains its SHA-256, {@code
 * .NAME.SHA256}. It then replaces {@code SHA256SUMS} in one atomic step; from here on the new files
 * are the folder's. Last it gives the new files their names, one by one. For each sum, a reader
 * tries the hidden name first, then the plain name.
 */
public final class CheckedFolder implements Closeable {

  /** The name of the file with the sums. */
  public static final String SUMS = "SHA256SUMS";

  private static final Pattern LINE = Pattern.compile("([0-9a-f]{64}) [ *]([^./\\\\][^/\\\\]*)");
  private static final int MAX_SUMS_BYTES = 1 << 16;
  private static final int ATTEMPTS = 3;

  private final Path folder;
  private final Map<String, FileChannel> channels = new LinkedHashMap<>();

  private CheckedFolder(Path folder) {
    this.folder = folder;
  }

  /**
   * Replaces files, or writes them for the first time. One process at a time may write to a folder.
   *
   * @param folder the folder, which exists
   * @param writers the writer of the new content, by file name
   * @param others files in the folder that are listed with their sums and stay as they are
   * @throws IOException if a file can't be written; a reader then sees the old files, or the new
   *     ones if only their final names are missing
   */
  public static synchronized void write(
      Path folder, Map<String, AtomicFile.Writer> writers, List<String> others) throws IOException {
    Map<String, String> sums = new TreeMap<>();
    try {
      for (Map.Entry<String, AtomicFile.Writer> entry : writers.entrySet()) {
        Path file = folder.resolve("." + entry.getKey());
        AtomicFile.write(file, entry.getValue());
        String sum = sum(file);
        AtomicFile.move(file, hidden(folder, entry.getKey(), sum));
        sums.put(entry.getKey(), sum);
      }
      AtomicFile.forceFolder(folder);
      StringBuilder text = new StringBuilder();
      for (String other : others) {
        sums.put(other, sum(folder.resolve(other)));
      }
      sums.forEach((name, sum) -> text.append(line(name, sum)));
      AtomicFile.write(folder.resolve(SUMS), text.toString());
    } catch (IOException | RuntimeException e) {
      deleteUnlisted(folder, writers.keySet(), sums, e);
      throw e;
    }
    for (String name : writers.keySet()) {
      AtomicFile.move(hidden(folder, name, sums.get(name)), folder.resolve(name));
    }
    AtomicFile.forceFolder(folder);
  }

  private static String line(String name, String sum) {
    return sum + "  " + name + '\n';
  }

  /** Deletes the files of a failed write, which frees the space on a full disk. */
  private static void deleteUnlisted(
      Path folder, Set<String> names, Map<String, String> sums, Exception failure) {
    try {
      for (String name : names) {
        Files.deleteIfExists(folder.resolve("." + name));
      }
      Path file = folder.resolve(SUMS);
      byte[] bytes = Files.isRegularFile(file) ? readAtMost(file, MAX_SUMS_BYTES) : new byte[0];
      String listed = new String(bytes, StandardCharsets.UTF_8);
      for (Map.Entry<String, String> entry : sums.entrySet()) {
        if (!listed.contains(line(entry.getKey(), entry.getValue()))) {
          Files.deleteIfExists(hidden(folder, entry.getKey(), entry.getValue()));
        } // else a killed write of the same content left the hidden file, which is the folder's
      }
    } catch (IOException e) {
      failure.addSuppressed(e);
    }
  }

  /**
   * Deletes the hidden files of killed writers, and links of such a name. A folder of such a name
   * stays. No other process may write at the time.
   *
   * @param folder the folder
   * @param names the plain names of the files whose hidden files are deleted
   * @throws IOException if the folder can't be listed or a file can't be deleted
   */
  public static void deleteUnfinished(Path folder, Collection<String> names) throws IOException {
    String any = names.stream().map(Pattern::quote).collect(Collectors.joining("|"));
    Pattern hidden = Pattern.compile(lenientFormat("\\.{1,2}(%s)(\\.[0-9a-f-]+(\\.tmp)?)?", any));
    try (Stream<Path> files = Files.list(folder)) {
      for (Path file :
          files.filter(f -> hidden.matcher(f.getFileName().toString()).matches()).toList()) {
        if (!Files.isDirectory(file, NOFOLLOW_LINKS)) {
          Files.deleteIfExists(file);
        }
      }
    }
  }

  private static Path hidden(Path folder, String name, String sum) {
    return folder.resolve(hiddenName(name, sum));
  }

  /**
   * {@return the file name that a writer uses first and that readers prefer}
   *
   * @param name the file's plain name
   * @param sum its SHA-256
   */
  public static String hiddenName(String name, String sum) {
    return lenientFormat(".%s.%s", name, sum);
  }

  /**
   * Opens files, and compares every byte of all files that {@code SHA256SUMS} lists with its sum.
   *
   * @param folder the folder
   * @param names the files' names
   * @return the open files; the caller closes them
   * @throws NotDirectoryException if there is no such folder
   * @throws IOException if a file is missing or can't be read
   * @throws MalformedModelException if a file is damaged, or {@code SHA256SUMS} does not list it
   */
  public static CheckedFolder open(Path folder, String... names)
      throws IOException, MalformedModelException {
    if (!Files.isDirectory(folder)) {
      throw new NotDirectoryException(
          folder + " is not a folder; name the folder that the model was saved to");
    }
    byte[] before = {};
    int triesWithSameSums = 0;
    while (true) {
      byte[] sums = readSums(folder);
      triesWithSameSums = Arrays.equals(sums, before) ? triesWithSameSums + 1 : 1;
      before = sums;
      CheckedFolder files = new CheckedFolder(folder);
      try {
        files.open(parse(folder, sums), names);
        return files;
      } catch (Throwable e) {
        files.close();
        if (triesWithSameSums == ATTEMPTS) {
          throw e;
        } // else a writer may have replaced the files in between
      }
    }
  }

  private static byte[] readSums(Path folder) throws IOException {
    Path file = folder.resolve(SUMS);
    if (!Files.isRegularFile(file)) {
      throw new NoSuchFileException(
          file.toString(),
          null,
          "the folder holds no saved model: name the folder that a model was saved to; if only this"
              + " file is missing, write it again with"
              + " sha256sum config.json model.safetensors > SHA256SUMS");
    }
    return readAtMost(file, MAX_SUMS_BYTES);
  }

  /**
   * {@return the content of a file}
   *
   * @param file the file
   * @param most the maximum number of bytes to read
   * @throws IOException if the file can't be read, or is longer
   */
  public static byte[] readAtMost(Path file, int most) throws IOException {
    return Interrupts.defer(
        () -> {
          try (FileChannel channel = FileChannel.open(file)) {
            return readAtMost(channel, file, most);
          }
        });
  }

  private static byte[] readAtMost(FileChannel channel, Path file, int most) throws IOException {
    long size = channel.size();
    if (size > most) {
      throw new IOException(
          lenientFormat("%s must have at most %s bytes, but has %s", file, most, size));
    }
    ByteBuffer content = ByteBuffer.allocate((int) size);
    Safetensors.fill(content, channel, 0, file);
    return content.array();
  }

  /**
   * {@return the files that a {@code SHA256SUMS} lists, each with its SHA-256}
   *
   * @param folder the folder of the file, for error messages
   * @param content the content of the file
   * @throws MalformedModelException if a line has another form, or a name that leads out of the
   *     folder
   */
  public static Map<String, String> parse(Path folder, byte[] content)
      throws MalformedModelException {
    Map<String, String> sums = new TreeMap<>();
    for (String line : new String(content, StandardCharsets.UTF_8).lines().toList()) {
      Matcher matcher = LINE.matcher(line);
      if (!matcher.matches() || sums.put(matcher.group(2), matcher.group(1)) != null) {
        throw new MalformedModelException(
            lenientFormat(
                "%s is damaged: each line must be a SHA-256, two spaces and the name of a file in the"
                    + " folder, each name once; copy the folder again from where it was saved",
                folder.resolve(SUMS)));
      }
    }
    return sums;
  }

  private void open(Map<String, String> sums, String... names)
      throws IOException, MalformedModelException {
    for (String name : names) { // opens all files first, to leave a writer little time in between
      String sum = sums.get(name);
      if (sum == null) {
        throw new MalformedModelException(
            lenientFormat(
                "%s lists no %s: copy the folder again from where it was saved",
                folder.resolve(SUMS), name));
      }
      channels.put(name, open(name, sum));
    }
    for (Map.Entry<String, String> sum : sums.entrySet()) {
      String name = sum.getKey();
      if (channels.containsKey(name)) {
        check(name, sum(channels.get(name)), sum.getValue());
      } else {
        try (FileChannel channel = open(name, sum.getValue())) {
          check(name, sum(channel), sum.getValue());
        }
      }
    }
  }

  private FileChannel open(String name, String sum) throws IOException {
    Path hidden = hidden(folder, name, sum);
    Path file = Files.isRegularFile(hidden) ? hidden : path(name);
    if (Files.notExists(file)) {
      throw new NoSuchFileException(
          file.toString(),
          null,
          "this file of the saved model is missing: copy it from the folder that the model was saved"
              + " to");
    }
    return Safetensors.openRegular(file, "a file of a saved model");
  }

  private void check(String name, String actual, String listed) throws MalformedModelException {
    if (!actual.equals(listed)) {
      throw new MalformedModelException(
          lenientFormat(
                  "%s is damaged: its SHA-256 is %s, but %s lists %s; copy the folder again from where it was",
                  path(name), actual, SUMS, listed)
              + " saved, or if you changed the file yourself, put its new SHA-256 into "
              + SUMS);
    }
  }

  private static String sum(Path file) throws IOException {
    return MoreFiles.asByteSource(file).hash(Hashing.sha256()).toString();
  }

  private static String sum(FileChannel channel) throws IOException {
    Hasher hasher = Hashing.sha256().newHasher();
    Channels.newInputStream(channel.position(0)).transferTo(Funnels.asOutputStream(hasher));
    return hasher.hash().toString();
  }

  /** Returns the plain path of a file, for messages. */
  private Path path(String name) {
    return folder.resolve(name);
  }

  /**
   * Reads a whole file.
   *
   * @param name the file's name, one of those that were opened
   * @param most the most bytes that it may have
   * @return its content
   * @throws IOException if the file can't be read, or is longer
   */
  public byte[] read(String name, int most) throws IOException {
    return readAtMost(channels.get(name), path(name), most);
  }

  /**
   * Reads a file of tensors.
   *
   * @param name the file's name, one of those that were opened
   * @return the open tensors, which are closed with this object
   * @throws IOException if the file can't be read
   * @throws MalformedModelException if it is no safetensors file
   */
  public Safetensors tensors(String name) throws IOException, MalformedModelException {
    return Safetensors.of(channels.get(name), path(name));
  }

  @Override
  public void close() throws IOException {
    for (FileChannel channel : channels.values()) {
      channel.close();
    }
  }
}
