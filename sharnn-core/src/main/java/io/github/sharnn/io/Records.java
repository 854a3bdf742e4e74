package io.github.sharnn.io;

import static com.google.common.base.Preconditions.checkArgument;

import com.google.common.base.Throwables;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.RecordComponent;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Copies of public records. */
public final class Records {

  private Records() {}

  /**
   * Returns a copy of a record with other values. The record's constructor checks them.
   *
   * @param changes names of components, each followed by its value
   */
  public static <R extends Record> R with(R record, @Nullable Object... changes) {
    Map<Object, Object> values = new HashMap<>();
    for (int i = 0; i < changes.length; i += 2) {
      values.put(changes[i], changes[i + 1]);
    }
    @SuppressWarnings("unchecked")
    Class<R> type = (Class<R>) record.getClass();
    RecordComponent[] components = type.getRecordComponents();
    Object[] arguments = new Object[components.length];
    try {
      for (int i = 0; i < components.length; i++) {
        String name = components[i].getName();
        Object old = components[i].getAccessor().invoke(record);
        arguments[i] = values.containsKey(name) ? values.remove(name) : old;
      }
      checkArgument(values.isEmpty(), "%s has no components %s", type, values.keySet());
      Class<?>[] types =
          Arrays.stream(components).map(RecordComponent::getType).toArray(Class<?>[]::new);
      return type.getConstructor(types).newInstance(arguments);
    } catch (InvocationTargetException e) {
      Throwables.throwIfUnchecked(e.getCause());
      throw new IllegalStateException(e);
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(e);
    }
  }
}
