package io.github.sharnn.train.checkpoint;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Strings.lenientFormat;

import ai.djl.MalformedModelException;
import com.google.common.base.Ascii;
import com.google.common.base.CharMatcher;
import com.google.common.base.Throwables;
import com.google.common.collect.Sets;
import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.gson.JsonPrimitive;
import com.google.gson.TypeAdapter;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonWriter;
import com.google.gson.stream.MalformedJsonException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The numbers and strings of a checkpoint: {@code training.json}, bounded in size and elements. */
public final class CheckpointJson {

  static final int FORMAT = 2;
  private static final String FORMAT_NAME = "format";
  private static final Logger LOGGER = LoggerFactory.getLogger(CheckpointJson.class);
  private static final int MAX_BYTES = 4 << 20;
  private static final int MAX_ELEMENTS = 100_000; // of all lists and objects together
  private static final int MAX_MESSAGE = 1000; // characters

  private static final Gson GSON =
      new GsonBuilder()
          .setPrettyPrinting()
          .registerTypeAdapter(double.class, new AnyNumber<>(Double::valueOf))
          .registerTypeAdapter(Double.class, new AnyNumber<>(Double::valueOf))
          .registerTypeAdapter(float.class, new AnyNumber<>(Float::valueOf))
          .registerTypeAdapter(Float.class, new AnyNumber<>(Float::valueOf))
          .create();

  private CheckpointJson() {}

  /**
   * {@return the states as UTF-8}
   *
   * @param states the state of each part by its name, in types that Gson can write
   * @throws IOException if the states are too large to be read back
   */
  public static byte[] write(Map<String, Object> states) throws IOException {
    JsonObject all = new JsonObject();
    all.addProperty(FORMAT_NAME, FORMAT);
    states.forEach((name, state) -> all.add(name, GSON.toJsonTree(state)));
    byte[] json = GSON.toJson(all).getBytes(StandardCharsets.UTF_8);
    try {
      read(json);
    } catch (MalformedModelException e) {
      throw new IOException("it is too large to be read back: " + e.getMessage(), e);
    }
    return json;
  }

  static JsonObject read(Path file) throws IOException, MalformedModelException {
    checkLength(Files.size(file));
    return read(Files.readAllBytes(file));
  }

  /**
   * {@return the states that {@link #write} wrote}
   *
   * @param json UTF-8, at most 4 MiB and 100,000 elements
   * @throws MalformedModelException if the JSON is invalid, too large or of another format
   */
  public static JsonObject read(byte[] json) throws MalformedModelException {
    checkLength(json.length);
    // a parsed element such as {} takes many times the memory of its text, so the number of
    // elements is bounded too
    JsonReader bounded =
        new JsonReader(
            new InputStreamReader(new ByteArrayInputStream(json), StandardCharsets.UTF_8)) {
          private int elements;

          @Override
          public boolean hasNext() throws IOException {
            if (++elements > MAX_ELEMENTS) {
              throw new MalformedJsonException(
                  lenientFormat("it has more than %s elements", MAX_ELEMENTS));
            }
            return super.hasNext();
          }
        };
    try {
      JsonObject states = JsonParser.parseReader(bounded).getAsJsonObject();
      JsonElement format = states.get(FORMAT_NAME);
      checkArgument(
          new JsonPrimitive(FORMAT).equals(format),
          "the format is %s, but this version of the library reads only %s",
          format,
          FORMAT);
      return states;
    } catch (RuntimeException e) { // Gson throws many types
      throw malformed(e);
    }
  }

  /**
   * {@return the state of a part}
   *
   * @param <T> the state's type
   * @param states the states of a checkpoint
   * @param name the part's name
   * @param type the state's type
   * @throws MalformedModelException if the state is missing or invalid
   */
  public static <T> T parse(JsonObject states, String name, Class<T> type)
      throws MalformedModelException {
    try {
      T state = GSON.fromJson(states.get(name), type);
      checkArgument(state != null, "%s is missing", name);
      return state;
    } catch (RuntimeException e) { // Gson wraps what the constructor of a record throws
      throw malformed(e);
    }
  }

  private static MalformedModelException malformed(RuntimeException e) {
    String why = Ascii.truncate(Throwables.getRootCause(e).toString(), MAX_MESSAGE, "...");
    return new MalformedModelException(CharMatcher.javaIsoControl().replaceFrom(why, ' '), e);
  }

  /**
   * Compares the options of a resumed run with the saved ones. Logs a component that differs and
   * may do so.
   *
   * @param saved the record in the checkpoint
   * @param now the record of the resumed run
   * @param mayChange names of the components that may differ
   * @return a line for each component that must not differ but does
   */
  public static List<String> differences(Record saved, Record now, Set<String> mayChange) {
    List<String> differences = new ArrayList<>();
    JsonObject before = GSON.toJsonTree(saved).getAsJsonObject();
    JsonObject after = GSON.toJsonTree(now).getAsJsonObject();
    // JSON leaves out a component that is null
    for (String name : new TreeSet<>(Sets.union(before.keySet(), after.keySet()))) {
      JsonElement old = before.get(name);
      JsonElement fresh = after.get(name);
      if (Objects.equals(old, fresh)) {
        continue;
      }
      if (mayChange.contains(name)) {
        LOGGER.info("{} was {}, is now {}", name, old, fresh);
      } else {
        differences.add(lenientFormat("%s was %s, is now %s", name, old, fresh));
      }
    }
    return differences;
  }

  private static void checkLength(long bytes) throws MalformedModelException {
    if (bytes > MAX_BYTES) {
      throw new MalformedModelException(
          lenientFormat("it has %s bytes, more than the maximum of %s", bytes, MAX_BYTES));
    }
  }

  /** A number as JSON; infinity and NaN, which JSON lacks, as strings. */
  private static final class AnyNumber<N extends Number> extends TypeAdapter<N> {

    private final Function<String, N> parse;

    private AnyNumber(Function<String, N> parse) {
      this.parse = parse;
    }

    @Override
    public void write(JsonWriter out, N value) throws IOException {
      if (Double.isFinite(value.doubleValue())) {
        out.value(value);
      } else {
        out.value(value.toString());
      }
    }

    @Override
    public N read(JsonReader in) throws IOException {
      return parse.apply(in.nextString());
    }
  }
}
