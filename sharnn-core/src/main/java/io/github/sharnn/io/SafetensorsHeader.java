package io.github.sharnn.io;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Strings.lenientFormat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.util.JsonUtils;
import com.google.common.base.Ascii;
import com.google.common.base.CharMatcher;
import com.google.gson.JsonObject;
import com.google.gson.Strictness;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The JSON header of a safetensors file, with the rules for its numbers.
 *
 * @param metadata the text entries of {@code __metadata__}
 */
record SafetensorsHeader(Map<String, Safetensors.Tensor> tensors, Map<String, String> metadata) {

  private static final String METADATA = "__metadata__";
  private static final CharMatcher DIGITS = CharMatcher.inRange('0', '9');
  private static final int MAX_AXES = 8;
  private static final String TOO_LARGE = "more than the 2 GiB of one DJL array";
  private static final int MAX_NAME = 500;
  private static final int MAX_DIGITS = 19; // of a long

  /** Reads and checks a header before so many bytes of data. An error names the broken rule. */
  static SafetensorsHeader parse(byte[] json, long dataBytes) {
    try {
      SafetensorsHeader header =
          new SafetensorsHeader(new LinkedHashMap<>(), new LinkedHashMap<>());
      // a reader made from the charset itself would replace bytes that are not UTF-8
      header.read(
          new JsonReader(
              new InputStreamReader(
                  new ByteArrayInputStream(json), StandardCharsets.UTF_8.newDecoder())));
      checkLayout(header.tensors.values(), dataBytes);
      return header;
    } catch (CharacterCodingException e) {
      throw new IllegalArgumentException("the header is not UTF-8", e);
    } catch (IOException | IllegalStateException e) {
      // Gson throws these for invalid JSON and for unexpected types
      throw new IllegalArgumentException(
          "the header is not valid JSON of a safetensors file: " + e.getMessage(), e);
    }
  }

  private void read(JsonReader reader) throws IOException {
    reader.setStrictness(Strictness.STRICT);
    reader.beginObject();
    boolean metadataSeen = false;
    while (reader.hasNext()) {
      String name = reader.nextName();
      if (name.equals(METADATA)) {
        checkArgument(!metadataSeen, "%s is there twice", METADATA);
        metadataSeen = true;
        readMetadata(reader);
      } else {
        // error messages contain the name
        checkArgument(
            name.length() <= MAX_NAME && name.chars().noneMatch(Character::isISOControl),
            "a name has more than %s characters, or control characters",
            MAX_NAME);
        checkArgument(!tensors.containsKey(name), "the name %s is there twice", name);
        tensors.put(name, readTensor(name, reader));
      }
    }
    reader.endObject();
    checkArgument(reader.peek() == JsonToken.END_DOCUMENT, "text follows the header's JSON object");
  }

  private void readMetadata(JsonReader reader) throws IOException {
    reader.beginObject();
    while (reader.hasNext()) {
      String key = reader.nextName();
      checkArgument(reader.peek() == JsonToken.STRING, "%s must hold texts only", METADATA);
      checkArgument(!metadata.containsKey(key), "%s has a name twice", METADATA);
      metadata.put(key, reader.nextString());
    }
    reader.endObject();
  }

  private static Safetensors.Tensor readTensor(String name, JsonReader reader) throws IOException {
    String dtype = null;
    long[] shape = null;
    long[] offsets = null;
    Set<String> keys = new HashSet<>();
    reader.beginObject();
    while (reader.hasNext()) {
      String key = reader.nextName();
      checkArgument(keys.add(key), "%s has %s twice", name, key);
      switch (key) {
        case "dtype" -> {
          checkArgument(reader.peek() == JsonToken.STRING, "the dtype of %s must be a text", name);
          dtype = reader.nextString();
        }
        case "shape" -> shape = readNumbers(name, key, MAX_AXES, reader);
        case "data_offsets" -> offsets = readNumbers(name, key, 2, reader);
        default ->
            throw new IllegalArgumentException(
                lenientFormat("%s may have dtype, shape and data_offsets only", name));
      }
    }
    reader.endObject();
    checkArgument(
        dtype != null && shape != null && offsets != null && offsets.length == 2,
        "%s must have dtype, shape and two data_offsets",
        name);
    return tensor(name, dataType(name, dtype), shape, offsets);
  }

  private static long[] readNumbers(String name, String key, int most, JsonReader reader)
      throws IOException {
    long[] numbers = new long[most];
    int count = 0;
    reader.beginArray();
    while (reader.hasNext()) {
      checkArgument(count < most, "%s of %s has more than %s numbers", key, name, most);
      checkArgument(reader.peek() == JsonToken.NUMBER, "%s of %s must hold numbers", key, name);
      String digits = reader.nextString();
      checkArgument(
          digits.length() <= MAX_DIGITS && DIGITS.matchesAllOf(digits),
          "%s of %s must hold whole numbers from 0 on, but has %s",
          key,
          name,
          Ascii.truncate(digits, MAX_DIGITS + 3, "..."));
      try {
        numbers[count++] = Long.parseLong(digits);
      } catch (NumberFormatException e) {
        throw new IllegalArgumentException(
            lenientFormat("%s of %s has %s, which is too large", key, name, digits), e);
      }
    }
    reader.endArray();
    return Arrays.copyOf(numbers, count);
  }

  private static DataType dataType(String name, String dtype) {
    // the engine ends the process at this type
    checkArgument(
        !dtype.equals("BF16"),
        "%s has the dtype BF16, which DJL cannot read: save it as F32, F16 or F64",
        name);
    try {
      return DataType.fromSafetensors(dtype);
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(
          lenientFormat(
              "%s has the dtype %s, but must have one of F64, F32, F16, I64, I32, I8, U8, BOOL",
              name, Ascii.truncate(dtype, 20, "...")),
          e);
    }
  }

  private static Safetensors.Tensor tensor(
      String name, DataType dataType, long[] shape, long[] offsets) {
    long bytes = bytes(shape, dataType);
    checkArgument(
        bytes >= 0, "%s has the shape %s, which is %s", name, Arrays.toString(shape), TOO_LARGE);
    checkArgument(
        offsets[1] >= offsets[0] && offsets[1] - offsets[0] == bytes,
        "%s has data_offsets %s, but shape %s of %s takes %s bytes",
        name,
        Arrays.toString(offsets),
        Arrays.toString(shape),
        dataType.asSafetensors(),
        bytes);
    return new Safetensors.Tensor(dataType, new Shape(shape), offsets[0], bytes);
  }

  /** Describes an array before it is written, by the rules for reading. */
  static Safetensors.Tensor tensor(String name, NDArray array, long offset) {
    checkArgument(
        !name.equals(METADATA)
            && name.length() <= MAX_NAME
            && name.chars().noneMatch(Character::isISOControl),
        "a tensor's name must have at most %s characters, no control characters, and not be %s, but is %s",
        MAX_NAME,
        METADATA,
        name);
    Shape shape = array.getShape();
    DataType dataType = array.getDataType();
    checkArgument(
        dataType != DataType.BFLOAT16, "%s is of BFLOAT16, which DJL cannot read back", name);
    dataType.asSafetensors(); // throws for the other types that the format lacks
    long bytes = bytes(shape.getShape(), dataType);
    checkArgument(
        shape.dimension() <= MAX_AXES && bytes >= 0,
        "%s has the shape %s, which has more than %s axes or is %s",
        name,
        shape,
        MAX_AXES,
        TOO_LARGE);
    return new Safetensors.Tensor(dataType, shape, offset, bytes);
  }

  /** Returns the length in bytes, or -1 if it is {@link #TOO_LARGE}. */
  private static long bytes(long[] shape, DataType dataType) {
    long bytes = dataType.getNumOfBytes();
    long strides = bytes; // the engine multiplies the axis lengths even if one of them is 0
    for (long length : shape) {
      if (length > Integer.MAX_VALUE / strides) {
        return -1;
      }
      bytes *= length;
      strides *= Math.max(1, length);
    }
    return bytes;
  }

  /** Checks that the tensors follow each other without gap or overlap, up to the file's end. */
  private static void checkLayout(Collection<Safetensors.Tensor> tensors, long dataBytes) {
    List<Safetensors.Tensor> inOrder = new ArrayList<>(tensors);
    inOrder.sort(
        Comparator.comparingLong(Safetensors.Tensor::offset)
            .thenComparingLong(Safetensors.Tensor::bytes));
    long end = 0;
    for (Safetensors.Tensor tensor : inOrder) {
      checkArgument(
          tensor.offset() == end,
          "its tensors overlap or leave gaps: one begins at byte %s, where the one before ends at %s",
          tensor.offset(),
          end);
      end += tensor.bytes();
    }
    checkArgument(
        end == dataBytes,
        "its tensors take %s bytes, but the file has %s for them",
        end,
        dataBytes);
  }

  /** Returns the header as text. */
  String toJson() {
    JsonObject json = new JsonObject();
    if (!metadata.isEmpty()) {
      json.add(METADATA, JsonUtils.GSON.toJsonTree(metadata));
    }
    tensors.forEach(
        (name, tensor) -> {
          long[] offsets = {tensor.offset(), tensor.offset() + tensor.bytes()};
          JsonObject entry = new JsonObject();
          entry.addProperty("dtype", tensor.dataType().asSafetensors());
          entry.add("shape", JsonUtils.GSON.toJsonTree(tensor.shape().getShape()));
          entry.add("data_offsets", JsonUtils.GSON.toJsonTree(offsets));
          json.add(name, entry);
        });
    return json.toString();
  }
}
