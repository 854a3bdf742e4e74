package io.github.sharnn.cli.lines;

import static com.google.common.base.Preconditions.checkArgument;

import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/**
 * A reader of lines of any length, in batches of limited size. It does not wait for a full batch:
 * when the input pauses, it hands out the lines so far.
 *
 * <p>A newline ends a line, and so does a carriage return with a newline. Each line comes with a
 * newline alone, also a last line without one.
 */
public final class LineReader {

  private final InputStream in;
  private final int mostLines;
  private final byte[] buffer;
  private int start; // of what is not handed out yet
  private int end;
  private final List<byte[]> batch = new ArrayList<>();
  private int batchBytes;

  /**
   * Creates a reader.
   *
   * @param in the bytes of the lines
   * @param mostLines largest number of lines in a batch
   * @param mostBytes largest number of bytes in a batch, at least 2
   */
  public LineReader(InputStream in, int mostLines, int mostBytes) {
    checkArgument(mostBytes >= 2, "mostBytes must be at least 2, but is %s", mostBytes);
    this.in = in;
    this.mostLines = mostLines;
    buffer = new byte[mostBytes];
  }

  /** A receiver of lines, in order. */
  public interface Receiver {

    /**
     * Takes a batch.
     *
     * @param lines the lines, at least one
     * @throws IOException if the lines can't be handled
     */
    void lines(List<byte[]> lines) throws IOException;

    /**
     * Takes a line that is too long for a batch, and reads the stream to its end.
     *
     * @param line the bytes of the line
     * @throws IOException if the line can't be read or handled
     */
    void longLine(InputStream line) throws IOException;
  }

  /**
   * Reads all lines.
   *
   * @param receiver takes them
   * @throws IOException if a line can't be read, or the receiver throws it
   */
  public void read(Receiver receiver) throws IOException {
    boolean more = true;
    while (more) {
      int newline = newline();
      if (newline >= 0) {
        add(line(contentEnd(newline)), receiver);
        start = newline + 1;
      } else if (end - start == buffer.length) {
        handOut(receiver);
        receiver.longLine(new LongLine());
      } else {
        if (in.available() == 0) {
          handOut(receiver);
        }
        more = fill();
      }
    }
    if (start < end) {
      add(line(end), receiver);
    }
    handOut(receiver);
  }

  /** Returns the end of a line's content, before its newline and a carriage return. */
  private int contentEnd(int newline) {
    return newline > start && buffer[newline - 1] == '\r' ? newline - 1 : newline;
  }

  /** Copies a line up to an index and adds a newline. */
  private byte[] line(int contentEnd) {
    byte[] line = new byte[contentEnd - start + 1];
    System.arraycopy(buffer, start, line, 0, line.length - 1);
    line[line.length - 1] = '\n';
    return line;
  }

  private void add(byte[] line, Receiver receiver) throws IOException {
    if (batch.size() == mostLines || batchBytes + line.length > buffer.length) {
      handOut(receiver);
    }
    batch.add(line);
    batchBytes += line.length;
  }

  private void handOut(Receiver receiver) throws IOException {
    if (!batch.isEmpty()) {
      receiver.lines(List.copyOf(batch));
      batch.clear();
      batchBytes = 0;
    }
  }

  /** Returns the index of the next newline, or -1. */
  private int newline() {
    for (int i = start; i < end; i++) {
      if (buffer[i] == '\n') {
        return i;
      }
    }
    return -1;
  }

  /** Reads what has come, and waits for the first byte. Returns false at the end. */
  private boolean fill() throws IOException {
    System.arraycopy(buffer, start, buffer, 0, end - start);
    end -= start;
    start = 0;
    int count = in.read(buffer, end, buffer.length - end);
    end += Math.max(count, 0);
    return count >= 0;
  }

  /** The rest of a long line, up to its newline. */
  private final class LongLine extends InputStream {

    private boolean ended;

    @Override
    public int read() throws IOException {
      byte[] next = new byte[1];
      return read(next, 0, 1) < 0 ? -1 : Byte.toUnsignedInt(next[0]);
    }

    @Override
    public int read(byte[] target, int offset, int length) throws IOException {
      Objects.checkFromIndexSize(offset, length, target.length);
      if (ended || length == 0) {
        return ended ? -1 : 0;
      }
      boolean more = true;
      while (more && (start == end || start + 1 == end && buffer[start] == '\r')) {
        more = fill(); // the newline of a carriage return may follow
      }
      int newline = newline();
      int contentEnd = newline >= 0 ? contentEnd(newline) : more ? contentEnd(end) : end;
      if (start < contentEnd) {
        int count = Math.min(length, contentEnd - start);
        System.arraycopy(buffer, start, target, offset, count);
        start += count;
        return count;
      }
      ended = true;
      start = newline >= 0 ? newline + 1 : end;
      target[offset] = '\n';
      return 1;
    }
  }
}
