package io.github.sharnn.cli.options;

import static com.google.common.base.Strings.lenientFormat;

import io.github.sharnn.train.checkpoint.CheckpointPolicy;
import java.lang.reflect.Field;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParseResult;

/**
 * The options of a run's command lines. {@link CheckpointPolicy#program} stores their text in each
 * checkpoint, and a later command line replaces the options that it gives.
 *
 * <p>The checkpoint also holds the effect of the options in mixins: the model, the trainer, the
 * stages, the corpus and the policy. A resumed run takes them from there. The options that the
 * command itself declares have no other record than their text.
 */
public final class KeptOptions {

  /** The options of one process. */
  private static final Set<String> NOT_KEPT =
      Set.of("--resume", "--output", "--watch", "--verbose", "--help", "--version");

  /** The text that picocli takes for no value if it is a default. */
  private static final String NULL_VALUE = CommandLine.Option.NULL_VALUE;

  private KeptOptions() {}

  /** Makes the kept options of a command itself the defaults of its arguments. */
  public static void restore(CommandSpec command, Map<String, String> kept) {
    CommandLine root = command.root().commandLine();
    List<String> arguments = root.getParseResult().originalArgs();
    command
        .commandLine()
        .setInterpolateVariables(false) // a text may contain ${...}
        .setDefaultValueProvider(
            argument ->
                argument.userObject() instanceof Field field
                        && field.getDeclaringClass() == command.userObject().getClass()
                        && argument instanceof OptionSpec option
                    ? kept.get(option.longestName())
                    : null);
    root.parseArgs(arguments.toArray(String[]::new));
    for (OptionSpec option : command.options()) {
      boolean lost = NULL_VALUE.equals(kept.get(option.longestName())) && option.getValue() == null;
      if (lost && option.userObject() instanceof Field field) {
        option.setValue(field.getType() == Path.class ? Path.of(NULL_VALUE) : NULL_VALUE);
      }
    }
  }

  /** Returns the text of each option that was given now, or is kept from an earlier process. */
  public static Map<String, String> merge(CommandSpec command, Path run, Map<String, String> kept) {
    Map<String, String> all = new TreeMap<>(kept);
    ParseResult parsed = command.commandLine().getParseResult();
    for (OptionSpec option : command.options()) {
      // Picocli does not count an option with a consumer of its own as matched
      boolean given =
          parsed.hasMatchedOption(option)
              || (option.parameterConsumer() != null && option.getValue() != null);
      if (given && !NOT_KEPT.contains(option.longestName())) {
        all.put(option.longestName(), text(option, run.toAbsolutePath().normalize()));
      }
    }
    return all;
  }

  /** Returns a line for each option whose text changes. */
  public static List<String> changes(Map<String, String> kept, Map<String, String> now) {
    List<String> lines = new ArrayList<>();
    now.forEach(
        (option, text) -> {
          String before = kept.getOrDefault(option, "not given");
          if (!before.equals(text)) {
            lines.add(lenientFormat("%s was %s, is now %s", option, before, text));
          }
        });
    return lines;
  }

  private static String text(Path path, Path run) {
    Path whole = path.toAbsolutePath().normalize();
    return (whole.startsWith(run) ? run.relativize(whole) : whole).toString();
  }

  /** Returns an option as text; a path is absolute, or relative to the run's folder if inside. */
  private static String text(OptionSpec option, Path run) {
    Object value = option.getValue();
    if (value instanceof Path path) {
      return text(path, run);
    }
    if (value instanceof List<?> list && !list.isEmpty() && list.get(0) instanceof Path) {
      return String.join(",", list.stream().map(path -> text((Path) path, run)).toList());
    }
    return option.originalStringValues().isEmpty()
        ? value.toString()
        : String.join(",", option.originalStringValues());
  }
}
