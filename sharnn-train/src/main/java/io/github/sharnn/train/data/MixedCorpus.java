package io.github.sharnn.train.data;

import static com.google.common.base.Preconditions.checkArgument;

import com.google.common.primitives.Bytes;
import com.google.common.primitives.Ints;
import io.github.sharnn.io.AtomicFile;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;

/**
 * A corpus for fine-tuning: a new text with a share of the old text that the model was trained on,
 * so that the model learns the one without forgetting the other (rehearsal).
 *
 * <pre>{@code
 * Corpus mixed = MixedCorpus.write(Path.of("mixed"), Corpus.open(novel), Corpus.open(wiki), 0.25);
 * }</pre>
 *
 * <p>The training part has the whole new training part in order, in passages of about 8 kB, with
 * passages of the old training part between them, taken evenly from its whole length. Passages end
 * at line ends. Validation and test are those of the new text. The mixture is a folder of ordinary
 * files, so a run resumes on it to the bit.
 */
public final class MixedCorpus {

  private static final String TRAIN = "train.txt";
  private static final String VALID = "valid.txt";
  private static final String TEST = "test.txt";
  private static final int PASSAGE = 8 << 10; // bytes of new text
  private static final int LONGEST_LINE = 4 << 10; // bytes
  private static final int BUFFER = 1 << 16;

  private MixedCorpus() {}

  /**
   * Writes the files {@code train.txt}, {@code valid.txt} and {@code test.txt}, and replaces older
   * ones. The same corpora and share give the same files.
   *
   * @param folder the folder of the files, created if it is missing; not that of the new or old
   *     text
   * @param fresh the new text
   * @param old the old text, of which only the training part is used
   * @param oldShare the share of old text in the bytes of the training part, above 0 and below 1
   * @return the corpus of the folder, with the vocabulary of the new text
   * @throws IOException if a file can't be written or read
   * @throws IllegalArgumentException if the share is outside its range, or the old text is too
   *     short for it, or the new text has documents, or the folder has a file of the new or old
   *     text
   */
  public static Corpus write(Path folder, Corpus fresh, Corpus old, double oldShare)
      throws IOException {
    check(folder, fresh, old, oldShare);
    long wanted = (long) wanted(fresh, oldShare);
    AtomicFile.createFolders(folder);
    write(folder.resolve(TRAIN), out -> mix(fresh.train(), old.train(), wanted, out));
    Corpus.Part validation = fresh.validation();
    write(folder.resolve(VALID), out -> copy(validation, 0, validation.bytes(), out));
    Corpus.Part test = fresh.test();
    write(folder.resolve(TEST), out -> copy(test, 0, test.bytes(), out));
    return Corpus.folder(folder).withVocabulary(fresh.vocabulary());
  }

  /**
   * Checks the arguments of {@link #write} and writes nothing.
   *
   * @param folder the folder of the files, which need not exist
   * @param fresh the new text
   * @param old the old text
   * @param oldShare the share of old text
   * @throws IOException if a file can't be looked up
   * @throws IllegalArgumentException as in {@link #write}
   */
  public static void check(Path folder, Corpus fresh, Corpus old, double oldShare)
      throws IOException {
    checkArgument(
        oldShare > 0 && oldShare < 1,
        "the share of old text must be above 0 and below 1, but is %s",
        oldShare);
    checkArgument(
        fresh.train().documents() == null,
        "the new text of a mixture must not have documents: write the mixture without them, then open"
            + " its folder with Corpus.builder() and documents");
    double wanted = wanted(fresh, oldShare);
    checkArgument(
        wanted <= old.train().bytes(),
        "a share of %s beside %s bytes of new text takes %s bytes of old text, but %s has %s: use a"
            + " smaller share or a longer old text",
        oldShare,
        fresh.train().bytes(),
        String.format(Locale.ROOT, "%.0f", wanted),
        old.train(),
        old.train().bytes());
    for (String name : List.of(TRAIN, VALID, TEST)) {
      Path file = folder.resolve(name);
      checkArgument(
          !fresh.reads(file) && !old.reads(file),
          "the mixture would replace %s, which it is made of: write it into another folder",
          file);
    }
  }

  /** Returns the number of bytes of old text that a share takes. */
  private static double wanted(Corpus fresh, double oldShare) {
    return fresh.train().bytes() * oldShare / (1 - oldShare);
  }

  /** The content of a file. */
  private interface Content {
    void write(OutputStream out) throws IOException;
  }

  private static void write(Path file, Content content) throws IOException {
    AtomicFile.write(
        file,
        (FileChannel channel) -> {
          OutputStream out = new BufferedOutputStream(Channels.newOutputStream(channel), BUFFER);
          content.write(out);
          out.flush();
        });
  }

  private static void mix(Corpus.Part fresh, Corpus.Part old, long wanted, OutputStream out)
      throws IOException {
    long passages = (fresh.bytes() + PASSAGE - 1) / PASSAGE;
    long freshEnd = 0;
    long oldEnd = 0;
    long written = 0; // of the old text
    for (long i = 1; i <= passages; i++) {
      long oldFrom = Math.max(oldEnd, lineEnd(old, old.bytes() * (i - 1) / passages));
      long length = Math.max(wanted * i / passages - written, 0);
      oldEnd = length == 0 ? oldFrom : lineEnd(old, Math.min(oldFrom + length, old.bytes()));
      copy(old, oldFrom, oldEnd, out);
      written += oldEnd - oldFrom;
      long from = freshEnd;
      freshEnd = Math.max(from, lineEnd(fresh, fresh.bytes() * i / passages));
      copy(fresh, from, freshEnd, out);
    }
  }

  /** Returns the first line end from a position on, or the next character's start in long lines. */
  private static long lineEnd(Corpus.Part part, long position) {
    if (position == 0 || position == part.bytes()) {
      return position;
    }
    byte[] ahead = new byte[(int) Math.min(LONGEST_LINE, part.bytes() - position)];
    part.read(position, ahead);
    int newline = Bytes.indexOf(ahead, (byte) '\n');
    if (newline >= 0) {
      return position + newline + 1;
    }
    int next = 0;
    while (next < ahead.length && next < 3 && (ahead[next] & 0xC0) == 0x80) { // inside a character
      next++;
    }
    return position + next;
  }

  private static void copy(Corpus.Part part, long from, long end, OutputStream out)
      throws IOException {
    for (long position = from; position < end; position += BUFFER) {
      byte[] bytes = new byte[Ints.checkedCast(Math.min(BUFFER, end - position))];
      part.read(position, bytes);
      out.write(bytes);
    }
  }
}
