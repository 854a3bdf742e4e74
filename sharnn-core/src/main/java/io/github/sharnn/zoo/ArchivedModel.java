package io.github.sharnn.zoo;

import ai.djl.repository.FilenameUtils;
import ai.djl.util.TarUtils;
import ai.djl.util.Utils;
import ai.djl.util.ZipUtils;
import com.google.common.hash.Hashing;
import com.google.common.io.MoreFiles;
import io.github.sharnn.SavedModel;
import io.github.sharnn.io.UnpackedFolder;
import java.io.BufferedInputStream;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import java.util.zip.GZIPInputStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;

/**
 * A zip or tar of a saved model's folder, with the files at the top or in one folder.
 *
 * <p>The archive is unpacked into DJL's cache folder, under the SHA-256 of its content. DJL's own
 * cache would go by the archive's path, and would keep a model that another one has replaced.
 */
final class ArchivedModel {

  private static final Pattern PROPERTIES =
      Pattern.compile("(\\./)?([^/]+/)?" + Pattern.quote(SavedModel.SERVING_PROPERTIES));
  private static final int MOST_BYTES = 1 << 20; // of serving.properties
  private static final int TAR_BLOCK = 512;

  private ArchivedModel() {}

  /** Unpacks an archive of a model of this library; empty if the file is no such archive. */
  static Optional<Path> unpack(Path file) throws IOException {
    String name = file.toString();
    if (!Files.isRegularFile(file) || !FilenameUtils.isArchiveFile(name)) {
      return Optional.empty();
    }
    boolean zip = name.endsWith(".zip");
    Optional<byte[]> properties = zip ? inZip(file) : inTar(file);
    if (properties.isEmpty()
        || SavedModelRepositoryFactory.translator(new ByteArrayInputStream(properties.get()))
            == null) {
      return Optional.empty();
    }
    String sum = MoreFiles.asByteSource(file).hash(Hashing.sha256()).toString();
    Path parent = Utils.getCacheDir().resolve("sharnn").resolve("archives").resolve(sum);
    Path unpacked = parent.resolve(FilenameUtils.getNamePart(file.getFileName().toString()));
    if (!Files.isDirectory(unpacked)) {
      UnpackedFolder.create(unpacked, unfinished -> unpack(file, zip, unfinished));
    }
    return folder(unpacked);
  }

  private static void unpack(Path file, boolean zip, Path folder) throws IOException {
    try (InputStream in = new BufferedInputStream(Files.newInputStream(file))) {
      if (zip) {
        ZipUtils.unzip(in, folder);
      } else {
        TarUtils.untar(in, folder, isCompressed(file.toString()));
      }
    }
  }

  private static Optional<Path> folder(Path unpacked) throws IOException {
    if (Files.exists(unpacked.resolve(SavedModel.SERVING_PROPERTIES))) {
      return Optional.of(unpacked);
    }
    try (Stream<Path> files = Files.list(unpacked)) {
      return files
          .filter(each -> Files.exists(each.resolve(SavedModel.SERVING_PROPERTIES)))
          .findFirst();
    }
  }

  private static boolean isCompressed(String name) {
    return !name.endsWith(".tar");
  }

  private static Optional<byte[]> inZip(Path file) throws IOException {
    try (ZipInputStream in = new ZipInputStream(Files.newInputStream(file))) {
      for (ZipEntry entry = in.getNextEntry(); entry != null; entry = in.getNextEntry()) {
        if (PROPERTIES.matcher(entry.getName()).matches()) {
          return Optional.of(in.readNBytes(MOST_BYTES));
        }
      }
    }
    return Optional.empty();
  }

  /** Looks through a tar's headers: a name of 100 bytes, and 12 octal digits of size from 124. */
  private static Optional<byte[]> inTar(Path file) throws IOException {
    InputStream plain = new BufferedInputStream(Files.newInputStream(file));
    try (InputStream in = isCompressed(file.toString()) ? new GZIPInputStream(plain) : plain) {
      byte[] header = in.readNBytes(TAR_BLOCK);
      while (header.length == TAR_BLOCK && header[0] != 0) {
        String name = new String(header, 0, 100, StandardCharsets.UTF_8).split("\0", 2)[0];
        String octal = new String(header, 124, 12, StandardCharsets.US_ASCII);
        long size = Long.parseLong("0" + octal.replaceAll("[^0-7]", ""), 8);
        if (PROPERTIES.matcher(name).matches()) {
          return Optional.of(in.readNBytes((int) Math.min(size, MOST_BYTES)));
        }
        in.skipNBytes((size + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK);
        header = in.readNBytes(TAR_BLOCK);
      }
    }
    return Optional.empty();
  }
}
