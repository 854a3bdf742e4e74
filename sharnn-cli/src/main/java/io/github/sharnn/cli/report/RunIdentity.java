package io.github.sharnn.cli.report;

import static com.google.common.base.Preconditions.checkArgument;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * A run's random id and its folder. Each line {@code run} of the metrics has both, and each
 * checkpoint has the id. They prove that a metrics file belongs to a run.
 */
public record RunIdentity(String id, Path folder) {

  /** The name of the id among the options that a checkpoint keeps. */
  public static final String KEPT = "run";

  private static final String METRICS_START = "{\"run\":";
  private static final int LONGEST_LINE = 1 << 20; // bytes

  /** Returns the identity of a run with these kept options; a run without an id gets one. */
  public static RunIdentity of(Map<String, String> kept, Path folder) {
    return new RunIdentity(kept.getOrDefault(KEPT, UUID.randomUUID().toString()), folder);
  }

  /** Returns the fields of a line {@code run}. */
  Map<String, String> fields() throws IOException {
    return Map.of("id", id, "folder", real(folder).toString());
  }

  /**
   * Returns the metrics file that a checkpoint names, or nothing if there is none any more. The
   * checkpoint may come from a stranger, and must not name another run's file to cut and extend.
   *
   * @throws IllegalArgumentException if the file lies outside of the run's folder, and does not
   *     show that it belongs to this run
   */
  public Optional<Path> keptMetrics(Path file) throws IOException {
    if (!Files.exists(file, LinkOption.NOFOLLOW_LINKS)) {
      return Optional.empty();
    }
    boolean plain = Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS);
    if (real(file.toAbsolutePath().getParent()).startsWith(real(folder))) {
      return plain && isMetrics(file) ? Optional.of(file) : Optional.empty();
    }
    checkArgument(
        plain && wrote(file),
        "the checkpoint names the metrics file %s, which is outside of the run's folder and does not"
            + " belong to this run in %s: give --metrics again, with this or another file",
        file,
        folder);
    return Optional.of(file);
  }

  private static boolean isMetrics(Path file) throws IOException {
    try (InputStream in = Files.newInputStream(file)) {
      byte[] start = in.readNBytes(METRICS_START.length());
      return new String(start, StandardCharsets.ISO_8859_1).equals(METRICS_START);
    }
  }

  /**
   * Tells if the last line {@code run} with this id names this folder, or one that has moved here.
   * A copy of a run has its id too.
   */
  private boolean wrote(Path file) throws IOException {
    String last = null;
    try (InputStream in = new BufferedInputStream(Files.newInputStream(file))) {
      ByteArrayOutputStream line = new ByteArrayOutputStream();
      for (int next = in.read(); next >= 0; next = in.read()) {
        if (next != '\n') {
          if (line.size() <= LONGEST_LINE) {
            line.write(next);
          }
          continue;
        }
        String named = folder(line.toString(StandardCharsets.UTF_8));
        last = named == null ? last : named;
        line.reset();
      }
    }
    if (last == null) {
      return false;
    }
    try {
      Path named = Path.of(last);
      return named.equals(real(folder)) || !Files.exists(named, LinkOption.NOFOLLOW_LINKS);
    } catch (InvalidPathException e) {
      return false;
    }
  }

  /** Returns the folder that a line {@code run} with this id names, or null for another line. */
  private @Nullable String folder(String line) {
    if (!line.startsWith(METRICS_START)) {
      return null;
    }
    try {
      JsonObject run = JsonParser.parseString(line).getAsJsonObject().getAsJsonObject("run");
      return run.get("id").getAsString().equals(id) ? run.get("folder").getAsString() : null;
    } catch (RuntimeException e) { // Gson throws several types; the line is damaged
      return null;
    }
  }

  /** Resolves links in a path, of which only the last folders may be missing. */
  private static Path real(Path path) throws IOException {
    Path whole = path.toAbsolutePath().normalize();
    try {
      return whole.toRealPath();
    } catch (NoSuchFileException e) {
      Path parent = whole.getParent();
      return parent == null ? whole : real(parent).resolve(whole.getFileName());
    }
  }
}
