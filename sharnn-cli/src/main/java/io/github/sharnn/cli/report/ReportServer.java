package io.github.sharnn.cli.report;

import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.BindException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * A server of a run's report while the run goes on. It listens on the loopback interface alone, and
 * answers only to that name, so that no page from elsewhere can read the report.
 */
final class ReportServer implements AutoCloseable {

  static final int REFRESH = 2; // seconds
  private static final int DRAWING_SHARE = 20; // 1/20 of a core's time goes into drawing
  private static final int HTTP = 80;
  private static final int OK = 200;
  private static final int FAILED = 500;

  /** A source of pages. */
  interface Source {

    /** Returns a page that fetches itself again after so many seconds; 0 for the last one. */
    String page(int refreshSeconds) throws IOException;
  }

  private final HttpServer server;
  private final Source source;
  private final CountDownLatch last = new CountDownLatch(1); // the last page was fetched
  private String page = "";
  private long nextPage = System.nanoTime(); // earliest time to draw again
  private volatile long asked; // time of the last request
  private volatile boolean followed; // by a browser
  private volatile boolean ended;

  /** Starts a server; port 0 is a free one. */
  ReportServer(int port, Source source) throws IOException {
    this.source = source;
    try {
      server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 0);
    } catch (BindException e) {
      throw new IOException(
          "--watch can't use port " + port + " (" + e.getMessage() + "): name another, or none", e);
    }
    server.createContext("/", this::answer);
    server.start();
  }

  URI uri() {
    return URI.create("http://127.0.0.1:" + server.getAddress().getPort() + "/");
  }

  private void answer(HttpExchange exchange) throws IOException {
    try (exchange) {
      String host = exchange.getRequestHeaders().getFirst("Host");
      int port = server.getAddress().getPort();
      if (!isOwn(host, port)) {
        exchange.sendResponseHeaders(403, -1); // a page from elsewhere under a name of its own
      } else if (!exchange.getRequestURI().getPath().equals("/")) {
        exchange.sendResponseHeaders(404, -1);
      } else if (!exchange.getRequestMethod().equals("GET")) {
        exchange.sendResponseHeaders(405, -1);
      } else {
        boolean isLast = ended;
        String html;
        try {
          html = draw(isLast);
        } catch (IOException | RuntimeException e) { // the page asks again
          send(exchange, FAILED, "text/plain", "the report can't be drawn: " + e);
          return;
        }
        send(exchange, OK, "text/html", html);
        asked = System.nanoTime();
        followed = true;
        if (isLast) {
          last.countDown();
        }
      }
    }
  }

  /** Tells if a request names this server. Browsers leave out the port of HTTP. */
  static boolean isOwn(@Nullable String host, int port) {
    String end = ":" + port;
    String named = host == null || host.endsWith(end) || port != HTTP ? host : host + end;
    return List.of("127.0.0.1" + end, "localhost" + end).contains(String.valueOf(named));
  }

  /** Draws the page, or returns the previous one if drawing would take too much of the time. */
  private String draw(boolean isLast) throws IOException {
    long begin = System.nanoTime();
    if (isLast || begin - nextPage >= 0) {
      page = source.page(isLast ? 0 : REFRESH);
      nextPage = begin + DRAWING_SHARE * (System.nanoTime() - begin);
    }
    return page;
  }

  private static void send(HttpExchange exchange, int code, String type, String text)
      throws IOException {
    Headers headers = exchange.getResponseHeaders();
    headers.set("Content-Type", type + "; charset=utf-8");
    headers.set("Cache-Control", "no-store");
    headers.set("X-Content-Type-Options", "nosniff");
    headers.set("Cross-Origin-Resource-Policy", "same-origin");
    headers.set("Content-Security-Policy", "frame-ancestors 'none'");
    byte[] body = text.getBytes(StandardCharsets.UTF_8);
    exchange.sendResponseHeaders(code, body.length);
    exchange.getResponseBody().write(body);
  }

  /** Ends the server, after a browser that follows the run has fetched the last page. */
  @Override
  public void close() {
    ended = true;
    long longest = TimeUnit.SECONDS.toNanos(3 * REFRESH);
    if (followed && System.nanoTime() - asked < longest) {
      try {
        last.await(longest, TimeUnit.NANOSECONDS);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt(); // ends at once
      }
    }
    server.stop(0);
  }
}
