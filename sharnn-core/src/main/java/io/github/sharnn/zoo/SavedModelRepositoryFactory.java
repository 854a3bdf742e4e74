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
import java.io.Reader;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Properties;
import java.util.Set;
import java.util.stream.Stream;

/**
 * Opens local folders for DJL, which finds this class by itself; no program needs to call it.
 * Without it {@code Criteria.builder().setTypes(String.class, String.class).optModelPath(folder)}
 * finds no translator: DJL 0.35 reads the {@code translatorFactory} in a folder's {@code
 * serving.properties} early enough for the types {@code Input} and {@code Output} alone. So where a
 * folder's block is made by {@link SHARNNBlockFactory}, this class hands that property over with
 * the folder; it opens every other folder as DJL does.
 */
public final class SavedModelRepositoryFactory implements RepositoryFactory {

  private static final String TRANSLATOR = "translatorFactory";

  /** Creates the factory, as DJL does. */
  public SavedModelRepositoryFactory() {}

  /**
   * Opens a folder, or an archive, of models.
   *
   * @param name the repository's name
   * @param uri a {@code file:} URI
   * @return the repository
   */
  @Override
  public Repository newInstance(String name, URI uri) {
    String location = uri.getPath() == null ? uri.getSchemeSpecificPart() : uri.getPath();
    Path path = new File(location).toPath(); // on Windows it leaves out the slash before C:
    String translator = translator(path.resolve(SavedModel.SERVING_PROPERTIES));
    if (translator == null && holdsMetadata(path)) {
      return new LocalRepository(name, path.toUri(), path) {};
    }
    return new Folder(name, uri, path, translator);
  }

  /**
   * Returns the scheme of local folders.
   *
   * @return {@code file}
   */
  @Override
  public Set<String> getSupportedScheme() {
    return Set.of("file");
  }

  /** The translator factory of a SHARNN's folder, else null. */
  private static String translator(Path file) {
    if (!Files.isRegularFile(file)) {
      return null;
    }
    Properties properties = new Properties();
    try (Reader reader = Files.newBufferedReader(file)) {
      properties.load(reader);
    } catch (IOException | IllegalArgumentException e) {
      return null; // DJL reads the file again, and says what is wrong with it
    }
    boolean ours =
        SHARNNBlockFactory.class.getName().equals(properties.getProperty("blockFactory"));
    return ours ? properties.getProperty(TRANSLATOR) : null;
  }

  /** Whether DJL takes a folder for a whole repository: by a description further down in it. */
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
      return false; // as in DJL: then it is the folder of one model
    }
  }

  private static boolean isMetadata(Path file) {
    try (Reader reader = Files.newBufferedReader(file)) {
      Metadata metadata = JsonUtils.GSON.fromJson(reader, Metadata.class);
      return metadata != null
          && metadata.getMetadataVersion() != null
          && metadata.getArtifacts() != null;
    } catch (IOException | JsonParseException e) {
      return false; // a file of somebody else's
    }
  }

  /** A folder or archive of one model, whose query may name arguments. */
  private static final class Folder extends SimpleRepository {

    Folder(String name, URI uri, Path path, String translator) {
      super(name, uri, path);
      if (translator != null) {
        arguments.putIfAbsent(TRANSLATOR, translator);
      }
    }
  }
}
