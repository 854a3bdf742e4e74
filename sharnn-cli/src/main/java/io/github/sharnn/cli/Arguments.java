package io.github.sharnn.cli;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Strings.lenientFormat;

import com.google.common.base.Splitter;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Stack;
import picocli.CommandLine.IParameterConsumer;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.TypeConversionException;

/**
 * The arguments of a command line, exactly as the user gave them.
 *
 * <p>Java decodes arguments in the locale's encoding. In the locale C, or if a byte is wrong in the
 * encoding, it replaces each such byte by U+FFFD. The arguments are then read again from Linux'
 * {@code /proc/self/cmdline}.
 */
final class Arguments {

  private static final Path COMMAND_LINE = Path.of("/proc/self/cmdline");
  private static final char REPLACEMENT = '\uFFFD';
  private static final Charset ENCODING =
      Charset.forName(System.getProperty("sun.jnu.encoding", StandardCharsets.UTF_8.name()));

  private Arguments() {}

  /** Returns the arguments as they were given, read as UTF-8 if the locale's encoding is ASCII. */
  static String[] exact(String[] args) throws IOException {
    byte[] commandLine = Files.isReadable(COMMAND_LINE) ? Files.readAllBytes(COMMAND_LINE) : null;
    return exact(args, commandLine, ENCODING);
  }

  /** Does the same with the bytes of the process's command line, null if they are not known. */
  static String[] exact(String[] args, byte[] commandLine, Charset encoding) {
    if (Arrays.stream(args).allMatch(arg -> arg.indexOf(REPLACEMENT) < 0)) {
      return args;
    }
    List<byte[]> given = commandLine == null ? List.of() : split(commandLine);
    int skipped = given.size() - args.length; // the arguments of Java itself
    String[] exact = new String[args.length];
    Charset actual = encoding.equals(StandardCharsets.US_ASCII) ? StandardCharsets.UTF_8 : encoding;
    for (int i = 0; i < args.length; i++) {
      boolean known = skipped >= 0 && new String(given.get(skipped + i), encoding).equals(args[i]);
      checkArgument(
          known || args[i].indexOf(REPLACEMENT) < 0,
          "the argument '%s' has characters that the locale's encoding %s lacks: set the environment"
              + " variable LC_ALL to a locale in UTF-8, such as C.UTF-8",
          args[i],
          encoding);
      try {
        exact[i] =
            known
                ? actual.newDecoder().decode(ByteBuffer.wrap(given.get(skipped + i))).toString()
                : args[i];
      } catch (CharacterCodingException e) {
        throw new IllegalArgumentException(
            lenientFormat(
                "the argument '%s' is not valid %s: pass such bytes in a file instead",
                args[i], actual),
            e);
      }
    }
    return exact;
  }

  /** Splits a text at its zero bytes; each part ends with one. */
  private static List<byte[]> split(byte[] commandLine) {
    String text = new String(commandLine, StandardCharsets.ISO_8859_1); // a char for each byte
    List<String> parts = Splitter.on('\0').splitToList(text);
    return parts.stream()
        .limit(parts.size() - 1)
        .map(part -> part.getBytes(StandardCharsets.ISO_8859_1))
        .toList();
  }

  /** Returns a converter of names as in the help. Picocli's own would list other names too. */
  static <E> ITypeConverter<E> nameOf(Class<E> type) {
    List<E> constants = List.of(type.getEnumConstants());
    return name ->
        constants.stream()
            .filter(each -> each.toString().equals(name))
            .findFirst()
            .orElseThrow(
                () ->
                    new TypeConversionException(
                        lenientFormat("expected one of %s, but was '%s'", constants, name)));
  }

  /** A converter of file names that says why a name is impossible. */
  static final class FileName implements ITypeConverter<Path> {

    @Override
    public Path convert(String name) {
      try {
        return Path.of(name);
      } catch (InvalidPathException e) {
        throw new TypeConversionException(
            lenientFormat(
                "'%s' can't be a file's name here (%s); the locale's encoding is %s: if the name has"
                    + " other characters, set the environment variable LC_ALL to a locale in UTF-8,"
                    + " such as C.UTF-8",
                name, e.getReason(), ENCODING));
      }
    }
  }

  /** A consumer of a text, or of one of several, even if the text looks like an option. */
  static final class Text implements IParameterConsumer {

    @Override
    public void consumeParameters(Stack<String> args, ArgSpec option, CommandSpec command) {
      if (args.isEmpty()) {
        throw new ParameterException(
            command.commandLine(),
            ((OptionSpec) option).longestName() + " must be followed by a text");
      }
      if (option.isMultiValue()) {
        List<String> texts = new ArrayList<>(option.<List<String>>getValue());
        texts.add(args.pop());
        option.setValue(texts);
      } else {
        option.setValue(args.pop());
      }
    }
  }
}
