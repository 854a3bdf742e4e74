package io.github.sharnn.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.MalformedModelException;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.io.EOFException;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SafetensorsTest {

  private final NDManager manager = NDManager.newBaseManager();
  @TempDir private Path folder;
  private Path file;

  @BeforeEach
  void nameTheFile() {
    file = folder.resolve("tensors.safetensors");
  }

  @AfterEach
  void close() {
    manager.close();
  }

  @Test
  void keeps_every_type_shape_and_value() throws Exception {
    NDArray matrix = manager.create(new float[] {1, 2, 3, 4, 5, 6}, new Shape(2, 3));
    Map<String, NDArray> tensors = new LinkedHashMap<>();
    tensors.put("bytes", manager.create(new byte[] {-1, 2, 3}));
    tensors.put("unsigned", manager.create(new int[] {7, 255}).toType(DataType.UINT8, true));
    tensors.put("truths", manager.create(new boolean[] {true, false, true}));
    tensors.put("halves", matrix.toType(DataType.FLOAT16, true));
    tensors.put("floats", matrix);
    tensors.put("transposed", matrix.transpose());
    tensors.put("doubles", manager.create(new double[] {Math.PI}));
    tensors.put("ints", manager.create(new int[] {Integer.MIN_VALUE, 1}));
    tensors.put("longs", manager.create(new long[] {Long.MAX_VALUE}));
    tensors.put("scalar", manager.create(2.5f));
    tensors.put("none", manager.create(new Shape(2, 0, 3)));
    tensors.put("axes", manager.ones(new Shape(1, 2, 1, 1, 1, 1, 1, 3)));
    tensors.put("n".repeat(500), manager.create(4));
    tensors.put("", manager.create(1));
    tensors.put("\"quoted\\ / ü", manager.create(3f));
    int arrays = manager.getManagedArrays().size();
    write(tensors, Map.of("step", "7", "ä", "\"{\n"));
    assertThat(manager.getManagedArrays()).hasSize(arrays);

    try (Safetensors read = Safetensors.open(file);
        NDManager own = manager.newSubManager()) {
      assertThat(read.metadata()).isEqualTo(Map.of("step", "7", "ä", "\"{\n"));
      assertThat(read.tensors().keySet()).containsExactlyInAnyOrderElementsOf(tensors.keySet());
      tensors.forEach((name, tensor) -> assertSame(read, own, name, tensor));
      assertThat(own.getManagedArrays()).hasSize(tensors.size());
    }
  }

  private static void assertSame(Safetensors read, NDManager own, String name, NDArray expected) {
    try {
      NDArray array = read.read(own, name);
      assertThat(array.getName()).isEqualTo(name);
      assertThat(array.getDataType()).isEqualTo(expected.getDataType());
      assertThat(array.getShape()).isEqualTo(expected.getShape());
      assertThat(array.toByteArray()).isEqualTo(expected.toByteArray());
      Safetensors.Tensor tensor = read.tensors().get(name);
      assertThat(tensor.offset() % expected.getDataType().getNumOfBytes()).isZero();
    } catch (IOException e) {
      throw new AssertionError(name, e);
    }
  }

  @Test
  void reads_an_array_that_outlives_the_file_and_can_be_changed() throws Exception {
    write(Map.of("a", manager.create(new float[] {1, 2})), Map.of());
    NDArray array;
    try (Safetensors read = Safetensors.open(file)) {
      array = read.read(manager, "a");
    }
    Files.delete(file);
    assertThat(array.addi(1).toFloatArray()).containsExactly(2, 3);
  }

  @Test
  void writes_what_djl_reads_and_reads_what_djl_writes() throws Exception {
    NDArray array = manager.create(new float[] {1, 2, 3});
    write(Map.of("a", array), Map.of());
    NDList list = NDList.decode(manager, Files.readAllBytes(file));
    assertThat(list.get("a").toFloatArray()).containsExactly(1, 2, 3);
    try (var out = Files.newOutputStream(file)) {
      list.encode(out, NDList.Encoding.SAFETENSORS);
    }
    try (Safetensors read = Safetensors.open(file)) {
      assertThat(read.readAll(manager).get("a").toFloatArray()).containsExactly(1, 2, 3);
    }
  }

  @Test
  void makes_every_boolean_0_or_1() throws Exception {
    writeFile(
        "{\"a\":{\"dtype\":\"BOOL\",\"shape\":[3],\"data_offsets\":[0,3]}}", new byte[] {0, 2, -1});
    try (Safetensors read = Safetensors.open(file)) {
      assertThat(read.read(manager, "a").toType(DataType.UINT8, true).toByteArray())
          .containsExactly(0, 1, 1);
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "{} | 1 | take 0 bytes, but the file has 1",
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}} | 5 | take 4 bytes, but the file has 5",
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}} | 3 | take 4 bytes, but the file has 3",
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[1,5]}} | 5 | begins at byte 1",
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[4,0]}} | 4 | takes 4 bytes",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,8]}} | 8 | takes 4 bytes",
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[-4],\"data_offsets\":[0,4]}} | 4 | numbers from 0 on, but has -4",
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[4.0],\"data_offsets\":[0,4]}} | 4 | numbers from 0 on, but has 4.0",
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[\"4\"],\"data_offsets\":[0,4]}} | 4 | must hold numbers",
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0]}} | 4 | two data_offsets",
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4,4]}} | 4 | more than 2 numbers",
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,1]}} | 1 | more than 8 numbers",
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[9999999999999999999],\"data_offsets\":[0,1]}} | 1 | too large",
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[2147483648],\"data_offsets\":[0,2147483648]}} | 1 | 2 GiB",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}} | 0 | 2 GiB",
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[65536,32768],\"data_offsets\":[0,2147483648]}} | 1 | 2 GiB",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[0,4294967296],\"data_offsets\":[0,0]}} | 0 | 2 GiB",
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[4,8]}} | 8 | the name a is there twice",
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}} | 4 | overlap",
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[2,6]}} | 6 | overlap",
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"shape\":[4],\"data_offsets\":[0,4]}} | 4 | shape twice",
        "{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}} | 4 | dtype twice",
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4],\"data_offsets\":[0,4]}} | 4 | data_offsets twice",
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4],\"x\":1}} | 4 | only",
        "{\"a\":{\"dtype\":\"BF16\",\"shape\":[2],\"data_offsets\":[0,4]}} | 4 | which DJL cannot read",
        "{\"a\":{\"dtype\":\"F8_E4M3\",\"shape\":[4],\"data_offsets\":[0,4]}} | 4 | has the dtype F8_E4M3",
        "{\"a\":{\"dtype\":8,\"shape\":[4],\"data_offsets\":[0,4]}} | 4 | must be a text",
        "{\"a\":null} | 0 | Expected BEGIN_OBJECT",
        "{\"__metadata__\":{\"a\":1}} | 0 | must hold texts only",
        "{\"__metadata__\":{},\"__metadata__\":{}} | 0 | is there twice",
        "{\"__metadata__\":{\"a\":\"\",\"a\":\"\"}} | 0 | has a name twice",
        "{\"\\u001b[31m\":{}} | 0 | control characters",
        "{}{} | 0 | JSON",
        "{\"a\" | 0 | JSON",
        "{'a':{}} | 0 | JSON",
        "{\"__metadata__\":{\"a\":\"\\'\"}} | 0 | JSON",
        "[] | 0 | not a JSON object"
      })
  void names_the_rule_that_a_header_breaks(String header, int dataBytes, String message)
      throws Exception {
    writeFile(header, new byte[dataBytes]);
    assertThatThrownBy(() -> Safetensors.open(file))
        .isInstanceOf(MalformedModelException.class)
        .hasMessageStartingWith(file + " is not a readable safetensors file: ")
        .hasMessageContaining(message);
  }

  @Test
  void reads_tensors_that_are_listed_in_another_order_than_they_lie() throws Exception {
    writeFile(
        "{\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[2,3]},"
            + "\"none\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[2,2]},"
            + "\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}",
        new byte[] {1, 2, 3});
    try (Safetensors read = Safetensors.open(file)) {
      assertThat(read.read(manager, "a").toByteArray()).containsExactly(1, 2);
      assertThat(read.read(manager, "b").toByteArray()).containsExactly(3);
      assertThat(read.read(manager, "none").toByteArray()).isEmpty();
    }
  }

  @Test
  void takes_the_largest_array_that_djl_has() throws Exception {
    String header =
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[2147483647],\"data_offsets\":[0,2147483647]}}";
    byte[] json = header.getBytes(StandardCharsets.UTF_8);
    assertThat(SafetensorsHeader.parse(json, Integer.MAX_VALUE).tensors().get("a").bytes())
        .isEqualTo(Integer.MAX_VALUE);
  }

  @Test
  void writes_and_reads_a_file_of_more_than_2_GiB() throws Exception {
    int size = 1 << 30;
    NDArray large = manager.create(new Shape(size), DataType.UINT8); // never touched, so no memory
    try (FileChannel sparse =
        FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      Map<String, NDArray> tensors = new LinkedHashMap<>();
      List.of("a", "b", "c").forEach(name -> tensors.put(name, large));
      tensors.put("last", manager.create(new byte[] {7}));
      Safetensors.write(tensors, Map.of(), leavingHoles(sparse, size));
    }
    try (Safetensors read = Safetensors.open(file)) {
      assertThat(read.tensors().get("c").offset()).isEqualTo(1L << 31);
      assertThat(read.tensors().get("last").offset()).isEqualTo(3L << 30);
      assertThat(read.read(manager, "last").toByteArray()).containsExactly(7);
    }
  }

  /** Skips what is as long as that. */
  private static WritableByteChannel leavingHoles(FileChannel channel, int length) {
    return new WritableByteChannel() {
      @Override
      public int write(ByteBuffer bytes) throws IOException {
        if (bytes.remaining() < length) {
          return channel.write(bytes);
        }
        channel.position(channel.position() + length);
        bytes.position(bytes.limit());
        return length;
      }

      @Override
      public boolean isOpen() {
        return channel.isOpen();
      }

      @Override
      public void close() throws IOException {
        channel.close();
      }
    };
  }

  @Test
  void refuses_a_name_that_would_fill_a_message() throws Exception {
    String name = "n".repeat(501);
    writeFile(
        String.format(
            Locale.ROOT, "{\"%s\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}", name),
        new byte[0]);
    assertThatThrownBy(() -> Safetensors.open(file))
        .isInstanceOf(MalformedModelException.class)
        .hasMessageContaining("a name has more than 500 characters");
    assertThatThrownBy(() -> write(Map.of(name, manager.create(1)), Map.of()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("must have at most 500 characters");
  }

  @Test
  void rejects_a_header_that_is_not_utf8() throws Exception {
    Files.write(file, new byte[] {4, 0, 0, 0, 0, 0, 0, 0, '{', '"', (byte) 0xff, '"'});
    assertThatThrownBy(() -> Safetensors.open(file))
        .isInstanceOf(MalformedModelException.class)
        .hasMessageEndingWith("the header is not UTF-8");
  }

  @ParameterizedTest
  @ValueSource(longs = {-1, 0, 1, 100, 5 << 20, Integer.MAX_VALUE, Long.MAX_VALUE, Long.MIN_VALUE})
  void believes_no_header_length_that_the_file_does_not_have(long length) throws Exception {
    ByteBuffer bytes = ByteBuffer.allocate(60).order(ByteOrder.LITTLE_ENDIAN).putLong(length);
    Files.write(file, bytes.put((byte) '{').array());
    assertThatThrownBy(() -> Safetensors.open(file))
        .isInstanceOf(MalformedModelException.class)
        .hasMessageContaining("begin with the length of a JSON header, at most 4194304")
        .hasMessageContaining("but begins with " + length);
  }

  @Test
  void takes_no_folder_for_a_file() {
    assertThatThrownBy(() -> Safetensors.open(folder))
        .isInstanceOf(IOException.class)
        .hasMessage(folder + " is a folder or a device, not a safetensors file");
  }

  @Test
  void notices_a_file_that_is_cut_while_it_is_open() throws Exception {
    write(Map.of("a", manager.zeros(new Shape(100))), Map.of());
    try (Safetensors read = Safetensors.open(file);
        RandomAccessFile other = new RandomAccessFile(file.toFile(), "rw")) {
      other.setLength(other.length() - 1);
      int arrays = manager.getManagedArrays().size();
      assertThatThrownBy(() -> read.read(manager, "a")).isInstanceOf(EOFException.class);
      assertThat(manager.getManagedArrays()).hasSize(arrays);
    }
  }

  @Test
  void has_only_what_it_lists() throws Exception {
    write(Map.of("a", manager.zeros(new Shape(1))), Map.of());
    try (Safetensors read = Safetensors.open(file)) {
      assertThatThrownBy(() -> read.read(manager, "b"))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage(file + " has no tensor b");
    }
  }

  @Test
  void writes_nothing_that_it_would_not_read() {
    NDArray ones = manager.ones(new Shape(1));
    assertThatThrownBy(() -> write(Map.of("__metadata__", ones), Map.of()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("but is __metadata__");
    assertThatThrownBy(() -> write(Map.of("a\n", ones), Map.of()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("no control characters");
    NDArray nineAxes = manager.ones(new Shape(1, 1, 1, 1, 1, 1, 1, 1, 1));
    assertThatThrownBy(() -> write(Map.of("a", nineAxes), Map.of()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("more than 8 axes");
    assertThatThrownBy(() -> write(Map.of("a", ones), Map.of("long", "x".repeat(5 << 20))))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("but a header has at most 4194304");
  }

  private void write(Map<String, NDArray> tensors, Map<String, String> metadata)
      throws IOException {
    try (FileChannel channel =
        FileChannel.open(
            file,
            StandardOpenOption.CREATE,
            StandardOpenOption.WRITE,
            StandardOpenOption.TRUNCATE_EXISTING)) {
      Safetensors.write(tensors, metadata, channel);
    }
  }

  private void writeFile(String header, byte[] data) throws IOException {
    byte[] json = header.getBytes(StandardCharsets.UTF_8);
    ByteBuffer bytes =
        ByteBuffer.allocate(8 + json.length + data.length).order(ByteOrder.LITTLE_ENDIAN);
    Files.write(file, bytes.putLong(json.length).put(json).put(data).array());
  }
}
