package io.github.sharnn.cli.compress;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Strings.lenientFormat;
import static io.github.sharnn.cli.progress.Texts.format;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.nn.Parameter;
import ai.djl.pytorch.jni.JniUtils;
import ai.djl.util.Progress;
import com.google.common.hash.HashCode;
import com.google.common.hash.Hasher;
import com.google.common.hash.Hashing;
import com.google.common.hash.HashingOutputStream;
import io.github.sharnn.RunHeader;
import io.github.sharnn.SHARNN;
import io.github.sharnn.TextModel;
import io.github.sharnn.decode.SHARNNDecoder;
import io.github.sharnn.io.AtomicFile;
import io.github.sharnn.vocabulary.TextVocabulary;
import io.github.sharnn.vocabulary.TokenDecoder;
import java.io.BufferedOutputStream;
import java.io.ByteArrayInputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UTFDataFormatException;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.Stream;

/**
 * A compressor of files with a model and an arithmetic coder. The compressed size is a header plus
 * the model's bits, as {@code io.github.sharnn.score.Scorer} counts them with segment length 1. A
 * compressed file therefore proves a model's bits per byte. Each token takes one step of the model,
 * in both directions.
 *
 * <p>Decompression computes the same probabilities again, to the last bit of their FLOAT32. It
 * needs the same model, the same versions of this library and PyTorch, the same kind of device, and
 * a machine of the same type with as many threads. A checksum is compared at the end; a wrong
 * result is an error, and no file of the output's name appears.
 *
 * <p>The compressed file is big-endian and holds in this order:
 *
 * <ol>
 *   <li>{@code "SHAC"} and version 4, a byte;
 *   <li>the bits of a weight, a byte: 32 for FLOAT32, 16 for FLOAT16, 8 for a {@linkplain
 *       SHARNN#quantize quantized} model;
 *   <li>the first 8 bytes of the SHA-256 of the model: config, vocabulary and weights;
 *   <li>the original's length, 8 bytes, and SHA-256, 32 bytes;
 *   <li>the environment, as {@link DataOutputStream#writeUTF} writes it;
 *   <li>the code. Its first token is predicted from a zero state and a newline.
 * </ol>
 */
public final class FileCompressor {

  private static final byte[] MAGIC = "SHAC".getBytes(StandardCharsets.US_ASCII);
  private static final int VERSION = 4;
  private static final byte CONTEXT = '\n';
  private static final long MOST_BYTES = Integer.MAX_VALUE - 8; // of an array

  private final Model model;
  private final SHARNN block;
  private final TextVocabulary vocabulary;
  private final int vocabularySize;
  private final int context;
  private final long modelHash;
  private final DataType precision;
  private final String environment;

  /** Creates a compressor; the model needs a lossless vocabulary, and the caller closes it. */
  public FileCompressor(Model model) {
    this.model = model;
    block = SHARNN.of(model);
    vocabulary = block.vocabulary();
    vocabularySize = block.config().vocabularySize();
    checkArgument(
        vocabulary.lossless(),
        "model %s must have tokens that give any file back, bytes or byte-level BPE, but has %s,"
            + " which lose some: train one with --vocabulary bytes or bpe:SIZE",
        model.getName(),
        vocabulary);
    checkArgument(
        vocabulary != TextVocabulary.bytes() || (vocabularySize > CONTEXT && vocabularySize <= 256),
        "model %s must have a vocabularySize above %s (newline) and of at most 256, but has %s: its"
            + " tokens must be bytes",
        model.getName(),
        CONTEXT,
        vocabularySize);
    int[] before = vocabulary.encode(new byte[] {CONTEXT});
    context = before[before.length - 1];
    modelHash = hash(block);
    precision = block.isQuantized() ? DataType.INT8 : block.embedding.getArray().getDataType();
    Device device = model.getNDManager().getDevice();
    environment =
        lenientFormat(
            "sharnn %s, PyTorch %s on %s, %s %s, %s threads%s",
            RunHeader.version(),
            model.getNDManager().getEngine().getVersion(),
            device.getDeviceType(),
            System.getProperty("os.name"),
            System.getProperty("os.arch"),
            JniUtils.getNumThreads(),
            device.isGpu() ? ", kernels: " + SHARNNDecoder.kernels(block, null) : "");
  }

  /** Bytes of the original, and of the compressed file's header and code. */
  public record Sizes(long original, long header, long code) {}

  /** Compresses a file of less than 2 GiB to a new file. */
  public Sizes compress(Path file, Path compressed, Progress progress) throws IOException {
    checkOutput(compressed);
    byte[] original = read(file);
    byte[] code = encode(original, progress);
    AtomicFile.writeNew(
        compressed,
        channel -> {
          try (DataOutputStream out = new DataOutputStream(outputStream(channel))) {
            out.write(MAGIC);
            out.write(VERSION);
            out.write(bits(precision));
            out.writeLong(modelHash);
            out.writeLong(original.length);
            out.write(Hashing.sha256().hashBytes(original).asBytes());
            out.writeUTF(environment);
            out.write(code);
          }
        });
    return new Sizes(original.length, Files.size(compressed) - code.length, code.length);
  }

  /** Decompresses to a new file. After an error, such as a damaged file, no file is left. */
  public Sizes decompress(Path compressed, Path file, Progress progress) throws IOException {
    checkOutput(file);
    byte[] bytes = read(compressed);
    try (DataInputStream in = new DataInputStream(new ByteArrayInputStream(bytes))) {
      Header header = readHeader(compressed, in);
      byte[] code = in.readAllBytes();
      AtomicFile.writeNew(file, out -> decode(compressed, header, code, out, progress));
      return new Sizes(header.length(), bytes.length - code.length, code.length);
    } catch (EOFException e) {
      throw new IOException(compressed + " is cut off: " + e.getMessage(), e);
    }
  }

  private record Header(long length, HashCode checksum, String environment) {}

  private Header readHeader(Path compressed, DataInputStream in) throws IOException {
    byte[] magic = in.readNBytes(MAGIC.length);
    if (!Arrays.equals(magic, MAGIC)) {
      throw new IOException(compressed + " is no file that sharnn.jar compress wrote");
    }
    try {
      int version = in.readUnsignedByte();
      if (version != VERSION) {
        throw new IOException(
            lenientFormat(
                "%s has format version %s, but this library reads version %s: use the one that wrote it",
                compressed, version, VERSION));
      }
      checkPrecision(compressed, in.readUnsignedByte());
      long hash = in.readLong();
      if (hash != modelHash) {
        throw new IOException(
            format(
                "%s was compressed with model %016x, but this is %016x: name the folder of that model",
                compressed, hash, modelHash));
      }
      long length = in.readLong();
      byte[] checksum = new byte[Hashing.sha256().bits() / Byte.SIZE];
      in.readFully(checksum);
      String where = in.readUTF();
      if (length < 0) {
        throw new IOException(compressed + " is damaged: its original's length is " + length);
      }
      return new Header(length, HashCode.fromBytes(checksum), where);
    } catch (EOFException e) {
      throw new EOFException("it ends within its header");
    } catch (UTFDataFormatException e) {
      throw new IOException(compressed + " is damaged: a text in its header is not UTF-8", e);
    }
  }

  private void checkPrecision(Path compressed, int bits) throws IOException {
    if (bits == bits(precision)) {
      return;
    }
    DataType needed =
        Stream.of(DataType.INT8, DataType.FLOAT16, DataType.FLOAT32)
            .filter(type -> bits(type) == bits)
            .findFirst()
            .orElseThrow(
                () ->
                    new IOException(
                        compressed + " is damaged: its weights have " + bits + " bits"));
    throw new IOException(
        lenientFormat(
            "%s was compressed in %s, but this model is in %s: %s",
            compressed, needed.name(), precision.name(), wayTo(needed)));
  }

  private String wayTo(DataType needed) {
    if (needed == DataType.INT8 && precision == DataType.FLOAT32) {
      return "use --precision INT8, in Java a model after quantize()";
    }
    String folder =
        lenientFormat("name the folder of the %s model that compressed it", needed.name());
    return needed == DataType.FLOAT32 && precision == DataType.INT8
        ? "use --precision FLOAT32, in Java a model without quantize(); if the model was saved in"
            + " INT8, "
            + folder
        : folder;
  }

  private static int bits(DataType type) {
    return Byte.SIZE * type.getNumOfBytes();
  }

  private byte[] encode(byte[] original, Progress progress) {
    int[] tokens = vocabulary.encode(original);
    TextModel text = new TextModel(model);
    for (int i = 0; i < tokens.length; i++) {
      text.check("file", tokens[i], i);
    }
    ArithmeticEncoder encoder = new ArithmeticEncoder();
    progress.reset("compress", original.length);
    TokenDecoder decoder = vocabulary.decoder();
    try (SHARNNDecoder predictor = predictor()) {
      int previous = context;
      for (int next : tokens) {
        long[] cumulative = TokenFrequencies.cumulative(predictor.next(previous)[0]);
        encoder.encode(cumulative[next], cumulative[next + 1], cumulative[vocabularySize]);
        previous = next;
        progress.increment(decoder.decode(next).length);
      }
    } finally {
      progress.end();
    }
    return encoder.finish();
  }

  /** Starts a stream of single tokens: another segment length changes the logits' last bits. */
  private SHARNNDecoder predictor() {
    SHARNNDecoder predictor = SHARNNDecoder.of(block, model.getNDManager(), 1, null);
    try (NDManager scratch = model.getNDManager().newSubManager()) {
      predictor.add(block.zeroState(scratch, 1));
    }
    return predictor;
  }

  private void decode(
      Path compressed, Header header, byte[] code, FileChannel channel, Progress progress)
      throws IOException {
    ArithmeticDecoder decoder = new ArithmeticDecoder(code);
    progress.reset("decompress", header.length());
    HashCode checksum;
    try (HashingOutputStream out =
            new HashingOutputStream(Hashing.sha256(), outputStream(channel));
        SHARNNDecoder predictor = predictor()) {
      TokenDecoder text = vocabulary.decoder();
      int previous = context;
      long length = 0;
      while (length < header.length()) {
        previous = decoder.decode(TokenFrequencies.cumulative(predictor.next(previous)[0]));
        byte[] bytes = text.decode(previous);
        out.write(bytes);
        length += bytes.length;
        progress.increment(bytes.length);
      }
      checksum = out.hash();
    } finally {
      progress.end();
    }
    if (decoder.length() != code.length || !checksum.equals(header.checksum())) {
      throw new IOException(
          lenientFormat(
              "%s decompresses to a wrong result, so nothing was written: it is damaged, or this machine"
                  + " rounds differently from the one that compressed it (there: %s; here: %s)",
              compressed, header.environment(), environment));
    }
  }

  private static long hash(SHARNN block) {
    Hasher hasher = Hashing.sha256().newHasher();
    hasher.putString(block.config().toJson(), StandardCharsets.UTF_8);
    hasher.putString(block.vocabulary().property(), StandardCharsets.UTF_8);
    for (Parameter parameter : block.getParameters().values()) {
      try (NDManager scratch = parameter.getArray().getManager().newSubManager()) {
        hasher.putBytes(block.packed().value(parameter, scratch).toByteBuffer());
      }
    }
    return hasher.hash().asLong();
  }

  /** Checks before the work starts that the output does not exist and that its folder does. */
  private static void checkOutput(Path file) throws IOException {
    if (Files.exists(file, LinkOption.NOFOLLOW_LINKS)) {
      throw new FileAlreadyExistsException(file.toString(), null, "--output");
    }
    Path folder = file.toAbsolutePath().getParent();
    if (!Files.isDirectory(folder)) {
      throw new NoSuchFileException(folder.toString());
    }
    if (!Files.isWritable(folder)) {
      throw new AccessDeniedException(folder.toString());
    }
  }

  private static byte[] read(Path file) throws IOException {
    if (Files.isDirectory(file)) {
      throw new IOException(file + " is a folder: name a file");
    }
    long size = Files.size(file);
    if (size > MOST_BYTES) {
      throw new IOException(
          format("%s must have at most %,d bytes, but has %,d: split it", file, MOST_BYTES, size));
    }
    return Files.readAllBytes(file);
  }

  private static OutputStream outputStream(FileChannel channel) {
    return new BufferedOutputStream(Channels.newOutputStream(channel));
  }
}
