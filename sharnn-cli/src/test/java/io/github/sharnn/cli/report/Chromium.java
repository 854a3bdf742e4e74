package io.github.sharnn.cli.report;

import com.google.gson.Gson;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.File;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.net.http.WebSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** A headless Chromium with one page, driven over its DevTools protocol. */
final class Chromium implements AutoCloseable {

  private static final List<String> NAMES =
      List.of("chromium", "chromium-browser", "google-chrome", "chrome");
  private static final int PATIENCE = 60; // seconds

  private final Process process;
  private final WebSocket socket;
  private final LinkedBlockingQueue<JsonObject> answers = new LinkedBlockingQueue<>();
  private final List<String> errors = new ArrayList<>();
  private int id;

  /** Returns the browser on the path, if there is one. */
  static Optional<Path> find() {
    return Stream.of(System.getenv("PATH").split(File.pathSeparator))
        .flatMap(folder -> NAMES.stream().map(name -> Path.of(folder, name)))
        .filter(Files::isExecutable)
        .findFirst();
  }

  Chromium(Path program, Path profile) throws Exception {
    process =
        new ProcessBuilder(
                program.toString(),
                "--headless",
                "--no-sandbox", // which root can't have; the pages are this test's own
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--hide-scrollbars",
                "--remote-debugging-port=0",
                "--user-data-dir=" + profile,
                "about:blank")
            .redirectErrorStream(true)
            .redirectOutput(profile.resolveSibling("chromium.log").toFile())
            .start();
    HttpClient client = HttpClient.newHttpClient();
    Path port = profile.resolve("DevToolsActivePort");
    for (int i = 0; i < PATIENCE * 20 && (!Files.exists(port) || Files.size(port) == 0); i++) {
      Thread.sleep(50);
    }
    URI list =
        URI.create("http://127.0.0.1:" + Files.readAllLines(port).get(0).strip() + "/json/list");
    String targets =
        client.send(HttpRequest.newBuilder(list).build(), BodyHandlers.ofString()).body();
    URI page = null;
    for (JsonElement target : JsonParser.parseString(targets).getAsJsonArray()) {
      if (target.getAsJsonObject().get("type").getAsString().equals("page")) {
        page = URI.create(target.getAsJsonObject().get("webSocketDebuggerUrl").getAsString());
      }
    }
    socket = client.newWebSocketBuilder().buildAsync(page, new Listener()).join();
    for (String domain : List.of("Page", "Runtime", "Log")) {
      send(domain + ".enable", Map.of());
    }
  }

  /** Sorts messages into answers and errors. */
  private final class Listener implements WebSocket.Listener {

    private final StringBuilder text = new StringBuilder();

    @Override
    public CompletionStage<?> onText(WebSocket from, CharSequence data, boolean last) {
      text.append(data);
      if (last) {
        JsonObject message = JsonParser.parseString(text.toString()).getAsJsonObject();
        text.setLength(0);
        String method = message.has("method") ? message.get("method").getAsString() : "";
        if (message.has("id")) {
          answers.add(message);
        } else if (method.equals("Runtime.exceptionThrown")
            || method.equals("Log.entryAdded")
                && message.toString().contains("\"level\":\"error\"")) {
          synchronized (errors) {
            errors.add(message.toString());
          }
        }
      }
      from.request(1);
      return null;
    }
  }

  private JsonObject send(String method, Map<String, ?> parameters) throws InterruptedException {
    JsonObject message = new JsonObject();
    message.addProperty("id", ++id);
    message.addProperty("method", method);
    message.add("params", new Gson().toJsonTree(parameters));
    socket.sendText(message.toString(), true).join();
    JsonObject answer = answers.poll(PATIENCE, TimeUnit.SECONDS);
    if (answer == null || answer.has("error")) {
      throw new IllegalStateException(method + ": " + answer);
    }
    return answer.getAsJsonObject("result");
  }

  /** Opens a page in a window of a size. */
  void open(URI uri, int width, int height) throws InterruptedException {
    send(
        "Emulation.setDeviceMetricsOverride",
        Map.of("width", width, "height", height, "deviceScaleFactor", 1, "mobile", false));
    send("Page.navigate", Map.of("url", uri.toString()));
    await("document.readyState === 'complete' && location.href !== 'about:blank'");
  }

  /** Returns the value of an expression. */
  JsonElement evaluate(String expression) throws InterruptedException {
    JsonObject result =
        send("Runtime.evaluate", Map.of("expression", expression, "returnByValue", true));
    if (result.has("exceptionDetails")) {
      throw new IllegalStateException(result.toString());
    }
    JsonElement value = result.getAsJsonObject("result").get("value");
    return value == null ? new JsonObject() : value;
  }

  String text(String expression) throws InterruptedException {
    return evaluate(expression).getAsString();
  }

  double number(String expression) throws InterruptedException {
    return evaluate(expression).getAsDouble();
  }

  /** Waits until a condition holds. */
  void await(String condition) throws InterruptedException {
    for (int i = 0; i < PATIENCE * 20; i++) {
      if (evaluate(condition).getAsBoolean()) {
        return;
      }
      Thread.sleep(50);
    }
    throw new IllegalStateException("still not: " + condition);
  }

  /** Sends a mouse event: mouseMoved, mousePressed or mouseReleased. */
  void mouse(String type, double x, double y, int clicks) throws InterruptedException {
    boolean moved = type.equals("mouseMoved");
    send(
        "Input.dispatchMouseEvent",
        Map.of(
            "type", type,
            "x", x,
            "y", y,
            "button", moved ? "none" : "left",
            "clickCount", clicks));
    // the page reacts at its next frame
    String frames = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))";
    send("Runtime.evaluate", Map.of("expression", frames, "awaitPromise", true));
  }

  void click(double x, double y, int clicks) throws InterruptedException {
    for (int i = 1; i <= clicks; i++) {
      mouse("mousePressed", x, y, i);
      mouse("mouseReleased", x, y, i);
    }
  }

  void prefer(String scheme) throws InterruptedException {
    Map<String, String> feature = Map.of("name", "prefers-color-scheme", "value", scheme);
    send("Emulation.setEmulatedMedia", Map.of("features", List.of(feature)));
  }

  void screenshot(Path file) throws InterruptedException, IOException {
    JsonObject shot =
        send("Page.captureScreenshot", Map.of("format", "png", "captureBeyondViewport", true));
    Files.write(file, Base64.getDecoder().decode(shot.get("data").getAsString()));
  }

  /** Returns the errors of the page so far: exceptions, and what its policy has blocked. */
  List<String> errors() {
    synchronized (errors) {
      return List.copyOf(errors);
    }
  }

  @Override
  public void close() {
    socket.abort();
    process.descendants().forEach(ProcessHandle::destroyForcibly);
    process.destroyForcibly().onExit().join();
  }
}
