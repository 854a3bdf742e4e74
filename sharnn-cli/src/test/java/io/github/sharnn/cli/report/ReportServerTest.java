package io.github.sharnn.cli.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.NetworkInterface;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.time.Duration;
import java.util.Locale;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ReportServerTest {

  private final HttpClient client = HttpClient.newHttpClient();

  private HttpResponse<String> get(URI uri) throws Exception {
    return client.send(HttpRequest.newBuilder(uri).build(), BodyHandlers.ofString());
  }

  /** Sends a request as a browser does for a page under another name; returns the first line. */
  private static String ask(URI uri, String host) throws IOException {
    String request = "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n";
    return send(uri, String.format(Locale.ROOT, request, host));
  }

  private static String send(URI uri, String request) throws IOException {
    try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), uri.getPort())) {
      socket.getOutputStream().write(request.getBytes(StandardCharsets.US_ASCII));
      String answer = new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      return answer.lines().findFirst().orElseThrow();
    }
  }

  /** Ends a server as a browser follows it; returns the last page. */
  private String end(ReportServer server) throws Exception {
    Thread closing = new Thread(server::close);
    closing.start();
    String last = "";
    while (closing.isAlive()) {
      try {
        last = get(server.uri()).body();
      } catch (IOException e) {
        closing.join(); // the server has ended
      }
      Thread.sleep(10);
    }
    return last;
  }

  @Test
  @Timeout(30)
  void serves_the_page_until_the_last_one_was_fetched() throws Exception {
    URI uri;
    try (ReportServer server = new ReportServer(0, seconds -> "page " + seconds)) {
      uri = server.uri();
      HttpResponse<String> first = get(uri);
      assertThat(first.statusCode()).isEqualTo(200);
      assertThat(first.body()).isEqualTo("page " + ReportServer.REFRESH);
      assertThat(first.headers().firstValue("Content-Type")).hasValue("text/html; charset=utf-8");
      assertThat(first.headers().firstValue("Cache-Control")).hasValue("no-store");
      assertThat(end(server)).isEqualTo("page 0");
    }
    assertThatThrownBy(() -> get(uri)).isInstanceOf(IOException.class);
  }

  @Test
  void ends_at_once_if_nobody_follows() throws Exception {
    long begin = System.nanoTime();
    new ReportServer(0, seconds -> "").close();
    assertThat(Duration.ofNanos(System.nanoTime() - begin)).isLessThan(Duration.ofSeconds(2));
  }

  @Test
  void answers_to_loopback_names_and_to_get_alone() throws Exception {
    try (ReportServer server = new ReportServer(0, seconds -> "x")) {
      URI uri = server.uri();
      assertThat(get(uri.resolve("/etc/passwd")).statusCode()).isEqualTo(404);
      HttpRequest post = HttpRequest.newBuilder(uri).POST(BodyPublishers.noBody()).build();
      assertThat(client.send(post, BodyHandlers.ofString()).statusCode()).isEqualTo(405);
      assertThat(ask(uri, "rebound.example:" + uri.getPort())).contains(" 403 ");
      assertThat(ask(uri, "127.0.0.1:1")).contains(" 403 ");
      assertThat(send(uri, "GET / HTTP/1.0\r\n\r\n")).contains(" 403 ");
      assertThat(ask(uri, "localhost:" + uri.getPort())).contains(" 200 ");
      for (NetworkInterface each : NetworkInterface.networkInterfaces().toList()) {
        for (InetAddress address : each.inetAddresses().toList()) {
          if (!address.isLoopbackAddress()) {
            assertThatThrownBy(() -> connect(address, uri.getPort()))
                .isInstanceOf(IOException.class);
          }
        }
      }
      end(server);
    }
  }

  private static void connect(InetAddress address, int port) throws IOException {
    try (Socket socket = new Socket()) {
      socket.connect(new InetSocketAddress(address, port), 1000);
    }
  }

  @Test
  void draws_no_more_often_than_its_share_of_the_time_allows() throws Exception {
    int[] drawn = new int[1];
    try (ReportServer server =
        new ReportServer(
            0,
            seconds -> {
              drawn[0]++;
              long end = System.nanoTime() + 100_000_000;
              while (System.nanoTime() < end) {
                Thread.onSpinWait();
              }
              return "page";
            })) {
      for (int i = 0; i < 5; i++) {
        assertThat(get(server.uri()).body()).isEqualTo("page");
      }
      assertThat(drawn[0]).isOne();
      end(server);
    }
  }

  @Test
  void names_the_option_if_a_port_is_taken() throws Exception {
    try (ReportServer server = new ReportServer(0, seconds -> "")) {
      int port = server.uri().getPort();
      assertThatThrownBy(() -> new ReportServer(port, seconds -> ""))
          .isInstanceOf(IOException.class)
          .hasMessageStartingWith("--watch can't use port " + port + " (")
          .hasMessageEndingWith("): name another, or none");
    }
  }

  /** A connection without an answer would tell the browser that the run has ended. */
  @Test
  void tells_why_it_has_no_page_and_draws_again() throws Exception {
    boolean[] readable = {false};
    ReportServer.Source source =
        seconds -> {
          if (!readable[0]) {
            throw new AccessDeniedException("metrics.jsonl");
          }
          return "page";
        };
    try (ReportServer server = new ReportServer(0, source)) {
      HttpResponse<String> failed = get(server.uri());
      assertThat(failed.statusCode()).isEqualTo(500);
      assertThat(failed.body()).contains("the report can't be drawn", "metrics.jsonl");
      assertThat(failed.headers().firstValue("Content-Type")).hasValue("text/plain; charset=utf-8");
      readable[0] = true;
      assertThat(get(server.uri()).body()).isEqualTo("page");
      end(server);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "localhost:81, 81, true",
    "localhost, 81, false",
    "localhost, 80, true",
    "127.0.0.1, 80, true",
    "127.0.0.1:80, 80, true",
    "rebound.example, 80, false",
    ", 80, false"
  })
  void knows_its_name_without_the_usual_port(String host, int port, boolean own) {
    assertThat(ReportServer.isOwn(host, port)).isEqualTo(own);
  }
}
