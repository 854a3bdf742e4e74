package io.github.sharnn.cli;

import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Optional;

/**
 * Standard output that ends a command once it can't be written, for example if the disk is full or
 * the reader of a pipe is gone. A plain {@link PrintStream} would hide the failure, and the command
 * would compute on for nobody.
 *
 * <p>A failed write throws {@link LostOutputException}, and so does every later write. {@link
 * #checkError} tells without throwing.
 */
final class StandardOutput extends PrintStream {

  private final Sink sink;

  /** Wraps a stream, which may itself be a {@link PrintStream}. */
  StandardOutput(OutputStream out) {
    this(new Sink(out));
  }

  private StandardOutput(Sink sink) {
    super(sink, true, StandardCharsets.UTF_8);
    this.sink = sink;
  }

  /** Output that nobody gets. */
  static final class LostOutputException extends RuntimeException {

    private static final long serialVersionUID = 1;

    LostOutputException(IOException cause) {
      super("standard output can't be written: " + cause.getMessage(), cause);
    }
  }

  /** Returns the failure of the first write that failed, if any. */
  Optional<LostOutputException> failure() {
    return Optional.ofNullable(sink.failure);
  }

  @Override
  public boolean checkError() {
    return sink.failure != null;
  }

  /** The bytes of the output. */
  private static final class Sink extends OutputStream {

    private final OutputStream out;
    private volatile LostOutputException failure;

    Sink(OutputStream out) {
      this.out = out;
    }

    @Override
    public void write(int value) {
      write(new byte[] {(byte) value}, 0, 1);
    }

    @Override
    public void write(byte[] bytes, int offset, int length) {
      if (failure != null) {
        throw failure;
      }
      try {
        out.write(bytes, offset, length);
        if (out instanceof PrintStream plain && plain.checkError()) {
          throw new IOException("it is closed, or its disk is full");
        }
      } catch (IOException e) {
        failure = new LostOutputException(e);
        throw failure;
      }
    }

    @Override
    public void flush() {
      // every write passes its bytes on at once
    }
  }
}
