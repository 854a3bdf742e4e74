package io.github.sharnn.onnx;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.Model;
import ai.djl.ndarray.NDManager;
import ai.onnx.proto.OnnxMl.ModelProto;
import ai.onnx.proto.OnnxMl.OperatorSetIdProto;
import ai.onnx.proto.OnnxMl.StringStringEntryProto;
import ai.onnx.proto.OnnxMl.Version;
import com.google.protobuf.ByteString;
import io.github.sharnn.RunHeader;
import io.github.sharnn.SHARNN;
import io.github.sharnn.engine.Lifetime;
import io.github.sharnn.io.AtomicFile;
import io.github.sharnn.vocabulary.TextVocabulary;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.channels.Channels;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * The export of a model to one ONNX file. {@link #write} makes a file for any runtime that supports
 * opset 17: standard operators in FLOAT32, with Overparam collapsed and without dropout. {@link
 * #writeInt8} makes a file of about a quarter of the size for ONNX Runtime.
 *
 * <pre>{@code
 * OnnxExport.write(SHARNN.load(Path.of("book-model")), Path.of("book.onnx"));
 * }</pre>
 *
 * <ul>
 *   <li>Inputs: {@code tokens (B, T)} of type INT64, each in [0, V), then the state in FLOAT32, in
 *       the order of {@link io.github.sharnn.SHARNNState#toNDList()}. Layer L has {@code hidden.L
 *       (B, C)}, {@code cell.L (B, C)} and, with attention, {@code memory.L (B, M, C)}. The state
 *       before the first token has zeros and empty memories (M = 0)
 *   <li>Outputs: {@code logits (B, T, V)}, which are log-probabilities if the model has splits;
 *       {@code next.hidden.L} and {@code next.cell.L}, the state after the segment; and {@code
 *       added.memory.L (B, T, C)}, which the caller appends to the memory
 *   <li>A segment of T tokens sees at most the last {@code memoryLength - T} positions of the
 *       memory, oldest first, so the caller may drop older ones. A single token sees {@code
 *       memoryLength - 1} positions in any order: the caller can replace the oldest position in its
 *       place, and nothing is copied
 *   <li>B, T and M may vary from call to call
 *   <li>Metadata: {@link SHARNN#CONFIG_PROPERTY}, the config as JSON. A word or subword model also
 *       has {@link TextVocabulary#MODEL_PROPERTY}, the vocabulary's kind and SHA-256, and {@link
 *       #VOCABULARY_CONTENT}
 * </ul>
 */
public final class OnnxExport {

  /** The version of ONNX's operators in the file. */
  public static final int OPSET = 17;

  /**
   * The metadata that holds {@link TextVocabulary#content()}: one word per line, or a {@code
   * tokenizer.json}. Content that is not UTF-8 is left out.
   */
  public static final String VOCABULARY_CONTENT = "sharnn.vocabulary.content";

  /** The domain of ONNX Runtime's own operators, of which an INT8 file has one. */
  public static final String RUNTIME_DOMAIN = "com.microsoft";

  private static final int BYTES_FOR_THE_GRAPH = 1 << 20;

  private OnnxExport() {}

  /**
   * Writes a model.
   *
   * @param model a model with a {@link SHARNN}, on any device, of any precision
   * @param file the file to write; an existing file is replaced only after the new one is complete
   * @throws IOException if the file can't be written
   * @throws IllegalArgumentException if the model holds no SHARNN, or its weights take more than
   *     the 2 GiB of one ONNX file
   * @throws IllegalStateException if the model has no weights, or is closed
   */
  public static void write(Model model, Path file) throws IOException {
    write(model, file, false);
  }

  /**
   * Writes a model with matrices in 8 bits, each with one scale a row, for ONNX Runtime on a CPU.
   * Activations are rounded to 8 bits as the model runs. Inputs, outputs and metadata are those of
   * {@link #write}. The LSTMs are ONNX Runtime's {@code DynamicQuantizeLSTM}; all other operators
   * are standard.
   *
   * @param model a model with a {@link SHARNN}, on any device, of any precision
   * @param file the file to write; an existing file is replaced only after the new one is complete
   * @throws IOException if the file can't be written
   * @throws IllegalArgumentException if the model holds no SHARNN, a weight is not finite, or the
   *     weights in FLOAT32 take more than 2 GiB
   * @throws IllegalStateException if the model has no weights, or is closed
   */
  public static void writeInt8(Model model, Path file) throws IOException {
    write(model, file, true);
  }

  private static void write(Model model, Path file, boolean int8) throws IOException {
    SHARNN block = SHARNN.initialized(model);
    checkSize(block.parameterCount(), block.vocabulary().content().length);
    if (Files.isDirectory(file)) {
      throw new FileAlreadyExistsException(
          file.toString(), null, "is a folder: name the file to write, such as model.onnx in it");
    }
    ModelProto proto;
    Lifetime lifetime = SHARNN.lifetime(model);
    Lifetime.Lease lease = lifetime.lease();
    try (lease) {
      proto = build(block, int8, lifetime.manager());
    }
    AtomicFile.write(
        file,
        channel -> {
          try (OutputStream out = new BufferedOutputStream(Channels.newOutputStream(channel))) {
            proto.writeTo(out);
          }
        });
  }

  private static ModelProto build(SHARNN block, boolean int8, NDManager parent) {
    try (NDManager manager = parent.newSubManager()) {
      ModelProto.Builder proto = ModelProto.newBuilder();
      addVocabulary(proto, block.vocabulary());
      if (int8) {
        proto.addOpsetImport(
            OperatorSetIdProto.newBuilder().setDomain(RUNTIME_DOMAIN).setVersion(1));
      }
      return proto
          .setIrVersion(Version.IR_VERSION_2021_7_30_VALUE) // the IR version of opset 17
          .addOpsetImport(OperatorSetIdProto.newBuilder().setDomain("").setVersion(OPSET))
          .setProducerName("sharnn")
          .setProducerVersion(RunHeader.version())
          .addMetadataProps(entry(SHARNN.CONFIG_PROPERTY, block.config().toJson()))
          .setGraph(SharnnGraph.of(block.collapse(manager), int8))
          .build();
    }
  }

  private static void addVocabulary(ModelProto.Builder proto, TextVocabulary vocabulary) {
    if (vocabulary == TextVocabulary.bytes()) {
      return;
    }
    proto.addMetadataProps(entry(TextVocabulary.MODEL_PROPERTY, vocabulary.property()));
    ByteString content = ByteString.copyFrom(vocabulary.content());
    if (content.isValidUtf8()) {
      proto.addMetadataProps(entry(VOCABULARY_CONTENT, content.toStringUtf8()));
    }
  }

  private static StringStringEntryProto entry(String key, String value) {
    return StringStringEntryProto.newBuilder().setKey(key).setValue(value).build();
  }

  static void checkSize(long weights, long vocabularyBytes) {
    long most = (Integer.MAX_VALUE - BYTES_FOR_THE_GRAPH - vocabularyBytes) / Float.BYTES;
    checkArgument(
        weights <= most,
        "an ONNX file holds at most 2 GiB, which leaves room for %s weights next to this vocabulary, but the model"
            + " has %s: choose a smaller embeddingSize, boomSize or vocabularySize",
        most,
        weights);
  }
}
