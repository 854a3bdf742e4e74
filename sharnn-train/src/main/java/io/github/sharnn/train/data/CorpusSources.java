package io.github.sharnn.train.data;

import static com.google.common.base.Preconditions.checkArgument;

import com.google.common.hash.Hashing;
import com.google.common.primitives.ImmutableLongArray;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The files, texts and streams of a corpus, and the way they become its three parts. One file that
 * is cut by position is mapped in place. Everything else is copied to temporary files.
 *
 * @param parts the sources of the training, validation and test parts; the last two are empty if
 *     the first are split
 */
record CorpusSources(List<List<Source>> parts, Documents documents, Split split) {

  /** The most paths, and characters of paths, that a checkpoint's record has room for. */
  private static final int MOST_PATHS = 10_000;

  private static final int LONGEST_PATHS = 1 << 20;

  private static final int SMALL = 1 << 16; // bytes of a file whose hash needs no cache

  /** A file; or a text or stream, in a spool with its SHA-256. */
  record Source(
      @Nullable Path path, @Nullable Spool spool, long from, long bytes, @Nullable String sha256) {

    static Source of(Path path) throws IOException {
      return new Source(path, null, 0, MappedFile.length(path), null); // the length is checked
    }

    static Source of(InputStream in, Spool spool) throws IOException {
      long from = spool.length();
      String sha256 = spool.add(in);
      return new Source(null, spool, from, spool.length() - from, sha256);
    }

    /** Opens the file. Nothing else keeps it, so that there may be any number of sources. */
    MappedFile open() throws IOException {
      return spool == null ? MappedFile.open(path) : spool.map().range(from, bytes, sha256);
    }

    String hash() throws IOException {
      if (spool != null) {
        return sha256;
      }
      return bytes <= SMALL ? CorpusHash.compute(path) : CorpusHash.of(path); // which caches it
    }
  }

  private record Text(MappedFile file, @Nullable ImmutableLongArray ends) {}

  CorpusSources {
    checkArgument(
        !parts.get(0).isEmpty(),
        "a corpus needs at least one file, text or stream: give it to the builder");
    checkArgument(
        parts.get(1).isEmpty() == parts.get(2).isEmpty(),
        "validation and test must both have files, or neither: name the file of the %s part too",
        parts.get(1).isEmpty() ? "validation" : "test");
    checkArgument(
        documents.any() || split.by() == Split.By.POSITION,
        "a split by %s chooses documents: set the documents, for example to lines",
        split.by());
  }

  /** Returns true if each part has its own files. */
  private boolean named() {
    return !parts.get(1).isEmpty();
  }

  private Stream<Source> all() {
    return parts.stream().flatMap(List::stream);
  }

  /** Returns the three parts. */
  List<TextRange> texts() throws IOException {
    List<TextRange> texts;
    if (named()) {
      texts = new ArrayList<>();
      for (int part = 0; part < parts.size(); part++) {
        Text text = join(parts.get(part));
        texts.add(range(part, text.file, 0, text.file.length(), text.ends));
      }
    } else if (split.by() == Split.By.POSITION) {
      texts = cut(join(parts.get(0)));
    } else {
      texts = distribute();
    }
    return texts;
  }

  private static TextRange range(
      int part, MappedFile file, long start, long bytes, @Nullable ImmutableLongArray ends) {
    String name = TextRange.PARTS.get(part);
    checkArgument(
        bytes >= 2,
        "each part of a corpus needs at least 2 bytes, one to read and one to predict, but the %s"
            + " part has %s: use a longer corpus, another split or smaller documents",
        name,
        bytes);
    return new TextRange(name, file, start, bytes, ends);
  }

  /** Puts sources one after another. */
  private Text join(List<Source> sources) throws IOException {
    if (sources.size() == 1) {
      MappedFile file = sources.get(0).open();
      return new Text(file, documents.any() ? documents.ends(file) : null);
    }
    try (Spool spool = new Spool()) {
      for (Source source : sources) {
        copy(source.open(), new Spool[] {spool}, 0);
      }
      ImmutableLongArray ends = documents.any() ? spool.ends() : null;
      return new Text(spool.map(), ends);
    }
  }

  /** Chooses the part of each document. */
  private List<TextRange> distribute() throws IOException {
    try (Spool train = new Spool();
        Spool validation = new Spool();
        Spool test = new Spool()) {
      Spool[] spools = {train, validation, test};
      long documentsSoFar = 0;
      for (Source source : parts.get(0)) {
        documentsSoFar = copy(source.open(), spools, documentsSoFar);
      }
      List<TextRange> texts = new ArrayList<>();
      for (Spool spool : spools) {
        MappedFile file = spool.map();
        texts.add(range(texts.size(), file, 0, file.length(), spool.ends()));
      }
      return texts;
    }
  }

  /** Copies a file's documents to one spool or to that of their part, and counts them on. */
  private long copy(MappedFile file, Spool[] spools, long first) throws IOException {
    ImmutableLongArray ends = documents.ends(file);
    long from = 0;
    for (int i = 0; i < ends.length(); i++) {
      long bytes = ends.get(i) - from;
      int part = spools.length == 1 ? 0 : split.part(file, from, bytes, first + i);
      spools[part].add(file, from, bytes);
      from = ends.get(i);
    }
    return first + ends.length();
  }

  /** Cuts a text in two places. */
  private List<TextRange> cut(Text text) {
    long length = text.file.length();
    long test = (long) (length * split.test());
    long validation = (long) (length * split.validation());
    long[] cuts = {0, length - validation - test, length - test, length};
    ImmutableLongArray ends = text.ends;
    int[] documentCuts = new int[cuts.length];
    if (ends != null) {
      checkArgument(
          ends.length() >= TextRange.PARTS.size(),
          "a corpus needs at least three documents, one in each part, but has %s: use smaller"
              + " documents, or name files for each part",
          ends.length());
      documentCuts[3] = ends.length();
      for (int i = 1; i < 3; i++) {
        int before = documentCuts[i - 1];
        int count = before + 1;
        while (count < ends.length() - 3 + i && ends.get(count - 1) < cuts[i]) {
          count++;
        }
        documentCuts[i] = count;
        cuts[i] = ends.get(count - 1);
      }
    }
    List<TextRange> texts = new ArrayList<>();
    for (int part = 0; part < TextRange.PARTS.size(); part++) {
      long start = cuts[part];
      TextRange range = range(part, text.file, start, cuts[part + 1] - start, null);
      texts.add(
          ends == null
              ? range
              : new TextRange(range.name(), text.file, 0, text.file.length(), ends)
                  .documents(documentCuts[part], documentCuts[part + 1]));
    }
    return texts;
  }

  /** Returns the SHA-256 of a single source, or of the SHA-256 of all sources. */
  String sha256() throws IOException {
    List<String> hashes = new ArrayList<>();
    for (Source source : all().toList()) {
      hashes.add(source.hash());
    }
    return hashes.size() == 1
        ? hashes.get(0)
        : Hashing.sha256()
            .hashString(String.join("", hashes), StandardCharsets.US_ASCII)
            .toString();
  }

  /** Returns the path of the first file, or a name for a text or stream. */
  Path origin() {
    return paths().stream().findFirst().orElse(Path.of("text"));
  }

  /** Returns the paths of the files. */
  List<Path> paths() {
    return all().map(Source::path).filter(path -> path != null).toList();
  }

  /** Returns the number of sources. */
  long count() {
    return all().count();
  }

  CorpusRecord.Layout layout() {
    return new CorpusRecord.Layout(
        documents, named() ? null : split, parts.stream().map(List::size).toList());
  }

  /** Returns the absolute paths, or null if a source has none, or they are too many to store. */
  CorpusRecord.@Nullable Files files() {
    if (all().anyMatch(source -> source.path == null)) {
      return null;
    }
    List<List<String>> paths = parts.stream().map(CorpusSources::paths).toList();
    long length = paths.stream().flatMap(List::stream).mapToLong(String::length).sum();
    if (count() > MOST_PATHS || length > LONGEST_PATHS) {
      return null;
    }
    return new CorpusRecord.Files(paths.get(0), paths.get(1), paths.get(2));
  }

  private static List<String> paths(List<Source> sources) {
    return sources.stream().map(source -> source.path.toAbsolutePath().toString()).toList();
  }
}
