package io.github.sharnn.train.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;

import ai.djl.util.Progress;
import com.google.common.util.concurrent.Uninterruptibles;
import com.sun.net.httpserver.HttpServer;
import io.github.sharnn.train.Tiny;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.concurrent.CountDownLatch;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

class Enwik8Test {

  private static final byte[] TEXT = Tiny.randomBytes(200_000, 200);

  @TempDir private Path folder;
  private HttpServer server;
  private int downloads;

  /** Sends these bytes, but announces another number of them. */
  private void serve(String path, byte[] body, long announced) {
    server.createContext(
        path,
        exchange -> {
          downloads++;
          exchange.sendResponseHeaders(200, announced);
          exchange.getResponseBody().write(body);
          exchange.close();
        });
  }

  @BeforeEach
  void start_server() throws IOException {
    server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.start();
  }

  @AfterEach
  void stop_server() {
    server.stop(0);
  }

  private Enwik8 enwik8() throws Exception {
    String sha1 = HexFormat.of().formatHex(MessageDigest.getInstance("SHA-1").digest(TEXT));
    InetSocketAddress address = server.getAddress();
    URI source =
        new URI("http", null, address.getHostString(), address.getPort(), "/e.zip", null, null);
    return new Enwik8("enwik8", source, TEXT.length, sha1);
  }

  private static byte[] zip(String name, byte[] content) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ZipOutputStream zip = new ZipOutputStream(bytes)) {
      zip.putNextEntry(new ZipEntry("readme"));
      zip.write(1);
      zip.putNextEntry(new ZipEntry(name));
      zip.write(content);
    }
    return bytes.toByteArray();
  }

  /** Counts as DJL's own does. */
  private static final class Counter implements Progress {

    private String message;
    private long max;
    private long done;
    private boolean ended;

    @Override
    public void reset(String text, long end, String trailing) {
      message = text;
      max = end;
    }

    @Override
    public void start(long initial) {
      done = initial;
    }

    @Override
    public void end() {
      ended = true;
    }

    @Override
    public void increment(long bytes) {
      done += bytes;
    }

    @Override
    public void update(long position, String text) {
      done = position;
    }
  }

  @Test
  void downloads_checks_and_unpacks_once() throws Exception {
    byte[] zip = zip("enwik8", TEXT);
    serve("/e.zip", zip, zip.length);
    Counter progress = new Counter();
    Path data = folder.resolve("new").resolve("data");
    Path file = enwik8().find(data, progress);
    assertThat(file).isEqualTo(data.resolve("enwik8")).hasBinaryContent(TEXT);
    try (var files = Files.list(data)) {
      assertThat(files).containsExactly(file);
    }
    assertThat(progress.message).isEqualTo("Downloading");
    assertThat(progress.max).isEqualTo(zip.length);
    assertThat(progress.done).isBetween(zip.length * 9L / 10, (long) zip.length);
    assertThat(progress.ended).isTrue();

    Counter again = new Counter();
    assertThat(enwik8().find(data, again)).isEqualTo(file);
    assertThat(again.message).isEqualTo("Checking");
    assertThat(again.done).isEqualTo(TEXT.length);
    assertThat(downloads).isEqualTo(1);
  }

  @Test
  void unpacks_a_zip_file_that_is_there() throws Exception {
    byte[] zip = zip("enwik8", TEXT);
    Files.write(folder.resolve("enwik8.zip"), zip);
    assertThat(enwik8().find(folder, null)).hasBinaryContent(TEXT);
    assertThat(folder.resolve("enwik8.zip")).hasBinaryContent(zip);
    assertThat(downloads).isZero();
  }

  @Test
  void follows_the_publisher_to_another_address() throws Exception {
    redirect("/e.zip", "/moved/e.zip");
    redirect("/moved/e.zip", "again.zip"); // beside the last address, not the first
    serve("/moved/again.zip", zip("enwik8", TEXT), 0);
    assertThat(enwik8().find(folder, new Counter())).hasBinaryContent(TEXT);
  }

  @Test
  void says_that_an_address_is_none() throws Exception {
    redirect("/e.zip", "http://[");
    fails("can't download", "download it by hand", "enwik8.zip");
  }

  private void redirect(String path, String location) {
    server.createContext(
        path,
        exchange -> {
          exchange.getResponseHeaders().set("Location", location);
          exchange.sendResponseHeaders(301, -1);
          exchange.close();
        });
  }

  private void fails(String... message) throws Exception {
    Enwik8 enwik8 = enwik8();
    assertThatIOException()
        .isThrownBy(() -> enwik8.find(folder, new Counter()))
        .satisfies(e -> assertThat(e.getMessage()).contains(message));
  }

  private void left(String... names) throws IOException {
    try (var files = Files.list(folder)) {
      assertThat(files.map(f -> f.getFileName().toString())).containsExactlyInAnyOrder(names);
    }
  }

  @Test
  void leaves_another_file_of_the_name_alone() throws Exception {
    byte[] other = Arrays.copyOf(TEXT, TEXT.length + 10);
    Files.write(folder.resolve("enwik8"), other);
    fails(
        folder.resolve("enwik8").toString(),
        "is not enwik8: expected 200000 bytes",
        "found more bytes");
    assertThat(folder.resolve("enwik8")).hasBinaryContent(other);
    Files.write(folder.resolve("enwik8"), Tiny.text(TEXT.length));
    fails("expected 200000 bytes and the SHA-1", "found 200000 bytes and ");
    Files.delete(folder.resolve("enwik8"));
    Files.write(folder.resolve("enwik8.zip"), other);
    fails("enwik8.zip", "it is no zip file with an entry enwik8");
    left("enwik8.zip");
    assertThat(downloads).isZero();
  }

  @Test
  void keeps_nothing_of_a_download_that_is_wrong() throws Exception {
    byte[] changed = TEXT.clone();
    changed[TEXT.length / 2]++;
    byte[] zip = zip("enwik8", changed);
    serve("/e.zip", zip, zip.length);
    fails("/e.zip is not enwik8: expected ", "found 200000 bytes and ");
    left();
  }

  @Test
  void keeps_nothing_of_a_download_that_breaks_off() throws Exception {
    byte[] zip = zip("enwik8", TEXT);
    serve("/e.zip", Arrays.copyOf(zip, zip.length / 2), zip.length);
    fails("can't unpack http://", "/e.zip to " + folder.resolve("enwik8"));
    left();
  }

  @Test
  @Timeout(30)
  void gives_up_a_download_that_stalls() throws Exception {
    byte[] zip = zip("enwik8", TEXT);
    CountDownLatch end = new CountDownLatch(1);
    server.createContext(
        "/e.zip",
        exchange -> {
          exchange.sendResponseHeaders(200, zip.length);
          exchange.getResponseBody().write(zip, 0, zip.length / 2);
          exchange.getResponseBody().flush();
          Uninterruptibles.awaitUninterruptibly(end);
          exchange.close();
        });
    Enwik8 enwik8 = enwik8();
    enwik8.timeout = Duration.ofSeconds(2);
    assertThatIOException()
        .isThrownBy(() -> enwik8.find(folder, null))
        .withMessageContaining("can't unpack http://")
        .withMessageContaining("no data for 2 seconds");
    end.countDown();
    left();
  }

  @Test
  void reads_no_more_than_it_should_of_a_file_that_is_too_long() throws Exception {
    serve("/e.zip", zip("enwik8", new byte[50_000_000]), 0);
    fails("found more bytes and");
    left();
  }

  @Test
  void says_that_there_is_no_network() throws Exception {
    Enwik8 enwik8 = enwik8();
    server.stop(0);
    assertThatIOException()
        .isThrownBy(() -> enwik8.find(folder, null))
        .withMessageContaining("can't download http://")
        .withMessageContaining("no connection to " + server.getAddress().getHostString() + ";")
        .withMessageContaining("put it into the folder as enwik8.zip");
    left();
  }

  @Test
  void says_that_the_publisher_has_no_such_file() throws Exception {
    fails("can't download http://", "the HTTP status 404", "put it into the folder");
    left();
  }
}
