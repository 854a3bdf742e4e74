package io.github.sharnn.cli.options;

import static io.github.sharnn.cli.Outcome.run;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.sharnn.cli.Outcome;
import io.github.sharnn.cli.TrainedModelTest;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

class WatchOptionTest extends TrainedModelTest {

  @Test
  @Timeout(60)
  void a_run_can_be_watched(@TempDir Path folder) throws Exception {
    int port;
    try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      port = free.getLocalPort();
    }
    URI uri = URI.create("http://127.0.0.1:" + port + "/");
    CompletableFuture<String> lastPage = CompletableFuture.supplyAsync(() -> follow(uri));
    Path saved = folder.resolve("m");
    Outcome trained = train("--output", saved, "--steps", 20, "--watch", port);
    assertThat(trained.err()).isEmpty();
    assertThat(trained.out()).contains("watch the run at " + uri + "\n", "saved in " + saved);
    assertThat(lastPage.get())
        .contains("<h1>Run m</h1>", "data-refresh=\"0\"", "\"layers\":[{")
        .contains("test, bits per character</th><td>"); // its last state
    Outcome more = run("train", "--resume", saved, "--steps", 21, "--watch");
    assertThat(more.out()).contains("watch the run at http://127.0.0.1:").doesNotContain("--watch");
    assertThat(run("train", "--resume", saved, "--steps", 22).out()).doesNotContain("watch the");
  }

  /** Fetches a page until it is the last one, as a browser does. */
  private static String follow(URI uri) {
    HttpClient client = HttpClient.newHttpClient();
    try {
      while (true) {
        try {
          String page =
              client.send(HttpRequest.newBuilder(uri).build(), BodyHandlers.ofString()).body();
          if (page.contains("data-refresh=\"0\"")) {
            return page;
          }
        } catch (ConnectException e) {
          Thread.sleep(5); // the run has not begun
        }
        Thread.sleep(20);
      }
    } catch (Exception e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void rejects_a_port_that_does_not_exist(@TempDir Path folder) {
    Outcome refused = train("--output", folder.resolve("m"), "--watch=70000");
    assertThat(refused.code()).isEqualTo(2);
    assertThat(refused.err())
        .contains("--watch must name a port up to 65535, or none for a free one, but names 70000")
        .hasLineCount(1);
  }

  @Test
  @EnabledOnOs(OS.LINUX)
  void opens_a_browser_only_where_there_is_a_screen() {
    assertThat(WatchOption.opener(Map.of("DISPLAY", ":0"))).containsExactly("xdg-open");
    assertThat(WatchOption.opener(Map.of("WAYLAND_DISPLAY", "w"))).containsExactly("xdg-open");
    assertThat(WatchOption.opener(Map.of())).isEmpty();
  }
}
