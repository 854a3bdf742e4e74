package io.github.sharnn.cli.options;

import static com.google.common.base.Preconditions.checkArgument;

import com.sun.jna.Platform;
import io.github.sharnn.cli.report.RunLog;
import io.github.sharnn.train.progress.LiveLine;
import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.net.URI;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The option that shows a run's report in a browser while the run goes on. */
public final class WatchOption {

  private static final int LAST_PORT = 65_535;

  @Option(
      names = "--watch",
      arity = "0..1",
      paramLabel = "PORT",
      fallbackValue = "0",
      description =
          "Serve the report on this machine alone while the run goes on, and open it in the browser"
              + " if there is one. Default port: a free one.")
  private @Nullable Integer port;

  /** Serves the report of a run if the option is given, and opens it if there is a terminal. */
  public void serve(RunLog log) throws IOException {
    if (port != null) {
      checkArgument(
          port >= 0 && port <= LAST_PORT,
          "--watch must name a port up to %s, or none for a free one, but names %s",
          LAST_PORT,
          port);
      URI uri = log.serve(port);
      System.out.println("watch the run at " + uri);
      if (LiveLine.hasTerminal()) {
        open(uri);
      }
    }
  }

  private static void open(URI uri) {
    List<String> command = new ArrayList<>(opener(System.getenv()));
    if (command.isEmpty()) {
      return;
    }
    command.add(uri.toString());
    try {
      new ProcessBuilder(command)
          .redirectOutput(Redirect.DISCARD)
          .redirectError(Redirect.DISCARD)
          .start();
    } catch (IOException e) {
      System.err.println("no browser was opened: " + e.getMessage());
    }
  }

  /** Returns the command that opens an address, or an empty one without a screen. */
  static List<String> opener(Map<String, String> environment) {
    if (Platform.isMac()) {
      return List.of("open");
    }
    if (Platform.isWindows()) {
      return List.of("rundll32", "url.dll,FileProtocolHandler");
    }
    return environment.containsKey("DISPLAY") || environment.containsKey("WAYLAND_DISPLAY")
        ? List.of("xdg-open")
        : List.of();
  }
}
