package io.github.sharnn.train.data;

import static com.google.common.base.Strings.lenientFormat;

import ai.djl.util.Progress;
import com.google.common.hash.HashCode;
import com.google.common.hash.Hashing;
import com.google.common.hash.HashingOutputStream;
import com.google.common.io.ByteStreams;
import com.google.common.util.concurrent.Uninterruptibles;
import io.github.sharnn.io.AtomicFile;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.ConnectException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpTimeoutException;
import java.nio.channels.Channels;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.Future;
import java.util.concurrent.TimeoutException;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;
import org.jspecify.annotations.Nullable;

/**
 * The data sets enwik8 and text8, on which character-level language models are compared: the first
 * 100,000,000 bytes of a dump of the English Wikipedia of 2006, as XML and as plain words. The
 * publisher states the size and SHA-1 of enwik8 (<a
 * href="http://mattmahoney.net/dc/textdata.html">Mahoney, "About the Test Data"</a>).
 *
 * <pre>{@code
 * Corpus corpus = Corpus.enwik8(Enwik8.prepare(Path.of("data"), new ProgressBar()));
 * }</pre>
 */
public final class Enwik8 {

  private static final long SIZE = 100_000_000;

  private final String name;
  private final URI source;
  private final long size;
  private final String sha1;
  Duration timeout = Duration.ofSeconds(60); // without an answer or more data

  /** Creates a data set from another source, for tests. */
  Enwik8(String name, URI source, long size, String sha1) {
    this.name = name;
    this.source = source;
    this.size = size;
    this.sha1 = sha1;
  }

  /**
   * Returns the file {@code enwik8} in a folder. If there is none, unpacks {@code enwik8.zip} from
   * the folder, or downloads 36 MB from <a href="http://mattmahoney.net/dc/enwik8.zip">the
   * publisher</a>. Checks the file each time. The file gets its name only when it is complete and
   * correct.
   *
   * @param folder the folder of the file; created if needed
   * @param progress reports the bytes read, as {@link ai.djl.training.util.ProgressBar} does; or
   *     null
   * @return the file, for {@link Corpus#enwik8}
   * @throws IOException if a file of one of these names is wrong, the download fails or is wrong,
   *     or the folder is not writable
   */
  public static Path prepare(Path folder, @Nullable Progress progress) throws IOException {
    return published("enwik8", "57b8363b814821dc9d47aa4d41f58733519076b2").find(folder, progress);
  }

  /**
   * Returns the file {@code text8} in a folder, as {@link #prepare} does for enwik8. Its text has
   * 27 characters: lower-case letters and single spaces. The download has 31 MB; its SHA-1 is the
   * one that GluonNLP checks.
   *
   * @param folder the folder of the file; created if needed
   * @param progress told of the bytes read, or null
   * @return the file, for {@link Corpus#enwik8}, as it has the same size and split
   * @throws IOException as for {@link #prepare}
   */
  public static Path prepareText8(Path folder, @Nullable Progress progress) throws IOException {
    return published("text8", "0dc3edebc970dcc96137e7deda4d9995af9d93de").find(folder, progress);
  }

  private static Enwik8 published(String name, String sha1) {
    URI source = URI.create("http://mattmahoney.net/dc/" + name + ".zip");
    return new Enwik8(name, source, SIZE, sha1);
  }

  Path find(Path folder, @Nullable Progress progress) throws IOException {
    Path file = folder.resolve(name);
    Path zip = folder.resolve(name + ".zip");
    if (Files.exists(file)) {
      try (InputStream in = counted(Files.newInputStream(file), "Checking", size, progress)) {
        HashingOutputStream out = hashing(OutputStream.nullOutputStream());
        check(copy(in, out), out.hash(), file);
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

  private InputStream download(@Nullable Progress progress) throws IOException {
    HttpClient client =
        HttpClient.newBuilder()
            .followRedirects(HttpClient.Redirect.NORMAL)
            .connectTimeout(timeout)
            .build();
    HttpRequest request = HttpRequest.newBuilder(source).timeout(timeout).build();
    try {
      HttpResponse<InputStream> response =
          client.send(request, HttpResponse.BodyHandlers.ofInputStream());
      if (response.statusCode() != 200) {
        response.body().close();
        throw new IOException(
            lenientFormat(
                "%s answers with the HTTP status %s", response.uri(), response.statusCode()));
      }
      long length = response.headers().firstValueAsLong("Content-Length").orElse(-1);
      return counted(impatient(response.body()), "Downloading", length, progress);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new InterruptedIOException("the download of " + source + " was interrupted");
    } catch (IOException | IllegalArgumentException | UncheckedIOException e) {
      // an invalid redirect throws these types too
      throw new IOException(
          lenientFormat(
              "can't download %s: %s; download it by hand and put it into the folder as %s",
              source,
              e instanceof ConnectException ? "no connection to " + source.getHost() : e,
              name + ".zip"),
          e);
    }
  }

  /** Fails after {@code timeout} without data. {@link HttpClient} would wait for ever. */
  private InputStream impatient(InputStream body) {
    return new FilterInputStream(body) {
      @Override
      public int read(byte[] target, int offset, int count) throws IOException {
        Future<Integer> read =
            ForkJoinPool.commonPool().submit(() -> in.read(target, offset, count));
        try {
          return Uninterruptibles.getUninterruptibly(read, timeout);
        } catch (TimeoutException e) {
          throw new HttpTimeoutException("no data for " + timeout.toSeconds() + " seconds");
        } catch (ExecutionException e) {
          throw new IOException(e.getCause().getMessage(), e);
        }
      }
    };
  }

  /** Unpacks the entry of a zip file. The file gets its name once it is complete and correct. */
  private void unpack(InputStream in, Object origin, Path file) throws IOException {
    AtomicFile.writeNew(
        file,
        channel -> {
          HashingOutputStream out = hashing(Channels.newOutputStream(channel));
          long bytes;
          try (ZipInputStream zip = new ZipInputStream(in)) {
            ZipEntry entry = zip.getNextEntry();
            while (entry != null && !entry.getName().equals(name)) {
              entry = zip.getNextEntry();
            }
            if (entry == null) {
              throw new IOException("it is no zip file with an entry " + name);
            }
            bytes = copy(zip, out);
          } catch (IOException e) {
            throw new IOException(
                lenientFormat("can't unpack %s to %s: %s", origin, file, e.getMessage()), e);
          }
          check(bytes, out.hash(), origin);
        });
  }

  /** Copies all bytes, up to one more than the expected size. */
  private long copy(InputStream in, OutputStream out) throws IOException {
    return ByteStreams.copy(ByteStreams.limit(in, size + 1), out);
  }

  private void check(long bytes, HashCode actual, Object origin) throws IOException {
    if (bytes != size || !actual.toString().equals(sha1)) {
      throw new IOException(
          lenientFormat(
              "%s is not %s: expected %s bytes and the SHA-1 %s, found %s bytes and %s",
              origin, name, size, sha1, bytes > size ? "more" : bytes, actual));
    }
  }

  @SuppressWarnings("deprecation") // the publisher states no safer hash
  private static HashingOutputStream hashing(OutputStream out) {
    return new HashingOutputStream(Hashing.sha1(), out);
  }

  /** Reports the bytes read to the progress, if their number is known. */
  private static InputStream counted(
      InputStream in, String message, long length, @Nullable Progress progress) {
    if (progress == null || length <= 0) {
      return in;
    }
    progress.reset(message, length);
    return new FilterInputStream(in) {
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
