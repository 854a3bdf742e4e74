package io.github.sharnn;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Preconditions.checkState;

import ai.djl.Device;
import ai.djl.MalformedModelException;
import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import ai.djl.training.initializer.Initializer;
import ai.djl.util.PairList;
import io.github.sharnn.engine.Devices;
import io.github.sharnn.engine.Initializers;
import io.github.sharnn.engine.Lifetime;
import io.github.sharnn.engine.PackedMatrix;
import io.github.sharnn.engine.PackedWeights;
import io.github.sharnn.engine.kernels.Kernels;
import io.github.sharnn.io.Interrupts;
import io.github.sharnn.pretrained.PretrainedModels;
import io.github.sharnn.softmax.OutputLayer;
import io.github.sharnn.vocabulary.TextVocabulary;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * The SHA-RNN language model: embedding, blocks, tied logits.
 *
 * <pre>{@code
 * Model model = SHARNN.builder().attentionLayers(2).build().newModel("wiki");   // the paper's model
 * }</pre>
 *
 * <pre>{@code
 * h = dropout(embedding(tokens));  h = block_i(h), i = 0 .. L-1;  logits = E dropout(h) + b
 * }</pre>
 *
 * <p>With {@link SHARNNConfig.Builder#splits} the softmax over a large vocabulary is adaptive, and
 * the model returns log-probabilities instead of logits, in FLOAT32. Code that applies a softmax to
 * logits also works with log-probabilities. With labels, {@link #forward(ParameterStore, NDArray,
 * NDList, SHARNNState, boolean)} computes the log-probabilities of the labels only. DJL's {@code
 * Trainer.forward(data, labels)} calls it.
 *
 * <p>Paper: arXiv:1911.11423.
 *
 * <ul>
 *   <li>Inputs: {@code [tokens]}, from a zero state, or {@code [tokens, state...]}: tokens {@code
 *       (B, T)} of INT64 or INT32, each in [0, V); the state as {@link SHARNNState#toNDList()}
 *       lists it
 *   <li>Outputs: {@code [logits]} or {@code [logits, state...]}: logits {@code (B, T, V)}; with
 *       splits and labels, the labels' log-probabilities {@code (B, T)}
 *   <li>Parameters: embedding {@code (V, C)} from N(0, 0.1 / sqrt(C)), output bias {@code (V)} from
 *       0, an output matrix {@code (V, C)} unless tied; with k splits, vectors {@code (k, C)} and a
 *       bias {@code (k)} of the tails; and the parameters of the {@link SHABlock}s
 * </ul>
 *
 * <p>Thread-safe once the model has weights. Any number of threads may run forward, evaluate and
 * generate with one model, each with its own state and {@link NDManager}, and get the same results
 * as one thread. Without {@code training} no gradient is recorded, on any thread. Training, loading
 * and {@code initialize} change weights: a forward pass at the same time may see a mix of old and
 * new weights.
 *
 * <p>{@link Model#close} may come at any time and from any thread. It waits for the calls that run,
 * ends open texts, and frees the weights. Later calls throw an {@link IllegalStateException}. In a
 * callback of a call, {@code close} returns at once, and the last call frees the weights.
 */
public final class SHARNN extends AbstractBlock {

  /** The model property that holds {@link SHARNNConfig#toJson()} in a saved model. */
  public static final String CONFIG_PROPERTY = "sharnn.config";

  /** The embedding {@code (V, C)}, which is also the output's weight if tied. */
  public final Parameter embedding;

  /** The blocks, in order. */
  public final List<SHABlock> blocks;

  private Kernels.Use kernels = Kernels.Use.AUTO;
  private volatile boolean quantized;
  private PackedWeights packed = new PackedWeights(); // empty unless quantized on a CPU

  final OutputLayer outputLayer;
  private final SHARNNConfig config;
  private final TextVocabulary vocabulary;
  private final SHARNN origin; // whose weights this block got, or itself
  private volatile @Nullable Lifetime lifetime; // of the weights; null outside a model of ours

  /** Creates a block; null as origin is the block itself. */
  private SHARNN(SHARNNConfig config, TextVocabulary vocabulary, SHARNN origin) {
    this.origin = origin == null ? this : origin;
    // a byte model may have fewer than 256 tokens, or tokens that only the caller knows
    checkArgument(
        vocabulary == TextVocabulary.bytes() || vocabulary.size() == config.vocabularySize(),
        "vocabularySize must be the size of the vocabulary (%s, %s tokens), but is %s: do not set it,"
            + " and pass the vocabulary to SHARNN.builder()",
        vocabulary,
        vocabulary.size(),
        config.vocabularySize());
    this.config = config;
    this.vocabulary = vocabulary;
    int size = config.embeddingSize();
    Initializer normal = Initializers.normal(size);
    embedding =
        addParameter(
            Initializers.parameter(
                "embedding", Parameter.Type.WEIGHT, normal, config.vocabularySize(), size));
    outputLayer =
        new OutputLayer(config.vocabularySize(), size, config.splits(), config.tiedOutput());
    outputLayer.parameters().forEach(this::addParameter);
    blocks =
        IntStream.range(0, config.layers())
            .mapToObj(layer -> addChildBlock("block", SHABlock.of(config, layer)))
            .toList();
  }

  /** {@return a builder whose defaults are the paper's model} */
  public static SHARNNConfig.Builder builder() {
    return new SHARNNConfig.Builder();
  }

  /**
   * {@return the model that a config describes, uninitialized}
   *
   * @param config the config
   */
  public static SHARNN of(SHARNNConfig config) {
    return of(config, TextVocabulary.bytes());
  }

  /**
   * {@return the model that a config describes, over a vocabulary's tokens, uninitialized}
   *
   * @param config the config
   * @param vocabulary the vocabulary of the tokens
   * @throws IllegalArgumentException if the config's {@code vocabularySize} is not the vocabulary's
   */
  public static SHARNN of(SHARNNConfig config, TextVocabulary vocabulary) {
    return new SHARNN(config, vocabulary, null);
  }

  /** Returns an uninitialized block that is to get this block's weights. */
  SHARNN variant(SHARNNConfig other) {
    return new SHARNN(other, vocabulary, origin);
  }

  /** Returns the block whose weights this one got, or this one. */
  SHARNN origin() {
    return origin;
  }

  /** {@return this model's shapes and options} */
  public SHARNNConfig config() {
    return config;
  }

  /**
   * {@return the vocabulary of this model's tokens, by default bytes} {@link Model#save} writes the
   * vocabulary into the folder too.
   */
  public TextVocabulary vocabulary() {
    return vocabulary;
  }

  /**
   * {@return the zero state, in the weights' data type}
   *
   * @param manager the manager that owns the arrays
   * @param batchSize number of streams B
   * @throws ai.djl.nn.UninitializedParameterException if this model has no weights
   */
  public SHARNNState zeroState(NDManager manager, long batchSize) {
    return SHARNNState.zeros(config, manager, batchSize, embedding.getArray().getDataType());
  }

  /**
   * A segment's results.
   *
   * @param output the last block's output {@code (B, T, C)}
   * @param logits {@code (B, T, V)}, with splits log-probabilities; with splits and labels the
   *     labels' log-probabilities {@code (B, T)}
   * @param state the state after the segment, still in the gradient graph while training
   */
  public record Output(NDArray output, NDArray logits, SHARNNState state) {}

  /**
   * Runs one segment.
   *
   * @param parameterStore the store of the weights
   * @param tokens {@code (B, T)}, each in [0, V)
   * @param state the state before the segment
   * @param training whether dropout is on and gradients flow into the weights
   * @return the output, logits and the next state
   * @throws IllegalArgumentException if tokens have another shape or type, or lie outside the
   *     vocabulary (checked only on a CPU), or the state is of another model, batch size or type
   */
  public Output forward(
      ParameterStore parameterStore, NDArray tokens, SHARNNState state, boolean training) {
    return forward(parameterStore, tokens, null, state, training);
  }

  /**
   * Runs one segment for a loss. With splits the labels' log-probabilities replace the logits,
   * which costs less than the whole vocabulary. Without splits the labels are ignored.
   *
   * @param parameterStore the store of the weights
   * @param tokens {@code (B, T)}, each in [0, V)
   * @param labels {@code (B, T)}, each in [0, V), optionally with the arrays that {@link
   *     io.github.sharnn.softmax.ClusterLabels} adds, without which the call waits for the GPU;
   *     null for no labels
   * @param state the state before the segment
   * @param training whether dropout is on and gradients flow into the weights
   * @return the output, logits or the labels' log-probabilities, and the next state
   * @throws IllegalArgumentException as without labels
   */
  public Output forward(
      ParameterStore parameterStore,
      NDArray tokens,
      NDList labels,
      SHARNNState state,
      boolean training) {
    checkState(
        !training || !quantized,
        "a quantized model does not train: load the model without quantize()");
    return run(new ForwardPass(this, parameterStore, labels, state, training, false), tokens);
  }

  /**
   * Runs a segment of a prompt and computes logits for its last token only. For a large vocabulary
   * that saves most of the work.
   *
   * @param parameterStore the store of the weights
   * @param tokens {@code (B, T)}, each in [0, V)
   * @param state the state before the segment
   * @return the output of all tokens, logits {@code (B, 1, V)} and the next state
   * @throws IllegalArgumentException as {@link #forward(ParameterStore, NDArray, SHARNNState,
   *     boolean)}
   */
  public Output prefill(ParameterStore parameterStore, NDArray tokens, SHARNNState state) {
    return run(new ForwardPass(this, parameterStore, null, state, false, true), tokens);
  }

  private Output run(ForwardPass pass, NDArray tokens) {
    Lifetime.Lease lease = leaseOfWeights();
    try (lease) {
      return pass.run(tokens);
    }
  }

  /**
   * {@return a lease of the weights, or null if no model of this library owns them}
   *
   * @throws IllegalStateException if the model that owns the weights is closed
   */
  public Lifetime.@Nullable Lease leaseOfWeights() {
    return lifetime == null ? null : lifetime.lease();
  }

  /** Returns the lifetime of the weights, or null. */
  @Nullable Lifetime lifetime() {
    return lifetime;
  }

  /**
   * Sets the lifetime of the weights, unless they have one that is open, or another manager owns
   * them. Returns the one that holds now.
   */
  @Nullable Lifetime beginLifetime(Lifetime begun) {
    boolean open = lifetime != null && lifetime.isOpen();
    if (!open) {
      lifetime = begun;
      dropLifetimeOfOthers();
    }
    return lifetime;
  }

  /** Drops a lifetime that does not own the weights. */
  private void dropLifetimeOfOthers() {
    if (lifetime != null
        && embedding.isInitialized()
        && embedding.getArray().getManager() != lifetime.manager()) {
      lifetime = null;
    }
  }

  /**
   * {@return the lifetime of a model's arrays} A model that DJL has made, and not {@link
   * #newModel}, {@link #load} or {@code Criteria}, gets one that does not end when the model is
   * closed.
   *
   * @param model a model with a {@code SHARNN}
   * @throws IllegalArgumentException if the model's block is not a SHARNN
   */
  public static Lifetime lifetime(Model model) {
    Lifetime weights = of(model).lifetime;
    if (model instanceof SHARNNModel own) {
      return own.lifetime();
    }
    return weights == null ? new Lifetime(model.getName(), model.getNDManager()) : weights;
  }

  /**
   * Keeps a model open for several calls, such as forward passes. {@link Model#close} on another
   * thread waits until the lease is closed. Every call of this library takes a lease itself.
   *
   * <pre>{@code
   * Lifetime.Lease lease = SHARNN.lease(model);
   * try (lease) {
   *   block.forward(parameterStore, tokens, state, false);
   * }
   * }</pre>
   *
   * @param model a model with a {@code SHARNN}
   * @return the lease, to be closed on the same thread
   * @throws IllegalArgumentException if the model's block is not a SHARNN
   * @throws IllegalStateException if the model is closed
   */
  public static Lifetime.Lease lease(Model model) {
    return lifetime(model).lease();
  }

  @Override
  protected NDList forwardInternal(
      ParameterStore parameterStore,
      NDList inputs,
      boolean training,
      PairList<String, Object> params) {
    return predict(parameterStore, inputs, null, training);
  }

  @Override
  protected NDList forwardInternal(
      ParameterStore parameterStore, NDList data, NDList labels, PairList<String, Object> params) {
    return predict(parameterStore, data, labels, true);
  }

  private NDList predict(
      ParameterStore parameterStore, NDList inputs, NDList labels, boolean training) {
    NDArray tokens = inputs.head();
    boolean stateless = inputs.size() == 1;
    SHARNNState state =
        stateless
            ? zeroState(tokens.getManager(), tokens.size(0))
            : SHARNNState.fromNDList(config, inputs.subNDList(1));
    Output output = forward(parameterStore, tokens, labels, state, training);
    NDList outputs = new NDList(output.logits());
    if (!stateless) {
      outputs.addAll(output.state().toNDList());
    }
    return outputs;
  }

  /**
   * Folds {@link Overparam} into the value scales. The outputs stay the same, and each attention
   * layer has 2C*C + 2C fewer parameters.
   *
   * @param manager the manager that owns the new model's weights
   * @return a new, initialized model; this one stays as it is
   * @throws IllegalStateException if this model has no weights
   */
  public SHARNN collapse(NDManager manager) {
    return ModelVariants.collapse(this, manager);
  }

  /**
   * Returns a model with another memory length, without training. With a shorter memory attention
   * sees fewer positions, at least the segment's own. A longer memory than in training is possible
   * too.
   *
   * <p>A shorter memory saves {@code memoryLength * C} numbers of state for each stream and layer
   * with attention, and attention's time. The bits per byte rise if the text refers further back.
   * Measure the cost with a {@link io.github.sharnn.score.Scorer} or {@code Evaluation}.
   *
   * @param positions the largest number that attention sees, at least 0
   * @return a model that shares this model's weight arrays and their manager
   * @throws IllegalArgumentException if {@code positions} is below 0
   * @throws IllegalStateException if this model has no weights
   */
  public SHARNN withMemoryLength(int positions) {
    return ModelVariants.sharing(this, config.withMemoryLength(positions));
  }

  /**
   * Returns a model without attention, only LSTMs and Booms, without training. Its state is only
   * two vectors for each layer, and its files omit attention's weights. The cost in bits per byte
   * may be more or less than that of {@code withMemoryLength(0)}: measure it.
   *
   * @return a model that shares this model's weight arrays and their manager
   * @throws IllegalStateException if this model has no weights
   */
  public SHARNN withoutAttention() {
    return ModelVariants.sharing(this, config.withoutAttention());
  }

  /**
   * Returns a model with another rate of every dropout but weight drop, for example to fine-tune on
   * little text:
   *
   * <pre>{@code
   * Model model = SHARNN.load(folder, null, block -> block.withDropouts(0.3f));
   * }</pre>
   *
   * @param rate the rate of all three dropouts, in [0, 1)
   * @return a model that shares this model's weight arrays and their manager
   * @throws IllegalArgumentException if the rate is outside [0, 1)
   * @throws IllegalStateException if this model has no weights
   */
  public SHARNN withDropouts(float rate) {
    return withDropouts(rate, rate, rate);
  }

  /**
   * Returns a model with other dropout rates.
   *
   * @param input the rate on the embeddings, in [0, 1)
   * @param hidden the rate inside the blocks, in [0, 1)
   * @param output the rate before the logits, in [0, 1)
   * @return a model that shares this model's weight arrays and their manager
   * @throws IllegalArgumentException if a rate is outside [0, 1)
   * @throws IllegalStateException if this model has no weights
   */
  public SHARNN withDropouts(float input, float hidden, float output) {
    return ModelVariants.sharing(this, config.withDropouts(input, hidden, output));
  }

  /**
   * Freezes layers for fine-tuning: training does not change their weights.
   *
   * @param layers the layers, from 0
   * @throws IllegalArgumentException if there is no such layer
   */
  public void freezeLayers(int... layers) {
    for (int layer : layers) {
      checkArgument(
          layer >= 0 && layer < blocks.size(),
          "a frozen layer must be from 0 to %s, but is %s",
          blocks.size() - 1,
          layer);
    }
    for (int layer : layers) {
      blocks.get(layer).freezeParameters(true);
    }
  }

  /** Freezes the embedding for fine-tuning, and with it a tied output layer. */
  public void freezeEmbedding() {
    embedding.freeze(true);
  }

  /**
   * Returns a model with another dropout rate on the LSTMs' hidden-to-hidden matrices.
   *
   * @param rate the rate, in [0, 1)
   * @return a model that shares this model's weight arrays and their manager
   * @throws IllegalArgumentException if the rate is outside [0, 1)
   * @throws IllegalStateException if this model has no weights
   */
  public SHARNN withWeightDrop(float rate) {
    return ModelVariants.sharing(this, config.withWeightDrop(rate));
  }

  /**
   * Rounds each matrix to 8 bits a number, in place: symmetric, with one scale a row. Norms, biases
   * and gates stay in FLOAT32. On a CPU the matrices of the blocks then take a quarter of the
   * memory, and {@link io.github.sharnn.decode.SHARNNDecoder} computes in INT8 unless told
   * otherwise. A forward pass dequantizes the matrices of one block at a time. On a GPU, or where
   * PyTorch has no int8 products, the rounded matrices stay in FLOAT32.
   *
   * <p>{@link Model#save} then writes a folder of about a quarter of the size. Loading such a
   * folder gives FLOAT32 weights of the rounded values, which train and run as any others.
   * Quantizing them again changes no value.
   *
   * <pre>{@code
   * try (Model model = SHARNN.load(folder, null, SHARNN::quantize)) {
   *   model.save(smaller, null);
   * }
   * }</pre>
   *
   * <p>Do not run the model on other threads meanwhile. A quantized model does not train.
   *
   * @return this model
   * @throws IllegalStateException if this model has no weights
   * @throws IllegalArgumentException if the weights are not of FLOAT32 or not finite
   */
  public SHARNN quantize() {
    checkState(isInitialized(), "a model must be initialized or loaded before it is quantized");
    Lifetime.Lease lease = leaseOfWeights();
    try (lease) {
      if (!quantized) {
        quantized(ModelVariants.quantize(this));
      }
    }
    return this;
  }

  /** Marks a model that shares a quantized model's weights. */
  void quantized(PackedWeights shared) {
    packed = shared;
    quantized = true;
  }

  /** {@return the packed matrices; none unless the model is quantized and on a CPU} */
  public PackedWeights packed() {
    return packed;
  }

  /** {@return true after {@link #quantize}} */
  public boolean isQuantized() {
    return quantized;
  }

  /**
   * {@return a DJL model with this block on DJL's default device; the caller closes it}
   *
   * @param name the model's name
   */
  public Model newModel(String name) {
    return newModel(name, null);
  }

  /**
   * Puts this block into a DJL model, with the config in its properties. {@link Model#save} writes
   * the folder that {@link SavedModel} describes. {@link #load} reads it, and so do DJL's {@code
   * Criteria} and DJL Serving.
   *
   * @param name the model's name
   * @param device the device that computes, or null for DJL's default
   * @return the model; the caller closes it
   * @throws IllegalArgumentException if the name is not a file name, begins with a dot or contains
   *     a folder, or the GPU does not exist
   * @throws ai.djl.engine.EngineException if PyTorch can't be loaded
   */
  public Model newModel(String name, Device device) {
    SHARNNModel.checkName(name);
    Model model = new SHARNNModel(name, Devices.require(device));
    model.setBlock(this);
    model.setProperty(CONFIG_PROPERTY, config.toJson());
    if (vocabulary != TextVocabulary.bytes()) {
      model.setProperty(TextVocabulary.MODEL_PROPERTY, vocabulary.property());
    }
    return model;
  }

  /**
   * Loads a model that {@link Model#save} wrote, on DJL's default device. The folder may come from
   * an untrusted source: every byte is checked before use.
   *
   * @param folder the folder that was saved to
   * @return the model with a {@code SHARNN} block; the caller closes it
   * @throws IOException if the folder holds no saved model or can't be read
   * @throws MalformedModelException if a file is damaged or is no saved SHARNN
   */
  public static Model load(Path folder) throws IOException, MalformedModelException {
    return load(folder, null);
  }

  /**
   * Loads a model that {@link Model#save} wrote, checked as in {@link #load(Path)}.
   *
   * @param folder the folder that was saved to
   * @param device the device that computes, or null for DJL's default
   * @return the model with a {@code SHARNN} block; the caller closes it
   * @throws IOException if the folder holds no saved model or can't be read
   * @throws MalformedModelException if a file is damaged or is no saved SHARNN
   * @throws IllegalArgumentException if the GPU does not exist
   */
  public static Model load(Path folder, Device device) throws IOException, MalformedModelException {
    return load(folder, device, UnaryOperator.identity());
  }

  /**
   * Loads a model that {@link Model#save} wrote, to run with less memory or to train with other
   * dropouts:
   *
   * <pre>{@code
   * Model small = SHARNN.load(folder, null, block -> block.withMemoryLength(256));
   * Model tuned = SHARNN.load(folder, null, block -> block.withDropouts(0.3f));
   * }</pre>
   *
   * @param folder the folder that was saved to
   * @param device the device that computes, or null for DJL's default
   * @param backOff any of {@link #withMemoryLength}, {@link #withoutAttention}, {@link
   *     #withDropouts}, {@link #withWeightDrop} and {@link #quantize} of the block that it gets
   * @return the model with what {@code backOff} returned; the caller closes it
   * @throws IOException if the folder holds no saved model or can't be read
   * @throws MalformedModelException if a file is damaged or is no saved SHARNN
   * @throws IllegalArgumentException if the GPU does not exist, or {@code backOff} returned a block
   *     that was not made from the one that it got
   */
  public static Model load(Path folder, Device device, UnaryOperator<SHARNN> backOff)
      throws IOException, MalformedModelException {
    Device there = Devices.require(device);
    return Interrupts.defer(() -> SavedModel.load(folder, there, backOff));
  }

  /**
   * Loads a trained model from a jar on the class path, on DJL's default device. The artifact
   * {@code io.github.sharnn:sharnn-models} holds the byte model {@code wiki-bytes}. Nothing is
   * downloaded. {@link PretrainedModels#folder} returns the folder, for the other ways to load.
   *
   * @param name the name, such as {@code wiki-bytes}
   * @return the model with a {@code SHARNN} block; the caller closes it
   * @throws IllegalArgumentException if no jar on the class path has a model of this name
   * @throws IOException if the jar is damaged, or DJL's cache folder can't be written
   * @throws MalformedModelException if the jar's model is no saved SHARNN of this version
   */
  public static Model pretrained(String name) throws IOException, MalformedModelException {
    return load(PretrainedModels.folder(name));
  }

  /**
   * {@return the SHARNN in a DJL model}
   *
   * @param model the model
   * @throws IllegalArgumentException if the model's block is not a SHARNN
   */
  public static SHARNN of(Model model) {
    checkArgument(
        model.getBlock() instanceof SHARNN,
        "model %s must hold a SHARNN block, but holds %s",
        model.getName(),
        model.getBlock() == null ? "none" : model.getBlock().getClass().getName());
    return (SHARNN) model.getBlock();
  }

  /**
   * {@return the SHARNN in a DJL model, which must have weights}
   *
   * @param model the model
   * @throws IllegalArgumentException if the model's block is not a SHARNN
   * @throws IllegalStateException if the block has no weights
   */
  public static SHARNN initialized(Model model) {
    SHARNN block = of(model);
    checkState(
        block.isInitialized(),
        "model %s must have weights: train it, or load one with SHARNN.load",
        model.getName());
    return block;
  }

  /**
   * Sets if this model runs CUDA kernels of this library's own, which are faster on a GPU. A file
   * does not keep the setting. The default is {@link Kernels.Use#AUTO}.
   *
   * @param use {@code AUTO}, {@code OFF} or {@code REQUIRED}
   * @return this model
   */
  public SHARNN kernels(Kernels.Use use) {
    kernels = use;
    blocks.forEach(block -> block.kernels(use));
    return this;
  }

  /** {@return the setting of {@link #kernels(Kernels.Use)}} */
  public Kernels.Use kernels() {
    return kernels;
  }

  /** {@return the bytes of memory that the weights take} */
  public long bytes() {
    return getParameters().values().stream()
        .mapToLong(
            p -> {
              PackedMatrix matrix = packed.get(p);
              return matrix == null
                  ? p.getShape().size() * p.getArray().getDataType().getNumOfBytes()
                  : matrix.bytes();
            })
        .sum();
  }

  /** {@return the number of parameters} */
  public long parameterCount() {
    return getParameters().values().stream().mapToLong(p -> p.getShape().size()).sum();
  }

  @Override
  public Shape[] getOutputShapes(Shape[] inputShapes) {
    Shape tokens = inputShapes[0];
    Shape logits = new Shape(tokens.get(0), tokens.get(1), config.vocabularySize());
    if (inputShapes.length == 1) {
      return new Shape[] {logits};
    }
    List<Shape> shapes = new ArrayList<>(List.of(logits));
    Shape h = new Shape(tokens.get(0), tokens.get(1), config.embeddingSize());
    for (SHABlock block : blocks) {
      List<Shape> inputs = new ArrayList<>(List.of(h));
      int arrays = block.attention == null ? 2 : 3;
      inputs.addAll(Arrays.asList(inputShapes).subList(shapes.size(), shapes.size() + arrays));
      Shape[] outputs = block.getOutputShapes(inputs.toArray(Shape[]::new));
      shapes.addAll(Arrays.asList(outputs).subList(1, 1 + arrays));
    }
    return shapes.toArray(Shape[]::new);
  }

  @Override
  protected void beforeInitialize(Shape... inputShapes) {
    super.beforeInitialize(inputShapes);
    checkArgument(
        inputShapes[0].dimension() == 2,
        "SHARNN takes tokens of shape (batch, time), but was given %s",
        inputShapes[0]);
  }

  @Override
  protected void initializeChildBlocks(NDManager manager, DataType dataType, Shape... inputShapes) {
    Shape activations =
        new Shape(inputShapes[0].get(0), inputShapes[0].get(1), config.embeddingSize());
    for (SHABlock block : blocks) {
      block.initialize(manager, dataType, activations);
    }
    dropLifetimeOfOthers();
  }
}
