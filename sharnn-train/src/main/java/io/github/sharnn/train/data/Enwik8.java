package io.github.sharnn.train.data;

import ai.djl.util.Progress;
import com.google.common.io.ByteStreams;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.HttpURLConnection;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestOutputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;

/**
 * The first 100,000,000 bytes of a dump of the English Wikipedia of 2006, on which character models
 * are compared. Size and SHA-1 are those that its publisher states (<a
 * href="http://mattmahoney.net/dc/textdata.html">Mahoney, "About the Test Data"</a>).
 *
 * <pre>{@code
 * Corpus corpus = Corpus.enwik8(Enwik8.prepare(Path.of("data"), new ProgressBar()));
 * }</pre>
 */
public final class Enwik8 {

  private static final long SIZE = 100_000_000;
  private static final int TIMEOUT_MILLIS = 60_000;
  private static final int MAX_REDIRECTS = 5;

  private final String name;
  private final URI source;
  private final long size;
  private final String sha1;

  /** Another source, for tests. */
  Enwik8(String name, URI source, long size, String sha1) {
    this.name = name;
    this.source = source;
    this.size = size;
    this.sha1 = sha1;
  }

  /**
   * Finds {@code enwik8} in a folder; else unpacks {@code enwik8.zip} there; else downloads it from
   * <a href="http://mattmahoney.net/dc/enwik8.zip">its publisher</a>, 36 MB. The file is checked
   * each time. It gets its name only when it is whole and right; no other file is changed.
   *
   * @param folder where the file is or shall be; created where needed
   * @param progress told of the bytes read, as {@link ai.djl.training.util.ProgressBar} prints
   *     them, or null
   * @return the file, for {@link Corpus#enwik8}
   * @throws IOException if {@code enwik8} or {@code enwik8.zip} is there and is another file, the
   *     download fails or brings something else, or the folder can't be written
   */
  public static Path prepare(Path folder, Progress progress) throws IOException {
    return new Enwik8(
            "enwik8",
            URI.create("http://mattmahoney.net/dc/enwik8.zip"),
            SIZE,
            "57b8363b814821dc9d47aa4d41f58733519076b2")
        .find(folder, progress);
  }

  /**
   * Does the same for {@code text8}, which is such text in 27 characters: lower-case letters and
   * single spaces. 31 MB; the SHA-1 is the one that GluonNLP checks.
   *
   * @param folder where the file is or shall be; created where needed
   * @param progress told of the bytes read, or null
   * @return the file, for {@link Corpus#enwik8}, as it has the same size and split
   * @throws IOException as {@link #prepare} does
   */
  public static Path prepareText8(Path folder, Progress progress) throws IOException {
    return new Enwik8(
            "text8",
            URI.create("http://mattmahoney.net/dc/text8.zip"),
            SIZE,
            "0dc3edebc970dcc96137e7deda4d9995af9d93de")
        .find(folder, progress);
  }

  /** What {@link #prepare} does. */
  Path find(Path folder, Progress progress) throws IOException {
    Path file = folder.resolve(name);
    Path zip = folder.resolve(zipName());
    if (Files.exists(file)) {
      try (InputStream in = counted(Files.newInputStream(file), "Checking", size, progress)) {
        MessageDigest digest = newSha1();
        check(copy(in, OutputStream.nullOutputStream(), digest), digest, file);
      }
    } else if (Files.exists(zip)) {
      long length = Files.size(zip);
      try (InputStream in = counted(Files.newInputStream(zip), "Unpacking", length, progress)) {
        unpack(in, zip, file);
      }
    } else {
      try (InputStream in = download(progress)) {
        Files.createDirectories(folder);
        unpack(in, source, file);
      }
    }
    if (progress != null) {
      progress.end();
    }
    return file;
  }

  private String zipName() {
    return name + ".zip";
  }

  private InputStream download(Progress progress) throws IOException {
    try {
      URI place = source;
      HttpURLConnection connection = open(place);
      for (int i = 0; i < MAX_REDIRECTS && connection.getHeaderField("Location") != null; i++) {
        // the platform follows none from http to https
        place = place.resolve(connection.getHeaderField("Location"));
        connection.disconnect();
        connection = open(place);
      }
      long length = connection.getContentLengthLong();
      return counted(connection.getInputStream(), "Downloading", length, progress);
    } catch (IOException | IllegalArgumentException e) { // the second of a Location that is no URI
      throw new IOException(
          "can't download %s: %s; fetch it by other means and put it into the folder as %s"
              .formatted(source, e, zipName()),
          e);
    }
  }

  private static HttpURLConnection open(URI uri) throws IOException {
    if (!(uri.toURL().openConnection() instanceof HttpURLConnection connection)) {
      throw new IOException(uri + " is not on the web");
    }
    connection.setInstanceFollowRedirects(false);
    connection.setConnectTimeout(TIMEOUT_MILLIS);
    connection.setReadTimeout(TIMEOUT_MILLIS);
    return connection;
  }

  /** Writes a zip file's entry beside its place, and moves it there once it is whole and right. */
  private void unpack(InputStream in, Object origin, Path file) throws IOException {
    Path scratch =
        Files.createTempDirectory(file.toAbsolutePath().getParent(), name + "-unpacking-");
    Path part = scratch.resolve(name);
    scratch.toFile().deleteOnExit(); // where the process is interrupted
    part.toFile().deleteOnExit();
    try {
      MessageDigest digest = newSha1();
      long bytes;
      try (ZipInputStream zip = new ZipInputStream(in);
          OutputStream out = Files.newOutputStream(part)) {
        ZipEntry entry = zip.getNextEntry();
        while (entry != null && !entry.getName().equals(name)) {
          entry = zip.getNextEntry();
        }
        if (entry == null) {
          throw new IOException("it is no zip file with an entry " + name);
        }
        bytes = copy(zip, out, digest);
      } catch (IOException e) {
        throw new IOException(
            "can't unpack %s to %s: %s".formatted(origin, file, e.getMessage()), e);
      }
      check(bytes, digest, origin);
      Files.move(part, file);
    } finally {
      Files.deleteIfExists(part);
      Files.deleteIfExists(scratch);
    }
  }

  /** Copies all bytes, or one more than there should be. */
  private long copy(InputStream in, OutputStream out, MessageDigest digest) throws IOException {
    return ByteStreams.copy(ByteStreams.limit(in, size + 1), new DigestOutputStream(out, digest));
  }

  private void check(long bytes, MessageDigest digest, Object origin) throws IOException {
    String actual = HexFormat.of().formatHex(digest.digest());
    if (bytes != size || !actual.equals(sha1)) {
      throw new IOException(
          "%s is another file than %s, which has %d bytes and the SHA-1 %s: it has %s and %s"
              .formatted(origin, name, size, sha1, bytes > size ? "more" : bytes, actual));
    }
  }

  private static MessageDigest newSha1() {
    try {
      return MessageDigest.getInstance("SHA-1");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-1", e);
    }
  }

  /** Tells the progress of every byte that is read, where their number is known. */
  private static InputStream counted(
      InputStream in, String message, long length, Progress progress) {
    if (progress == null || length <= 0) {
      return in;
    }
    progress.reset(message, length);
    return new FilterInputStream(in) {
      @Override
      public int read() throws IOException {
        byte[] one = new byte[1];
        return read(one, 0, 1) < 0 ? -1 : Byte.toUnsignedInt(one[0]);
      }

      @Override
      public int read(byte[] target, int offset, int count) throws IOException {
        int read = super.read(target, offset, count);
        if (read > 0) {
          progress.increment(read);
        }
        return read;
      }
    };
  }
}
