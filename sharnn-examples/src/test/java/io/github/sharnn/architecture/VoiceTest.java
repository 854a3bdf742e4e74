package io.github.sharnn.architecture;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.sharnn.architecture.Voice.Finding;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class VoiceTest {

  @Test
  void comments_messages_and_documents_speak_plainly() throws IOException {
    assertThat(Voice.check(root())).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "/** What it rests on. */",
        "/**\n * Reads a file.\n *\n * <p>Where there is none, throws.\n */",
        "/**\n * Reads.\n *\n * @param file Whether it\n *     is read\n */",
        "/** Reads a file. Of those it keeps one. */",
        "/** {@code x}. Those {@link Object objects} stay. */",
        "/** what it rests on */",
        "// Reads a file.\n// To close it, call close().",
        "int x; // the first: To be read",
        "  // whether it is read",
        "/* Whether it\n * is read. */",
        "String s = \"it fails: \" + \"What now, then\";",
        "String s = \"Where to compute\" + \".\";",
        "/** The option counts for\n * nothing then. */",
        "/** Refuses null. */",
      })
  void finds_in_java(String source) {
    assertThat(Voice.check("A.java", "class A {}\n" + source)).hasSize(1);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "/** Reads to the end, where what is left is whether of those. */",
        "/** {@code To} and {@code What {@code Of}}. {@link Those} */",
        "/**\n"
            + " * Reads.\n"
            + " *\n"
            + " * <pre>{@code\n"
            + " * To x;\n"
            + " * }</pre>\n"
            + " *\n"
            + " * @return whether it did\n"
            + " */",
        "String s = \"// What\" + '\"' + \"/* To */ end\"; char c = '\\''; // a quote",
        "String s = \"a.To b\"; // version 2.To",
        "String s = \"\"\"\n  What \"To\" Of\n  \"\"\";",
        "int x; // of the terminal",
        "node(\"Where\", \"To\")",
        "// Why? What else could it be?",
      })
  void lets_other_java_pass(String source) {
    assertThat(Voice.check("A.java", source)).isEmpty();
  }

  @Test
  void finds_in_python() {
    String source = "x = '# To do'\n# Of x\ny = 1  # small: To do\n\n\"\"\"What y is.\"\"\"\n";
    assertThat(Voice.check("a.py", source)).extracting(Finding::line).containsExactly(2, 3, 5);
  }

  @Test
  void finds_in_documents() {
    String source =
        """
        # What is it?

        A model. What it does is said
        below:

        ```sh
        # To run it
        To run
        ```

        - To stop, press Ctrl-C
        - `To` stop

        | What | To |
        |---|---|
        | Of one | Reads. Where it is none |

        **Where** it is, it stays. What is it, then? <!-- To do -->
        [To stop](x.md), stop.
        """;
    assertThat(Voice.check("docs/a.md", source))
        .extracting(Finding::line)
        .containsExactly(3, 11, 16, 18, 19);
  }

  @Test
  void messages_of_tests_are_left_alone() {
    String source = "String s = \"What a day\"; // To be read";
    assertThat(Voice.check("sharnn-core/src/test/java/A.java", source)).hasSize(1);
  }

  /** The checkout's root, from whatever module the tests run in. */
  private static Path root() {
    Path folder = Path.of("").toAbsolutePath();
    while (!Files.isDirectory(folder.resolve("sharnn-core"))) {
      folder = folder.getParent();
    }
    return folder;
  }
}
