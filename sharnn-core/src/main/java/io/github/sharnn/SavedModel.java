package io.github.sharnn;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Preconditions.checkState;
import static com.google.common.base.Strings.lenientFormat;

import ai.djl.Device;
import ai.djl.MalformedModelException;
import ai.djl.Model;
import ai.djl.ndarray.NDManager;
import ai.djl.util.JsonUtils;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonPrimitive;
import io.github.sharnn.engine.Lifetime;
import io.github.sharnn.io.AtomicFile;
import io.github.sharnn.io.CheckedFolder;
import io.github.sharnn.io.FolderLock;
import io.github.sharnn.io.Names;
import io.github.sharnn.vocabulary.TextVocabulary;
import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * The folder of a saved model:
 *
 * <ul>
 *   <li>{@code config.json}: the model's name, its {@link SHARNNConfig}, the kind and SHA-256 of
 *       its vocabulary, and its other properties
 *   <li>{@code model.safetensors}: the weights, as {@link SafetensorsWeights} names them, in 8 bits
 *       if the model is {@linkplain SHARNN#quantize quantized}
 *   <li>the file of the vocabulary, if its tokens are not bytes
 *   <li>{@code SHA256SUMS}: the SHA-256 of the files above
 *   <li>{@code serving.properties}: options for DJL's {@code Criteria} and DJL Serving
 *   <li>{@code README.md}: a {@link ModelCard}
 * </ul>
 *
 * <p>The last two are for users to edit. They have no sums, and loading does not read them.
 *
 * <p>Saving replaces the model in a folder atomically, as {@link CheckedFolder} describes. An
 * existing {@code serving.properties} and all other files stay. The folder may come from an
 * untrusted source: loading checks every byte, and every number before it allocates by it.
 */
public final class SavedModel implements Closeable {

  /** The name of the file that describes the model. */
  public static final String CONFIG = "config.json";

  /** The name of the file with DJL's options. */
  public static final String SERVING_PROPERTIES = "serving.properties";

  static final String WEIGHTS = "model.safetensors";

  private static final String TYPE = "sharnn";
  private static final int FORMAT_VERSION = 1;
  private static final int MAX_CONFIG_BYTES = 4 << 20;

  /** The properties that {@code config.json} stores in fields of their own. */
  private static final Set<String> DERIVED =
      Set.of(SHARNN.CONFIG_PROPERTY, TextVocabulary.MODEL_PROPERTY);

  private final CheckedFolder files;
  private final Path folder;
  private final Description description;

  private SavedModel(CheckedFolder files, Path folder, Description description) {
    this.files = files;
    this.folder = folder;
    this.description = description;
  }

  /** The content of {@code config.json}. The vocabulary is its property, or null for bytes. */
  private record Description(
      String name,
      SHARNNConfig config,
      @Nullable String vocabulary,
      boolean quantized,
      Map<String, String> properties) {

    private static final String MODEL_TYPE = "model_type";
    private static final String VERSION = "format_version";
    private static final String NAME = "name";
    private static final String MODEL = "model";
    private static final String VOCABULARY = "vocabulary";
    private static final String KIND = "kind";
    private static final String SHA256 = "sha256";
    private static final String QUANTIZATION = "quantization";
    private static final String INT8 = "int8";
    private static final String PROPERTIES = "properties";
    private static final List<String> FIELDS =
        List.of(MODEL_TYPE, VERSION, NAME, MODEL, VOCABULARY, QUANTIZATION, PROPERTIES);

    String toJson() {
      JsonObject json = new JsonObject();
      json.addProperty(MODEL_TYPE, TYPE);
      json.addProperty(VERSION, FORMAT_VERSION);
      json.addProperty(NAME, name);
      json.add(MODEL, JsonUtils.GSON.fromJson(config.toJson(), JsonObject.class));
      if (vocabulary != null) {
        String[] parts = vocabulary.split(" ", 2);
        JsonObject object = new JsonObject();
        object.addProperty(KIND, parts[0]);
        object.addProperty(SHA256, parts[1]);
        json.add(VOCABULARY, object);
      }
      if (quantized) {
        json.addProperty(QUANTIZATION, INT8);
      }
      json.add(PROPERTIES, JsonUtils.GSON.toJsonTree(properties));
      return JsonUtils.GSON_PRETTY.toJson(json) + "\n";
    }

    /** Reads a file's content, or throws IllegalArgumentException. */
    static Description of(String text) {
      try {
        JsonObject json = JsonUtils.GSON.fromJson(text, JsonObject.class);
        checkArgument(json != null, "it is empty");
        checkArgument(
            TYPE.equals(text(json, MODEL_TYPE)),
            "its %s must be %s, but is %s",
            MODEL_TYPE,
            TYPE,
            json.get(MODEL_TYPE));
        checkArgument(
            new JsonPrimitive(FORMAT_VERSION).equals(json.get(VERSION)),
            "it has the %s %s, but this library reads %s: use the version of the library that wrote it",
            VERSION,
            json.get(VERSION),
            FORMAT_VERSION);
        Map<String, String> properties = new TreeMap<>();
        JsonObject object = object(json, PROPERTIES);
        for (String key : object.keySet()) {
          properties.put(key, text(object, key));
        }
        SHARNNConfig config = SHARNNConfig.fromJson(object(json, MODEL).toString());
        String vocabulary = null;
        if (json.has(VOCABULARY)) {
          JsonObject named = object(json, VOCABULARY);
          vocabulary = text(named, KIND) + " " + text(named, SHA256);
        }
        boolean quantized = json.has(QUANTIZATION);
        checkArgument(
            !quantized || INT8.equals(text(json, QUANTIZATION)),
            "its %s must be %s, or missing for weights of floating point, but is %s",
            QUANTIZATION,
            INT8,
            json.get(QUANTIZATION));
        String name = text(json, NAME);
        SHARNNModel.checkName(name);
        for (String field : json.keySet()) {
          checkArgument(
              FIELDS.contains(field),
              "it has the unknown field '%s':%s",
              field,
              Names.suggestion(field, FIELDS));
        }
        return new Description(name, config, vocabulary, quantized, properties);
      } catch (JsonParseException e) {
        throw new IllegalArgumentException("it is not JSON: " + e.getMessage(), e);
      }
    }

    private static JsonObject object(JsonObject json, String name) {
      checkArgument(
          json.get(name) instanceof JsonObject, "it has no object %s, which every model has", name);
      return json.getAsJsonObject(name);
    }

    private static String text(JsonObject json, String name) {
      checkArgument(
          json.get(name) instanceof JsonPrimitive value && value.isString(),
          "%s must be a text, but is %s",
          name,
          json.get(name));
      return json.get(name).getAsString();
    }
  }

  /** Saves a model with an initialized {@link SHARNN} under a name. */
  static void save(Model model, String name, Path folder) throws IOException {
    Lifetime.Lease lease = SHARNN.lease(model);
    try (lease) {
      saveLeased(model, name, folder);
    }
  }

  private static synchronized void saveLeased(Model model, String name, Path folder)
      throws IOException {
    SHARNN block = SHARNN.of(model);
    checkState(
        block.isInitialized(),
        "model %s must have weights before it is saved: train it or get it from SHARNN.load",
        name);
    TextVocabulary vocabulary = block.vocabulary();
    Map<String, String> properties = new TreeMap<>(model.getProperties());
    properties.keySet().removeAll(DERIVED);
    byte[] config =
        new Description(name, block.config(), property(vocabulary), block.isQuantized(), properties)
            .toJson()
            .getBytes(StandardCharsets.UTF_8);
    if (config.length > MAX_CONFIG_BYTES) {
      throw new IOException(
          String.format(
                  Locale.ROOT,
                  "the properties of model %s take %,d bytes in config.json, which may have at most %,d: give it",
                  name,
                  config.length,
                  MAX_CONFIG_BYTES)
              + " fewer or shorter ones");
    }
    Map<String, AtomicFile.Writer> writers = new LinkedHashMap<>();
    writers.put(CONFIG, AtomicFile.of(config));
    writers.put(WEIGHTS, channel -> SafetensorsWeights.write(block, channel));
    AtomicFile.createFolders(folder);
    FolderLock lock = FolderLock.ofSave(folder);
    try (lock) {
      List<String> written = new ArrayList<>();
      vocabulary.save(folder).ifPresent(file -> written.add(file.getFileName().toString()));
      Path serving = folder.resolve(SERVING_PROPERTIES);
      if (Files.notExists(serving)) {
        try (InputStream in = SavedModel.class.getResourceAsStream(SERVING_PROPERTIES)) {
          AtomicFile.write(serving, in.readAllBytes());
        }
      }
      CheckedFolder.write(folder, writers, List.copyOf(written));
      new ModelCard(name, block, properties).write(folder);
      Collections.addAll(
          written, CONFIG, WEIGHTS, CheckedFolder.SUMS, SERVING_PROPERTIES, ModelCard.FILE);
      CheckedFolder.deleteUnfinished(folder, written);
    }
  }

  private static @Nullable String property(TextVocabulary vocabulary) {
    return vocabulary == TextVocabulary.bytes() ? null : vocabulary.property();
  }

  /**
   * Opens a folder and checks all of its sums and its {@code config.json}.
   *
   * @param folder the folder of a saved model
   * @return the open folder; the caller closes it
   * @throws IOException if the folder holds no saved model or can't be read
   * @throws MalformedModelException if a file is damaged or is no saved SHARNN
   */
  public static SavedModel open(Path folder) throws IOException, MalformedModelException {
    CheckedFolder files = CheckedFolder.open(folder, CONFIG, WEIGHTS);
    try {
      String config = new String(files.read(CONFIG, MAX_CONFIG_BYTES), StandardCharsets.UTF_8);
      return new SavedModel(files, folder, Description.of(config));
    } catch (Throwable e) {
      files.close();
      if (e instanceof IllegalArgumentException) {
        throw new MalformedModelException(
            lenientFormat(
                "%s is not a readable config of a SHARNN: %s",
                folder.resolve(CONFIG), e.getMessage()),
            e);
      }
      throw e;
    }
  }

  static Model load(Path folder, @Nullable Device device, UnaryOperator<SHARNN> backOff)
      throws IOException, MalformedModelException {
    try (SavedModel saved = open(folder)) {
      SHARNNModel model = new SHARNNModel(saved.description.name(), device);
      try {
        model.setBlock(saved.read(model, model.lifetime(), backOff));
        model.setFolder(folder);
        return model;
      } catch (Throwable e) {
        model.close();
        throw e;
      }
    }
  }

  /**
   * Reads the block and applies {@code backOff}. The model gets the saved properties.
   *
   * @param model the model that will hold the block
   * @param lifetime the lifetime of the weights, whose manager owns them
   * @param backOff returns the block to use in place of the saved one
   * @return the block that {@code backOff} returned
   * @throws IOException if a file is missing or can't be read
   * @throws MalformedModelException if the weights or the vocabulary do not fit the config
   * @throws IllegalArgumentException if {@code backOff} returned a block without the saved weights
   */
  public SHARNN read(Model model, Lifetime lifetime, UnaryOperator<SHARNN> backOff)
      throws IOException, MalformedModelException {
    TextVocabulary vocabulary = TextVocabulary.load(folder, description.vocabulary());
    SHARNN block;
    try {
      block = SHARNN.of(description.config(), vocabulary);
    } catch (IllegalArgumentException e) {
      throw new MalformedModelException(
          lenientFormat(
              "%s does not fit the vocabulary: %s", folder.resolve(CONFIG), e.getMessage()),
          e);
    }
    block.beginLifetime(lifetime);
    readInto(block, model, lifetime.manager());
    SHARNN backedOff = backOff.apply(block);
    checkArgument(
        backedOff != null && backedOff.origin() == block,
        "the function of SHARNN.load must return the block that it was given, or one made from it by"
            + " withMemoryLength, withoutAttention, withDropouts or withWeightDrop, but it returned"
            + " another one, without the weights of %s",
        folder);
    model.setProperty(SHARNN.CONFIG_PROPERTY, backedOff.config().toJson());
    if (description.vocabulary() != null) {
      model.setProperty(TextVocabulary.MODEL_PROPERTY, description.vocabulary());
    }
    return backedOff;
  }

  /** Reads the weights into a block of the same shapes, and the properties into its model. */
  void readInto(SHARNN block, Model model, NDManager manager)
      throws IOException, MalformedModelException {
    if (!Objects.equals(property(block.vocabulary()), description.vocabulary())) {
      throw new MalformedModelException(
          lenientFormat(
              "%s was saved with other tokens than the model's, %s: load it with SHARNN.load",
              folder, block.vocabulary()));
    }
    if (description.quantized()) {
      SafetensorsWeights.readQuantized(block, manager, files.tensors(WEIGHTS));
    } else {
      SafetensorsWeights.readOwnType(block, manager, files.tensors(WEIGHTS));
    }
    model.setDataType(block.embedding.getArray().getDataType());
    description.properties().forEach(model::setProperty);
  }

  @Override
  public void close() throws IOException {
    files.close();
  }
}
