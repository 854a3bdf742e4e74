package io.github.sharnn.zoo;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.Device;
import ai.djl.MalformedModelException;
import ai.djl.Model;
import ai.djl.nn.Block;
import ai.djl.nn.BlockFactory;
import ai.djl.translate.ArgumentsUtil;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SavedModel;
import io.github.sharnn.engine.Devices;
import io.github.sharnn.engine.Lifetime;
import io.github.sharnn.io.Interrupts;
import java.io.IOException;
import java.math.BigDecimal;
import java.nio.file.Path;
import java.util.Map;

/**
 * The factory through which DJL's {@code Criteria} and DJL Serving load a saved model's block. The
 * {@code serving.properties} of a saved model names this class as {@code blockFactory}. The factory
 * reads the weights too and checks every byte, as {@link SHARNN#load(Path)} does. {@code
 * option.hasParameter=false} keeps DJL from looking for weights of its own format.
 *
 * <table>
 *   <caption>Arguments</caption>
 *   <tr><td>{@code memoryLength}</td><td>shortens the memory as {@link SHARNN#withMemoryLength}
 *       does</td></tr>
 *   <tr><td>{@code attention}</td><td>{@code false} leaves attention out as {@link
 *       SHARNN#withoutAttention} does</td></tr>
 * </table>
 *
 * <p>The model around the block is DJL's own, and its {@code save} writes DJL's own format. If you
 * want to save the model again, load it with {@link SHARNN#load} instead.
 */
public final class SHARNNBlockFactory implements BlockFactory {

  private static final long serialVersionUID = 1;
  private static final String MEMORY_LENGTH = "memoryLength";
  private static final String ATTENTION = "attention";

  /** Creates the factory. DJL calls this constructor. */
  public SHARNNBlockFactory() {}

  /**
   * Reads the model that a folder holds.
   *
   * @param model the model that will hold the block; it is closed if loading fails
   * @param folder the folder of the saved model
   * @param arguments the arguments of {@code serving.properties} and {@code Criteria}
   * @return the block, with its weights
   * @throws IOException if the folder can't be read, is damaged or holds no saved SHARNN
   * @throws IllegalArgumentException if {@code memoryLength} is not a whole number of at least 0,
   *     or the device is a GPU that is not there
   */
  @Override
  public Block newBlock(Model model, Path folder, Map<String, ?> arguments) throws IOException {
    boolean loaded = false;
    try {
      Device device = Devices.require(model.getNDManager().getDevice());
      Lifetime lifetime = lifetime(model, device);
      Block block = Interrupts.defer(() -> read(model, lifetime, folder, arguments));
      loaded = true;
      return block;
    } catch (MalformedModelException e) {
      throw new IOException(e.getMessage(), e); // newBlock declares only IOException
    } finally {
      if (!loaded) {
        model.close(); // DJL would leave its weights to the garbage collector
      }
    }
  }

  /** Begins a lifetime that ends with DJL's model, which frees its own arrays without waiting. */
  private static Lifetime lifetime(Model model, Device device) {
    Lifetime lifetime = new Lifetime(model.getName(), Devices.engine().newBaseManager(device));
    model.getNDManager().attachInternal("sharnn.lifetime", lifetime);
    return lifetime;
  }

  private static SHARNN read(Model model, Lifetime lifetime, Path folder, Map<String, ?> arguments)
      throws IOException, MalformedModelException {
    try (SavedModel saved = SavedModel.open(folder)) {
      return saved.read(model, lifetime, read -> backOff(read, arguments));
    }
  }

  private static SHARNN backOff(SHARNN block, Map<String, ?> arguments) {
    String positions = ArgumentsUtil.stringValue(arguments, MEMORY_LENGTH);
    SHARNN shorter = positions == null ? block : block.withMemoryLength(wholeNumber(positions));
    String attention = ArgumentsUtil.stringValue(arguments, ATTENTION, "true");
    checkArgument(
        attention.equals("true") || attention.equals("false"),
        "the argument attention must be true or false, but is %s",
        attention);
    return attention.equals("true") ? shorter : shorter.withoutAttention();
  }

  private static int wholeNumber(String positions) {
    try { // a 64 from JSON arrives as 64.0
      return new BigDecimal(positions).intValueExact();
    } catch (NumberFormatException | ArithmeticException e) {
      throw new IllegalArgumentException(
          "the argument memoryLength must be a whole number of at least 0, but is " + positions, e);
    }
  }
}
