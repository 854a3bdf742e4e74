package io.github.sharnn.examples;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * The bundled text: "The Old Curiosity Shop" by Charles Dickens (1841), in the public domain,
 * {@code dickens.txt} of Maven Central's {@code org.apache.crunch:crunch-test:0.15.0}.
 */
final class Novel {

  private static final byte[] BYTE_ORDER_MARK = {(byte) 0xef, (byte) 0xbb, (byte) 0xbf};

  private Novel() {}

  /**
   * Copies the novel without its byte order mark into a temporary file, since a corpus is mapped.
   */
  static Path extract() throws IOException {
    Path file = Files.createTempFile("dickens", ".txt");
    file.toFile().deleteOnExit();
    try (InputStream in = Novel.class.getResourceAsStream("dickens.txt")) {
      if (in == null) {
        throw new IOException("this build lacks the bundled novel: name a file with --corpus");
      }
      byte[] text = in.readAllBytes();
      int start = java.util.Arrays.equals(text, 0, 3, BYTE_ORDER_MARK, 0, 3) ? 3 : 0;
      Files.write(file, java.util.Arrays.copyOfRange(text, start, text.length));
    }
    return file;
  }
}
