package io.github.sharnn;

import static com.google.common.base.Strings.lenientFormat;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.engine.Engine;
import ai.djl.ndarray.types.DataType;
import io.github.sharnn.engine.Devices;
import io.github.sharnn.engine.kernels.Kernels;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Properties;

/** The description of a run in a few lines: device, precision, parameters and versions. */
public final class RunHeader {

  private RunHeader() {}

  /**
   * {@return the lines for a run that computes in the type of the weights, for a quantized model in
   * that of its norms}
   *
   * @param model a DJL model with an initialized {@link SHARNN}
   */
  public static List<String> of(Model model) {
    return of(model, SHARNN.of(model).embedding.getArray().getDataType());
  }

  /**
   * {@return the lines for a run, with a warning if the embedding size is slow on a GPU}
   *
   * @param model a DJL model with an initialized {@link SHARNN}
   * @param precision the type to compute in
   */
  public static List<String> of(Model model, DataType precision) {
    DataType weights = weightType(model);
    Device device = model.getNDManager().getDevice();
    List<String> lines = new ArrayList<>();
    lines.add(
        lenientFormat(
            "device %s, precision %s%s",
            Devices.describe(device),
            precision.name(),
            precision == weights ? "" : " with " + weights.name() + " weights"));
    if (device.isGpu()) {
      lines.add(kernels(SHARNN.of(model), device, precision));
    }
    lines.add(parameters(SHARNN.of(model)));
    lines.add(
        lenientFormat(
            "sharnn %s, DJL %s, PyTorch %s, Java %s",
            version(),
            Engine.getDjlVersion(),
            model.getNDManager().getEngine().getVersion(),
            System.getProperty("java.version")));
    int size = SHARNN.of(model).config().embeddingSize();
    if (device.isGpu() && precision == DataType.FLOAT16 && slow(size)) {
      lines.add(
          lenientFormat(
              "embedding size %s is slow: cuDNN's fast FLOAT16 LSTM needs a multiple of 128 up to 1024",
              size));
    }
    return lines;
  }

  private static String kernels(SHARNN block, Device device, DataType precision) {
    if (block.kernels() == Kernels.Use.OFF) {
      return "kernels: PyTorch's, because kernels are off";
    }
    String reason = Kernels.reasonAgainst(device, precision, block.config().embeddingSize());
    return reason.isEmpty() ? "kernels: sharnn's" : "kernels: PyTorch's, because " + reason;
  }

  /** Returns true if cuDNN uses its slower standard LSTM for this size. */
  static boolean slow(int size) {
    return size > 128 && (size % 128 != 0 || size > 1024); // cuDNN has another fast LSTM up to 128
  }

  /** {@return this library's version, such as {@code 0.1.0}} */
  public static String version() {
    try (InputStream in = RunHeader.class.getResourceAsStream("version.properties")) {
      Properties properties = new Properties();
      properties.load(in);
      return properties.getProperty("version");
    } catch (IOException e) {
      throw new UncheckedIOException("the jar of sharnn-core can't be read", e);
    }
  }

  private static String parameters(SHARNN block) {
    SHARNNConfig config = block.config();
    long count = block.parameterCount();
    if (config.collapsed()) {
      return String.format(Locale.ROOT, "parameters %,d, collapsed", count);
    }
    long size = config.embeddingSize();
    long folded = config.attentionLayers().size() * (2 * size * size + 2 * size); // collapse()
    return String.format(
        Locale.ROOT, "parameters %,d trained, %,d collapsed", count, count - folded);
  }

  private static DataType weightType(Model model) {
    SHARNN block = SHARNN.of(model);
    return block.isQuantized() ? DataType.INT8 : block.embedding.getArray().getDataType();
  }
}
