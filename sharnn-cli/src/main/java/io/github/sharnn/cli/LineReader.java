package io.github.sharnn.cli;

import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;

/**
 * A reader of lines of any length, in batches of limited size. It does not wait for a full batch:
 * when the input pauses, it hands out the lines so far.
 *
 * <p>Only a newline ends a line. Each line comes with its newline; a last line without one gets
 * one.
 */
final class LineReader {

  private final InputStream in;
  private final int mostLines;
  private final byte[] buffer;
  private int start; // of what is not handed out yet
  private int end;
  private final List<byte[]> batch = new ArrayList<>();
  private int batchBytes;

  /** Reads batches of at most so many lines, and of lines of at most so many bytes together. */
  LineReader(InputStream in, int mostLines, int mostBytes) {
    this.in = in;
    this.mostLines = mostLines;
    buffer = new byte[mostBytes];
  }

  /** A receiver of lines, in order. */
  interface Receiver {

    /** Takes a batch, never empty. */
    void lines(List<byte[]> lines) throws IOException;

    /** Takes a line that is too long for a batch, and reads the stream to its end. */
    void longLine(InputStream line) throws IOException;
  }

  /** Reads all lines. */
  void read(Receiver receiver) throws IOException {
    boolean more = true;
    while (more) {
      int newline = newline();
      if (newline >= 0) {
        add(Arrays.copyOfRange(buffer, start, newline + 1), receiver);
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
      byte[] line = Arrays.copyOfRange(buffer, start, end + 1 /* a place for the newline */);
      line[line.length - 1] = '\n';
      add(line, receiver);
    }
    handOut(receiver);
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
      if (start == end && !fill()) {
        ended = true;
        target[offset] = '\n';
        return 1;
      }
      int newline = newline();
      int count = Math.min(length, (newline < 0 ? end : newline + 1) - start);
      System.arraycopy(buffer, start, target, offset, count);
      start += count;
      ended = start == newline + 1;
      return count;
    }
  }
}
