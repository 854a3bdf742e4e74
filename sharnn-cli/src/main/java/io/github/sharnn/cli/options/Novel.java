package io.github.sharnn.cli.options;

import ai.djl.util.Utils;
import io.github.sharnn.io.AtomicFile;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;

/**
 * The bundled text: "The Old Curiosity Shop" by Charles Dickens (1841), in the public domain,
 * {@code dickens.txt} of Maven Central's {@code org.apache.crunch:crunch-test:0.15.0}.
 */
public final class Novel {

  private static final byte[] BYTE_ORDER_MARK = {(byte) 0xef, (byte) 0xbb, (byte) 0xbf};

  private Novel() {}

  /**
   * Copies the novel without its byte order mark into DJL's cache folder. A corpus is a mapped
   * file, and a resumed run looks for it in the same place.
   */
  public static Path extract() throws IOException {
    Path file = Utils.getCacheDir().resolve("sharnn").resolve("dickens.txt");
    try (InputStream in = Novel.class.getResourceAsStream("dickens.txt")) {
      if (in == null) {
        throw new IOException("this build lacks the bundled novel: name a file with --corpus");
      }
      byte[] text = in.readAllBytes();
      int start = Arrays.equals(text, 0, 3, BYTE_ORDER_MARK, 0, 3) ? 3 : 0;
      byte[] novel = Arrays.copyOfRange(text, start, text.length);
      if (!Files.exists(file) || !Arrays.equals(Files.readAllBytes(file), novel)) {
        Files.createDirectories(file.getParent());
        AtomicFile.write(file, novel);
      }
    }
    return file;
  }
}
