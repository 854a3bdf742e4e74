package io.github.sharnn.io;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.util.JsonUtils;
import com.google.common.base.Ascii;
import com.google.common.base.CharMatcher;
import com.google.common.base.Defaults;
import com.google.common.base.Throwables;
import com.google.gson.JsonElement;
import com.google.gson.JsonParseException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.RecordComponent;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Copies and values of public records, and records made of named values or of JSON. */
public final class Records {

  private static final int MAX_SHOWN = 1000; // characters of a text that is not JSON

  private Records() {}

  /**
   * Returns a copy of a record with other values. The record's constructor checks them.
   *
   * @param <R> the record's type
   * @param record the record; it stays as it is
   * @param changes names of components, each followed by its value
   * @return the copy
   */
  public static <R extends Record> R with(R record, @Nullable Object... changes) {
    Map<String, Object> values = values(record);
    for (int i = 0; i < changes.length; i += 2) {
      values.put((String) changes[i], changes[i + 1]);
    }
    @SuppressWarnings("unchecked")
    Class<R> type = (Class<R>) record.getClass();
    return of(type, values);
  }

  /**
   * Creates a record from its values. The record's constructor checks them.
   *
   * @param <R> the record's type
   * @param type the record's type
   * @param values the values of components by name; a missing one is 0, false or null
   * @return the record
   */
  public static <R extends Record> R of(
      Class<R> type, Map<String, ? extends @Nullable Object> values) {
    Map<String, Object> left = new HashMap<>(values);
    RecordComponent[] components = type.getRecordComponents();
    Class<?>[] types =
        Arrays.stream(components).map(RecordComponent::getType).toArray(Class<?>[]::new);
    Object[] arguments = new Object[components.length];
    for (int i = 0; i < components.length; i++) {
      Object value = left.remove(components[i].getName());
      arguments[i] = value == null ? Defaults.defaultValue(types[i]) : value;
    }
    checkArgument(left.isEmpty(), "%s has no components %s", type, left.keySet());
    try {
      return type.getConstructor(types).newInstance(arguments);
    } catch (InvocationTargetException e) {
      Throwables.throwIfUnchecked(e.getCause());
      throw new IllegalStateException(e);
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(e);
    }
  }

  /**
   * {@return the components of a record by name, in order, as a new map}
   *
   * @param record a public record
   */
  public static Map<String, Object> values(Record record) {
    Map<String, Object> values = new LinkedHashMap<>();
    for (RecordComponent component : record.getClass().getRecordComponents()) {
      try {
        values.put(component.getName(), component.getAccessor().invoke(record));
      } catch (ReflectiveOperationException e) {
        throw new IllegalStateException(e);
      }
    }
    return values;
  }

  /**
   * Reads a record from a JSON object with one field per component. The record's constructor checks
   * the values. A missing field is 0, false or null.
   *
   * @param <R> the record's type
   * @param type the record's type
   * @param name the name of the text in error messages
   * @param json the text
   * @return the record
   * @throws IllegalArgumentException if the text is empty or no such JSON, a field is unknown, or
   *     the constructor throws one
   */
  public static <R extends Record> R fromJson(Class<R> type, String name, String json) {
    try {
      JsonElement fields = JsonUtils.GSON.fromJson(json, JsonElement.class);
      R record = JsonUtils.GSON.fromJson(fields, type);
      checkArgument(record != null, "%s is empty", name);
      checkFields(name, fields.getAsJsonObject().keySet(), type);
      return record;
    } catch (JsonParseException e) {
      String shown = Ascii.truncate(json, MAX_SHOWN, "...");
      throw new IllegalArgumentException(
          name + " is not valid JSON: " + CharMatcher.javaIsoControl().replaceFrom(shown, ' '), e);
    } catch (RuntimeException e) {
      // Gson wraps what the record's constructor throws
      if (e.getCause() instanceof IllegalArgumentException cause) {
        throw cause;
      }
      throw e;
    }
  }

  private static void checkFields(String name, Set<String> fields, Class<?> type) {
    List<String> known =
        Arrays.stream(type.getRecordComponents()).map(RecordComponent::getName).toList();
    for (String field : fields) {
      checkArgument(
          known.contains(field),
          "%s has the unknown field '%s':%s",
          name,
          field,
          Names.suggestion(field, known));
    }
  }
}
