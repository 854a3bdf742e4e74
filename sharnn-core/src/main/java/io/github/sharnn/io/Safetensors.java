package io.github.sharnn.io;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Strings.lenientFormat;

import ai.djl.Device;
import ai.djl.MalformedModelException;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import com.google.common.base.Strings;
import java.io.Closeable;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A {@code safetensors} file, which holds named arrays behind a JSON header.
 *
 * <pre>{@code
 * try (Safetensors file = Safetensors.open(path)) {
 *   NDArray weight = file.read(manager, "encoder.weight");
 * }
 * }</pre>
 *
 * <p>A file may come from an untrusted source. Opening a file checks the whole header against the
 * file's length and allocates a small multiple of the header. An open file holds exactly the
 * tensors that it names, each as long as its shape says, without gap or overlap. The file's length
 * therefore bounds what {@link #read} allocates.
 *
 * <p>Types: F64, F32, F16, I64, I32, I8, U8 and BOOL. Limits: 4 MiB of header, 8 axes, and 2 GiB
 * for each array. The file itself may be larger.
 */
public final class Safetensors implements Closeable {

  private static final int MAX_HEADER_BYTES = 4 << 20;
  private static final int ALIGNMENT = 8;

  private final Path file;
  private final FileChannel channel;
  private final SafetensorsHeader header;
  private final long dataStart;

  private Safetensors(Path file, FileChannel channel, SafetensorsHeader header, long dataStart) {
    this.file = file;
    this.channel = channel;
    this.header = header;
    this.dataStart = dataStart;
  }

  /**
   * The type, shape and place of one tensor.
   *
   * @param dataType the type of its elements
   * @param shape its shape
   * @param offset its first byte, counted from the end of the header
   * @param bytes its length in bytes
   */
  public record Tensor(DataType dataType, Shape shape, long offset, long bytes) {}

  /**
   * Opens a file and checks its header. It reads no tensor.
   *
   * @param file the file
   * @return the open file; the caller closes it
   * @throws IOException if the file is missing, no regular file or can't be read
   * @throws MalformedModelException if it is no safetensors file or breaks one of the rules above
   */
  public static Safetensors open(Path file) throws IOException, MalformedModelException {
    FileChannel channel = openRegular(file, "a safetensors file");
    try {
      return of(channel, file);
    } catch (Throwable e) {
      channel.close();
      throw e;
    }
  }

  static FileChannel openRegular(Path file, String expected) throws IOException {
    if (Files.exists(file) && !Files.isRegularFile(file)) {
      throw new IOException(file + " is a folder or a device, not " + expected);
    }
    return FileChannel.open(file);
  }

  /** Checks the header of an open file. */
  static Safetensors of(FileChannel channel, Path file)
      throws IOException, MalformedModelException {
    try {
      long size = channel.size();
      ByteBuffer length = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
      checkArgument(size >= Long.BYTES + 2, "it has %s bytes", size);
      fill(length, channel, 0, file);
      long headerBytes = length.getLong(0);
      checkArgument(
          headerBytes >= 2 && headerBytes <= Math.min(size - Long.BYTES, MAX_HEADER_BYTES),
          "it must begin with the length of a JSON header, at most %s and within the file's %s bytes,"
              + " but begins with %s",
          MAX_HEADER_BYTES,
          size,
          headerBytes);
      ByteBuffer json = ByteBuffer.allocate((int) headerBytes);
      fill(json, channel, Long.BYTES, file);
      checkArgument(json.get(0) == '{', "its header is not a JSON object");
      long dataStart = Long.BYTES + headerBytes;
      SafetensorsHeader header = SafetensorsHeader.parse(json.array(), size - dataStart);
      return new Safetensors(file, channel, header, dataStart);
    } catch (IllegalArgumentException e) {
      throw new MalformedModelException(
          lenientFormat("%s is not a readable safetensors file: %s", file, e.getMessage()), e);
    }
  }

  /** {@return each tensor's type, shape and place by its name, in the header's order} */
  public Map<String, Tensor> tensors() {
    return Collections.unmodifiableMap(header.tensors());
  }

  /** {@return the file's path} */
  public Path file() {
    return file;
  }

  /** {@return the header's free texts, the entries of {@code __metadata__}} */
  public Map<String, String> metadata() {
    return Collections.unmodifiableMap(header.metadata());
  }

  /**
   * {@return the array of one tensor, with the tensor's name}
   *
   * @param manager the manager that owns the array; its device holds the array
   * @param name the tensor's name
   * @throws IOException if the file can't be read, or has become shorter
   * @throws IllegalArgumentException if the file has no such tensor
   */
  public NDArray read(NDManager manager, String name) throws IOException {
    Tensor tensor = header.tensors().get(name);
    checkArgument(tensor != null, "%s has no tensor %s", file, name);
    try (NDManager scratch = manager.newSubManager(Device.cpu())) {
      NDArray array = scratch.create(tensor.shape(), tensor.dataType());
      if (tensor.bytes() > 0) {
        // reads straight into the array's memory, without a copy on the Java heap
        ByteBuffer memory = array.toByteBuffer(true);
        fill(memory, channel, dataStart + tensor.offset(), file);
        if (tensor.dataType() == DataType.BOOLEAN) {
          normalize(memory);
        }
      }
      NDArray moved = array.toDevice(manager.getDevice(), false);
      moved.attach(manager);
      moved.setName(name);
      return moved;
    }
  }

  /** Makes every boolean 0 or 1. The engine's kernels are undefined for other bytes. */
  private static void normalize(ByteBuffer booleans) {
    for (int i = 0; i < booleans.limit(); i++) {
      booleans.put(i, (byte) (booleans.get(i) == 0 ? 0 : 1));
    }
  }

  /**
   * {@return every tensor's array by its name, in the header's order}
   *
   * @param manager the manager that owns the arrays
   * @throws IOException if the file can't be read, or has become shorter
   */
  public Map<String, NDArray> readAll(NDManager manager) throws IOException {
    Map<String, NDArray> arrays = new LinkedHashMap<>();
    for (String name : header.tensors().keySet()) {
      arrays.put(name, read(manager, name));
    }
    return arrays;
  }

  /**
   * Writes the arrays straight from memory. Arrays on a GPU are copied to the host one at a time.
   * {@link AtomicFile#write} makes the file survive a crash.
   *
   * @param tensors name to array; the arrays stay as they are
   * @param metadata free texts for the header
   * @param channel the channel, written from its position on
   * @throws IOException if it can't be written
   * @throws IllegalArgumentException if a type is not one of those above, a name is {@code
   *     __metadata__}, an array has more than 8 axes or 2 GiB, or the header would exceed 4 MiB
   */
  public static void write(
      Map<String, NDArray> tensors, Map<String, String> metadata, WritableByteChannel channel)
      throws IOException {
    // wide types first, so that each tensor is aligned to its type
    List<Map.Entry<String, NDArray>> entries =
        tensors.entrySet().stream()
            .sorted(Comparator.comparingInt(e -> -e.getValue().getDataType().getNumOfBytes()))
            .toList();
    ByteBuffer start = start(entries, metadata);
    write(start, channel);
    for (Map.Entry<String, NDArray> entry : entries) {
      NDArray array = entry.getValue();
      if (array.size() == 0) {
        continue;
      }
      try (NDManager scratch = array.getManager().newSubManager();
          NDArray alias = array.stopGradient()) {
        // scratch owns the copy that DJL makes of an array on a GPU or one that is not contiguous
        alias.attach(scratch);
        write(alias.toByteBuffer(true), channel);
      }
    }
  }

  private static ByteBuffer start(
      List<Map.Entry<String, NDArray>> entries, Map<String, String> metadata) {
    Map<String, Tensor> layout = new LinkedHashMap<>();
    long offset = 0;
    for (Map.Entry<String, NDArray> entry : entries) {
      Tensor tensor = SafetensorsHeader.tensor(entry.getKey(), entry.getValue(), offset);
      layout.put(entry.getKey(), tensor);
      offset += tensor.bytes();
    }
    byte[] json = new SafetensorsHeader(layout, metadata).toJson().getBytes(StandardCharsets.UTF_8);
    int padding = -json.length & (ALIGNMENT - 1);
    checkArgument(
        json.length <= MAX_HEADER_BYTES - padding,
        "the names and shapes of %s tensors and the metadata take %s bytes as JSON, but a header has at"
            + " most %s",
        entries.size(),
        json.length,
        MAX_HEADER_BYTES);
    return ByteBuffer.allocate(Long.BYTES + json.length + padding)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putLong(json.length + padding)
        .put(json)
        .put(Strings.repeat(" ", padding).getBytes(StandardCharsets.US_ASCII))
        .flip();
  }

  private static void write(ByteBuffer bytes, WritableByteChannel channel) throws IOException {
    while (bytes.hasRemaining()) {
      channel.write(bytes);
    }
  }

  /** Fills the buffer from a place in the file. A channel may return less in one call. */
  static void fill(ByteBuffer buffer, FileChannel channel, long from, Path file)
      throws IOException {
    long at = from;
    while (buffer.hasRemaining()) {
      int count = channel.read(buffer, at);
      if (count < 0) {
        throw new EOFException(file + " has become shorter while it was read");
      }
      at += count;
    }
  }

  /** Closes the file. The arrays read from it stay. */
  @Override
  public void close() throws IOException {
    channel.close();
  }
}
