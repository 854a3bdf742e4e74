package io.github.sharnn.zoo;

import ai.djl.repository.LocalRepository;
import ai.djl.repository.Metadata;
import ai.djl.repository.Repository;
import ai.djl.repository.RepositoryFactory;
import ai.djl.repository.SimpleRepository;
import ai.djl.util.JsonUtils;
import com.google.gson.JsonParseException;
import io.github.sharnn.SavedModel;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.Reader;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Properties;
import java.util.Set;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The factory through which DJL opens local folders. DJL finds it through {@code ServiceLoader}; no
 * program needs to call it.
 *
 * <p>Without this class {@code Criteria.builder().setTypes(String.class,
 * String.class).optModelPath(folder)} finds no translator. DJL 0.35 reads the {@code
 * translatorFactory} in {@code serving.properties} too late for any types but {@code Input} and
 * {@code Output}. If the folder names {@link SHARNNBlockFactory} as its block factory, this class
 * passes the property on as an argument of the repository. It opens every other folder as DJL does.
 */
public final class SavedModelRepositoryFactory implements RepositoryFactory {

  private static final String TRANSLATOR = "translatorFactory";

  /** Creates the factory. DJL calls this constructor. */
  public SavedModelRepositoryFactory() {}

  /**
   * Opens a folder, or an archive, of models.
   *
   * @param name the repository's name
   * @param uri a {@code file:} URI
   * @return the repository
   * @throws UncheckedIOException if an archive of a saved model can't be unpacked
   */
  @Override
  public Repository newInstance(String name, URI uri) {
    String location = uri.getPath() == null ? uri.getSchemeSpecificPart() : uri.getPath();
    Path path = new File(location).toPath(); // without the slash before C: on Windows
    try {
      path = ArchivedModel.unpack(path).orElse(path);
    } catch (IOException e) {
      throw new UncheckedIOException(
          path + " can't be unpacked; unpack it yourself and name the folder: " + e.getMessage(),
          e);
    }
    String translator = translator(path.resolve(SavedModel.SERVING_PROPERTIES));
    if (translator == null && holdsMetadata(path)) {
      return new LocalRepository(name, path.toUri(), path) {};
    }
    return new Folder(name, uri, path, translator);
  }

  /** {@return {@code file}, the scheme of local folders} */
  @Override
  public Set<String> getSupportedScheme() {
    return Set.of("file");
  }

  /** Returns the translator factory of a SHARNN's folder, or null for another folder. */
  private static @Nullable String translator(Path file) {
    if (!Files.isRegularFile(file)) {
      return null;
    }
    try (InputStream in = Files.newInputStream(file)) {
      return translator(in);
    } catch (IOException e) {
      return null; // DJL reads the file again, and says what is wrong with it
    }
  }

  /** Returns the translator factory in the serving.properties of a SHARNN, or null. */
  static @Nullable String translator(InputStream servingProperties) throws IOException {
    Properties properties = new Properties();
    try {
      properties.load(new InputStreamReader(servingProperties, StandardCharsets.UTF_8));
    } catch (IllegalArgumentException e) {
      return null; // DJL reads the file again, and says what is wrong with it
    }
    boolean ours =
        SHARNNBlockFactory.class.getName().equals(properties.getProperty("blockFactory"));
    return ours ? properties.getProperty(TRANSLATOR) : null;
  }

  /** Tells if DJL takes a folder for a repository, because a subfolder has a metadata.json. */
  private static boolean holdsMetadata(Path path) {
    if (!Files.isDirectory(path)) {
      return false;
    }
    try (Stream<Path> files =
        Files.find(
            path,
            Integer.MAX_VALUE,
            (file, attributes) ->
                attributes.isRegularFile()
                    && file.endsWith("metadata.json")
                    && !path.equals(file.getParent()))) {
      return files.anyMatch(SavedModelRepositoryFactory::isMetadata);
    } catch (IOException | UncheckedIOException e) {
      return false; // DJL then treats the folder as that of one model
    }
  }

  private static boolean isMetadata(Path file) {
    try (Reader reader = Files.newBufferedReader(file)) {
      Metadata metadata = JsonUtils.GSON.fromJson(reader, Metadata.class);
      return metadata != null
          && metadata.getMetadataVersion() != null
          && metadata.getArtifacts() != null;
    } catch (IOException | JsonParseException e) {
      return false; // not a metadata.json of DJL
    }
  }

  /** A folder or archive of one model. The URI may contain arguments. */
  private static final class Folder extends SimpleRepository {

    Folder(String name, URI uri, Path path, @Nullable String translator) {
      super(name, uri, path);
      if (translator != null) {
        arguments.putIfAbsent(TRANSLATOR, translator);
      }
    }
  }
}
