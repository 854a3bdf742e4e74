package io.github.sharnn.generate;

import ai.djl.Model;
import ai.djl.modality.Input;
import ai.djl.modality.Output;
import ai.djl.translate.ArgumentsUtil;
import ai.djl.translate.Translator;
import ai.djl.translate.TranslatorFactory;
import ai.djl.util.Pair;
import java.lang.reflect.Type;
import java.math.BigDecimal;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Function;

/**
 * What DJL's {@code Criteria} and DJL Serving make a saved model's translator with: {@code
 * translatorFactory} in the {@code serving.properties} of its folder names this class. A prompt
 * goes in and the text that follows it comes out, of the types {@code String} and {@code String},
 * or {@link Input} and {@link Output}, whose content is then UTF-8.
 *
 * <p>Arguments, each with {@link SHARNNGenerator.Builder}'s default: {@code length}, {@code
 * temperature}, {@code topK}, {@code topP}, {@code minP}, {@code repetitionPenalty}, {@code
 * repetitionWindow}, {@code seed} and {@code stop}. They come from {@code serving.properties} or,
 * before that, from {@code Criteria.builder().optArgument("temperature", "0.7")}. Two more, {@code
 * memoryLength} and {@code attention}, are {@link io.github.sharnn.zoo.SHARNNBlockFactory}'s.
 */
public final class GenerationTranslatorFactory implements TranslatorFactory {

  private static final Pair<Type, Type> TEXT = new Pair<>(String.class, String.class);
  private static final Pair<Type, Type> SERVING = new Pair<>(Input.class, Output.class);

  // numbers from JSON are 20.0 where 20 is meant
  private static final Function<String, Integer> WHOLE =
      text -> new BigDecimal(text).intValueExact();

  /** Creates the factory, as DJL does. */
  public GenerationTranslatorFactory() {}

  /**
   * Returns the types of prompt and text.
   *
   * @return {@code String} and {@code String}, {@code Input} and {@code Output}
   */
  @Override
  public Set<Pair<Type, Type>> getSupportedTypes() {
    return Set.of(TEXT, SERVING);
  }

  /**
   * Creates a translator with the options that the arguments name.
   *
   * @param input the type of prompts
   * @param output the type of texts
   * @param model the model, with an initialized {@link io.github.sharnn.SHARNN}
   * @param arguments the options, as texts or numbers; others are left alone
   * @return the translator
   * @throws IllegalArgumentException if the types are others, the model is no such, or an argument
   *     breaks its option's rule
   */
  @Override
  @SuppressWarnings("unchecked") // the types are what isSupported says
  public <I, O> Translator<I, O> newInstance(
      Class<I> input, Class<O> output, Model model, Map<String, ?> arguments) {
    if (!isSupported(input, output)) {
      throw new IllegalArgumentException(
          "a SHARNN takes String and gives String, or Input and Output, but was asked for %s and %s"
              .formatted(input.getName(), output.getName()));
    }
    GenerationTranslator text = new GenerationTranslator(generator(model, arguments));
    return (Translator<I, O>) (input == String.class ? text : new ServingText(text));
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
    set(arguments, "stop", Function.identity(), builder::stop);
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
          "the argument %s must be a number, but is %s".formatted(name, value), e);
    } catch (ArithmeticException e) {
      throw new IllegalArgumentException(
          "the argument %s must be a whole number, and no larger than Java's, but is %s"
              .formatted(name, value),
          e);
    }
    option.accept(parsed);
  }
}
