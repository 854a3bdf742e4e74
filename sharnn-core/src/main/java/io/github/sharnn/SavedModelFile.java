package io.github.sharnn;

import ai.djl.Device;
import ai.djl.MalformedModelException;
import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.nn.core.Linear;
import ai.djl.nn.norm.LayerNorm;
import com.google.common.io.CountingInputStream;
import io.github.sharnn.vocabulary.TextVocabulary;
import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UTFDataFormatException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Reads a file that DJL's {@code Model.save} wrote. DJL's own reader believes every length in it
 * and hands what it reads to native code; this one compares everything with the file's length and
 * with the model of its config first. Writes the largest arrays for it, as DJL would.
 */
final class SavedModelFile {

  private static final int MODEL_VERSION = 1;
  private static final int PARAMETER_VERSION = 1;
  private static final int ARRAY_VERSION = 3;
  private static final int LINEAR_VERSION = 4;
  private static final int MAX_ENTRIES = 1000; // of inputs and of properties
  private static final int MAX_HEADER_BYTES = 4 << 20;
  private static final int MAX_AXES = 8;
  private static final int CHUNK_BYTES = 1 << 16;

  private final long size;
  private final Path folder;
  private final CountingInputStream position;
  private final DataInputStream in;
  private final NDManager manager;
  private final Map<String, String> properties = new HashMap<>();
  private SHARNN block;

  private SavedModelFile(InputStream stream, Path file, NDManager manager) throws IOException {
    size = Files.size(file);
    folder = file.toAbsolutePath().getParent();
    this.manager = manager;
    position = new CountingInputStream(new BufferedInputStream(stream));
    in = new DataInputStream(position);
  }

  /**
   * Reads the block; the model gets the properties and the data type that it was saved with.
   *
   * @param model the model whose manager owns the weights
   * @throws IOException if the file can't be read
   * @throws MalformedModelException if it is not a saved {@link SHARNN}
   */
  static SHARNN read(Path file, Model model) throws IOException, MalformedModelException {
    if (!Files.isRegularFile(file)) {
      throw new IOException(file + " is a folder or a device, not a saved model");
    }
    String problem = file + " is no readable SHARNN model: ";
    try (InputStream stream = Files.newInputStream(file)) {
      SavedModelFile saved = new SavedModelFile(stream, file, model.getNDManager());
      DataType dataType = saved.read();
      model.setDataType(dataType);
      saved.properties.forEach(model::setProperty);
      return saved.block;
    } catch (EOFException e) {
      throw new MalformedModelException(problem + "it ends too early", e);
    } catch (UTFDataFormatException e) {
      throw new MalformedModelException(problem + "a text is not UTF-8", e);
    } catch (MalformedModelException e) {
      throw new MalformedModelException(problem + e.getMessage(), e);
    }
  }

  private DataType read() throws IOException, MalformedModelException {
    DataType dataType = readHeader();
    String json = properties.get(SHARNN.CONFIG_PROPERTY);
    check(
        json != null,
        "it has no property %s: it was not saved from a model made by SHARNN.newModel; if"
            + " it is a SHARNN, read it with Model.load into SHARNN.newModel of the same options and save that",
        SHARNN.CONFIG_PROPERTY);
    SHARNNConfig config;
    try {
      config = SHARNNConfig.fromJson(json);
    } catch (IllegalArgumentException e) {
      throw new MalformedModelException(e.getMessage(), e);
    }
    // what the model allocates is bounded by the file
    check(
        config.parameterCount() <= remaining() / DataType.FLOAT16.getNumOfBytes(),
        "the model of its config has %s weights, but %s bytes follow",
        config.parameterCount(),
        remaining());
    TextVocabulary vocabulary =
        TextVocabulary.load(folder, properties.get(TextVocabulary.MODEL_PROPERTY));
    try {
      block = SHARNN.of(config, vocabulary);
    } catch (IllegalArgumentException e) {
      throw new MalformedModelException(e.getMessage(), e);
    }
    read(block);
    check(remaining() == 0, "%s bytes follow its last weights", remaining());
    return dataType;
  }

  private DataType readHeader() throws IOException, MalformedModelException {
    byte[] magic = new byte[4];
    in.readFully(magic);
    check(
        Arrays.equals(magic, "DJL@".getBytes(StandardCharsets.US_ASCII)),
        "it does not begin with DJL@, so DJL did not save it");
    check("model", in.readInt(), MODEL_VERSION);
    in.readUTF(); // its name
    DataType dataType = readDataType();
    int inputs = in.readInt();
    check(inputs >= 0 && inputs <= MAX_ENTRIES, "it lists %s inputs", inputs);
    for (int i = 0; i < inputs; i++) {
      in.readUTF();
      readShape();
      checkHeaderLength();
    }
    int count = in.readInt();
    check(count >= 0 && count <= MAX_ENTRIES, "it has %s properties", count);
    for (int i = 0; i < count; i++) {
      properties.put(in.readUTF(), in.readUTF());
      checkHeaderLength();
    }
    return dataType;
  }

  private void checkHeaderLength() throws MalformedModelException {
    check(
        position.getCount() <= MAX_HEADER_BYTES,
        "its inputs and properties take more than %s bytes",
        MAX_HEADER_BYTES);
  }

  /** The order in which DJL writes a block: version, shapes, its own parameters, its children. */
  private void read(Block part) throws IOException, MalformedModelException {
    int version = in.readByte();
    Shape kernel = null;
    if (part instanceof Linear) {
      check("Linear", version, LINEAR_VERSION);
      kernel = new Shape(readLength(), readLength());
      readShape();
    } else {
      int shapes = in.readInt();
      // each takes at least 8 bytes
      check(shapes >= 0 && shapes <= remaining() / 8, "a block lists %s input shapes", shapes);
      for (int i = 0; i < shapes; i++) {
        readShape();
      }
      if (part instanceof LayerNorm) {
        kernel = readShape();
      }
    }
    List<Shape> shapes = new ArrayList<>();
    for (Parameter parameter : part.getDirectParameters().values()) {
      shapes.add(read(parameter));
    }
    // the weight of a Linear, gamma of a LayerNorm
    check(
        kernel == null || kernel.equals(shapes.get(0)),
        "a block of the size %s has weights of the shape %s",
        kernel,
        shapes);
    for (Block child : part.getChildren().values()) {
      read(child);
    }
  }

  private Shape read(Parameter parameter) throws IOException, MalformedModelException {
    String name = parameter.getName();
    check(in.readChar() == 'P', "the parameter %s has no weights", name);
    check("parameter", in.readByte(), PARAMETER_VERSION);
    check(in.readUTF().equals(name), "it has another parameter where %s should be", name);
    check(in.readUTF().equals("NDAR"), "the parameter %s has no array", name);
    check("array", in.readInt(), ARRAY_VERSION);
    int named = in.readByte();
    check(named == 0 || named == 1, "the array of %s neither has a name nor has none", name);
    if (named == 1) {
      in.readUTF();
    }
    check(in.readUTF().equals("DENSE"), "the array of %s is not dense", name);
    DataType dataType = readDataType();
    if (!block.isInitialized()) {
      block.initialize(manager, dataType, new Shape(1, 1));
    }
    NDArray array = parameter.getArray();
    check(
        array.getDataType() == dataType,
        "%s is of %s, but the weights before it are of %s",
        name,
        dataType,
        array.getDataType());
    Shape shape = readShape();
    check(
        shape.equals(array.getShape()),
        "%s has the shape %s in the file, but %s in the model of its config",
        name,
        shape,
        array.getShape());
    check(in.readByte() == '<', "the array of %s is not little-endian", name);
    int length = in.readInt();
    check(
        length == shape.size() * dataType.getNumOfBytes(),
        "%s has the shape %s of %s, but %s bytes",
        name,
        shape,
        dataType,
        length);
    try (NDManager scratch = manager.newSubManager(Device.cpu())) {
      NDArray values = scratch.create(shape, dataType);
      ByteBuffer memory = values.toByteBuffer(true);
      byte[] chunk = new byte[Math.min(length, CHUNK_BYTES)];
      while (memory.hasRemaining()) {
        int count = Math.min(memory.remaining(), chunk.length);
        in.readFully(chunk, 0, count);
        memory.put(chunk, 0, count);
      }
      SafetensorsWeights.assign(parameter, values);
    }
    return shape;
  }

  /** Writes what DJL's {@code Parameter.save} does, without its three copies on Java's heap. */
  static void write(Parameter parameter, DataOutputStream out) throws IOException {
    if (!parameter.isInitialized()) {
      parameter.save(out);
      return;
    }
    out.writeChar('P');
    out.writeByte(PARAMETER_VERSION);
    out.writeUTF(parameter.getName());
    NDArray array = parameter.getArray();
    out.writeUTF("NDAR");
    out.writeInt(ARRAY_VERSION);
    out.writeBoolean(array.getName() != null);
    if (array.getName() != null) {
      out.writeUTF(array.getName());
    }
    out.writeUTF("DENSE");
    out.writeUTF(array.getDataType().name());
    out.write(array.getShape().getEncoded());
    try (NDManager scratch = array.getManager().newSubManager();
        NDArray alias = array.stopGradient()) {
      alias.attach(scratch); // which gets the copy that DJL makes of what is on a GPU
      ByteBuffer memory = alias.toByteBuffer(true);
      out.writeByte('<');
      out.writeInt(memory.remaining());
      byte[] chunk = new byte[CHUNK_BYTES];
      while (memory.hasRemaining()) {
        int count = Math.min(memory.remaining(), chunk.length);
        memory.get(chunk, 0, count);
        out.write(chunk, 0, count);
      }
    }
  }

  private DataType readDataType() throws IOException, MalformedModelException {
    String name = in.readUTF();
    return switch (name) {
      case "FLOAT64" -> DataType.FLOAT64;
      case "FLOAT32" -> DataType.FLOAT32;
      case "FLOAT16" -> DataType.FLOAT16;
      default ->
          throw new MalformedModelException(
              "it must be of FLOAT32, FLOAT16 or FLOAT64, but is of another type");
    };
  }

  private Shape readShape() throws IOException, MalformedModelException {
    int axes = in.readInt();
    check(axes >= 0 && axes <= MAX_AXES, "a shape has %s axes", axes);
    long[] lengths = new long[axes];
    for (int i = 0; i < axes; i++) {
      lengths[i] = readLength();
    }
    int layouts = in.readInt();
    check(layouts == axes, "a shape of %s axes has the layout of %s", axes, layouts);
    for (int i = 0; i < layouts; i++) {
      char layout = in.readChar();
      check("NCDHWT?".indexOf(layout) >= 0, "a shape has a layout that DJL does not know");
    }
    return new Shape(lengths);
  }

  private long readLength() throws IOException, MalformedModelException {
    long length = in.readLong();
    check(length >= 0, "a shape has the length %s", length);
    return length;
  }

  private long remaining() {
    return size - position.getCount();
  }

  private static void check(String part, int version, int expected) throws MalformedModelException {
    check(
        version == expected,
        "its format of a %s has the version %s; DJL 0.35 writes %s",
        part,
        version,
        expected);
  }

  private static void check(boolean rule, String message, Object... arguments)
      throws MalformedModelException {
    if (!rule) {
      throw new MalformedModelException(message.formatted(arguments));
    }
  }
}
