package io.github.sharnn.generate;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Strings.lenientFormat;

import ai.djl.Model;
import ai.djl.modality.Input;
import ai.djl.modality.Output;
import ai.djl.translate.ArgumentsUtil;
import ai.djl.translate.Translator;
import ai.djl.translate.TranslatorFactory;
import ai.djl.util.Pair;
import io.github.sharnn.io.Names;
import java.lang.reflect.Type;
import java.math.BigDecimal;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.regex.Pattern;

/**
 * The translator factory of a saved model. The {@code serving.properties} in the model's folder
 * names this class as {@code translatorFactory}, for DJL's {@code Criteria} and DJL Serving. Its
 * translators turn a prompt into the text that follows, as {@code String} to {@code String}, or as
 * UTF-8 in {@link Input} to {@link Output}.
 *
 * <p>The arguments are options of {@link SHARNNGenerator.Builder}, with its defaults: {@code
 * length}, {@code temperature}, {@code topK}, {@code topP}, {@code minP}, {@code
 * repetitionPenalty}, {@code repetitionWindow}, {@code seed} and {@code stop}, which is a text or a
 * collection of texts. An argument of {@code Criteria.builder().optArgument("temperature", "0.7")}
 * overrides {@code serving.properties}, where {@code Model.save} sets the seed 42. {@link
 * io.github.sharnn.zoo.SHARNNBlockFactory} reads two more, {@code memoryLength} and {@code
 * attention}.
 */
public final class GenerationTranslatorFactory implements TranslatorFactory {

  private static final Pair<Type, Type> TEXT = new Pair<>(String.class, String.class);
  private static final Pair<Type, Type> SERVING = new Pair<>(Input.class, Output.class);

  private static final List<String> KNOWN =
      List.of(
          "length",
          "temperature",
          "topK",
          "topP",
          "minP",
          "repetitionPenalty",
          "repetitionWindow",
          "seed",
          "stop",
          "memoryLength",
          "attention");

  /** The properties of DJL and of DJL Serving, which DJL passes on. */
  private static final Set<String> DJL =
      Set.of(
          "application",
          "artifact_id",
          "batch_size",
          "batchifier",
          "blockFactory",
          "chunked_read_timeout",
          "engine",
          "job_queue_size",
          "load_on_devices",
          "log_request_metric",
          "max_batch_delay",
          "max_idle_time",
          "maxWorkers",
          "metrics_aggregation",
          "minWorkers",
          "model_loading_timeout",
          "model_name",
          "modelName",
          "predict_timeout",
          "required_memory_mb",
          "reserved_memory_mb",
          "retry_threshold",
          "translator",
          "translatorFactory");

  private static final Pattern DJL_PREFIXED = Pattern.compile("(option|cpu|gpu|nc|hpu)\\..+");

  // a 20 from JSON arrives as 20.0
  private static final Function<String, Integer> WHOLE =
      text -> new BigDecimal(text).intValueExact();

  /** Creates the factory. DJL calls this. */
  public GenerationTranslatorFactory() {}

  @Override
  public Set<Pair<Type, Type>> getSupportedTypes() {
    return Set.of(TEXT, SERVING);
  }

  /**
   * Creates a translator.
   *
   * @param input the type of prompts
   * @param output the type of texts
   * @param model a model with a {@link io.github.sharnn.SHARNN}
   * @param arguments the options, as strings, numbers or a collection of strings
   * @return the translator
   * @throws IllegalArgumentException if the types are not supported, the model holds no SHARNN, an
   *     argument breaks its option's rule, or neither this library nor DJL knows an argument
   */
  @Override
  @SuppressWarnings("unchecked") // isSupported checks the types
  public <I, O> Translator<I, O> newInstance(
      Class<I> input, Class<O> output, Model model, Map<String, ?> arguments) {
    checkArgument(
        isSupported(input, output),
        "the types must be String and String, or Input and Output, but are %s and %s",
        input.getName(),
        output.getName());
    arguments.keySet().forEach(GenerationTranslatorFactory::checkKnown);
    GenerationTranslator text = new GenerationTranslator(generator(model, arguments));
    return (Translator<I, O>) (input == String.class ? text : new ServingText(text));
  }

  private static void checkKnown(String name) {
    checkArgument(
        KNOWN.contains(name) || DJL.contains(name) || DJL_PREFIXED.matcher(name).matches(),
        "the argument %s, of Criteria or serving.properties, is no option of this library or DJL:%s",
        name,
        Names.suggestion(name, KNOWN));
  }

  private static SHARNNGenerator generator(Model model, Map<String, ?> arguments) {
    SHARNNGenerator.Builder builder = SHARNNGenerator.builder(model);
    set(arguments, "length", WHOLE, builder::length);
    set(arguments, "temperature", Float::valueOf, builder::temperature);
    set(arguments, "topK", WHOLE, builder::topK);
    set(arguments, "topP", Float::valueOf, builder::topP);
    set(arguments, "minP", Float::valueOf, builder::minP);
    set(arguments, "repetitionPenalty", Float::valueOf, builder::repetitionPenalty);
    set(arguments, "repetitionWindow", WHOLE, builder::repetitionWindow);
    set(arguments, "seed", text -> new BigDecimal(text).longValueExact(), builder::seed);
    if (arguments.get("stop") instanceof Collection<?> stops) {
      builder.stop(stops.stream().map(String::valueOf).toArray(String[]::new));
    } else {
      set(arguments, "stop", Function.identity(), builder::stop);
    }
    return builder.build();
  }

  private static <T> void set(
      Map<String, ?> arguments, String name, Function<String, T> parse, Consumer<T> option) {
    String value = ArgumentsUtil.stringValue(arguments, name);
    if (value == null) {
      return;
    }
    T parsed;
    try {
      parsed = parse.apply(value);
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException(
          lenientFormat("the argument %s must be a number, but is %s", name, value), e);
    } catch (ArithmeticException e) {
      throw new IllegalArgumentException(
          lenientFormat(
              "the argument %s must be a whole number that fits its Java type, but is %s",
              name, value),
          e);
    }
    option.accept(parsed);
  }
}
