package io.github.sharnn.train.data;

import static com.google.common.base.Preconditions.checkArgument;

import com.google.common.primitives.ImmutableLongArray;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * The boundaries of the documents in a corpus. A model reads each document from a zero state, so
 * nothing that it predicts depends on the document before. Its first token is predicted after a
 * newline, as in {@link io.github.sharnn.score.Scorer}.
 *
 * @param files true if each file, text or stream is a document
 * @param separator the text that ends a document and belongs to it, or null for none; the end of a
 *     file also ends a document
 */
public record Documents(boolean files, @Nullable String separator) {

  /** One continuous text without documents. */
  public static final Documents NONE = new Documents(false, null);

  /** Each line with its newline is a document, such as a line of a log. */
  public static final Documents LINES = endingWith("\n");

  /** Each file, text or stream is a document. */
  public static final Documents FILES = new Documents(true, null);

  /**
   * Checks the components, which may come from a file.
   *
   * @param files whether each file is a document
   * @param separator null, or not empty
   * @throws IllegalArgumentException if both are given, or the separator is empty
   */
  public Documents {
    checkArgument(
        separator == null || (!files && !separator.isEmpty()),
        "documents are files, or end with a separator of at least 1 character, but files is %s and"
            + " the separator is '%s'",
        files,
        separator);
  }

  /**
   * {@return documents that end with a text, such as {@code "\n\n"} or {@code "<|endoftext|>"}}
   *
   * @param separator the text, which belongs to the document before it
   * @throws IllegalArgumentException if the text is empty
   */
  public static Documents endingWith(String separator) {
    return new Documents(false, separator);
  }

  /** {@return true if there are documents} */
  public boolean any() {
    return files || separator != null;
  }

  /** Returns the end of each document of a file, ascending; the last one is the file's end. */
  ImmutableLongArray ends(MappedFile file) {
    ImmutableLongArray.Builder ends = ImmutableLongArray.builder();
    Finder finder = separator == null ? null : new Finder(separator, ends);
    if (finder != null) {
      file.forEachChunk(0, file.length(), finder::read);
    }
    if (finder == null || finder.lastEnd < file.length()) {
      ends.add(file.length());
    }
    return ends.build();
  }

  /** A search for the separator in chunks, by the algorithm of Knuth, Morris and Pratt. */
  private static final class Finder {

    private final byte[] separator;
    private final int[] borders; // of each prefix, the longest proper prefix that also ends it
    private final ImmutableLongArray.Builder ends;
    private long position;
    private int matched;
    private long lastEnd;

    Finder(String separator, ImmutableLongArray.Builder ends) {
      this.separator = separator.getBytes(StandardCharsets.UTF_8);
      this.ends = ends;
      this.borders = new int[this.separator.length];
      int border = 0;
      for (int i = 1; i < borders.length; i++) {
        border = step(border, this.separator[i]);
        borders[i] = border;
      }
    }

    private int step(int length, byte next) {
      int border = length;
      while (border > 0 && separator[border] != next) {
        border = borders[border - 1];
      }
      return separator[border] == next ? border + 1 : border;
    }

    void read(byte[] chunk, int count) {
      for (int i = 0; i < count; i++) {
        matched = step(matched, chunk[i]);
        position++;
        if (matched == separator.length) {
          ends.add(position);
          lastEnd = position;
          matched = 0;
        }
      }
    }
  }
}
