package io.github.sharnn.cli;

import static com.google.common.base.Strings.lenientFormat;

import ai.djl.engine.EngineException;
import com.google.common.base.CaseFormat;
import io.github.sharnn.RunHeader;
import io.github.sharnn.cli.StandardOutput.LostOutputException;
import io.github.sharnn.engine.kernels.Kernels;
import io.github.sharnn.io.FileErrors;
import io.github.sharnn.train.Recipe;
import io.github.sharnn.train.optim.OptimizerSettings;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Locale;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.RunLast;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/**
 * The command line: {@code java -jar sharnn.jar
 * train|evaluate|score|generate|compress|decompress|verify|prepare-enwik8|prepare-text8|plot|report|benchmark|export}.
 *
 * <p>Exit codes: 0 for success, 1 for failure, 2 for bad usage; 129, 130 or 143 after a signal that
 * stopped {@code train}.
 */
@Command(
    name = "sharnn",
    description =
        "Train and evaluate SHA-RNN language models, generate, score and compress text with them.",
    scope = ScopeType.INHERIT, // subcommands inherit the next three
    mixinStandardHelpOptions = true,
    showDefaultValues = true,
    sortOptions = false,
    versionProvider = Sharnn.Version.class,
    subcommands = {
      TrainCommand.class,
      EvaluateCommand.class,
      ScoreCommand.class,
      GenerateCommand.class,
      CompressCommand.Compress.class,
      CompressCommand.Decompress.class,
      VerifyCommand.class,
      PrepareCommand.OfEnwik8.class,
      PrepareCommand.OfText8.class,
      PlotCommand.class,
      ReportCommand.class,
      BenchmarkCommand.class,
      ExportCommand.class,
      ExportCommand.Quantize.class
    })
public final class Sharnn implements Runnable {

  static final int FAILED = 1;
  public static final int BAD_USAGE = 2;

  @Spec private CommandSpec spec;

  @Option(
      names = "--verbose",
      scope = ScopeType.INHERIT,
      description = "Show the stack trace of an error and DJL's log.")
  private boolean verbose;

  /** The text that {@code --version} prints. */
  static final class Version implements IVersionProvider {

    @Override
    public String[] getVersion() {
      return new String[] {"SHARNN for Java " + RunHeader.version()};
    }
  }

  /** Runs a command and exits with its code. */
  public static void main(String[] args) {
    Locale.setDefault(Locale.ROOT); // libraries that ask for no locale, such as picocli
    System.setErr(
        new PrintStream(new FileOutputStream(FileDescriptor.err), true, StandardCharsets.UTF_8));
    String[] exact = {};
    try {
      exact = Arguments.exact(args);
    } catch (IllegalArgumentException | IOException e) {
      System.err.println("error: " + e.getMessage());
      System.exit(BAD_USAGE);
    }
    System.exit(run(new FileOutputStream(FileDescriptor.out), exact));
  }

  /** Runs a command and returns its exit code. */
  public static int run(String... args) {
    return run(System.out, args);
  }

  /** Runs a command. It ends with an error once {@code out} can't be written. */
  private static int run(OutputStream out, String... args) {
    PrintStream before = System.out;
    StandardOutput output = new StandardOutput(out);
    System.setOut(output);
    try {
      int code = commandLine(output).execute(args);
      output.failure().ifPresent(e -> System.err.println("error: " + e.getMessage()));
      return output.failure().isPresent() ? FAILED : code;
    } finally {
      System.setOut(before);
    }
  }

  private static CommandLine commandLine(StandardOutput output) {
    Sharnn sharnn = new Sharnn();
    return new CommandLine(sharnn)
        .setOut(new PrintWriter(output, true, StandardCharsets.UTF_8))
        .setErr(new PrintWriter(System.err, true, StandardCharsets.UTF_8))
        .setExpandAtFiles(false) // an argument that begins with @ is text like any other
        .setCaseInsensitiveEnumValuesAllowed(true)
        .registerConverter(Path.class, new Arguments.FileName())
        .registerConverter(Recipe.class, Arguments.nameOf(Recipe.class))
        .registerConverter(Kernels.Use.class, Arguments.nameOf(Kernels.Use.class))
        .registerConverter(
            OptimizerSettings.Type.class, Arguments.nameOf(OptimizerSettings.Type.class))
        .setExecutionStrategy(
            parsed -> {
              sharnn.setLogLevel();
              try {
                return new RunLast().execute(parsed);
              } catch (LostOutputException e) { // of the help
                return FAILED;
              }
            })
        .setExecutionExceptionHandler(
            (e, commandLine, parsed) -> sharnn.report(e, commandLine.getCommandSpec()));
  }

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "name a command");
  }

  /** Rejects an output that exists, before the work. */
  static void checkNew(Path output, String option) throws FileAlreadyExistsException {
    if (Files.exists(output, LinkOption.NOFOLLOW_LINKS)) {
      throw new FileAlreadyExistsException(output.toString(), null, option);
    }
  }

  /** Rejects an output file that exists, or that can't be written, before the work. */
  static void checkNewFile(Path output, String option) throws IOException {
    checkNew(output, option);
    checkFolder(output, option);
  }

  /** Rejects an output file whose folder is missing or read-only. */
  static void checkFolder(Path output, String option) throws IOException {
    Path file = output.toAbsolutePath();
    Path folder = file.getParent() == null ? file : file.getParent(); // of / itself
    if (!Files.isDirectory(folder)) {
      throw new NoSuchFileException(
          folder.toString(), null, option + " needs its folder: create it, or name another file");
    }
    if (!Files.isWritable(folder)) {
      throw new AccessDeniedException(
          folder.toString(), null, option + " needs a folder that you may write to: name another");
    }
  }

  /** Sets the log level. slf4j-simple reads the level only once, for the first logger. */
  private void setLogLevel() {
    if (verbose) {
      System.setProperty("org.slf4j.simpleLogger.defaultLogLevel", "debug");
    }
  }

  private int report(Exception e, CommandSpec command) {
    if (e instanceof LostOutputException) {
      return FAILED; // run says why
    }
    if (verbose) {
      e.printStackTrace();
    } else {
      System.err.println("error: " + withOptions(message(e), command));
    }
    return e instanceof IllegalArgumentException ? BAD_USAGE : FAILED;
  }

  /**
   * Names the options of a command in a message of the library, which has the names of the Java
   * API: {@code batchSize} becomes {@code --batch-size}. A name of one word may be an ordinary
   * word, and is an option's only before "must".
   */
  private static String withOptions(String message, CommandSpec command) {
    String text = message;
    for (OptionSpec option : command.options()) {
      String name = option.longestName();
      String inJava =
          CaseFormat.LOWER_HYPHEN.to(CaseFormat.LOWER_CAMEL, name.replaceFirst("^-+", ""));
      boolean severalWords = name.lastIndexOf('-') > 1;
      if (option.arity().max() > 0) {
        String word =
            severalWords
                ? "(?<![\\w./\\\\-])" + inJava + "\\b(?![./\\\\-])" // no part of a path
                : "(?<=^|: )" + inJava + "(?= must )";
        text = text.replaceAll(word, name);
      }
    }
    return text;
  }

  /**
   * Returns a message that says what happened. The messages of the file system's exceptions are
   * only file names. DJL's exceptions have the reason only in their cause.
   */
  private static String message(Exception e) {
    if (e instanceof FileAlreadyExistsException exists && exists.getReason() != null) {
      return lenientFormat(
          "%s exists already: name another with %s, or remove it",
          exists.getFile(), exists.getReason());
    }
    if (e instanceof IOException io) {
      return FileErrors.describe(io);
    }
    if (e instanceof EngineException && e.getCause() != null) {
      return e.getMessage() + ": " + e.getCause(); // what failed, and why
    }
    return e.getMessage() == null ? e.toString() : e.getMessage();
  }
}
